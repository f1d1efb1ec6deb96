//! Starting, feeding, watching and stopping the child program `oriel-gst`
//! (`docs/protocol.md` §1). The only place that spawns it.
//!
//! What does not belong here: what jobs mean, when they are tried again, and GStreamer.

mod child;
mod error;
mod packet;
mod program;

pub use child::Child;
pub use error::ChildError;
pub use packet::{Packet, PacketTooLong};
pub use program::Program;

//! The media side: takes runs of frames, writes segment files, keeps the live hub, recovers the
//! spool.
//!
//! ```text
//!             +-> hub -> viewers (current group of pictures, then frames as they come)
//! RunSink ----+
//!             +-> pacer -> queue -> disk thread -> recorder -> segment file -> reporter -> nvr
//! ```
//!
//! A frame is handed on in the caller's thread without waiting for anything. The pacer gathers
//! about half a second of a track; that is what the one disk thread writes, with one write.
//!
//! What does not belong here: cameras, SQL, HTTP, codecs, and the box layout of MP4.

mod adopt;
mod assembly;
mod clock;
mod disk;
mod hub;
mod mover;
mod notices;
mod options;
mod pacer;
mod place;
pub mod platform;
mod queue;
mod recorder;
mod recover;
mod report;
mod reserve;
mod run;
mod segment_file;
mod segment_writer;
mod sink;
mod spool;
mod state;
mod sum;
mod sync;
mod upload;
mod worker;

pub use assembly::picture_job;
pub use hub::{LiveFrame, LiveItem, LiveOptions, LiveRun, LiveSubscription};
pub use options::WorkerOptions;
pub use recover::RecoveryReport;
pub use segment_file::SegmentFile;
pub use worker::Worker;

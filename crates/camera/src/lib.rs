//! Talking to cameras: addresses, RTSP sessions, still pictures, and looking at what is at an
//! address.
//!
//! What does not belong here: GStreamer, child processes, retries, storage, and any decision
//! about when a camera is wanted. Everything a camera says is treated as hostile.

mod address;
mod error;
mod knock;
mod measure;
mod observed;
mod picture;
mod probe;
mod refusal;
mod session;
mod timing;
mod tracks;

pub use address::{Address, split_credentials};
pub use error::CameraError;
pub use measure::Measure;
pub use observed::Observed;
pub use picture::{LARGEST_PICTURE, PictureError, PictureTarget, picture};
pub use probe::probe;
pub use session::{Deadlines, Received, RtspSession, RtspTarget, connect};
pub use timing::{Timeline, TimingFault};
pub use tracks::SourceAudio;

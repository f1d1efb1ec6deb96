//! Things to test against: real RTSP cameras in processes of their own, servers that misbehave,
//! storage that fails, and pictures that carry the time they were drawn at.
//!
//! What does not belong here: anything the product runs. Nothing but tests, benches and the demo
//! cameras may depend on this crate.

pub mod broken;
mod camera;
mod locate;
pub mod options;
pub mod serve;
pub mod stamp;
pub mod storage;

pub use camera::{CameraError, TestCamera};
pub use options::{Audio, AudioBehaviour, Auth, CameraOptions, Look, Source, StreamOptions, Video};

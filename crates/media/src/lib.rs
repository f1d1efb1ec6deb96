//! Media as bytes: access units, fragments, fragmented MP4 written, read, cut, joined, repaired.
//!
//! What does not belong here: files, sockets, clocks, GStreamer, and anything that knows what a
//! camera or a database is. Every reader in this crate treats its input as hostile.

pub mod format;
pub mod frame;
pub mod ingest;

pub use format::{AudioCodec, AudioTrack, Format, TrackKind, VideoCodec, VideoTrack};
pub use frame::Frame;

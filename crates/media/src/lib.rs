//! Media as bytes: access units, fragments, fragmented MP4 written, read, cut, joined, repaired.
//!
//! What does not belong here: files, sockets, clocks, GStreamer, and anything that knows what a
//! camera or a database is. Every reader in this crate treats its input as hostile.

mod boxes;
pub mod clip;
pub mod codec;
pub mod cut;
pub mod format;
pub mod fragment;
pub mod frame;
pub mod ingest;
pub mod init;
pub mod join;
mod movie;
pub mod read;
pub mod samples;
pub mod scan;
pub mod segment;
mod sound;
mod table;
pub mod tail;

pub use clip::{ClipBuilder, ClipHead, ClipMark, ClipOrder, Share};
pub use codec::{
    AacConfig, ConfigError, aac_codec_string, aac_config, avc_codec_string, hevc_codec_string,
};
pub use cut::Cutter;
pub use format::{AudioCodec, AudioTrack, Format, TrackKind, VideoCodec, VideoTrack};
pub use fragment::{Fragment, Fragmenter, build_fragment, rescale};
pub use frame::Frame;
pub use init::{BuildError, InitSegment, SegmentMark};
pub use join::{JoinError, Timeline, covering, shift_fragment};
pub use read::{ReadError, StreamItem, StreamReader};
pub use samples::{SampleInfo, SampleRun, SegmentSamples, read_format, read_samples};
pub use scan::{Scan, ScanError, scan};
pub use segment::{FragmentRef, SegmentHeader, build_index};
pub use sound::{Fate, fate, silent_mp3};

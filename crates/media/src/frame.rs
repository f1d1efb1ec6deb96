//! The unit inside the process: one access unit with its times.

use bytes::Bytes;

use crate::TrackKind;

/// One access unit. Cheap to clone: the bytes are shared.
///
/// Times count from the start of the run, in ticks of the track's timescale. Both tracks share
/// that zero, which is what keeps them in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Track.
    pub track: TrackKind,
    /// A decoder can start here (IDR or, for H.265, any IRAP). Always true for audio.
    pub key: bool,
    /// Decode time. Never decreases within a track.
    pub dts: i64,
    /// Presentation time minus decode time; 0 without B-frames.
    pub cts_offset: i32,
    /// Ticks until the next frame of the track; 0 when it is not known yet.
    pub duration: u32,
    /// The access unit.
    pub data: Bytes,
}

//! What viewers share: a run, and a frame with its one-frame fragment.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use oriel_api::{Quality, Timestamp};
use oriel_media::{Format, Frame, InitSegment, TrackKind, build_fragment};

/// A run as its viewers see it.
#[derive(Debug)]
pub struct LiveRun {
    /// Tracks.
    pub format: Arc<Format>,
    /// Wall clock at the run's time zero.
    pub anchor: Timestamp,
    /// Which encoding this is.
    pub quality: Quality,
    init: OnceLock<Option<Bytes>>,
}

impl LiveRun {
    pub(crate) fn new(format: Arc<Format>, anchor: Timestamp, quality: Quality) -> Arc<Self> {
        Arc::new(Self {
            format,
            anchor,
            quality,
            init: OnceLock::new(),
        })
    }

    /// `ftyp moov` of this run, built for the first who asks. `None` when the format cannot be
    /// written as MP4; viewers can then only have bare frames.
    pub fn init(&self) -> Option<&Bytes> {
        self.init
            .get_or_init(|| match InitSegment::new(&self.format) {
                Ok(init) => Some(init.bytes()),
                Err(error) => {
                    tracing::warn!(%error, "no init segment for this format");
                    None
                }
            })
            .as_ref()
    }

    /// Milliseconds since 1970 of a time of a track.
    pub(crate) fn wall_ms(&self, track: TrackKind, ticks: i64) -> i64 {
        crate::clock::wall(self.anchor, ticks, self.format.timescale(track)).ms()
    }
}

/// A frame on its way to viewers. Shared by all of them.
#[derive(Debug)]
pub struct LiveFrame {
    /// The frame. Its duration is 0 when it is not known yet.
    pub frame: Frame,
    /// When it was captured, milliseconds since 1970 UTC.
    pub wall_ms: i64,
    /// Silence made for one viewer; not from the camera.
    pub filler: bool,
    sequence: u32,
    fragment_duration: u32,
    fragment: OnceLock<Bytes>,
}

impl LiveFrame {
    /// `fragment_duration` is what the fragment says while the true duration is not known.
    pub(crate) fn new(
        frame: Frame,
        wall_ms: i64,
        filler: bool,
        sequence: u32,
        fragment_duration: u32,
    ) -> Arc<Self> {
        Arc::new(Self {
            frame,
            wall_ms,
            filler,
            sequence,
            fragment_duration,
            fragment: OnceLock::new(),
        })
    }

    /// One `moof mdat` with this frame alone, its decode time counted from the start of the
    /// run. Built for the first viewer who asks, shared by the rest.
    pub fn fragment(&self) -> &Bytes {
        self.fragment.get_or_init(|| {
            let mut frame = self.frame.clone();
            if frame.duration == 0 {
                frame.duration = self.fragment_duration;
            }
            build_fragment(frame.track, self.sequence, 0, std::slice::from_ref(&frame)).bytes
        })
    }

    /// Bytes of media.
    pub(crate) fn size(&self) -> usize {
        self.frame.data.len()
    }

    /// A viewer can start here.
    pub(crate) fn starts_group(&self) -> bool {
        self.frame.track == TrackKind::Video && self.frame.key
    }
}

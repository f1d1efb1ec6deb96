//! Fragments: one `moof mdat` of one track, and gathering frames into them.
//!
//! Not here: files, and when a new one begins.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::{
    Frame, TrackKind,
    format::VIDEO_TIMESCALE,
    init::{FLAGS_DELTA, FLAGS_KEY, track_id},
};

/// A `moof mdat` of one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Track.
    pub track: TrackKind,
    /// A decoder can start with its first frame.
    pub key: bool,
    /// Decode time of the first frame, ticks of the track from the start of the run (not of the
    /// file: `base` is not subtracted).
    pub start: i64,
    /// Decode time at which the last frame's duration is over.
    pub end: i64,
    /// Frames inside.
    pub frames: u32,
    /// `moof mdat`.
    pub bytes: Bytes,
}

/// Ticks a frame lasts when nothing tells: 1/10 s of video, one AAC access unit of audio. Rather
/// too long than too short: Media Source Extensions take a frame that comes later than two
/// durations after the last for a hole, and drop everything up to the next key frame.
const fn assumed_duration(track: TrackKind) -> u32 {
    match track {
        TrackKind::Video => VIDEO_TIMESCALE / 10,
        TrackKind::Audio => 1024,
    }
}

/// Builds one fragment.
///
/// `base` is the decode time (ticks of the track, from the start of the run) that becomes `tfdt`
/// 0; a first frame before it is written at 0. A frame lasts until the next one; the last as long
/// as it says, or as the one before it, or (a single frame of unknown duration) 1/10 s of video or
/// 1024 samples of audio. Give single frames for viewers the distance of the two frames before
/// as `duration`. Without frames there is no fragment: `bytes` is empty.
pub fn build_fragment(track: TrackKind, sequence: u32, base: i64, frames: &[Frame]) -> Fragment {
    build(track, sequence, base, frames, 0)
}

fn build(track: TrackKind, sequence: u32, base: i64, frames: &[Frame], typical: u32) -> Fragment {
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
        return Fragment {
            track,
            key: false,
            start: base,
            end: base,
            frames: 0,
            bytes: Bytes::new(),
        };
    };
    let video = track == TrackKind::Video;
    let offsets = frames.iter().any(|f| f.cts_offset != 0);
    let per_sample = 8 + if video { 4 } else { 0 } + if offsets { 4 } else { 0 };
    let trun_len = 20 + per_sample * frames.len();
    let traf_len = 8 + 16 + 20 + trun_len;
    let moof_len = 8 + 16 + traf_len;
    let payload: usize = frames.iter().map(|f| f.data.len()).sum();

    let mut out = BytesMut::with_capacity(moof_len + 8 + payload);
    put_header(&mut out, moof_len, b"moof");
    put_header(&mut out, 16, b"mfhd");
    out.put_u32(0);
    out.put_u32(sequence);
    put_header(&mut out, traf_len, b"traf");
    put_header(&mut out, 16, b"tfhd");
    out.put_u32(0x02_0000); // default-base-is-moof
    out.put_u32(track_id(track));
    put_header(&mut out, 20, b"tfdt");
    out.put_u32(0x0100_0000);
    out.put_u64(u64::try_from(first.dts.saturating_sub(base)).unwrap_or(0));
    put_header(&mut out, trun_len, b"trun");
    let flags = 0x301 | if video { 0x400 } else { 0 } | if offsets { 0x800 } else { 0 };
    out.put_u32(0x0100_0000 | flags);
    out.put_u32(frames.len() as u32);
    out.put_u32((moof_len + 8) as u32);
    let mut end = first.dts;
    let mut previous = 0;
    for (i, frame) in frames.iter().enumerate() {
        let duration = match frames.get(i + 1) {
            Some(next) => u32::try_from(next.dts.saturating_sub(frame.dts)).unwrap_or(0),
            None => [last.duration, previous, typical, assumed_duration(track)]
                .into_iter()
                .find(|d| *d > 0)
                .unwrap_or(0),
        };
        out.put_u32(duration);
        out.put_u32(frame.data.len() as u32);
        if video {
            out.put_u32(if frame.key { FLAGS_KEY } else { FLAGS_DELTA });
        }
        if offsets {
            out.put_i32(frame.cts_offset);
        }
        end = end.saturating_add(i64::from(duration));
        previous = duration;
    }
    put_header(&mut out, 8 + payload, b"mdat");
    for frame in frames {
        out.extend_from_slice(&frame.data);
    }
    Fragment {
        track,
        key: first.key,
        start: first.dts,
        end,
        frames: frames.len() as u32,
        bytes: out.freeze(),
    }
}

fn put_header(out: &mut BytesMut, size: usize, kind: &[u8; 4]) {
    out.put_u32(size as u32);
    out.put_slice(kind);
}

/// Gathers the frames of one track into fragments of about a second.
///
/// A fragment ends before a video key frame, before the frame that would make it longer than the
/// target, at a hole of more than ten seconds, and at 16 MiB or 2,000 frames.
#[derive(Debug)]
pub struct Fragmenter {
    track: TrackKind,
    timescale: u32,
    target: i64,
    base: i64,
    held: Vec<Frame>,
    held_bytes: usize,
    typical: u32,
}

impl Fragmenter {
    /// Milliseconds a fragment is meant to last.
    pub const TARGET_MS: u32 = 1000;
    const MAX_BYTES: usize = 16 << 20;
    const MAX_FRAMES: usize = 2000;
    const HOLE_S: i64 = 10;

    /// For a track whose times have this many ticks per second.
    pub fn new(track: TrackKind, timescale: u32) -> Self {
        Self {
            track,
            timescale,
            target: i64::from(timescale) * i64::from(Self::TARGET_MS) / 1000,
            base: 0,
            held: Vec::new(),
            held_bytes: 0,
            typical: 0,
        }
    }

    /// Sets the decode time that is `tfdt` 0 in every fragment given from now on, those of frames
    /// already held included.
    ///
    /// To go on in a new file: [`Fragmenter::push`] the key frame that begins it, write the
    /// fragment that gives to the old file, then set the key frame's `dts` as base. For audio:
    /// [`Fragmenter::flush`] to the old file, then set the same moment in its timescale
    /// ([`rescale`]).
    pub fn set_base(&mut self, base: i64) {
        self.base = base;
    }

    /// Frames held, not yet in a fragment.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes a frame; gives the fragment it completed, without the frame itself. `sequence` is
    /// the last number used in the file (tracks share it) and is counted up.
    pub fn push(&mut self, frame: Frame, sequence: &mut u32) -> Option<Fragment> {
        let done = match (self.held.first(), self.held.last()) {
            (Some(first), Some(last)) => {
                let step = frame.dts.saturating_sub(last.dts);
                let hole = step < 0 || step > Self::HOLE_S * i64::from(self.timescale);
                let full = frame.dts.saturating_sub(first.dts) >= self.target
                    || self.held_bytes.saturating_add(frame.data.len()) > Self::MAX_BYTES
                    || self.held.len() >= Self::MAX_FRAMES;
                let cut = hole || full || (self.track == TrackKind::Video && frame.key);
                if !hole
                    && step > 0
                    && let Ok(step) = u32::try_from(step)
                {
                    self.typical = step;
                    if cut && let Some(last) = self.held.last_mut() {
                        last.duration = step;
                    }
                }
                if cut { self.flush(sequence) } else { None }
            }
            _ => None,
        };
        self.held_bytes += frame.data.len();
        self.held.push(frame);
        done
    }

    /// Gives what is held.
    pub fn flush(&mut self, sequence: &mut u32) -> Option<Fragment> {
        if self.held.is_empty() {
            return None;
        }
        *sequence = sequence.wrapping_add(1);
        let fragment = build(self.track, *sequence, self.base, &self.held, self.typical);
        self.held.clear();
        self.held_bytes = 0;
        Some(fragment)
    }
}

/// Converts a time between timescales, rounding down; saturates. `from` and `to` above 0.
pub fn rescale(time: i64, from: u32, to: u32) -> i64 {
    if from == to || from == 0 {
        return time;
    }
    let scaled = (i128::from(time) * i128::from(to)).div_euclid(i128::from(from));
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(dts: i64, key: bool, bytes: usize) -> Frame {
        Frame {
            track: TrackKind::Video,
            key,
            dts,
            cts_offset: 0,
            duration: 0,
            data: vec![7; bytes].into(),
        }
    }

    /// Frame counts and times of the fragments that frames `(dts, key)` are gathered into.
    fn gather(frames: &[(i64, bool)]) -> Vec<(u32, i64, i64, bool)> {
        let mut fragmenter = Fragmenter::new(TrackKind::Video, 90_000);
        let mut sequence = 0;
        let mut out = Vec::new();
        for (dts, key) in frames {
            out.extend(fragmenter.push(frame(*dts, *key, 10), &mut sequence));
        }
        out.extend(fragmenter.flush(&mut sequence));
        assert_eq!(sequence as usize, out.len());
        assert_eq!(fragmenter.held(), 0);
        out.iter()
            .map(|f| (f.frames, f.start, f.end, f.key))
            .collect()
    }

    #[test]
    fn fragments_last_a_second_and_end_at_key_frames() {
        // 15 fps, a key frame every 20 frames.
        let frames: Vec<_> = (0..40).map(|i| (i * 6000, i % 20 == 0)).collect();
        assert_eq!(
            gather(&frames),
            [
                (15, 0, 90_000, true),
                (5, 90_000, 120_000, false),
                (15, 120_000, 210_000, true),
                (5, 210_000, 240_000, false),
            ]
        );
    }

    #[test]
    fn a_hole_is_not_a_long_frame() {
        let got = gather(&[
            (0, true),
            (6000, false),
            (5_000_000, false),
            (5_006_000, false),
        ]);
        assert_eq!(
            got,
            [(2, 0, 12_000, true), (2, 5_000_000, 5_012_000, false)]
        );
    }

    #[test]
    fn memory_is_bounded_without_key_frames_or_time() {
        let mut fragmenter = Fragmenter::new(TrackKind::Video, 90_000);
        let mut sequence = 0;
        let mut most = 0;
        for _ in 0..100 {
            fragmenter.push(frame(0, false, 1 << 20), &mut sequence);
            most = most.max(fragmenter.held());
        }
        assert_eq!(most, 16);
        let many = vec![(0, false); 5000];
        assert_eq!(gather(&many)[0].0, 2000);
    }

    #[test]
    fn a_frame_before_the_base_is_written_at_zero() {
        let f = build_fragment(TrackKind::Video, 9, 50, &[frame(40, true, 3)]);
        let tfdt = f.bytes.windows(4).position(|w| w == b"tfdt").unwrap();
        assert_eq!(f.bytes[tfdt + 8..tfdt + 16], [0; 8]);
        assert_eq!((f.start, f.end), (40, 40 + 9000));
        assert!(build_fragment(TrackKind::Video, 9, 0, &[]).bytes.is_empty());
    }

    #[test]
    fn times_convert_without_overflow() {
        assert_eq!(rescale(-1, 90_000, 1000), -1);
        assert_eq!(rescale(90_001, 90_000, 1000), 1000);
        assert_eq!(rescale(i64::MAX, 1, u32::MAX), i64::MAX);
        assert_eq!(rescale(i64::MIN, 1, u32::MAX), i64::MIN);
    }
}

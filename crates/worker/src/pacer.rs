//! Cuts a run's frames into pieces of about half a second, one track each: what becomes a fragment
//! on disk.
//!
//! Video sets the pace. A piece of video ends before each key frame, or after half a second. Audio
//! goes out right behind the video it belongs to, cut where a segment could begin; it never
//! delays video, and when video stands it goes out on its own.

use oriel_media::{Format, Frame, TrackKind, format::VIDEO_TIMESCALE};

use oriel_media::rescale;

/// Length of a piece of video, in video ticks: half a second. What is not yet a piece dies with
/// the process, and that must stay well below a second.
const PIECE_TICKS: i64 = VIDEO_TIMESCALE as i64 / 2;
/// A piece is cut early beyond these.
const PIECE_BYTES: usize = 4 * 1024 * 1024;
const PIECE_FRAMES: usize = 256;
/// Audio waits for video so long, in milliseconds of audio.
const AUDIO_WAIT_MS: i64 = 2000;
/// A distance between two frames beyond this is a hole, not a duration; in video ticks.
const HOLE_TICKS: i64 = 10 * VIDEO_TIMESCALE as i64;
/// Assumed of a lone frame.
const LONE_FRAME_TICKS: u32 = VIDEO_TIMESCALE / 15;

/// Frames of one track that belong together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) track: TrackKind,
    /// In decode order, never empty, every duration known.
    pub(crate) frames: Vec<Frame>,
    /// A segment can begin here.
    pub(crate) key: bool,
    /// Footage between this piece and the one before is missing.
    pub(crate) after_hole: bool,
}

impl Piece {
    pub(crate) fn bytes(&self) -> usize {
        self.frames.iter().map(|f| f.data.len()).sum()
    }
}

/// Cuts one run.
pub(crate) struct Pacer {
    audio_rate: u32,
    audio_samples: u32,
    video: Vec<Frame>,
    video_bytes: usize,
    last_duration: u32,
    after_hole: bool,
    audio: Vec<Frame>,
    started: bool,
}

impl Pacer {
    pub(crate) fn new(format: &Format) -> Self {
        Self {
            audio_rate: format.timescale(TrackKind::Audio),
            audio_samples: format.audio.as_ref().map_or(0, |a| a.frame_samples),
            video: Vec::new(),
            video_bytes: 0,
            last_duration: LONE_FRAME_TICKS,
            after_hole: false,
            audio: Vec::new(),
            started: false,
        }
    }

    /// Takes a frame; what is complete with it goes to `out`.
    pub(crate) fn push(&mut self, frame: Frame, out: &mut impl FnMut(Piece)) {
        match frame.track {
            TrackKind::Video => self.push_video(frame, out),
            TrackKind::Audio => self.push_audio(frame, out),
        }
    }

    /// The run ends: everything that is left.
    pub(crate) fn finish(&mut self, out: &mut impl FnMut(Piece)) {
        if let Some(last) = self.video.last_mut() {
            last.duration = match last.duration {
                0 => self.last_duration,
                known if i64::from(known) > HOLE_TICKS => self.last_duration,
                known => known,
            };
            let end = last.dts + i64::from(last.duration);
            self.flush_video(end, out);
        }
        self.flush_audio(i64::MAX, out);
    }

    fn push_video(&mut self, frame: Frame, out: &mut impl FnMut(Piece)) {
        if !self.started {
            if !frame.key {
                return;
            }
            self.started = true;
        }
        let mut hole = false;
        if let (Some(first), Some(last)) =
            (self.video.first().map(|f| f.dts), self.video.last_mut())
        {
            let distance = frame.dts - last.dts;
            hole = distance > HOLE_TICKS;
            match u32::try_from(distance) {
                Ok(duration) if !hole => {
                    last.duration = duration;
                    self.last_duration = duration.max(1);
                }
                _ => last.duration = self.last_duration,
            }
            if hole
                || frame.key
                || frame.dts - first >= PIECE_TICKS
                || self.video.len() >= PIECE_FRAMES
                || self.video_bytes + frame.data.len() > PIECE_BYTES
            {
                self.flush_video(frame.dts, out);
            }
        }
        self.after_hole |= hole;
        self.video_bytes += frame.data.len();
        self.video.push(frame);
    }

    fn push_audio(&mut self, frame: Frame, out: &mut impl FnMut(Piece)) {
        let wait = AUDIO_WAIT_MS * i64::from(self.audio_rate) / 1000;
        let waited = self
            .audio
            .first()
            .is_some_and(|first| frame.dts - first.dts > wait)
            || self.audio.len() >= PIECE_FRAMES;
        if waited {
            self.flush_audio(i64::MAX, out);
        }
        self.audio.push(frame);
    }

    fn flush_video(&mut self, end: i64, out: &mut impl FnMut(Piece)) {
        let frames = take(&mut self.video);
        self.video_bytes = 0;
        let Some(first) = frames.first() else { return };
        let (start, key) = (first.dts, first.key);
        if key {
            // A segment may begin here: earlier audio still belongs to the one before.
            self.flush_audio(start, out);
        }
        out(Piece {
            track: TrackKind::Video,
            frames,
            key,
            after_hole: std::mem::take(&mut self.after_hole),
        });
        self.flush_audio(end, out);
    }

    /// Hands out audio before `end`, which is in video ticks.
    fn flush_audio(&mut self, end: i64, out: &mut impl FnMut(Piece)) {
        let end = match end {
            i64::MAX => i64::MAX,
            ticks => rescale(ticks, VIDEO_TIMESCALE, self.audio_rate),
        };
        let count = self.audio.partition_point(|f| f.dts < end);
        if count == 0 {
            return;
        }
        let rest = self.audio.split_off(count);
        let mut frames = std::mem::replace(&mut self.audio, rest);
        if !self.started {
            return;
        }
        let mut next = self.audio.first().map(|f| f.dts);
        for frame in frames.iter_mut().rev() {
            if frame.duration == 0 {
                frame.duration = match (self.audio_samples, next) {
                    (0, Some(next)) => u32::try_from(next - frame.dts)
                        .unwrap_or(0)
                        .min(self.audio_rate),
                    (0, None) => self.audio_rate / 50,
                    (samples, _) => samples,
                };
            }
            next = Some(frame.dts);
        }
        out(Piece {
            track: TrackKind::Audio,
            frames,
            key: false,
            after_hole: false,
        });
    }
}

/// Takes the frames and leaves room for as many, so that a vector is grown once per piece.
fn take(frames: &mut Vec<Frame>) -> Vec<Frame> {
    let room = frames.len();
    std::mem::replace(frames, Vec::with_capacity(room))
}

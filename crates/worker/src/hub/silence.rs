//! Silence for a viewer whose player stands still without audio.
//!
//! It is made for one viewer and never reaches a file. Real audio always continues where the
//! silence ends; what would overlap is left out.

use std::sync::Arc;

use bytes::Bytes;
use oriel_media::{AudioCodec, AudioTrack, Frame, TrackKind, silent_mp3};

use super::{LiveFrame, LiveRun, stream::AUDIO_LATE_MS};

/// One AAC-LC access unit of silence, mono.
const AAC_MONO: &[u8] = &[0x00, 0xc8, 0x00, 0x80, 0x23, 0x80];
/// One AAC-LC access unit of silence, stereo.
const AAC_STEREO: &[u8] = &[0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80];
/// One Opus packet of 20 ms of silence (RFC 6716: CELT, full band).
const OPUS: &[u8] = &[0xf8, 0xff, 0xfe];
/// Samples of [`OPUS`].
const OPUS_SAMPLES: u32 = 960;

/// Audio that always comes late is waited for, up to this.
const PATIENCE_MAX_MS: i64 = 3000;
/// What is added to the lateness seen.
const PATIENCE_MARGIN_MS: i64 = 300;
/// More than this at once means times jumped, and nothing is filled.
const JUMP_MS: i64 = 30_000;

/// Fills holes in the audio of one run for one viewer.
pub(super) struct Silence {
    run: Arc<LiveRun>,
    unit: Bytes,
    samples: u32,
    rate: i64,
    /// Where the next audio sample belongs; `None` before the first frame of any kind.
    end: Option<i64>,
    /// Where silence was made up to; real audio before it would overlap.
    filled_until: i64,
    /// Newest video, in audio ticks.
    video: i64,
    patience_ms: i64,
    sequence: u32,
}

impl Silence {
    /// `None` when the run has no audio, or audio whose silence we cannot write.
    pub(super) fn new(run: &Arc<LiveRun>, known_silent: bool) -> Option<Self> {
        let audio = run.format.audio.as_ref()?;
        let (unit, samples) = unit(audio)?;
        Some(Self {
            run: Arc::clone(run),
            unit,
            samples,
            rate: i64::from(audio.sample_rate),
            end: None,
            filled_until: i64::MIN,
            video: 0,
            patience_ms: if known_silent { 0 } else { AUDIO_LATE_MS },
            sequence: 0,
        })
    }

    /// Frames were skipped: the hole before the next key frame is not filled.
    pub(super) fn interrupted(&mut self) {
        self.end = None;
    }

    /// Whether a frame goes to the viewer.
    pub(super) fn admit(&mut self, frame: &LiveFrame) -> bool {
        let dts = frame.frame.dts;
        if frame.frame.track == TrackKind::Video {
            self.video =
                oriel_media::rescale(dts, oriel_media::format::VIDEO_TIMESCALE, self.rate_u32());
            self.end.get_or_insert(self.video);
            return true;
        }
        let lateness_ms = (self.video - dts) * 1000 / self.rate;
        if dts < self.filled_until {
            // We were too quick with silence: wait longer from now on.
            self.patience_ms = self
                .patience_ms
                .max(lateness_ms + PATIENCE_MARGIN_MS)
                .min(PATIENCE_MAX_MS);
            return false;
        }
        self.patience_ms = self.patience_ms.max(AUDIO_LATE_MS);
        let duration = match frame.frame.duration {
            0 => self.samples,
            known => known,
        };
        self.end = Some(dts + i64::from(duration));
        true
    }

    /// The silence that is due now.
    pub(super) fn fill(&mut self) -> impl Iterator<Item = Arc<LiveFrame>> + use<> {
        let mut made = Vec::new();
        if let Some(mut end) = self.end {
            let until = self.video - self.patience_ms * self.rate / 1000;
            if until - end > JUMP_MS * self.rate / 1000 {
                end = until;
            }
            while end + i64::from(self.samples) <= until {
                made.push(self.make(end));
                end += i64::from(self.samples);
                self.filled_until = end;
            }
            self.end = Some(end);
        }
        made.into_iter()
    }

    fn make(&mut self, dts: i64) -> Arc<LiveFrame> {
        self.sequence = self.sequence.wrapping_add(1);
        let frame = Frame {
            track: TrackKind::Audio,
            key: true,
            dts,
            cts_offset: 0,
            duration: self.samples,
            data: self.unit.clone(),
        };
        let wall_ms = self.run.wall_ms(TrackKind::Audio, dts);
        LiveFrame::new(frame, wall_ms, true, self.sequence, self.samples)
    }

    fn rate_u32(&self) -> u32 {
        u32::try_from(self.rate).unwrap_or(u32::MAX)
    }
}

fn unit(audio: &AudioTrack) -> Option<(Bytes, u32)> {
    match (audio.codec, audio.channels) {
        (AudioCodec::Opus, _) => Some((Bytes::from_static(OPUS), OPUS_SAMPLES)),
        (AudioCodec::Mp3, _) => Some((silent_mp3(audio)?, audio.frame_samples)),
        (AudioCodec::Aac, channels)
            if audio.codec_string == "mp4a.40.2" && audio.frame_samples == 1024 =>
        {
            match channels {
                1 => Some((Bytes::from_static(AAC_MONO), 1024)),
                2 => Some((Bytes::from_static(AAC_STEREO), 1024)),
                _ => None,
            }
        }
        _ => None,
    }
}

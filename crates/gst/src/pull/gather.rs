//! From samples to fragments: decides the tracks, starts at a key frame, gives ticks.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use gstreamer as gst;
use oriel_api::{AudioMode, ReasonCode};
use oriel_media::{
    AudioTrack, Format, Frame, InitSegment, TrackKind, VideoTrack, build_fragment,
    format::VIDEO_TIMESCALE,
};

use super::{Ending, Endings, output::Output, track};
use crate::{
    failure::{Exit, Failure},
    report,
};

/// How long video waits for audio of which nothing is known.
const AUDIO_WAIT: Duration = Duration::from_millis(1500);
/// Frames held meanwhile at most.
const HELD: usize = 512;

/// What is known of audio.
enum AudioPlan {
    /// There is none.
    None,
    /// There may be some; decided at this time at the latest.
    Maybe(Option<Instant>),
    /// There is, and it is known.
    Known(AudioTrack),
}

/// A sample with the times of its segment, nanoseconds of running time.
struct Unit {
    kind: TrackKind,
    key: bool,
    dts: i64,
    pts: i64,
    duration: i64,
    data: Bytes,
}

struct Running {
    zero: i64,
    audio_rate: u32,
    /// Samples per audio frame when constant, else 0.
    audio_samples: u32,
    video: TrackClock,
    audio: TrackClock,
    sequence: u32,
    /// Frames dropped since the parent stopped reading; video then waits for a key frame.
    dropped: u64,
}

#[derive(Default)]
struct TrackClock {
    last: Option<i64>,
    /// Where the next frame is expected, for audio.
    next: i64,
}

struct State {
    audio: AudioPlan,
    video: Option<(gst::Caps, VideoTrack)>,
    held: Vec<Unit>,
    running: Option<Running>,
    output: Option<Output>,
}

/// Takes samples of both tracks from their threads.
pub struct Gather {
    mode: AudioMode,
    state: Mutex<State>,
    endings: Endings,
}

impl Gather {
    /// Starts with nothing known.
    pub fn new(output: Output, endings: Endings, audio: AudioMode) -> Self {
        Self {
            mode: audio,
            state: Mutex::new(State {
                audio: match audio {
                    AudioMode::Off => AudioPlan::None,
                    _ => AudioPlan::Maybe(None),
                },
                video: None,
                held: Vec::new(),
                running: None,
                output: Some(output),
            }),
            endings,
        }
    }

    /// What happens to audio.
    pub fn mode(&self) -> AudioMode {
        self.mode
    }

    /// There is audio of this codec, and it stays away.
    pub fn leave_out(&self, codec: &str, why: &str) {
        report::track("audio", &codec.to_ascii_lowercase());
        report::warning(&format!("no audio: {why}"));
        self.no_audio();
    }

    /// Whether frames go out.
    pub fn is_delivering(&self) -> bool {
        self.lock().running.is_some()
    }

    /// There will be no audio.
    pub fn no_audio(&self) {
        self.lock().audio = AudioPlan::None;
    }

    /// There is audio of this kind, even if none has come.
    pub fn expect_audio(&self, track: AudioTrack) {
        let mut state = self.lock();
        if matches!(state.audio, AudioPlan::Maybe(_)) && state.running.is_none() {
            state.audio = AudioPlan::Known(track);
        }
    }

    /// Takes a video access unit.
    pub fn video(&self, sample: &gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (Some(unit), Some(caps)) = (unit(sample, TrackKind::Video), sample.caps()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let mut state = self.lock();
        let known = state.video.as_ref().map(|(known, _)| known);
        if known.is_none_or(|known| known.as_ptr() != caps.as_ptr()) {
            if state.running.is_none() && state.video.is_none() && !unit.key {
                return Ok(gst::FlowSuccess::Ok);
            }
            if let Err(failure) = state.accept_video(caps) {
                drop(state);
                let _ = self.endings.try_send(Ending::Failed(failure));
                return Err(gst::FlowError::Eos);
            }
        }
        self.take(state, unit);
        Ok(gst::FlowSuccess::Ok)
    }

    /// Takes an audio access unit.
    pub fn audio(&self, sample: &gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> {
        let Some(unit) = unit(sample, TrackKind::Audio) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let mut state = self.lock();
        if matches!(state.audio, AudioPlan::Maybe(_))
            && state.running.is_none()
            && let Some(track) = sample.caps().and_then(track::audio)
        {
            state.audio = AudioPlan::Known(track);
        }
        self.take(state, unit);
        Ok(gst::FlowSuccess::Ok)
    }

    /// Writes what waits. Nothing is taken any more.
    pub fn finish(&self) {
        let output = self.lock().output.take();
        if let Some(output) = output {
            output.finish();
        }
    }

    fn take(&self, mut state: MutexGuard<'_, State>, unit: Unit) {
        if state.running.is_some() {
            state.write(unit);
            return;
        }
        if state.video.is_none() && unit.kind == TrackKind::Video {
            return;
        }
        state.held.push(unit);
        if state.video.is_none() {
            // Audio before the first key frame is of use only just before it.
            if state.held.len() > 64 {
                state.held.remove(0);
            }
            return;
        }
        if state.still_waits_for_audio() && state.held.len() < HELD {
            return;
        }
        match state.start() {
            Ok(()) => {
                let _ = self.endings.try_send(Ending::Started);
            }
            Err(failure) => {
                let _ = self.endings.try_send(Ending::Failed(failure));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A format once seen may not change.
    fn accept_video(&mut self, caps: &gst::CapsRef) -> Result<(), Failure> {
        let track = track::video(caps)?;
        match &mut self.video {
            Some((known, before)) if *before == track => {
                *known = caps.to_owned();
                Ok(())
            }
            Some((_, before)) => Err(Failure {
                exit: Exit::FormatChanged,
                reason: ReasonCode::FormatChanged,
                message: format!(
                    "the video changed from {} {}x{} to {} {}x{}",
                    before.codec_string,
                    before.width,
                    before.height,
                    track.codec_string,
                    track.width,
                    track.height
                ),
            }),
            None => {
                self.video = Some((caps.to_owned(), track));
                Ok(())
            }
        }
    }

    fn still_waits_for_audio(&mut self) -> bool {
        match &mut self.audio {
            AudioPlan::Maybe(until) => {
                Instant::now() < *until.get_or_insert_with(|| Instant::now() + AUDIO_WAIT)
            }
            AudioPlan::None | AudioPlan::Known(_) => false,
        }
    }

    fn start(&mut self) -> Result<(), Failure> {
        let Some((_, video)) = self.video.clone() else {
            return Ok(());
        };
        let audio = match &self.audio {
            AudioPlan::Known(track) => Some(track.clone()),
            AudioPlan::None | AudioPlan::Maybe(_) => None,
        };
        let Some(first) = self.held.iter().find(|u| u.kind == TrackKind::Video) else {
            return Ok(());
        };
        let format = Format { video, audio };
        let init = InitSegment::new(&format)
            .map_err(|e| Failure::internal(format!("cannot describe the tracks: {e}")))?;
        report::track("video", format.video.codec.name());
        if let Some(audio) = &format.audio {
            report::track("audio", audio.codec.name());
        } else {
            self.audio = AudioPlan::None;
        }
        self.running = Some(Running {
            zero: first.dts,
            audio_rate: format.audio.as_ref().map_or(0, |a| a.sample_rate),
            audio_samples: format.audio.as_ref().map_or(0, |a| a.frame_samples),
            video: TrackClock::default(),
            audio: TrackClock::default(),
            sequence: 0,
            dropped: 0,
        });
        if let Some(output) = &self.output {
            output.offer(init.bytes());
        }
        report::ready();
        for unit in std::mem::take(&mut self.held) {
            self.write(unit);
        }
        Ok(())
    }

    fn write(&mut self, unit: Unit) {
        let (Some(running), Some(output)) = (&mut self.running, &self.output) else {
            return;
        };
        let Some(frame) = running.frame(unit) else {
            return;
        };
        if running.dropped > 0 && (frame.track == TrackKind::Audio || !frame.key) {
            running.dropped += 1;
            return;
        }
        running.sequence = running.sequence.wrapping_add(1);
        let track = frame.track;
        let fragment = build_fragment(track, running.sequence, 0, &[frame]);
        if !output.offer(fragment.bytes) {
            running.dropped += 1;
        } else if running.dropped > 0 {
            report::warning(&format!(
                "{} frames were dropped because nobody read them",
                running.dropped
            ));
            running.dropped = 0;
        }
    }
}

impl Running {
    /// Gives a unit its ticks; `None` before time zero.
    fn frame(&mut self, unit: Unit) -> Option<Frame> {
        match unit.kind {
            TrackKind::Video => {
                let clock = &mut self.video;
                let mut dts = ticks(unit.dts - self.zero, VIDEO_TIMESCALE);
                let pts = ticks(unit.pts - self.zero, VIDEO_TIMESCALE);
                let mut duration = ticks(unit.duration, VIDEO_TIMESCALE);
                if let Some(last) = clock.last {
                    dts = dts.max(last + 1);
                    if duration == 0 && dts - last < 10 * i64::from(VIDEO_TIMESCALE) {
                        duration = dts - last;
                    }
                }
                clock.last = Some(dts);
                Some(Frame {
                    track: TrackKind::Video,
                    key: unit.key,
                    dts: dts.max(0),
                    cts_offset: i32::try_from(pts - dts).unwrap_or(0),
                    duration: u32::try_from(duration).unwrap_or(0),
                    data: unit.data,
                })
            }
            TrackKind::Audio => {
                if self.audio_rate == 0 || unit.pts < self.zero {
                    return None;
                }
                let clock = &mut self.audio;
                let mut dts = ticks(unit.pts - self.zero, self.audio_rate);
                let duration = match self.audio_samples {
                    0 => ticks(unit.duration, self.audio_rate),
                    samples => i64::from(samples),
                };
                // Several frames of one packet share a time, receive times jitter; samples
                // do not.
                if clock.last.is_some()
                    && (dts - clock.next).abs() < i64::from(self.audio_rate) / 20
                {
                    dts = clock.next;
                }
                // The camera's clock went back: what it says again is left out.
                if clock.last.is_some_and(|last| dts < last) {
                    return None;
                }
                clock.last = Some(dts);
                clock.next = dts + duration;
                Some(Frame {
                    track: TrackKind::Audio,
                    key: true,
                    dts,
                    cts_offset: 0,
                    duration: u32::try_from(duration).unwrap_or(0),
                    data: unit.data,
                })
            }
        }
    }
}

/// Nanoseconds to ticks, to the nearest.
fn ticks(nanoseconds: i64, timescale: u32) -> i64 {
    let scaled = i128::from(nanoseconds) * i128::from(timescale);
    i64::try_from((scaled + 500_000_000).div_euclid(1_000_000_000)).unwrap_or(0)
}

fn unit(sample: &gst::Sample, kind: TrackKind) -> Option<Unit> {
    let buffer = sample.buffer()?;
    // Opus headers; on video the flag marks a frame that brings its parameter sets.
    let header = buffer.flags().contains(gst::BufferFlags::HEADER);
    if buffer.size() == 0 || (header && kind == TrackKind::Audio) {
        return None;
    }
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let running = |time: Option<gst::ClockTime>| {
        segment
            .to_running_time_full(time?)
            .map(|t| t.nseconds_signed())
    };
    let pts = running(buffer.pts().or(buffer.dts()))?;
    let dts = running(buffer.dts()).unwrap_or(pts);
    let map = buffer.map_readable().ok()?;
    Some(Unit {
        kind,
        key: kind == TrackKind::Audio || !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
        dts,
        pts,
        duration: buffer
            .duration()
            .map_or(0, |d| i64::try_from(d.nseconds()).unwrap_or(0)),
        data: Bytes::copy_from_slice(&map),
    })
}

trait Signed {
    fn nseconds_signed(self) -> i64;
}

impl Signed for gst::Signed<gst::ClockTime> {
    fn nseconds_signed(self) -> i64 {
        let value = |time: gst::ClockTime| i64::try_from(time.nseconds()).unwrap_or(i64::MAX);
        match self {
            gst::Signed::Positive(time) => value(time),
            gst::Signed::Negative(time) => -value(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn running() -> Running {
        Running {
            zero: 1000 * MS,
            audio_rate: 16_000,
            audio_samples: 1024,
            video: TrackClock::default(),
            audio: TrackClock::default(),
            sequence: 0,
            dropped: 0,
        }
    }

    fn unit(kind: TrackKind, pts: i64, dts: i64, duration: i64) -> Unit {
        Unit {
            kind,
            key: true,
            dts: dts * MS,
            pts: pts * MS,
            duration: duration * MS,
            data: Bytes::new(),
        }
    }

    #[test]
    fn decode_times_grow_and_presentation_times_stay_right() {
        let mut running = running();
        let mut last = -1;
        for (pts, dts) in [(1040, 1000), (1160, 1040), (1080, 1040), (1120, 1020)] {
            let frame = running.frame(unit(TrackKind::Video, pts, dts, 0)).unwrap();
            assert!(frame.dts > last);
            last = frame.dts;
            assert_eq!(frame.dts + i64::from(frame.cts_offset), (pts - 1000) * 90);
        }
    }

    #[test]
    fn audio_jitter_is_smoothed_and_gaps_are_kept() {
        let mut running = running();
        assert!(
            running
                .frame(unit(TrackKind::Audio, 990, 990, 64))
                .is_none()
        );
        let dts = |r: &mut Running, pts| r.frame(unit(TrackKind::Audio, pts, pts, 64)).unwrap().dts;
        assert_eq!(dts(&mut running, 1010), 160);
        assert_eq!(dts(&mut running, 1084), 160 + 1024);
        assert_eq!(dts(&mut running, 1130), 160 + 2048);
        assert_eq!(dts(&mut running, 3000), 32_000);
        assert_eq!(ticks(-1, 90_000), 0);
    }
}

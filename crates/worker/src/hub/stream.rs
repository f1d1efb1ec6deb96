//! One live stream: the current group of pictures and its viewers.

use std::sync::{Arc, Mutex};

use oriel_media::{Frame, TrackKind, format::VIDEO_TIMESCALE};
use tokio::sync::watch;

use crate::sync::lock;

use super::{
    LiveFrame, LiveItem, LiveOptions, LiveRun,
    viewer::{First, Viewer},
};

/// A group of pictures beyond these is not kept: a late viewer then waits for a key frame.
const GROUP_BYTES: usize = 32 * 1024 * 1024;
const GROUP_FRAMES: usize = 1500;

/// Audio this far behind video counts as absent.
pub(super) const AUDIO_LATE_MS: i64 = 500;

/// One encoding of one channel.
pub(crate) struct Stream {
    state: Mutex<State>,
    watched: watch::Sender<usize>,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            watched: watch::Sender::new(0),
        }
    }
}

#[derive(Default)]
struct State {
    run: Option<Arc<LiveRun>>,
    group: Vec<Arc<LiveFrame>>,
    group_bytes: usize,
    viewers: Vec<Arc<Viewer>>,
    removed: bool,
    sequence: u32,
    pace: Pace,
    video_ms: i64,
    audio_ms: Option<i64>,
}

impl Stream {
    pub(super) fn begin(&self, run: Arc<LiveRun>) {
        let mut state = lock(&self.state);
        state.start_over();
        state.removed = false;
        for viewer in &state.viewers {
            viewer.control(LiveItem::Start(Arc::clone(&run)));
        }
        state.run = Some(run);
    }

    pub(super) fn end(&self) {
        let mut state = lock(&self.state);
        state.start_over();
        for viewer in &state.viewers {
            viewer.control(LiveItem::Waiting);
        }
    }

    pub(super) fn remove(&self) {
        let mut state = lock(&self.state);
        state.start_over();
        state.removed = true;
        for viewer in &state.viewers {
            viewer.control(LiveItem::Removed);
        }
    }

    /// Hands a frame to everybody. Never waits.
    pub(crate) fn publish(&self, frame: Frame) {
        let mut state = lock(&self.state);
        let Some(run) = state.run.clone() else { return };
        let duration = state.pace.guess(&frame, &run);
        let wall_ms = run.wall_ms(frame.track, frame.dts + i64::from(frame.cts_offset));
        match frame.track {
            TrackKind::Video => state.video_ms = wall_ms,
            TrackKind::Audio => state.audio_ms = Some(wall_ms),
        }
        state.sequence = state.sequence.wrapping_add(1);
        let frame = LiveFrame::new(frame, wall_ms, false, state.sequence, duration);
        state.keep(&frame);
        for viewer in &state.viewers {
            viewer.frame(&frame);
        }
    }

    /// A viewer comes: what it gets at once, and the place where the rest arrives.
    pub(super) fn join(&self, options: LiveOptions) -> (Arc<Viewer>, First) {
        let mut state = lock(&self.state);
        let viewer = Arc::new(Viewer::new(options, !state.group.is_empty()));
        let first = First {
            run: state.run.clone(),
            removed: state.removed,
            frames: state
                .group
                .iter()
                .filter(|f| options.audio || f.frame.track == TrackKind::Video)
                .cloned()
                .collect(),
            silent: state
                .audio_ms
                .is_none_or(|audio| audio + AUDIO_LATE_MS < state.video_ms),
        };
        state.viewers.push(Arc::clone(&viewer));
        self.watched.send_replace(state.viewers.len());
        (viewer, first)
    }

    pub(super) fn leave(&self, viewer: &Arc<Viewer>) {
        let mut state = lock(&self.state);
        state.viewers.retain(|v| !Arc::ptr_eq(v, viewer));
        self.watched.send_replace(state.viewers.len());
    }

    pub(super) fn watched(&self) -> watch::Receiver<usize> {
        self.watched.subscribe()
    }

    pub(super) fn is_idle(&self) -> bool {
        let state = lock(&self.state);
        state.run.is_none() && state.viewers.is_empty() && self.watched.receiver_count() == 0
    }
}

impl State {
    fn start_over(&mut self) {
        self.run = None;
        self.group = Vec::new();
        self.group_bytes = 0;
        self.pace = Pace::default();
        self.audio_ms = None;
    }

    /// Adds a frame to the current group of pictures.
    fn keep(&mut self, frame: &Arc<LiveFrame>) {
        if frame.starts_group() {
            self.group.clear();
            self.group_bytes = 0;
        } else if self.group.is_empty() {
            return;
        }
        self.group_bytes += frame.size();
        if self.group_bytes > GROUP_BYTES || self.group.len() >= GROUP_FRAMES {
            self.group = Vec::new();
            self.group_bytes = 0;
        } else {
            self.group.push(Arc::clone(frame));
        }
    }
}

/// Guesses how long a frame lasts before the next one has come.
///
/// Media Source Extensions drop everything up to the next key frame when a frame comes later
/// than twice the duration of the one before, and take frames that overlap without harm. So
/// the guess is rather long: one and a half times the longest of the last distances.
#[derive(Default)]
struct Pace {
    last: Option<i64>,
    longest: i64,
}

impl Pace {
    fn guess(&mut self, frame: &Frame, run: &LiveRun) -> u32 {
        if frame.duration != 0 {
            return frame.duration;
        }
        if frame.track == TrackKind::Audio {
            return run.format.audio.as_ref().map_or(0, |a| a.frame_samples);
        }
        let second = i64::from(VIDEO_TIMESCALE);
        if let Some(last) = self.last.replace(frame.dts) {
            let distance = (frame.dts - last).clamp(0, second);
            // Forgets a single long distance slowly.
            self.longest = distance.max(self.longest - self.longest / 16);
        }
        let guess = match self.longest {
            0 => second / 10,
            longest => longest * 3 / 2,
        };
        u32::try_from(guess).unwrap_or(VIDEO_TIMESCALE)
    }
}

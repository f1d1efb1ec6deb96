//! Takes the frames of one run: shows them to viewers and sends them to the disk.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use oriel_api::{Reason, ReasonCode, Timestamp};
use oriel_media::{Frame, TrackKind, format::VIDEO_TIMESCALE, ingest::RunSink};
use tracing::warn;

use crate::{
    clock::wall,
    disk::{Job, RunEnd},
    hub::{Hub, Stream, StreamKey},
    pacer::{Pacer, Piece},
    queue::Queue,
    report::Reporter,
    run::Run,
    sync::lock,
};

/// Shown while the disk is too slow.
const TOO_SLOW: &str =
    "The disk is too slow: footage is lost. Record less to it, or use a faster disk.";

/// A run that is open. The worker keeps a hand on it so that it can be closed from outside.
pub(crate) struct OpenRun {
    state: Mutex<State>,
    dropped: AtomicU64,
}

struct State {
    open: bool,
    key: StreamKey,
    hub: Arc<Hub>,
    stream: Arc<Stream>,
    recording: Option<Recording>,
}

/// The way to the disk.
pub(crate) struct Recording {
    run: Arc<Run>,
    queue: Arc<Queue<Job>>,
    reporter: Arc<Reporter>,
    pacer: Pacer,
    end: Timestamp,
    /// Pieces were refused: nothing is sent until a key frame.
    hole: bool,
}

impl Recording {
    pub(crate) fn new(run: Arc<Run>, queue: Arc<Queue<Job>>, reporter: Arc<Reporter>) -> Self {
        reporter.started(&run);
        Self {
            pacer: Pacer::new(&run.format),
            end: run.anchor,
            run,
            queue,
            reporter,
            hole: false,
        }
    }

    fn push(&mut self, frame: Frame, dropped: &AtomicU64) {
        let Self {
            run,
            queue,
            reporter,
            pacer,
            end,
            hole,
        } = self;
        pacer.push(frame, &mut |piece| {
            send(run, queue, reporter, end, hole, dropped, piece);
        });
    }

    fn finish(mut self, reason: Reason, drift_ppm: Option<f64>, dropped: &AtomicU64) {
        let Self {
            run,
            queue,
            reporter,
            pacer,
            end,
            hole,
        } = &mut self;
        pacer.finish(&mut |piece| send(run, queue, reporter, end, hole, dropped, piece));
        let ended = RunEnd {
            end: self.end,
            reason,
            drift_ppm,
        };
        self.queue.push_always(Job::End(self.run, ended));
    }
}

fn send(
    run: &Arc<Run>,
    queue: &Queue<Job>,
    reporter: &Reporter,
    end: &mut Timestamp,
    hole: &mut bool,
    dropped: &AtomicU64,
    mut piece: Piece,
) {
    let frames = piece.frames.len();
    let video = piece.track == TrackKind::Video;
    if let (true, Some(last)) = (video, piece.frames.last()) {
        let ticks = last.dts + i64::from(last.duration);
        *end = wall(run.anchor, ticks, VIDEO_TIMESCALE);
    }
    let taken = if *hole && !(video && piece.key) {
        false
    } else {
        piece.after_hole |= *hole;
        let bytes = piece.bytes();
        queue
            .push(Job::Piece(Arc::clone(run), piece), bytes)
            .is_ok()
    };
    if taken {
        *hole &= !video;
        return;
    }
    dropped.fetch_add(frames as u64, Ordering::Relaxed);
    run.state.lose(frames);
    if video {
        *hole = true;
        if run.state.set_error(Some(TOO_SLOW.into())) {
            warn!(channel = %run.channel, "the disk is too slow; footage is lost");
            reporter.storage(&run.channel, Some(TOO_SLOW.into()));
        }
    }
}

impl OpenRun {
    pub(crate) fn new(
        key: StreamKey,
        hub: Arc<Hub>,
        stream: Arc<Stream>,
        recording: Option<Recording>,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                open: true,
                key,
                hub,
                stream,
                recording,
            }),
            dropped: AtomicU64::new(0),
        })
    }

    fn push(&self, frame: Frame) {
        // A time before the run's zero has no place in a file.
        if frame.dts < 0 {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut state = lock(&self.state);
        if !state.open {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if let Some(recording) = &mut state.recording {
            recording.push(frame.clone(), &self.dropped);
        }
        state.stream.publish(frame);
    }

    /// Ends the run. What comes later is not taken any more.
    pub(crate) fn end(&self, reason: Reason, drift_ppm: Option<f64>) {
        let mut state = lock(&self.state);
        if !std::mem::replace(&mut state.open, false) {
            return;
        }
        if let Some(recording) = state.recording.take() {
            recording.finish(reason, drift_ppm, &self.dropped);
        }
        state.hub.end(&state.key, &state.stream);
    }

    pub(crate) fn is_open(&self) -> bool {
        lock(&self.state).open
    }
}

/// The agent's end of a run.
pub(crate) struct Sink(pub(crate) Arc<OpenRun>);

impl RunSink for Sink {
    fn push(&mut self, frame: Frame) {
        self.0.push(frame);
    }

    fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    fn close(self: Box<Self>, reason: Reason, drift_ppm: Option<f64>) {
        self.0.end(reason, drift_ppm);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let reason = Reason {
            code: ReasonCode::Ended,
            message: "The stream ended.".into(),
        };
        // Does nothing after an orderly close.
        self.0.end(reason, None);
    }
}

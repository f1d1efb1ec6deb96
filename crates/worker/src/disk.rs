//! The one thread that writes footage.
//!
//! It takes pieces from a bounded queue, gives them to the recorders of their runs, syncs files
//! when they are due, and keeps trying when the disk refuses. It never stops silently.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use oriel_api::{ChannelId, Reason, Timestamp, link::OpenSegment};
use oriel_bucket::SharedStores;
use oriel_media::TrackKind;
use oriel_task::{Ladder, Severity};
use tracing::{error, info, warn};

use crate::{
    adopt,
    pacer::Piece,
    place::Place,
    platform::{Volume, explain},
    queue::Queue,
    recorder::{Fate, Recorder, Tools},
    report::Reporter,
    reserve::{LOW, Reserve},
    run::Run,
    segment_writer::WriteError,
    spool::Spool,
};

/// How long the thread sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(60);
/// Shown until the folder is known to be the right one.
const LOOKING: &str = "The recordings folder is being looked at; recording begins in a moment.";
/// Files that could not be closed and are tried again, per channel.
const LEFT_MAX: usize = 256;

/// What the disk thread is told.
pub(crate) enum Job {
    /// Frames to write.
    Piece(Arc<Run>, Piece),
    /// A run has ended.
    End(Arc<Run>, RunEnd),
    /// Everything is about to stop: runs that end are closed together, with `Stop`.
    Stopping,
    /// Close everything and end.
    Stop,
}

/// How a run ended.
pub(crate) struct RunEnd {
    pub(crate) end: Timestamp,
    pub(crate) reason: Reason,
    pub(crate) drift_ppm: Option<f64>,
}

/// Settings in force, changed while the thread runs.
pub(crate) struct Pace {
    segment_seconds: AtomicU32,
    sync_seconds: AtomicU32,
}

impl Pace {
    pub(crate) fn new(segment_seconds: u32, sync_seconds: u32) -> Self {
        let pace = Self {
            segment_seconds: AtomicU32::new(0),
            sync_seconds: AtomicU32::new(0),
        };
        pace.set(segment_seconds, sync_seconds);
        pace
    }

    pub(crate) fn set(&self, segment_seconds: u32, sync_seconds: u32) {
        self.segment_seconds
            .store(segment_seconds.clamp(1, 600), Ordering::Relaxed);
        self.sync_seconds
            .store(sync_seconds.clamp(1, 60), Ordering::Relaxed);
    }
}

/// What the thread owns.
pub(crate) struct Disk {
    queue: Arc<Queue<Job>>,
    ground: Ground,
    recorders: HashMap<u64, Recorder>,
    troubles: HashMap<ChannelId, Trouble>,
    reserve: Reserve,
    place: Arc<Place>,
    /// Runs that ended while everything stops.
    ending: Option<Vec<(Arc<Run>, RunEnd)>>,
}

/// What recorders stand on.
pub(crate) struct Ground {
    pub(crate) spool: Spool,
    pub(crate) volume: Arc<dyn Volume>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) reporter: Arc<Reporter>,
    /// With a destination, what is closed will be uploaded.
    pub(crate) stores: SharedStores,
}

/// A channel whose disk refused.
#[derive(Default)]
struct Trouble {
    ladder: Ladder,
    retry_at: Option<Instant>,
    well_since: Option<Instant>,
    left: Vec<OpenSegment>,
}

impl Disk {
    pub(crate) fn new(
        queue: Arc<Queue<Job>>,
        ground: Ground,
        reserve: Reserve,
        place: Arc<Place>,
    ) -> Self {
        Self {
            queue,
            ground,
            recorders: HashMap::new(),
            troubles: HashMap::new(),
            reserve,
            place,
            ending: None,
        }
    }

    /// Works until told to stop.
    pub(crate) fn run(mut self) {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.work())) {
                Ok(()) => return,
                Err(_) => {
                    error!("the disk thread hit a fault; open segments are begun anew");
                    for (_, recorder) in self.recorders.drain() {
                        let channel = recorder.run().channel.clone();
                        let trouble = self.troubles.entry(channel).or_default();
                        trouble.keep(recorder.forget());
                    }
                }
            }
        }
    }

    fn work(&mut self) {
        loop {
            let now = Instant::now();
            let due = self.recorders.values().filter_map(Recorder::sync_due).min();
            let wait = due.map_or(IDLE, |due| due.saturating_duration_since(now));
            match self.queue.pop(wait) {
                Some(Job::Piece(run, piece)) => self.piece(&run, piece),
                Some(Job::End(run, end)) => match &mut self.ending {
                    Some(ending) => ending.push((run, end)),
                    None => {
                        self.end(&run);
                        // Behind the run's last segment.
                        self.ground.reporter.ended(run, end);
                    }
                },
                Some(Job::Stopping) => self.ending = Some(Vec::new()),
                Some(Job::Stop) => return self.stop(),
                None => {}
            }
            // One file per turn: a slow sync holds up the pieces of others only once.
            self.sync_one();
        }
    }

    fn piece(&mut self, run: &Arc<Run>, piece: Piece) {
        let frames = piece.frames.len();
        let video = piece.track == TrackKind::Video;
        let waiting = self
            .troubles
            .get(&run.channel)
            .and_then(|t| t.retry_at)
            .is_some_and(|at| at > Instant::now());
        if waiting {
            run.state.lose(frames);
            return;
        }
        if !self.place.is_usable() {
            run.state.lose(frames);
            let message = self.place.fault().map_or_else(|| LOOKING.into(), |f| f.1);
            return self.pause(run, message);
        }
        let (volume, root) = (&*self.ground.volume, self.ground.spool.root());
        if self.reserve.is_low(volume, &root, Instant::now()) {
            run.state.lose(frames);
            return self.pause(run, LOW.into());
        }
        match self.with(run, |recorder, tools| recorder.write(piece, tools)) {
            Ok(Fate::Written) if video => self.well(run),
            Ok(Fate::NoPlace) if video => run.state.lose(frames),
            Ok(_) => {}
            Err(error) => {
                run.state.lose(frames);
                self.trouble(run, &error);
            }
        }
    }

    /// Nothing may be written: closes what is open and waits for the next look at the disk.
    fn pause(&mut self, run: &Arc<Run>, message: String) {
        let left = self.with(run, Recorder::abandon);
        if !left.is_empty() {
            let trouble = self.troubles.entry(run.channel.clone()).or_default();
            trouble.keep(left);
        }
        if run.state.set_error(Some(message.clone())) {
            warn!(channel = %run.channel, message, "recording waits");
            self.ground.reporter.storage(&run.channel, Some(message));
        }
    }

    fn end(&mut self, run: &Arc<Run>) {
        if self.recorders.contains_key(&run.number) {
            if let Err(error) = self.with(run, Recorder::close) {
                self.trouble(run, &error.into());
            }
            self.recorders.remove(&run.number);
        }
        run.state.rest();
    }

    /// Closes all files side by side: a sync waits for the medium most of the time, and many
    /// share one wait.
    fn stop(&mut self) {
        let recorders: Vec<_> = self.recorders.drain().map(|(_, r)| r).collect();
        let ground = &self.ground;
        std::thread::scope(|scope| {
            let closing: Vec<_> = recorders
                .into_iter()
                .map(|mut recorder| {
                    scope.spawn(move || {
                        let run = Arc::clone(recorder.run());
                        let closed = ground.with(&mut recorder, |recorder, tools| {
                            // There is little time; the upload makes the sum.
                            tools.summed = false;
                            recorder.close(tools)
                        });
                        if let Err(error) = closed {
                            warn!(channel = %run.channel, %error, "left for the next start");
                        }
                        run.state.rest();
                    })
                })
                .collect();
            for thread in closing {
                if thread.join().is_err() {
                    error!("a fault while closing a segment; the next start will recover it");
                }
            }
        });
        for (run, end) in self.ending.take().into_iter().flatten() {
            self.ground.reporter.ended(run, end);
        }
    }

    fn sync_one(&mut self) {
        let now = Instant::now();
        let due = self
            .recorders
            .values()
            .filter_map(|r| Some((r.sync_due()?, r.run())))
            .min_by_key(|(due, _)| *due)
            .filter(|(due, _)| *due <= now);
        if let Some((_, run)) = due {
            let run = Arc::clone(run);
            if let Err(error) = self.with(&run, |recorder, tools| recorder.sync(now, tools)) {
                self.trouble(&run, &error.into());
            }
        }
    }

    /// A fragment reached the disk: the trouble, if there was any, is over.
    fn well(&mut self, run: &Arc<Run>) {
        // While the queue is still crowded the disk is too slow, though it writes.
        if run.state.has_error() && self.queue.has_room() && run.state.set_error(None) {
            info!(channel = %run.channel, "footage is written again");
            self.ground.reporter.storage(&run.channel, None);
        }
        let Some(trouble) = self.troubles.get_mut(&run.channel) else {
            return;
        };
        trouble.retry_at = None;
        let since = trouble.well_since.get_or_insert_with(Instant::now);
        let lasting = since.elapsed() >= Ladder::HEALTHY_AFTER;
        let left = std::mem::take(&mut trouble.left);
        if lasting {
            self.troubles.remove(&run.channel);
        }
        for segment in left {
            match adopt::part(&self.ground.spool, &segment.channel, segment.start) {
                Ok(adopt::Adopted::Segment { segment, .. }) => {
                    self.ground.reporter.adopted(&run.state, segment);
                }
                Ok(adopt::Adopted::Nothing { .. } | adopt::Adopted::SetAside) => {}
                Err(error) => {
                    warn!(channel = %run.channel, start = segment.start.ms(), %error,
                        "a segment is left for the next start");
                }
            }
        }
    }

    fn trouble(&mut self, run: &Arc<Run>, error: &WriteError) {
        let mut left = Vec::new();
        if self.recorders.contains_key(&run.number) {
            left = self.with(run, Recorder::abandon);
        }
        let trouble = self.troubles.entry(run.channel.clone()).or_default();
        trouble.keep(left);
        let healthy_for = trouble
            .well_since
            .take()
            .map_or(Duration::ZERO, |s| s.elapsed());
        let wait = trouble.ladder.next(Severity::Transient, healthy_for);
        trouble.retry_at = Some(Instant::now() + wait);
        let message = match error {
            WriteError::Disk(error) => explain(error),
            WriteError::Format(error) => format!("This stream cannot be recorded: {error}."),
        };
        warn!(channel = %run.channel, %error, wait_ms = wait.as_millis() as u64,
            "footage cannot be written; will try again");
        if run.state.set_error(Some(message.clone())) {
            self.ground.reporter.storage(&run.channel, Some(message));
        }
    }

    /// Runs something of a run's recorder with all it needs.
    fn with<R>(&mut self, run: &Arc<Run>, work: impl FnOnce(&mut Recorder, &mut Tools) -> R) -> R {
        let recorder = self
            .recorders
            .entry(run.number)
            .or_insert_with(|| Recorder::new(Arc::clone(run)));
        self.ground.with(recorder, work)
    }
}

impl Ground {
    fn with<R>(
        &self,
        recorder: &mut Recorder,
        work: impl FnOnce(&mut Recorder, &mut Tools) -> R,
    ) -> R {
        let seconds = recorder.run().state.segment_seconds();
        let mut closed = |run: &Arc<Run>, segment: OpenSegment| {
            self.reporter.closed(run, segment);
        };
        let mut tools = Tools {
            spool: &self.spool,
            volume: &*self.volume,
            segment_seconds: seconds
                .unwrap_or_else(|| self.pace.segment_seconds.load(Ordering::Relaxed)),
            segment_bytes: recorder.run().state.segment_bytes(),
            sync_interval: Duration::from_secs(u64::from(
                self.pace.sync_seconds.load(Ordering::Relaxed),
            )),
            summed: self.stores.now().remote.is_some(),
            closed: &mut closed,
        };
        work(recorder, &mut tools)
    }
}

impl Trouble {
    fn keep(&mut self, left: Vec<OpenSegment>) {
        let room = LEFT_MAX.saturating_sub(self.left.len());
        self.left.extend(left.into_iter().take(room));
    }
}

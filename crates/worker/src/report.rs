//! Tells the nvr of runs and segments, in order, until it has understood.
//!
//! The footage is safe on disk before anything is queued here: what is lost from this queue is
//! found again by recovery.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Instant,
};

use oriel_api::{
    ChannelId, Error, ErrorCode, Timestamp,
    link::{NvrLink, OpenSegment, RunStarted, SegmentClosed},
};
use oriel_task::{Attempt, Severity, Supervised};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{disk::RunEnd, run::Run, state::ChannelState, sync::lock};

/// Reports that wait, at most. At 16 channels this is more than a day of segments.
const WAITING_MAX: usize = 65_536;
/// A report refused this often for reasons that should pass is given up: it must not hold up
/// all others for ever.
const TRIES_MAX: u32 = 30;
/// News of the disk that wait, at most.
const STORAGE_MAX: usize = 1024;

enum Report {
    Started(Arc<Run>, RunStarted),
    Closed(Closed),
    Ended(Arc<Run>, RunEnd),
}

/// A segment that is complete.
struct Closed {
    /// `None` when the run is not known any more.
    run: Option<Arc<Run>>,
    state: Arc<ChannelState>,
    segment: OpenSegment,
}

/// The queue of reports.
pub(crate) struct Reporter {
    waiting: Mutex<VecDeque<Arc<Report>>>,
    count: watch::Sender<usize>,
    storage: mpsc::Sender<(ChannelId, Option<String>)>,
}

/// News of the disk on their way to the nvr.
pub(crate) type StorageNews = mpsc::Receiver<(ChannelId, Option<String>)>;

impl Reporter {
    pub(crate) fn new() -> (Arc<Self>, StorageNews) {
        let (storage, news) = mpsc::channel(STORAGE_MAX);
        let reporter = Self {
            waiting: Mutex::default(),
            count: watch::Sender::new(0),
            storage,
        };
        (Arc::new(reporter), news)
    }

    pub(crate) fn started(&self, run: &Arc<Run>) {
        let started = RunStarted {
            channel: run.channel.clone(),
            start: run.anchor,
            codecs: run.format.codecs(),
            width: run.format.video.width,
            height: run.format.video.height,
        };
        self.push(Report::Started(Arc::clone(run), started));
    }

    /// A segment is complete, and already among those its channel shows.
    pub(crate) fn closed(&self, run: &Arc<Run>, segment: OpenSegment) {
        self.push(Report::Closed(Closed {
            run: Some(Arc::clone(run)),
            state: Arc::clone(&run.state),
            segment,
        }));
    }

    /// A file that was left behind by some run of the channel is complete.
    pub(crate) fn adopted(&self, state: &Arc<ChannelState>, segment: OpenSegment) {
        state.closed(segment.start, &segment);
        self.push(Report::Closed(Closed {
            run: None,
            state: Arc::clone(state),
            segment,
        }));
    }

    pub(crate) fn ended(&self, run: Arc<Run>, end: RunEnd) {
        self.push(Report::Ended(run, end));
    }

    /// Footage of a channel cannot be written, or can again.
    pub(crate) fn storage(&self, channel: &ChannelId, error: Option<String>) {
        if self.storage.try_send((channel.clone(), error)).is_err() {
            // The same is in the channel's recording state.
            warn!(%channel, "too much news of the disk; one is left out");
        }
    }

    /// Returns when nothing waits.
    pub(crate) async fn drained(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.count.subscribe().wait_for(|n| *n == 0).await;
    }

    /// Whether a segment is still to be reported.
    pub(crate) fn holds(&self, channel: &ChannelId, start: Timestamp) -> bool {
        lock(&self.waiting).iter().any(
            |r| matches!(&**r, Report::Closed(c) if c.segment.start == start && c.segment.channel == *channel),
        )
    }

    fn push(&self, report: Report) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= WAITING_MAX {
            error!("too many reports wait for the database; the oldest is left for recovery");
            waiting.pop_front();
        }
        waiting.push_back(Arc::new(report));
        self.count.send_replace(waiting.len());
    }

    fn head(&self) -> Option<Arc<Report>> {
        lock(&self.waiting).front().cloned()
    }

    fn done(&self, report: &Arc<Report>) {
        let mut waiting = lock(&self.waiting);
        if waiting.front().is_some_and(|r| Arc::ptr_eq(r, report)) {
            waiting.pop_front();
        }
        self.count.send_replace(waiting.len());
    }
}

/// The nvr did not take a report.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the database did not take a report: {0}")]
pub(crate) struct Refused(String);

/// Carries the reports to the nvr; supervised.
pub(crate) struct Reporting {
    reporter: Arc<Reporter>,
    nvr: Arc<dyn NvrLink>,
    tries: u32,
}

impl Reporting {
    pub(crate) fn new(reporter: Arc<Reporter>, nvr: Arc<dyn NvrLink>) -> Self {
        Self {
            reporter,
            nvr,
            tries: 0,
        }
    }

    async fn send(&self, report: &Report) -> Result<(), Error> {
        match report {
            Report::Started(run, started) => {
                let id = self.nvr.run_started(started.clone()).await?;
                *lock(&run.id) = Some(id);
            }
            Report::Closed(Closed {
                run,
                state,
                segment,
            }) => {
                let id = run.as_ref().and_then(|r| *lock(&r.id));
                let closed = SegmentClosed {
                    channel: segment.channel.clone(),
                    run: id,
                    start: segment.start,
                    end: segment.end,
                    bytes: segment.bytes,
                    codecs: segment.codecs.clone(),
                    continues: segment.continues,
                    sha256: segment.sha256,
                };
                self.nvr.segment_closed(closed).await?;
                state.settled(segment.start);
            }
            Report::Ended(run, end) => {
                let id = *lock(&run.id);
                if let Some(id) = id {
                    self.nvr
                        .run_ended(id, end.end, end.reason.clone(), end.drift_ppm)
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn carry(&mut self) -> Refused {
        let mut count = self.reporter.count.subscribe();
        loop {
            let Some(report) = self.reporter.head() else {
                if count.wait_for(|n| *n > 0).await.is_err() {
                    // Ours is a sender too, so this does not happen while we hold it.
                    return Refused("the queue is gone".into());
                }
                continue;
            };
            match self.send(&report).await {
                Ok(()) => {}
                Err(error) if passes(error.code) && self.tries < TRIES_MAX => {
                    self.tries += 1;
                    return Refused(error.message);
                }
                Err(error) => {
                    warn!(%error, "the database will not have a report; it is left out");
                }
            }
            self.tries = 0;
            self.reporter.done(&report);
        }
    }
}

/// Whether the same report may be taken later.
fn passes(code: ErrorCode) -> bool {
    match code {
        ErrorCode::Unavailable | ErrorCode::StorageUnavailable | ErrorCode::Internal => true,
        ErrorCode::Unauthenticated
        | ErrorCode::PermissionDenied
        | ErrorCode::NotFound
        | ErrorCode::InvalidArgument
        | ErrorCode::Conflict
        | ErrorCode::PreconditionFailed
        | ErrorCode::CameraUnreachable => false,
    }
}

impl Supervised for Reporting {
    type Error = Refused;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Refused> {
        let started = Instant::now();
        let result = tokio::select! {
            () = cancel.cancelled() => Ok(()),
            refused = self.carry() => Err(refused),
        };
        Attempt {
            result,
            healthy_for: started.elapsed(),
        }
    }

    fn severity(&self, _: &Refused) -> Severity {
        Severity::Transient
    }
}

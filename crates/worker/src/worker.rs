//! The role: puts the parts together.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use oriel_api::{
    ChannelId, Error, ErrorCode, Quality, Reason, ReasonCode, RecordingState, Result, Settings,
    Timestamp,
    link::{Cutting, NvrLink, OpenSegment, UploadQueue, WorkerLink},
};
use oriel_bucket::SharedStores;
use oriel_media::ingest::{Ingest, RunOpen, RunSink};
use oriel_task::{Status, supervise};
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    disk::{Disk, Job, Pace},
    hub::{Hub, LiveOptions, LiveRun, LiveSubscription, StreamKey},
    notices,
    options::WorkerOptions,
    platform::{Volume, disk_space, sync_folder},
    queue::Queue,
    recover::{MARK, Recovery, RecoveryReport},
    report::{Reporter, Reporting, StorageNews},
    run::Run,
    segment_file::{self, SegmentFile},
    sink::{OpenRun, Recording, Sink},
    spool::Spool,
    state::Channels,
    sync::lock,
};

/// Pieces waiting for the disk, at most.
const QUEUE_PIECES: usize = 16_384;
/// The media side of the program: records runs, shows them live, reads segments, recovers.
pub struct Worker {
    spool: Spool,
    volume: Arc<dyn Volume>,
    pace: Arc<Pace>,
    nvr: Arc<dyn NvrLink>,
    channels: Channels,
    hub: Arc<Hub>,
    queue: Arc<Queue<Job>>,
    reporter: Arc<Reporter>,
    stop_budget: Duration,
    reserve_bytes: u64,
    runs: Mutex<HashMap<StreamKey, Arc<OpenRun>>>,
    next_run: AtomicU64,
    started: Mutex<Started>,
    recovery: watch::Sender<Option<RecoveryReport>>,
    stores: SharedStores,
    uploads: Option<Arc<dyn UploadQueue>>,
}

#[derive(Default)]
struct Started {
    news: Option<StorageNews>,
    disk_done: Option<oneshot::Receiver<()>>,
    cancel: CancellationToken,
    /// Held as long as this process records here.
    mark: Option<File>,
}

impl Worker {
    /// A worker that does nothing until it is started; runs may be opened before.
    pub fn new(options: WorkerOptions, nvr: Arc<dyn NvrLink>) -> Arc<Self> {
        let (reporter, news) = Reporter::new();
        Arc::new(Self {
            spool: Spool::new(options.root),
            volume: options.volume,
            pace: Arc::new(Pace::new(options.segment_seconds, options.sync_seconds)),
            nvr,
            channels: Channels::default(),
            hub: Arc::default(),
            queue: Arc::new(Queue::new(options.queue_bytes, QUEUE_PIECES)),
            reporter,
            stop_budget: options.stop_budget,
            reserve_bytes: options.reserve_bytes,
            runs: Mutex::default(),
            next_run: AtomicU64::new(1),
            started: Mutex::new(Started {
                news: Some(news),
                ..Started::default()
            }),
            recovery: watch::Sender::new(None),
            stores: options.stores,
            uploads: options.uploads,
        })
    }

    /// Makes the recordings folder, takes it for this process, and starts to write. With
    /// `recover` the spool is brought in order in the background meanwhile; recording does not
    /// wait for that. Call it within a runtime.
    ///
    /// # Errors
    /// `conflict` when another process records into this folder, `precondition_failed` when
    /// started twice. A disk that cannot be used is no error: that is tried again.
    pub async fn start(self: &Arc<Self>, recover: bool) -> Result<()> {
        let marked = {
            let spool = self.spool.clone();
            tokio::task::spawn_blocking(move || take(&spool)).await
        };
        let (mark, known) = match marked.map_err(Error::internal)? {
            Ok(Some(taken)) => (Some(taken.0), taken.1),
            Ok(None) => return Err(Error::conflict("Another Oriel records into this folder.")),
            Err(error) => {
                error!(%error, folder = %self.spool.root().display(),
                    "the recordings folder cannot be used at present");
                (None, false)
            }
        };
        let mut started = lock(&self.started);
        let Some(mut news) = started.news.take() else {
            return Err(Error::new(
                ErrorCode::PreconditionFailed,
                "The recorder was started already.",
            ));
        };
        started.mark = mark;
        let disk = Disk::new(
            Arc::clone(&self.queue),
            self.spool.clone(),
            Arc::clone(&self.volume),
            Arc::clone(&self.pace),
            Arc::clone(&self.reporter),
            self.reserve_bytes,
        );
        let (done, disk_done) = oneshot::channel();
        std::thread::Builder::new()
            .name("oriel-disk".into())
            .spawn(move || {
                disk.run();
                // Nobody may be waiting.
                let _ = done.send(());
            })
            .map_err(Error::internal)?;
        started.disk_done = Some(disk_done);
        let cancel = started.cancel.clone();
        drop(started);

        let reporting = Reporting::new(Arc::clone(&self.reporter), Arc::clone(&self.nvr));
        let (status, _) = watch::channel(Status::Stopped);
        let nudge = Arc::new(Notify::new());
        tokio::spawn({
            let cancel = cancel.clone();
            async move { supervise("reports", reporting, status, nudge, cancel).await }
        });
        tokio::spawn({
            let (nvr, cancel) = (Arc::clone(&self.nvr), cancel.clone());
            async move {
                while let Some(Some((channel, error))) =
                    cancel.run_until_cancelled(news.recv()).await
                {
                    nvr.storage_changed(&channel, error);
                }
            }
        });
        if let Some(uploads) = &self.uploads {
            notices::spawn(self.stores.clone(), uploads.clone(), cancel.clone());
        }
        if recover {
            let this = Arc::clone(self);
            tokio::spawn(async move {
                let report = cancel
                    .run_until_cancelled(this.recover_as(true, known))
                    .await;
                match report {
                    None => {}
                    Some(Ok(report)) => {
                        info!(
                            adopted = report.adopted,
                            cut_bytes = report.cut_bytes,
                            rows_added = report.rows_added,
                            missing = report.missing,
                            foreign = report.foreign,
                            errors = report.errors,
                            "recovered"
                        );
                        this.recovery.send_replace(Some(report));
                    }
                    Some(Err(error)) => {
                        error!(%error, "recovery failed");
                        this.recovery.send_replace(Some(RecoveryReport {
                            errors: 1,
                            notes: vec![error.to_string()],
                            ..RecoveryReport::default()
                        }));
                    }
                }
            });
        }
        Ok(())
    }

    /// Ends all runs, closes all segments and reports them. Takes a second at most, or what the
    /// options say; what is not finished by then is recovered at the next start.
    pub async fn stop(&self) {
        let deadline = tokio::time::Instant::now() + self.stop_budget;
        self.queue.push_always(Job::Stopping);
        let runs: Vec<_> = lock(&self.runs).drain().map(|(_, run)| run).collect();
        for run in runs {
            run.end(
                Reason {
                    code: ReasonCode::NotRunning,
                    message: "Oriel was stopped.".into(),
                },
                None,
            );
        }
        self.queue.push_always(Job::Stop);
        let disk_done = lock(&self.started).disk_done.take();
        if let Some(done) = disk_done
            && tokio::time::timeout_at(deadline, done).await.is_err()
        {
            warn!("the disk did not finish in time; the next start will recover");
        }
        if tokio::time::timeout_at(deadline, self.reporter.drained())
            .await
            .is_err()
        {
            warn!("not all segments could be reported; the next start will recover");
        }
        let mut started = lock(&self.started);
        started.cancel.cancel();
        started.mark = None;
    }

    /// What the recovery of [`Worker::start`] came to; `None` until it is done.
    pub fn recovery(&self) -> watch::Receiver<Option<RecoveryReport>> {
        self.recovery.subscribe()
    }

    /// Brings spool and database together, or with `mend` false only says what would be done.
    /// For a worker that was not started: `orield check`.
    ///
    /// # Errors
    /// `conflict` when it shall mend while another process records here; `storage_unavailable`
    /// when the folder cannot be read.
    pub async fn recover(&self, mend: bool) -> Result<RecoveryReport> {
        let started = lock(&self.started).mark.is_some();
        if started {
            return self.recover_as(mend, true).await;
        }
        let spool = self.spool.clone();
        let taken = tokio::task::spawn_blocking(move || {
            if spool.root().is_dir() {
                take(&spool)
            } else {
                Ok(None)
            }
        })
        .await
        .map_err(Error::internal)?
        .map_err(unreadable)?;
        match taken {
            // The lock is held until the report is made.
            Some((_mark, known)) => self.recover_with(mend, known, false).await,
            None if mend && self.spool.root().is_dir() => Err(Error::conflict(
                "Oriel is recording into this folder. Stop it before mending.",
            )),
            None => self.recover_with(false, true, true).await,
        }
    }

    async fn recover_as(&self, mend: bool, known: bool) -> Result<RecoveryReport> {
        self.recover_with(mend, known, false).await
    }

    async fn recover_with(
        &self,
        mend: bool,
        known: bool,
        skip_parts: bool,
    ) -> Result<RecoveryReport> {
        let busy = |channel: &ChannelId, start: Timestamp| {
            self.channels
                .get(channel)
                .is_some_and(|state| state.wrote(start))
                || self.reporter.holds(channel, start)
        };
        Recovery {
            spool: &self.spool,
            nvr: &*self.nvr,
            mend,
            busy: &busy,
            skip_parts,
            known,
            channels: self.channels.all(),
        }
        .run()
        .await
        .map_err(unreadable)
    }

    /// Watches a stream. What is there of the current group of pictures comes at once; when no
    /// run is open the viewer waits for one.
    pub fn subscribe(
        &self,
        channel: &ChannelId,
        quality: Quality,
        options: LiveOptions,
    ) -> LiveSubscription {
        self.hub.subscribe((channel.clone(), quality), options)
    }

    /// Whether a run of this stream is open at present.
    pub fn is_live(&self, channel: &ChannelId, quality: Quality) -> bool {
        lock(&self.runs)
            .get(&(channel.clone(), quality))
            .is_some_and(|run| run.is_open())
    }

    /// Opens a segment for reading, also one that is being written.
    ///
    /// # Errors
    /// `not_found` when there is no such file, `storage_unavailable` when the disk refuses.
    pub async fn open_file(&self, channel: &ChannelId, start: Timestamp) -> Result<SegmentFile> {
        let (spool, channel) = (self.spool.clone(), channel.clone());
        let state = self.channels.get(&channel);
        tokio::task::spawn_blocking(move || {
            segment_file::open(&spool, state.as_deref(), &channel, start)
        })
        .await
        .map_err(Error::internal)?
    }
}

impl Ingest for Worker {
    fn open(&self, open: RunOpen) -> Box<dyn RunSink> {
        let key = (open.channel.clone(), open.quality);
        let mut runs = lock(&self.runs);
        if let Some(before) = runs.remove(&key) {
            before.end(
                Reason {
                    code: ReasonCode::Ended,
                    message: "A new connection took over.".into(),
                },
                None,
            );
        }
        runs.retain(|_, run| run.is_open());
        let recording = open.record.then(|| {
            let run = Arc::new(Run {
                number: self.next_run.fetch_add(1, Ordering::Relaxed),
                channel: open.channel.clone(),
                format: Arc::clone(&open.format),
                anchor: open.anchor,
                state: self.channels.get_or_add(&open.channel),
                id: Mutex::new(None),
            });
            Recording::new(run, Arc::clone(&self.queue), Arc::clone(&self.reporter))
        });
        let live = LiveRun::new(open.format, open.anchor, open.quality);
        let stream = self.hub.begin(&key, live);
        let run = OpenRun::new(key.clone(), Arc::clone(&self.hub), stream, recording);
        runs.insert(key, Arc::clone(&run));
        Box::new(Sink(run))
    }

    fn watched(&self, channel: &ChannelId, quality: Quality) -> watch::Receiver<usize> {
        self.hub.watched(&(channel.clone(), quality))
    }
}

#[async_trait]
impl WorkerLink for Worker {
    fn open_segments(&self, channel: &ChannelId) -> Vec<OpenSegment> {
        let state = self.channels.get(channel);
        state.map_or_else(Vec::new, |state| state.open_segments())
    }

    fn recording_state(&self, channel: &ChannelId) -> RecordingState {
        match self.channels.get(channel) {
            Some(state) => state.recording(),
            None => RecordingState::default(),
        }
    }

    fn configure(&self, settings: &Settings) {
        self.pace
            .set(settings.segment_seconds, settings.sync_seconds);
    }

    fn configure_channel(&self, channel: &ChannelId, cutting: Cutting) {
        self.channels
            .get_or_add(channel)
            .set_segment_seconds(cutting.seconds);
    }

    fn channel_removed(&self, channel: &ChannelId) {
        let mut runs = lock(&self.runs);
        for quality in [Quality::High, Quality::Low] {
            if let Some(run) = runs.remove(&(channel.clone(), quality)) {
                run.end(
                    Reason {
                        code: ReasonCode::Off,
                        message: "The channel was removed.".into(),
                    },
                    None,
                );
            }
        }
        drop(runs);
        self.hub.remove(channel);
        self.channels.remove(channel);
    }

    async fn delete_segment(&self, channel: &ChannelId, start: Timestamp) -> Result<()> {
        let (spool, channel) = (self.spool.clone(), channel.clone());
        let deleted = tokio::task::spawn_blocking(move || {
            std::fs::remove_file(spool.closed(&channel, start))?;
            sync_folder(&spool.folder(&channel))
        })
        .await
        .map_err(Error::internal)?;
        match deleted {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unreadable(error)),
            _ => Ok(()),
        }
    }

    async fn disk_space(&self) -> Option<(u64, u64)> {
        let root = self.spool.root().to_owned();
        tokio::task::spawn_blocking(move || disk_space(&root).ok())
            .await
            .ok()?
    }
}

fn unreadable(error: io::Error) -> Error {
    warn!(%error, "the recordings folder");
    Error::new(
        ErrorCode::StorageUnavailable,
        crate::platform::explain(&error),
    )
}

/// Makes the recordings folder and locks the mark in it. Also tells whether the folder was
/// known before. `None` when another process has it.
fn take(spool: &Spool) -> io::Result<Option<(File, bool)>> {
    std::fs::create_dir_all(spool.root())?;
    let path = spool.root().join(MARK);
    let known = path.exists();
    let mark = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match mark.try_lock() {
        Ok(()) => Ok(Some((mark, known))),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => {
            // Some network file systems have no locks; recording there is still allowed.
            warn!(%error, "the recordings folder cannot be locked");
            Ok(Some((mark, known)))
        }
    }
}

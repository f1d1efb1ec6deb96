//! The role: puts the parts together.

mod link;

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use oriel_api::{
    ChannelId, Error, ErrorCode, Quality, Reason, ReasonCode, Result, Timestamp,
    link::{NvrLink, UploadQueue},
};
use oriel_bucket::SharedStores;
use oriel_child::Program;
use oriel_media::ingest::{Ingest, RunOpen, RunSink};
use oriel_task::{Status, supervise};
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    assembly,
    disk::{Disk, Ground, Job, Pace},
    hub::{Hub, LiveOptions, LiveRun, LiveSubscription, StreamKey},
    mover::{self, Step},
    notices,
    options::WorkerOptions,
    place::{self, Place, Taken},
    platform::Volume,
    queue::Queue,
    recover::{Recovery, RecoveryReport},
    report::{Reporter, Reporting, StorageNews},
    reserve::Reserve,
    run::Run,
    segment_file::{self, SegmentFile},
    sink::{OpenRun, Recording, Sink},
    spool::Spool,
    state::{ChannelState, Channels},
    sync::lock,
    upload,
};

/// Pieces waiting for the disk, at most.
const QUEUE_PIECES: usize = 16_384;
/// How often a folder that was taken is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// How often files are moved from an older folder, while there is one.
const MOVE_EVERY: Duration = Duration::from_millis(500);
/// The same after a fault.
const MOVE_AGAIN: Duration = Duration::from_secs(30);
/// It is not known how many are left.
const LEFT_UNKNOWN: u64 = u64::MAX;
/// How often a folder that cannot be used is tried.
const TAKE_EVERY: Duration = Duration::from_secs(2);

/// The media side of the program: records runs, shows them live, reads segments, recovers.
pub struct Worker {
    spool: Spool,
    place: Arc<Place>,
    /// Files that are still to be moved from the old folder.
    left: AtomicU64,
    /// Nothing is written for want of space.
    stopped: Arc<AtomicBool>,
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
    program: Option<Arc<Program>>,
}

#[derive(Default)]
struct Started {
    news: Option<StorageNews>,
    disk_done: Option<oneshot::Receiver<()>>,
    cancel: CancellationToken,
    running: bool,
}

impl Worker {
    /// A worker that does nothing until it is started; runs may be opened before.
    pub fn new(options: WorkerOptions, nvr: Arc<dyn NvrLink>) -> Arc<Self> {
        let (reporter, news) = Reporter::new();
        Arc::new(Self {
            spool: Spool::moving_from(options.root, options.moving_from),
            left: AtomicU64::new(LEFT_UNKNOWN),
            place: Arc::default(),
            stopped: Arc::default(),
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
            program: options.program,
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
        let taken = match self.place.take(&self.spool, &*self.nvr).await {
            Ok(Taken::Busy) => {
                return Err(Error::conflict("Another Oriel records into this folder."));
            }
            Ok(taken) => taken,
            Err(error) => {
                warn!(%error, "the recordings folder could not be asked about; will try again");
                Taken::No
            }
        };
        let mut started = lock(&self.started);
        let Some(mut news) = started.news.take() else {
            return Err(Error::new(
                ErrorCode::PreconditionFailed,
                "The recorder was started already.",
            ));
        };
        started.running = true;
        let disk = Disk::new(
            Arc::clone(&self.queue),
            Ground {
                spool: self.spool.clone(),
                volume: Arc::clone(&self.volume),
                pace: Arc::clone(&self.pace),
                reporter: Arc::clone(&self.reporter),
                stores: self.stores.clone(),
            },
            Reserve::new(self.reserve_bytes, Arc::clone(&self.stopped)),
            Arc::clone(&self.place),
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
        assembly::clear_stale(self.stores.clone(), cancel.clone());
        if let Some(uploads) = &self.uploads {
            notices::spawn(self.stores.clone(), uploads.clone(), cancel.clone());
            let tools = upload::Tools {
                stores: self.stores.clone(),
                queue: uploads.clone(),
                spool: self.spool.clone(),
                place: Arc::clone(&self.place),
            };
            upload::spawn(tools, cancel.clone());
        }
        let (this, stop) = (Arc::clone(self), cancel.clone());
        tokio::spawn(async move {
            let moving = this.keep_moving(stop.clone());
            stop.run_until_cancelled(moving).await;
        });
        let this = Arc::clone(self);
        tokio::spawn(async move {
            cancel
                .run_until_cancelled(this.keep_place(recover, taken == Taken::Yes))
                .await;
        });
        Ok(())
    }

    /// Moves what lies in an older folder.
    async fn keep_moving(&self, cancel: CancellationToken) {
        loop {
            tokio::time::sleep(MOVE_EVERY).await;
            let Some(old) = self.spool.old().filter(|_| self.place.is_usable()) else {
                continue;
            };
            let (spool, from, cancel) = (self.spool.clone(), old.clone(), cancel.clone());
            let step = tokio::task::spawn_blocking(move || mover::step(&spool, &from, &cancel));
            match step.await.unwrap_or_else(|e| Err(io::Error::other(e))) {
                Ok(Step::Left(left)) => self.left.store(left, Ordering::Relaxed),
                Ok(Step::Done) => {
                    // Unless somebody has chosen yet another one meanwhile.
                    if self.spool.old().as_ref() == Some(&old) {
                        info!(from = %old.display(), "all recordings are moved");
                        self.spool.set(self.spool.root(), None);
                    }
                }
                Ok(Step::Away) => self.left.store(LEFT_UNKNOWN, Ordering::Relaxed),
                Err(error) => {
                    warn!(%error, from = %old.display(), "recordings could not be moved; will try again");
                    tokio::time::sleep(MOVE_AGAIN).await;
                }
            }
        }
    }

    /// Looks after the folder: takes it when it is there, and brings the spool in order each
    /// time it has come.
    async fn keep_place(&self, recover: bool, mut here: bool) {
        let mut fresh = here;
        loop {
            if fresh && recover {
                self.recover_now().await;
            }
            fresh = false;
            if here {
                tokio::time::sleep(CHECK_EVERY).await;
                self.place.check(&self.spool).await;
                here = self.place.is_usable();
                continue;
            }
            tokio::time::sleep(TAKE_EVERY).await;
            match self.place.take(&self.spool, &*self.nvr).await {
                Ok(Taken::Yes) => (here, fresh) = (true, true),
                Ok(Taken::Busy) => warn!("another process records into the recordings folder"),
                Ok(Taken::No) => {}
                Err(error) => warn!(%error, "the recordings folder could not be asked about"),
            }
        }
    }

    async fn recover_now(&self) {
        match self.recover_as(true, true).await {
            Ok(report) => {
                info!(
                    adopted = report.adopted,
                    cut_bytes = report.cut_bytes,
                    rows_added = report.rows_added,
                    missing = report.missing,
                    foreign = report.foreign,
                    errors = report.errors,
                    "recovered"
                );
                self.recovery.send_replace(Some(report));
            }
            Err(error) => {
                error!(%error, "recovery failed");
                self.recovery.send_replace(Some(RecoveryReport {
                    errors: 1,
                    notes: vec![error.to_string()],
                    ..RecoveryReport::default()
                }));
            }
        }
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
        started.running = false;
        drop(started);
        self.place.release();
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
        if lock(&self.started).running {
            return match self.place.is_usable() {
                true => self.recover_as(mend, true).await,
                false => Err(place::unusable(&self.place)),
            };
        }
        let root = self.spool.root();
        let seen = tokio::task::spawn_blocking(move || place::look(&root))
            .await
            .map_err(Error::internal)?
            .map_err(unreadable)?;
        // Looking takes nothing: only whether this is the known folder is asked.
        let known = self.nvr.recordings_place(seen.mark.as_deref()).await?;
        if !mend {
            let root = self.spool.root();
            let taken = tokio::task::spawn_blocking(move || place::is_taken(&root))
                .await
                .map_err(Error::internal)?;
            return self.recover_with(false, known, taken).await;
        }
        match self.place.take(&self.spool, &*self.nvr).await? {
            Taken::Yes => {
                let report = self.recover_with(true, true, false).await;
                self.place.release();
                report
            }
            Taken::Busy => Err(Error::conflict(
                "Oriel is recording into this folder. Stop it before mending.",
            )),
            Taken::No => Err(place::unusable(&self.place)),
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

    pub(crate) fn spool(&self) -> &Spool {
        &self.spool
    }

    pub(crate) fn channel_state(&self, channel: &ChannelId) -> Option<Arc<ChannelState>> {
        self.channels.get(channel)
    }

    pub(crate) fn stores(&self) -> &SharedStores {
        &self.stores
    }

    pub(crate) fn program(&self) -> Option<&Program> {
        self.program.as_deref()
    }

    pub(crate) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
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

fn unreadable(error: io::Error) -> Error {
    warn!(%error, "the recordings folder");
    Error::new(
        ErrorCode::StorageUnavailable,
        crate::platform::explain(&error),
    )
}

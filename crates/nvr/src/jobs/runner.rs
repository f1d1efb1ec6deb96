//! The task that makes files: looks for what is wanted, waits until it can be made, makes a few
//! at a time, and tries again what did not work.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{Error, Result, Timestamp};
use oriel_task::{Attempt, Ladder, Severity, Status, Supervised, supervise};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{FileOrder, JobId, Made, Progress};
use crate::{Nvr, clips::ClipJob, exports::PartJob};

/// Files made at a time: a second one uses the waits of the first, more would only take turns at
/// the disk.
const AT_ONCE: usize = 2;
/// How often viewers are told of clips that wait for their time.
const TELL: Duration = Duration::from_secs(1);
/// Everything is looked at again after this, should nobody say anything.
const AGAIN: Duration = Duration::from_secs(60);

/// Something that is wanted.
#[derive(Clone)]
pub(super) enum Wanted {
    Clip(Box<ClipJob>),
    Part(Box<PartJob>),
    Manifest(oriel_api::ExportId),
}

impl Wanted {
    fn id(&self) -> JobId {
        match self {
            Self::Clip(job) => JobId::Clip(job.row.id.clone()),
            Self::Part(job) => JobId::Part(job.part),
            Self::Manifest(id) => JobId::Manifest(id.clone()),
        }
    }

    fn order(&self) -> Option<&FileOrder> {
        match self {
            Self::Clip(job) => Some(&job.order),
            Self::Part(job) => Some(&job.order),
            Self::Manifest(_) => None,
        }
    }
}

/// When something that did not work is tried again.
struct Retry {
    ladder: Ladder,
    at: Instant,
}

struct Runner {
    nvr: Arc<Nvr>,
    retries: HashMap<JobId, Retry>,
}

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = Arc::new(Notify::new());
    let runner = Runner {
        nvr,
        retries: HashMap::new(),
    };
    tokio::spawn(async move {
        supervise("assembly", runner, status, nudge, cancel).await;
    })
}

/// Why a job that ended is to be tried again.
type Again = Option<Error>;

/// The jobs that run.
#[derive(Default)]
struct Team {
    tasks: JoinSet<Again>,
    ids: HashMap<tokio::task::Id, JobId>,
}

impl Team {
    /// The next that ends; one that broke is tried again.
    async fn next(&mut self) -> Option<(JobId, Again)> {
        let (task, again) = match self.tasks.join_next_with_id().await? {
            Ok((task, again)) => (task, again),
            Err(broke) => (broke.id(), Some(Error::internal(&broke))),
        };
        Some((self.ids.remove(&task)?, again))
    }
}

impl Supervised for Runner {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        let mut team = Team::default();
        let result = self.run(&mut team, &cancel).await;
        // What still runs is asked to end, and begun again from the database by whoever is next.
        cancel.cancel();
        while let Some((id, _)) = team.next().await {
            self.nvr.jobs.ended(&id);
        }
        Attempt {
            result,
            healthy_for: begun.elapsed(),
        }
    }

    fn severity(&self, _: &Error) -> Severity {
        Severity::Transient
    }
}

impl Runner {
    async fn run(&mut self, team: &mut Team, cancel: &CancellationToken) -> Result<()> {
        let mut stores = self.nvr.options.stores.subscribe();
        let mut told = HashMap::new();
        loop {
            for id in self.nvr.jobs.take_hurried() {
                self.retries.remove(&id);
            }
            let wanted = self.nvr.wanted().await?;
            let ids: Vec<JobId> = wanted.iter().map(Wanted::id).collect();
            self.retries.retain(|id, _| ids.contains(id));
            let wait = self.begin(&wanted, team, cancel);
            self.nvr.tell_waiting(&wanted, &mut told).await;
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = self.nvr.jobs.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
                changed = stores.changed() => {
                    // Another place or bucket may work at once.
                    self.retries.clear();
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                Some((id, again)) = team.next() => self.note(id, again),
            }
        }
    }

    /// Begins what can be made now. Gives when to look again.
    fn begin(
        &mut self,
        wanted: &[Wanted],
        team: &mut Team,
        cancel: &CancellationToken,
    ) -> Duration {
        let (now, instant) = (self.nvr.clock_now(), Instant::now());
        let mut wait = AGAIN;
        for job in wanted {
            let id = job.id();
            if !self.nvr.jobs.may_begin(&id) {
                continue;
            }
            let retry = self.retries.get(&id).map(|r| r.at);
            if let Some(left) = retry.and_then(|at| at.checked_duration_since(instant)) {
                wait = wait.min(left);
                continue;
            }
            if let Some(at) = job.order().and_then(|o| self.nvr.ready_at(o, now)) {
                let left = u64::try_from(at.ms().saturating_sub(now.ms())).unwrap_or(0);
                wait = wait.min(Duration::from_millis(left)).min(TELL);
                continue;
            }
            if team.tasks.len() < AT_ONCE {
                let progress = self.nvr.progress_of(job, cancel.child_token());
                self.nvr.jobs.begun(&id, &progress);
                let (nvr, job) = (self.nvr.clone(), job.clone());
                let task = team.tasks.spawn(nvr.carry_out(job, progress));
                team.ids.insert(task.id(), id);
            }
        }
        wait.max(Duration::from_millis(10))
    }

    fn note(&mut self, id: JobId, again: Again) {
        self.nvr.jobs.ended(&id);
        match again {
            Some(_) => {
                let retry = self.retries.entry(id).or_insert_with(|| Retry {
                    ladder: Ladder::default(),
                    at: Instant::now(),
                });
                retry.at = Instant::now() + retry.ladder.next(Severity::Transient, Duration::ZERO);
            }
            None => {
                self.retries.remove(&id);
            }
        }
    }
}

impl Nvr {
    /// Everything that is to be made, the oldest first, clips before exports: somebody waits for
    /// a clip.
    async fn wanted(&self) -> Result<Vec<Wanted>> {
        let clips = self.store.clips_open().await?.into_iter();
        let mut wanted: Vec<Wanted> = clips
            .map(|row| Wanted::Clip(Box::new(ClipJob::of(row))))
            .collect();
        for export in self.store.exports_open().await? {
            let parts = PartJob::all(&export);
            if parts.is_empty() {
                wanted.push(Wanted::Manifest(export.id));
            } else {
                wanted.extend(parts.into_iter().map(|p| Wanted::Part(Box::new(p))));
            }
        }
        Ok(wanted)
    }

    fn progress_of(self: &Arc<Self>, job: &Wanted, cancel: CancellationToken) -> Arc<Progress> {
        // The worker says how far it is from threads of its own.
        let (nvr, runtime, job) = (self.clone(), Handle::current(), job.clone());
        Arc::new(Progress::new(cancel, move || {
            let (nvr, job) = (nvr.clone(), job.clone());
            runtime.spawn(async move { nvr.tell_job(&job).await });
        }))
    }

    /// Tells viewers how far something is.
    async fn tell_job(&self, job: &Wanted) {
        let told = match job {
            Wanted::Clip(job) => self.tell_clip(job.row.id.clone()).await,
            Wanted::Part(job) => self.tell_export(job.export.clone()).await,
            Wanted::Manifest(_) => Ok(()),
        };
        if let Err(error) = told {
            warn!(job = ?job.id(), %error, "viewers were not told how far it is");
        }
    }

    /// Makes one thing and writes down what came of it. Gives why it is to be tried again.
    async fn carry_out(self: Arc<Self>, job: Wanted, progress: Arc<Progress>) -> Option<Error> {
        let id = job.id();
        let done = match &job {
            Wanted::Clip(job) => {
                let made = self.assemble(&job.order, progress.clone()).await;
                self.log(&id, &made);
                self.clip_done(job, made).await
            }
            Wanted::Part(job) => match self.part_begun(job).await {
                Ok(()) => {
                    let made = self.assemble(&job.order, progress.clone()).await;
                    self.log(&id, &made);
                    self.part_done(job, made).await
                }
                Err(error) => Err(error),
            },
            Wanted::Manifest(export) => self.finish_export(export).await,
        };
        match done {
            Ok(again) => again,
            Err(error) => {
                warn!(job = ?id, %error, "what came of a file could not be written down");
                Some(error)
            }
        }
    }

    fn log(&self, id: &JobId, made: &Made) {
        match made {
            Made::File(file) => {
                info!(job = ?id, bytes = file.bytes, gaps = file.gaps.len(), "made")
            }
            Made::Nothing(reason) => info!(job = ?id, reason, "cannot be made"),
            Made::Again(error) => warn!(job = ?id, %error, "not made yet; will try again"),
            Made::Dropped => info!(job = ?id, "not wanted any more"),
        }
    }

    /// Tells viewers of clips whose time passes, when a percent has.
    async fn tell_waiting(&self, wanted: &[Wanted], told: &mut HashMap<JobId, i64>) {
        let now: Timestamp = self.clock_now();
        told.retain(|id, _| wanted.iter().any(|w| w.id() == *id));
        for job in wanted {
            let Wanted::Clip(clip) = job else { continue };
            // Once more when its time is over.
            if !clip.waits_for_time(now) && !told.contains_key(&job.id()) {
                continue;
            }
            let percent = (clip.passed(now) * 100.0) as i64;
            if told.insert(job.id(), percent).is_none_or(|p| p != percent) {
                self.tell_job(job).await;
            }
        }
    }
}

//! Files that are being made from footage: what runs, how far it is, and how it is ended.
//!
//! Clips and exports share this. What is to be made is always in the database, so that nothing
//! is forgotten at a crash; here is only what runs at the moment. What does not belong here: what
//! a clip or an export is.

mod assemble;
mod joining;
mod progress;
mod ready;
mod runner;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oriel_api::{ChannelId, ClipId, ExportId, Range, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use assemble::Made;
pub(crate) use joining::Joining;
#[cfg(test)]
pub(crate) use joining::follow;
pub(crate) use progress::Progress;
pub(crate) use runner::spawn;

/// How long whoever stops a job waits for its end. The worker asks once a second.
const END: Duration = Duration::from_secs(10);

/// What a job makes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum JobId {
    /// The file of a clip.
    Clip(ClipId),
    /// The file of one camera of an export.
    Part(i64),
    /// What ends an export: its manifest.
    Manifest(ExportId),
}

/// A file of a range of a channel that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct FileOrder {
    pub(crate) channel: ChannelId,
    pub(crate) range: Range,
    /// When somebody said that it is to be made of what there is.
    pub(crate) cancelled: Option<Timestamp>,
    pub(crate) exact: bool,
    pub(crate) with_audio: bool,
    /// What players call the file.
    pub(crate) title: String,
    pub(crate) key: String,
}

impl FileOrder {
    /// End of what can be had.
    pub(crate) fn end(&self) -> Timestamp {
        self.cancelled
            .map_or(self.range.end, |at| at.min(self.range.end))
    }
}

/// A job that runs.
struct Running {
    progress: Arc<Progress>,
    ended: CancellationToken,
}

/// The jobs of the moment.
#[derive(Default)]
pub(crate) struct Jobs {
    /// There may be something to begin.
    pub(crate) wake: Notify,
    running: Mutex<HashMap<JobId, Running>>,
    /// Not to be begun: their rows are about to go.
    stopped: Mutex<HashSet<JobId>>,
    /// To be tried again at once.
    hurried: Mutex<HashSet<JobId>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A job that is not begun while this lives.
pub(crate) struct Stopped<'a> {
    jobs: &'a Jobs,
    id: JobId,
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        lock(&self.jobs.stopped).remove(&self.id);
        self.jobs.wake.notify_one();
    }
}

impl Jobs {
    /// How far a job is, 0 to 1; `None` when it does not run.
    pub(crate) fn fraction(&self, id: &JobId) -> Option<f64> {
        lock(&self.running).get(id).map(|r| r.progress.fraction())
    }

    /// Ends a job if it runs, and keeps it from being begun again for the life of the result.
    pub(crate) async fn stop(&self, id: JobId) -> Stopped<'_> {
        lock(&self.stopped).insert(id.clone());
        let ended = lock(&self.running).get(&id).map(|running| {
            running.progress.cancel();
            running.ended.clone()
        });
        if let Some(ended) = ended {
            // One that does not end in time finds its row gone and cleans up after itself.
            let _ = tokio::time::timeout(END, ended.cancelled()).await;
        }
        Stopped { jobs: self, id }
    }

    /// Begins a job that waits for its next try at once.
    pub(crate) fn hurry(&self, id: JobId) {
        lock(&self.hurried).insert(id);
        self.wake.notify_one();
    }

    fn take_hurried(&self) -> HashSet<JobId> {
        std::mem::take(&mut *lock(&self.hurried))
    }

    fn may_begin(&self, id: &JobId) -> bool {
        !lock(&self.running).contains_key(id) && !lock(&self.stopped).contains(id)
    }

    fn begun(&self, id: &JobId, progress: &Arc<Progress>) {
        let running = Running {
            progress: progress.clone(),
            ended: CancellationToken::new(),
        };
        lock(&self.running).insert(id.clone(), running);
    }

    fn ended(&self, id: &JobId) {
        if let Some(running) = lock(&self.running).remove(id) {
            running.ended.cancel();
        }
    }
}

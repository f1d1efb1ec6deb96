//! The upload queue: what the worker asks of it and tells it, and the task that fills it by the
//! settings. Not here: sending anything.

pub(crate) mod task;

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use oriel_api::{
    EventKind, NoticesStatus, Reason, ReasonCode, Result, Timestamp, UploadState, UploadStatus,
    link::{UploadDone, UploadId, UploadPlan, UploadQueue, UploadTask},
};
use oriel_bucket::ObjectKey;
use oriel_store::Arrived;
use tokio::sync::Notify;
use tracing::{debug, warn};

pub(crate) use self::task::spawn;
use crate::{Nvr, states::Note, storage::stored_at};

/// What the queue keeps in memory.
#[derive(Default)]
pub(crate) struct Uploads {
    /// There may be more to do.
    wake: Notify,
    /// Somebody wants it tried again at once.
    hurry: Notify,
    /// There is something to tell, or the settings changed.
    news: Notify,
    /// Grows whenever the destination or a policy changes.
    settings: AtomicU64,
    /// What the worker has in its hands. It knows better than a notice whether the bytes are
    /// right.
    in_flight: Mutex<HashSet<(UploadId, String)>>,
    /// The last told state was one that somebody has to end.
    stopped: Mutex<bool>,
}

impl Uploads {
    /// Something was queued.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// The destination or a policy changed.
    pub(crate) fn settings_changed(&self) {
        self.settings.fetch_add(1, Ordering::Relaxed);
        self.news.notify_one();
    }

    fn in_flight(&self) -> MutexGuard<'_, HashSet<(UploadId, String)>> {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn landed(&self, id: UploadId) {
        self.in_flight().retain(|(known, _)| *known != id);
    }
}

/// Minutes of a day in `HH:MM`, which was checked when it was set.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    Some(hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok()?)
}

impl Nvr {
    /// Tries again at once whatever waits or has stopped.
    pub(crate) async fn hurry_uploads(&self) -> Result<()> {
        self.store.uploads_hurry().await?;
        self.uploads.hurry.notify_one();
        Ok(())
    }

    fn uploads_status(&self) -> MutexGuard<'_, UploadStatus> {
        self.uploads_status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker's last word with the length of the queue of this moment.
    pub(crate) async fn uploads_now(&self) -> Result<UploadStatus> {
        let backlog = self.store.backlog().await?;
        let mut status = self.uploads_status().clone();
        status.waiting = backlog.waiting;
        status.waiting_bytes = backlog.bytes;
        status.oldest = backlog.oldest;
        Ok(status)
    }

    /// Whether an object is where the settings want it now.
    fn is_destination(&self, done: &UploadDone) -> bool {
        let named = ObjectKey::parse(done.key.clone())
            .ok()
            .and_then(|k| k.named());
        let at = stored_at(&self.storage_settings());
        at.zip(named).is_some_and(|(at, n)| at.of(&n) == done.at)
    }

    /// Writes down that uploading has stopped, or goes on.
    fn note_stopped(&self, status: &UploadStatus) {
        let stops = status.state == UploadState::Stopped;
        // A pause between attempts says nothing about whether it is over.
        if !stops && matches!(status.state, UploadState::Retrying) {
            return;
        }
        {
            let mut stopped = self
                .uploads
                .stopped
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if *stopped == stops {
                return;
            }
            *stopped = stops;
        }
        let (kind, reason) = if stops {
            let message = status.error.clone().unwrap_or_default();
            let reason = Reason {
                code: ReasonCode::StorageUnavailable,
                message,
            };
            (EventKind::UploadStopped, Some(reason))
        } else {
            (EventKind::UploadResumed, None)
        };
        self.note(Note::Event {
            at: self.clock_now(),
            kind,
            channel: None,
            reason,
        });
    }
}

#[async_trait]
impl UploadQueue for Nvr {
    async fn uploads_due(&self, busy: &[UploadId], limit: usize) -> Result<Vec<UploadTask>> {
        let now = self.clock_now();
        let sent: Vec<_> = {
            let mut in_flight = self.uploads.in_flight();
            // What the worker does not name any more it has let go.
            in_flight.retain(|(id, _)| busy.contains(id));
            in_flight.iter().cloned().collect()
        };
        let tasks = self.store.uploads_due(now, sent, limit).await?;
        let mut in_flight = self.uploads.in_flight();
        in_flight.extend(tasks.iter().map(|t| (t.id, t.key.clone())));
        drop(in_flight);
        Ok(tasks)
    }

    fn upload_plan(&self) -> UploadPlan {
        let settings = self.storage_settings();
        UploadPlan {
            at_once: settings.uploads_at_once as usize,
            hours: settings
                .window
                .and_then(|w| Some((minutes(&w.from)?, minutes(&w.to)?))),
        }
    }

    async fn uploads_wait(&self) -> bool {
        tokio::select! {
            biased;
            () = self.uploads.hurry.notified() => true,
            () = self.uploads.wake.notified() => false,
        }
    }

    async fn uploads_next(&self) -> Result<Option<Timestamp>> {
        Ok(self.store.uploads_next().await?)
    }

    async fn upload_parts(&self, task: &UploadTask, multipart: Option<String>) -> Result<()> {
        let (id, key) = (task.id, task.key.clone());
        let kept = self.store.upload_parts(id, key, multipart).await;
        if kept.is_err() {
            self.bucket_garbage.notify_one();
        }
        Ok(kept?)
    }

    async fn upload_done(&self, id: UploadId, done: UploadDone) -> Result<()> {
        let now = self.clock_now();
        if !self.is_destination(&done) {
            let error = "The destination was changed while it was sent.".into();
            return self.upload_failed(id, error, now).await;
        }
        let arrived = self
            .store
            .object_arrived(done.key, done.bytes, Some(done.sha256), now, Some(id))
            .await?;
        self.uploads.landed(id);
        match arrived {
            Arrived::Noted => self.retention.notify_one(),
            Arrived::Known => {}
            // Its row went meanwhile.
            Arrived::Unknown => self.garbage.notify_one(),
        }
        Ok(())
    }

    async fn upload_failed(&self, id: UploadId, error: String, retry_at: Timestamp) -> Result<()> {
        self.store.upload_failed(id, error, retry_at).await?;
        self.uploads.landed(id);
        Ok(())
    }

    async fn upload_impossible(&self, id: UploadId, reason: String, gone: bool) -> Result<()> {
        let lost = self.store.upload_impossible(id, gone).await?;
        self.uploads.landed(id);
        // Parts of it may be there.
        self.bucket_garbage.notify_one();
        if let Some(lost) = lost {
            warn!(key = lost.key, reason, "cannot be uploaded");
            self.write_event(
                EventKind::UploadLost,
                lost.channel,
                Some(Reason {
                    code: ReasonCode::StorageUnavailable,
                    message: reason,
                }),
            )
            .await?;
        }
        Ok(())
    }

    fn uploads_changed(&self, status: UploadStatus) {
        self.note_stopped(&status);
        *self.uploads_status() = status;
        self.uploads.news.notify_one();
    }

    fn notices_changed(&self, status: NoticesStatus) {
        *self
            .notices_status
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = status;
    }

    async fn object_noticed(&self, key: &str, bytes: u64) -> Result<bool> {
        if self.uploads.in_flight().iter().any(|(_, k)| k == key) {
            debug!(key, "a notice of what is being uploaded; the upload tells");
            return Ok(true);
        }
        let now = self.clock_now();
        let arrived = self
            .store
            .object_arrived(key.to_owned(), bytes, None, now, None)
            .await?;
        if arrived == Arrived::Noted {
            self.retention.notify_one();
        }
        Ok(arrived != Arrived::Unknown)
    }
}

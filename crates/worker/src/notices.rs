//! Carries the bucket's own notices to the nvr. They say what the uploader says too; either alone
//! is enough. Not here: reading the messages (`bucket::notices`) and what they mean.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use oriel_api::{NoticesStatus, link::UploadQueue};
use oriel_bucket::{NoticeError, NoticeQueue, SharedStores};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

struct Notices {
    stores: SharedStores,
    uploads: Arc<dyn UploadQueue>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    received: AtomicU64,
    ignored: AtomicU64,
}

impl Counts {
    fn status(&self, on: bool, error: Option<String>) -> NoticesStatus {
        NoticesStatus {
            on,
            received: self.received.load(Relaxed),
            ignored: self.ignored.load(Relaxed),
            error,
        }
    }
}

pub(crate) fn spawn(
    stores: SharedStores,
    uploads: Arc<dyn UploadQueue>,
    cancel: CancellationToken,
) {
    let notices = Notices {
        stores: stores.clone(),
        uploads,
        counts: Arc::default(),
    };
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = Arc::new(Notify::new());
    // New settings are tried at once, also in the middle of a long wait.
    tokio::spawn({
        let (nudge, cancel) = (nudge.clone(), cancel.clone());
        let mut changed = stores.subscribe();
        async move {
            while let Some(Ok(())) = cancel.run_until_cancelled(changed.changed()).await {
                nudge.notify_one();
            }
        }
    });
    tokio::spawn(async move { supervise("notices", notices, status, nudge, cancel).await });
}

impl Notices {
    /// Until the settings change or the queue fails.
    async fn carry(&self, queue: &NoticeQueue) -> Result<(), NoticeError> {
        loop {
            let messages = queue.receive().await?;
            let (mut read, mut refused) = (Vec::new(), false);
            for message in messages {
                let mut ignored = message.ignored;
                let mut kept = true;
                for notice in &message.notices {
                    match self
                        .uploads
                        .object_noticed(notice.key.as_str(), notice.bytes)
                        .await
                    {
                        Ok(true) => {}
                        Ok(false) => ignored += 1,
                        // It stays in the queue and comes again.
                        Err(_) => kept = false,
                    }
                }
                if kept {
                    let taken = message.notices.len() as u64;
                    self.counts.received.fetch_add(taken, Relaxed);
                    self.counts.ignored.fetch_add(ignored, Relaxed);
                    read.push(message);
                } else {
                    refused = true;
                }
            }
            queue.done(&read).await?;
            self.uploads.notices_changed(self.counts.status(true, None));
            if refused {
                return Err(NoticeError::Fault);
            }
        }
    }
}

impl Supervised for Notices {
    type Error = NoticeError;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<NoticeError> {
        let begun = Instant::now();
        let mut changed = self.stores.subscribe();
        let queue = self.stores.now().notices.clone();
        let result = match queue {
            None => {
                self.uploads
                    .notices_changed(self.counts.status(false, None));
                tokio::select! {
                    () = cancel.cancelled() => {}
                    _ = changed.changed() => {}
                }
                Ok(())
            }
            Some(queue) => tokio::select! {
                () = cancel.cancelled() => Ok(()),
                _ = changed.changed() => Ok(()),
                result = self.carry(&queue) => result,
            },
        };
        if let Err(error) = &result {
            let status = self.counts.status(true, Some(error.to_string()));
            self.uploads.notices_changed(status);
        }
        Attempt {
            result,
            healthy_for: begun.elapsed(),
        }
    }

    fn severity(&self, error: &NoticeError) -> Severity {
        if error.lasts() {
            Severity::Lasting
        } else {
            Severity::Transient
        }
    }
}

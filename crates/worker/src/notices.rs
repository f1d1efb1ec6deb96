//! Carries the bucket's own notices to the nvr. They say what the uploader says too; either alone
//! is enough. Not here: reading the messages (`bucket::notices`) and what they mean.

use std::{sync::Arc, time::Instant};

use oriel_api::{NoticesStatus, link::UploadQueue};
use oriel_bucket::{NoticeError, NoticeQueue, SharedStores, Stores};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

struct Notices {
    stores: SharedStores,
    uploads: Arc<dyn UploadQueue>,
    received: u64,
    ignored: u64,
    /// Why the last question to the queue failed.
    error: Option<String>,
}

pub(crate) fn spawn(
    stores: SharedStores,
    uploads: Arc<dyn UploadQueue>,
    cancel: CancellationToken,
) {
    let notices = Notices {
        stores: stores.clone(),
        uploads,
        received: 0,
        ignored: 0,
        error: None,
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
    fn tell(&self, on: bool) {
        self.uploads.notices_changed(NoticesStatus {
            on,
            received: self.received,
            ignored: self.ignored,
            error: self.error.clone(),
        });
    }

    /// Until the queue fails.
    async fn carry(&mut self, queue: &NoticeQueue) -> Result<(), NoticeError> {
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
                    self.received += message.notices.len() as u64;
                    self.ignored += ignored;
                    read.push(message);
                } else {
                    refused = true;
                }
            }
            queue.done(&read).await?;
            self.error = None;
            self.tell(true);
            if refused {
                return Err(NoticeError::Fault);
            }
        }
    }
}

fn same(one: &Option<NoticeQueue>, other: &Option<NoticeQueue>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is(other),
        (None, None) => true,
        _ => false,
    }
}

impl Supervised for Notices {
    type Error = NoticeError;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<NoticeError> {
        let begun = Instant::now();
        let mut changed = self.stores.subscribe();
        // Other settings are no end of it: without a queue there is nothing to say.
        let result = loop {
            let queue = changed.borrow_and_update().notices.clone();
            let carrying = async {
                self.tell(queue.is_some());
                match &queue {
                    Some(queue) => self.carry(queue).await,
                    None => std::future::pending().await,
                }
            };
            // A question cut off may take messages with it for half a minute.
            let other = async {
                let other = |stores: &Arc<Stores>| !same(&stores.notices, &queue);
                changed.wait_for(other).await.is_ok()
            };
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                true = other => self.error = None,
                result = carrying => break result,
            }
        };
        if let Err(error) = &result {
            self.error = Some(error.to_string());
            self.tell(true);
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

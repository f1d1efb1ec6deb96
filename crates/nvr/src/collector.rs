//! The task that deletes footage nobody wants any more.
//!
//! Rows become garbage first, files go next, garbage rows last; whatever breaks off in between
//! is taken up again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::Error;
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Nvr;

/// Rows a transaction takes: short enough not to hold up the recorder.
const BATCH: u32 = 500;
/// What could not be deleted is tried again after this.
const AGAIN: Duration = Duration::from_secs(600);

struct Collector(Arc<Nvr>);

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = nvr.garbage.clone();
    tokio::spawn(async move {
        supervise("collector", Collector(nvr), status, nudge, cancel).await;
    })
}

impl Supervised for Collector {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        let result = loop {
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                swept = self.0.sweep() => if let Err(error) = swept { break Err(error) },
            }
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                () = self.0.garbage.notified() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
        };
        Attempt {
            result,
            healthy_for: begun.elapsed(),
        }
    }

    fn severity(&self, _: &Error) -> Severity {
        Severity::Transient
    }
}

impl Nvr {
    /// Deletes all garbage that can be deleted now.
    async fn sweep(&self) -> oriel_api::Result<()> {
        while self.store.purge_some(BATCH).await? > 0 {}
        let worker = self.links()?.worker;
        let (mut after, mut deleted, mut kept) = (0, 0_usize, 0_usize);
        loop {
            let page = self.store.garbage(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let mut gone = Vec::with_capacity(page.len());
            for row in page {
                // An object in a bucket is not for this worker.
                if row.object_key.is_some() {
                    kept += 1;
                    continue;
                }
                match worker.delete_segment(&row.channel, row.start).await {
                    Ok(()) => gone.push(row.id),
                    Err(error) => {
                        kept += 1;
                        warn!(channel = %row.channel, start = row.start.ms(), %error, "a file could not be deleted");
                    }
                }
            }
            deleted += gone.len();
            self.store.garbage_gone(gone).await?;
        }
        if deleted + kept > 0 {
            info!(deleted, kept, "deleted footage");
        }
        Ok(())
    }
}

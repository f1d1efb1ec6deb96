//! The task that gives up pictures that never came.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{Change, Error, Result, SnapshotSource, Timestamp};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::Nvr;

/// A caller has so long to send a picture and confirm it.
const WAIT_MS: i64 = 3_600_000;
/// An entry that failed is shown for so long.
const SHOWN_MS: i64 = 24 * 3_600_000;
const EVERY: Duration = Duration::from_secs(60);

struct Expiry {
    nvr: Arc<Nvr>,
    /// What the recorder itself was taking before this is given up; `None` when that was done.
    started: Option<Timestamp>,
}

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = Arc::new(Notify::new());
    let started = Some(nvr.clock_now());
    let expiry = Expiry { nvr, started };
    tokio::spawn(async move {
        supervise("snapshots", expiry, status, nudge, cancel).await;
    })
}

impl Supervised for Expiry {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        let result = loop {
            if let Err(error) = self.give_up().await {
                break Err(error);
            }
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                () = tokio::time::sleep(EVERY) => {}
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

impl Expiry {
    async fn give_up(&mut self) -> Result<()> {
        if let Some(before) = self.started {
            let agent = Some(SnapshotSource::Agent);
            let reason = "Oriel stopped while it was being taken.";
            self.nvr.give_up_snapshots(before, agent, reason).await?;
            self.started = None;
        }
        let before = Timestamp::from_ms(self.nvr.clock_now().ms() - WAIT_MS);
        let reason = "The picture did not arrive within an hour.";
        self.nvr.give_up_snapshots(before, None, reason).await
    }
}

impl Nvr {
    async fn give_up_snapshots(
        &self,
        before: Timestamp,
        source: Option<SnapshotSource>,
        reason: &str,
    ) -> Result<()> {
        let forgotten = Timestamp::from_ms(self.clock_now().ms() - SHOWN_MS);
        let (failed, gone) = self
            .store
            .snapshots_expire(before, forgotten, source, reason.to_owned())
            .await?;
        if !failed.is_empty() {
            self.garbage.notify_one();
        }
        for row in failed {
            self.snapshot_pushed(&row).await?;
        }
        for id in gone {
            self.push(Change::SnapshotRemoved { id });
        }
        Ok(())
    }
}

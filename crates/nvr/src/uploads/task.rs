//! The task beside the queue: brings it in line with the settings, and tells viewers how it
//! stands. Filling goes in short transactions, oldest first, and goes on after a restart.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use oriel_api::{Change, Error, Timestamp};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{Nvr, storage::stored_at};

/// Rows of a transaction.
const BATCH: u32 = 200;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Viewers are told at most so often.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Which destination the stored segments and snapshots are at.
pub(crate) const STORED_AT: &str = "stored_at";
/// Which destination the stored clips and exports are at.
const PRODUCED_AT: &str = "produced_at";
/// What the queue was last brought in line with.
const QUEUED_FOR: &str = "queued_for";

pub(crate) struct Filler {
    nvr: Arc<Nvr>,
}

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = Arc::new(tokio::sync::Notify::new());
    tokio::spawn(async move {
        supervise("queue", Filler::new(nvr), status, nudge, cancel).await;
    })
}

impl Filler {
    pub(crate) fn new(nvr: Arc<Nvr>) -> Self {
        Self { nvr }
    }

    /// Brings the queue in line with the settings. May be broken off at any point and repeated.
    pub(crate) async fn fill(&self, cancel: &CancellationToken) -> Result<(), Error> {
        let store = &self.nvr.store;
        let settings = self.nvr.storage_settings();
        let at = stored_at(&settings);
        // First, so that what is closed from now on is queued, or not, by itself.
        store.uploading_set(at.is_some()).await?;
        let Some(at) = at else {
            while !cancel.is_cancelled() && store.uploads_drop_some(BATCH).await? > 0 {}
            store.setting_set(QUEUED_FOR, String::new()).await?;
            return Ok(());
        };
        let since = settings.bucket_days.map(|days| {
            let age = i64::from(days) * DAY_MS;
            Timestamp::from_ms(self.nvr.clock_now().ms().saturating_sub(age))
        });
        let before = store.setting(STORED_AT).await?;
        // As long as both were one setting, both were there.
        let made_before = store.setting(PRODUCED_AT).await?.or(before.clone());
        let now = self.nvr.clock_now();
        if before.as_ref() != Some(&at.incoming) {
            if before.is_some() {
                while !cancel.is_cancelled()
                    && store.uploads_redirect_some(BATCH, now, since).await? > 0
                {}
                // What was not reached is not at the new destination: the next start goes on.
                if cancel.is_cancelled() {
                    return Ok(());
                }
            }
            store.setting_set(STORED_AT, at.incoming.clone()).await?;
        }
        if made_before.as_ref() != Some(&at.produced) && made_before.is_some() {
            store.uploads_redirect_made(now).await?;
        }
        store.setting_set(PRODUCED_AT, at.produced.clone()).await?;
        let channels = store.channels().await?;
        let mut wanted = format!(
            "{} {} days={:?}",
            at.incoming, at.produced, settings.bucket_days
        );
        for channel in &channels {
            wanted.push_str(&format!(" {}={:?}", channel.id, channel.upload));
        }
        // Everything since was queued when it was made.
        if store.setting(QUEUED_FOR).await?.as_deref() == Some(&*wanted) {
            return Ok(());
        }
        while !cancel.is_cancelled() && store.uploads_backfill_made(since, BATCH).await? > 0 {
            self.nvr.uploads.wake();
        }
        for channel in channels {
            while !cancel.is_cancelled()
                && store
                    .uploads_withdraw_some(channel.id.clone(), BATCH)
                    .await?
                    > 0
            {}
            let mut after = Some(Timestamp::from_ms(-1));
            while let Some(from) = after
                && !cancel.is_cancelled()
            {
                after = store
                    .uploads_backfill(channel.id.clone(), from, since, BATCH)
                    .await?;
                self.nvr.uploads.wake();
            }
        }
        if !cancel.is_cancelled() {
            store.setting_set(QUEUED_FOR, wanted).await?;
            // What was withdrawn may have left parts.
            self.nvr.bucket_garbage.notify_one();
        }
        Ok(())
    }
}

impl Supervised for Filler {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        let mut filled = None;
        let mut told = None;
        let result = loop {
            let wanted = self.nvr.uploads.settings.load(Ordering::Relaxed);
            if filled != Some(wanted) {
                if let Err(error) = self.fill(&cancel).await {
                    break Err(error);
                }
                filled = Some(wanted);
            }
            match self.nvr.uploads_now().await {
                Ok(uploads) if told.as_ref() != Some(&uploads) => {
                    told = Some(uploads.clone());
                    self.nvr.push(Change::Uploads { uploads });
                }
                Ok(_) => {}
                Err(error) => break Err(error),
            }
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                () = tokio::time::sleep(TOLD_EVERY) => {}
            }
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                () = self.nvr.uploads.news.notified() => {}
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

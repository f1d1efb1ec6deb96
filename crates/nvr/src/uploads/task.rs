//! The task beside the queue: brings it in line with the settings, and tells viewers how it
//! stands. Filling goes in short transactions, oldest first, and goes on after a restart.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use oriel_api::{Change, Destination, Error, StorageSettings, Timestamp};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use sha2::{Digest, Sha256};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::Nvr;

/// Rows of a transaction.
const BATCH: u32 = 200;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// Viewers are told at most so often.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Which destination the stored rows are at.
const STORED_AT: &str = "stored_at";
/// What the queue was last brought in line with.
const QUEUED_FOR: &str = "queued_for";

struct Filler {
    nvr: Arc<Nvr>,
}

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = Arc::new(tokio::sync::Notify::new());
    tokio::spawn(async move {
        supervise("queue", Filler { nvr }, status, nudge, cancel).await;
    })
}

/// One text for one place of objects: a hash, so that it can be kept and compared.
fn place_of(settings: &StorageSettings) -> Option<String> {
    let parts = match settings.destination {
        Destination::None => return None,
        Destination::Folder => vec!["folder".to_owned(), settings.folder.clone()?],
        Destination::S3 => vec![
            "s3".to_owned(),
            settings.endpoint.clone().unwrap_or_default(),
            settings.bucket.clone(),
            settings.prefix.clone(),
        ],
    };
    let sum = Sha256::digest(parts.join("\n"));
    Some(sum.iter().map(|b| format!("{b:02x}")).collect())
}

impl Filler {
    async fn fill(&self, cancel: &CancellationToken) -> Result<(), Error> {
        let store = &self.nvr.store;
        let settings = self.nvr.storage_settings();
        let place = place_of(&settings);
        // First, so that what is closed from now on is queued, or not, by itself.
        store.uploading_set(place.is_some()).await?;
        let Some(place) = place else {
            while !cancel.is_cancelled() && store.uploads_drop_some(BATCH).await? > 0 {}
            store.setting_set(QUEUED_FOR, String::new()).await?;
            return Ok(());
        };
        let since = settings.bucket_days.map(|days| {
            let age = i64::from(days) * DAY_MS;
            Timestamp::from_ms(self.nvr.clock_now().ms().saturating_sub(age))
        });
        let before = store.setting(STORED_AT).await?;
        if before.as_deref() != Some(&*place) {
            if before.is_some() {
                let now = self.nvr.clock_now();
                while !cancel.is_cancelled()
                    && store.uploads_redirect_some(BATCH, now, since).await? > 0
                {}
            }
            store.setting_set(STORED_AT, place.clone()).await?;
        }
        let channels = store.channels().await?;
        let mut wanted = format!("{place} days={:?}", settings.bucket_days);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_from_another_by_where_it_is_alone() {
        let mut a = StorageSettings {
            destination: Destination::S3,
            bucket: "one".into(),
            ..StorageSettings::default()
        };
        let first = place_of(&a);
        a.uploads_at_once = 9;
        a.direct = true;
        assert_eq!(place_of(&a), first);
        a.prefix = "site".into();
        assert_ne!(place_of(&a), first);
        a.destination = Destination::None;
        assert_eq!(place_of(&a), None);
    }
}

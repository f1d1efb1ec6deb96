//! The tasks that delete bytes nobody wants any more: one on this computer, one in the bucket,
//! so that a destination out of reach never keeps this disk from being freed.
//!
//! Rows become garbage first, bytes go next, garbage rows last; whatever breaks off in between
//! is taken up again.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{Error, Result};
use oriel_bucket::{Bucket, BucketError, Fault, ObjectKey, Stores, Upload};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Nvr;

/// Rows a transaction takes: short enough not to hold up the recorder.
const BATCH: u32 = 500;
/// What could not be deleted is tried again after this.
const AGAIN: Duration = Duration::from_secs(600);
/// A deletion in the bucket may take this long.
const PATIENCE: Duration = Duration::from_secs(120);

struct Collector(Arc<Nvr>);
struct BucketCollector(Arc<Nvr>);

pub(crate) fn spawn(nvr: &Arc<Nvr>, cancel: &CancellationToken) -> [JoinHandle<()>; 2] {
    let (status, _) = watch::channel(Status::Stopped);
    let (local, nudge, stop) = (Collector(nvr.clone()), nvr.garbage.clone(), cancel.clone());
    let here = tokio::spawn(async move {
        supervise("collector", local, status, nudge, stop).await;
    });
    let (status, _) = watch::channel(Status::Stopped);
    let (remote, nudge, stop) = (
        BucketCollector(nvr.clone()),
        nvr.bucket_garbage.clone(),
        cancel.clone(),
    );
    let there = tokio::spawn(async move {
        supervise("bucket collector", remote, status, nudge, stop).await;
    });
    [here, there]
}

/// Sweeps, waits for more, and so on.
async fn again_and_again<F: Future<Output = Result<()>>>(
    cancel: CancellationToken,
    nudge: &Notify,
    sweep: impl Fn() -> F,
) -> Attempt<Error> {
    let begun = Instant::now();
    let result = loop {
        tokio::select! {
            () = cancel.cancelled() => break Ok(()),
            swept = sweep() => if let Err(error) = swept { break Err(error) },
        }
        tokio::select! {
            () = cancel.cancelled() => break Ok(()),
            () = nudge.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
    };
    Attempt {
        result,
        healthy_for: begun.elapsed(),
    }
}

/// Objects to be deleted in one area of the destination.
struct InArea<'a> {
    bucket: &'a Bucket,
    keys: Vec<ObjectKey>,
    rows: Vec<&'a (i64, String)>,
}

impl Supervised for Collector {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        again_and_again(cancel, &self.0.garbage, || self.0.sweep()).await
    }

    fn severity(&self, _: &Error) -> Severity {
        Severity::Transient
    }
}

impl Supervised for BucketCollector {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let mut stores = self.0.options.stores.subscribe();
        // Another destination may work where the one before did not.
        let changed = async {
            while stores.changed().await.is_ok() {
                self.0.bucket_garbage.notify_one();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            attempt = again_and_again(cancel, &self.0.bucket_garbage, || self.0.sweep_bucket()) => attempt,
            () = changed => Attempt { result: Ok(()), healthy_for: Duration::ZERO },
        }
    }

    fn severity(&self, _: &Error) -> Severity {
        Severity::Transient
    }
}

/// The store of an object in the bucket, when there is one.
fn remote<'a>(stores: &'a Stores, key: &ObjectKey) -> Option<&'a Bucket> {
    stores.remote_of(&key.named()?)
}

impl Nvr {
    /// Deletes all garbage on this computer that can be deleted now.
    pub(crate) async fn sweep(&self) -> Result<()> {
        while self.store.purge_some(BATCH).await? > 0 {}
        let (files, objects) = (self.sweep_files().await?, self.sweep_places().await?);
        let (deleted, kept) = (files.0 + objects.0, files.1 + objects.1);
        if deleted + kept > 0 {
            info!(deleted, kept, "deleted footage");
        }
        // What goes from the bucket may have come with it.
        self.bucket_garbage.notify_one();
        Ok(())
    }

    /// Segments in the spool. Gives how many went and how many could not.
    pub(crate) async fn sweep_files(&self) -> Result<(usize, usize)> {
        let worker = self.links()?.worker;
        let (mut after, mut deleted, mut kept) = (0, 0_usize, 0_usize);
        loop {
            let page = self.store.garbage_files(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let files: Vec<_> = page.iter().map(|r| (r.channel.clone(), r.start)).collect();
            let results = worker.delete_segments(&files).await;
            let mut gone = Vec::with_capacity(page.len());
            for (row, result) in page.iter().zip(results) {
                match result {
                    Ok(()) => gone.push(row.id),
                    Err(error) => {
                        kept += 1;
                        if kept == 1 {
                            warn!(channel = %row.channel, start = row.start.ms(), %error, "a file could not be deleted");
                        }
                    }
                }
            }
            deleted += gone.len();
            self.store.garbage_files_gone(gone).await?;
        }
        Ok((deleted, kept))
    }

    /// Clips, snapshots and files of exports in their places.
    async fn sweep_places(&self) -> Result<(usize, usize)> {
        let stores = self.options.stores.now();
        let (mut after, mut deleted, mut kept) = (0, 0_usize, 0_usize);
        loop {
            let page = self.store.garbage_objects(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let mut gone = Vec::new();
            for row in page.iter().filter(|r| r.local) {
                // A key that is none of ours has no file.
                let named = ObjectKey::parse(&row.object_key)
                    .ok()
                    .and_then(|key| Some((key.named()?, key)));
                let result = match named {
                    None => Ok(()),
                    Some((named, key)) => match stores.local_of(&named) {
                        Some(place) => Box::pin(place.delete(&key)).await,
                        None => Err(BucketError::Local(std::io::ErrorKind::NotFound)),
                    },
                };
                match result {
                    Ok(()) => gone.push((row.id, true, false)),
                    Err(error) => {
                        kept += 1;
                        if kept == 1 {
                            warn!(key = row.object_key, %error, "a file could not be deleted");
                        }
                    }
                }
            }
            deleted += gone.len();
            self.store.garbage_objects_gone(gone).await?;
        }
        Ok((deleted, kept))
    }

    /// Deletes all garbage in the bucket that can be deleted now.
    async fn sweep_bucket(&self) -> Result<()> {
        let (mut after, mut deleted, mut kept) = (0, 0_usize, 0_usize);
        loop {
            let page = self.store.garbage_stored(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let rows = page.into_iter().filter_map(|r| Some((r.id, r.object_key?)));
            let asked: Vec<_> = rows.collect();
            let gone = self.delete_stored(&asked).await?;
            kept += asked.len() - gone.len();
            deleted += gone.len();
            self.store.garbage_stored_gone(gone).await?;
        }
        after = 0;
        loop {
            let page = self.store.garbage_objects(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            let rows = page.into_iter().filter(|r| r.remote);
            let asked: Vec<_> = rows.map(|r| (r.id, r.object_key)).collect();
            let gone = self.delete_stored(&asked).await?;
            kept += asked.len() - gone.len();
            deleted += gone.len();
            let gone = gone.into_iter().map(|(id, _)| (id, false, true)).collect();
            self.store.garbage_objects_gone(gone).await?;
        }
        if deleted + kept > 0 {
            info!(deleted, kept, "deleted from the bucket");
        }
        self.break_off().await
    }

    /// Takes back the parts of uploads that nobody will finish. Fails when the destination
    /// cannot be used.
    pub(crate) async fn break_off(&self) -> Result<()> {
        let stores = self.options.stores.now();
        let (mut after, mut count) = (0, 0_usize);
        loop {
            let page = self.store.garbage_multiparts(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for row in page {
                if self.joining.has(&row.multipart) {
                    continue;
                }
                // Nothing of ours can lie under a key that is none.
                let key = ObjectKey::parse(&row.object_key).ok();
                if let Some(key) = key.filter(|k| k.named().is_some()) {
                    let Some(bucket) = remote(&stores, &key) else {
                        continue;
                    };
                    let upload = Upload {
                        key,
                        id: row.multipart,
                    };
                    let broken_off = bucket.abort_upload(&upload);
                    match tokio::time::timeout(PATIENCE, Box::pin(broken_off)).await {
                        Err(_) => return Err(Error::unavailable("The bucket does not answer.")),
                        Ok(Err(error)) if error.is_transient() => return Err(error.into()),
                        Ok(Err(BucketError::Destination(fault))) => match fault {
                            // Of these parts alone.
                            Fault::Refused(_) => continue,
                            fault => return Err(BucketError::Destination(fault).into()),
                        },
                        // A store that knows no such parts has none.
                        Ok(_) => {}
                    }
                }
                count += 1;
                self.store.garbage_multiparts_gone(vec![row.id]).await?;
            }
        }
        if count > 0 {
            info!(count, "broke off uploads in parts");
        }
        Ok(())
    }

    /// Deletes objects. Gives those that are gone; all of them stay while there is no
    /// destination. Fails when the destination cannot be used.
    async fn delete_stored(&self, rows: &[(i64, String)]) -> Result<Vec<(i64, String)>> {
        let stores = self.options.stores.now();
        let mut gone = Vec::with_capacity(rows.len());
        // By area: each has a store of its own.
        let mut areas: Vec<InArea<'_>> = Vec::new();
        for row in rows {
            let Some(key) = ObjectKey::parse(&row.1)
                .ok()
                .filter(|k| k.named().is_some())
            else {
                // Nothing of ours can lie under such a key.
                gone.push(row.clone());
                continue;
            };
            let Some(bucket) = remote(&stores, &key) else {
                continue;
            };
            match areas.iter_mut().find(|a| std::ptr::eq(a.bucket, bucket)) {
                Some(area) => {
                    area.keys.push(key);
                    area.rows.push(row);
                }
                None => areas.push(InArea {
                    bucket,
                    keys: vec![key],
                    rows: vec![row],
                }),
            }
        }
        for InArea { bucket, keys, rows } in areas {
            let left = tokio::time::timeout(PATIENCE, Box::pin(bucket.delete_many(&keys)))
                .await
                .map_err(|_| Error::unavailable("The bucket does not answer."))??;
            if let Some((key, error)) = left.first() {
                warn!(%key, %error, left = left.len(), "objects could not be deleted");
            }
            for (key, row) in keys.iter().zip(rows) {
                if !left.iter().any(|(l, _)| l == key) {
                    gone.push(row.clone());
                }
            }
        }
        Ok(gone)
    }
}

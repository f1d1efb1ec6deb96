//! Half files of a process that was killed: taken away at the next start, in every local place.
//!
//! Not here: files that are being made now.

use std::{collections::BTreeSet, path::PathBuf, time::SystemTime};

use oriel_bucket::{Bucket, FolderBucket, SharedStores};
use tokio_util::sync::CancellationToken;

/// Clears each local place once, as soon as it is known.
pub(crate) fn spawn(stores: SharedStores, cancel: CancellationToken) {
    let began = SystemTime::now();
    tokio::spawn(async move {
        let mut changes = stores.subscribe();
        let mut cleared = BTreeSet::new();
        loop {
            let now = changes.borrow_and_update().clone();
            for bucket in now.local.values() {
                if let Bucket::Folder(folder) = bucket
                    && cleared.insert(folder.root().to_owned())
                {
                    clear(folder.clone(), began).await;
                }
            }
            match cancel.run_until_cancelled(changes.changed()).await {
                Some(Ok(())) => {}
                _ => return,
            }
        }
    });
}

async fn clear(folder: FolderBucket, began: SystemTime) {
    let root: PathBuf = folder.root().to_owned();
    let cleared = tokio::task::spawn_blocking(move || folder.clear_scratch_blocking(began));
    match cleared.await {
        Ok(Ok(0)) => {}
        Ok(Ok(count)) => {
            tracing::info!(count, root = %root.display(), "unfinished files taken away");
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, root = %root.display(), "unfinished files stay");
        }
        Err(fault) => tracing::error!(%fault, "clearing unfinished files failed"),
    }
}

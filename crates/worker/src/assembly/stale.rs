//! Half files of a process that was killed: taken away at the next start in every local place,
//! and in a folder that is the destination once they are old.
//!
//! Not here: files that are being made now.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use oriel_bucket::{Bucket, FolderBucket, SharedStores, Stores};
use tokio_util::sync::CancellationToken;

/// Another recorder may write into the same destination: what it has not touched for so long is
/// no file in the making.
const OLD: Duration = Duration::from_secs(24 * 3600);
/// The destination is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(6 * 3600);

/// Clears each local place once, as soon as it is known, and the destination now and then.
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
            for folder in destinations(&now) {
                let before = SystemTime::now().checked_sub(OLD);
                clear(folder, before.unwrap_or(SystemTime::UNIX_EPOCH)).await;
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    });
}

/// Folders that are the destination.
fn destinations(stores: &Stores) -> Vec<FolderBucket> {
    let areas = stores.remote.as_ref().map(|r| &r.areas);
    let mut folders: Vec<FolderBucket> = Vec::new();
    for bucket in areas.into_iter().flat_map(|a| [&a.incoming, &a.produced]) {
        if let Bucket::Folder(folder) = bucket
            && folders.iter().all(|f| f.root() != folder.root())
        {
            folders.push(folder.clone());
        }
    }
    folders
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

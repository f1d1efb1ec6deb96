//! What a folder needs of the file system, and what its errors mean.

use std::{
    fs::{self, Metadata},
    io::{self, ErrorKind},
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use oriel_api::Timestamp;

use crate::{BucketError, Fault, Interruption, ObjectKey, Stat};

/// What an error at the destination asks for.
pub(super) fn fault(error: &io::Error) -> BucketError {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            BucketError::Destination(Fault::ReadOnly)
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BucketError::Destination(Fault::Full),
        kind => BucketError::Transient(Interruption::Folder(kind)),
    }
}

/// Whether there is nothing at a path: no such name, or a file where a folder would have to be.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

pub(super) fn modified(meta: &Metadata) -> Option<Timestamp> {
    let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis())
        .ok()
        .map(Timestamp::from_ms)
}

pub(super) fn stat(key: ObjectKey, meta: &Metadata) -> Stat {
    Stat {
        key,
        size: meta.len(),
        modified: modified(meta),
        etag: None,
    }
}

/// How long work on so many bytes may take on a slow share.
pub(super) fn long(bytes: u64) -> Duration {
    Duration::from_secs(60 + bytes / (1024 * 1024))
}

/// Makes `folder` below `root`, each new level durable.
pub(super) fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    make_folders(root, parent)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => sync_folder(parent),
    }
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Windows keeps names durable by itself and cannot open folders this way.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

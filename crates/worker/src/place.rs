//! The folder of recordings: whether it is the one that is known, whether it can be written, and
//! that one process has it.
//!
//! A random mark lies in the folder and is known to the nvr. A folder without it is taken for the
//! empty mount point of a disk that is not connected: nothing is written there and no row is
//! called missing. The folder is looked at again all the time, so that a disk that comes, goes
//! or turns read-only is noticed by itself.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use oriel_api::{
    Error, ErrorCode, Result,
    link::{DiskFault, NvrLink},
};
use tracing::{error, info, warn};

use crate::{
    platform::{explain, sync_folder},
    recover::{LOCK, MARK},
    spool::Spool,
    sync::lock,
};

/// Longest mark that is read.
const MARK_MAX: u64 = 64;

const MISSING: &str = "The recordings folder is not the one that is known: most likely its disk \
                       is not connected. Nothing is recorded. Connect the disk, and recording goes \
                       on by itself. If the footage is gone for good, set the same folder again \
                       for recordings on the storage page to begin anew in it.";

/// What is known of the folder.
#[derive(Default)]
pub(crate) struct Place {
    usable: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    fault: Option<(DiskFault, String)>,
    /// Held as long as this process records here.
    lock: Option<File>,
    mark: Option<String>,
}

/// What lies in the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The mark; empty in a folder that was used before there were marks.
    pub(crate) mark: Option<String>,
}

/// What came of trying to take it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is ours.
    Yes,
    /// Another process has it.
    Busy,
    /// Not at present; tried again.
    No,
}

impl Place {
    /// Whether files may be made there now.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable.load(Ordering::Acquire)
    }

    /// Why not.
    pub(crate) fn fault(&self) -> Option<(DiskFault, String)> {
        lock(&self.inner).fault.clone()
    }

    /// Lets go of the folder.
    pub(crate) fn release(&self) {
        self.usable.store(false, Ordering::Release);
        *lock(&self.inner) = Inner::default();
    }

    fn refuse(&self, fault: DiskFault, message: String) -> Taken {
        self.usable.store(false, Ordering::Release);
        let mut inner = lock(&self.inner);
        let new = Some((fault, message));
        if inner.fault != new {
            error!(?fault, "the recordings folder cannot be used");
        }
        inner.fault = new;
        // A handle on a disk that went away keeps it from being taken off.
        inner.lock = None;
        inner.mark = None;
        Taken::No
    }

    fn refuse_io(&self, error: &io::Error) -> Taken {
        let fault = match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                DiskFault::ReadOnly
            }
            _ => DiskFault::Missing,
        };
        self.refuse(fault, explain(error))
    }

    /// Takes the folder for this process, if it is the known one or the nvr takes it for that.
    ///
    /// # Errors
    /// As the nvr does, when it cannot be asked.
    pub(crate) async fn take(&self, spool: &Spool, nvr: &dyn NvrLink) -> Result<Taken> {
        let root = spool.root();
        let seen = match on_disk(move || look(&root)).await {
            Ok(seen) => seen,
            Err(error) => return Ok(self.refuse_io(&error)),
        };
        if !nvr.recordings_place(seen.mark.as_deref()).await? {
            return Ok(self.refuse(DiskFault::Missing, MISSING.into()));
        }
        let root = spool.root();
        let known = seen.mark.filter(|m| !m.is_empty());
        let (file, mark) = match on_disk(move || occupy(&root, known)).await {
            Ok(Some(taken)) => taken,
            Ok(None) => return Ok(Taken::Busy),
            Err(error) => return Ok(self.refuse_io(&error)),
        };
        if !nvr.recordings_place(Some(&mark)).await? {
            return Ok(self.refuse(DiskFault::Missing, MISSING.into()));
        }
        let mut inner = lock(&self.inner);
        if inner.fault.take().is_some() {
            info!("the recordings folder can be used again");
        }
        inner.lock = Some(file);
        inner.mark = Some(mark);
        self.usable.store(true, Ordering::Release);
        Ok(Taken::Yes)
    }

    /// Takes another folder for what is made from now on, and lets go of the one before.
    ///
    /// # Errors
    /// `conflict` when another process has it, `storage_unavailable` when it cannot be used.
    pub(crate) async fn change(
        &self,
        root: PathBuf,
        nvr: &dyn NvrLink,
        switch: impl FnOnce(),
    ) -> Result<()> {
        let refused = |e: io::Error| Error::new(ErrorCode::StorageUnavailable, explain(&e));
        let seen = {
            let root = root.clone();
            on_disk(move || look(&root)).await.map_err(refused)?
        };
        let known = seen.mark.filter(|m| !m.is_empty());
        let (file, mark) = on_disk(move || occupy(&root, known))
            .await
            .map_err(refused)?
            .ok_or_else(|| Error::conflict("Another Oriel records into this folder."))?;
        if !nvr.recordings_place(Some(&mark)).await? {
            return Err(Error::conflict("This folder is not the one that is known."));
        }
        let mut inner = lock(&self.inner);
        switch();
        *inner = Inner {
            fault: None,
            lock: Some(file),
            mark: Some(mark),
        };
        self.usable.store(true, Ordering::Release);
        Ok(())
    }

    /// Looks whether the folder that was taken is still there and can be written.
    pub(crate) async fn check(&self, spool: &Spool) {
        let Some(mark) = lock(&self.inner).mark.clone() else {
            return;
        };
        let (root, known) = (spool.root(), mark.clone());
        let seen = on_disk(move || {
            let same = look(&root)?.mark.as_ref() == Some(&mark);
            if same {
                // A file system that found itself damaged turns read-only.
                OpenOptions::new().write(true).open(root.join(LOCK))?;
            }
            Ok(same)
        })
        .await;
        // Another folder was taken meanwhile: what was seen says nothing about it.
        if lock(&self.inner).mark.as_ref() != Some(&known) {
            return;
        }
        match seen {
            Ok(true) => {}
            Ok(false) => {
                self.refuse(DiskFault::Missing, MISSING.into());
            }
            Err(error) => {
                self.refuse_io(&error);
            }
        }
    }

    /// Whether what is not found is gone for good: every folder that may hold it is looked at
    /// now, and is the one that is known.
    pub(crate) async fn vouches(&self, spool: &Spool) -> bool {
        self.check(spool).await;
        if !self.is_usable() {
            return false;
        }
        let Some(old) = spool.old() else {
            return true;
        };
        // Without a mark it is an empty mount point, or was emptied a moment ago.
        on_disk(move || look(&old))
            .await
            .is_ok_and(|seen| seen.mark.is_some())
    }
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// Looks without touching anything.
pub(crate) fn look(root: &Path) -> io::Result<Seen> {
    let mut text = String::new();
    match File::open(root.join(MARK)) {
        Ok(file) => {
            file.take(MARK_MAX).read_to_string(&mut text)?;
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mark = text.trim();
    if mark.len() >= 12 && mark.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(Seen {
            mark: Some(mark.to_owned()),
        });
    }
    // Before there were marks the lock alone was there, also on a mount point that somebody
    // recorded into by mistake: only footage tells.
    let footage = has_channels(root)?;
    Ok(Seen {
        mark: footage.then(String::new),
    })
}

fn has_channels(root: &Path) -> io::Result<bool> {
    let entries = match std::fs::read_dir(root) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|n| n.parse::<oriel_api::ChannelId>().is_ok())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes and locks the folder, and its mark when there is none. `None` when another process has
/// it.
pub(crate) fn occupy(root: &Path, known: Option<String>) -> io::Result<Option<(File, String)>> {
    std::fs::create_dir_all(root)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(root.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => {
            // Some network file systems have no locks; recording there is still allowed.
            warn!(%error, "the recordings folder cannot be locked");
        }
    }
    let mark = match known {
        Some(mark) => mark,
        None => make_mark(root)?,
    };
    Ok(Some((file, mark)))
}

/// Whether another process has the folder.
pub(crate) fn is_taken(root: &Path) -> bool {
    // Opened and not made: looking leaves nothing behind.
    File::open(root.join(LOCK)).is_ok_and(|file| {
        matches!(
            file.try_lock_shared(),
            Err(std::fs::TryLockError::WouldBlock)
        )
    })
}

/// Writes a new mark so that it is whole or not there.
fn make_mark(root: &Path) -> io::Result<String> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
    let mark: String = random.iter().map(|b| format!("{b:02x}")).collect();
    let part: PathBuf = root.join(format!("{MARK}.part"));
    let mut file = File::create(&part)?;
    writeln!(file, "{mark}")?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&part, root.join(MARK))?;
    sync_folder(root)?;
    Ok(mark)
}

/// For a caller that may not go on.
pub(crate) fn unusable(place: &Place) -> Error {
    let message = place.fault().map_or_else(
        || "The recordings folder is being looked at.".into(),
        |f| f.1,
    );
    Error::new(ErrorCode::StorageUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_refuses_writing_is_told_from_one_that_is_gone() {
        let place = Place::default();
        for (kind, fault) in [
            (io::ErrorKind::ReadOnlyFilesystem, DiskFault::ReadOnly),
            (io::ErrorKind::PermissionDenied, DiskFault::ReadOnly),
            (io::ErrorKind::NotFound, DiskFault::Missing),
            (io::ErrorKind::Other, DiskFault::Missing),
        ] {
            assert_eq!(place.refuse_io(&kind.into()), Taken::No);
            assert_eq!(place.fault().unwrap().0, fault);
            assert!(!place.is_usable());
        }
    }

    #[test]
    fn a_mark_is_made_once_and_an_old_lock_counts_with_footage_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("recordings");
        assert_eq!(look(&root).unwrap(), Seen::default());
        let (lock, mark) = occupy(&root, None).unwrap().unwrap();
        assert_eq!(look(&root).unwrap().mark, Some(mark.clone()));
        assert!(occupy(&root, Some(mark.clone())).unwrap().is_none());
        drop(lock);
        let (_lock, again) = occupy(&root, Some(mark.clone())).unwrap().unwrap();
        assert_eq!(again, mark);
        std::fs::write(root.join(MARK), "../../hostile").unwrap();
        assert_eq!(look(&root).unwrap().mark, None);
        std::fs::create_dir(root.join("abcdefghijkm")).unwrap();
        assert_eq!(look(&root).unwrap().mark, Some(String::new()));
    }
}

//! The data folder: where it is by default, and that one recorder has it at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another recorder has it.
    #[error(
        "Another Oriel uses the folder {}. Close it first, or give this one a folder of its own with --data.",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("The data folder {} cannot be used: {source}", path.display())]
    Refused {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no place where programs keep their data.
    #[error("This system names no folder for data of programs. Give one with --data.")]
    NoDefault,
}

/// A data folder that this process has for itself until dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder when it is not there, and takes it.
    pub fn take(path: &Path) -> Result<Self, DataDirError> {
        let refused = |source| DataDirError::Refused {
            path: path.to_owned(),
            source,
        };
        make(path).map_err(refused)?;
        let path = std::path::absolute(path).map_err(refused)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(refused)?;
        // The lock ends with the process, however it ends; the file means nothing by itself.
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(refused(source)),
        }
    }

    /// Whether a recorder has this folder now.
    pub fn is_taken(path: &Path) -> bool {
        // Opened and not made: looking leaves nothing behind.
        File::open(path.join("lock")).is_ok_and(|lock| {
            // Shared, so that two who look at once do not take each other for a recorder.
            matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database.
    pub fn database(path: &Path) -> PathBuf {
        path.join("oriel.db")
    }

    /// The folder of recordings.
    pub fn recordings(path: &Path) -> PathBuf {
        path.join("recordings")
    }
}

#[cfg(unix)]
fn make(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(not(unix))]
fn make(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|v| !v.is_empty())
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
}

/// Where this system keeps data of programs: `$XDG_DATA_HOME/oriel` or `~/.local/share/oriel`,
/// `%LOCALAPPDATA%\Oriel`, `~/Library/Application Support/Oriel`.
pub fn default_data_dir() -> Result<PathBuf, DataDirError> {
    let found = if cfg!(target_os = "windows") {
        variable("LOCALAPPDATA").map(|p| p.join("Oriel"))
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|p| p.join("Library/Application Support/Oriel"))
    } else {
        variable("XDG_DATA_HOME")
            .or_else(|| variable("HOME").map(|p| p.join(".local/share")))
            .map(|p| p.join("oriel"))
    };
    found.ok_or(DataDirError::NoDefault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_free_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert!(!DataDir::is_taken(&path));
        let first = DataDir::take(&path).unwrap();
        assert!(DataDir::is_taken(&path));
        assert!(matches!(
            DataDir::take(&path),
            Err(DataDirError::InUse { .. })
        ));
        drop(first);
        assert!(!DataDir::is_taken(&path));
        DataDir::take(&path).unwrap();
    }
}

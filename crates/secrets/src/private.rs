//! Files that only this user may read, replaced as a whole or not at all.
//!
//! On Unix the mode says who may read. On Windows a file takes the access list of its folder,
//! and the data folder lies in the user's own profile.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
};

use crate::{Result, SecretError};

#[cfg(unix)]
mod system {
    use std::{
        fs::{DirBuilder, File, OpenOptions},
        io,
        os::unix::fs::{DirBuilderExt, OpenOptionsExt},
        path::Path,
    };

    pub(super) fn only_owner(options: &mut OpenOptions) {
        options.mode(0o600);
    }

    pub(super) fn create_folder(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

#[cfg(not(unix))]
mod system {
    use std::{fs::OpenOptions, io, path::Path};

    pub(super) fn only_owner(_: &mut OpenOptions) {}

    pub(super) fn create_folder(path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    // A folder cannot be opened as a file here; the rename itself is journalled.
    pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
        Ok(())
    }
}

fn at<T>(path: &Path, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|source| SecretError::File {
        path: path.to_owned(),
        source,
    })
}

/// Makes a folder, and those above it, for this user alone.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    at(path, system::create_folder(path))
}

/// The whole file; `None` when it does not exist. Longer than `limit` bytes is damage.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => at(path, other)?,
    };
    let mut bytes = Vec::new();
    at(path, file.take(limit + 1).read_to_end(&mut bytes))?;
    if bytes.len() as u64 > limit {
        return Err(SecretError::Damaged {
            path: path.to_owned(),
            reason: "it is far too long.",
        });
    }
    Ok(Some(bytes))
}

/// Replaces a file: written beside it, synced, renamed over it, folder synced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    system::only_owner(&mut options);
    // What a crash left behind may have another mode, so it is not reused.
    match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => at(&beside, Err(e))?,
        _ => {}
    }
    let mut file = at(&beside, options.open(&beside))?;
    at(&beside, file.write_all(bytes))?;
    at(&beside, file.sync_all())?;
    drop(file);
    at(path, std::fs::rename(&beside, path))?;
    match path.parent() {
        Some(folder) => at(folder, system::sync_folder(folder)),
        None => Ok(()),
    }
}

/// Holds off other processes until dropped.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    system::only_owner(&mut options);
    let file = at(path, options.open(path))?;
    at(path, file.lock())?;
    Ok(file)
}

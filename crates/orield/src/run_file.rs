//! `run.json`: where the running recorder of a data folder listens, for commands beside it.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// `http://127.0.0.1:PORT`.
    pub base_url: String,
    /// Process.
    pub pid: u32,
}

fn path(folder: &Path) -> PathBuf {
    folder.join("run.json")
}

impl RunFile {
    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let beside = folder.join("run.json.new");
        std::fs::write(&beside, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(beside, path(folder))
    }

    /// Removes it; it is no fault when it is gone.
    pub(crate) fn remove(folder: &Path) {
        if let Err(error) = std::fs::remove_file(path(folder))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "run.json could not be removed");
        }
    }

    /// Reads it; `None` when no recorder runs, as far as the file knows.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path(folder)).ok()?).ok()
    }
}

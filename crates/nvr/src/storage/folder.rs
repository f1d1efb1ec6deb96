//! Folders that somebody names: they lie below an approved root, also once links are followed.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use oriel_api::{Error, PlaceKind, Result};

use crate::Nvr;

/// A disk may take this long to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at a disk, which may be a share whose server is gone.
pub(crate) async fn looked<T: Send + 'static>(
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(look))
        .await
        .map_err(|_| Error::unavailable("The disk of this folder does not answer."))?
        .map_err(Error::internal)
}

fn approved(roots: &[PathBuf], given: &Path) -> Result<PathBuf> {
    if !given.is_absolute() {
        return Err(Error::invalid("Give the whole path of the folder."));
    }
    let found = given
        .canonicalize()
        .ok()
        .filter(|p| p.is_dir())
        .ok_or_else(|| {
            Error::invalid("There is no such folder. Create it, or connect its disk, first.")
        })?;
    let below = |root: &PathBuf| root.canonicalize().is_ok_and(|r| found.starts_with(r));
    if !roots.iter().any(below) {
        return Err(Error::invalid(
            "This folder is not below an approved one. Folders are approved where the recorder is started.",
        ));
    }
    // What cannot be said in an answer cannot be compared later.
    if found.to_str().is_none() {
        return Err(Error::invalid("The folder's path is not plain text."));
    }
    Ok(found)
}

impl Nvr {
    /// The folders below which places and a destination may be.
    pub(crate) fn approved_roots(&self) -> Vec<PathBuf> {
        let data = Some(self.options.data_dir.clone()).filter(|d| !d.as_os_str().is_empty());
        data.into_iter()
            .chain(self.options.approved_roots.iter().cloned())
            .collect()
    }

    /// A folder that exists and is an approved root or below one, with all links followed.
    ///
    /// # Errors
    /// `invalid_argument` when it is not, `unavailable` when its disk does not answer.
    pub(crate) async fn approved_folder(&self, given: &str) -> Result<PathBuf> {
        let (roots, given) = (self.approved_roots(), PathBuf::from(given.trim()));
        looked(move || approved(&roots, &given)).await?
    }

    /// A folder for copies of what the places hold: it must not be where the originals are.
    pub(super) async fn destination_folder(&self, given: &str) -> Result<PathBuf> {
        let folder = self.approved_folder(given).await?;
        let places: Vec<PathBuf> = self.place_roots().await?.into_values().collect();
        let mixed = {
            let folder = folder.clone();
            looked(move || {
                let roots = places.iter().filter_map(|r| r.canonicalize().ok());
                roots.into_iter().any(|root| {
                    let within = |name: &str| folder.starts_with(root.join(name));
                    folder == root || KINDS.iter().any(|(_, name)| within(name))
                })
            })
            .await?
        };
        if mixed {
            return Err(Error::invalid(
                "The recorder keeps its own files in this folder. Choose another one, best on another disk.",
            ));
        }
        Ok(folder)
    }
}

/// Every kind of place and the folder of that kind below its root.
pub(crate) const KINDS: [(PlaceKind, &str); 5] = [
    (PlaceKind::Recordings, "recordings"),
    (PlaceKind::Snapshots, "snapshots"),
    (PlaceKind::Clips, "clips"),
    (PlaceKind::Exports, "exports"),
    (PlaceKind::Logs, "logs"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_a_root() {
        let root = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let inside = root.path().join("disk");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(root.path().join("file"), b"").unwrap();
        let roots = [root.path().to_owned()];
        assert_eq!(
            approved(&roots, &inside).unwrap(),
            inside.canonicalize().unwrap()
        );
        assert!(approved(&roots, root.path()).is_ok());
        for bad in [
            other.path().to_owned(),
            root.path().join("missing"),
            root.path().join("file"),
            inside.join("../.."),
            PathBuf::from("disk"),
            PathBuf::from(""),
        ] {
            assert!(approved(&roots, &bad).is_err(), "{}", bad.display());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_followed_and_refused() {
        let root = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        std::os::unix::fs::symlink(other.path(), &link).unwrap();
        assert!(approved(&[root.path().to_owned()], &link).is_err());
    }
}

//! Where files lie on this computer, and their way from one place to another.
//!
//! New files go to the new place at once. Older ones are moved in the background, one after the
//! other: recordings by the worker, what is made here by this task. Until then they are found in
//! both. The row of the place says so until everything is moved, so a restart goes on with it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use oriel_api::{Error, ErrorCode, Place, PlaceKind, PlaceUpdate, Result, Storage};
use oriel_bucket::{Bucket, BucketError, FolderBucket, ObjectKey};
use oriel_store::PlaceRow;
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Nvr,
    disk::size,
    storage::{KINDS, looked},
};

/// How often a move is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How often everything is looked at when nothing is known to move.
const SELDOM: Duration = Duration::from_secs(60);
/// Objects of a kind that are moved before the other kinds have their turn.
const TURN: usize = 100;
/// Free bytes that a move must leave.
const SPARE: u64 = 1_000_000_000;

struct Places(Arc<Nvr>);

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = nvr.moving.clone();
    tokio::spawn(async move {
        supervise("places", Places(nvr), status, nudge, cancel).await;
    })
}

impl Supervised for Places {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        let nvr = &self.0;
        let result = loop {
            let moving = tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                moved = nvr.move_some() => match moved {
                    Ok(moving) => moving,
                    Err(error) => break Err(error),
                },
            };
            let wait = if moving { EVERY } else { SELDOM };
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                () = nvr.moving.notified() => {}
                () = tokio::time::sleep(wait) => {}
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

fn folder_of(kind: PlaceKind) -> &'static str {
    let found = KINDS.iter().find(|k| k.0 == kind);
    found.map_or("", |k| k.1)
}

/// Bytes and files below a folder.
fn weigh(folder: &Path) -> std::io::Result<(u64, u64)> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((0, 0)),
        entries => entries?,
    };
    let (mut bytes, mut files) = (0, 0);
    for entry in entries {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            let below = weigh(&entry.path())?;
            (bytes, files) = (bytes + below.0, files + below.1);
        } else if meta.is_file() {
            (bytes, files) = (bytes + meta.len(), files + 1);
        }
    }
    Ok((bytes, files))
}

fn space(folder: &Path) -> Option<(u64, u64)> {
    let stats = fs4::statvfs(folder).ok()?;
    Some((stats.available_space(), stats.total_space()))
}

/// Whether a file can be made there.
fn writable(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(".oriel-probe");
    std::fs::write(&probe, b"")?;
    std::fs::remove_file(probe)
}

/// Whether what lies in one folder fits into the other.
fn fits(kind: PlaceKind, from: &Path, to: &Path) -> Result<()> {
    writable(to).map_err(|e| {
        Error::new(
            ErrorCode::StorageUnavailable,
            format!("Oriel cannot write to this folder: {e}."),
        )
    })?;
    let (here, there) = (space(from), space(to));
    // The same disk: files are renamed or copied one by one.
    let (Some(there), false) = (there, here == there) else {
        return Ok(());
    };
    let (bytes, _) = weigh(&from.join(folder_of(kind))).map_err(Error::internal)?;
    if bytes.saturating_add(SPARE) > there.0 {
        return Err(Error::conflict(format!(
            "What is to be moved takes {}, and only {} are free there.",
            size(bytes),
            size(there.0)
        )));
    }
    Ok(())
}

impl Nvr {
    /// A root as stored; empty is the data folder, which may itself be moved between starts.
    pub(crate) fn root_of(&self, stored: &str) -> PathBuf {
        if stored.is_empty() {
            self.options.data_dir.clone()
        } else {
            stored.into()
        }
    }

    /// The place of a kind as stored; its root is empty while it is the data folder.
    async fn place_row(&self, kind: PlaceKind) -> Result<PlaceRow> {
        let rows = self.store.places().await?;
        let found = rows.into_iter().find(|r| r.kind == kind);
        Ok(found.unwrap_or(PlaceRow {
            kind,
            root: String::new(),
            mark: None,
            moving_from: None,
        }))
    }

    /// Roots from which files are being moved.
    pub(crate) async fn moving_roots(&self) -> Result<BTreeMap<PlaceKind, PathBuf>> {
        let rows = self.store.places().await?;
        let moving = rows
            .into_iter()
            .filter_map(|r| Some((r.kind, self.root_of(&r.moving_from?))));
        Ok(moving.collect())
    }

    /// The folder of recordings, and the one that they are being moved from.
    pub async fn recordings_folders(&self) -> Result<(PathBuf, Option<PathBuf>)> {
        let row = self.place_row(PlaceKind::Recordings).await?;
        let folder = |root: &str| self.root_of(root).join(folder_of(PlaceKind::Recordings));
        Ok((folder(&row.root), row.moving_from.as_deref().map(folder)))
    }

    /// The folder of logs.
    pub async fn logs_folder(&self) -> Result<PathBuf> {
        let row = self.place_row(PlaceKind::Logs).await?;
        Ok(self.root_of(&row.root).join(folder_of(PlaceKind::Logs)))
    }

    /// Whether the folder with this mark is the known one. A mark is taken when none is known;
    /// an empty one is that of a folder with footage from before there were marks.
    pub(crate) async fn is_known_place(&self, mark: Option<&str>) -> Result<bool> {
        let row = self.place_row(PlaceKind::Recordings).await?;
        match (row.mark.as_deref(), mark) {
            // Nothing there: right as long as nothing should be.
            (None, None) => Ok(!self.store.has_local().await?),
            (None, Some("")) | (Some(""), None | Some("")) => Ok(true),
            (None | Some(""), Some(mark)) => {
                let mark = Some(mark.to_owned());
                self.store.place_set(PlaceRow { mark, ..row }).await?;
                Ok(true)
            }
            (Some(known), Some(mark)) => Ok(known == mark),
            (Some(_), None) => Ok(false),
        }
    }

    /// All places as they are.
    pub(crate) async fn places(&self) -> Result<Vec<Place>> {
        let stores = self.options.stores.now();
        let (roots, moving) = (self.place_roots().await?, self.moving_roots().await?);
        let left = self
            .moves
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let disk = self.disk_now();
        let mut places = Vec::new();
        for (kind, _) in KINDS {
            let Some(root) = roots.get(&kind).cloned() else {
                continue;
            };
            let of = root.clone();
            let space = looked(move || space(&of)).await.ok().flatten();
            let closed = match kind {
                PlaceKind::Recordings => None,
                PlaceKind::Logs => space.is_none().then_some(UNUSABLE),
                _ => (!stores.local.contains_key(&kind)).then_some(UNUSABLE),
            };
            let faulty =
                kind == PlaceKind::Recordings && disk.level >= oriel_api::DiskLevel::Missing;
            places.push(Place {
                kind,
                root: root.display().to_string(),
                free: space.map(|s| s.0),
                total: space.map(|s| s.1),
                error: faulty
                    .then(|| disk.message.clone())
                    .or(closed.map(str::to_owned)),
                moving_from: moving.get(&kind).map(|r| r.display().to_string()),
                moving_left: left
                    .get(&kind)
                    .copied()
                    .filter(|_| moving.contains_key(&kind)),
            });
        }
        Ok(places)
    }

    /// Sets a place elsewhere. The same place again begins anew in it when its disk was
    /// replaced.
    pub(crate) async fn update_place(&self, input: PlaceUpdate) -> Result<Storage> {
        let worker = self.links()?.worker;
        let folder = self.approved_folder(&input.root).await?;
        let _editing = self.editing.lock().await;
        let before = self.place_row(input.kind).await?;
        let old = self.root_of(&before.root);
        let data = self.options.data_dir.clone();
        let (of, now, kind) = (folder.clone(), old.clone(), input.kind);
        let (same, own) = looked(move || {
            let is = |path: &Path| path.canonicalize().is_ok_and(|p| p == of);
            (is(&now), is(&data))
        })
        .await?;
        let made_here = !matches!(kind, PlaceKind::Recordings | PlaceKind::Logs);
        if same {
            if made_here {
                FolderBucket::set_up(&folder).await?;
                self.open_stores().await;
            } else if kind == PlaceKind::Recordings {
                self.accept_recordings(before).await?;
            }
            return self.storage().await;
        }
        if before.moving_from.is_some() {
            return Err(Error::conflict(
                "Files of this kind are still being moved. Wait until they are.",
            ));
        }
        let destination = self.storage_settings().folder;
        if destination.is_some_and(|d| Path::new(&d) == folder) {
            return Err(Error::invalid(
                "This folder is the destination of uploads. Choose another one.",
            ));
        }
        let (from, to) = (old.clone(), folder.clone());
        // Weighs what may be many files; the disk's own deadline would be too short.
        tokio::task::spawn_blocking(move || fits(kind, &from, &to))
            .await
            .map_err(Error::internal)??;
        if made_here {
            FolderBucket::set_up(&folder).await?;
        }
        let text = folder.to_str().unwrap_or_default().to_owned();
        let row = PlaceRow {
            kind,
            root: if own { String::new() } else { text },
            // The mark of the new folder is taken when it is made.
            mark: (kind == PlaceKind::Recordings).then(String::new),
            moving_from: (kind != PlaceKind::Logs).then(|| before.root.clone()),
        };
        self.store.place_set(row).await?;
        if kind == PlaceKind::Recordings {
            let name = folder_of(kind);
            let set = worker.set_recordings(folder.join(name), Some(old.join(name)));
            if let Err(error) = set.await {
                self.store.place_set(before).await?;
                return Err(error);
            }
        }
        info!(?kind, folder = %folder.display(), "a place is elsewhere from now on");
        self.open_stores().await;
        self.moving.notify_one();
        self.storage().await
    }

    /// The next folder of recordings that is found is the right one, when the known one is gone.
    async fn accept_recordings(&self, row: PlaceRow) -> Result<()> {
        if self.disk_now().level != oriel_api::DiskLevel::Missing {
            return Ok(());
        }
        info!("the recordings folder is begun anew");
        let mark = Some(String::new());
        self.store.place_set(PlaceRow { mark, ..row }).await?;
        Ok(())
    }

    /// Moves for a while. Gives whether anything is still to be moved.
    async fn move_some(&self) -> Result<bool> {
        let worker = self.links()?.worker;
        let (roots, moving) = (self.place_roots().await?, self.moving_roots().await?);
        for (kind, old) in &moving {
            let done = if *kind == PlaceKind::Recordings {
                self.moved_left(*kind, worker.recordings_left());
                !worker.recordings_move()
            } else {
                let root = roots.get(kind).cloned().unwrap_or_default();
                // One that is away must not hold up the others.
                self.move_made(*kind, old, &root)
                    .await
                    .unwrap_or_else(|error| {
                        warn!(?kind, from = %old.display(), %error, "files could not be moved; will try again");
                        false
                    })
            };
            if done {
                let row = self.place_row(*kind).await?;
                let moving_from = None;
                self.store
                    .place_set(PlaceRow { moving_from, ..row })
                    .await?;
                self.moved_left(*kind, None);
                info!(?kind, from = %old.display(), "everything is moved");
                self.open_stores().await;
            }
        }
        Ok(!moving.is_empty())
    }

    fn left_of(&self, kind: PlaceKind) -> Option<u64> {
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        moves.get(&kind).copied()
    }

    fn moved_left(&self, kind: PlaceKind, left: Option<u64>) {
        let mut moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        match left {
            Some(left) => moves.insert(kind, left),
            None => moves.remove(&kind),
        };
    }

    /// Moves some objects of a kind that is made here. Gives whether none is left.
    async fn move_made(&self, kind: PlaceKind, old: &Path, root: &Path) -> Result<bool> {
        let from = FolderBucket::open(old, None).await?;
        let to = FolderBucket::open(root, None).await?;
        let name = folder_of(kind);
        let under = ObjectKey::parse(name).map_err(Error::internal)?;
        // Counted once: each look at a large folder takes its time.
        let mut left = match self.left_of(kind) {
            Some(left) => left,
            None => {
                let of = old.join(name);
                let weighed = tokio::task::spawn_blocking(move || weigh(&of)).await;
                weighed
                    .map_err(Error::internal)?
                    .map_err(Error::internal)?
                    .1
            }
        };
        self.moved_left(kind, Some(left));
        let page = Bucket::Folder(from.clone())
            .list(Some(&under), None, TURN)
            .await?;
        for object in &page.objects {
            match Box::pin(to.take_over(&from, &object.key)).await {
                Ok(()) | Err(BucketError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
            left = left.saturating_sub(1);
            self.moved_left(kind, Some(left));
        }
        Ok(page.objects.is_empty())
    }
}

const UNUSABLE: &str =
    "This folder cannot be used. Check that its disk is connected and can be written.";

//! A bucket that is a local folder (or a mounted share): keys are paths below it.
//!
//! Whatever is being written lies in `.oriel` inside the folder until it is whole, on the same
//! file system, so that an object appears at once or not at all. `.oriel` also tells the folder
//! from an empty mount point: when its disk is missing, calls fail instead of filling the wrong
//! disk.

mod disk;
mod list;
mod multipart;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use oriel_api::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{
    BucketError, ByteRange, Fault, Feature, Object, ObjectKey, Page, PutOptions, SignedUrl, Signer,
    Source, Stat, Stored, Verb, Verified,
    object::{Body, resolve},
    source::{Progress, blocking},
};
use disk::{fault, sync_folder};

/// The folder's own corner.
const OWN: &str = ".oriel";
/// How long a call may take that moves no content.
const DEADLINE: Duration = Duration::from_secs(30);

/// A folder that holds objects.
#[derive(Clone, Debug)]
pub struct FolderBucket {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Where objects are looked for that are not here yet.
    old: Option<PathBuf>,
    signer: Option<Signer>,
}

async fn quick<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BucketError> + Send + 'static,
) -> Result<T, BucketError> {
    timeout(DEADLINE, blocking(work))
        .await
        .unwrap_or(Err(BucketError::TIMED_OUT))
}

impl FolderBucket {
    /// Makes a folder ready to hold objects. The folder itself must exist: a missing one is more
    /// likely a missing disk than a wish.
    pub async fn set_up(root: impl AsRef<Path>) -> Result<(), BucketError> {
        let root = root.as_ref().to_owned();
        quick(move || {
            if !root.is_dir() {
                return Err(BucketError::Destination(Fault::FolderMissing));
            }
            for part in ["tmp", "uploads"] {
                std::fs::create_dir_all(root.join(OWN).join(part)).map_err(|e| fault(&e))?;
            }
            sync_folder(&root).map_err(|e| fault(&e))
        })
        .await
    }

    /// Opens a folder that was set up. Without a signer there are no signed addresses.
    pub async fn open(root: impl AsRef<Path>, signer: Option<Signer>) -> Result<Self, BucketError> {
        Self::open_moving(root, None, signer).await
    }

    /// The same for a folder into which objects are being moved from an older one: until they
    /// are, they are read and deleted there.
    pub async fn open_moving(
        root: impl AsRef<Path>,
        old: Option<PathBuf>,
        signer: Option<Signer>,
    ) -> Result<Self, BucketError> {
        let root = root.as_ref().to_owned();
        let bucket = Self {
            inner: Arc::new(Inner { root, old, signer }),
        };
        let b = bucket.clone();
        quick(move || b.present()).await?;
        Ok(bucket)
    }

    /// Takes over an object of an older folder: copied, synced and in its place before it goes
    /// there. One that is here already is the newer. May be repeated.
    pub async fn take_over(&self, old: &Self, key: &ObjectKey) -> Result<(), BucketError> {
        let size = match old.stat(key).await {
            Err(BucketError::NotFound) => return Ok(()),
            stat => stat?.size,
        };
        let (me, from, of) = (self.clone(), old.clone(), key.clone());
        let work = blocking(move || {
            let (path, _) = from.find(&of)?;
            let temp = me.temp()?;
            std::fs::copy(path, temp.path()).map_err(|e| fault(&e))?;
            temp.as_file().sync_all().map_err(|e| fault(&e))?;
            match me.place(temp, &of, true) {
                Err(BucketError::AlreadyExists) => {}
                placed => placed?,
            }
            // Deleted meanwhile: then it is not wanted here either.
            match from.find(&of) {
                Err(BucketError::NotFound) => Ok(false),
                found => found.map(|_| true),
            }
        });
        let wanted = timeout(disk::long(size), work)
            .await
            .unwrap_or(Err(BucketError::TIMED_OUT))?;
        if wanted { old } else { self }.delete(key).await
    }

    /// The file of an object, and its size, for whoever reads many of them.
    pub async fn file_of(&self, key: &ObjectKey) -> Result<(PathBuf, u64), BucketError> {
        let (me, key) = (self.clone(), key.clone());
        quick(move || me.find(&key).map(|(path, meta)| (path, meta.len()))).await
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    fn own(&self, part: &str) -> PathBuf {
        self.inner.root.join(OWN).join(part)
    }

    /// Fails when the folder's disk is not there.
    fn present(&self) -> Result<(), BucketError> {
        if self.own("tmp").is_dir() {
            Ok(())
        } else {
            Err(BucketError::Destination(Fault::FolderMissing))
        }
    }

    /// The path of an object, when no link lies on the way.
    fn path(&self, key: &ObjectKey) -> Result<PathBuf, BucketError> {
        Self::path_in(&self.inner.root, key)
    }

    fn path_in(root: &Path, key: &ObjectKey) -> Result<PathBuf, BucketError> {
        let mut path = root.to_owned();
        for part in key.as_str().split('/') {
            path.push(part);
            match path.symlink_metadata() {
                Ok(meta) if meta.is_symlink() => {
                    return Err(BucketError::Destination(Fault::LinkInFolder));
                }
                // What is not there yet cannot lead elsewhere.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(path)
    }

    /// The path and metadata of an object that is there.
    fn find(&self, key: &ObjectKey) -> Result<(PathBuf, std::fs::Metadata), BucketError> {
        match (self.find_in(&self.inner.root, key), &self.inner.old) {
            (Err(BucketError::NotFound), Some(old)) => match self.find_in(old, key) {
                // Moved between the two looks.
                Err(BucketError::NotFound) => self.find_in(&self.inner.root, key),
                found => found,
            },
            (found, _) => found,
        }
    }

    fn find_in(
        &self,
        root: &Path,
        key: &ObjectKey,
    ) -> Result<(PathBuf, std::fs::Metadata), BucketError> {
        let path = Self::path_in(root, key)?;
        match path.metadata() {
            Ok(meta) if meta.is_file() => Ok((path, meta)),
            Ok(_) => Err(BucketError::NotFound),
            Err(e) if disk::is_missing(&e) => self.present().and(Err(BucketError::NotFound)),
            Err(e) => Err(fault(&e)),
        }
    }

    fn temp(&self) -> Result<NamedTempFile, BucketError> {
        NamedTempFile::new_in(self.own("tmp")).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => BucketError::Destination(Fault::FolderMissing),
            _ => fault(&e),
        })
    }

    /// The folder for files that are no object yet, on the same file system.
    pub fn scratch(&self) -> PathBuf {
        self.own("tmp")
    }

    /// A new file of its own, for somebody who fills it without a stream; deleted when dropped.
    /// Waits for the disk: not for the async runtime.
    pub fn new_file_blocking(&self) -> Result<NamedTempFile, BucketError> {
        self.temp()
    }

    /// Makes a file of [`FolderBucket::new_file_blocking`], filled and synced, an object, replacing
    /// any before it. Waits for the disk: not for the async runtime.
    pub fn place_file_blocking(
        &self,
        file: NamedTempFile,
        key: &ObjectKey,
    ) -> Result<(), BucketError> {
        self.place(file, key, false)
    }

    /// Deletes what lies in the scratch folder and was last written before a moment: left by a
    /// process that was killed. Only for a folder that nobody else writes to. Gives how many.
    /// Waits for the disk: not for the async runtime.
    pub fn clear_scratch_blocking(
        &self,
        before: std::time::SystemTime,
    ) -> Result<usize, BucketError> {
        let mut cleared = 0;
        for entry in std::fs::read_dir(self.own("tmp")).map_err(|e| fault(&e))? {
            let entry = entry.map_err(|e| fault(&e))?;
            let modified = entry.metadata().and_then(|meta| meta.modified());
            if modified.is_ok_and(|modified| modified < before) {
                std::fs::remove_file(entry.path()).map_err(|e| fault(&e))?;
                cleared += 1;
            }
        }
        Ok(cleared)
    }

    /// Puts a finished file in its place.
    fn place(&self, temp: NamedTempFile, key: &ObjectKey, new: bool) -> Result<(), BucketError> {
        let path = self.path(key)?;
        let parent = path.parent().unwrap_or(&self.inner.root);
        let mut temp = temp;
        // A deletion may take away the empty folder between the two steps.
        for _ in 0..10 {
            disk::make_folders(&self.inner.root, parent).map_err(|e| fault(&e))?;
            let placed = if new {
                temp.persist_noclobber(&path)
            } else {
                temp.persist(&path)
            };
            match placed {
                Ok(_) => return sync_folder(parent).map_err(|e| fault(&e)),
                Err(e) if new && e.error.kind() == std::io::ErrorKind::AlreadyExists => {
                    return Err(BucketError::AlreadyExists);
                }
                Err(e) if e.error.kind() == std::io::ErrorKind::NotFound => temp = e.file,
                Err(e) => return Err(fault(&e.error)),
            }
        }
        Err(BucketError::INTERRUPTED)
    }

    /// Writes a source to a new temporary file, synced, and gives its SHA-256.
    async fn spool(
        &self,
        source: &Source,
        options: &PutOptions,
    ) -> Result<(NamedTempFile, [u8; 32]), BucketError> {
        let me = self.clone();
        let (temp, file) = quick(move || {
            let temp = me.temp()?;
            let file = temp.as_file().try_clone().map_err(|e| fault(&e))?;
            Ok((temp, file))
        })
        .await?;
        let mut file = tokio::fs::File::from_std(file);
        let progress = Progress::default();
        let write = async {
            let mut stream =
                std::pin::pin!(source.stream(options.bandwidth.clone(), progress.clone()));
            let mut sum = Sha256::new();
            while let Some(chunk) = stream.next().await {
                let chunk = chunk?;
                sum.update(&chunk);
                file.write_all(&chunk).await.map_err(|e| fault(&e))?;
            }
            file.flush().await.map_err(|e| fault(&e))?;
            file.sync_all().await.map_err(|e| fault(&e))?;
            Ok(sum.finalize().into())
        };
        let sum: [u8; 32] = progress
            .watch(source.len(), options.bandwidth.is_some(), write)
            .await?;
        if options.sha256.is_some_and(|known| known != sum) {
            return Err(BucketError::Local(std::io::ErrorKind::InvalidData));
        }
        Ok((temp, sum))
    }

    pub(crate) async fn put(
        &self,
        key: &ObjectKey,
        source: &Source,
        options: &PutOptions,
    ) -> Result<Stored, BucketError> {
        let (temp, sha256) = self.spool(source, options).await?;
        let (me, key, new) = (self.clone(), key.clone(), options.if_none_match);
        quick(move || me.place(temp, &key, new)).await?;
        Ok(Stored {
            size: source.len(),
            sha256,
            etag: None,
            verified: Verified::Sha256,
        })
    }

    pub(crate) async fn get(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Object, BucketError> {
        let (me, key) = (self.clone(), key.clone());
        let (file, meta, start, end) = quick(move || {
            use std::io::{Seek, SeekFrom};
            let (path, _) = me.find(&key)?;
            let mut file = std::fs::File::open(path).map_err(|e| fault(&e))?;
            // Of the file that was opened, not of one that may have replaced it.
            let meta = file.metadata().map_err(|e| fault(&e))?;
            let (start, end) = resolve(range, meta.len())?;
            file.seek(SeekFrom::Start(start)).map_err(|e| fault(&e))?;
            Ok((file, meta, start, end))
        })
        .await?;
        Ok(Object {
            size: meta.len(),
            start,
            len: end - start,
            modified: disk::modified(&meta),
            etag: None,
            content_type: None,
            range_ignored: false,
            body: Body::Folder(tokio::fs::File::from_std(file)),
            skip: 0,
            left: end - start,
        })
    }

    pub(crate) async fn stat(&self, key: &ObjectKey) -> Result<Stat, BucketError> {
        let (me, key) = (self.clone(), key.clone());
        quick(move || {
            let (_, meta) = me.find(&key)?;
            Ok(disk::stat(key, &meta))
        })
        .await
    }

    pub(crate) async fn list(
        &self,
        under: Option<&ObjectKey>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, BucketError> {
        let prefix = under.map_or_else(String::new, |k| format!("{k}/"));
        let after = after.unwrap_or_default().to_owned();
        let me = self.clone();
        quick(move || {
            me.present()?;
            list::page(&me.inner.root, &prefix, &after, limit).map_err(|e| fault(&e))
        })
        .await
    }

    pub(crate) async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        let (me, key) = (self.clone(), key.clone());
        quick(move || {
            for root in me.inner.old.iter().chain([&me.inner.root]) {
                let path = match me.find_in(root, &key) {
                    Err(BucketError::NotFound) => continue,
                    found => found?.0,
                };
                match std::fs::remove_file(&path) {
                    Err(e) if !disk::is_missing(&e) => return Err(fault(&e)),
                    _ => {}
                }
                // Folders that became empty; the first that is not ends it.
                let mut folder = path.parent();
                while let Some(empty) = folder.filter(|f| f != root) {
                    if std::fs::remove_dir(empty).is_err() {
                        break;
                    }
                    folder = empty.parent();
                }
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn copy_from(
        &self,
        other: &Self,
        from: &ObjectKey,
        to: &ObjectKey,
    ) -> Result<Stat, BucketError> {
        let (me, other, from, to) = (self.clone(), other.clone(), from.clone(), to.clone());
        let size = other.stat(&from).await?.size;
        let work = blocking(move || {
            let (path, _) = other.find(&from)?;
            let temp = me.temp()?;
            // Shares the blocks where the file system can.
            std::fs::copy(path, temp.path()).map_err(|e| fault(&e))?;
            temp.as_file().sync_all().map_err(|e| fault(&e))?;
            me.place(temp, &to, false)?;
            let (_, meta) = me.find(&to)?;
            Ok(disk::stat(to, &meta))
        });
        timeout(disk::long(size), work)
            .await
            .unwrap_or(Err(BucketError::TIMED_OUT))
    }

    pub(crate) fn presign(
        &self,
        verb: Verb,
        key: &ObjectKey,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        self.signer()
            .ok_or(BucketError::Unsupported(Feature::SignedUrls))?
            .sign(verb, key, ttl, now)
    }

    /// What checks the signed addresses of this folder, for whoever serves it.
    pub fn signer(&self) -> Option<&Signer> {
        self.inner.signer.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn folder() -> (tempfile::TempDir, FolderBucket) {
        let dir = tempfile::tempdir().unwrap();
        FolderBucket::set_up(dir.path()).await.unwrap();
        let bucket = FolderBucket::open(dir.path(), None).await.unwrap();
        (dir, bucket)
    }

    async fn put(bucket: &FolderBucket, key: &ObjectKey, text: &'static str) {
        let source = Source::Bytes(text.as_bytes().into());
        bucket
            .put(key, &source, &PutOptions::default())
            .await
            .unwrap();
    }

    async fn text(bucket: &FolderBucket, key: &ObjectKey) -> Vec<u8> {
        let (path, _) = bucket.find(key).unwrap();
        std::fs::read(path).unwrap()
    }

    #[tokio::test]
    async fn objects_are_found_in_both_folders_until_they_are_moved() {
        let ((old_dir, old), (new_dir, _)) = (folder().await, folder().await);
        let key = |n: &str| ObjectKey::parse(format!("clips/aaaaaaaaaaaa/{n}.mp4")).unwrap();
        for name in ["one", "two", "three", "four"] {
            put(&old, &key(name), "old").await;
        }
        let moving = FolderBucket::open_moving(new_dir.path(), Some(old_dir.path().into()), None)
            .await
            .unwrap();
        assert_eq!(text(&moving, &key("one")).await, b"old");
        put(&moving, &key("two"), "new").await;
        moving.delete(&key("three")).await.unwrap();
        moving.delete(&key("three")).await.unwrap();
        for _ in 0..2 {
            for name in ["one", "two", "three"] {
                moving.take_over(&old, &key(name)).await.unwrap();
            }
        }
        let alone = FolderBucket::open(new_dir.path(), None).await.unwrap();
        assert_eq!(text(&alone, &key("one")).await, b"old");
        assert_eq!(text(&alone, &key("two")).await, b"new");
        assert!(matches!(
            alone.stat(&key("three")).await,
            Err(BucketError::NotFound)
        ));
        let left = old.list(None, None, 10).await.unwrap();
        assert_eq!(left.objects.len(), 1);
        moving.delete(&key("four")).await.unwrap();
        assert!(!old_dir.path().join("clips").exists());
    }
}

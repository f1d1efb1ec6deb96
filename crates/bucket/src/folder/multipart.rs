//! Uploads in parts: each part is a file named by its number and sum until they are joined.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::time::timeout;

use super::{
    FolderBucket,
    disk::{fault, long, sync_folder},
    quick,
};
use crate::{
    BucketError, Fault, ObjectKey, Part, PutOptions, Source, Upload,
    object::{ByteRange, resolve},
    source::blocking,
};

/// The file in which an upload remembers its key.
const KEY: &str = "key";

fn hex(sum: &[u8]) -> String {
    sum.iter().map(|b| format!("{b:02x}")).collect()
}

impl FolderBucket {
    fn upload_folder(&self, upload: &Upload) -> Result<PathBuf, BucketError> {
        // The id comes from outside after a restart.
        if upload.id.is_empty() || !upload.id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(BucketError::NotFound);
        }
        let folder = self.own("uploads").join(&upload.id);
        match fs::read_to_string(folder.join(KEY)) {
            Ok(key) if key == upload.key.as_str() => Ok(folder),
            Ok(_) => Err(BucketError::NotFound),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.present().and(Err(BucketError::NotFound))
            }
            Err(e) => Err(fault(&e)),
        }
    }

    pub(crate) async fn begin(&self, key: &ObjectKey) -> Result<Upload, BucketError> {
        let (me, key) = (self.clone(), key.clone());
        quick(move || {
            me.path(&key)?;
            let make = || {
                let folder = tempfile::Builder::new()
                    .prefix("u")
                    .rand_bytes(20)
                    .tempdir_in(me.own("uploads"))?;
                let mut file = File::create(folder.path().join(KEY))?;
                file.write_all(key.as_str().as_bytes())?;
                file.sync_all()?;
                sync_folder(folder.path())?;
                Ok(folder.keep())
            };
            let folder = make().map_err(|e: io::Error| match e.kind() {
                ErrorKind::NotFound => BucketError::Destination(Fault::FolderMissing),
                _ => fault(&e),
            })?;
            let id = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            Ok(Upload { key, id })
        })
        .await
    }

    /// Puts a finished part in its place; an earlier one of this number goes.
    fn place_part(
        folder: &Path,
        number: u16,
        temp: NamedTempFile,
        sha256: &[u8],
    ) -> Result<Part, BucketError> {
        let etag = hex(sha256);
        for old in parts_in(folder)?.into_iter().filter(|p| p.number == number) {
            // A part with the same bytes is replaced by the rename below.
            if old.etag != etag {
                let _ = fs::remove_file(part_path(folder, &old));
            }
        }
        let part = Part {
            number,
            size: temp.as_file().metadata().map_err(|e| fault(&e))?.len(),
            etag,
        };
        temp.persist(part_path(folder, &part))
            .map_err(|e| match e.error.kind() {
                // Ended by somebody else meanwhile.
                ErrorKind::NotFound => BucketError::NotFound,
                _ => fault(&e.error),
            })?;
        sync_folder(folder).map_err(|e| fault(&e))?;
        Ok(part)
    }

    pub(crate) async fn put_part(
        &self,
        upload: &Upload,
        number: u16,
        source: &Source,
        options: &PutOptions,
    ) -> Result<Part, BucketError> {
        let (me, u) = (self.clone(), upload.clone());
        let folder = quick(move || me.upload_folder(&u)).await?;
        let (temp, sha256) = self.spool(source, options).await?;
        quick(move || Self::place_part(&folder, number, temp, &sha256)).await
    }

    pub(crate) async fn copy_part(
        &self,
        upload: &Upload,
        number: u16,
        other: &Self,
        from: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Part, BucketError> {
        let size = other.stat(from).await?.size;
        let (me, other) = (self.clone(), other.clone());
        let (upload, from) = (upload.clone(), from.clone());
        let work = blocking(move || {
            let folder = me.upload_folder(&upload)?;
            let (path, meta) = other.find(&from)?;
            let (start, end) = resolve(range, meta.len())?;
            let temp = me.temp()?;
            let sum = join(
                &mut [(path, start, end - start)].into_iter(),
                temp.as_file(),
            )?;
            Self::place_part(&folder, number, temp, &sum)
        });
        timeout(long(size), work)
            .await
            .unwrap_or(Err(BucketError::TIMED_OUT))
    }

    pub(crate) async fn parts(&self, upload: &Upload) -> Result<Vec<Part>, BucketError> {
        let (me, upload) = (self.clone(), upload.clone());
        quick(move || parts_in(&me.upload_folder(&upload)?)).await
    }

    pub(crate) async fn complete(
        &self,
        upload: &Upload,
        parts: &[Part],
    ) -> Result<(), BucketError> {
        let (me, upload, parts) = (self.clone(), upload.clone(), parts.to_vec());
        let size = parts.iter().map(|p| p.size).sum();
        let work = blocking(move || {
            let folder = me.upload_folder(&upload)?;
            let there = parts_in(&folder)?;
            if parts.iter().any(|p| !there.contains(p)) {
                return Err(BucketError::NotFound);
            }
            let temp = me.temp()?;
            let mut pieces = parts.iter().map(|p| (part_path(&folder, p), 0, p.size));
            join(&mut pieces, temp.as_file())?;
            me.place(temp, &upload.key, false)?;
            let _ = fs::remove_dir_all(folder);
            Ok(())
        });
        timeout(long(size), work)
            .await
            .unwrap_or(Err(BucketError::TIMED_OUT))
    }

    pub(crate) async fn abort(&self, upload: &Upload) -> Result<(), BucketError> {
        let (me, upload) = (self.clone(), upload.clone());
        quick(move || match me.upload_folder(&upload) {
            Err(BucketError::NotFound) => Ok(()),
            folder => fs::remove_dir_all(folder?).map_err(|e| fault(&e)),
        })
        .await
    }
}

fn part_path(folder: &Path, part: &Part) -> PathBuf {
    folder.join(format!("{:05}-{}", part.number, part.etag))
}

fn parts_in(folder: &Path) -> Result<Vec<Part>, BucketError> {
    let read = || {
        let mut parts = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((number, etag)) = name.to_str().and_then(|n| n.split_once('-')) else {
                continue;
            };
            if let Ok(number) = number.parse() {
                parts.push(Part {
                    number,
                    size: entry.metadata()?.len(),
                    etag: etag.to_owned(),
                });
            }
        }
        parts.sort_by_key(|p| p.number);
        Ok(parts)
    };
    read().map_err(|e: io::Error| match e.kind() {
        ErrorKind::NotFound => BucketError::NotFound,
        _ => fault(&e),
    })
}

/// Writes pieces of files one after the other, synced, and gives the SHA-256 of all.
fn join(
    pieces: &mut dyn Iterator<Item = (PathBuf, u64, u64)>,
    mut to: &File,
) -> Result<[u8; 32], BucketError> {
    let mut sum = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    let work = || {
        for (path, start, len) in pieces {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            let mut left = len;
            while left > 0 {
                let want = usize::try_from(left)
                    .unwrap_or(chunk.len())
                    .min(chunk.len());
                file.read_exact(&mut chunk[..want])?;
                sum.update(&chunk[..want]);
                to.write_all(&chunk[..want])?;
                left -= want as u64;
            }
        }
        to.sync_all()
    };
    work().map_err(|e: io::Error| fault(&e))?;
    Ok(sum.finalize().into())
}

//! The one interface to both stores.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use oriel_api::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::{
    BucketError, ByteRange, Feature, FolderBucket, Named, Object, ObjectKey, Page, Part,
    PutOptions, S3Bucket, SignedUrl, Source, Stat, Stored, Upload, Verb,
};

/// Smallest part of an upload but the last (S3): 5 MiB.
pub const MIN_PART: u64 = 5 * 1024 * 1024;
/// Largest part (S3): 5 GiB.
const MAX_PART: u64 = 5 * 1024 * 1024 * 1024;
/// Most parts of an upload (S3).
const MAX_PARTS: u64 = 10_000;
/// What a part has when nothing else counts.
const USUAL_PART: u64 = 16 * 1024 * 1024;

/// A place for objects. Cloning is cheap; clones share connections and what was learned about
/// the store.
#[derive(Clone, Debug)]
pub enum Bucket {
    /// An S3-compatible service.
    S3(S3Bucket),
    /// A local folder.
    Folder(FolderBucket),
}

/// Where what comes in and what is made from it are kept: two buckets, or two prefixes of one,
/// or twice the same.
#[derive(Clone, Debug)]
pub struct Areas {
    /// Recordings and snapshots.
    pub incoming: Bucket,
    /// Clips, exports and thumbnails.
    pub produced: Bucket,
}

impl Areas {
    /// The area in which an object of this kind is kept.
    pub fn of(&self, named: &Named) -> &Bucket {
        match named {
            Named::Recording { .. } | Named::Snapshot { .. } => &self.incoming,
            Named::Clip { .. } | Named::Export { .. } => &self.produced,
        }
    }
}

/// The size of the parts of an object of `len` bytes: 16 MiB, more when 10,000 of them would not
/// do. All parts but the last must have the same size; some services insist.
pub fn part_size(len: u64) -> Result<u64, BucketError> {
    let size = USUAL_PART.max(len.div_ceil(MAX_PARTS).next_multiple_of(1024 * 1024));
    if size > MAX_PART {
        return Err(BucketError::Invalid(
            "The object is too large for any storage.",
        ));
    }
    Ok(size)
}

macro_rules! each {
    ($self:expr, $b:ident => $call:expr) => {
        match $self {
            Bucket::S3($b) => $call,
            Bucket::Folder($b) => $call,
        }
    };
}

impl Bucket {
    /// Writes an object, replacing any before it; it appears whole or not at all. What the store
    /// has is verified ([`Stored::verified`]). Times out as [`BucketError::Transient`] when nothing
    /// moves for a minute.
    pub async fn put(
        &self,
        key: &ObjectKey,
        source: &Source,
        options: &PutOptions,
    ) -> Result<Stored, BucketError> {
        each!(self, b => b.put(key, source, options).await)
    }

    /// [`Bucket::put`] of bytes in memory.
    pub async fn put_bytes(
        &self,
        key: &ObjectKey,
        bytes: impl Into<Bytes>,
        content_type: Option<&'static str>,
    ) -> Result<Stored, BucketError> {
        let options = PutOptions {
            content_type,
            ..PutOptions::default()
        };
        self.put(key, &Source::Bytes(bytes.into()), &options).await
    }

    /// Begins to read an object or a range of it.
    pub async fn get(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Object, BucketError> {
        each!(self, b => b.get(key, range).await)
    }

    /// Reads an object into a new file in `folder`, which is deleted when the result is dropped.
    /// Gives the SHA-256 of what was read; when `expected` is another,
    /// [`BucketError::Corrupt`].
    pub async fn get_to_temp_file(
        &self,
        key: &ObjectKey,
        folder: &std::path::Path,
        expected: Option<[u8; 32]>,
    ) -> Result<(NamedTempFile, [u8; 32]), BucketError> {
        let mut object = self.get(key, None).await?;
        let folder = folder.to_owned();
        let (temp, file) = crate::source::blocking(move || {
            let make = || {
                let temp = NamedTempFile::new_in(folder)?;
                let file = temp.as_file().try_clone()?;
                Ok((temp, file))
            };
            make().map_err(|e: std::io::Error| BucketError::local(&e))
        })
        .await?;
        let mut file = tokio::fs::File::from_std(file);
        let mut sum = Sha256::new();
        while let Some(chunk) = object.next().await? {
            sum.update(&chunk);
            file.write_all(&chunk)
                .await
                .map_err(|e| BucketError::local(&e))?;
        }
        file.flush().await.map_err(|e| BucketError::local(&e))?;
        let sum: [u8; 32] = sum.finalize().into();
        if expected.is_some_and(|e| e != sum) {
            return Err(BucketError::Corrupt);
        }
        Ok((temp, sum))
    }

    /// Size and age of an object.
    pub async fn stat(&self, key: &ObjectKey) -> Result<Stat, BucketError> {
        each!(self, b => b.stat(key).await)
    }

    /// A page of 1 to 1000 objects below `under` (a folder of keys; `None` is everything), in
    /// the order of their keys, from behind `after` ([`Page::next`] of the page before, also
    /// after a restart).
    pub async fn list(
        &self,
        under: Option<&ObjectKey>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, BucketError> {
        each!(self, b => b.list(under, after, limit.clamp(1, 1000)).await)
    }

    /// Deletes an object; one that is not there is deleted already.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), BucketError> {
        each!(self, b => b.delete(key).await)
    }

    /// Deletes many objects. Gives those that are still there and why; fails as a whole when the
    /// store cannot be used.
    pub async fn delete_many(
        &self,
        keys: &[ObjectKey],
    ) -> Result<Vec<(ObjectKey, BucketError)>, BucketError> {
        let mut left = Vec::new();
        for batch in keys.chunks(1000) {
            match self {
                Self::S3(b) => left.extend(b.delete_batch(batch).await?),
                Self::Folder(b) => {
                    for key in batch {
                        if let Err(e) = b.delete(key).await {
                            left.push((key.clone(), e));
                        }
                    }
                }
            }
        }
        Ok(left)
    }

    /// An address that reads one object for `ttl` (1 s to 7 days) without credentials. Whether
    /// the object exists is not asked.
    pub async fn presign_get(
        &self,
        key: &ObjectKey,
        ttl: Duration,
    ) -> Result<SignedUrl, BucketError> {
        self.presign(Verb::Get, key, ttl, None).await
    }

    /// An address that writes one object for `ttl` (1 s to 7 days) without credentials. The
    /// request must carry [`SignedUrl::headers`].
    pub async fn presign_put(
        &self,
        key: &ObjectKey,
        ttl: Duration,
        content_type: Option<&'static str>,
    ) -> Result<SignedUrl, BucketError> {
        self.presign(Verb::Put, key, ttl, content_type).await
    }

    async fn presign(
        &self,
        verb: Verb,
        key: &ObjectKey,
        ttl: Duration,
        content_type: Option<&str>,
    ) -> Result<SignedUrl, BucketError> {
        let now = Timestamp::from_ms(jiff::Timestamp::now().as_millisecond());
        match self {
            Self::S3(b) => b.presign(verb, key, ttl, content_type, now).await,
            Self::Folder(b) => b.presign(verb, key, ttl, now),
        }
    }

    /// Begins an upload in parts.
    pub async fn begin_upload(
        &self,
        key: &ObjectKey,
        content_type: Option<&'static str>,
    ) -> Result<Upload, BucketError> {
        match self {
            Self::S3(b) => b.begin(key, content_type).await,
            Self::Folder(b) => b.begin(key).await,
        }
    }

    /// Sends part `number` (1 to 10,000), replacing any with that number. All but the last have
    /// at least [`MIN_PART`] bytes and the same size, see [`part_size`].
    pub async fn put_part(
        &self,
        upload: &Upload,
        number: u16,
        source: &Source,
        options: &PutOptions,
    ) -> Result<Part, BucketError> {
        check_number(number)?;
        each!(self, b => b.put_part(upload, number, source, options).await)
    }

    /// Makes a part from an object, or a range of one, of this bucket or another of the same
    /// store, without its bytes passing through here.
    pub async fn copy_part_from(
        &self,
        upload: &Upload,
        number: u16,
        other: &Self,
        from: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Part, BucketError> {
        check_number(number)?;
        match (self, other) {
            (Self::S3(b), Self::S3(o)) => b.copy_part(upload, number, o, from, range).await,
            (Self::Folder(b), Self::Folder(o)) => b.copy_part(upload, number, o, from, range).await,
            _ => Err(BucketError::Unsupported(Feature::PartCopy)),
        }
    }

    /// The parts that the store has, by number: where to go on after an interruption.
    /// [`BucketError::NotFound`] when the upload was ended.
    pub async fn list_parts(&self, upload: &Upload) -> Result<Vec<Part>, BucketError> {
        each!(self, b => b.parts(upload).await)
    }

    /// Joins the parts to the object.
    pub async fn complete_upload(
        &self,
        upload: &Upload,
        parts: &[Part],
    ) -> Result<Stat, BucketError> {
        if parts.is_empty() || !parts.is_sorted_by(|a, b| a.number < b.number) {
            return Err(BucketError::Invalid(
                "The parts of an upload are numbered upwards.",
            ));
        }
        each!(self, b => b.complete(upload, parts).await)?;
        self.stat(&upload.key).await
    }

    /// Ends an upload and frees its parts; one that is not there has ended already.
    pub async fn abort_upload(&self, upload: &Upload) -> Result<(), BucketError> {
        each!(self, b => b.abort(upload).await)
    }

    /// Copies an object from this bucket or another of the same store, without its bytes passing
    /// through here; [`BucketError::Unsupported`] where the store cannot.
    pub async fn copy_from(
        &self,
        other: &Self,
        from: &ObjectKey,
        to: &ObjectKey,
    ) -> Result<Stat, BucketError> {
        match (self, other) {
            (Self::S3(b), Self::S3(o)) => b.copy_from(o, from, to).await,
            (Self::Folder(b), Self::Folder(o)) => b.copy_from(o, from, to).await,
            _ => Err(BucketError::Unsupported(Feature::Copy)),
        }
    }

    /// Joins objects, or ranges of them, to one in the given order, inside the store.
    /// [`BucketError::Unsupported`] where the store cannot, or when a piece but the last is
    /// smaller than [`MIN_PART`] and the store is S3. Nothing is left behind on failure unless
    /// the store cannot be reached.
    pub async fn concat_from(
        &self,
        other: &Self,
        pieces: &[(ObjectKey, Option<ByteRange>)],
        to: &ObjectKey,
        content_type: Option<&'static str>,
    ) -> Result<Stat, BucketError> {
        if pieces.is_empty() || pieces.len() as u64 > MAX_PARTS {
            return Err(BucketError::Invalid("One to 10,000 objects can be joined."));
        }
        let upload = self.begin_upload(to, content_type).await?;
        let into = &upload;
        // Pieces of its own: a closure over borrowed ones could not be sent to another thread.
        let numbered = (1u16..).zip(pieces.to_vec());
        let copied: Result<Vec<Part>, BucketError> = futures::stream::iter(numbered)
            .map(|(number, (from, range))| async move {
                self.copy_part_from(into, number, other, &from, range).await
            })
            .buffered(4)
            .try_collect()
            .await;
        let done = match copied {
            Ok(parts) => {
                let small = |p: &Part| p.size < MIN_PART;
                if matches!(self, Self::S3(_)) && parts[..parts.len() - 1].iter().any(small) {
                    Err(BucketError::Unsupported(Feature::SmallParts))
                } else {
                    self.complete_upload(&upload, &parts).await
                }
            }
            Err(e) => Err(e),
        };
        if done.is_err() {
            // The first failure is the one to tell.
            let _ = self.abort_upload(&upload).await;
        }
        done
    }
}

fn check_number(number: u16) -> Result<(), BucketError> {
    if (1..=MAX_PARTS).contains(&u64::from(number)) {
        Ok(())
    } else {
        Err(BucketError::Invalid("Parts are numbered from 1 to 10,000."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_never_too_small_or_too_many() {
        for len in [0, 1, MIN_PART, 1 << 30, 1 << 37, 1 << 40, 1 << 44] {
            let size = part_size(len).unwrap();
            assert!((MIN_PART..=MAX_PART).contains(&size));
            assert!(len.div_ceil(size) <= MAX_PARTS);
        }
        assert!(part_size(1 << 50).is_err());
    }
}

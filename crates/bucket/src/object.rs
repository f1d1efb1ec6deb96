//! What calls to a bucket take and give.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use oriel_api::Timestamp;
use sha2::{Digest, Sha256};
use tokio::{io::AsyncReadExt, time::timeout};

use crate::{Bandwidth, BucketError, Interruption, ObjectKey};

/// How long a transfer may stand still.
pub(crate) const STALL: Duration = Duration::from_secs(60);

/// Bytes `start..end` of an object; without an end, all from `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// Behind the last byte, above `start`.
    pub end: Option<u64>,
}

/// What a store says about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Where it is.
    pub key: ObjectKey,
    /// Size in bytes.
    pub size: u64,
    /// When it was written, when the store says so.
    pub modified: Option<Timestamp>,
    /// The store's own tag of these bytes, without quotes.
    pub etag: Option<String>,
}

/// One page of a listing, in the order of the keys' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Stat>,
    /// Objects whose names are not keys of ours; they are left alone.
    pub foreign: u64,
    /// Where the next page begins; `None` when this was the last.
    pub next: Option<String>,
}

/// How an object is written.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Media type; `application/octet-stream` when `None`.
    pub content_type: Option<&'static str>,
    /// Refuse with [`BucketError::AlreadyExists`] when there is an object already. Some stores
    /// ignore this silently; [`Capabilities::if_none_match`] tells.
    pub if_none_match: bool,
    /// What the bytes must be, when already known. Saves reading the file twice, and a file that
    /// was damaged on disk is noticed.
    pub sha256: Option<[u8; 32]>,
    /// The limit this transfer shares with others.
    pub bandwidth: Option<Arc<Bandwidth>>,
}

/// How sure it is that the store holds what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The store (or we, in a folder) computed the same SHA-256.
    Sha256,
    /// The store computed the same MD5 (its ETag).
    Md5,
    /// We read the object back and compared SHA-256.
    ReadBack,
    /// The store offers no sum: only the size was compared.
    Size,
}

/// An object that has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// The store's tag.
    pub etag: Option<String>,
    /// How it was checked.
    pub verified: Verified,
}

/// An upload in parts that has begun. Both fields may be kept and used after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// What is being written.
    pub key: ObjectKey,
    /// The store's name for the upload.
    pub id: String,
}

/// A part that the store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// 1 to 10,000.
    pub number: u16,
    /// Size in bytes.
    pub size: u64,
    /// The store's tag, needed to complete the upload. Some services leave it out of their lists
    /// of parts, and then it is empty: keep what sending the part gave.
    pub etag: String,
}

/// What a store has been seen to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Copying inside the store.
    pub copy: bool,
    /// Parts made from ranges of stored objects.
    pub part_copy: bool,
    /// Reading a part of an object without its beginning.
    pub range: bool,
    /// Writing only when missing.
    pub if_none_match: bool,
    /// Uploading in parts.
    pub multipart: bool,
}

/// An object being read.
#[derive(Debug)]
pub struct Object {
    /// Size of the whole object.
    pub size: u64,
    /// First byte that [`Object::next`] gives.
    pub start: u64,
    /// How many bytes it gives in all.
    pub len: u64,
    /// When it was written, when the store says so.
    pub modified: Option<Timestamp>,
    /// The store's tag.
    pub etag: Option<String>,
    /// Media type, when the store says so.
    pub content_type: Option<String>,
    /// The store sent everything although a range was asked for; the rest is skipped here, but
    /// it was transferred.
    pub range_ignored: bool,
    pub(crate) body: Body,
    /// Bytes to drop from the beginning of the body.
    pub(crate) skip: u64,
    /// Bytes still to give.
    pub(crate) left: u64,
}

#[derive(Debug)]
pub(crate) enum Body {
    S3(aws_sdk_s3::primitives::ByteStream),
    Folder(tokio::fs::File),
}

impl Body {
    async fn next(&mut self) -> Result<Option<Bytes>, BucketError> {
        match self {
            Self::S3(stream) => match timeout(STALL, stream.next()).await {
                Err(_) => Err(BucketError::TIMED_OUT),
                Ok(None) => Ok(None),
                Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
                Ok(Some(Err(_))) => Err(BucketError::INTERRUPTED),
            },
            Self::Folder(file) => {
                let mut chunk = bytes::BytesMut::with_capacity(128 * 1024);
                match timeout(STALL, file.read_buf(&mut chunk)).await {
                    Err(_) => Err(BucketError::TIMED_OUT),
                    Ok(Ok(0)) => Ok(None),
                    Ok(Ok(_)) => Ok(Some(chunk.freeze())),
                    Ok(Err(e)) => Err(BucketError::Transient(Interruption::Folder(e.kind()))),
                }
            }
        }
    }
}

impl Object {
    /// The next bytes, never an empty chunk; `None` exactly when all of `len` was given. An
    /// object that ends early is [`Interruption::Interrupted`], and 60 s without a byte is
    /// [`Interruption::TimedOut`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, BucketError> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            let Some(mut chunk) = self.body.next().await? else {
                return Err(BucketError::INTERRUPTED);
            };
            let skip = self.skip.min(chunk.len() as u64);
            self.skip -= skip;
            // Both fit: they are at most the length of the chunk.
            let _ = chunk.split_to(usize::try_from(skip).unwrap_or(chunk.len()));
            let keep = self.left.min(chunk.len() as u64);
            chunk.truncate(usize::try_from(keep).unwrap_or(chunk.len()));
            self.left -= keep;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    /// Everything, when it is at most `limit` bytes; more is [`BucketError::Invalid`].
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, BucketError> {
        if self.len > limit as u64 {
            return Err(BucketError::Invalid(
                "The object is too large to be held in memory.",
            ));
        }
        let mut all = bytes::BytesMut::new();
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// SHA-256 of everything.
    pub(crate) async fn sha256(mut self) -> Result<[u8; 32], BucketError> {
        let mut sum = Sha256::new();
        while let Some(chunk) = self.next().await? {
            sum.update(&chunk);
        }
        Ok(sum.finalize().into())
    }
}

/// Turns what was asked for into `start..end` of an object of `size` bytes.
pub(crate) fn resolve(range: Option<ByteRange>, size: u64) -> Result<(u64, u64), BucketError> {
    let Some(range) = range else {
        return Ok((0, size));
    };
    let end = range.end.unwrap_or(size).min(size);
    if range.start >= size || end <= range.start {
        return Err(BucketError::OutOfRange);
    }
    Ok((range.start, end))
}

//! Where the bytes of a piece come from: its local file, else its object in the bucket.
//!
//! Not here: what is done with them.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use bytes::Bytes;
use oriel_api::{Error, ErrorCode, link::Piece};
use oriel_bucket::{BucketError, ByteRange, Object, ObjectKey, Remote};
use oriel_media::{
    Format, SegmentSamples, read_format, read_samples,
    tail::{TAIL_USUAL, read_tail, tail_len},
};
use tempfile::NamedTempFile;

use super::{Job, Stop, local};
use crate::{platform::At, segment_file};

/// Bytes of a piece that can be read now.
pub(super) enum Source {
    /// A file of the spool, as long as it was when it was opened.
    Local(File, u64),
    /// A copy of the object, deleted when this is dropped.
    Fetched(NamedTempFile, u64),
    /// The object itself: its size, and the sample index at its end.
    Object(ObjectKey, u64, Bytes),
}

/// Why a piece has no share in the file.
#[derive(Debug)]
pub(super) enum Missing {
    /// There are no bytes.
    Gone,
    /// There are, and they are no segment: why.
    Damaged(String),
}

impl Source {
    /// Opens a piece. `Ok(Err(_))` is a piece that will never be readable.
    pub(super) fn open(job: &Job, piece: &Piece) -> Result<Result<Self, Missing>, Stop> {
        let mut missing = Missing::Gone;
        if piece.local {
            let state = job.state.as_deref();
            match segment_file::open(&job.spool, state, &job.order.channel, piece.start) {
                Ok(file) => {
                    let (file, len) = file.parts();
                    match file.try_clone() {
                        Ok(file) => return Ok(Ok(Self::Local(file, len))),
                        Err(error) => missing = Missing::Damaged(error.to_string()),
                    }
                }
                // What the bucket has too is not waited for.
                Err(error) if error.code == ErrorCode::NotFound => {
                    if piece.object_key.is_none() {
                        job.lost_for_good()?;
                    }
                }
                Err(error) => missing = Missing::Damaged(error.message),
            }
        }
        let Some(key) = &piece.object_key else {
            return Ok(Err(missing));
        };
        match key.parse() {
            Ok(key) => in_bucket(job, &key, piece.bytes),
            Err(_) => Ok(Err(missing)),
        }
    }

    fn file(&self) -> Option<(&File, u64)> {
        match self {
            Self::Local(file, len) => Some((file, *len)),
            Self::Fetched(temp, len) => Some((temp.as_file(), *len)),
            Self::Object(..) => None,
        }
    }

    pub(super) fn format(&self) -> Result<Format, String> {
        match self.file() {
            Some((file, len)) => read_format(At::new(file, len), len).map_err(|e| e.to_string()),
            None => self.samples().map(|samples| samples.format),
        }
    }

    pub(super) fn samples(&self) -> Result<SegmentSamples, String> {
        match (self, self.file()) {
            (Self::Object(_, len, tail), _) => {
                read_tail(tail, *len).ok_or_else(|| "its sample index is damaged".to_owned())
            }
            (_, Some((file, len))) => {
                read_samples(At::new(file, len), len).map_err(|e| e.to_string())
            }
            (_, None) => Err("it cannot be read".to_owned()),
        }
    }

    /// A reader of `len` bytes from `start`, from which the system can copy by itself; `None` for
    /// an object.
    pub(super) fn from(&self, start: u64, len: u64) -> Option<io::Result<io::Take<&File>>> {
        let (mut file, _) = self.file()?;
        Some(file.seek(SeekFrom::Start(start)).map(|_| file.take(len)))
    }

    /// Bytes `start..start + len`, fewer when there are no more.
    pub(super) fn read(&self, job: &Job, start: u64, len: u64) -> Result<Bytes, Stop> {
        if let Some(file) = self.from(start, len) {
            let mut bytes = Vec::new();
            file.and_then(|mut file| file.read_to_end(&mut bytes))
                .map_err(unreadable)?;
            return Ok(bytes.into());
        }
        let limit = usize::try_from(len).unwrap_or(usize::MAX);
        match self.object(job, start, len)? {
            Some(object) => job.runtime.block_on(object.bytes(limit)).map_err(refused),
            None => Ok(Bytes::new()),
        }
    }

    /// Begins to read bytes of an object; `None` when it has not so many, or is none.
    pub(super) fn object(&self, job: &Job, start: u64, len: u64) -> Result<Option<Object>, Stop> {
        let (Self::Object(key, ..), Some(remote)) = (self, &job.stores.remote) else {
            return Ok(None);
        };
        let range = ByteRange {
            start,
            end: Some(start.saturating_add(len)),
        };
        match job
            .runtime
            .block_on(remote.areas.incoming.get(key, Some(range)))
        {
            Ok(object) => Ok(Some(object)),
            Err(BucketError::NotFound | BucketError::OutOfRange) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }
}

/// An object that is gone is a hole; a bucket that cannot be reached is a reason to try again
/// later.
fn in_bucket(job: &Job, key: &ObjectKey, len: u64) -> Result<Result<Source, Missing>, Stop> {
    let Some(remote) = &job.stores.remote else {
        return Err(Error::unavailable(
            "Some of the footage is in the bucket only, and no bucket can be used.",
        )
        .into());
    };
    job.step()?;
    if remote.capabilities.range {
        let indexed = job.runtime.block_on(indexed(remote, key, len));
        match indexed {
            Ok(Some(source)) => return Ok(Ok(source)),
            Ok(None) => tracing::info!(%key, "it has no sample index: all of it is read"),
            Err(BucketError::NotFound) => return Ok(Err(Missing::Gone)),
            Err(BucketError::OutOfRange) => {}
            Err(error) => return Err(refused(error)),
        }
    } else {
        tracing::info!(%key, "the storage does not read parts of objects: all of it is read");
    }
    fetch(job, remote, key, len)
}

/// The object with its sample index, when it has one.
async fn indexed(
    remote: &Remote,
    key: &ObjectKey,
    len: u64,
) -> Result<Option<Source>, BucketError> {
    let last = async |count: u64| {
        let range = ByteRange {
            start: len.saturating_sub(count),
            end: None,
        };
        let object = remote.areas.incoming.get(key, Some(range)).await?;
        // Another size than the row says: it was not written by this program.
        if object.range_ignored || object.size != len {
            return Ok(None);
        }
        object
            .bytes(usize::try_from(count).unwrap_or(usize::MAX))
            .await
            .map(Some)
    };
    let Some(mut end) = last(TAIL_USUAL).await? else {
        return Ok(None);
    };
    let Some(size) = tail_len(&end).filter(|size| *size <= len) else {
        return Ok(None);
    };
    if size > end.len() as u64 {
        let Some(longer) = last(size).await? else {
            return Ok(None);
        };
        end = longer;
    }
    let from = end
        .len()
        .saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
    // Not a view of the larger buffer: many of these are held.
    let tail = Bytes::copy_from_slice(&end[from..]);
    Ok(read_tail(&tail, len).map(|_| Source::Object(key.clone(), len, tail)))
}

fn refused(error: BucketError) -> Stop {
    Error::unavailable(error.to_string()).into()
}

/// Copies an object of `len` bytes to a file.
fn fetch(
    job: &Job,
    remote: &Remote,
    key: &ObjectKey,
    len: u64,
) -> Result<Result<Source, Missing>, Stop> {
    let place = job.folder()?;
    local::room_for(place, job, len)?;
    let folder = place.scratch();
    let got = job
        .runtime
        .block_on(remote.areas.incoming.get_to_temp_file(key, &folder, None));
    match got {
        Ok((temp, _)) => {
            let len = temp.as_file().metadata().map_err(unreadable)?.len();
            Ok(Ok(Source::Fetched(temp, len)))
        }
        Err(BucketError::NotFound) => Ok(Err(Missing::Gone)),
        Err(BucketError::Local(io::ErrorKind::StorageFull)) => Err(Error::new(
            ErrorCode::StorageUnavailable,
            "The disk is full: footage that is in the bucket only has no room to be joined.",
        )
        .into()),
        Err(error) => Err(refused(error)),
    }
}

fn unreadable(error: io::Error) -> Stop {
    Error::unavailable(format!("A file cannot be read: {error}.")).into()
}

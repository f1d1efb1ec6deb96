//! Where the bytes of a piece come from: its local file, else its object in the bucket.
//!
//! Not here: what is done with them.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use oriel_api::{Error, ErrorCode, link::Piece};
use oriel_bucket::{BucketError, ObjectKey};
use oriel_media::{Format, ScanError, SegmentSamples, read_format, read_samples};
use tempfile::NamedTempFile;

use super::{Job, Stop};
use crate::{platform::At, segment_file};

/// Bytes of a piece that can be read now.
pub(super) enum Source {
    /// A file of the spool, as long as it was when it was opened.
    Local(File, u64),
    /// A copy of the object, deleted when this is dropped.
    Fetched(NamedTempFile, u64),
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
                Err(error) if error.code == ErrorCode::NotFound => {}
                Err(error) => missing = Missing::Damaged(error.message),
            }
        }
        let Some(key) = &piece.object_key else {
            return Ok(Err(missing));
        };
        match key.parse() {
            Ok(key) => fetch(job, &key),
            Err(_) => Ok(Err(missing)),
        }
    }

    fn file(&self) -> (&File, u64) {
        match self {
            Self::Local(file, len) => (file, *len),
            Self::Fetched(temp, len) => (temp.as_file(), *len),
        }
    }

    pub(super) fn format(&self) -> Result<Format, ScanError> {
        let (file, len) = self.file();
        read_format(At::new(file, len), len)
    }

    pub(super) fn samples(&self) -> Result<SegmentSamples, ScanError> {
        let (file, len) = self.file();
        read_samples(At::new(file, len), len)
    }

    /// A reader of `len` bytes from `start`; the system can copy from it by itself.
    pub(super) fn from(&self, start: u64, len: u64) -> io::Result<io::Take<&File>> {
        let (mut file, _) = self.file();
        file.seek(SeekFrom::Start(start))?;
        Ok(file.take(len))
    }
}

/// Copies an object to a file. An object that is gone is a hole; a bucket that cannot be reached
/// is a reason to try again later.
fn fetch(job: &Job, key: &ObjectKey) -> Result<Result<Source, Missing>, Stop> {
    let Some(remote) = &job.stores.remote else {
        return Err(Error::unavailable(
            "Some of the footage is in the bucket only, and no bucket can be used.",
        )
        .into());
    };
    job.check()?;
    let folder = job.place()?.scratch();
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
        Err(error) => Err(Error::unavailable(error.to_string()).into()),
    }
}

fn unreadable(error: io::Error) -> Stop {
    Error::unavailable(format!("A file cannot be read: {error}.")).into()
}

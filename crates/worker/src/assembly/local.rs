//! Writing a planned file into its local place: the head, then ranges of files, which the system
//! copies by itself where it can.
//!
//! Not here: what the file is made of.

use std::{
    fs::File,
    io::{self, Read, Write},
};

use oriel_api::{Error, ErrorCode, Timestamp, link::Assembled};
use oriel_bucket::{FolderBucket, Named};
use sha2::{Digest, Sha256};

use super::{
    Job, Stop,
    plan::{Cut, Plan},
    source::Source,
};
use crate::platform::{disk_space, explain};

/// Bytes between two looks at whether it is still wanted.
const STEP: u64 = 16 * 1024 * 1024;

pub(super) fn write(job: &Job, plan: &Plan) -> Result<Assembled, Stop> {
    let place = job.folder()?;
    let total = plan.len();
    room_for(place, job, total)?;
    let temp = place.new_file_blocking().map_err(bucket)?;
    // The manifest of an export says what its bytes are. Of a clip nobody needs it here, and the
    // system copies without showing us the bytes.
    let sum = matches!(job.named, Named::Export { .. }).then(Sha256::new);
    let mut out = Out {
        file: temp.as_file(),
        sum,
        done: 0,
        total,
        job,
    };
    out.bytes(&plan.head.bytes)?;
    for share in &plan.shares {
        out.share(share)?;
    }
    let sha256 = out.sum.map(|sum| sum.finalize().into());
    temp.as_file().sync_all().map_err(disk)?;
    job.check()?;
    place.place_file_blocking(temp, &job.key).map_err(bucket)?;
    Ok(Assembled {
        bytes: total,
        sha256,
        start: Timestamp::from_ms(plan.head.start_ms),
        end: Timestamp::from_ms(plan.head.end_ms),
        gaps: plan.gaps.clone(),
        remote: false,
    })
}

/// Whether so many bytes may be written into a place, which recordings may share.
pub(super) fn room_for(place: &FolderBucket, job: &Job, bytes: u64) -> Result<(), Stop> {
    if let Ok((free, disk)) = disk_space(place.root())
        && free < bytes.saturating_add(job.reserve_bytes.min(disk / 50))
    {
        return Err(full(format!(
            "The file would have {} MB, and so much is not free on its disk. Free some space, or \
             choose another folder on the storage page.",
            bytes.div_ceil(1_000_000)
        )));
    }
    Ok(())
}

struct Out<'a> {
    file: &'a File,
    sum: Option<Sha256>,
    done: u64,
    total: u64,
    job: &'a Job,
}

impl Out<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.file.write_all(bytes).map_err(disk)?;
        if let Some(sum) = &mut self.sum {
            sum.update(bytes);
        }
        self.moved(bytes.len() as u64)
    }

    fn moved(&mut self, bytes: u64) -> Result<(), Stop> {
        self.done += bytes;
        self.job.progress.advanced(self.done, self.total);
        Ok(self.job.check()?)
    }

    fn share(&mut self, share: &Cut) -> Result<(), Stop> {
        let source = share.open(self.job)?;
        let mut at = share.bytes.start;
        while at < share.bytes.end {
            let want = STEP.min(share.bytes.end - at);
            let copied = match source.from(at, want) {
                Some(Ok(from)) => self.copy(from)?,
                Some(Err(_)) => 0,
                None => self.receive(&source, at, want)?,
            };
            if copied != want {
                return Err(source.lost(share.piece));
            }
            at += want;
            self.moved(want)?;
        }
        Ok(())
    }

    /// Copies from the bucket; gives how much that was.
    fn receive(&mut self, source: &Source, at: u64, want: u64) -> Result<u64, Stop> {
        let Some(mut object) = source.object(self.job, at, want)? else {
            return Ok(0);
        };
        let mut copied = 0;
        loop {
            match self.job.runtime.block_on(object.next()) {
                Ok(Some(chunk)) => {
                    self.file.write_all(&chunk).map_err(disk)?;
                    if let Some(sum) = &mut self.sum {
                        sum.update(&chunk);
                    }
                    copied += chunk.len() as u64;
                    self.job.check()?;
                }
                Ok(None) => return Ok(copied),
                Err(error) => return Err(Error::unavailable(error.to_string()).into()),
            }
        }
    }

    /// Copies everything; gives how much that was. Less than expected is a fault of the source.
    fn copy(&mut self, mut from: io::Take<&File>) -> Result<u64, Stop> {
        let Some(sum) = &mut self.sum else {
            return io::copy(&mut from, &mut self.file).or_else(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(0),
                _ => Err(disk(error)),
            });
        };
        let mut chunk = vec![0; 128 * 1024];
        let mut copied = 0;
        loop {
            match from.read(&mut chunk) {
                Ok(0) | Err(_) => return Ok(copied),
                Ok(n) => {
                    self.file.write_all(&chunk[..n]).map_err(disk)?;
                    sum.update(&chunk[..n]);
                    copied += n as u64;
                }
            }
        }
    }
}

fn full(message: String) -> Stop {
    Error::new(ErrorCode::StorageUnavailable, message).into()
}

fn disk(error: io::Error) -> Stop {
    full(explain(&error))
}

fn bucket(error: oriel_bucket::BucketError) -> Stop {
    full(error.to_string())
}

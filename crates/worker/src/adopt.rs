//! Makes a closed segment of a file that a crash left open, and reads what a closed file holds.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
};

use oriel_api::{ChannelId, Timestamp, link::OpenSegment};
use oriel_media::{
    build_index,
    scan::{Scan, ScanError, scan},
    tail::build_tail,
};

use crate::{
    platform::{At, sync_folder},
    spool::Spool,
};

/// No segment claims to be longer: settings allow ten minutes, a camera may add a long group of
/// pictures.
const LONGEST_MS: i64 = 3_600_000;
/// A file with more bytes other than zero is never deleted: it may hold footage. A head is
/// shorter than this but for the zeros that leave room for its index.
const KEEP_BYTES: u64 = 16 * 1024;

/// What became of a `.part` file.
#[derive(Debug, PartialEq)]
pub(crate) enum Adopted {
    /// It is a closed segment now; so many worthless bytes were cut off its end.
    Segment { segment: OpenSegment, cut: u64 },
    /// It held no whole fragment and was deleted.
    Nothing { cut: u64 },
    /// It cannot be read, but may hold footage: set aside under another name.
    SetAside,
}

/// Why a file cannot be adopted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// It is not a segment.
    #[error("it is not a segment: {0}")]
    NotASegment(String),
}

/// Cuts a `.part` file at its last whole fragment, indexes it and gives it its final name.
/// May be repeated after a crash at any point.
pub(crate) fn part(
    spool: &Spool,
    channel: &ChannelId,
    start: Timestamp,
) -> Result<Adopted, AdoptError> {
    let spool = &spool.holding(channel, start);
    let path = spool.part(channel, start);
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let len = file.metadata()?.len();
    let found = match read(&file, len) {
        Ok(found) if !found.fragments.is_empty() => found,
        Ok(_) | Err(AdoptError::NotASegment(_)) => {
            let keep = holds_more_than(&file, KEEP_BYTES, len)?;
            drop(file);
            if keep {
                std::fs::rename(&path, spool.damaged(channel, start)?)?;
                sync_folder(&spool.folder(channel))?;
                return Ok(Adopted::SetAside);
            }
            std::fs::remove_file(&path)?;
            return Ok(Adopted::Nothing { cut: len });
        }
        Err(error) => return Err(error),
    };
    if found.good_len < len {
        file.set_len(found.good_len)?;
    }
    if let Some(index) = build_index(
        &found.format,
        &found.fragments,
        found.index_capacity,
        found.header_len,
    ) {
        file.seek(SeekFrom::Start(found.index_offset))?;
        file.write_all(&index)?;
    }
    let mut bytes = found.good_len;
    if let Ok(tail) = build_tail(At::new(&file, bytes), bytes) {
        file.seek(SeekFrom::Start(bytes))?;
        file.write_all(&tail)?;
        bytes += tail.len() as u64;
    }
    file.sync_all()?;
    drop(file);
    let free = spool.free_closed(channel, start)?;
    std::fs::rename(&path, spool.closed(channel, free))?;
    sync_folder(&spool.folder(channel))?;
    Ok(Adopted::Segment {
        segment: OpenSegment {
            bytes,
            ..describe(channel, free, &found)
        },
        cut: len.saturating_sub(found.good_len),
    })
}

/// Whether there are more bytes other than zero than so many. A power cut leaves zeros behind.
fn holds_more_than(file: &File, most: u64, len: u64) -> io::Result<bool> {
    let mut rest = BufReader::new(At::new(file, len));
    let mut count = 0;
    loop {
        let buffer = rest.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        count += buffer.iter().filter(|b| **b != 0).count() as u64;
        if count > most {
            return Ok(true);
        }
        let read = buffer.len();
        rest.consume(read);
    }
}

/// What adopting would do, without doing it: bytes that would be cut, and whether anything is
/// left.
pub(crate) fn preview(
    spool: &Spool,
    channel: &ChannelId,
    start: Timestamp,
) -> Result<(u64, bool), AdoptError> {
    let file = File::open(spool.part(channel, start))?;
    let len = file.metadata()?.len();
    match read(&file, len) {
        Ok(found) if !found.fragments.is_empty() => Ok((len.saturating_sub(found.good_len), true)),
        Ok(_) | Err(AdoptError::NotASegment(_)) => Ok((len, false)),
        Err(error) => Err(error),
    }
}

/// Describes a closed file.
pub(crate) fn closed(
    spool: &Spool,
    channel: &ChannelId,
    start: Timestamp,
) -> Result<OpenSegment, AdoptError> {
    let file = File::open(spool.closed(channel, start))?;
    let len = file.metadata()?.len();
    let found = read(&file, len)?;
    if found.fragments.is_empty() {
        return Err(AdoptError::NotASegment("it holds no footage".into()));
    }
    Ok(OpenSegment {
        bytes: len,
        ..describe(channel, start, &found)
    })
}

fn read(file: &File, len: u64) -> Result<Scan, AdoptError> {
    scan(BufReader::new(At::new(file, len)), len).map_err(|error| match error {
        ScanError::Io(error) => AdoptError::Disk(error),
        other => AdoptError::NotASegment(other.to_string()),
    })
}

fn describe(channel: &ChannelId, start: Timestamp, found: &Scan) -> OpenSegment {
    let length = found.duration_ms().clamp(1, LONGEST_MS);
    OpenSegment {
        channel: channel.clone(),
        start,
        end: Timestamp::from_ms(start.ms().saturating_add(length)),
        bytes: found.good_len,
        codecs: found.codecs(),
        continues: false,
        // Only the writer knows what the bytes were meant to be.
        sha256: None,
    }
}

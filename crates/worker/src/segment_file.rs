//! Reading a segment, also the one that is being written.

use std::{fs::File, io, ops::Range, sync::Arc};

use bytes::Bytes;
use oriel_api::{ChannelId, Error, ErrorCode, Timestamp};

use crate::{platform::read_at, spool::Spool, state::ChannelState};

/// Bytes read at once, at most.
const CHUNK: u64 = 1024 * 1024;

/// A segment opened for reading. Its length does not change: of a segment that grows it is
/// what was on disk when it was opened, up to the last whole fragment. Reading goes on after
/// the segment was closed or deleted.
#[derive(Clone, Debug)]
pub struct SegmentFile {
    file: Arc<File>,
    start: Timestamp,
    len: u64,
    growing: bool,
}

impl SegmentFile {
    /// Bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it. Never so for a file of ours.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// More is being written; a later look will find a greater length.
    pub fn is_growing(&self) -> bool {
        self.growing
    }

    /// The file, and how much of it counts.
    pub(crate) fn parts(&self) -> (Arc<File>, u64) {
        (Arc::clone(&self.file), self.len)
    }

    /// Start of the segment.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// A strong entity tag (RFC 9110, 8.8.3), with its quotes. Differs while the file grows,
    /// and once more when it is closed: then its index is written.
    pub fn etag(&self) -> String {
        let growing = if self.growing { "-open" } else { "" };
        format!("\"{}-{}{growing}\"", self.start.ms(), self.len)
    }

    /// Reads from `range`, at most 1 MiB at a time; empty at the end of the range or the file.
    /// Waits for the disk: not for the async runtime.
    ///
    /// # Errors
    /// As `pread(2)` does; `UnexpectedEof` when the file was cut meanwhile.
    pub fn read_blocking(&self, range: Range<u64>) -> io::Result<Bytes> {
        let end = range.end.min(self.len);
        let wanted = end.saturating_sub(range.start).min(CHUNK);
        let mut buffer = vec![0; usize::try_from(wanted).unwrap_or(0)];
        let mut filled = 0;
        while filled < buffer.len() {
            let offset = range.start + filled as u64;
            match read_at(&self.file, &mut buffer[filled..], offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(buffer.into())
    }

    /// As [`SegmentFile::read_blocking`], on a thread for such work.
    ///
    /// # Errors
    /// As [`SegmentFile::read_blocking`].
    pub async fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let this = self.clone();
        match tokio::task::spawn_blocking(move || this.read_blocking(range)).await {
            Ok(result) => result,
            Err(fault) => Err(io::Error::other(fault)),
        }
    }
}

/// Opens a segment by its start. Waits for the disk.
pub(crate) fn open(
    spool: &Spool,
    state: Option<&ChannelState>,
    channel: &ChannelId,
    start: Timestamp,
) -> Result<SegmentFile, Error> {
    // A segment may be closed between the looks: then its final name is there at the second.
    for _ in 0..2 {
        if let Some(file) = found(File::open(spool.closed(channel, start)))? {
            let meta = file.metadata().map_err(storage)?;
            return Ok(SegmentFile {
                file: Arc::new(file),
                start,
                len: meta.len(),
                growing: false,
            });
        }
        // A `.part` that nobody writes is a crash's and not readable before recovery.
        if let Some(open) = state.and_then(|s| s.open(start))
            && let Some(file) = found(File::open(spool.part(channel, start)))?
        {
            return Ok(SegmentFile {
                file: Arc::new(file),
                start,
                len: open.bytes,
                growing: true,
            });
        }
    }
    Err(Error::not_found("There is no such segment."))
}

fn found(opened: io::Result<File>) -> Result<Option<File>, Error> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(storage(e)),
    }
}

fn storage(error: io::Error) -> Error {
    tracing::warn!(%error, "a segment cannot be read");
    Error::new(
        ErrorCode::StorageUnavailable,
        "This footage cannot be read from the disk at present.",
    )
}

//! What is sent: a file, a range of one, or bytes in memory; summed first, then streamed.
//!
//! The sums go into headers, because some servers refuse them behind the body. So a file is read
//! twice; the second time it comes from the system's cache.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::Stream;
use md5::Md5;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::{Bandwidth, BucketError, object::STALL};

/// Bytes that are sent at once. Two or three such chunks of each transfer are in memory.
const CHUNK: usize = 128 * 1024;
/// Bytes that are summed at once: they stay in the processor's cache between the two.
const SUMMED: usize = 64 * 1024;
/// What a slow line must manage on average, in bytes per second.
const SLOWEST: u64 = 4 * 1024;

/// What is to be stored.
#[derive(Clone, Debug)]
pub enum Source {
    /// A part of a file, or all of it. The file must not change meanwhile; if it does, the store
    /// notices or [`BucketError::Local`] is given.
    File {
        /// Where it is.
        path: PathBuf,
        /// First byte.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Bytes in memory.
    Bytes(Bytes),
}

/// Sums of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub sha256: [u8; 32],
    pub md5: Option<[u8; 16]>,
}

impl Source {
    /// The whole of a file, as long as it is now.
    pub async fn file(path: impl AsRef<Path>) -> Result<Self, BucketError> {
        let path = path.as_ref().to_owned();
        let meta = tokio::fs::metadata(&path)
            .await
            .map_err(|e| BucketError::local(&e))?;
        if !meta.is_file() {
            return Err(BucketError::Local(std::io::ErrorKind::InvalidInput));
        }
        Ok(Self::File {
            path,
            offset: 0,
            len: meta.len(),
        })
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::File { len, .. } => *len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) async fn sums(&self, md5: bool) -> Result<Sums, BucketError> {
        let mut sha256 = Sha256::new();
        let mut md5 = md5.then(Md5::new);
        match self.clone() {
            Self::Bytes(bytes) => {
                sha256.update(&bytes);
                if let Some(md5) = &mut md5 {
                    md5.update(&bytes);
                }
            }
            Self::File { path, offset, len } => {
                (sha256, md5) = blocking(move || {
                    let mut reader = Reader::open(&path, offset, len)?;
                    let mut chunk = vec![0; SUMMED];
                    loop {
                        let n = reader.read(&mut chunk)?;
                        if n == 0 {
                            return Ok((sha256, md5));
                        }
                        sha256.update(&chunk[..n]);
                        if let Some(md5) = &mut md5 {
                            md5.update(&chunk[..n]);
                        }
                    }
                })
                .await?;
            }
        }
        Ok(Sums {
            sha256: sha256.finalize().into(),
            md5: md5.map(|m| m.finalize().into()),
        })
    }

    /// The bytes in chunks, at the pace of the limit, counted in `progress`.
    pub(crate) fn stream(
        &self,
        bandwidth: Option<Arc<Bandwidth>>,
        progress: Progress,
    ) -> impl Stream<Item = Result<Bytes, BucketError>> + Send + Sync + 'static {
        enum At {
            Begin(Source),
            File(Box<Reader>),
            Bytes(Bytes),
            End,
        }
        let buffers = Buffers::default();
        futures::stream::unfold(At::Begin(self.clone()), move |mut at| {
            let (bandwidth, progress) = (bandwidth.clone(), progress.clone());
            let buffers = buffers.clone();
            async move {
                let want = bandwidth.as_ref().map_or(CHUNK, |b| b.chunk(4096, CHUNK));
                if let At::Begin(source) = at {
                    at = match source {
                        Source::Bytes(bytes) => At::Bytes(bytes),
                        Source::File { path, offset, len } => {
                            match blocking(move || Reader::open(&path, offset, len)).await {
                                Ok(reader) => At::File(Box::new(reader)),
                                Err(e) => {
                                    progress.failed();
                                    return Some((Err(e), At::End));
                                }
                            }
                        }
                    };
                }
                let (chunk, at) = match at {
                    At::Begin(_) | At::End => return None,
                    At::Bytes(mut bytes) => {
                        let chunk = bytes.split_to(want.min(bytes.len()));
                        (chunk, At::Bytes(bytes))
                    }
                    At::File(mut reader) => {
                        let read = blocking(move || {
                            let mut chunk = buffers.lend();
                            chunk.len = reader.read(&mut chunk.bytes[..want])?;
                            Ok((Bytes::from_owner(chunk), reader))
                        })
                        .await;
                        match read {
                            Ok((chunk, reader)) => (chunk, At::File(reader)),
                            Err(e) => {
                                progress.failed();
                                return Some((Err(e), At::End));
                            }
                        }
                    }
                };
                if chunk.is_empty() {
                    return None;
                }
                if let Some(bandwidth) = bandwidth {
                    progress.waiting(bandwidth.take(chunk.len() as u64)).await;
                }
                progress.sent(chunk.len() as u64);
                Some((Ok(chunk), at))
            }
        })
    }
}

/// Room for the chunks of one transfer, used again as soon as they are sent: there are two or
/// three at any time.
#[derive(Clone, Debug, Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lend(&self) -> Chunk {
        let bytes = self.free().pop();
        Chunk {
            bytes: bytes.unwrap_or_else(|| vec![0; CHUNK]),
            len: 0,
            back: self.clone(),
        }
    }
}

/// Bytes that go back to where they came from.
struct Chunk {
    bytes: Vec<u8>,
    len: usize,
    back: Buffers,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.back.free().push(bytes);
    }
}

/// Reads exactly the promised bytes of a file, or fails.
#[derive(Debug)]
struct Reader {
    file: File,
    left: u64,
}

impl Reader {
    fn open(path: &Path, offset: u64, len: u64) -> Result<Self, BucketError> {
        let open = || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        };
        let file = open().map_err(|e: std::io::Error| BucketError::local(&e))?;
        Ok(Self { file, left: len })
    }

    fn read(&mut self, chunk: &mut [u8]) -> Result<usize, BucketError> {
        let want = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(chunk.len());
        let mut got = 0;
        while got < want {
            match self.file.read(&mut chunk[got..want]) {
                // Shorter than promised: somebody cut it.
                Ok(0) => return Err(BucketError::Local(std::io::ErrorKind::UnexpectedEof)),
                Ok(n) => got += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(BucketError::local(&e)),
            }
        }
        self.left -= got as u64;
        Ok(got)
    }
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BucketError> + Send + 'static,
) -> Result<T, BucketError> {
    spawn_blocking(work)
        .await
        .unwrap_or(Err(BucketError::INTERRUPTED))
}

/// How far a transfer is, shared by the body and whoever waits for the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    waiting: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    fn sent(&self, bytes: u64) {
        self.0.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The source failed, not the store.
    fn failed(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn source_failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed) > 0
    }

    /// Time spent waiting for our own limit is no standstill of the store.
    async fn waiting(&self, wait: impl Future<Output = ()>) {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        wait.await;
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits for the answer to a transfer of `len` bytes: as long as bytes move, and in all not
    /// longer than a very slow line needs.
    pub(crate) async fn watch<T>(
        &self,
        len: u64,
        limited: bool,
        call: impl Future<Output = Result<T, BucketError>>,
    ) -> Result<T, BucketError> {
        let longest = Duration::from_secs(60 + len / SLOWEST);
        let moving = async {
            let mut last = 0;
            loop {
                tokio::time::sleep(STALL).await;
                let sent = self.0.sent.load(Ordering::Relaxed);
                if sent == last && self.0.waiting.load(Ordering::Relaxed) == 0 {
                    return;
                }
                last = sent;
            }
        };
        let ends = async {
            if limited {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(longest).await;
        };
        tokio::select! {
            biased;
            result = call => result,
            () = moving => Err(BucketError::TIMED_OUT),
            () = ends => Err(BucketError::TIMED_OUT),
        }
    }
}

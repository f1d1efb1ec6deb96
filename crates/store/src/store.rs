//! The handle: one thread that writes, a few connections that read.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::{error, warn};

use crate::{Result, StoreError, connection};

/// Writes that may wait for the writer; further callers wait for room.
const QUEUE: usize = 256;
/// Reads at a time.
const READERS: usize = 3;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.inner.path)
            .finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Opens the database at this path, making or upgrading it as needed. The folder must
    /// exist. A file that is newer, foreign or damaged is refused and left as it is.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let (mut connection, path) =
            tokio::task::spawn_blocking(move || connection::open_writer(&path).map(|c| (c, path)))
                .await
                .map_err(|_| StoreError::BrokeOff)??;
        let (sender, mut jobs) = mpsc::channel::<Job>(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                while let Some(job) = jobs.blocking_recv() {
                    job(&mut connection);
                }
                // Leaves one file without a log beside it, so that a copy of it is whole.
                if let Err(cause) =
                    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                {
                    warn!(%cause, "the database log could not be folded in");
                }
                if let Err((_, cause)) = connection.close() {
                    warn!(%cause, "the database was not closed cleanly");
                }
            })
            .map_err(|e| StoreError::Open {
                path: path.clone(),
                cause: e.to_string(),
            })?;
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                writer: Mutex::new(Some(sender)),
                thread: Mutex::new(Some(thread)),
                permits: Semaphore::new(READERS),
                idle: Mutex::new(Vec::new()),
            }),
        })
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Carries out what was queued, folds the log into the file and closes it. Later calls fail
    /// with [`StoreError::Closed`].
    pub async fn close(&self) {
        drop(lock(&self.inner.writer).take());
        self.inner.permits.close();
        lock(&self.inner.idle).clear();
        let thread = lock(&self.inner.thread).take();
        if let Some(thread) = thread
            && tokio::task::spawn_blocking(move || thread.join().is_ok())
                .await
                .ok()
                != Some(true)
        {
            error!("the database writer did not end in order");
        }
    }

    /// Runs work in a transaction on the writer. An error or a panic rolls it back.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let sender = lock(&self.inner.writer).clone().ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = catch_unwind(AssertUnwindSafe(|| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let out = work(&transaction)?;
                transaction.commit()?;
                Ok(out)
            }))
            .unwrap_or(Err(StoreError::BrokeOff));
            // A caller that went away does not undo what it asked for.
            let _ = reply.send(result);
        });
        sender.send(job).await.map_err(|_| StoreError::Closed)?;
        drop(sender);
        answer.await.map_err(|_| StoreError::BrokeOff)?
    }

    /// Runs work on a connection that cannot write, within one snapshot.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit = self
            .inner
            .permits
            .acquire()
            .await
            .map_err(|_| StoreError::Closed)?;
        let inner = self.inner.clone();
        let result = tokio::task::spawn_blocking(move || {
            let idle = lock(&inner.idle).pop();
            let mut connection = match idle {
                Some(c) => c,
                None => connection::open_reader(&inner.path)?,
            };
            let result = connection
                .transaction()
                .map_err(StoreError::from)
                .and_then(|t| work(&t));
            if !inner.permits.is_closed() {
                lock(&inner.idle).push(connection);
            }
            result
        })
        .await
        .map_err(|_| StoreError::BrokeOff)?;
        drop(permit);
        result
    }

    /// Looks through the whole file for damage. Takes seconds on a large one. Gives what SQLite
    /// found, empty when all is well.
    pub async fn find_damage(&self) -> Result<Vec<String>> {
        self.read(|c| {
            let mut statement = c.prepare("PRAGMA quick_check(20)")?;
            let lines = statement
                .query_map([], |r| r.get::<_, String>(0))?
                .collect::<Result<Vec<_>, _>>()?;
            Ok(lines.into_iter().filter(|l| l != "ok").collect())
        })
        .await
    }
}

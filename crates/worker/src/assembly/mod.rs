//! One file made of a range of a channel: a plain MP4 that has the segments' bytes inside.
//!
//! ```text
//! pieces --(heads)--> formats --(samples)--> plan: head and ranges --+--> local: file in its place
//!                                                                    +--> remote: joined in the bucket
//! ```
//!
//! Media is never looked at: segments' bytes are copied by the system, or by the store itself.
//! What does not belong here: which segments belong into a file, its row, and the upload of what
//! was made locally.

mod joined;
mod local;
mod picture;
mod plan;
mod source;
mod stale;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use oriel_api::{
    ChannelId, Error, ErrorCode, Quality, Result, Timestamp,
    link::{Assembled, AssemblyLink, AssemblyOrder, AssemblyProgress},
};
use oriel_bucket::{Bucket, FolderBucket, Named, ObjectKey, Stores};
use tokio::runtime::Handle;

use crate::{
    Worker,
    place::{Place, unusable},
    spool::Spool,
    state::ChannelState,
};

pub use picture::picture_job;
pub(crate) use stale::spawn as clear_stale;

/// What ends the making of a file.
#[derive(Debug)]
enum Stop {
    /// For whoever ordered it.
    Failed(Error),
    /// A piece cannot be read after all: plan again without this source of it, the object in the
    /// bucket or the local file.
    Lost { piece: usize, object: bool },
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// An order being carried out. Used in a thread that may wait.
struct Job {
    order: AssemblyOrder,
    key: ObjectKey,
    named: Named,
    spool: Spool,
    place: Arc<Place>,
    state: Option<Arc<ChannelState>>,
    stores: Arc<Stores>,
    reserve_bytes: u64,
    progress: Arc<dyn AssemblyProgress>,
    /// Whoever ordered it went away.
    dropped: Arc<AtomicBool>,
    runtime: Handle,
}

impl Job {
    fn check(&self) -> Result<()> {
        if self.dropped.load(Ordering::Relaxed) || self.progress.cancelled() {
            return Err(Error::conflict("It was cancelled."));
        }
        Ok(())
    }

    /// As [`Job::check`], when a step is done that counts no bytes.
    fn step(&self) -> Result<()> {
        self.progress.alive();
        self.check()
    }

    /// For a local file that is not there or cannot be read: it is lost only when the disk it
    /// lay on is there.
    fn lost_for_good(&self) -> Result<()> {
        if self.runtime.block_on(self.place.vouches(&self.spool)) {
            Ok(())
        } else {
            Err(unusable(&self.place))
        }
    }

    /// The folder the file goes to.
    fn folder(&self) -> Result<&FolderBucket> {
        match self.stores.local_of(&self.named) {
            Some(Bucket::Folder(folder)) => Ok(folder),
            _ => Err(Error::new(
                ErrorCode::StorageUnavailable,
                "The folder for this file cannot be used. Look at the storage page.",
            )),
        }
    }

    /// In the bucket where it can, here otherwise.
    fn make(&self, plan: &plan::Plan) -> Result<Assembled, Stop> {
        if let Some(remote) = joined::possible(self) {
            match joined::join(self, &remote, plan) {
                Ok(made) => return Ok(made),
                Err(joined::Failed::Stop(stop)) => return Err(stop),
                Err(joined::Failed::Bucket(error)) => {
                    tracing::warn!(%error, key = %self.key,
                        "the storage did not join the file; it is made here");
                }
            }
        }
        local::write(self, plan)
    }

    fn run(mut self) -> Result<Assembled> {
        // Every round takes one source of a piece away.
        loop {
            self.check()?;
            let made = plan::plan(&self).and_then(|plan| self.make(&plan));
            match made {
                Ok(made) => return Ok(made),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Lost { piece, object }) => {
                    let Some(piece) = self.order.pieces.get_mut(piece) else {
                        return Err(Error::unavailable("A piece was lost."));
                    };
                    tracing::warn!(channel = %self.order.channel, start = piece.start.ms(), object,
                        "a segment went away while a file was made of it");
                    if object {
                        piece.object_key = None;
                    } else {
                        piece.local = false;
                        self.lost_for_good()?;
                    }
                }
            }
        }
    }
}

/// Sets the flag when the future that waits for the thread is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl AssemblyLink for Worker {
    async fn assemble(
        &self,
        order: AssemblyOrder,
        progress: Arc<dyn AssemblyProgress>,
    ) -> Result<Assembled> {
        let key: ObjectKey = order.key.parse().map_err(invalid)?;
        let named = match key.named() {
            Some(named @ (Named::Clip { .. } | Named::Export { .. })) => named,
            _ => {
                return Err(Error::invalid(
                    "Only clips and exports are made of footage.",
                ));
            }
        };
        let guard = Dropped(Arc::default());
        let job = Job {
            key,
            named,
            spool: self.spool().clone(),
            place: self.place(),
            state: self.channel_state(&order.channel),
            stores: self.stores().now(),
            reserve_bytes: self.reserve_bytes(),
            progress,
            dropped: guard.0.clone(),
            runtime: Handle::current(),
            order,
        };
        tokio::task::spawn_blocking(move || job.run())
            .await
            .map_err(Error::internal)?
    }

    async fn picture(&self, channel: &ChannelId, quality: Quality) -> Result<(Vec<u8>, Timestamp)> {
        picture::last(self, channel, quality).await
    }
}

fn invalid(error: impl std::fmt::Display) -> Error {
    Error::invalid(error.to_string())
}

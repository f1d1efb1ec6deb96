//! The worker's side of making files, as a recording of what was asked of it: files of a few
//! bytes in their real places.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use oriel_api::{
    ChannelId, Error, Gap, PlaceKind, Quality, Result, Timestamp,
    link::{Assembled, AssemblyLink, AssemblyOrder, AssemblyProgress},
};
use oriel_bucket::{Bucket, FolderBucket, ObjectKey, SharedStores, Stores};

/// How one order is carried out.
pub(super) enum Answer {
    Fails(Error),
    Holes(Vec<Gap>),
    /// Joined in the bucket.
    Remote,
    /// Goes on until [`Assembler::release`].
    Waits,
}

#[derive(Default)]
pub(super) struct Assembler {
    pub(super) stores: Mutex<Option<SharedStores>>,
    pub(super) orders: Mutex<Vec<AssemblyOrder>>,
    /// For the next orders; after the last everything is whole.
    pub(super) answers: Mutex<VecDeque<Answer>>,
    pub(super) released: AtomicBool,
    pub(super) at_once: AtomicUsize,
    pub(super) most_at_once: AtomicUsize,
    /// Of a stream.
    pub(super) picture: Mutex<Option<(Vec<u8>, Timestamp)>>,
}

/// Local places below a folder, as stores.
pub(super) async fn places(folder: &std::path::Path) -> Stores {
    FolderBucket::set_up(folder).await.unwrap();
    let bucket = Bucket::Folder(FolderBucket::open(folder, None).await.unwrap());
    let kinds = [PlaceKind::Snapshots, PlaceKind::Clips, PlaceKind::Exports];
    Stores {
        local: kinds.into_iter().map(|k| (k, bucket.clone())).collect(),
        ..Stores::none()
    }
}

impl Assembler {
    pub(super) fn next(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back(answer);
    }

    pub(super) fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
    }

    pub(super) fn orders(&self) -> Vec<AssemblyOrder> {
        self.orders.lock().unwrap().clone()
    }

    async fn write(&self, key: &str) {
        let stores = self.stores.lock().unwrap().clone().expect("stores");
        let key = ObjectKey::parse(key).unwrap();
        let place = stores.now().local_of(&key.named().unwrap()).cloned();
        let bytes = format!("made {key}");
        place.unwrap().put_bytes(&key, bytes, None).await.unwrap();
    }

    async fn carry_out(
        &self,
        order: &AssemblyOrder,
        progress: &dyn AssemblyProgress,
    ) -> Result<Assembled> {
        let answer = self.answers.lock().unwrap().pop_front();
        let (mut gaps, mut remote) = (Vec::new(), false);
        match answer {
            Some(Answer::Fails(error)) => return Err(error),
            Some(Answer::Holes(holes)) => gaps = holes,
            Some(Answer::Remote) => remote = true,
            Some(Answer::Waits) => {
                progress.advanced(1, 2);
                while !self.released.load(Ordering::SeqCst) {
                    if progress.cancelled() {
                        return Err(Error::conflict("It was cancelled."));
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            None => {}
        }
        if !remote {
            self.write(&order.key).await;
        }
        progress.advanced(2, 2);
        let first = order.pieces.first().expect("pieces").start;
        let last = order.pieces.last().expect("pieces").end;
        Ok(Assembled {
            bytes: 5,
            sha256: (!remote).then_some([9; 32]),
            start: first.max(order.range.start),
            end: last.min(order.range.end),
            gaps,
            remote,
        })
    }
}

#[async_trait]
impl AssemblyLink for Assembler {
    async fn assemble(
        &self,
        order: AssemblyOrder,
        progress: Arc<dyn AssemblyProgress>,
    ) -> Result<Assembled> {
        self.orders.lock().unwrap().push(order.clone());
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        let made = self.carry_out(&order, &*progress).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        made
    }

    async fn picture(&self, _: &ChannelId, _: Quality) -> Result<(Vec<u8>, Timestamp)> {
        let picture = self.picture.lock().unwrap().clone();
        picture.ok_or_else(|| Error::unavailable("The stream stands."))
    }
}

//! Files that the bucket joins at the moment: their parts are noted as bytes to be taken back
//! before the first is sent, and the note goes when the file is whole.
//!
//! So a crash in the middle leaves a note and no parts that nobody knows of.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use oriel_api::{Result, link::AssemblyProgress};
use tracing::warn;

use super::{FileOrder, Progress, lock};
use crate::Nvr;

/// What is being joined: the bucket's ids, whose notes are not to be acted on.
#[derive(Default)]
pub(crate) struct Joining(Mutex<HashSet<String>>);

impl Joining {
    /// Whether this is being joined at the moment.
    pub(crate) fn has(&self, multipart: &str) -> bool {
        lock(&self.0).contains(multipart)
    }
}

/// The progress of an order, with what the bucket does for it.
pub(super) struct Followed {
    nvr: Arc<Nvr>,
    key: String,
    progress: Arc<Progress>,
    /// What it has begun and not ended.
    begun: Mutex<Option<String>>,
}

impl Followed {
    pub(super) fn new(nvr: &Arc<Nvr>, order: &FileOrder, progress: Arc<Progress>) -> Self {
        Self {
            nvr: nvr.clone(),
            key: order.key.clone(),
            progress,
            begun: Mutex::new(None),
        }
    }

    fn end(&self) {
        if let Some(multipart) = lock(&self.begun).take() {
            lock(&self.nvr.joining.0).remove(&multipart);
            self.nvr.bucket_garbage.notify_one();
        }
    }
}

#[async_trait]
impl AssemblyProgress for Followed {
    fn advanced(&self, done: u64, total: u64) {
        self.progress.advanced(done, total);
    }

    fn alive(&self) {
        self.progress.alive();
    }

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }

    async fn parts_begun(&self, multipart: &str) -> Result<()> {
        // First: who finds the note must find this too.
        lock(&self.nvr.joining.0).insert(multipart.to_owned());
        *lock(&self.begun) = Some(multipart.to_owned());
        let noted = (self.key.clone(), multipart.to_owned());
        Ok(self.nvr.store.parts_begun(noted.0, noted.1).await?)
    }

    async fn parts_ended(&self, multipart: &str, gone: bool) {
        if gone {
            let noted = (self.key.clone(), multipart.to_owned());
            if let Err(error) = self.nvr.store.parts_gone(noted.0, noted.1).await {
                // It is looked at again, and the bucket will say that there is nothing.
                warn!(key = self.key, %error, "the note of joined parts stays");
            }
        }
        self.end();
    }
}

#[cfg(test)]
/// The progress of an order for this key.
pub(crate) fn follow(nvr: &Arc<Nvr>, key: &str) -> impl AssemblyProgress + use<> {
    use oriel_api::{ChannelId, Range, Timestamp};
    let order = FileOrder {
        channel: ChannelId::from_random([7; 12]),
        range: Range {
            start: Timestamp::from_ms(0),
            end: Timestamp::from_ms(1000),
        },
        cancelled: None,
        exact: false,
        with_audio: false,
        title: String::new(),
        key: key.to_owned(),
    };
    let progress = Progress::new(tokio_util::sync::CancellationToken::new(), || {});
    Followed::new(nvr, &order, Arc::new(progress))
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.end();
    }
}

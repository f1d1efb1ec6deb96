//! Keeps what people call a channel beside its footage in the bucket, so that a database that is
//! made again from there has names.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{Change, ChannelId, Error, Result};
use oriel_bucket::{Bucket, ObjectKey};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use serde_json::json;
use tokio::{
    sync::{Notify, broadcast::error::RecvError, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::open::Destined;
use crate::Nvr;

/// What could not be written is tried again after this.
const AGAIN: Duration = Duration::from_secs(300);

struct Names {
    nvr: Arc<Nvr>,
    /// Where names were written, and which.
    written: Option<(Destined, BTreeMap<ChannelId, String>)>,
}

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = Arc::new(Notify::new());
    let names = Names { nvr, written: None };
    tokio::spawn(async move {
        supervise("channel names", names, status, nudge, cancel).await;
    })
}

impl Names {
    /// Writes names that are not there yet; whether all are.
    async fn write(&mut self) -> Result<bool> {
        let stores = self.nvr.options.stores.now();
        let (Some(remote), Some(opened)) = (&stores.remote, self.nvr.opened()) else {
            return Ok(true);
        };
        let mut written = match self.written.take() {
            Some((destined, written)) if destined == opened.destined => written,
            _ => BTreeMap::new(),
        };
        let mut whole = true;
        for channel in self.nvr.store.channels().await? {
            if written.get(&channel.id) == Some(&channel.name) {
                continue;
            }
            match put(&remote.areas.incoming, &channel.id, &channel.name).await {
                Ok(()) => {
                    written.insert(channel.id, channel.name);
                }
                // The queue of uploads tells what is wrong with the destination.
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        self.written = Some((opened.destined, written));
        Ok(whole)
    }
}

async fn put(bucket: &Bucket, channel: &ChannelId, name: &str) -> Result<()> {
    let key = ObjectKey::channel(channel).map_err(Error::internal)?;
    let note = json!({ "name": name }).to_string();
    let put = bucket.put_bytes(&key, note, Some("application/json"));
    Box::pin(put).await?;
    Ok(())
}

impl Supervised for Names {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        let mut stores = self.nvr.options.stores.subscribe();
        let mut changes = self.nvr.subscribe();
        let result = loop {
            let whole = tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                written = self.write() => match written {
                    Ok(whole) => whole,
                    Err(error) => break Err(error),
                },
            };
            let renamed = async {
                loop {
                    match changes.recv().await {
                        Ok(Change::Channel { .. } | Change::Resync {})
                        | Err(RecvError::Lagged(_)) => {
                            return;
                        }
                        Ok(_) => {}
                        Err(RecvError::Closed) => std::future::pending().await,
                    }
                }
            };
            let later = async {
                if whole {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(AGAIN).await;
            };
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                changed = stores.changed() => if changed.is_err() { break Ok(()) },
                () = renamed => {}
                () = later => {}
            }
        };
        Attempt {
            result,
            healthy_for: begun.elapsed(),
        }
    }

    fn severity(&self, _: &Error) -> Severity {
        Severity::Transient
    }
}

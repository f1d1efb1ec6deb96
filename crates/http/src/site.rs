//! What every request can reach.

use std::{net::SocketAddr, sync::Arc};

use oriel_api::{Caller, Camera, Channel, ChannelId, Quality, dispatch};
use oriel_child::Program;
use oriel_nvr::Nvr;
use oriel_worker::Worker;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::pictures::Pictures;

/// Live viewers at once, sockets and pictures together.
const MOST_LIVE: usize = 256;
/// Followers of changes at once.
const MOST_FOLLOWERS: usize = 64;

/// Pictures received at once; each is held in memory.
const MOST_PICTURES: usize = 4;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct Site(Arc<Inner>);

struct Inner {
    nvr: Arc<Nvr>,
    worker: Arc<Worker>,
    pictures: Pictures,
    listen: SocketAddr,
    closing: CancellationToken,
    sockets: TaskTracker,
    live: Arc<Semaphore>,
    followers: Arc<Semaphore>,
    received: Arc<Semaphore>,
    openapi: bytes::Bytes,
}

impl Site {
    pub(crate) fn new(
        nvr: Arc<Nvr>,
        worker: Arc<Worker>,
        program: Arc<Program>,
        listen: SocketAddr,
        version: &str,
    ) -> Self {
        Self(Arc::new(Inner {
            pictures: Pictures::new(worker.clone(), program),
            nvr,
            worker,
            listen,
            closing: CancellationToken::new(),
            sockets: TaskTracker::new(),
            live: Arc::new(Semaphore::new(MOST_LIVE)),
            followers: Arc::new(Semaphore::new(MOST_FOLLOWERS)),
            received: Arc::new(Semaphore::new(MOST_PICTURES)),
            openapi: oriel_api::openapi(version).to_string().into(),
        }))
    }

    pub(crate) fn nvr(&self) -> &Arc<Nvr> {
        &self.0.nvr
    }

    pub(crate) fn worker(&self) -> &Arc<Worker> {
        &self.0.worker
    }

    pub(crate) fn pictures(&self) -> &Pictures {
        &self.0.pictures
    }

    /// Where we listen.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.0.listen
    }

    /// Cancelled when the recorder stops.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    /// The OpenAPI document.
    pub(crate) fn openapi(&self) -> bytes::Bytes {
        self.0.openapi.clone()
    }

    /// A place among the live viewers, if there is one.
    pub(crate) fn live_slot(&self) -> Option<OwnedSemaphorePermit> {
        self.0.live.clone().try_acquire_owned().ok()
    }

    /// A place among the pictures being received, if there is one.
    pub(crate) fn picture_slot(&self) -> Option<OwnedSemaphorePermit> {
        self.0.received.clone().try_acquire_owned().ok()
    }

    /// A place among the followers of changes, if there is one.
    pub(crate) fn follower_slot(&self) -> Option<OwnedSemaphorePermit> {
        self.0.followers.clone().try_acquire_owned().ok()
    }

    /// Held by an open socket, so that stopping waits for its goodbye.
    pub(crate) fn open_socket(&self) -> TaskTrackerToken {
        self.0.sockets.token()
    }

    /// Waits until every socket has said goodbye.
    pub(crate) async fn sockets_closed(&self) {
        self.0.sockets.close();
        self.0.sockets.wait().await;
    }

    /// Looks something up for a request that is already allowed.
    async fn look_up<T: DeserializeOwned>(&self, operation: &str, id: &str) -> Option<T> {
        let input = json!({ "id": id });
        let value = dispatch(&**self.nvr(), &Caller::owner(), operation, input)
            .await
            .ok()?;
        serde_json::from_value(value).ok()
    }

    /// Whether there is such a channel.
    pub(crate) async fn has_channel(&self, id: &ChannelId) -> bool {
        self.look_up::<Channel>("channel_get", id.as_str())
            .await
            .is_some()
    }

    /// What people call a channel.
    pub(crate) async fn channel_name(&self, id: &ChannelId) -> Option<String> {
        let channel: Option<Channel> = self.look_up("channel_get", id.as_str()).await;
        channel.map(|c| c.name)
    }

    /// The encoding that can be served when this one is asked for: the main one when the camera
    /// has no other.
    pub(crate) async fn served_quality(&self, id: &ChannelId, asked: Quality) -> Quality {
        if asked == Quality::High {
            return asked;
        }
        let channel: Option<Channel> = self.look_up("channel_get", id.as_str()).await;
        let Some(camera) = channel.and_then(|c| c.camera_id) else {
            return Quality::High;
        };
        let camera: Option<Camera> = self.look_up("camera_get", camera.as_str()).await;
        match camera {
            Some(camera) if camera.profiles.iter().any(|p| p.quality == asked) => asked,
            _ => Quality::High,
        }
    }
}

//! The live hub: keeps the current group of pictures of every stream and hands frames to
//! whoever watches. A viewer never holds up a stream, and a stream nobody watches costs its
//! last group of pictures in memory and nothing else.
//!
//! What does not belong here: disk, sockets, the wire format of live messages.

mod frame;
mod silence;
mod stream;
mod viewer;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use oriel_api::{ChannelId, Quality};
use tokio::sync::watch;

use crate::sync::lock;

pub use frame::{LiveFrame, LiveRun};
pub(crate) use stream::Stream;
pub use viewer::{LiveItem, LiveOptions, LiveSubscription};

/// Which stream.
pub(crate) type StreamKey = (ChannelId, Quality);

/// All live streams.
#[derive(Default)]
pub(crate) struct Hub {
    streams: Mutex<HashMap<StreamKey, Arc<Stream>>>,
}

impl Hub {
    /// A run begins; its frames go to the returned stream.
    pub(crate) fn begin(&self, key: &StreamKey, run: Arc<LiveRun>) -> Arc<Stream> {
        let mut streams = lock(&self.streams);
        let stream = streams.entry(key.clone()).or_default();
        stream.begin(run);
        Arc::clone(stream)
    }

    /// A run ended.
    pub(crate) fn end(&self, key: &StreamKey, stream: &Stream) {
        stream.end();
        self.forget_if_idle(key);
    }

    /// A viewer comes. It waits when no run is open.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        key: StreamKey,
        options: LiveOptions,
    ) -> LiveSubscription {
        let mut streams = lock(&self.streams);
        let stream = Arc::clone(streams.entry(key.clone()).or_default());
        // Joined under the hub's lock, so that the stream cannot be forgotten in between.
        let (viewer, first) = stream.join(options);
        drop(streams);
        LiveSubscription::new(Arc::clone(self), key, stream, viewer, first, options)
    }

    /// How many watch a stream.
    pub(crate) fn watched(&self, key: &StreamKey) -> watch::Receiver<usize> {
        lock(&self.streams)
            .entry(key.clone())
            .or_default()
            .watched()
    }

    /// The channel is gone: its viewers are told.
    pub(crate) fn remove(&self, channel: &ChannelId) {
        let mut streams = lock(&self.streams);
        streams.retain(|(of, _), stream| {
            if of == channel {
                stream.remove();
            }
            of != channel
        });
    }

    pub(crate) fn forget_if_idle(&self, key: &StreamKey) {
        let mut streams = lock(&self.streams);
        if streams.get(key).is_some_and(|s| s.is_idle()) {
            streams.remove(key);
        }
    }
}

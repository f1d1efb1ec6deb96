//! The seam from agent to worker: frames of a run go in, nothing comes back.

use std::sync::Arc;

use oriel_api::{ChannelId, Quality, Reason, Timestamp};

use tokio::sync::watch;

use crate::{Format, Frame};

/// A connection began to deliver.
#[derive(Clone, Debug)]
pub struct RunOpen {
    /// Channel.
    pub channel: ChannelId,
    /// Which encoding.
    pub quality: Quality,
    /// Whether it is to reach the disk. Otherwise it only feeds viewers.
    pub record: bool,
    /// Tracks.
    pub format: Arc<Format>,
    /// Wall clock at the run's time zero.
    pub anchor: Timestamp,
}

/// Takes runs. Implemented by the worker.
pub trait Ingest: Send + Sync {
    /// A run begins. A run of the same channel and quality that is still open is closed first.
    fn open(&self, run: RunOpen) -> Box<dyn RunSink>;

    /// Tells which streams somebody watches, so that the agent fetches a stream that is not
    /// recorded only while it is wanted.
    fn watched(&self, channel: &ChannelId, quality: Quality) -> watch::Receiver<usize>;
}

/// Takes the frames of one run. Dropping it ends the run as if the stream had ended.
pub trait RunSink: Send {
    /// Hands a frame on. Never blocks; what cannot be taken is counted and the run goes on at
    /// the next key frame.
    fn push(&mut self, frame: Frame);

    /// Frames this sink could not take so far.
    fn dropped(&self) -> u64;

    /// The run ends, and why.
    fn close(self: Box<Self>, reason: Reason, drift_ppm: Option<f64>);
}

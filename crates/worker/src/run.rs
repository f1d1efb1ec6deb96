//! A run on its way to the disk.

use std::sync::{Arc, Mutex};

use oriel_api::{ChannelId, Timestamp, link::RunId};
use oriel_media::Format;

use crate::state::ChannelState;

/// One uninterrupted connection that is recorded.
pub(crate) struct Run {
    /// Unique in this process.
    pub(crate) number: u64,
    pub(crate) channel: ChannelId,
    pub(crate) format: Arc<Format>,
    pub(crate) anchor: Timestamp,
    pub(crate) state: Arc<ChannelState>,
    /// The nvr's number, once it has given one. Only the reporter touches it.
    pub(crate) id: Mutex<Option<RunId>>,
}

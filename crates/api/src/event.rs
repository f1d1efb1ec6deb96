//! Events kept in the database, and changes pushed as they happen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Camera, CameraId, Channel, ChannelId, Clip, ClipId, DiskState, Export, ExportId, Reason, Scope,
    Scoped, Snapshot, SnapshotId, Timestamp, UploadStatus,
};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The camera began to stream.
    Connected,
    /// The camera was lost; `reason` says why.
    Disconnected,
    /// Footage could not be written.
    StorageFailed,
    /// Footage was repaired after a crash.
    Recovered,
    /// The wall clock jumped.
    ClockStep,
    /// Somebody marked a moment.
    Marked,
    /// Footage was deleted before its time to keep the disk from filling.
    DeletedEarly,
    /// The disk is nearly full, or has room again.
    DiskLevel,
    /// Uploading has stopped until somebody acts.
    UploadStopped,
    /// Uploading goes on.
    UploadResumed,
    /// A segment could not be uploaded: its local file is gone or damaged.
    UploadLost,
    /// Oriel started.
    Started,
    /// Oriel stopped in an orderly way.
    Stopped,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Id.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// On which channel, if on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<ChannelId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// Events, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Only this channel.
    #[serde(default)]
    pub channel_id: Option<ChannelId>,
    /// At most so many, 1 to 500, 100 when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}
impl Scoped for EventQuery {
    fn scope(&self) -> Scope {
        match &self.channel_id {
            Some(id) => Scope::Channel(id.clone()),
            None => Scope::List,
        }
    }
}

/// A moment to be marked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventCreate {
    /// Channel.
    pub id: ChannelId,
    /// When; now when absent.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// What it is, 200 characters at most.
    #[serde(default)]
    pub note: Option<String>,
}
impl Scoped for EventCreate {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// A change, as it is pushed to viewers. The same JSON over WebSocket and in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// A camera was added or its state, stats or settings changed.
    Camera {
        /// The camera as it is now.
        camera: Box<Camera>,
    },
    /// A camera is gone.
    CameraRemoved {
        /// Which.
        id: CameraId,
    },
    /// A channel was added or changed.
    Channel {
        /// The channel as it is now.
        channel: Box<Channel>,
    },
    /// A channel is gone.
    ChannelRemoved {
        /// Which.
        id: ChannelId,
    },
    /// A segment reached the disk.
    Recorded {
        /// Channel.
        channel_id: ChannelId,
        /// First frame.
        start: Timestamp,
        /// End of the last frame.
        end: Timestamp,
    },
    /// Something happened.
    Event {
        /// What.
        event: Event,
    },
    /// A clip was made, changed or got further.
    Clip {
        /// The clip as it is now.
        clip: Box<Clip>,
    },
    /// A clip is gone.
    ClipRemoved {
        /// Which.
        id: ClipId,
    },
    /// A snapshot was taken.
    Snapshot {
        /// The snapshot as it is now.
        snapshot: Box<Snapshot>,
    },
    /// A snapshot is gone.
    SnapshotRemoved {
        /// Which.
        id: SnapshotId,
    },
    /// An export was asked for, or got further.
    Export {
        /// The export as it is now.
        export: Box<Export>,
    },
    /// An export is gone.
    ExportRemoved {
        /// Which.
        id: ExportId,
    },
    /// The upload queue got further.
    Uploads {
        /// As it stands.
        uploads: UploadStatus,
    },
    /// The disk has another level.
    Disk {
        /// As it stands.
        disk: DiskState,
    },
    /// This viewer missed changes: read the lists again.
    Resync {},
    /// Nothing has changed; said every 20 s, so that a page knows a connection that has died.
    Alive {},
}

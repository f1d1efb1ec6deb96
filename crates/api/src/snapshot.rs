//! Snapshots: one frame as JPEG.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChannelId, Scope, Scoped, SnapshotId, Timestamp};

/// Who makes the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotSource {
    /// The caller, who sends it to `upload_url` and then confirms.
    Client,
    /// The recorder: from the camera's snapshot address, else from the last key frame.
    Agent,
}

/// How a snapshot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotStatus {
    /// The picture has not arrived.
    Pending,
    /// It is kept.
    Stored,
    /// It could not be taken: see `reason`.
    Failed,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Id.
    pub snapshot_id: SnapshotId,
    /// Channel.
    pub channel_id: ChannelId,
    /// The moment it shows.
    pub taken: Timestamp,
    /// Who makes the picture.
    pub source: SnapshotSource,
    /// How it stands.
    pub status: SnapshotStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Where the picture is to be sent by PUT as `image/jpeg`, 8 MiB at most; only in the answer
    /// that makes an entry for a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_url: Option<String>,
    /// Headers that the PUT must carry exactly so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub upload_headers: BTreeMap<String, String>,
    /// Signed URL; absent until it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Snapshots of all channels, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotList {
    /// At most so many, 1 to 500, 100 when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}
impl Scoped for SnapshotList {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// Snapshots of a channel, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelSnapshots {
    /// Channel.
    pub id: ChannelId,
    /// At most so many, 1 to 500, 100 when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}
impl Scoped for ChannelSnapshots {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// A snapshot to be taken.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotCreate {
    /// Channel.
    pub id: ChannelId,
    /// Who makes the picture.
    pub source: SnapshotSource,
    /// The moment it shows, for a client's; now when absent.
    #[serde(default)]
    pub taken: Option<Timestamp>,
}
impl Scoped for SnapshotCreate {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// One snapshot by id. Whether the caller may see it is asked of its channel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRef {
    /// Id.
    pub id: SnapshotId,
}
impl Scoped for SnapshotRef {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

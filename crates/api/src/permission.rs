//! What a caller may do. A grant gives one of these, for one channel or for all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A right to a kind of action.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Permission {
    /// Anyone who can reach the port; readiness and the API document only.
    #[serde(rename = "public")]
    Public,
    /// Watch live.
    #[serde(rename = "live.view")]
    LiveView,
    /// List and play recordings.
    #[serde(rename = "recordings.view")]
    RecordingsView,
    /// Delete recordings.
    #[serde(rename = "recordings.delete")]
    RecordingsDelete,
    /// Export recordings.
    #[serde(rename = "recordings.export")]
    RecordingsExport,
    /// Make clips.
    #[serde(rename = "clips.create")]
    ClipsCreate,
    /// Take snapshots.
    #[serde(rename = "snapshots.create")]
    SnapshotsCreate,
    /// Add, change and remove cameras and channels.
    #[serde(rename = "cameras.manage")]
    CamerasManage,
    /// Settings and the state of the machine.
    #[serde(rename = "system.manage")]
    SystemManage,
}

//! Exports: a job that makes one file per camera, and a manifest, for download.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CameraId, ChannelId, ExportId, Gap, Scope, Scoped, Timestamp};

/// How an export, or a part of one, stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportStatus {
    /// Waits for its turn.
    #[default]
    Queued,
    /// Being made.
    Running,
    /// Complete.
    Finished,
    /// Made, with holes or without some of the cameras.
    Partial,
    /// Not made: see `reason`.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// What files an export has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// One MP4 per camera.
    #[default]
    Mp4,
}

/// The file of one camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExportPart {
    /// Camera.
    pub camera_id: CameraId,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its name when the export was asked for.
    pub name: String,
    /// Name of the file.
    pub file: String,
    /// How it stands.
    pub status: ExportStatus,
    /// 0 to 1.
    pub progress: f64,
    /// Holes, oldest first.
    pub gaps: Vec<Gap>,
    /// Why it was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 of the file, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Signed URL; absent until it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Export {
    /// Id.
    pub export_id: ExportId,
    /// Where to ask how it stands.
    pub status_url: String,
    /// How it stands.
    pub status: ExportStatus,
    /// 0 to 1.
    pub progress: f64,
    /// What was asked for.
    pub start: Timestamp,
    /// What was asked for.
    pub end: Timestamp,
    /// What files it has.
    pub format: ExportFormat,
    /// With sound.
    pub with_audio: bool,
    /// When it was asked for.
    pub created: Timestamp,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A file per camera.
    pub parts: Vec<ExportPart>,
    /// Signed URL of `manifest.json`; absent until it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_url: Option<String>,
}

/// Exports, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportList {
    /// At most so many, 1 to 500, 100 when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}
impl Scoped for ExportList {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// An export to be made. The caller must see all the cameras.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportCreate {
    /// Cameras, 1 to 64.
    pub camera_ids: Vec<CameraId>,
    /// From.
    pub start: Timestamp,
    /// To, not in the future; at most 7 days after the start.
    pub end: Timestamp,
    /// What files; `mp4` when absent.
    #[serde(default)]
    pub format: Option<ExportFormat>,
    /// With sound; so when absent.
    #[serde(default)]
    pub with_audio: Option<bool>,
}
impl Scoped for ExportCreate {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// One export by id. Whether the caller may see it is asked of its channels.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportRef {
    /// Id.
    pub id: ExportId,
}
impl Scoped for ExportRef {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

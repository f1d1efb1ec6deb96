//! Clips: a range of one channel as one file, kept until somebody deletes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChannelId, ClipId, Gap, Scope, Scoped, Timestamp};

/// How a clip stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClipStatus {
    /// Being made, or waiting for footage that is still to come.
    #[default]
    InProgress,
    /// Complete.
    Finished,
    /// Made, with holes: see `gaps`.
    Partial,
    /// Not made: see `reason`.
    Failed,
}

/// A clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clip {
    /// Id.
    pub clip_id: ClipId,
    /// Channel.
    pub channel_id: ChannelId,
    /// Name, in somebody's words.
    pub name: String,
    /// What was asked for.
    pub time_start: Timestamp,
    /// What was asked for.
    pub time_end: Timestamp,
    /// How it stands.
    pub status: ClipStatus,
    /// 0 to 1. While footage is still to come, the part of the time that has passed.
    pub progress: f64,
    /// Begins and ends with the frame asked for; otherwise at the key frame before.
    pub exact: bool,
    /// With the sound of the recording.
    pub with_audio: bool,
    /// Holes within it, oldest first.
    pub gaps: Vec<Gap>,
    /// Why it failed, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// First frame in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_start: Option<Timestamp>,
    /// End of the last frame in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_end: Option<Timestamp>,
    /// Size of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 of the file, hexadecimal; absent where only the store has seen its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether it is in the bucket.
    pub stored: bool,
    /// When it was asked for.
    pub created: Timestamp,
    /// Signed URL; absent until it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Clips, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipList {
    /// Only of this channel.
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
impl Scoped for ClipList {
    fn scope(&self) -> Scope {
        match &self.channel_id {
            Some(id) => Scope::Channel(id.clone()),
            None => Scope::List,
        }
    }
}

/// A clip to be made. The end may lie in the future.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipCreate {
    /// Channel.
    pub channel_id: ChannelId,
    /// From.
    pub start: Timestamp,
    /// To; at most 24 h after the start and 24 h from now.
    pub end: Timestamp,
    /// Name, 80 characters at most; the channel's name and the time when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Begin and end with the frame asked for; not when absent.
    #[serde(default)]
    pub exact: Option<bool>,
    /// With sound; so when absent.
    #[serde(default)]
    pub with_audio: Option<bool>,
}
impl Scoped for ClipCreate {
    fn scope(&self) -> Scope {
        Scope::Channel(self.channel_id.clone())
    }
}

/// One clip by id. Whether the caller may see it is asked of its channel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipRef {
    /// Id.
    pub id: ClipId,
}
impl Scoped for ClipRef {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// A new name for a clip.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipUpdate {
    /// Id.
    pub id: ClipId,
    /// Name, 1 to 80 characters.
    pub name: String,
}
impl Scoped for ClipUpdate {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// A clip to be shared.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClipShare {
    /// Id.
    pub id: ClipId,
    /// Hours for which the link works, 1 to 168; 24 when absent.
    #[serde(default)]
    pub hours: Option<u32>,
}
impl Scoped for ClipShare {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// A link that opens one file until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShareLink {
    /// Address: a whole one of the bucket, or a path on this recorder.
    pub url: String,
    /// When it ends.
    pub expires: Timestamp,
}

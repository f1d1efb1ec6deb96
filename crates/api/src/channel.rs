//! Channels: a camera's registration with an nvr; the unit of rights and recording.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CameraId, ChannelId, Scope, Scoped, Timestamp};

/// Which of a camera's encodings.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// The main stream, the one recorded.
    #[default]
    High,
    /// The smaller stream, for many tiles.
    Low,
}

/// When a channel records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordMode {
    /// Never.
    Off,
    /// Always, whether or not anybody watches.
    #[default]
    Continuous,
}

/// Which engine receives the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Native where it can, GStreamer otherwise.
    #[default]
    Auto,
    /// Safe Rust in this process.
    Native,
    /// A GStreamer child process.
    Gstreamer,
}

/// What happens to a camera's audio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AudioMode {
    /// AAC and Opus as they are, everything else to AAC.
    #[default]
    Auto,
    /// As AAC, converted where the camera sends something else.
    Aac,
    /// As Opus, converted where the camera sends something else.
    Opus,
    /// As MP3, converted where the camera sends something else.
    Mp3,
    /// As the camera sends it; left out when that cannot be kept.
    Copy,
    /// No audio.
    Off,
}

/// Which segments of a channel are uploaded, when a destination is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UploadPolicy {
    /// All.
    #[default]
    All,
    /// Those around an event of the channel: from 10 s before it to 30 s after.
    Events,
    /// None.
    None,
}

/// A channel as callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// Id.
    pub id: ChannelId,
    /// Its camera; absent when the camera was removed and footage is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera_id: Option<CameraId>,
    /// Name.
    pub name: String,
    /// When it records.
    pub record_mode: RecordMode,
    /// Which engine.
    pub engine: Engine,
    /// What happens to audio.
    pub audio: AudioMode,
    /// Seconds per segment, 5 to 600; absent means the recorder's setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_seconds: Option<u32>,
    /// A segment also ends before it is larger than so many MB, 1 to 4096; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_mb: Option<u32>,
    /// Which segments are uploaded.
    pub upload: UploadPolicy,
    /// Days for which its footage is kept on this disk; absent is the recorder's rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// Space its footage may have on this disk, in MB; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_mb: Option<u32>,
    /// The recorder's own view of this channel.
    pub recording: RecordingState,
}

/// Whether footage of a channel is reaching the disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingState {
    /// Frames are reaching the disk now.
    pub active: bool,
    /// End of the last fragment written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_written_at: Option<Timestamp>,
    /// Frames lost because the disk was too slow or refused, since start.
    pub lost_frames: u64,
    /// Why the disk refuses, when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// All channels.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelList {}
impl Scoped for ChannelList {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// One channel by id.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelRef {
    /// Id.
    pub id: ChannelId,
}
impl Scoped for ChannelRef {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// A new channel for a camera that has none.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelCreate {
    /// The camera.
    pub camera_id: CameraId,
    /// Name; the camera's when absent.
    #[serde(default)]
    pub name: Option<String>,
}
impl Scoped for ChannelCreate {}

/// A change of a channel; absent fields stay.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelUpdate {
    /// Id.
    pub id: ChannelId,
    /// New name.
    #[serde(default)]
    pub name: Option<String>,
    /// When it records.
    #[serde(default)]
    pub record_mode: Option<RecordMode>,
    /// Which engine.
    #[serde(default)]
    pub engine: Option<Engine>,
    /// What happens to audio.
    #[serde(default)]
    pub audio: Option<AudioMode>,
    /// Seconds per segment, 5 to 600; 0 goes back to the recorder's setting.
    #[serde(default)]
    pub segment_seconds: Option<u32>,
    /// Largest segment in MB, 1 to 4096; 0 is no limit.
    #[serde(default)]
    pub segment_mb: Option<u32>,
    /// Which segments are uploaded.
    #[serde(default)]
    pub upload: Option<UploadPolicy>,
    /// Days, 1 to 3650; 0 goes back to the recorder's rule.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// Quota in MB; 0 is no limit.
    #[serde(default)]
    pub quota_mb: Option<u32>,
}
impl Scoped for ChannelUpdate {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

//! Recordings: what is on disk, and what is known to be missing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CameraId, ChannelId, Reason, Scope, Scoped, Timestamp};

/// Where the bytes of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SegmentState {
    /// On this machine's disk, being written.
    Open,
    /// On this machine's disk.
    Local,
    /// On its way to the bucket.
    Uploading,
    /// In the bucket.
    Stored,
    /// The row is there, the bytes are not.
    Missing,
}

/// A segment as players ask for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// Id; empty for the one being written.
    pub id: String,
    /// Camera.
    pub camera_id: CameraId,
    /// File name, `<start_ms>.mp4`.
    pub name: String,
    /// Start of the first frame.
    pub start: Timestamp,
    /// End of the last frame.
    pub end: Timestamp,
    /// Size.
    pub bytes: u64,
    /// Where the bytes are.
    pub state: SegmentState,
    /// RFC 6381 strings of its tracks, video first; what `MediaSource.isTypeSupported` is asked.
    pub codecs: String,
    /// Footage before this segment is in the same uninterrupted run.
    pub continues: bool,
    /// Number of its uninterrupted run; of two recordings of the same time, as after a clock set
    /// back, the later one has the larger. Absent when not known, and while it is being written,
    /// which only the newest run is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// Whether its bytes are on this machine's disk.
    pub local: bool,
    /// Signed URL, of this recorder or of the bucket; absent when the bytes are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The same row by channel, in the words of the media-storage contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recording {
    /// Channel.
    pub channel_id: ChannelId,
    /// Start of the first frame.
    pub time_start: Timestamp,
    /// End of the last frame.
    pub time_end: Timestamp,
    /// Object key in the bucket; absent while the bytes are only local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_path: Option<String>,
    /// Where the bytes are.
    pub status: SegmentState,
    /// Signed URL; absent when the bytes are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Segments of a camera in a window.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentQuery {
    /// Camera, or a channel without a camera.
    pub camera_id: CameraId,
    /// Window start.
    pub start: Timestamp,
    /// Window end.
    pub end: Timestamp,
    /// At most so many, 1 to 5000, 1000 when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}
impl Scoped for SegmentQuery {
    fn scope(&self) -> Scope {
        Scope::Camera(self.camera_id.clone())
    }
}

/// Recordings of a channel in a window.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordingQuery {
    /// Channel.
    pub id: ChannelId,
    /// Window start.
    pub start: Timestamp,
    /// Window end.
    pub end: Timestamp,
    /// At most so many, 1 to 5000, 1000 when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}
impl Scoped for RecordingQuery {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// Overview of a window.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimelineQuery {
    /// Channel.
    pub id: ChannelId,
    /// Window start.
    pub start: Timestamp,
    /// Window end.
    pub end: Timestamp,
}
impl Scoped for TimelineQuery {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// A stretch of footage without a hole; many segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stretch {
    /// First frame.
    pub start: Timestamp,
    /// End of the last frame.
    pub end: Timestamp,
}

/// A hole between stretches, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// End of the footage before, or the window's start.
    pub start: Timestamp,
    /// Start of the footage after, or the window's end.
    pub end: Timestamp,
    /// Cause, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// What a window holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// Channel.
    pub channel_id: ChannelId,
    /// Footage, oldest first.
    pub stretches: Vec<Stretch>,
    /// Holes, oldest first. Time before the channel existed and time to come are not holes.
    pub gaps: Vec<Gap>,
    /// First footage of the channel ever kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// End of the newest footage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// Days with footage.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DaysQuery {
    /// IANA name of the viewer's time zone, such as `Europe/Zagreb`.
    pub zone: String,
    /// First day of the month asked about, `YYYY-MM`.
    pub month: String,
}
impl Scoped for DaysQuery {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// Days with footage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Days {
    /// `YYYY-MM-DD`, oldest first.
    pub days: Vec<String>,
}

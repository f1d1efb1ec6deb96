//! Cameras: devices we can reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CameraId, ChannelId, Quality, Scope, Scoped, Secret, Timestamp};

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Pass as `after` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that is complete.
    pub fn all(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// Where a stream is in its life. Published with a reason, never guessed by the UI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// Not wanted: recording off and nobody watching.
    Idle,
    /// Dialling.
    Connecting,
    /// Frames arrive.
    Streaming,
    /// Lost; trying again at `retry_at`.
    Waiting,
    /// A person has to act; tried again every minute all the same.
    Failed,
}

/// Why a stream is not streaming. Programs match on it; people read [`Reason::message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// No route, refused, or the name does not resolve.
    Unreachable,
    /// It answered nothing in time.
    Timeout,
    /// The user name or password is wrong.
    AuthRefused,
    /// Something answered that does not speak RTSP.
    NotRtsp,
    /// The address is right but there is nothing at that path.
    NoSuchStream,
    /// The stream has no video.
    NoVideo,
    /// The video codec cannot be recorded.
    UnsupportedCodec,
    /// The camera closed the connection.
    Ended,
    /// Connected, but no frame for the watchdog time.
    Stalled,
    /// The picture size or codec changed; a new run starts at once.
    FormatChanged,
    /// The camera sent bytes that cannot be a stream.
    Malformed,
    /// A GStreamer plugin is missing; the message names it.
    PluginMissing,
    /// The clock of this computer was moved; a new run starts at once.
    ClockStep,
    /// Footage cannot be written.
    StorageUnavailable,
    /// Recording is switched off.
    Off,
    /// Oriel was not running.
    NotRunning,
    /// A rule or a full disk deleted the footage.
    Deleted,
    /// Somebody's words.
    Noted,
    /// A fault of ours.
    Internal,
}

/// Why, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Stable code.
    pub code: ReasonCode,
    /// What happened and what to do, without secrets.
    pub message: String,
}

/// One encoding a camera offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamProfile {
    /// Which of the camera's encodings this is.
    pub quality: Quality,
    /// Address without credentials.
    pub url: String,
    /// What was seen there, once it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoInfo>,
    /// Its audio, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioInfo>,
}

/// What a video track is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VideoInfo {
    /// Family: `h264`, `h265`.
    pub codec: String,
    /// RFC 6381 string, such as `avc1.64001f`; what a browser is asked about.
    pub codec_string: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second, measured or declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
}

/// What an audio track is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AudioInfo {
    /// As the camera sends it: `aac`, `opus`, `pcmu`, `pcma`, ….
    pub codec: String,
    /// RFC 6381 string of what is recorded, such as `mp4a.40.2`; absent when it cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec_string: Option<String>,
    /// Hertz.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
}

/// Measured while streaming, over the last few seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamStats {
    /// Frames per second received.
    pub frame_rate: f64,
    /// Kilobits per second received.
    pub kbps: f64,
    /// Seconds between the last two key frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_interval: Option<f64>,
    /// When the last frame arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_frame_at: Option<Timestamp>,
    /// Connections lost since start.
    pub reconnects: u64,
    /// Frames that could not be handed on in time.
    pub dropped: u64,
    /// Parts per million by which the camera's clock runs fast against ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
}

/// A camera as callers see it. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Camera {
    /// Id.
    pub id: CameraId,
    /// Name.
    pub name: String,
    /// Its channel; absent after the channel was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<ChannelId>,
    /// Address of the main stream without credentials.
    pub url: String,
    /// User name, if one is set; the password is write-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Whether a password is kept.
    pub has_password: bool,
    /// State of the main stream.
    pub state: StreamState,
    /// Why it is in that state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the next attempt starts, while waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Which engine receives it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineInUse>,
    /// Measured while streaming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<StreamStats>,
    /// Encodings it offers.
    pub profiles: Vec<StreamProfile>,
    /// Address that answers with a picture, without credentials; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_url: Option<String>,
    /// Things a person should know.
    pub warnings: Vec<Warning>,
}

/// Which engine receives a stream now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineInUse {
    /// Safe Rust in this process.
    Native,
    /// A GStreamer child process.
    Gstreamer,
}

/// Stable code of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// Key frames more than 5 s apart: slow start, coarse cuts.
    LongGop,
    /// Key frame distance or rate varies a lot ("smart codec").
    SmartCodec,
    /// H.265: some browsers cannot play it.
    H265,
    /// B-frames: handled by the GStreamer engine.
    BFrames,
    /// The audio codec cannot be recorded and is left out.
    AudioLeftOut,
    /// G.711 and the like, or whatever was not chosen: converted while recording.
    AudioConverted,
    /// MP3: most browsers cannot play its sound within live pictures and the timeline.
    Mp3,
    /// The camera asks for a password but sends it in clear text.
    BasicAuth,
    /// Timestamps of the camera jump or stand still.
    BadTimestamps,
}

/// Something a person should know about a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable code.
    pub code: WarningCode,
    /// What it means and what to change on the camera.
    pub message: String,
}

/// All cameras.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraList {}
impl Scoped for CameraList {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// One camera by id.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraRef {
    /// Id.
    pub id: CameraId,
}
impl Scoped for CameraRef {
    fn scope(&self) -> Scope {
        Scope::Camera(self.id.clone())
    }
}

/// A new camera.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraCreate {
    /// Name, 1 to 80 characters.
    #[schemars(length(min = 1, max = 80))]
    pub name: String,
    /// Address of the main stream. Credentials inside it are moved out of it.
    pub url: String,
    /// Address of a smaller stream, if there is one.
    #[serde(default)]
    pub low_url: Option<String>,
    /// Address that answers with a picture (`http://` or `https://`), if there is one.
    #[serde(default)]
    pub snapshot_url: Option<String>,
    /// User name.
    #[serde(default)]
    pub username: Option<String>,
    /// Password; any characters.
    #[serde(default)]
    pub password: Option<Secret>,
}
impl Scoped for CameraCreate {}

/// A change of a camera; absent fields stay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraUpdate {
    /// Id.
    pub id: CameraId,
    /// New name.
    #[serde(default)]
    pub name: Option<String>,
    /// New address of the main stream.
    #[serde(default)]
    pub url: Option<String>,
    /// New address of the smaller stream; empty text removes it.
    #[serde(default)]
    pub low_url: Option<String>,
    /// New address that answers with a picture; empty text removes it.
    #[serde(default)]
    pub snapshot_url: Option<String>,
    /// New user name; empty text removes user and password.
    #[serde(default)]
    pub username: Option<String>,
    /// New password.
    #[serde(default)]
    pub password: Option<Secret>,
}
impl Scoped for CameraUpdate {
    fn scope(&self) -> Scope {
        Scope::Camera(self.id.clone())
    }
}

/// Removal of a camera.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraDelete {
    /// Id.
    pub id: CameraId,
    /// Also delete its footage. It cannot be brought back.
    #[serde(default)]
    pub delete_recordings: bool,
}
impl Scoped for CameraDelete {
    fn scope(&self) -> Scope {
        Scope::Camera(self.id.clone())
    }
}

/// An address to look at. Give `id` to use the credentials kept for that camera.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraProbe {
    /// Address.
    pub url: String,
    /// User name.
    #[serde(default)]
    pub username: Option<String>,
    /// Password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Camera whose kept credentials are used when none are given here and the host is the same.
    #[serde(default)]
    pub id: Option<CameraId>,
}
impl Scoped for CameraProbe {}

/// What is at an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeReport {
    /// The address that was looked at, without credentials.
    pub url: String,
    /// What the device calls itself, if it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The video.
    pub video: VideoInfo,
    /// The audio, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioInfo>,
    /// Kilobits per second, measured over the probe.
    pub kbps: f64,
    /// Seconds between key frames; absent when the probe saw fewer than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_interval: Option<f64>,
    /// Milliseconds until the first key frame arrived.
    pub first_frame_ms: u64,
    /// The engine `auto` would pick.
    pub engine: EngineInUse,
    /// Things a person should know.
    pub warnings: Vec<Warning>,
}

/// A demonstration camera this recorder was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DemoCamera {
    /// Name.
    pub name: String,
    /// Address of the main stream without credentials.
    pub url: String,
    /// Whether a camera with this address exists.
    pub added: bool,
}

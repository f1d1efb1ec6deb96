//! Live: how a viewer gets a signed address, and what the stream says first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChannelId, Quality, Scope, Scoped, Timestamp};

/// A wish to watch a channel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamTokenRequest {
    /// The channel.
    pub id: ChannelId,
}
impl Scoped for StreamTokenRequest {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// A signed address of a live stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamToken {
    /// WebSocket path with the token in it, `/api/live/{id}?…`; add `&quality=` and `&mode=`.
    pub url: String,
    /// Path of the one-picture-per-second fallback, an endless answer.
    pub mjpeg_url: String,
    /// Path of the newest picture alone, to be asked for at most once a second: `&t=` with
    /// anything makes the address new, and 401 means that a new token is due (10 minutes).
    pub jpeg_url: String,
    /// The token alone.
    pub token: String,
    /// Stream session id.
    pub sid: String,
    /// The token opens connections until then; an open one is not cut.
    pub expires: Timestamp,
}

/// A wish to follow changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTokenRequest {}
impl Scoped for EventTokenRequest {
    fn scope(&self) -> Scope {
        Scope::List
    }
}

/// A signed address of the stream of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventToken {
    /// WebSocket path, `/api/events/stream?…`.
    pub url: String,
    /// The token opens connections until then.
    pub expires: Timestamp,
}

/// Text messages on a live WebSocket. Binary messages are framed as `docs/protocol.md` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveMessage {
    /// A run begins: what follows has this format until the next `start`.
    Start {
        /// Which encoding is served; may be another than asked for.
        quality: Quality,
        /// RFC 6381 string of the video.
        video_codec: String,
        /// `avcC` or `hvcC` record for `VideoDecoderConfig.description`, base64.
        video_config: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// RFC 6381 string of the audio, when the stream carries any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audio_codec: Option<String>,
        /// Ticks per second of video times.
        video_timescale: u32,
        /// Ticks per second of audio times.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audio_timescale: Option<u32>,
    },
    /// Frames were left out for this viewer because it reads too slowly; the next is a key frame.
    Skipped {
        /// How many since the last such message.
        frames: u64,
    },
    /// The stream stands; the camera's state says why.
    Waiting {},
}

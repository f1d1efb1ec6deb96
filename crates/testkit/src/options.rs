//! What a test camera is to be. Crosses to the camera's process as one line of JSON.

use serde::{Deserialize, Serialize};

/// Video of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Video {
    /// No video track at all.
    None,
    /// H.264.
    H264,
    /// H.265.
    H265,
    /// Motion JPEG (RFC 2435).
    Mjpeg,
}

/// Audio of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audio {
    /// No audio track.
    None,
    /// AAC-LC, 48 kHz mono, as RFC 3640.
    Aac,
    /// G.711 mu-law, 8 kHz mono.
    Pcmu,
    /// G.711 A-law, 8 kHz mono.
    Pcma,
    /// Opus, 48 kHz mono.
    Opus,
    /// MPEG-1 Layer III, 48 kHz mono, as RFC 2250.
    Mp3,
}

/// When audio is sent. The track is in the SDP in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AudioBehaviour {
    /// All the time.
    Normal,
    /// Nothing for the first milliseconds.
    Late(u32),
    /// Nothing after these milliseconds.
    StopsAfter(u32),
    /// Never anything.
    Silent,
}

/// Who may watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auth {
    /// Everybody.
    None,
    /// HTTP basic.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: String,
    },
    /// HTTP digest (MD5).
    Digest {
        /// User name.
        user: String,
        /// Password.
        password: String,
    },
}

/// What the picture shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// A flat picture with a moving bar and the stamp of [`crate::stamp`]. Cheapest.
    Stamped,
    /// A pleasant picture with this name, a running clock and something that moves. No stamp.
    Named(String),
}

/// Where pictures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Drawn and encoded while somebody watches.
    Live,
    /// Encoded once when the camera starts and served in a loop with times that go on, at nearly
    /// no CPU. H.264 without B-frames and without audio, at paths `/cam0` to `/cam{mounts-1}`;
    /// there is no `/high` and no `/low`. Its pictures carry no valid stamp.
    Loop {
        /// Number of paths.
        mounts: u32,
        /// Length of the loop in seconds, at least one group of pictures.
        seconds: u32,
    },
}

/// One stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOptions {
    /// Video codec.
    pub video: Video,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even. MJPEG wants multiples of 8.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Frames from one key frame to the next.
    pub gop: u32,
    /// kbit/s of video.
    pub bitrate: u32,
    /// Two B-frames between references. H.264 only.
    pub bframes: bool,
    /// Audio codec.
    pub audio: Audio,
    /// When audio is sent.
    pub audio_behaviour: AudioBehaviour,
    /// What the picture shows.
    pub look: Look,
}

impl Default for StreamOptions {
    /// 320x180 at 15 frames a second, a key frame every second, H.264, no audio.
    fn default() -> Self {
        Self {
            video: Video::H264,
            width: 320,
            height: 180,
            fps: 15,
            gop: 15,
            bitrate: 500,
            bframes: false,
            audio: Audio::None,
            audio_behaviour: AudioBehaviour::Normal,
            look: Look::Stamped,
        }
    }
}

/// One test camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraOptions {
    /// The stream at `/high`; for [`Source::Loop`] the one at every path.
    pub stream: StreamOptions,
    /// Where pictures come from.
    pub source: Source,
    /// Whether `/low` exists: H.264, 192x108 at 5 frames a second, no audio, same stamp.
    pub low: bool,
    /// Who may watch.
    pub auth: Auth,
    /// TCP port on loopback; `None` picks a free one.
    pub port: Option<u16>,
    /// Whether RTCP sender reports (with the wall clock) are sent.
    pub rtcp: bool,
}

impl Default for CameraOptions {
    fn default() -> Self {
        Self {
            stream: StreamOptions::default(),
            source: Source::Live,
            low: false,
            auth: Auth::None,
            port: None,
            rtcp: true,
        }
    }
}

impl CameraOptions {
    /// A camera with the default stream but this video and audio.
    pub fn of(video: Video, audio: Audio) -> Self {
        Self {
            stream: StreamOptions {
                video,
                audio,
                height: if video == Video::Mjpeg { 176 } else { 180 },
                ..StreamOptions::default()
            },
            ..Self::default()
        }
    }

    /// Load for a benchmark: 1080p15 H.264 at about 3 Mbit/s, key frame every 2 s, at
    /// `/cam0` to `/cam{mounts-1}`.
    pub fn benchmark(mounts: u32) -> Self {
        Self {
            stream: StreamOptions {
                width: 1920,
                height: 1080,
                gop: 30,
                bitrate: 3000,
                ..StreamOptions::default()
            },
            source: Source::Loop { mounts, seconds: 6 },
            ..Self::default()
        }
    }
}

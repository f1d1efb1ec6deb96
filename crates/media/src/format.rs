//! What stays the same within a run: the tracks and their codec configuration.

use bytes::Bytes;

/// Ticks per second of every video track in this program.
pub const VIDEO_TIMESCALE: u32 = 90_000;

/// Which track of a run a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// The one video track.
    Video,
    /// The one audio track.
    Audio,
}

/// Video codecs that are recorded as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

impl VideoCodec {
    /// The name used in the API: `h264`, `h265`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
        }
    }
}

/// A video track. Frames carry length-prefixed NAL units (4 bytes, ISO/IEC 14496-15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoTrack {
    /// Codec.
    pub codec: VideoCodec,
    /// `AVCDecoderConfigurationRecord` or `HEVCDecoderConfigurationRecord`.
    pub config: Bytes,
    /// RFC 6381, such as `avc1.64001f` or `hvc1.1.6.L93.B0`.
    pub codec_string: String,
    /// Pixels shown.
    pub width: u32,
    /// Pixels shown.
    pub height: u32,
}

/// Audio codecs a file of ours may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// AAC-LC and friends.
    Aac,
    /// Opus (RFC 6716), times in 48 kHz.
    Opus,
    /// MPEG-1 or MPEG-2 audio, Layer III.
    Mp3,
}

impl AudioCodec {
    /// Short name: `aac`, `opus` or `mp3`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Opus => "opus",
            Self::Mp3 => "mp3",
        }
    }
}

/// An audio track. Its frames are raw AAC access units, Opus packets or MP3 frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioTrack {
    /// Codec.
    pub codec: AudioCodec,
    /// `AudioSpecificConfig` for AAC; for Opus the `OpusHead` body as in `dOps` (RFC 7845 fields, big endian, ISO binding); empty for MP3.
    pub config: Bytes,
    /// RFC 6381, such as `mp4a.40.2`, `opus` or `mp4a.6B`.
    pub codec_string: String,
    /// Hertz; also the ticks per second of this track's times (48000 for Opus).
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Samples per frame when constant: 1024 for AAC, 1152 or 576 for MP3, 0 when it varies.
    pub frame_samples: u32,
}

/// The tracks of a run. A change of any of this is a new run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The video.
    pub video: VideoTrack,
    /// The audio, if any is recorded.
    pub audio: Option<AudioTrack>,
}

impl Format {
    /// RFC 6381 strings of the tracks, video first, comma separated.
    pub fn codecs(&self) -> String {
        match &self.audio {
            Some(a) => format!("{},{}", self.video.codec_string, a.codec_string),
            None => self.video.codec_string.clone(),
        }
    }

    /// Ticks per second of a track; video's when the track does not exist.
    pub fn timescale(&self, track: TrackKind) -> u32 {
        match (track, &self.audio) {
            (TrackKind::Audio, Some(a)) => a.sample_rate,
            _ => VIDEO_TIMESCALE,
        }
    }
}

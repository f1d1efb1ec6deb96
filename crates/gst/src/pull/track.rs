//! Tracks from what GStreamer says of a stream.

use bytes::Bytes;
use gstreamer as gst;
use oriel_media::{
    AudioCodec, AudioTrack, VideoCodec, VideoTrack, aac_codec_string, aac_config, avc_codec_string,
    hevc_codec_string,
};

use crate::failure::{Exit, Failure};

/// The video track of parsed H.264 (`avc`) or H.265 (`hvc1`).
pub fn video(caps: &gst::CapsRef) -> Result<VideoTrack, Failure> {
    let malformed = |what: String| Failure {
        exit: Exit::StreamEnded,
        reason: oriel_api::ReasonCode::Malformed,
        message: what,
    };
    let structure = caps
        .structure(0)
        .ok_or_else(|| Failure::internal("video without caps"))?;
    let config = codec_data(structure)
        .ok_or_else(|| malformed("the video has no codec configuration".into()))?;
    let (codec, codec_string) = match structure.name().as_str() {
        "video/x-h264" => (VideoCodec::H264, avc_codec_string(&config)),
        _ => (VideoCodec::H265, hevc_codec_string(&config)),
    };
    let size = |name| {
        structure
            .get::<i32>(name)
            .ok()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n > 0)
            .ok_or_else(|| malformed("the video has no size".into()))
    };
    Ok(VideoTrack {
        codec,
        codec_string: codec_string.map_err(|e| malformed(e.to_string()))?,
        width: size("width")?,
        height: size("height")?,
        config,
    })
}

/// The audio track of raw AAC, Opus packets or MP3 frames; `None` when the caps do not say enough.
pub fn audio(caps: &gst::CapsRef) -> Option<AudioTrack> {
    let structure = caps.structure(0)?;
    let number = |field| {
        structure
            .get::<i32>(field)
            .ok()
            .and_then(|n| u32::try_from(n).ok())
    };
    let channels = u16::try_from(number("channels").unwrap_or(2)).unwrap_or(2);
    match (structure.name().as_str(), number("mpegversion")) {
        ("audio/x-opus", _) => Some(AudioTrack::opus(channels)),
        ("audio/mpeg", Some(1)) => (number("layer") == Some(3))
            .then(|| AudioTrack::mp3(number("rate").unwrap_or(0), channels)),
        _ => aac(&codec_data(structure)?),
    }
}

/// An AAC track with this `AudioSpecificConfig`.
pub fn aac(config: &[u8]) -> Option<AudioTrack> {
    let said = aac_config(config).ok()?;
    Some(AudioTrack {
        codec: AudioCodec::Aac,
        codec_string: aac_codec_string(config).ok()?,
        config: Bytes::copy_from_slice(config),
        sample_rate: said.sample_rate,
        channels: said.channels,
        frame_samples: said.frame_samples,
    })
}

fn codec_data(structure: &gst::StructureRef) -> Option<Bytes> {
    let buffer = structure.get::<gst::Buffer>("codec_data").ok()?;
    let map = buffer.map_readable().ok()?;
    Some(Bytes::copy_from_slice(&map))
}

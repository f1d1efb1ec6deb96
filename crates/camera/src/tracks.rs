//! Which tracks of a stream are received, and what they are.

use std::num::NonZeroU32;

use bytes::Bytes;
use oriel_api::AudioMode;
use oriel_media::{AudioCodec, AudioTrack, Fate, VideoCodec, VideoTrack, fate};
use retina::{
    client::Stream,
    codec::{AudioParameters, ParametersRef, VideoParameters, VideoParametersCodec},
};

use crate::{CameraError, refusal::codec_name};

/// What a camera sends as audio, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceAudio {
    /// None, or not wanted.
    None,
    /// Recorded as it comes.
    Ready(AudioTrack),
    /// Has to be converted first. Frame times are in `sample_rate`, the RTP clock: 8000 for
    /// G.722 too (RFC 3551 section 4.5.2).
    Convert {
        /// `pcmu`, `pcma`, `g722`, `g726`, `l16` or `aac`.
        codec: &'static str,
        /// `AudioSpecificConfig` of AAC, else empty.
        config: Bytes,
        /// Hertz.
        sample_rate: u32,
        /// Channels.
        channels: u16,
        /// What to.
        to: AudioCodec,
    },
    /// Cannot be received here, or not be kept as it is.
    LeftOut {
        /// As the camera names it.
        codec: String,
        /// It is left out because nothing is to be converted.
        as_it_is: bool,
    },
}

/// Codecs the child program converts, by their RTP names.
const CONVERTIBLE: [(&str, &str); 5] = [
    ("pcmu", "pcmu"),
    ("pcma", "pcma"),
    ("g722", "g722"),
    ("g726-32", "g726"),
    ("l16", "l16"),
];

/// The streams of a session to set up.
#[derive(Debug)]
pub(crate) struct Choice {
    pub video: usize,
    pub audio: Option<usize>,
    pub source_audio: SourceAudio,
}

/// The first video that can be received and the first audio.
pub(crate) fn choose(streams: &[Stream], audio: AudioMode) -> Result<Choice, CameraError> {
    let video = streams
        .iter()
        .position(|s| s.media() == "video" && matches!(s.encoding_name(), "h264" | "h265"));
    let Some(video) = video else {
        return Err(
            match streams
                .iter()
                .find(|s| matches!(s.media(), "video" | "image"))
            {
                Some(other) => CameraError::UnsupportedCodec(codec_name(other.encoding_name())),
                None => CameraError::NoVideo,
            },
        );
    };
    let (audio, source_audio) = match audio {
        AudioMode::Off => (None, SourceAudio::None),
        mode => match streams.iter().position(|s| s.media() == "audio") {
            None => (None, SourceAudio::None),
            Some(i) => {
                let what = source_audio(&streams[i], mode);
                let take = !matches!(what, SourceAudio::LeftOut { .. });
                (take.then_some(i), what)
            }
        },
    };
    Ok(Choice {
        video,
        audio,
        source_audio,
    })
}

fn source_audio(stream: &Stream, mode: AudioMode) -> SourceAudio {
    let name = stream.encoding_name();
    let left_out = |as_it_is| SourceAudio::LeftOut {
        codec: codec_name(name),
        as_it_is,
    };
    let Some(ParametersRef::Audio(p)) = stream.parameters() else {
        return left_out(false);
    };
    if !(8_000..=96_000).contains(&p.clock_rate()) || p.channels().get() > 8 {
        return left_out(false);
    }
    let (codec, ready) = if name == "mpeg4-generic" {
        match aac(p) {
            Some(track) => ("aac", Some(track)),
            None => return left_out(false),
        }
    } else {
        match CONVERTIBLE.iter().find(|(rtp, _)| *rtp == name) {
            Some((_, codec)) => (*codec, None),
            None => return left_out(false),
        }
    };
    match (fate(mode, ready.as_ref().map(|t| t.codec)), ready) {
        (Fate::Kept, Some(track)) => SourceAudio::Ready(track),
        (Fate::Converted(to), ready) => SourceAudio::Convert {
            codec,
            config: ready.map(|t| t.config).unwrap_or_default(),
            sample_rate: p.clock_rate(),
            channels: p.channels().get(),
            to,
        },
        (Fate::Kept | Fate::LeftOut, _) => left_out(mode == AudioMode::Copy),
    }
}

fn aac(p: &AudioParameters) -> Option<AudioTrack> {
    if p.extra_data().is_empty() || p.extra_data().len() > 64 {
        return None;
    }
    Some(AudioTrack {
        codec: AudioCodec::Aac,
        config: Bytes::copy_from_slice(p.extra_data()),
        codec_string: p.rfc6381_codec()?.to_owned(),
        sample_rate: p.clock_rate(),
        channels: p.channels().get(),
        frame_samples: p.frame_length().map_or(1024, NonZeroU32::get),
    })
}

/// The video track of a stream, once its parameters are known.
pub(crate) fn video_track(p: &VideoParameters) -> Result<VideoTrack, CameraError> {
    let codec = match p.codec_params() {
        VideoParametersCodec::H264 { .. } => VideoCodec::H264,
        VideoParametersCodec::H265 { .. } => VideoCodec::H265,
        _ => return Err(CameraError::UnsupportedCodec("jpeg".into())),
    };
    let (width, height) = p.pixel_dimensions();
    if width == 0 || height == 0 {
        return Err(CameraError::Malformed("its picture has no size"));
    }
    Ok(VideoTrack {
        codec,
        config: Bytes::copy_from_slice(p.extra_data()),
        codec_string: p.rfc6381_codec().to_owned(),
        width,
        height,
    })
}

/// Whether a decoder can start at an access unit of length-prefixed NAL units (4 bytes). For
/// H.265 that is any IRAP picture (ITU-T H.265 section 3.73): retina counts IDR only, and
/// cameras with open groups of pictures send CRA.
pub(crate) fn is_key(codec: VideoCodec, retina_says: bool, data: &[u8]) -> bool {
    if codec == VideoCodec::H264 || retina_says {
        return retina_says;
    }
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(first) = tail.first().filter(|_| length <= tail.len()) else {
            return false;
        };
        match first >> 1 & 0x3f {
            16..=23 => return true,
            0..=31 => return false,
            _ => rest = &tail[length..],
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(types: &[u8]) -> Vec<u8> {
        types
            .iter()
            .flat_map(|t| [0, 0, 0, 3, t << 1, 1, 0xaa])
            .collect()
    }

    #[test]
    fn any_irap_picture_is_a_key_frame() {
        let key = |data: &[u8]| is_key(VideoCodec::H265, false, data);
        // Prefix SEI, then CRA, IDR or BLA.
        for irap in [16, 19, 20, 21] {
            assert!(key(&unit(&[39, irap])), "{irap}");
        }
        assert!(!key(&unit(&[39, 1])));
        assert!(!key(&unit(&[39])));
        assert!(!key(&[]));
        assert!(!key(&[0xff, 0xff, 0xff, 0xff, 42]));
        assert!(!is_key(VideoCodec::H264, false, &unit(&[21])));
    }
}

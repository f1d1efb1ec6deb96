//! What an RTSP description says of a stream, before any packet of it came.

use gstreamer as gst;
use oriel_media::AudioTrack;

use super::track;
use crate::aac::AacTarget;

/// How video packets are to be handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredVideo {
    /// Copied.
    H264,
    /// Copied.
    H265,
    /// Encoded to H.264.
    Jpeg,
}

/// How audio packets are to be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredAudio {
    /// Copied by this depayloader and parser; the track may be known already.
    Copied {
        /// Depayloader.
        depay: &'static str,
        /// Parser.
        parse: &'static str,
        /// The track, if the description is complete.
        track: Option<AudioTrack>,
    },
    /// Decoded and encoded to AAC.
    Converted(AacTarget),
}

/// The RTP encoding name of a stream, upper case.
pub fn encoding(caps: &gst::CapsRef) -> String {
    text(caps, "encoding-name").to_ascii_uppercase()
}

/// How to handle a video stream; `None` when its codec is not supported.
pub fn video(caps: &gst::CapsRef) -> Option<DeclaredVideo> {
    match encoding(caps).as_str() {
        "H264" => Some(DeclaredVideo::H264),
        "H265" => Some(DeclaredVideo::H265),
        "JPEG" => Some(DeclaredVideo::Jpeg),
        _ => None,
    }
}

/// How to handle an audio stream.
pub fn audio(caps: &gst::CapsRef) -> DeclaredAudio {
    let clock = caps
        .structure(0)
        .and_then(|s| s.get::<i32>("clock-rate").ok())
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(8000);
    let channels = text(caps, "encoding-params").parse().unwrap_or(1);
    match encoding(caps).as_str() {
        "MPEG4-GENERIC" => DeclaredAudio::Copied {
            depay: "rtpmp4gdepay",
            parse: "aacparse",
            track: hex(&text(caps, "config")).and_then(|config| track::aac(&config)),
        },
        "MP4A-LATM" => DeclaredAudio::Copied {
            depay: "rtpmp4adepay",
            parse: "aacparse",
            track: None,
        },
        "OPUS" => DeclaredAudio::Copied {
            depay: "rtpopusdepay",
            parse: "opusparse",
            track: Some(track::opus(2)),
        },
        // RFC 3551 section 4.5.2: the clock of G.722 says 8000 and means 16000.
        "G722" => DeclaredAudio::Converted(AacTarget::of(16_000, channels)),
        _ => DeclaredAudio::Converted(AacTarget::of(clock, channels)),
    }
}

fn text(caps: &gst::CapsRef, field: &str) -> String {
    caps.structure(0)
        .and_then(|s| s.get::<String>(field).ok())
        .unwrap_or_default()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || text.len() > 512 || !text.is_ascii() {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn caps(text: &str) -> gst::Caps {
        gst::init().unwrap();
        gst::Caps::from_str(&format!("application/x-rtp,{text}")).unwrap()
    }

    #[test]
    fn tracks_are_known_from_the_description() {
        let aac =
            caps("media=audio,encoding-name=MPEG4-GENERIC,clock-rate=48000,config=(string)1188");
        let DeclaredAudio::Copied {
            track: Some(track), ..
        } = audio(&aac)
        else {
            panic!("not known");
        };
        assert_eq!((track.sample_rate, track.channels), (48_000, 1));
        for (text, rate) in [
            ("encoding-name=PCMU,clock-rate=8000", 16_000),
            ("encoding-name=G722,clock-rate=8000", 16_000),
            ("encoding-name=L16,clock-rate=44100", 44_100),
        ] {
            let target = AacTarget { rate, channels: 1 };
            assert_eq!(audio(&caps(text)), DeclaredAudio::Converted(target));
        }
        let broken = caps("encoding-name=MPEG4-GENERIC,clock-rate=48000,config=(string)zz");
        assert!(matches!(
            audio(&broken),
            DeclaredAudio::Copied { track: None, .. }
        ));
        assert_eq!(video(&caps("encoding-name=THEORA")), None);
    }
}

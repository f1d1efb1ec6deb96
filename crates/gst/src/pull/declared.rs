//! What an RTSP description says of a stream, before any packet of it came.

use gstreamer as gst;
use oriel_api::AudioMode;
use oriel_media::{AudioCodec, AudioTrack, Fate, fate};

use super::track;

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
    /// Decoded, and encoded to this.
    Converted(AudioTrack),
    /// Not wanted, or nothing that can be kept.
    LeftOut,
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
pub fn audio(caps: &gst::CapsRef, mode: AudioMode) -> DeclaredAudio {
    let clock = caps
        .structure(0)
        .and_then(|s| s.get::<i32>("clock-rate").ok())
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(8000);
    let channels = text(caps, "encoding-params").parse().unwrap_or(1);
    let name = encoding(caps);
    let (sent, depay, parse, track) = match name.as_str() {
        "MPEG4-GENERIC" => (
            Some(AudioCodec::Aac),
            "rtpmp4gdepay",
            "aacparse",
            hex(&text(caps, "config")).and_then(|config| track::aac(&config)),
        ),
        "MP4A-LATM" => (Some(AudioCodec::Aac), "rtpmp4adepay", "aacparse", None),
        "OPUS" => (
            Some(AudioCodec::Opus),
            "rtpopusdepay",
            "opusparse",
            Some(AudioTrack::opus(2)),
        ),
        "MPA" => (Some(AudioCodec::Mp3), "rtpmpadepay", "mpegaudioparse", None),
        _ => (None, "", "", None),
    };
    match fate(mode, sent) {
        Fate::Kept => DeclaredAudio::Copied {
            depay,
            parse,
            track,
        },
        Fate::Converted(codec) => {
            let (rate, channels) = match (name.as_str(), &track) {
                (_, Some(track)) => (track.sample_rate, track.channels),
                // RFC 3551 section 4.5.2: the clock of G.722 says 8000 and means 16000.
                ("G722", _) => (16_000, channels),
                // Section 4.5.13: the clock of MPEG audio says nothing of its rate.
                ("MPA", _) => (48_000, 2),
                _ => (clock, channels),
            };
            DeclaredAudio::Converted(AudioTrack::converted(codec, rate, channels))
        }
        Fate::LeftOut => DeclaredAudio::LeftOut,
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
        } = audio(&aac, AudioMode::Auto)
        else {
            panic!("not known");
        };
        assert_eq!((track.sample_rate, track.channels), (48_000, 1));
        for (text, rate) in [
            ("encoding-name=PCMU,clock-rate=8000", 16_000),
            ("encoding-name=G722,clock-rate=8000", 16_000),
            ("encoding-name=L16,clock-rate=44100", 44_100),
            ("encoding-name=MPA,clock-rate=90000", 48_000),
        ] {
            let DeclaredAudio::Converted(track) = audio(&caps(text), AudioMode::Auto) else {
                panic!("{text} is not converted");
            };
            assert_eq!((track.codec, track.sample_rate), (AudioCodec::Aac, rate));
        }
        let to_mp3 = DeclaredAudio::Converted(AudioTrack::converted(AudioCodec::Mp3, 48_000, 1));
        assert_eq!(audio(&aac, AudioMode::Mp3), to_mp3);
        let telephone = caps("encoding-name=PCMA,clock-rate=8000");
        assert_eq!(audio(&telephone, AudioMode::Copy), DeclaredAudio::LeftOut);
        assert_eq!(audio(&aac, AudioMode::Off), DeclaredAudio::LeftOut);
        let broken = caps("encoding-name=MPEG4-GENERIC,clock-rate=48000,config=(string)zz");
        assert!(matches!(
            audio(&broken, AudioMode::Auto),
            DeclaredAudio::Copied { track: None, .. }
        ));
        assert_eq!(video(&caps("encoding-name=THEORA")), None);
    }
}

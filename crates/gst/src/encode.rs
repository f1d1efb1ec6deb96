//! Encoders of audio. What comes out is told by `AudioTrack::converted`, never decided here.

use gstreamer as gst;
use oriel_media::{AudioCodec, AudioTrack};

use crate::{
    elements::{filter, first_of, make, set},
    failure::Failure,
};

/// AAC encoders in order of preference; the last two belong to macOS and Windows.
const AAC: [&str; 5] = [
    "fdkaacenc",
    "avenc_aac",
    "voaacenc",
    "atenc_aac",
    "mfaacenc",
];

/// bit/s of a channel.
const BITRATE: u32 = 48_000;

/// `audioconvert ! audioresample ! caps ! encoder`, and what cuts its output into the frames of
/// the track.
pub fn encoder(track: &AudioTrack) -> Result<Vec<gst::Element>, Failure> {
    let mut elements = vec![
        make("audioconvert")?,
        make("audioresample")?,
        filter(&format!(
            "audio/x-raw,rate={},channels={}",
            track.sample_rate, track.channels
        ))?,
    ];
    let channels = u32::from(track.channels);
    match track.codec {
        AudioCodec::Aac => {
            let name = first_of(&AAC)
                .ok_or_else(|| Failure::plugin_missing("avenc_aac (gst-libav) or voaacenc"))?;
            let encoder = make(name)?;
            set(&encoder, "bitrate", &(BITRATE * channels).to_string());
            elements.extend([
                encoder,
                make("aacparse")?,
                filter("audio/mpeg,mpegversion=4,stream-format=raw")?,
            ]);
        }
        AudioCodec::Opus => {
            let encoder = make("opusenc")?;
            set(&encoder, "bitrate", &(BITRATE * channels).to_string());
            set(&encoder, "frame-size", "20");
            elements.push(encoder);
        }
        AudioCodec::Mp3 => {
            let encoder = make("lamemp3enc")?;
            set(&encoder, "target", "bitrate");
            // Of the rates MP3 has, the next above, in kbit/s.
            set(&encoder, "bitrate", &(64 * channels).to_string());
            set(&encoder, "cbr", "true");
            elements.extend([encoder, make("mpegaudioparse")?]);
        }
    }
    Ok(elements)
}

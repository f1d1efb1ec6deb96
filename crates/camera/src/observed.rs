//! What was seen of a stream, and what a person should know about it.

use oriel_api::{AudioInfo, VideoInfo, Warning, WarningCode};
use oriel_media::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};

use crate::{Measure, SourceAudio};

/// Key frames farther apart are worth a warning, in seconds.
const LONG_GOP: f64 = 5.0;

/// A stream as it was seen, by whichever engine.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// Video.
    pub video: &'a VideoTrack,
    /// Audio and what becomes of it.
    pub audio: &'a SourceAudio,
    /// Rates and distances.
    pub measure: &'a Measure,
    /// Seconds from the last key frame to the last frame.
    pub since_key: f64,
    /// The camera takes passwords in clear text.
    pub basic_auth: bool,
    /// Its times had to be replaced.
    pub bad_timestamps: bool,
    /// It sends B-frames.
    pub b_frames: bool,
}

impl Observed<'_> {
    /// The video for people and programs.
    pub fn video_info(&self) -> VideoInfo {
        let rate = self.measure.frame_rate();
        VideoInfo {
            codec: self.video.codec.name().to_owned(),
            codec_string: self.video.codec_string.clone(),
            width: self.video.width,
            height: self.video.height,
            frame_rate: (rate > 0.0).then_some((rate * 100.0).round() / 100.0),
        }
    }

    /// The audio for people and programs.
    pub fn audio_info(&self) -> Option<AudioInfo> {
        match self.audio {
            SourceAudio::None => None,
            SourceAudio::Ready(track) => Some(AudioInfo {
                codec: track.codec.name().to_owned(),
                codec_string: Some(track.codec_string.clone()),
                sample_rate: track.sample_rate,
                channels: track.channels,
            }),
            SourceAudio::Convert {
                codec,
                sample_rate,
                channels,
                to,
                ..
            } => Some(AudioInfo {
                codec: (*codec).to_owned(),
                codec_string: Some(
                    AudioTrack::converted(*to, *sample_rate, *channels).codec_string,
                ),
                sample_rate: *sample_rate,
                channels: *channels,
            }),
            SourceAudio::LeftOut { codec, .. } => Some(AudioInfo {
                codec: codec.clone(),
                codec_string: None,
                sample_rate: 0,
                channels: 0,
            }),
        }
    }

    /// What a person should know, each with what to change on the camera.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found = Vec::new();
        let mut add = |code, message: &str| {
            found.push(Warning {
                code,
                message: message.to_owned(),
            });
        };
        let (mut shortest, mut longest, mut count) = (f64::MAX, 0.0f64, 0);
        for interval in self.measure.key_intervals() {
            shortest = shortest.min(interval);
            longest = longest.max(interval);
            count += 1;
        }
        if shortest.min(longest.max(self.since_key)) > LONG_GOP
            || (count == 0 && self.since_key > LONG_GOP - 0.5)
        {
            add(
                WarningCode::LongGop,
                "Key frames are 5 s or more apart: pictures start late and cuts are coarse. Set \
                 the key frame interval (I-frame interval, GOP) to 1 or 2 s.",
            );
        }
        if count >= 2 && longest > shortest * 1.5 && longest - shortest > 0.5 {
            add(
                WarningCode::SmartCodec,
                "The distance of key frames varies. Switch off the camera's smart codec (H.264+, \
                 Smart, Zipstream) if pictures start late.",
            );
        }
        if self.video.codec == VideoCodec::H265 {
            add(
                WarningCode::H265,
                "H.265 is recorded, but some browsers cannot play it. H.264 plays everywhere.",
            );
        }
        if self.b_frames {
            add(
                WarningCode::BFrames,
                "The camera sends B-frames, which delay the picture. Choose the baseline profile \
                 or switch B-frames off in its settings.",
            );
        }
        match self.audio {
            SourceAudio::Convert {
                codec,
                to: AudioCodec::Aac,
                ..
            } => add(
                WarningCode::AudioConverted,
                &format!(
                    "The audio ({codec}) is converted to AAC while recording. Choose AAC in the \
                     camera's settings to spare the work."
                ),
            ),
            SourceAudio::Convert { codec, to, .. } => add(
                WarningCode::AudioConverted,
                &format!(
                    "The audio ({codec}) is converted to {} while recording, as it was chosen.",
                    match to {
                        AudioCodec::Mp3 => "MP3",
                        _ => "Opus",
                    }
                ),
            ),
            SourceAudio::LeftOut {
                codec,
                as_it_is: true,
            } => add(
                WarningCode::AudioLeftOut,
                &format!(
                    "The audio ({codec}) cannot be kept as the camera sends it and is left out. \
                     Let it be converted, or choose AAC in the camera's settings."
                ),
            ),
            SourceAudio::LeftOut { codec, .. } => add(
                WarningCode::AudioLeftOut,
                &format!(
                    "The audio ({codec}) cannot be recorded and is left out. Choose AAC in the \
                     camera's settings."
                ),
            ),
            SourceAudio::None | SourceAudio::Ready(_) => {}
        }
        let mp3 = match self.audio {
            SourceAudio::Ready(track) => track.codec == AudioCodec::Mp3,
            SourceAudio::Convert { to, .. } => *to == AudioCodec::Mp3,
            SourceAudio::None | SourceAudio::LeftOut { .. } => false,
        };
        if mp3 {
            add(
                WarningCode::Mp3,
                "MP3 is recorded, but most browsers show live pictures and the timeline without \
                 its sound. Clips and exports play with it. AAC plays everywhere.",
            );
        }
        if self.basic_auth {
            add(
                WarningCode::BasicAuth,
                "The camera takes the password in clear text. Choose digest authentication in \
                 its settings.",
            );
        }
        if self.bad_timestamps {
            add(
                WarningCode::BadTimestamps,
                "The camera's timestamps jump or stand still; the time of arrival is used \
                 instead.",
            );
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use oriel_media::{Frame, TrackKind};
    use std::time::Instant;

    fn codes(keys_at_seconds: &[i64], since_key: f64) -> Vec<WarningCode> {
        let mut measure = Measure::default();
        for s in keys_at_seconds {
            let frame = Frame {
                track: TrackKind::Video,
                key: true,
                dts: s * 90_000,
                cts_offset: 0,
                duration: 0,
                data: Bytes::from_static(b"x"),
            };
            measure.frame(&frame, Instant::now());
        }
        let video = VideoTrack {
            codec: VideoCodec::H264,
            config: Bytes::new(),
            codec_string: String::new(),
            width: 1,
            height: 1,
        };
        Observed {
            video: &video,
            audio: &SourceAudio::None,
            measure: &measure,
            since_key,
            basic_auth: false,
            bad_timestamps: false,
            b_frames: false,
        }
        .warnings()
        .into_iter()
        .map(|w| w.code)
        .collect()
    }

    #[test]
    fn key_frame_distances() {
        assert_eq!(codes(&[0, 1, 2], 0.5), []);
        assert_eq!(codes(&[0, 8, 16], 0.0), [WarningCode::LongGop]);
        assert_eq!(codes(&[0], 4.9), [WarningCode::LongGop]);
        assert_eq!(codes(&[0], 2.0), []);
        assert_eq!(codes(&[0, 1, 5], 0.0), [WarningCode::SmartCodec]);
    }
}

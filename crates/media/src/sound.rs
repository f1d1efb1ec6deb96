//! Which audio is kept and which converted, what comes out when it is, and what is known of MP3 (ISO/IEC 11172-3 and 13818-3, Layer III).
//!
//! Who converts and who announces the track are two programs; both ask here, so they agree. Not
//! here: coding of any kind.

use bytes::Bytes;
use oriel_api::AudioMode;

use crate::{AudioCodec, AudioTrack};

/// Rates of AAC that audio is converted to (ISO/IEC 14496-3 table 1.18, from index 3 on).
const AAC_RATES: [u32; 6] = [48_000, 44_100, 32_000, 24_000, 22_050, 16_000];
/// Rates of MPEG-1 audio in the order of its headers.
const MPEG1_RATES: [u32; 3] = [44_100, 48_000, 32_000];
/// Rates of MPEG-2 audio in the order of its headers.
const MPEG2_RATES: [u32; 3] = [22_050, 24_000, 16_000];

/// What becomes of a camera's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Kept as it comes.
    Kept,
    /// Converted to this.
    Converted(AudioCodec),
    /// Left out.
    LeftOut,
}

/// What becomes of audio in this mode. `sent` is what the camera sends, `None` for everything
/// that our files cannot hold: neither ffmpeg nor browsers take G.711 in MP4.
pub fn fate(mode: AudioMode, sent: Option<AudioCodec>) -> Fate {
    let only = |codec| match sent == Some(codec) {
        true => Fate::Kept,
        false => Fate::Converted(codec),
    };
    match (mode, sent) {
        (AudioMode::Off, _) => Fate::LeftOut,
        (AudioMode::Copy, Some(_)) => Fate::Kept,
        (AudioMode::Copy, None) => Fate::LeftOut,
        (AudioMode::Auto, Some(AudioCodec::Opus)) => Fate::Kept,
        (AudioMode::Auto | AudioMode::Aac, _) => only(AudioCodec::Aac),
        (AudioMode::Opus, _) => only(AudioCodec::Opus),
        (AudioMode::Mp3, _) => only(AudioCodec::Mp3),
    }
}

impl AudioTrack {
    /// The track that audio of this rate and number of channels is converted to.
    ///
    /// Telephone audio gets 16 kHz (AAC sounds poor below it) or 32 kHz (lower rates of MP3 are
    /// of MPEG-2, which fewer players know); a rate that the codec does not have becomes 48 kHz,
    /// more than two channels two.
    pub fn converted(codec: AudioCodec, rate: u32, channels: u16) -> Self {
        let channels = channels.clamp(1, 2);
        match codec {
            AudioCodec::Aac => {
                let wanted = if rate <= 12_000 { 16_000 } else { rate };
                let index = AAC_RATES.iter().position(|r| *r == wanted).unwrap_or(0);
                // AAC-LC (1.6.2.1): five bits of object type, four of rate, four of channels.
                let config = 2u16 << 11 | (index as u16 + 3) << 7 | channels << 3;
                Self {
                    codec,
                    config: Bytes::copy_from_slice(&config.to_be_bytes()),
                    codec_string: "mp4a.40.2".to_owned(),
                    sample_rate: AAC_RATES[index],
                    channels,
                    frame_samples: 1024,
                }
            }
            AudioCodec::Opus => Self {
                // Frames of 20 ms, which is what encoders are told to make.
                frame_samples: 960,
                ..Self::opus(channels)
            },
            AudioCodec::Mp3 => {
                let rate = match rate {
                    8_000 | 16_000 | 24_000 | 32_000 => 32_000,
                    11_025 | 22_050 | 44_100 => 44_100,
                    _ => 48_000,
                };
                Self::mp3(rate, channels)
            }
        }
    }

    /// An Opus track. A stream that is joined has no pre-skip.
    pub fn opus(channels: u16) -> Self {
        let channels = channels.clamp(1, 2);
        let mut config = vec![0, channels as u8, 0, 0];
        config.extend(48_000u32.to_be_bytes());
        config.extend([0, 0, 0]);
        Self {
            codec: AudioCodec::Opus,
            config: config.into(),
            codec_string: "opus".to_owned(),
            sample_rate: 48_000,
            channels,
            frame_samples: 0,
        }
    }

    /// An MP3 track.
    pub fn mp3(rate: u32, channels: u16) -> Self {
        let mpeg1 = rate >= 32_000;
        Self {
            codec: AudioCodec::Mp3,
            config: Bytes::new(),
            codec_string: if mpeg1 { "mp4a.6B" } else { "mp4a.69" }.to_owned(),
            sample_rate: rate,
            channels: channels.clamp(1, 2),
            frame_samples: if mpeg1 { 1152 } else { 576 },
        }
    }
}

/// Whether MP3 has this rate; those of MPEG-2.5 are of no standard.
pub(crate) fn is_mp3_rate(rate: u32) -> bool {
    MPEG1_RATES.contains(&rate) || MPEG2_RATES.contains(&rate)
}

/// One MP3 frame of silence: a header, and nothing but zeros behind it, which is a frame without
/// any spectral data that needs nothing of the frames before it. `None` for a rate MP3 lacks.
pub fn silent_mp3(track: &AudioTrack) -> Option<Bytes> {
    let at = |rates: &[u32; 3]| rates.iter().position(|r| *r == track.sample_rate);
    if track.sample_rate == 0 {
        return None;
    }
    // 32 kbit/s a channel, and the bytes of so many samples of it.
    let bytes = track.frame_samples / 8 * 32_000 * u32::from(track.channels) / track.sample_rate;
    let (version, rate, length) = match (at(&MPEG1_RATES), at(&MPEG2_RATES)) {
        (Some(rate), _) => (0xfb, rate, bytes),
        (None, Some(rate)) => (0xf3, rate, bytes),
        (None, None) => return None,
    };
    let bitrate: u8 = match (version, track.channels) {
        (0xfb, 1) => 1,
        (0xfb, _) => 5,
        (_, 1) => 4,
        _ => 8,
    };
    let mode: u8 = if track.channels == 1 { 0xc0 } else { 0x00 };
    let mut frame = vec![0xff, version, bitrate << 4 | (rate as u8) << 2, mode];
    frame.resize(length as usize, 0);
    Some(frame.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aac_config;

    #[test]
    fn what_becomes_of_audio_in_each_mode() {
        use AudioCodec::{Aac, Mp3, Opus};
        use AudioMode as M;
        let all = [Some(Aac), Some(Opus), Some(Mp3), None];
        let to = Fate::Converted;
        for (mode, fates) in [
            (M::Auto, [Fate::Kept, Fate::Kept, to(Aac), to(Aac)]),
            (M::Aac, [Fate::Kept, to(Aac), to(Aac), to(Aac)]),
            (M::Opus, [to(Opus), Fate::Kept, to(Opus), to(Opus)]),
            (M::Mp3, [to(Mp3), to(Mp3), Fate::Kept, to(Mp3)]),
            (M::Copy, [Fate::Kept, Fate::Kept, Fate::Kept, Fate::LeftOut]),
            (M::Off, [Fate::LeftOut; 4]),
        ] {
            assert_eq!(all.map(|sent| fate(mode, sent)), fates, "{mode:?}");
        }
    }

    #[test]
    fn aac_configs_say_what_comes_out() {
        for (rate, channels, out) in [
            (8_000, 1, 16_000),
            (16_000, 1, 16_000),
            (44_100, 2, 44_100),
            (48_000, 6, 48_000),
            (96_000, 1, 48_000),
            (8_001, 1, 16_000),
        ] {
            let track = AudioTrack::converted(AudioCodec::Aac, rate, channels);
            let read = aac_config(&track.config).unwrap();
            assert_eq!((read.sample_rate, track.sample_rate), (out, out));
            assert_eq!(read.channels, channels.min(2));
            assert_eq!((read.object_type, read.frame_samples), (2, 1024));
        }
        let telephone = AudioTrack::converted(AudioCodec::Aac, 8_000, 1);
        assert_eq!(telephone.config[..], [0x14, 0x08]);
        let stereo = AudioTrack::converted(AudioCodec::Aac, 48_000, 2);
        assert_eq!(stereo.config[..], [0x11, 0x90]);
    }

    #[test]
    fn mp3_is_of_mpeg_1_and_opus_of_48_khz() {
        for rate in [
            8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 7,
        ] {
            let mp3 = AudioTrack::converted(AudioCodec::Mp3, rate, 1);
            assert!(MPEG1_RATES.contains(&mp3.sample_rate), "{rate}");
            assert_eq!(
                (mp3.frame_samples, mp3.codec_string.as_str()),
                (1152, "mp4a.6B")
            );
            let opus = AudioTrack::converted(AudioCodec::Opus, rate, 1);
            assert_eq!((opus.sample_rate, opus.frame_samples), (48_000, 960));
        }
        assert_eq!(AudioTrack::mp3(16_000, 1).frame_samples, 576);
    }

    #[test]
    fn silence_has_the_length_its_header_says() {
        // Bitrates in kbit/s by ISO/IEC 11172-3 2.4.2.3 and 13818-3 2.4.2.3, Layer III.
        for (rate, channels, kbps) in [
            (48_000, 1, 32),
            (44_100, 2, 64),
            (32_000, 1, 32),
            (16_000, 1, 32),
            (22_050, 2, 64),
        ] {
            let track = AudioTrack::mp3(rate, channels);
            let frame = silent_mp3(&track).unwrap();
            assert_eq!(
                frame.len() as u32,
                track.frame_samples / 8 * kbps * 1000 / rate
            );
        }
        assert_eq!(silent_mp3(&AudioTrack::mp3(8_000, 1)), None);
    }
}

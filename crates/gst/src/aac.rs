//! AAC encoders and their configuration.

use gstreamer as gst;

use crate::{
    elements::{first_of, make, set},
    failure::Failure,
};

/// Encoders in order of preference; the last belongs to Windows.
const ENCODERS: [&str; 5] = [
    "fdkaacenc",
    "avenc_aac",
    "voaacenc",
    "atenc_aac",
    "mfaacenc",
];

const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Rate and channels that audio is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AacTarget {
    /// Hertz.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
}

impl AacTarget {
    /// 8 kHz becomes 16 kHz (AAC sounds poor below it), a rate AAC does not know 48 kHz, more
    /// than two channels two.
    pub fn of(rate: u32, channels: u16) -> Self {
        let rate = if rate <= 12_000 { 16_000 } else { rate };
        Self {
            rate: if RATES[3..9].contains(&rate) {
                rate
            } else {
                48_000
            },
            channels: channels.clamp(1, 2),
        }
    }

    /// `AudioSpecificConfig` of AAC-LC (ISO/IEC 14496-3, 1.6.2.1).
    pub fn config(self) -> [u8; 2] {
        let index = RATES.iter().position(|r| *r == self.rate).unwrap_or(3) as u8;
        let channels = self.channels as u8;
        [2 << 3 | index >> 1, (index & 1) << 7 | channels << 3]
    }

    /// `audioconvert ! audioresample ! caps ! encoder ! aacparse ! caps`.
    pub fn encoder(self) -> Result<Vec<gst::Element>, Failure> {
        let name = first_of(&ENCODERS)
            .ok_or_else(|| Failure::plugin_missing("avenc_aac (gst-libav) or voaacenc"))?;
        let encoder = make(name)?;
        let bitrate = 48_000 * u32::from(self.channels);
        set(&encoder, "bitrate", &bitrate.to_string());
        Ok(vec![
            make("audioconvert")?,
            make("audioresample")?,
            crate::elements::filter(&format!(
                "audio/x-raw,rate={},channels={}",
                self.rate, self.channels
            ))?,
            encoder,
            make("aacparse")?,
            crate::elements::filter("audio/mpeg,mpegversion=4,stream-format=raw")?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_say_what_was_asked() {
        for (rate, channels, target_rate) in [
            (8000, 1, 16_000),
            (16_000, 1, 16_000),
            (44_100, 2, 44_100),
            (48_000, 6, 48_000),
            (96_000, 1, 48_000),
        ] {
            let target = AacTarget::of(rate, channels);
            let read = oriel_media::aac_config(&target.config()).unwrap();
            assert_eq!(read.sample_rate, target_rate);
            assert_eq!(read.channels, channels.min(2));
            assert_eq!(read.object_type, 2);
        }
    }
}

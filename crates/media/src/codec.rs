//! What a codec configuration says: RFC 6381 names, length size, AAC parameters.
//!
//! Not here: pictures. No slice or SEI is ever parsed.

use std::fmt::Write as _;

use crate::boxes::{Cursor, Malformed};

/// A codec configuration that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad codec configuration: {0}")]
pub struct ConfigError(pub &'static str);

impl From<Malformed> for ConfigError {
    fn from(e: Malformed) -> Self {
        Self(e.0)
    }
}

/// RFC 6381 name of an `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 5.3.3), such as
/// `avc1.64001f`.
///
/// # Errors
/// When the record is not of version 1, is cut short or holds no SPS or PPS.
pub fn avc_codec_string(config: &[u8]) -> Result<String, ConfigError> {
    let [1, profile, constraints, level, ..] = config else {
        return Err(ConfigError("avcC has no version 1 header"));
    };
    let mut rest = Cursor::new(&config[4..]);
    rest.skip(1)?;
    let sps = rest.u8()? & 0x1f;
    for _ in 0..sps {
        let len = usize::from(rest.u16()?);
        rest.skip(len)?;
    }
    let pps = rest.u8()?;
    for _ in 0..pps {
        let len = usize::from(rest.u16()?);
        rest.skip(len)?;
    }
    if sps == 0 || pps == 0 {
        return Err(ConfigError("avcC holds no SPS or no PPS"));
    }
    Ok(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
}

/// RFC 6381 name of an `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15 8.3.3 and E.3), such as
/// `hvc1.1.6.L93.B0`.
///
/// # Errors
/// When the record is not of version 1, is cut short or lacks VPS, SPS or PPS.
pub fn hevc_codec_string(config: &[u8]) -> Result<String, ConfigError> {
    let mut c = Cursor::new(config);
    if c.u8()? != 1 {
        return Err(ConfigError("hvcC is not of version 1"));
    }
    let profile = c.u8()?;
    let compatibility = c.u32()?.reverse_bits();
    let constraints = c.take(6)?;
    let level = c.u8()?;
    c.skip(9)?;
    let mut seen = [false; 3];
    for _ in 0..c.u8()? {
        let kind = c.u8()? & 0x3f;
        let count = c.u16()?;
        for _ in 0..count {
            let len = usize::from(c.u16()?);
            c.skip(len)?;
        }
        if (32..=34).contains(&kind) && count > 0 {
            seen[usize::from(kind - 32)] = true;
        }
    }
    if seen != [true; 3] {
        return Err(ConfigError("hvcC lacks a VPS, SPS or PPS"));
    }
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let mut name = format!(
        "hvc1.{space}{}.{compatibility:X}.{tier}{level}",
        profile & 0x1f
    );
    let used = constraints
        .iter()
        .rposition(|b| *b != 0)
        .map_or(0, |i| i + 1);
    for byte in &constraints[..used] {
        let _ = write!(name, ".{byte:X}");
    }
    Ok(name)
}

/// What an `AudioSpecificConfig` (ISO/IEC 14496-3 1.6.2.1) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AacConfig {
    /// Audio object type: 2 is AAC-LC, 5 SBR, 29 PS.
    pub object_type: u8,
    /// Hertz of the core coder, which is what frames are counted in.
    pub sample_rate: u32,
    /// Channels, 1 to 8; 2 when a program config element describes them.
    pub channels: u16,
    /// Samples per access unit: 1024 or 960.
    pub frame_samples: u32,
}

/// Reads an `AudioSpecificConfig`.
///
/// # Errors
/// When it is cut short or uses reserved values.
pub fn aac_config(config: &[u8]) -> Result<AacConfig, ConfigError> {
    const RATES: [u32; 13] = [
        96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
    ];
    let mut bits = Bits {
        bytes: config,
        at: 0,
    };
    let object_type = |bits: &mut Bits<'_>| -> Result<u8, ConfigError> {
        let kind = bits.take(5)?;
        let kind = if kind == 31 { 32 + bits.take(6)? } else { kind };
        u8::try_from(kind).map_err(|_| ConfigError("AAC object type"))
    };
    let rate = |bits: &mut Bits<'_>| -> Result<u32, ConfigError> {
        match bits.take(4)? {
            15 => bits.take(24),
            i => RATES
                .get(i as usize)
                .copied()
                .ok_or(ConfigError("AAC sample rate is reserved")),
        }
    };
    let first = object_type(&mut bits)?;
    let sample_rate = rate(&mut bits)?;
    let channels = match bits.take(4)? {
        0 => 2,
        7 | 12 | 14 => 8,
        n @ 1..=6 => n as u16,
        11 => 7,
        _ => return Err(ConfigError("AAC channel configuration is reserved")),
    };
    if matches!(first, 5 | 29) {
        rate(&mut bits)?;
        object_type(&mut bits)?;
    }
    if first == 0 || !(1000..=192_000).contains(&sample_rate) {
        return Err(ConfigError("AAC object type or sample rate out of range"));
    }
    let short = bits.take(1).unwrap_or(0) == 1;
    Ok(AacConfig {
        object_type: first,
        sample_rate,
        channels,
        frame_samples: if short { 960 } else { 1024 },
    })
}

/// RFC 6381 name of an `AudioSpecificConfig`, such as `mp4a.40.2`.
///
/// # Errors
/// As [`aac_config`].
pub fn aac_codec_string(config: &[u8]) -> Result<String, ConfigError> {
    Ok(format!("mp4a.40.{}", aac_config(config)?.object_type))
}

/// A `dOps` body with its informative `InputSampleRate` (RFC 7845 5.1) set to 48 kHz: browsers
/// take it for the rate of the track and refuse others.
///
/// # Errors
/// When it is cut short, of another version or without channels.
pub(crate) fn opus_config(config: &[u8]) -> Result<Vec<u8>, ConfigError> {
    match config {
        [0, 1..=255, _, _, _, _, _, _, _, _, _, ..] => {
            let mut config = config.to_vec();
            config[4..8].copy_from_slice(&48_000_u32.to_be_bytes());
            Ok(config)
        }
        _ => Err(ConfigError(
            "dOps is cut short, of another version or silent",
        )),
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Result<u32, ConfigError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self
                .bytes
                .get(self.at / 8)
                .ok_or(ConfigError("AudioSpecificConfig is cut short"))?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_6381() {
        let avcc = [
            1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 2, 0x67, 0x64, 1, 0, 1, 0x68,
        ];
        assert_eq!(avc_codec_string(&avcc).unwrap(), "avc1.64001f");
        assert!(avc_codec_string(&avcc[..avcc.len() - 1]).is_err());
        assert!(avc_codec_string(&[1, 0x64, 0, 0x1f, 0xff, 0xe0, 0]).is_err());

        let mut hvcc = vec![1, 1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        hvcc.extend([0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 3]);
        for kind in [32, 33, 34] {
            hvcc.extend([0x80 | kind, 0, 1, 0, 1, 0x40]);
        }
        assert_eq!(hevc_codec_string(&hvcc).unwrap(), "hvc1.1.6.L93.B0");
        hvcc[22] = 2;
        assert!(hevc_codec_string(&hvcc).is_err());
    }

    #[test]
    fn opus_is_always_said_to_be_48_khz() {
        let dops = [0, 1, 1, 0x38, 0, 0, 0x3e, 0x80, 0, 0, 0];
        let told = opus_config(&dops).unwrap();
        assert_eq!(told, [0, 1, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0]);
        assert!(opus_config(&dops[..10]).is_err());
        assert!(opus_config(&[0; 11]).is_err());
    }

    #[test]
    fn aac_parameters() {
        let lc = aac_config(&[0x12, 0x10]).unwrap();
        assert_eq!((lc.object_type, lc.sample_rate), (2, 44100));
        assert_eq!((lc.channels, lc.frame_samples), (2, 1024));
        assert_eq!(aac_codec_string(&[0x14, 0x08]).unwrap(), "mp4a.40.2");
        assert!(aac_config(&[0x12]).is_err());
        assert!(aac_config(&[0x17, 0x80, 0, 0, 0]).is_err());
    }
}

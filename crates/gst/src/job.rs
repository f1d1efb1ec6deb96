//! The job line.

use base64::Engine as _;
use oriel_api::AudioMode;
use serde::Deserialize;

use crate::failure::Failure;

/// What to do.
#[derive(Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Fetch a stream.
    Pull(PullJob),
    /// Convert audio packets.
    Audio(AudioJob),
    /// Turn access units into JPEG pictures.
    Jpeg(JpegJob),
}

/// Fetch a stream and write fragmented MP4.
#[derive(Deserialize)]
pub struct PullJob {
    /// Address; credentials in it are not used.
    pub url: String,
    /// User name.
    #[serde(default)]
    pub username: Option<String>,
    /// Password.
    #[serde(default)]
    pub password: Option<String>,
    /// What happens to audio.
    #[serde(default)]
    pub audio: AudioMode,
    /// How RTP travels.
    #[serde(default)]
    pub transport: Transport,
}

/// How RTP travels.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Inside the RTSP connection.
    #[default]
    Tcp,
    /// In datagrams.
    Udp,
}

/// Convert audio packets.
#[derive(Deserialize)]
pub struct AudioJob {
    /// Codec of the packets.
    pub codec: RawAudioCodec,
    /// Hertz, 4000 to 192000.
    pub sample_rate: u32,
    /// 1 to 8.
    pub channels: u16,
    /// `AudioSpecificConfig`, base64; for AAC alone, which cannot be without.
    #[serde(default)]
    pub config: Option<String>,
    /// What to convert to.
    #[serde(default)]
    pub output: AudioName,
}

impl AudioJob {
    /// The codec configuration, when it has one that can be.
    pub fn config(&self) -> Option<Vec<u8>> {
        base64::engine::general_purpose::STANDARD
            .decode(self.config.as_ref()?)
            .ok()
            .filter(|config| config.len() <= 64 && oriel_media::aac_config(config).is_ok())
    }
}

/// Audio codecs of the contract.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioName {
    /// AAC-LC.
    #[default]
    Aac,
    /// Opus.
    Opus,
    /// MP3.
    Mp3,
}

/// Codecs the job `audio` takes.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawAudioCodec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// G.726 at 32 kbit/s.
    G726,
    /// 16 bit, big endian (RFC 3551).
    L16,
    /// AAC access units.
    Aac,
}

/// Turn access units into JPEG pictures.
#[derive(Deserialize)]
pub struct JpegJob {
    /// Codec of the access units.
    pub codec: VideoName,
    /// avcC or hvcC, base64.
    pub config: String,
    /// Wider pictures are scaled down to this, 16 to 8192 pixels.
    pub max_width: u32,
    /// 1 to 100.
    pub quality: u32,
    /// Pictures per second of stream time at most, 0 for every picture.
    pub rate: f64,
}

/// Video codecs of the contract.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoName {
    /// H.264.
    H264,
    /// H.265.
    H265,
}

impl Job {
    /// Reads and checks a job line. The error never quotes it: it may hold a password.
    pub fn parse(line: &str) -> Result<Self, Failure> {
        let job: Self = serde_json::from_str(line).map_err(|e| {
            Failure::bad_job(format!(
                "the job line is not valid ({:?} at column {})",
                e.classify(),
                e.column()
            ))
        })?;
        match &job {
            Self::Pull(pull) => {
                url::Url::parse(&pull.url)
                    .map_err(|e| Failure::bad_job(format!("the address is not valid: {e}")))?;
            }
            Self::Audio(audio) => {
                if !(4000..=192_000).contains(&audio.sample_rate)
                    || !(1..=8).contains(&audio.channels)
                {
                    return Err(Failure::bad_job("sample_rate or channels is out of range"));
                }
                if audio.codec == RawAudioCodec::Aac && audio.config().is_none() {
                    return Err(Failure::bad_job("config is not an AudioSpecificConfig"));
                }
            }
            Self::Jpeg(jpeg) => {
                if !(16..=8192).contains(&jpeg.max_width)
                    || !(1..=100).contains(&jpeg.quality)
                    || !(0.0..=1000.0).contains(&jpeg.rate)
                {
                    return Err(Failure::bad_job(
                        "max_width, quality or rate is out of range",
                    ));
                }
            }
        }
        Ok(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_refused_without_being_quoted() {
        for line in [
            "",
            "{}",
            r#"{"job":"pull"}"#,
            r#"{"job":"pull","url":"not a url","password":"hunter2"}"#,
            r#"{"job":"pull","url":"rtsp://x/","password":"hunter2","transport":"hunter2"}"#,
            r#"{"job":"audio","codec":"pcmu","sample_rate":0,"channels":1}"#,
            r#"{"job":"audio","codec":"aac","sample_rate":48000,"channels":1}"#,
            r#"{"job":"audio","codec":"aac","config":"AA==","sample_rate":48000,"channels":1}"#,
            r#"{"job":"audio","codec":"pcmu","sample_rate":8000,"channels":1,"output":"flac"}"#,
            r#"{"job":"pull","url":"rtsp://x/","audio":"loud"}"#,
            r#"{"job":"jpeg","codec":"h264","config":"","max_width":1,"quality":80,"rate":1}"#,
        ] {
            let Err(failure) = Job::parse(line) else {
                panic!("{line} was taken");
            };
            assert!(!failure.message.contains("hunter2"), "{}", failure.message);
        }
        assert!(Job::parse(r#"{"job":"pull","url":"rtsp://127.0.0.1/x"}"#).is_ok());
    }
}

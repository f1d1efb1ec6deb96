//! The job line.

use serde::Deserialize;

use crate::failure::Failure;

/// What to do.
#[derive(Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Fetch a stream.
    Pull(PullJob),
    /// Convert audio packets to AAC.
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
    pub audio: PullAudio,
    /// How RTP travels.
    #[serde(default)]
    pub transport: Transport,
}

/// What happens to audio.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullAudio {
    /// Copied if it is AAC or Opus, else converted to AAC.
    #[default]
    Auto,
    /// Left out.
    Off,
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

/// Convert audio packets to AAC.
#[derive(Deserialize)]
pub struct AudioJob {
    /// Codec of the packets.
    pub codec: RawAudioCodec,
    /// Hertz, 4000 to 192000.
    pub sample_rate: u32,
    /// 1 to 8.
    pub channels: u16,
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

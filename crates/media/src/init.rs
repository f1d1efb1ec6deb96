//! The initialisation segment: `ftyp moov`, once per run for viewers, at the head of every file.
//!
//! Not here: anything with a sample in it.

use bytes::Bytes;
use mp4_atom::{
    Audio, BufMut as _, Compressor, Dinf, Dref, DrefEntry, Encode, Esds, FixedPoint, FourCC, Ftyp,
    Hdlr, Mdhd, Mvhd, Smhd, Stco, Stsc, Stsz, Stts, Tkhd, Trex, Url, Visual, Vmhd,
    esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig},
};
use oriel_api::ChannelId;

use crate::{
    AudioCodec, AudioTrack, Format, TrackKind, VideoCodec, VideoTrack,
    codec::{ConfigError, aac_config, avc_codec_string, hevc_codec_string, opus_config},
    format::VIDEO_TIMESCALE,
    sound::is_mp3_rate,
};

/// `uuid` type of the box that says whose segment a file is and when it began.
pub const SEGMENT_MARK: [u8; 16] = *b"oriel-segment-v1";

/// Ticks per second of the movie header.
const MOVIE_TIMESCALE: u32 = 1000;

/// Sample flags (ISO/IEC 14496-12 8.8.3.1) of a sample a decoder can start at.
pub(crate) const FLAGS_KEY: u32 = 0x0200_0000;
/// Sample flags of a sample that needs others.
pub(crate) const FLAGS_DELTA: u32 = 0x0101_0000;

/// A format that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The codec configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A number does not fit its field.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// The box library refused a value.
    #[error("cannot write a box: {0}")]
    Box(#[from] mp4_atom::Error),
}

/// Whose segment a file is and when it began; see `docs/protocol.md` section 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentMark {
    /// Wall clock at `tfdt` 0, milliseconds since 1970 UTC.
    pub start_ms: i64,
    /// Channel.
    pub channel: ChannelId,
}

/// `ftyp moov` for a format.
#[derive(Clone, Debug)]
pub struct InitSegment {
    bytes: Bytes,
}

impl InitSegment {
    /// For viewers.
    ///
    /// # Errors
    /// When a codec configuration is not usable or a number does not fit.
    pub fn new(format: &Format) -> Result<Self, BuildError> {
        build(format, None)
    }

    /// For files: `moov` also holds the segment mark.
    ///
    /// # Errors
    /// As [`InitSegment::new`].
    pub fn with_mark(format: &Format, mark: &SegmentMark) -> Result<Self, BuildError> {
        build(format, Some(mark))
    }

    /// The bytes. Cheap: they are shared.
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

/// `track_ID` of a track in everything this crate writes.
pub const fn track_id(track: TrackKind) -> u32 {
    match track {
        TrackKind::Video => 1,
        TrackKind::Audio => 2,
    }
}

pub(crate) type Out = Vec<u8>;
pub(crate) type Written = Result<(), mp4_atom::Error>;

pub(crate) fn container(
    out: &mut Out,
    kind: &[u8; 4],
    fill: impl FnOnce(&mut Out) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    let mut inner = Ok(());
    out.encode_atom(FourCC::new(kind), |out| {
        inner = fill(out);
        Ok(())
    })?;
    inner
}

pub(crate) fn raw(out: &mut Out, kind: &[u8; 4], body: &[u8]) -> Written {
    out.encode_atom(FourCC::new(kind), |out| body.encode(out))
}

fn build(format: &Format, mark: Option<&SegmentMark>) -> Result<InitSegment, BuildError> {
    let mut out = Vec::with_capacity(2048);
    Ftyp {
        major_brand: FourCC::new(b"iso6"),
        minor_version: 0,
        compatible_brands: [b"iso6", b"cmfc", b"mp41"].map(FourCC::new).to_vec(),
    }
    .encode(&mut out)?;
    container(&mut out, b"moov", |out| {
        Mvhd {
            timescale: MOVIE_TIMESCALE,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: 3,
            ..Mvhd::default()
        }
        .encode(out)?;
        video_track(out, &format.video)?;
        if let Some(audio) = &format.audio {
            audio_track(out, audio)?;
        }
        container(out, b"mvex", |out| {
            trex(out, TrackKind::Video, FLAGS_DELTA)?;
            if format.audio.is_some() {
                trex(out, TrackKind::Audio, FLAGS_KEY)?;
            }
            Ok(())
        })?;
        if let Some(mark) = mark {
            container(out, b"udta", |out| Ok(segment_mark(out, mark)?))?;
        }
        Ok(())
    })?;
    Ok(InitSegment { bytes: out.into() })
}

fn segment_mark(out: &mut Out, mark: &SegmentMark) -> Written {
    let mut body = Vec::with_capacity(36);
    body.extend_from_slice(&SEGMENT_MARK);
    body.extend_from_slice(&mark.start_ms.to_be_bytes());
    body.extend_from_slice(mark.channel.as_str().as_bytes());
    raw(out, b"uuid", &body)
}

fn trex(out: &mut Out, track: TrackKind, flags: u32) -> Written {
    Trex {
        track_id: track_id(track),
        default_sample_description_index: 1,
        default_sample_flags: flags,
        ..Trex::default()
    }
    .encode(out)
}

fn video_track(out: &mut Out, video: &VideoTrack) -> Result<(), BuildError> {
    let header = video_header(video)?;
    track(out, &header, VIDEO_TIMESCALE, b"vide", |out| {
        video_entry(out, video)
    })
}

fn size(video: &VideoTrack) -> Result<(u16, u16), BuildError> {
    let width = u16::try_from(video.width).map_err(|_| BuildError::Range("width"))?;
    let height = u16::try_from(video.height).map_err(|_| BuildError::Range("height"))?;
    Ok((width, height))
}

/// The header of the video track, without a duration.
pub(crate) fn video_header(video: &VideoTrack) -> Result<Tkhd, BuildError> {
    let (width, height) = size(video)?;
    Ok(Tkhd {
        track_id: track_id(TrackKind::Video),
        enabled: true,
        in_movie: true,
        width: width.into(),
        height: height.into(),
        ..Tkhd::default()
    })
}

/// The sample description of a video format.
pub(crate) fn video_entry(out: &mut Out, video: &VideoTrack) -> Result<(), BuildError> {
    let (width, height) = size(video)?;
    let (entry, record): (&[u8; 4], &[u8; 4]) = match video.codec {
        VideoCodec::H264 => {
            avc_codec_string(&video.config)?;
            (b"avc1", b"avcC")
        }
        VideoCodec::H265 => {
            hevc_codec_string(&video.config)?;
            (b"hvc1", b"hvcC")
        }
    };
    container(out, entry, |out| {
        Visual {
            data_reference_index: 1,
            width,
            height,
            compressor: Compressor::default(),
            ..Visual::default()
        }
        .encode(out)?;
        Ok(raw(out, record, &video.config)?)
    })
}

fn audio_track(out: &mut Out, audio: &AudioTrack) -> Result<(), BuildError> {
    track(out, &audio_header(), audio.sample_rate, b"soun", |out| {
        audio_entry(out, audio)
    })
}

/// The header of the audio track, without a duration.
pub(crate) fn audio_header() -> Tkhd {
    Tkhd {
        track_id: track_id(TrackKind::Audio),
        alternate_group: 1,
        enabled: true,
        in_movie: true,
        volume: 1.into(),
        ..Tkhd::default()
    }
}

/// The sample description of an audio format.
pub(crate) fn audio_entry(out: &mut Out, audio: &AudioTrack) -> Result<(), BuildError> {
    if audio.sample_rate == 0 {
        return Err(BuildError::Range("sample rate"));
    }
    let entry = Audio {
        data_reference_index: 1,
        channel_count: audio.channels,
        sample_size: 16,
        // 16.16 fixed point: a higher rate is told by the codec configuration alone.
        sample_rate: FixedPoint::from(u16::try_from(audio.sample_rate).unwrap_or(0)),
    };
    match audio.codec {
        AudioCodec::Aac => {
            aac_config(&audio.config)?;
            container(out, b"mp4a", |out| {
                entry.encode(out)?;
                Ok(esds(0x40, Some(&audio.config)).encode(out)?)
            })
        }
        AudioCodec::Mp3 => {
            if !is_mp3_rate(audio.sample_rate) {
                return Err(BuildError::Range("sample rate"));
            }
            let kind = if audio.frame_samples == 576 {
                MPEG2_AUDIO
            } else {
                MPEG1_AUDIO
            };
            container(out, b"mp4a", |out| {
                entry.encode(out)?;
                Ok(esds(kind, None).encode(out)?)
            })
        }
        AudioCodec::Opus => {
            let config = opus_config(&audio.config)?;
            container(out, b"Opus", |out| {
                entry.encode(out)?;
                Ok(raw(out, b"dOps", &config)?)
            })
        }
    }
}

/// `objectTypeIndication` of ISO/IEC 11172-3 audio (mp4ra.org).
pub(crate) const MPEG1_AUDIO: u8 = 0x6b;
/// `objectTypeIndication` of ISO/IEC 13818-3 audio.
pub(crate) const MPEG2_AUDIO: u8 = 0x69;

fn esds(object_type: u8, config: Option<&[u8]>) -> Esds {
    Esds {
        es_desc: EsDescriptor {
            es_id: 0,
            depends_on_es_id: None,
            url: None,
            ocr_es_id: None,
            stream_priority: 0,
            dec_config: DecoderConfig {
                object_type_indication: object_type,
                stream_type: 5,
                up_stream: 0,
                dec_specific: config.map(|config| DecoderSpecific {
                    profile: 0,
                    freq_index: 0,
                    chan_conf: 0,
                    raw: config.to_vec(),
                }),
                ..DecoderConfig::default()
            },
            sl_config: SLConfig {},
        },
    }
}

fn track(
    out: &mut Out,
    header: &Tkhd,
    timescale: u32,
    handler: &[u8; 4],
    sample_entry: impl FnOnce(&mut Out) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    container(out, b"trak", |out| {
        header.encode(out)?;
        media(out, timescale, 0, handler, |out| {
            container(out, b"stsd", |out| {
                [0u8, 0, 0, 0, 0, 0, 0, 1].as_slice().encode(out)?;
                sample_entry(out)
            })?;
            Stts::default().encode(out)?;
            Stsc::default().encode(out)?;
            Stsz::default().encode(out)?;
            Ok(Stco::default().encode(out)?)
        })
    })
}

/// The `mdia` of a track; `tables` fills its `stbl`.
pub(crate) fn media(
    out: &mut Out,
    timescale: u32,
    duration: u64,
    handler: &[u8; 4],
    tables: impl FnOnce(&mut Out) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    container(out, b"mdia", |out| {
        Mdhd {
            timescale,
            duration,
            language: "und".into(),
            ..Mdhd::default()
        }
        .encode(out)?;
        Hdlr {
            handler: FourCC::new(handler),
            name: "Oriel".into(),
        }
        .encode(out)?;
        container(out, b"minf", |out| {
            if handler == b"vide" {
                Vmhd::default().encode(out)?;
            } else {
                Smhd::default().encode(out)?;
            }
            Dinf {
                dref: Dref {
                    entries: vec![DrefEntry::Url(Url::default())],
                },
            }
            .encode(out)?;
            container(out, b"stbl", tables)
        })
    })
}

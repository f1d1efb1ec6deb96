//! What `moov` and `moof` boxes say, read from bytes nobody vouches for.
//!
//! Not here: where the bytes come from, and sample data.

use std::collections::HashMap;

use mp4_atom::DecodeAtom as _;

use crate::{
    AudioCodec, AudioTrack, Format, TrackKind, VideoCodec, VideoTrack,
    boxes::{Boxes, Cursor, Malformed},
    codec::{
        ConfigError, aac_codec_string, aac_config, avc_codec_string, hevc_codec_string, opus_config,
    },
    format::VIDEO_TIMESCALE,
    init::{MPEG1_AUDIO, MPEG2_AUDIO, SEGMENT_MARK, SegmentMark},
    sound::is_mp3_rate,
};

/// Samples one `moof` may have.
pub(crate) const MAX_SAMPLES: usize = 20_000;
/// Tracks a `moov` may have; the rest is not looked at.
const MAX_TRACKS: usize = 64;

/// Why a `moov` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MovieError {
    Malformed(&'static str),
    Config(ConfigError),
    NoVideo,
    /// The four characters of a sample entry, anything unprintable replaced.
    UnsupportedVideo(String),
}

impl From<Malformed> for MovieError {
    fn from(e: Malformed) -> Self {
        Self::Malformed(e.0)
    }
}

impl From<ConfigError> for MovieError {
    fn from(e: ConfigError) -> Self {
        Self::Config(e)
    }
}

/// A track of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Track {
    pub(crate) kind: TrackKind,
    /// Ticks per second in the file, above 0.
    pub(crate) timescale: u32,
    /// Ticks per second of the frames made from it, above 0.
    pub(crate) our_timescale: u32,
    /// Bytes of a NAL unit's length, 1 to 4. Video only.
    pub(crate) length_size: usize,
    /// Presentation times are later by this than the file's times, in ticks of the file: from
    /// the edit list.
    pub(crate) shift: i64,
    default_duration: u32,
    default_size: u32,
    default_flags: u32,
}

/// A `moov`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Movie {
    pub(crate) format: Format,
    pub(crate) mark: Option<SegmentMark>,
    tracks: HashMap<u32, Track>,
}

/// One sample of a fragment, its times in ticks of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// From the start of the stream or file.
    pub(crate) offset: u64,
    pub(crate) size: u32,
    pub(crate) duration: u32,
    pub(crate) cts: i32,
    pub(crate) key: bool,
}

/// The samples a `moof` has of one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrackRun {
    pub(crate) track: Track,
    pub(crate) tfdt: Option<u64>,
    pub(crate) samples: Vec<Sample>,
}

impl Movie {
    /// Reads the body of a `moov`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, MovieError> {
        let mut video = None;
        let mut audio = None;
        let mut other_video = None;
        let mut defaults = HashMap::new();
        let mut mark = None;
        let mut timescale = 0;
        for child in Boxes::of(body) {
            let (kind, body) = child?;
            match &kind {
                b"mvhd" => timescale = movie_timescale(body)?,
                b"trak" => match TrackEntry::parse(body)? {
                    Some(t) if t.video() && video.is_none() => video = Some(t),
                    Some(t) if t.audio() && audio.is_none() => audio = Some(t),
                    Some(t) if &t.handler == b"vide" => other_video = Some(t.entry),
                    _ => {}
                },
                b"mvex" => {
                    for child in Boxes::of(body).take(MAX_TRACKS) {
                        if let (kind, body) = child?
                            && &kind == b"trex"
                        {
                            let mut c = Cursor::new(body);
                            c.full()?;
                            let id = c.u32()?;
                            c.u32()?;
                            defaults.insert(id, (c.u32()?, c.u32()?, c.u32()?));
                        }
                    }
                }
                b"udta" => mark = mark.or(segment_mark(body)),
                _ => {}
            }
        }
        let Some(video) = video else {
            return Err(match other_video {
                Some(entry) => MovieError::UnsupportedVideo(printable(entry)),
                None => MovieError::NoVideo,
            });
        };
        let mut tracks = HashMap::new();
        let mut add = |entry: &TrackEntry, kind, our_timescale, length_size| {
            let (default_duration, default_size, default_flags) =
                defaults.get(&entry.id).copied().unwrap_or_default();
            tracks.insert(
                entry.id,
                Track {
                    kind,
                    timescale: entry.timescale,
                    our_timescale,
                    length_size,
                    shift: entry.shift(timescale),
                    default_duration,
                    default_size,
                    default_flags,
                },
            );
        };
        let (video_track, length_size) = video_format(&video)?;
        add(&video, TrackKind::Video, VIDEO_TIMESCALE, length_size);
        // Audio that cannot be understood is left out: it must never cost the video.
        let audio = audio.filter(|a| a.id != video.id);
        let audio_track = audio.as_ref().and_then(|a| audio_format(a).ok());
        if let (Some(entry), Some(format)) = (&audio, &audio_track) {
            add(entry, TrackKind::Audio, format.sample_rate, 0);
        }
        Ok(Self {
            format: Format {
                video: video_track,
                audio: audio_track,
            },
            mark,
            tracks,
        })
    }

    /// Whether a track counts its times or the lengths of its NAL units otherwise than ours do.
    pub(crate) fn foreign(&self) -> bool {
        self.tracks.values().any(|t| {
            t.timescale != t.our_timescale
                || t.shift != 0
                || (t.kind == TrackKind::Video && t.length_size != 4)
        })
    }

    /// Reads the body of a `moof` whose header began at `offset`. Tracks that are not recorded
    /// are left out.
    pub(crate) fn fragment(&self, body: &[u8], offset: u64) -> Result<Vec<TrackRun>, Malformed> {
        let mut runs: Vec<TrackRun> = Vec::new();
        let mut left = MAX_SAMPLES;
        let mut data_end = offset;
        for child in Boxes::of(body) {
            let (kind, body) = child?;
            if &kind == b"traf" {
                let run = self.track_run(body, offset, &mut data_end, &mut left)?;
                runs.extend(run.filter(|r| !r.samples.is_empty()));
                if runs.len() > MAX_TRACKS {
                    return Err(Malformed("a moof has too many trafs"));
                }
            }
        }
        Ok(runs)
    }

    fn track_run(
        &self,
        body: &[u8],
        moof: u64,
        data_end: &mut u64,
        left: &mut usize,
    ) -> Result<Option<TrackRun>, Malformed> {
        let tfhd = Boxes::find(body, b"tfhd")?.ok_or(Malformed("a traf has no tfhd"))?;
        let mut c = Cursor::new(tfhd);
        let (_, flags) = c.full()?;
        let id = c.u32()?;
        let optional = |bit: u32, c: &mut Cursor<'_>| -> Result<Option<u32>, Malformed> {
            (flags & bit != 0).then(|| c.u32()).transpose()
        };
        let base = match flags {
            f if f & 0x01 != 0 => c.u64()?,
            f if f & 0x02_0000 != 0 => moof,
            // 8.8.7.1: the first traf counts from the moof, the next from the data before it.
            _ => *data_end,
        };
        optional(0x02, &mut c)?;
        let duration = optional(0x08, &mut c)?;
        let size = optional(0x10, &mut c)?;
        let sample_flags = optional(0x20, &mut c)?;

        let track = self.tracks.get(&id);
        let defaults = Defaults {
            duration: duration.or(track.map(|t| t.default_duration)).unwrap_or(0),
            size: size.or(track.map(|t| t.default_size)).unwrap_or(0),
            flags: sample_flags.or(track.map(|t| t.default_flags)).unwrap_or(0),
        };
        let mut tfdt = None;
        let mut samples = Vec::new();
        *data_end = base;
        for child in Boxes::of(body) {
            let (kind, body) = child?;
            match &kind {
                b"tfdt" => {
                    let mut c = Cursor::new(body);
                    tfdt = Some(match c.full()? {
                        (0, _) => u64::from(c.u32()?),
                        _ => c.u64()?,
                    });
                }
                b"trun" => trun(body, base, data_end, &defaults, left, &mut samples)?,
                _ => {}
            }
        }
        Ok(track.map(|track| TrackRun {
            track: track.clone(),
            tfdt,
            samples,
        }))
    }
}

struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

fn trun(
    body: &[u8],
    base: u64,
    data_end: &mut u64,
    defaults: &Defaults,
    left: &mut usize,
    samples: &mut Vec<Sample>,
) -> Result<(), Malformed> {
    let mut c = Cursor::new(body);
    let (_, flags) = c.full()?;
    let count = c.u32()? as usize;
    let mut at = *data_end;
    if flags & 0x01 != 0 {
        at = base
            .checked_add_signed(i64::from(c.i32()?))
            .ok_or(Malformed("a data offset is out of range"))?;
    }
    let first_flags = (flags & 0x04 != 0).then(|| c.u32()).transpose()?;
    *left = left
        .checked_sub(count)
        .ok_or(Malformed("a moof has too many samples"))?;
    samples.reserve(count);
    let field = |bit: u32, c: &mut Cursor<'_>, default: u32| -> Result<u32, Malformed> {
        if flags & bit == 0 {
            Ok(default)
        } else {
            c.u32()
        }
    };
    for i in 0..count {
        let duration = field(0x100, &mut c, defaults.duration)?;
        let size = field(0x200, &mut c, defaults.size)?;
        let default_flags = match first_flags {
            Some(first) if i == 0 => first,
            _ => defaults.flags,
        };
        let sample_flags = field(0x400, &mut c, default_flags)?;
        // Version 0 says unsigned, but writers put negative numbers there too.
        let cts = field(0x800, &mut c, 0)?.cast_signed();
        samples.push(Sample {
            offset: at,
            size,
            duration,
            cts,
            key: sample_flags & 0x0001_0000 == 0,
        });
        at = at
            .checked_add(u64::from(size))
            .ok_or(Malformed("a data offset is out of range"))?;
    }
    *data_end = at;
    Ok(())
}

fn movie_timescale(mvhd: &[u8]) -> Result<u32, Malformed> {
    let mut c = Cursor::new(mvhd);
    let (version, _) = c.full()?;
    c.skip(if version == 1 { 16 } else { 8 })?;
    c.u32()
}

fn segment_mark(udta: &[u8]) -> Option<SegmentMark> {
    for child in Boxes::of(udta) {
        let (kind, body) = child.ok()?;
        if &kind == b"uuid"
            && let Some(body) = body.strip_prefix(&SEGMENT_MARK)
        {
            let mut c = Cursor::new(body);
            let start_ms = c.i64().ok()?;
            let channel = std::str::from_utf8(c.take(12).ok()?).ok()?.parse().ok()?;
            return Some(SegmentMark { start_ms, channel });
        }
    }
    None
}

fn printable(entry: [u8; 4]) -> String {
    entry
        .iter()
        .map(|b| match b {
            0x21..0x7f => char::from(*b),
            _ => '?',
        })
        .collect()
}

/// A `trak` before its codec is understood.
struct TrackEntry {
    id: u32,
    timescale: u32,
    handler: [u8; 4],
    entry: [u8; 4],
    /// The sample entry's body.
    body: Vec<u8>,
    /// Duration of a leading empty edit, in ticks of the movie.
    empty_edit: u64,
    /// Media time of the first real edit.
    media_time: i64,
}

impl TrackEntry {
    fn video(&self) -> bool {
        &self.handler == b"vide" && matches!(&self.entry, b"avc1" | b"avc3" | b"hvc1" | b"hev1")
    }

    fn audio(&self) -> bool {
        &self.handler == b"soun" && matches!(&self.entry, b"mp4a" | b"Opus")
    }

    fn shift(&self, movie_timescale: u32) -> i64 {
        let empty = if movie_timescale == 0 {
            0
        } else {
            u128::from(self.empty_edit) * u128::from(self.timescale) / u128::from(movie_timescale)
        };
        i64::try_from(empty)
            .unwrap_or(0)
            .saturating_sub(self.media_time)
    }

    /// `None` when nothing in it can be used.
    fn parse(trak: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut c = Cursor::new(Boxes::find(trak, b"tkhd")?.ok_or(Malformed("no tkhd"))?);
        let (version, _) = c.full()?;
        c.skip(if version == 1 { 16 } else { 8 })?;
        let id = c.u32()?;

        let mdia = Boxes::find(trak, b"mdia")?.ok_or(Malformed("no mdia"))?;
        let mut c = Cursor::new(Boxes::find(mdia, b"mdhd")?.ok_or(Malformed("no mdhd"))?);
        let (version, _) = c.full()?;
        c.skip(if version == 1 { 16 } else { 8 })?;
        let timescale = c.u32()?;
        if timescale == 0 {
            return Err(Malformed("a timescale is 0"));
        }
        let mut c = Cursor::new(Boxes::find(mdia, b"hdlr")?.ok_or(Malformed("no hdlr"))?);
        c.skip(8)?;
        let handler = c.fourcc()?;

        let Some(minf) = Boxes::find(mdia, b"minf")? else {
            return Ok(None);
        };
        let Some(stbl) = Boxes::find(minf, b"stbl")? else {
            return Ok(None);
        };
        let stsd = Boxes::find(stbl, b"stsd")?.ok_or(Malformed("no stsd"))?;
        let entries = stsd
            .get(8..)
            .ok_or(Malformed("a field reaches past its box"))?;
        let Some(first) = Boxes::of(entries).next() else {
            return Ok(None);
        };
        let (entry, body) = first?;
        let (empty_edit, media_time) = match Boxes::find(trak, b"edts")? {
            Some(edts) => edit_list(edts)?,
            None => (0, 0),
        };
        Ok(Some(Self {
            id,
            timescale,
            handler,
            entry,
            body: body.to_vec(),
            empty_edit,
            media_time,
        }))
    }
}

/// Leading empty duration and the media time the track then starts at. Later edits would be a
/// montage, which no recorder writes.
fn edit_list(edts: &[u8]) -> Result<(u64, i64), Malformed> {
    let Some(elst) = Boxes::find(edts, b"elst")? else {
        return Ok((0, 0));
    };
    let mut c = Cursor::new(elst);
    let (version, _) = c.full()?;
    let mut empty = 0_u64;
    for _ in 0..c.u32()?.min(16) {
        let (duration, media_time) = if version == 1 {
            (c.u64()?, c.i64()?)
        } else {
            (u64::from(c.u32()?), i64::from(c.i32()?))
        };
        c.u32()?;
        if media_time >= 0 {
            return Ok((empty, media_time));
        }
        empty = empty.saturating_add(duration);
    }
    Ok((empty, 0))
}

fn video_format(entry: &TrackEntry) -> Result<(VideoTrack, usize), MovieError> {
    let mut c = Cursor::new(&entry.body);
    c.skip(24)?;
    let (width, height) = (u32::from(c.u16()?), u32::from(c.u16()?));
    c.skip(50)?;
    let (codec, record) = match &entry.entry {
        b"avc1" | b"avc3" => (VideoCodec::H264, b"avcC"),
        _ => (VideoCodec::H265, b"hvcC"),
    };
    let config = Boxes::find(c.rest(), record)?.ok_or(ConfigError("avcC or hvcC is missing"))?;
    let (codec_string, length_at) = match codec {
        VideoCodec::H264 => (avc_codec_string(config)?, 4),
        VideoCodec::H265 => (hevc_codec_string(config)?, 21),
    };
    let mut config = config.to_vec();
    let length_size = match config.get_mut(length_at) {
        Some(byte) => {
            let size = usize::from(*byte & 3) + 1;
            // Frames are rewritten to four bytes, so the configuration must say so.
            *byte |= 3;
            size
        }
        None => 4,
    };
    if width == 0 || height == 0 {
        return Err(MovieError::Malformed("the picture has no size"));
    }
    let track = VideoTrack {
        codec,
        config: config.into(),
        codec_string,
        width,
        height,
    };
    Ok((track, length_size))
}

fn audio_format(entry: &TrackEntry) -> Result<AudioTrack, MovieError> {
    let mut c = Cursor::new(&entry.body);
    c.skip(8)?;
    let version = c.u16()?;
    c.skip(6)?;
    let told_channels = c.u16()?;
    c.skip(6)?;
    // 16.16 fixed point.
    let told_rate = c.u32()? >> 16;
    match version {
        1 => c.skip(16)?,
        2 => c.skip(36)?,
        _ => {}
    }
    if &entry.entry == b"Opus" {
        let dops = Boxes::find(c.rest(), b"dOps")?.ok_or(ConfigError("dOps is missing"))?;
        let config = opus_config(dops)?;
        let channels = u16::from(config[1]);
        return Ok(AudioTrack {
            codec: AudioCodec::Opus,
            config: config.into(),
            codec_string: "opus".into(),
            sample_rate: 48_000,
            channels,
            frame_samples: 0,
        });
    }
    let esds = Boxes::find(c.rest(), b"esds")?.ok_or(ConfigError("esds is missing"))?;
    let header = mp4_atom::Header {
        kind: mp4_atom::FourCC::new(b"esds"),
        size: Some(esds.len()),
    };
    let esds = mp4_atom::Esds::decode_atom(&header, &mut &*esds)
        .map_err(|_| ConfigError("esds is not readable"))?;
    let decoder = esds.es_desc.dec_config;
    if matches!(decoder.object_type_indication, MPEG1_AUDIO | MPEG2_AUDIO) {
        if !is_mp3_rate(told_rate) {
            return Err(ConfigError("MP3 of a rate that it does not have").into());
        }
        return Ok(AudioTrack::mp3(told_rate, told_channels));
    }
    let config = decoder
        .dec_specific
        .ok_or(ConfigError("AudioSpecificConfig is missing"))?
        .raw;
    // 0x40 is MPEG-4 audio; 0x66 to 0x68 are MPEG-2 AAC with the same configuration.
    if !matches!(decoder.object_type_indication, 0x40 | 0x66..=0x68) {
        return Err(ConfigError("mp4a holds something other than AAC or MP3").into());
    }
    let aac = aac_config(&config)?;
    Ok(AudioTrack {
        codec: AudioCodec::Aac,
        codec_string: aac_codec_string(&config)?,
        config: config.into(),
        sample_rate: aac.sample_rate,
        channels: aac.channels,
        frame_samples: aac.frame_samples,
    })
}

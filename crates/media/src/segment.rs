//! The head of a segment file and the index written into it when the file is closed.
//!
//! Not here: writing to disk, and deciding when to close.

use bytes::Bytes;
use mp4_atom::{Encode, SegmentReference, Sidx};
use oriel_api::ChannelId;

use crate::{
    Format, TrackKind,
    format::VIDEO_TIMESCALE,
    fragment::{Fragment, rescale},
    init::{BuildError, InitSegment, SegmentMark, track_id},
};

const SIDX_FIXED: usize = 32;
const SIDX_REFERENCE: usize = 12;
const FREE_MIN: usize = 8;

/// Where a fragment is in a file and what it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentRef {
    /// First byte of `moof` in the file.
    pub offset: u64,
    /// Bytes of `moof` and `mdat`.
    pub len: u64,
    /// Track.
    pub track: TrackKind,
    /// A decoder can start with its first frame.
    pub key: bool,
    /// Decode time of its first frame in ticks of the track, from the start of the file.
    pub start: i64,
    /// Decode time at its end.
    pub end: i64,
}

impl FragmentRef {
    /// A fragment written at `offset` in a file whose time 0 is `base` (ticks of this track).
    pub fn new(fragment: &Fragment, offset: u64, base: i64) -> Self {
        let start = fragment.start.saturating_sub(base).max(0);
        let length = fragment.end.saturating_sub(fragment.start);
        Self {
            offset,
            len: fragment.bytes.len() as u64,
            track: fragment.track,
            key: fragment.key,
            start,
            end: start.saturating_add(length),
        }
    }
}

/// The head of a segment file: `ftyp moov free`.
#[derive(Clone, Debug)]
pub struct SegmentHeader {
    /// `ftyp moov free`. The first fragment follows.
    pub bytes: Bytes,
    /// First byte of `free`, where the index goes.
    pub index_offset: u64,
    /// Bytes of `free`, header included.
    pub index_capacity: usize,
}

impl SegmentHeader {
    /// Makes the head of a file that starts at `start_ms` (milliseconds since 1970 UTC), with room
    /// to index about `expected_fragments` video fragments (at most 5,000; more are merged).
    ///
    /// # Errors
    /// When the format cannot be written.
    pub fn new(
        format: &Format,
        start_ms: i64,
        channel: &ChannelId,
        expected_fragments: usize,
    ) -> Result<Self, BuildError> {
        let mark = SegmentMark {
            start_ms,
            channel: channel.clone(),
        };
        let init = InitSegment::with_mark(format, &mark)?.bytes();
        let tracks = if format.audio.is_some() { 2 } else { 1 };
        let each = SIDX_FIXED + SIDX_REFERENCE * expected_fragments.clamp(1, 5000);
        let capacity = each * tracks + FREE_MIN;
        let mut bytes = Vec::with_capacity(init.len() + capacity);
        bytes.extend_from_slice(&init);
        bytes.extend_from_slice(&free(capacity));
        Ok(Self {
            bytes: bytes.into(),
            index_offset: init.len() as u64,
            index_capacity: capacity,
        })
    }
}

fn free(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    bytes[..4].copy_from_slice(&(size as u32).to_be_bytes());
    bytes[4..8].copy_from_slice(b"free");
    bytes
}

/// Makes the bytes that replace the reserved `free` of a closed file, exactly `capacity` of them:
/// a `free` for what is not needed, then a `sidx` per track of the format, so that the first
/// fragment follows.
///
/// `header_len` is where the first fragment begins. References of the video begin at key frames,
/// those of the audio at its own fragments: FFmpeg and browsers built on it look for each track's
/// `moof` by itself, and seek wrongly by an index that covers the video alone; they
/// reach over what is between. When there is too little room neighbours are merged. `None` when
/// there is no room for one reference or nothing to index.
pub fn build_index(
    format: &Format,
    fragments: &[FragmentRef],
    capacity: usize,
    header_len: u64,
) -> Option<Bytes> {
    let audio_rate = format.audio.as_ref().map(|a| a.sample_rate);
    let end = fragments.iter().map(|f| f.offset + f.len).max()?;
    let of = |track| fragments.iter().filter(move |f| f.track == track);
    let mut video: Vec<Start> = Vec::new();
    for f in of(TrackKind::Video) {
        if f.key || video.is_empty() {
            video.push(Start::of(f));
        }
    }
    let video_end = of(TrackKind::Video).map(|f| f.end).max()?;
    let audio = audio_rate.map(|rate| {
        let own: Vec<_> = of(TrackKind::Audio).map(Start::of).collect();
        let ours = |time| rescale(time, VIDEO_TIMESCALE, rate);
        let starts = if own.is_empty() {
            // A declared track without an index of its own is sought by the video's times.
            video
                .iter()
                .map(|s| Start {
                    time: ours(s.time),
                    key: true,
                    ..*s
                })
                .collect()
        } else {
            own
        };
        let audio_end = of(TrackKind::Audio).map(|f| f.end).max();
        (rate, starts, audio_end.unwrap_or(ours(video_end)))
    });

    let tracks = 1 + usize::from(audio.is_some());
    let room = room(capacity, tracks)?;
    let video = merged(video, room);
    let audio = audio.map(|(rate, starts, end)| (rate, merged(starts, room), end));
    let audio_len = audio.as_ref().map_or(0, |(_, starts, _)| {
        SIDX_FIXED + SIDX_REFERENCE * starts.len()
    });

    let mut encoded = Vec::with_capacity(capacity);
    let after = header_len.checked_sub(audio_len as u64)?;
    sidx(
        TrackKind::Video,
        VIDEO_TIMESCALE,
        after,
        &video,
        (end, video_end),
    )?
    .encode(&mut encoded)
    .ok()?;
    if let Some((rate, starts, audio_end)) = audio {
        sidx(
            TrackKind::Audio,
            rate,
            header_len,
            &starts,
            (end, audio_end),
        )?
        .encode(&mut encoded)
        .ok()?;
    }
    let padding = capacity.checked_sub(encoded.len())?;
    let mut bytes = match padding {
        0 => Vec::new(),
        FREE_MIN.. => free(padding),
        _ => return None,
    };
    bytes.extend_from_slice(&encoded);
    Some(bytes.into())
}

/// Where a reference begins.
#[derive(Clone, Copy)]
struct Start {
    offset: u64,
    time: i64,
    key: bool,
}

impl Start {
    fn of(fragment: &FragmentRef) -> Self {
        Self {
            offset: fragment.offset,
            time: fragment.start,
            key: fragment.key,
        }
    }
}

fn merged(starts: Vec<Start>, room: usize) -> Vec<Start> {
    let step = starts.len().div_ceil(room).max(1);
    starts.into_iter().step_by(step).collect()
}

/// An index whose own end is at `anchor` and whose last reference reaches to `end` (offset, time).
fn sidx(
    track: TrackKind,
    timescale: u32,
    anchor: u64,
    starts: &[Start],
    end: (u64, i64),
) -> Option<Sidx> {
    let first = starts.first()?;
    let nexts = starts.iter().skip(1).map(|s| (s.offset, s.time));
    let references = starts
        .iter()
        .zip(nexts.chain([end]))
        .map(|(start, (offset, time))| {
            Some(SegmentReference {
                reference_type: false,
                referenced_size: u32::try_from(offset.checked_sub(start.offset)?).ok()?,
                subsegment_duration: u32::try_from(time.checked_sub(start.time)?).ok()?,
                starts_with_sap: start.key,
                sap_type: u8::from(start.key),
                sap_delta_time: 0,
            })
        })
        .collect::<Option<_>>()?;
    Some(Sidx {
        reference_id: track_id(track),
        timescale,
        earliest_presentation_time: u64::try_from(first.time).ok()?,
        first_offset: first.offset.checked_sub(anchor)?,
        references,
    })
}

/// References that fit for each of so many tracks: what is left over must be nothing or hold a
/// `free`.
fn room(capacity: usize, tracks: usize) -> Option<usize> {
    let spare = capacity.checked_sub(SIDX_FIXED * tracks)?;
    let each = SIDX_REFERENCE * tracks;
    let room = match spare % each {
        0 | FREE_MIN.. => spare / each,
        _ => (spare / each).checked_sub(1)?,
    };
    (room > 0).then_some(room.min(usize::from(u16::MAX)))
}

#[cfg(test)]
mod tests {
    use mp4_atom::Decode as _;

    use super::*;

    /// Fragments of a second, a key frame in every `every`th, audio between them.
    fn fragments(count: u64, every: u64, header_len: u64) -> Vec<FragmentRef> {
        (0..count)
            .flat_map(|i| {
                let one = |offset, len, track, key, scale: i64| FragmentRef {
                    offset: header_len + i * 1500 + offset,
                    len,
                    track,
                    key,
                    start: i as i64 * scale,
                    end: (i as i64 + 1) * scale,
                };
                [
                    one(0, 1000, TrackKind::Video, i % every == 0, 90_000),
                    one(1000, 500, TrackKind::Audio, true, 16_000),
                ]
            })
            .collect()
    }

    fn indexes(bytes: &[u8]) -> Vec<Sidx> {
        let at = bytes.windows(4).position(|w| w == b"sidx").unwrap() - 4;
        if at > 0 {
            assert_eq!(
                bytes[..8],
                [&(at as u32).to_be_bytes(), &b"free"[..]].concat()
            );
        }
        let mut rest = &bytes[at..];
        let mut found = Vec::new();
        while !rest.is_empty() {
            found.push(Sidx::decode(&mut rest).unwrap());
        }
        found
    }

    fn format(audio: bool) -> Format {
        Format {
            video: crate::VideoTrack {
                codec: crate::VideoCodec::H264,
                config: Bytes::new(),
                codec_string: String::new(),
                width: 16,
                height: 16,
            },
            audio: audio.then(|| crate::AudioTrack {
                codec: crate::AudioCodec::Aac,
                config: Bytes::new(),
                codec_string: String::new(),
                sample_rate: 16_000,
                channels: 1,
                frame_samples: 1024,
            }),
        }
    }

    /// Follows an index as a player does: every reference must begin at a fragment of its track
    /// with that time, and the last end at the end of the file.
    fn follow(sidx: &Sidx, anchor: u64, track: TrackKind, fragments: &[FragmentRef]) {
        let mut at = anchor + sidx.first_offset;
        let mut time = sidx.earliest_presentation_time as i64;
        for r in &sidx.references {
            let hit = fragments.iter().find(|f| f.offset == at).unwrap();
            assert_eq!((hit.track, hit.start), (track, time));
            assert!(r.starts_with_sap && hit.key);
            at += u64::from(r.referenced_size);
            time += i64::from(r.subsegment_duration);
        }
        let last = fragments.last().unwrap();
        assert_eq!(at, last.offset + last.len);
        let of = fragments.iter().filter(|f| f.track == track);
        assert_eq!(time, of.map(|f| f.end).max().unwrap());
    }

    #[test]
    fn references_are_right_whatever_the_room() {
        for count in [1, 2, 30, 601] {
            for every in [1, 4] {
                for capacity in 0..600 {
                    let both = fragments(count, every, 2000);
                    let Some(bytes) = build_index(&format(true), &both, capacity, 2000) else {
                        assert!(capacity < 64 + 24 + 8);
                        continue;
                    };
                    assert_eq!(bytes.len(), capacity);
                    let found = indexes(&bytes);
                    let [video, audio] = &found[..] else {
                        panic!("{} indexes", found.len());
                    };
                    assert_eq!((video.timescale, audio.timescale), (90_000, 16_000));
                    let audio_len = 32 + 12 * audio.references.len() as u64;
                    follow(video, 2000 - audio_len, TrackKind::Video, &both);
                    follow(audio, 2000, TrackKind::Audio, &both);
                    assert!(video.references.len() as u64 <= count.div_ceil(every));

                    let bytes = build_index(&format(false), &both, capacity, 2000).unwrap();
                    assert_eq!(bytes.len(), capacity);
                    let found = indexes(&bytes);
                    assert_eq!(found.len(), 1);
                    follow(&found[0], 2000, TrackKind::Video, &both);
                }
            }
        }
    }

    #[test]
    fn a_declared_track_without_sound_is_indexed_by_the_picture() {
        let mut silent = fragments(5, 1, 2000);
        silent.retain(|f| f.track == TrackKind::Video);
        let bytes = build_index(&format(true), &silent, 300, 2000).unwrap();
        let found = indexes(&bytes);
        assert_eq!(found[1].references.len(), 5);
        assert_eq!(found[1].references[0].subsegment_duration, 16_000);
    }

    #[test]
    fn what_precedes_the_first_picture_is_skipped() {
        let mut all = fragments(3, 1, 2000);
        all.swap(0, 1);
        all[0].offset = 2000;
        all[1].offset = 2500;
        let bytes = build_index(&format(false), &all, 100, 2000).unwrap();
        assert_eq!(indexes(&bytes)[0].first_offset, 500);
        assert!(build_index(&format(false), &[], 100, 2000).is_none());
        assert!(build_index(&format(false), &all[..1], 100, 2000).is_none());
    }
}

//! The head of a segment file and the index written into it when the file is closed.
//!
//! Not here: writing to disk, and deciding when to close.

use bytes::Bytes;
use mp4_atom::{Encode, SegmentReference, Sidx};
use oriel_api::ChannelId;

use crate::{
    Format, TrackKind,
    format::VIDEO_TIMESCALE,
    fragment::Fragment,
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
        let capacity = SIDX_FIXED + SIDX_REFERENCE * expected_fragments.clamp(1, 5000) + FREE_MIN;
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
/// a `free` for what is not needed, then the `sidx`, so that the first fragment follows it.
///
/// `header_len` is where the first fragment begins. References are for the video track, begin at
/// key frames, and reach over the audio between them; when there is too little room neighbours
/// are merged. `None` when there is no room for one reference or nothing to index.
pub fn build_index(fragments: &[FragmentRef], capacity: usize, header_len: u64) -> Option<Bytes> {
    let end = fragments.iter().map(|f| f.offset + f.len).max()?;
    let mut starts: Vec<&FragmentRef> = Vec::new();
    let mut end_time = 0;
    for f in fragments.iter().filter(|f| f.track == TrackKind::Video) {
        if starts.is_empty() || f.key {
            starts.push(f);
        }
        end_time = end_time.max(f.end);
    }
    let room = room(capacity)?;
    if starts.len() > room {
        let step = starts.len().div_ceil(room);
        starts = starts.into_iter().step_by(step).collect();
    }
    let first = *starts.first()?;
    let mut references = Vec::with_capacity(starts.len());
    for (i, this) in starts.iter().enumerate() {
        let (next_offset, next_time) = match starts.get(i + 1) {
            Some(next) => (next.offset, next.start),
            None => (end, end_time),
        };
        references.push(SegmentReference {
            reference_type: false,
            referenced_size: u32::try_from(next_offset.checked_sub(this.offset)?).ok()?,
            subsegment_duration: u32::try_from(next_time.checked_sub(this.start)?).ok()?,
            starts_with_sap: this.key,
            sap_type: u8::from(this.key),
            sap_delta_time: 0,
        });
    }
    let sidx = Sidx {
        reference_id: track_id(TrackKind::Video),
        timescale: VIDEO_TIMESCALE,
        earliest_presentation_time: u64::try_from(first.start).ok()?,
        first_offset: first.offset.checked_sub(header_len)?,
        references,
    };
    let mut encoded = Vec::with_capacity(capacity);
    sidx.encode(&mut encoded).ok()?;
    let padding = capacity.checked_sub(encoded.len())?;
    let mut bytes = match padding {
        0 => Vec::new(),
        FREE_MIN.. => free(padding),
        _ => return None,
    };
    bytes.extend_from_slice(&encoded);
    Some(bytes.into())
}

/// References that fit: what is left over must be nothing or hold a `free`.
fn room(capacity: usize) -> Option<usize> {
    let spare = capacity.checked_sub(SIDX_FIXED)?;
    let room = match spare % SIDX_REFERENCE {
        0 | FREE_MIN.. => spare / SIDX_REFERENCE,
        _ => (spare / SIDX_REFERENCE).checked_sub(1)?,
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

    fn sidx(bytes: &[u8]) -> Sidx {
        let at = bytes.windows(4).position(|w| w == b"sidx").unwrap() - 4;
        let mut rest = &bytes[at..];
        let sidx = Sidx::decode(&mut rest).unwrap();
        assert!(rest.is_empty(), "the first fragment follows the sidx");
        if at > 0 {
            assert_eq!(
                bytes[..8],
                [&(at as u32).to_be_bytes(), &b"free"[..]].concat()
            );
        }
        sidx
    }

    #[test]
    fn references_cover_the_file_whatever_the_room() {
        for count in [1, 2, 30, 601] {
            for every in [1, 4] {
                for capacity in 0..600 {
                    let fragments = fragments(count, every, 2000);
                    let Some(bytes) = build_index(&fragments, capacity, 2000) else {
                        assert!(capacity < 32 + 12 + 8);
                        continue;
                    };
                    assert_eq!(bytes.len(), capacity);
                    let sidx = sidx(&bytes);
                    assert_eq!((sidx.first_offset, sidx.timescale), (0, 90_000));
                    let size: u64 = sidx
                        .references
                        .iter()
                        .map(|r| u64::from(r.referenced_size))
                        .sum();
                    let time: u64 = sidx
                        .references
                        .iter()
                        .map(|r| u64::from(r.subsegment_duration))
                        .sum();
                    assert_eq!((size, time), (count * 1500, count * 90_000));
                    assert!(sidx.references.iter().all(|r| r.starts_with_sap));
                    assert!(sidx.references.len() as u64 <= count.div_ceil(every));
                }
            }
        }
    }

    #[test]
    fn what_precedes_the_first_picture_is_skipped() {
        let mut all = fragments(3, 1, 2000);
        all.swap(0, 1);
        all[0].offset = 2000;
        all[1].offset = 2500;
        let sidx = sidx(&build_index(&all, 100, 2000).unwrap());
        assert_eq!(sidx.first_offset, 500);
        assert!(build_index(&[], 100, 2000).is_none());
        assert!(build_index(&all[..1], 100, 2000).is_none());
    }
}

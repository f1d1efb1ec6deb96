//! Putting fragments of several segment files into one: where each belongs, and the few bytes of
//! it that change.
//!
//! Not here: copying, and deciding what belongs into a clip.

use std::ops::Range;

use crate::{
    Format, FragmentRef, TrackKind,
    boxes::{Cursor, Header, Malformed},
    format::VIDEO_TIMESCALE,
    fragment::rescale,
    init::track_id,
};

/// Milliseconds by which a segment's start may differ from the end of the one before it and still
/// follow on without a hole: rounding of both.
const CONTIGUOUS_MS: i64 = 20;

/// A fragment that cannot be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot move a fragment: {0}")]
pub struct JoinError(&'static str);

impl From<Malformed> for JoinError {
    fn from(e: Malformed) -> Self {
        Self(e.0)
    }
}

/// Lays segments end to end, keeping real holes.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    zero_ms: Option<i64>,
    end: i64,
}

impl Timeline {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next segment: where it began (milliseconds since 1970 UTC) and what its video
    /// covers (90 kHz, from the segment's own zero; start above 0 when its beginning is left
    /// out). Gives the ticks of 90 kHz to add to its times; negative for the first segment when
    /// its beginning is left out. A segment that begins before the end of the one before it (a
    /// clock set back) follows without a hole.
    pub fn place(&mut self, start_ms: i64, covers: Range<i64>) -> i64 {
        let begins_ms = start_ms.saturating_add(rescale(covers.start, VIDEO_TIMESCALE, 1000));
        let at = match self.zero_ms {
            None => {
                self.zero_ms = Some(begins_ms);
                0
            }
            Some(zero) => {
                let wall = rescale(begins_ms.saturating_sub(zero), 1000, VIDEO_TIMESCALE);
                let tolerance = rescale(CONTIGUOUS_MS, 1000, VIDEO_TIMESCALE);
                if wall <= self.end.saturating_add(tolerance) {
                    self.end
                } else {
                    wall
                }
            }
        };
        let length = covers.end.saturating_sub(covers.start).max(0);
        self.end = at.saturating_add(length);
        at.saturating_sub(covers.start)
    }

    /// Ticks of 90 kHz laid so far, holes included.
    pub fn end(&self) -> i64 {
        self.end
    }
}

/// The fragments one needs to show `from..to` (90 kHz, from the segment's zero): from the last
/// key frame at or before `from`, and the audio that begins with it or later.
pub fn covering(
    fragments: &[FragmentRef],
    format: &Format,
    wanted: Range<i64>,
) -> Vec<FragmentRef> {
    let video = || fragments.iter().filter(|f| f.track == TrackKind::Video);
    let from = video()
        .filter(|f| f.key && f.start <= wanted.start)
        .map(|f| f.start)
        .next_back()
        .or_else(|| video().find(|f| f.key).map(|f| f.start));
    let Some(from) = from else {
        return Vec::new();
    };
    let overlaps = |f: &&FragmentRef| {
        let ours = |t| rescale(t, format.timescale(f.track), VIDEO_TIMESCALE);
        match f.track {
            TrackKind::Video => f.start >= from && f.start < wanted.end,
            TrackKind::Audio => ours(f.start) >= from && ours(f.start) < wanted.end,
        }
    };
    fragments.iter().filter(overlaps).cloned().collect()
}

/// Moves a fragment of ours in time, in place: `moof` in `bytes`, with or without its `mdat`.
/// `video` and `audio` are the ticks to add in each track's timescale; a time before zero becomes
/// zero.
///
/// # Errors
/// When `bytes` do not begin with a whole `moof`, a track fragment has no `tfdt`, or the new time
/// does not fit it. `bytes` may then be changed in part.
pub fn shift_fragment(
    bytes: &mut [u8],
    sequence: u32,
    video: i64,
    audio: i64,
) -> Result<(), JoinError> {
    let moof = child(bytes, 0..bytes.len())?.ok_or(JoinError("it is empty"))?;
    if &moof.kind != b"moof" {
        return Err(JoinError("it does not begin with a moof"));
    }
    let mut at = moof.body;
    while let Some(found) = child(bytes, at.clone())? {
        match &found.kind {
            b"mfhd" => put(bytes, found.body.start + 4, &sequence.to_be_bytes())?,
            b"traf" => shift_track(bytes, found.body, video, audio)?,
            _ => {}
        }
        at.start = found.end;
    }
    Ok(())
}

struct Found {
    kind: [u8; 4],
    body: Range<usize>,
    end: usize,
}

fn child(bytes: &[u8], within: Range<usize>) -> Result<Option<Found>, JoinError> {
    let Some(area) = bytes.get(within.clone()).filter(|a| !a.is_empty()) else {
        return Ok(None);
    };
    let torn = JoinError("a box reaches past its container");
    let header = Header::parse(area)?.ok_or(torn)?;
    let end = usize::try_from(header.size)
        .ok()
        .filter(|size| *size <= area.len())
        .ok_or(torn)?
        + within.start;
    Ok(Some(Found {
        kind: header.kind,
        body: within.start + header.len as usize..end,
        end,
    }))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<(), JoinError> {
    bytes
        .get_mut(at..at + value.len())
        .ok_or(JoinError("a field reaches past its box"))?
        .copy_from_slice(value);
    Ok(())
}

fn shift_track(
    bytes: &mut [u8],
    traf: Range<usize>,
    video: i64,
    audio: i64,
) -> Result<(), JoinError> {
    let mut id = None;
    let mut tfdt = None;
    let mut at = traf;
    while let Some(found) = child(bytes, at.clone())? {
        let mut fields = Cursor::new(&bytes[found.body.clone()]);
        match &found.kind {
            b"tfhd" => {
                fields.full()?;
                id = Some(fields.u32()?);
            }
            b"tfdt" => {
                let wide = fields.full()?.0 != 0;
                let time = if wide {
                    fields.u64()?
                } else {
                    u64::from(fields.u32()?)
                };
                tfdt = Some((found.body.start + 4, wide, time));
            }
            _ => {}
        }
        at.start = found.end;
    }
    let shift = if id == Some(track_id(TrackKind::Video)) {
        video
    } else {
        audio
    };
    let (at, wide, time) = tfdt.ok_or(JoinError("it has no tfdt"))?;
    let moved = if shift < 0 {
        time.saturating_sub(shift.unsigned_abs())
    } else {
        time.checked_add(shift.unsigned_abs())
            .ok_or(JoinError("a time is out of range"))?
    };
    if wide {
        put(bytes, at, &moved.to_be_bytes())
    } else {
        let narrow = u32::try_from(moved).map_err(|_| JoinError("a time is out of range"))?;
        put(bytes, at, &narrow.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_each_other_and_holes_stay() {
        let mut t = Timeline::new();
        assert_eq!(t.place(1_000_000, 0..2_700_000), 0);
        // Rounding of the wall clock makes no hole and no overlap.
        assert_eq!(t.place(1_030_007, 0..2_700_000), 2_700_000);
        assert_eq!(t.place(1_059_993, 0..900_000), 5_400_000);
        // Ten seconds of nothing.
        assert_eq!(t.place(1_080_000, 0..900_000), 80 * 90_000);
        // A clock set back an hour.
        assert_eq!(t.place(1_080_000 - 3_600_000, 0..90_000), 90 * 90_000);
        assert_eq!(t.end(), 91 * 90_000);
    }

    #[test]
    fn a_first_segment_may_begin_in_its_middle() {
        let mut t = Timeline::new();
        assert_eq!(t.place(1_000_000, 900_000..2_700_000), -900_000);
        assert_eq!(t.place(1_030_000, 0..90_000), 1_800_000);
    }
}

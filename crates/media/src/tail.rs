//! The sample index behind the media of a segment: with it, a segment in a bucket can have a share
//! in a clip after one read of its end, without a look at its media. No reader may need it.
//!
//! Not here: where the bytes are written and read.

use std::io::{Read, Seek};

use bytes::BufMut as _;

use crate::{
    SampleInfo, SampleRun, ScanError, SegmentSamples, TrackKind,
    boxes::{Cursor, Malformed},
    movie::Movie,
    read::MAX_MOOV,
    samples::{MAX_SAMPLES, read_samples},
    scan,
};

/// `uuid` type of the box.
pub const SAMPLES_MARK: [u8; 16] = *b"oriel-samples-v1";
/// The last bytes of the box, behind its size once more: it is found from the end of the file.
const END: [u8; 4] = *b"orsx";
/// Bytes from the end of a file that hold the whole box of any usual segment.
pub const TAIL_USUAL: u64 = 64 << 10;
/// Longest box that is read.
const MAX_TAIL: u64 = 16 << 20;

/// Makes the box for a file of `len` bytes that has none yet; it goes to its end.
///
/// # Errors
/// As [`read_samples`].
pub fn build_tail(mut reader: impl Read + Seek, len: u64) -> Result<Vec<u8>, ScanError> {
    let samples = read_samples(&mut reader, len)?;
    let mut file = scan::File { inner: reader, len };
    let (movie, _) = scan::head_body(&mut file)?;
    let mut out = vec![0; 4];
    out.extend_from_slice(b"uuid");
    out.extend_from_slice(&SAMPLES_MARK);
    out.put_u32(u32::try_from(movie.len()).unwrap_or(0));
    out.extend_from_slice(&movie);
    number(&mut out, samples.good_len);
    number(&mut out, samples.runs.len() as u64);
    let mut before = [Before::default(); 2];
    let mut offset = 0;
    for run in &samples.runs {
        let audio = run.track == TrackKind::Audio;
        let before = &mut before[usize::from(audio)];
        number(&mut out, (run.samples.len() as u64) << 1 | u64::from(audio));
        signed(&mut out, run.start.wrapping_sub(before.end));
        signed(&mut out, run.offset.wrapping_sub(offset).cast_signed());
        before.end = run.start;
        offset = run.offset;
        for sample in &run.samples {
            number(
                &mut out,
                u64::from(sample.size) << 1 | u64::from(sample.key),
            );
            signed(
                &mut out,
                i64::from(sample.duration) - i64::from(before.duration),
            );
            if !audio {
                signed(&mut out, i64::from(sample.cts_offset));
            }
            before.duration = sample.duration;
            before.end = before.end.saturating_add(i64::from(sample.duration));
            offset += u64::from(sample.size);
        }
    }
    let size = u32::try_from(out.len() + 8)
        .map_err(|_| ScanError::NotASegment("it has too many samples".to_owned()))?;
    out.put_u32(size);
    out.extend_from_slice(&END);
    out[..4].copy_from_slice(&size.to_be_bytes());
    Ok(out)
}

#[derive(Clone, Copy, Default)]
struct Before {
    end: i64,
    duration: u32,
}

/// How many bytes at the end of a file are the box, told by its last bytes (8 do). `None` when it
/// has none.
pub fn tail_len(end: &[u8]) -> Option<u64> {
    let (_, last) = end.split_last_chunk::<8>()?;
    let size = last.strip_suffix(&END)?;
    let size = u64::from(u32::from_be_bytes(size.try_into().ok()?));
    (36..=MAX_TAIL).contains(&size).then_some(size)
}

/// Reads the box: exactly the bytes [`tail_len`] told, the end of a file of `len` bytes. `None`
/// when it says what cannot be.
pub fn read_tail(tail: &[u8], len: u64) -> Option<SegmentSamples> {
    if tail_len(tail)? != tail.len() as u64 {
        return None;
    }
    parse(tail, len.checked_sub(tail.len() as u64)?).ok()
}

fn parse(tail: &[u8], media_end: u64) -> Result<SegmentSamples, Malformed> {
    let wrong = Malformed("a sample index says what cannot be");
    let mut c = Cursor::new(tail.get(..tail.len() - 8).ok_or(wrong)?);
    c.skip(4)?;
    if &c.fourcc()? != b"uuid" || c.take(16)? != SAMPLES_MARK {
        return Err(wrong);
    }
    let movie = c.u32()?;
    if u64::from(movie) > MAX_MOOV {
        return Err(wrong);
    }
    let movie = Movie::parse(c.take(movie as usize)?).map_err(|_| wrong)?;
    if movie.foreign() {
        return Err(wrong);
    }
    let good_len = take(&mut c)?;
    if good_len > media_end {
        return Err(wrong);
    }
    let count = take(&mut c)?;
    let mut left = MAX_SAMPLES;
    let mut runs = Vec::new();
    let mut before = [Before::default(); 2];
    let mut offset = 0_u64;
    for _ in 0..count.min(MAX_SAMPLES as u64) {
        let head = take(&mut c)?;
        let track = match head & 1 {
            0 => TrackKind::Video,
            _ => TrackKind::Audio,
        };
        let samples = usize::try_from(head >> 1).map_err(|_| wrong)?;
        left = left.checked_sub(samples).ok_or(wrong)?;
        let before = &mut before[usize::from(track == TrackKind::Audio)];
        let start = before.end.checked_add(take_signed(&mut c)?).ok_or(wrong)?;
        offset = offset
            .checked_add_signed(take_signed(&mut c)?)
            .ok_or(wrong)?;
        if samples == 0 || start < 0 {
            return Err(wrong);
        }
        let mut run = SampleRun {
            track,
            start,
            offset,
            samples: Vec::new(),
        };
        before.end = start;
        for _ in 0..samples {
            let size = take(&mut c)?;
            let duration = i64::from(before.duration)
                .checked_add(take_signed(&mut c)?)
                .ok_or(wrong)?;
            let cts_offset = match track {
                TrackKind::Video => take_signed(&mut c)?,
                TrackKind::Audio => 0,
            };
            let sample = SampleInfo {
                size: u32::try_from(size >> 1).map_err(|_| wrong)?,
                duration: u32::try_from(duration).map_err(|_| wrong)?,
                cts_offset: i32::try_from(cts_offset).map_err(|_| wrong)?,
                key: size & 1 == 1,
            };
            before.duration = sample.duration;
            before.end = before
                .end
                .checked_add(i64::from(sample.duration))
                .ok_or(wrong)?;
            offset = offset.checked_add(u64::from(sample.size)).ok_or(wrong)?;
            if sample.size == 0 || offset > good_len {
                return Err(wrong);
            }
            run.samples.push(sample);
        }
        runs.push(run);
    }
    if runs.len() as u64 != count || !c.rest().is_empty() {
        return Err(wrong);
    }
    Ok(SegmentSamples {
        mark: movie.mark.clone(),
        format: movie.format,
        runs,
        good_len,
    })
}

/// Seven bits a byte, the low ones first.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn signed(out: &mut Vec<u8>, value: i64) {
    number(out, (value << 1 ^ value >> 63).cast_unsigned());
}

fn take(c: &mut Cursor<'_>) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = c.u8()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed("a number is too long"))
}

fn take_signed(c: &mut Cursor<'_>) -> Result<i64, Malformed> {
    let value = take(c)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

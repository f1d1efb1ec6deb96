//! The sample table of one track of a plain MP4: gathered sample by sample, a few bytes each.
//!
//! Not here: what the samples are, and the boxes around the table.

use std::collections::TryReserveError;

use crate::{SampleInfo, init::Out};

/// Longest a sample may last, in ticks: many readers take the field for a signed one. A longer
/// hole shows the last key frame again.
const LONGEST: i64 = 0x4000_0000;

/// Why a table cannot grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableError {
    #[error("the file would have too many samples")]
    Full,
}

impl From<TryReserveError> for TableError {
    fn from(_: TryReserveError) -> Self {
        Self::Full
    }
}

/// Samples of a track by the time they are decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    sizes: Vec<u32>,
    /// Equal neighbours counted together: how many, how long.
    durations: Vec<(u32, u32)>,
    offsets: Vec<(u32, i32)>,
    keys: Vec<u32>,
    chunks: Vec<Chunk>,
    last_key: Option<Repeat>,
    /// Decode time of the first sample.
    start: i64,
    /// Decode time at the end.
    end: i64,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// From the first byte behind the head.
    offset: u64,
    samples: u32,
    description: u32,
}

#[derive(Clone, Copy, Debug)]
struct Repeat {
    chunk: Chunk,
    size: u32,
    cts_offset: i32,
}

impl Table {
    pub(crate) fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Adds samples that lie behind each other from `offset` on. The first is decoded at `at`:
    /// the sample before lasts until then. One that would begin before the end of those before
    /// it follows on.
    pub(crate) fn push(
        &mut self,
        at: i64,
        offset: u64,
        description: u32,
        samples: &[SampleInfo],
    ) -> Result<(), TableError> {
        if samples.is_empty() {
            return Ok(());
        }
        if self.is_empty() {
            (self.start, self.end) = (at, at);
        }
        self.stretch(at)?;
        self.sizes.try_reserve(samples.len())?;
        let mut offset = offset;
        self.chunks.push(Chunk {
            offset,
            samples: u32::try_from(samples.len()).map_err(|_| TableError::Full)?,
            description,
        });
        for sample in samples {
            self.one(sample, offset, description)?;
            offset = offset.saturating_add(u64::from(sample.size));
        }
        Ok(())
    }

    fn one(
        &mut self,
        sample: &SampleInfo,
        offset: u64,
        description: u32,
    ) -> Result<(), TableError> {
        self.sizes.push(sample.size);
        let number = u32::try_from(self.sizes.len()).map_err(|_| TableError::Full)?;
        count(&mut self.durations, sample.duration);
        count(&mut self.offsets, sample.cts_offset);
        if sample.key {
            self.keys.push(number);
            self.last_key = Some(Repeat {
                chunk: Chunk {
                    offset,
                    samples: 1,
                    description,
                },
                size: sample.size,
                cts_offset: sample.cts_offset,
            });
        }
        self.end = self.end.saturating_add(i64::from(sample.duration));
        Ok(())
    }

    /// Lets the last sample last until a moment.
    fn stretch(&mut self, until: i64) -> Result<(), TableError> {
        while until > self.end {
            let Some(&(_, duration)) = self.durations.last() else {
                return Ok(());
            };
            let wanted = i64::from(duration).saturating_add(until - self.end);
            let longer = wanted.min(LONGEST);
            if longer > i64::from(duration) {
                if let Some(last) = self.durations.last_mut() {
                    last.0 -= 1;
                    if last.0 == 0 {
                        self.durations.pop();
                    }
                }
                count(
                    &mut self.durations,
                    u32::try_from(longer).unwrap_or(u32::MAX),
                );
                self.end += longer - i64::from(duration);
            }
            if until > self.end {
                let Some(again) = self.last_key else {
                    return Ok(());
                };
                self.chunks.push(again.chunk);
                let sample = SampleInfo {
                    size: again.size,
                    duration: 1,
                    cts_offset: again.cts_offset,
                    key: true,
                };
                self.one(&sample, again.chunk.offset, again.chunk.description)?;
            }
        }
        Ok(())
    }

    /// Writes what belongs into `stbl` behind `stsd`. The media begins at byte `head` of the file.
    /// Its length does not depend on `head`.
    pub(crate) fn write(&self, out: &mut Out, video: bool, head: u64) {
        full(out, b"stts", 0, |out| {
            list(out, &self.durations, |out, (count, duration)| {
                word(out, *count);
                word(out, *duration);
            });
        });
        if self.offsets.iter().any(|(_, offset)| *offset != 0) {
            let negative = self.offsets.iter().any(|(_, offset)| *offset < 0);
            full(out, b"ctts", u8::from(negative), |out| {
                list(out, &self.offsets, |out, (count, offset)| {
                    word(out, *count);
                    word(out, offset.cast_unsigned());
                });
            });
        }
        if video {
            full(out, b"stss", 0, |out| {
                list(out, &self.keys, |out, key| word(out, *key));
            });
        }
        full(out, b"stsz", 0, |out| {
            word(out, 0);
            list(out, &self.sizes, |out, size| word(out, *size));
        });
        let mut groups: Vec<(u32, Chunk)> = Vec::new();
        for (number, chunk) in (1..).zip(&self.chunks) {
            let same = |(_, g): &(u32, Chunk)| {
                g.samples == chunk.samples && g.description == chunk.description
            };
            if !groups.last().is_some_and(same) {
                groups.push((number, *chunk));
            }
        }
        full(out, b"stsc", 0, |out| {
            list(out, &groups, |out, (first, chunk)| {
                word(out, *first);
                word(out, chunk.samples);
                word(out, chunk.description);
            });
        });
        full(out, b"co64", 0, |out| {
            list(out, &self.chunks, |out, chunk| {
                out.extend_from_slice(&(head.saturating_add(chunk.offset)).to_be_bytes());
            });
        });
    }
}

fn count<T: PartialEq>(runs: &mut Vec<(u32, T)>, value: T) {
    match runs.last_mut() {
        Some((count, last)) if *last == value && *count < u32::MAX => *count += 1,
        _ => runs.push((1, value)),
    }
}

fn word(out: &mut Out, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn full(out: &mut Out, kind: &[u8; 4], version: u8, fill: impl FnOnce(&mut Out)) {
    let at = out.len();
    word(out, 0);
    out.extend_from_slice(kind);
    word(out, u32::from(version) << 24);
    fill(out);
    let len = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
}

fn list<T>(out: &mut Out, items: &[T], mut write: impl FnMut(&mut Out, &T)) {
    word(out, u32::try_from(items.len()).unwrap_or(u32::MAX));
    for item in items {
        write(out, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(duration: u32, key: bool) -> SampleInfo {
        SampleInfo {
            size: 10,
            duration,
            cts_offset: 0,
            key,
        }
    }

    #[test]
    fn a_hole_makes_the_sample_before_it_longer() {
        let mut t = Table::default();
        t.push(0, 0, 1, &[sample(9, true), sample(9, false)])
            .unwrap();
        t.push(100, 50, 1, &[sample(9, true)]).unwrap();
        assert_eq!(t.durations, [(1, 9), (1, 91), (1, 9)]);
        assert_eq!((t.start(), t.end(), t.len()), (0, 109, 3));
        // What overlaps follows on.
        t.push(50, 90, 1, &[sample(9, true)]).unwrap();
        assert_eq!(t.end(), 118);
    }

    #[test]
    fn a_hole_of_a_day_shows_the_last_key_frame_again() {
        let mut t = Table::default();
        t.push(0, 7, 1, &[sample(9, true), sample(9, false)])
            .unwrap();
        let day = 86_400 * 90_000;
        t.push(day, 50, 1, &[sample(9, true)]).unwrap();
        assert_eq!(t.end(), day + 9);
        let total: i64 = t
            .durations
            .iter()
            .map(|(n, d)| i64::from(*n) * i64::from(*d))
            .sum();
        assert_eq!(total, day + 9);
        assert!(t.durations.iter().all(|(_, d)| i64::from(*d) <= LONGEST));
        assert_eq!(t.chunks[1].offset, 7);
    }
}

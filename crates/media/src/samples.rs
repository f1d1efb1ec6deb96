//! Every sample of a segment file: where it is, how long it lasts. What a table of samples is
//! made from.
//!
//! Not here: writing tables (`clip`), and whether the bytes of a sample were ever written (`scan`).

use std::io::{Read, Seek, SeekFrom};

use crate::{
    Format, SegmentMark, TrackKind,
    boxes::Header,
    movie::{Movie, TrackRun},
    read::{MAX_BOX, MAX_MOOV},
    scan::{self, MAX_HOLE_S, MAX_SAMPLE_S, ScanError},
};

/// Samples a segment may have: ten minutes of 200 pictures and 200 packets of sound a second,
/// four times over.
pub(crate) const MAX_SAMPLES: usize = 1 << 20;
/// Bytes read at once: nearly every `moof` of ours is smaller.
const WINDOW: usize = 2048;

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleInfo {
    /// Bytes, above 0.
    pub size: u32,
    /// Ticks of the track until the next.
    pub duration: u32,
    /// Presentation time minus decode time.
    pub cts_offset: i32,
    /// A decoder can start here.
    pub key: bool,
}

/// Samples of one track that lie behind each other in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRun {
    /// Track.
    pub track: TrackKind,
    /// Decode time of the first, ticks of the track from the file's zero.
    pub start: i64,
    /// First byte of the first.
    pub offset: u64,
    /// Them. Never empty.
    pub samples: Vec<SampleInfo>,
}

/// What a segment holds, sample by sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSamples {
    /// Tracks.
    pub format: Format,
    /// Whose it is and when it began, if the file says so.
    pub mark: Option<SegmentMark>,
    /// In file order.
    pub runs: Vec<SampleRun>,
    /// Where the last whole fragment ends. What is behind it could not be read.
    pub good_len: u64,
}

/// Reads the head of a file and gives its tracks: cheap.
///
/// # Errors
/// As [`read_samples`].
pub fn read_format(reader: impl Read + Seek, len: u64) -> Result<Format, ScanError> {
    let mut file = scan::File { inner: reader, len };
    let (movie, _) = scan::head(&mut file)?;
    Ok(movie.format)
}

/// Reads the `moov` and every `moof` of a file of `len` bytes, and no media. Stops at the first
/// thing that is not a whole fragment.
///
/// # Errors
/// When the file cannot be read, has no usable `moov`, or was not written by this program.
pub fn read_samples(reader: impl Read + Seek, len: u64) -> Result<SegmentSamples, ScanError> {
    let mut file = scan::File { inner: reader, len };
    let (movie, moov_end) = scan::head(&mut file)?;
    if movie.foreign() {
        return Err(ScanError::NotASegment(
            "its times or NAL units are not counted as ours".to_owned(),
        ));
    }
    let mut walk = Walk {
        movie: &movie,
        file,
        window: Vec::new(),
        window_at: 0,
        clocks: [0; 2],
        left: MAX_SAMPLES,
        runs: Vec::new(),
    };
    let mut at = moov_end;
    let mut good_len = moov_end;
    while let Some((next, fragment)) = walk.step(at)? {
        at = next;
        if fragment {
            good_len = next;
        }
    }
    let runs = walk.runs;
    Ok(SegmentSamples {
        mark: movie.mark.clone(),
        format: movie.format,
        runs,
        good_len,
    })
}

struct Walk<'a, R> {
    movie: &'a Movie,
    file: scan::File<R>,
    window: Vec<u8>,
    window_at: u64,
    /// Decode time each track has reached.
    clocks: [i64; 2],
    left: usize,
    runs: Vec<SampleRun>,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// Up to `count` bytes from `at`; fewer at the end of the file.
    fn bytes(&mut self, at: u64, count: usize) -> std::io::Result<&[u8]> {
        let from = at
            .checked_sub(self.window_at)
            .filter(|from| from.saturating_add(count as u64) <= self.window.len() as u64);
        let from = match from {
            Some(from) => usize::try_from(from).unwrap_or(0),
            None => {
                let left = self.file.len.saturating_sub(at);
                let want = left.min(count.max(WINDOW) as u64);
                self.window.clear();
                self.window_at = at;
                self.file.inner.seek(SeekFrom::Start(at))?;
                (&mut self.file.inner)
                    .take(want)
                    .read_to_end(&mut self.window)?;
                0
            }
        };
        let end = self.window.len().min(from.saturating_add(count));
        Ok(self.window.get(from..end).unwrap_or_default())
    }

    /// `None` when there is no whole box here.
    fn header(&mut self, at: u64) -> std::io::Result<Option<Header>> {
        let len = self.file.len;
        let header = Header::parse(self.bytes(at, 16)?).ok().flatten();
        Ok(header.filter(|h| at.checked_add(h.size).is_some_and(|end| end <= len)))
    }

    /// Takes the box at `at`; gives where the next one begins and whether it was a fragment, `None`
    /// where the good part ends.
    fn step(&mut self, at: u64) -> std::io::Result<Option<(u64, bool)>> {
        let Some(header) = self.header(at)? else {
            return Ok(None);
        };
        match &header.kind {
            b"moof" if header.size <= MAX_MOOV => {}
            b"free" | b"skip" | b"sidx" | b"styp" | b"uuid" | b"emsg" | b"prft" => {
                return Ok(Some((at + header.size, false)));
            }
            _ => return Ok(None),
        }
        let mdat_at = at + header.size;
        let wanted = usize::try_from(header.size).unwrap_or(usize::MAX);
        let movie = self.movie;
        // Together, so that one look at the disk does for both.
        let whole = self.bytes(at, wanted.saturating_add(16))?;
        let Some(body) = whole.get(header.len as usize..wanted) else {
            return Ok(None);
        };
        let Ok(runs) = movie.fragment(body, at) else {
            return Ok(None);
        };
        let Some(mdat) = self.header(mdat_at)? else {
            return Ok(None);
        };
        if &mdat.kind != b"mdat" || mdat.size > MAX_BOX {
            return Ok(None);
        }
        let end = mdat_at + mdat.size;
        let inside = (mdat_at + mdat.len)..=end;
        let lies_inside = |s: &crate::movie::Sample| {
            inside.contains(&s.offset) && s.offset.saturating_add(s.size.into()) <= end
        };
        if !runs.iter().flat_map(|r| &r.samples).all(lies_inside) {
            return Ok(None);
        }
        for run in &runs {
            let Some(left) = self.left.checked_sub(run.samples.len()) else {
                return Ok(None);
            };
            self.left = left;
            self.take(run);
        }
        Ok(Some((end, true)))
    }

    fn take(&mut self, run: &TrackRun) {
        let kind = run.track.kind;
        let clock = &mut self.clocks[usize::from(kind == TrackKind::Audio)];
        let second = i64::from(run.track.timescale);
        let mut at = match run.tfdt.and_then(|t| i64::try_from(t).ok()) {
            // A time that is far off is a lie of the disk; the samples are still good.
            Some(t) if t.saturating_sub(*clock).abs() <= MAX_HOLE_S as i64 * second => t,
            _ => *clock,
        };
        let longest = u64::from(run.track.timescale) * MAX_SAMPLE_S;
        let mut open: Option<(SampleRun, u64)> = None;
        for sample in run.samples.iter().filter(|s| s.size > 0) {
            let duration = u64::from(sample.duration).min(longest);
            let duration = u32::try_from(duration).unwrap_or(u32::MAX);
            let info = SampleInfo {
                size: sample.size,
                duration,
                cts_offset: match kind {
                    // As long as a sample may last: more would be no reordering.
                    TrackKind::Video => sample.cts.clamp(
                        -i32::try_from(longest).unwrap_or(i32::MAX),
                        i32::try_from(longest).unwrap_or(i32::MAX),
                    ),
                    TrackKind::Audio => 0,
                },
                key: sample.key || kind == TrackKind::Audio,
            };
            match &mut open {
                Some((run, end)) if *end == sample.offset => {
                    run.samples.push(info);
                    *end += u64::from(sample.size);
                }
                _ => {
                    self.runs.extend(open.take().map(|(run, _)| run));
                    let run = SampleRun {
                        track: kind,
                        start: at,
                        offset: sample.offset,
                        samples: vec![info],
                    };
                    open = Some((run, sample.offset + u64::from(sample.size)));
                }
            }
            at = at.saturating_add(i64::from(duration));
        }
        self.runs.extend(open.map(|(run, _)| run));
        *clock = at.max(*clock);
    }
}

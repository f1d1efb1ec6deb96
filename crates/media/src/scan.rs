//! Finding out what a segment file on disk really holds: it may be torn, zero-filled or garbage.
//!
//! Not here: mending it, which is cutting at [`Scan::good_len`] and writing an index.

use std::io::{self, Read, Seek, SeekFrom};

use oriel_api::ChannelId;

use crate::{
    Format, FragmentRef, TrackKind,
    boxes::{Header, Malformed},
    format::VIDEO_TIMESCALE,
    fragment::rescale,
    movie::{Movie, MovieError, TrackRun},
    read::{MAX_BOX, MAX_MOOV},
};

/// Fragments at the end whose samples are looked at.
const TAIL_FRAGMENTS: usize = 32;
/// Bytes of them that are read at most.
const TAIL_BYTES: u64 = 64 << 20;
/// Fragments listed at most: days of video.
const MAX_FRAGMENTS: usize = 1 << 20;
/// Seconds a sample, a hole and a fragment may claim.
pub(crate) const MAX_SAMPLE_S: u64 = 10;
pub(crate) const MAX_HOLE_S: u64 = 60;
const MAX_FRAGMENT_S: u64 = 60;
/// Bytes after `moov` in which the first `moof` is searched when the index is torn.
const SEARCH: u64 = 256 << 10;
/// What a power cut zeroes: whole pages.
const PAGE: u64 = 4096;

/// What a segment file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Tracks.
    pub format: Format,
    /// Wall clock at time 0, milliseconds since 1970 UTC, if the file says so.
    pub start_ms: Option<i64>,
    /// Whose it is, if the file says so.
    pub channel: Option<ChannelId>,
    /// Where the first fragment begins; without fragments, where it would.
    pub header_len: u64,
    /// First byte of the room for an index: right after `moov`. 0 when there is none.
    pub index_offset: u64,
    /// Bytes of the room for an index (`free` and `sidx` boxes after `moov`). 0 when there is none.
    pub index_capacity: usize,
    /// Whether an index is there.
    pub indexed: bool,
    /// Whole fragments in file order.
    pub fragments: Vec<FragmentRef>,
    /// End of the last whole fragment, `header_len` without any. What is behind it is worthless.
    pub good_len: u64,
    /// Decode time at the end of the video, 90 kHz. Bounded by the samples that are there.
    pub video_end: i64,
    /// Decode time at the end of the audio, in its sample rate; 0 without.
    pub audio_end: i64,
}

impl Scan {
    /// RFC 6381 strings of the tracks, comma separated.
    pub fn codecs(&self) -> String {
        self.format.codecs()
    }

    /// Milliseconds of video, rounded up.
    pub fn duration_ms(&self) -> i64 {
        -rescale(-self.video_end, VIDEO_TIMESCALE, 1000)
    }
}

/// A file that holds nothing that could be saved, or that could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The disk.
    #[error("cannot read the file: {0}")]
    Io(#[from] io::Error),
    /// Its head is torn or is not a segment's.
    #[error("this is not a segment: {0}")]
    NotASegment(String),
}

impl From<MovieError> for ScanError {
    fn from(e: MovieError) -> Self {
        Self::NotASegment(match e {
            MovieError::Malformed(what) => what.to_owned(),
            MovieError::Config(e) => e.to_string(),
            MovieError::NoVideo => "it has no video".to_owned(),
            MovieError::UnsupportedVideo(entry) => format!("it holds {entry}"),
        })
    }
}

/// Reads the boxes of a file of `len` bytes: headers, `moov` and every `moof`, and the samples of
/// the last fragments to see whether they were written. Stops at the first thing that is not a
/// whole fragment.
///
/// # Errors
/// When the file cannot be read or has no usable `moov`.
pub fn scan(reader: impl Read + Seek, len: u64) -> Result<Scan, ScanError> {
    let mut file = File { inner: reader, len };
    let (movie, moov_end) = head(&mut file)?;
    let mut walk = Walk {
        movie: &movie,
        file,
        clocks: [0; 2],
        fragments: Vec::new(),
        ends: Vec::new(),
        lengths: Vec::new(),
    };
    let (header_len, indexed) = walk.first(moov_end)?;
    let mut at = header_len;
    while walk.fragments.len() < MAX_FRAGMENTS
        && let Some(next) = walk.step(at)?
    {
        at = next;
    }
    walk.drop_unwritten()?;

    let room = header_len - moov_end;
    let mark = movie.mark.clone();
    let [video_end, audio_end] = walk.ends.last().copied().unwrap_or([0; 2]);
    Ok(Scan {
        start_ms: mark.as_ref().map(|m| m.start_ms),
        channel: mark.map(|m| m.channel),
        header_len,
        index_offset: if room == 0 { 0 } else { moov_end },
        index_capacity: usize::try_from(room).unwrap_or(0),
        indexed,
        good_len: walk
            .fragments
            .last()
            .map_or(header_len, |f| f.offset + f.len),
        fragments: walk.fragments,
        video_end,
        audio_end,
        format: movie.format,
    })
}

/// A file of known length.
pub(crate) struct File<R> {
    pub(crate) inner: R,
    pub(crate) len: u64,
}

impl<R: Read + Seek> File<R> {
    /// `None` when the file ends before.
    fn bytes(&mut self, at: u64, count: u64) -> io::Result<Option<Vec<u8>>> {
        if at.checked_add(count).is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        self.inner.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        (&mut self.inner).take(count).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 == count).then_some(bytes))
    }

    /// `None` when there is no whole box here.
    fn header(&mut self, at: u64) -> io::Result<Option<Header>> {
        let count = self.len.saturating_sub(at).min(16);
        let Some(bytes) = self.bytes(at, count)? else {
            return Ok(None);
        };
        Ok(Header::parse(&bytes)
            .ok()
            .flatten()
            .filter(|h| at.checked_add(h.size).is_some_and(|end| end <= self.len)))
    }

    fn body(&mut self, at: u64, header: &Header) -> io::Result<Option<Vec<u8>>> {
        self.bytes(at + header.len, header.size - header.len)
    }
}

/// The `moov` and where it ends.
pub(crate) fn head<R: Read + Seek>(file: &mut File<R>) -> Result<(Movie, u64), ScanError> {
    let (body, end) = head_body(file)?;
    Ok((Movie::parse(&body)?, end))
}

/// The body of `moov` and where it ends.
pub(crate) fn head_body<R: Read + Seek>(file: &mut File<R>) -> Result<(Vec<u8>, u64), ScanError> {
    let mut at = 0;
    for _ in 0..16 {
        let Some(header) = file.header(at)? else {
            break;
        };
        if &header.kind == b"moov" && header.size <= MAX_MOOV {
            let Some(body) = file.body(at, &header)? else {
                break;
            };
            return Ok((body, at + header.size));
        }
        at += header.size;
    }
    Err(ScanError::NotASegment("it has no whole moov".to_owned()))
}

struct Walk<'a, R> {
    movie: &'a Movie,
    file: File<R>,
    /// Decode time each track has reached, in our ticks.
    clocks: [i64; 2],
    fragments: Vec<FragmentRef>,
    /// The clocks after each fragment.
    ends: Vec<[i64; 2]>,
    /// Sample ranges of the last fragments, see [`TAIL_FRAGMENTS`].
    lengths: Vec<Vec<TrackRun>>,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// Where the first fragment begins, and whether an index was met on the way.
    fn first(&mut self, moov_end: u64) -> io::Result<(u64, bool)> {
        let mut at = moov_end;
        let mut indexed = false;
        while let Some(header) = self.file.header(at)? {
            match &header.kind {
                b"moof" => return Ok((at, indexed)),
                b"free" | b"skip" | b"sidx" | b"styp" | b"uuid" | b"emsg" | b"prft" => {
                    indexed |= &header.kind == b"sidx";
                    at += header.size;
                }
                _ => break,
            }
        }
        if at >= self.file.len {
            return Ok((at, indexed));
        }
        // The room for the index was being overwritten when the power went.
        let count = SEARCH.min(self.file.len - moov_end);
        let bytes = self.file.bytes(moov_end, count)?.unwrap_or_default();
        for (i, _) in bytes.windows(4).enumerate().filter(|(_, w)| *w == b"moof") {
            let Some(candidate) = (moov_end + i as u64).checked_sub(4) else {
                continue;
            };
            if candidate >= moov_end && self.fragment(candidate)?.is_some() {
                return Ok((candidate, false));
            }
        }
        Ok((moov_end, false))
    }

    /// The fragment that begins here, if it is whole: its samples and where it ends.
    fn fragment(&mut self, at: u64) -> io::Result<Option<(Vec<TrackRun>, u64)>> {
        let Some(moof) = self.file.header(at)? else {
            return Ok(None);
        };
        if &moof.kind != b"moof" || moof.size > MAX_MOOV {
            return Ok(None);
        }
        let mdat_at = at + moof.size;
        let Some(mdat) = self.file.header(mdat_at)? else {
            return Ok(None);
        };
        if &mdat.kind != b"mdat" || mdat.size > MAX_BOX {
            return Ok(None);
        }
        let Some(body) = self.file.body(at, &moof)? else {
            return Ok(None);
        };
        let end = mdat_at + mdat.size;
        let inside = (mdat_at + mdat.len)..=end;
        let whole = self.movie.fragment(&body, at).ok().filter(|runs| {
            runs.iter().flat_map(|r| &r.samples).all(|s| {
                inside.contains(&s.offset) && s.offset.saturating_add(s.size.into()) <= end
            })
        });
        Ok(whole.map(|runs| (runs, end)))
    }

    /// Takes the box at `at`; gives where the next one begins, `None` where the good part ends.
    fn step(&mut self, at: u64) -> io::Result<Option<u64>> {
        let Some(header) = self.file.header(at)? else {
            return Ok(None);
        };
        if matches!(&header.kind, b"styp" | b"sidx" | b"emsg" | b"prft") {
            return Ok(Some(at + header.size));
        }
        let Some((runs, end)) = self.fragment(at)? else {
            return Ok(None);
        };
        let mut shown: Option<FragmentRef> = None;
        for run in &runs {
            let (start, finish) = self.advance(run);
            if shown.is_none() || run.track.kind == TrackKind::Video {
                shown = Some(FragmentRef {
                    offset: at,
                    len: end - at,
                    track: run.track.kind,
                    key: run.track.kind == TrackKind::Audio
                        || run.samples.first().is_some_and(|s| s.key),
                    start,
                    end: finish,
                });
            }
        }
        if let Some(shown) = shown {
            self.fragments.push(shown);
            self.ends.push(self.clocks);
            self.lengths.push(runs);
            if self.lengths.len() > TAIL_FRAGMENTS {
                self.lengths.remove(0);
            }
        }
        Ok(Some(end))
    }

    /// Counts a run of samples; gives its bounded start and end.
    fn advance(&mut self, run: &TrackRun) -> (i64, i64) {
        let track = &run.track;
        let second = u64::from(track.timescale);
        let length = run
            .samples
            .iter()
            .filter(|s| s.size > 0)
            .map(|s| u64::from(s.duration).min(MAX_SAMPLE_S * second))
            .sum::<u64>()
            .min(MAX_FRAGMENT_S * second);
        let ours = |time: u64| {
            let time = i64::try_from(time).unwrap_or(i64::MAX);
            rescale(time, track.timescale, track.our_timescale)
        };
        let clock = &mut self.clocks[usize::from(track.kind == TrackKind::Audio)];
        let expected = *clock;
        let hole = MAX_HOLE_S as i64 * i64::from(track.our_timescale);
        let (start, end) = match run.tfdt {
            // A time that is far off is a lie of the disk; the samples are still good.
            Some(t) if (ours(t).saturating_sub(expected)).abs() <= hole => {
                (ours(t), ours(t.saturating_add(length)))
            }
            _ => (expected, expected.saturating_add(ours(length))),
        };
        *clock = end.max(expected);
        (start, end)
    }

    /// Drops fragments from the first of the last ones whose samples did not reach the disk.
    fn drop_unwritten(&mut self) -> io::Result<()> {
        let total = self.fragments.len();
        let mut budget = TAIL_BYTES;
        let looked_at = self
            .fragments
            .iter()
            .rev()
            .take(self.lengths.len())
            .take_while(|f| {
                let fits = f.len <= budget;
                budget = budget.saturating_sub(f.len);
                fits
            })
            .count();
        for i in total - looked_at..total {
            let (at, len) = (self.fragments[i].offset, self.fragments[i].len);
            let runs = &self.lengths[i + self.lengths.len() - total];
            let written = match self.file.bytes(at, len)? {
                Some(bytes) => written(&bytes, at, runs).is_ok(),
                None => false,
            };
            if !written {
                self.fragments.truncate(i);
                self.ends.truncate(i);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether the samples of the fragment in `bytes` (at `offset` of the file) are what was written:
/// NAL unit lengths add up, no page is zero, no audio frame is.
fn written(bytes: &[u8], offset: u64, runs: &[TrackRun]) -> Result<(), Malformed> {
    let lost = Malformed("a fragment was not written");
    for run in runs {
        for sample in &run.samples {
            let from = sample
                .offset
                .checked_sub(offset)
                .and_then(|o| usize::try_from(o).ok())
                .ok_or(lost)?;
            let data = bytes
                .get(from..from.saturating_add(sample.size as usize))
                .ok_or(lost)?;
            let good = match run.track.kind {
                TrackKind::Video => nal_units_add_up(data, run.track.length_size),
                TrackKind::Audio => data.is_empty() || data.iter().any(|b| *b != 0),
            };
            if !good {
                return Err(lost);
            }
        }
    }
    // A short piece of a page may be zero by chance: more so in audio, whose coders pad.
    let audio = runs.iter().any(|r| r.track.kind == TrackKind::Audio);
    let shortest = if audio { 512 } else { 64 };
    let mut rest = bytes;
    let mut at = offset;
    while !rest.is_empty() {
        let in_page = ((PAGE - at % PAGE) as usize).min(rest.len());
        let (page, tail) = rest.split_at(in_page);
        if page.len() >= shortest && page.iter().all(|b| *b == 0) {
            return Err(lost);
        }
        at += in_page as u64;
        rest = tail;
    }
    Ok(())
}

fn nal_units_add_up(mut data: &[u8], length_size: usize) -> bool {
    while !data.is_empty() {
        let Some((prefix, tail)) = data.split_at_checked(length_size) else {
            return false;
        };
        let len = prefix.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        match tail.split_at_checked(len) {
            Some((nal, rest)) if !nal.is_empty() => data = rest,
            _ => return false,
        }
    }
    true
}

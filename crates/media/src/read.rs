//! Reading fragmented MP4 as it arrives from a program that is not trusted.
//!
//! Not here: the process, pipe or socket it comes from.

use std::{collections::VecDeque, sync::Arc};

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{
    ConfigError, Format, Frame, TrackKind,
    boxes::{Header, Malformed},
    fragment::rescale,
    movie::{Movie, MovieError, Track, TrackRun},
};

/// Bytes a box may have.
pub const MAX_BOX: u64 = 32 << 20;
/// Bytes a `moov` or `moof` may have.
pub const MAX_MOOV: u64 = 1 << 20;
/// Ticks no time may exceed: a few hundred years.
const MAX_TIME: i64 = 1 << 50;

/// Something a stream gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// The tracks: once before all frames, and again if they change. Then a new run begins.
    /// Audio that cannot be used (another codec, a broken configuration) is not among them.
    Format(Arc<Format>),
    /// A frame. Times are in our timescales and count from the stream's own zero.
    Frame(Frame),
}

/// A stream that cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It breaks the rules of the file format.
    #[error("the stream is not well-formed MP4: {0}")]
    Malformed(&'static str),
    /// A limit of this reader.
    #[error("the stream exceeds a limit: {0}")]
    TooLarge(&'static str),
    /// A codec configuration that is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no video track.
    #[error("the stream has no video")]
    NoVideo,
    /// Its video is neither H.264 nor H.265; the four characters name the sample entry.
    #[error("the video codec {0} is not supported")]
    UnsupportedVideo(String),
}

impl From<Malformed> for ReadError {
    fn from(e: Malformed) -> Self {
        Self::Malformed(e.0)
    }
}

impl From<MovieError> for ReadError {
    fn from(e: MovieError) -> Self {
        match e {
            MovieError::Malformed(what) => Self::Malformed(what),
            MovieError::Config(e) => Self::Config(e),
            MovieError::NoVideo => Self::NoVideo,
            MovieError::UnsupportedVideo(entry) => Self::UnsupportedVideo(entry),
        }
    }
}

/// Where a track's clock stands.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// Decode time at the end of the last fragment, ticks of the stream.
    next: u64,
    /// The last frame's decode time in our ticks.
    last: i64,
}

/// Incremental reader. Call [`StreamReader::next`] until it gives `None` after every
/// [`StreamReader::push`]: then at most one box and one pushed piece are held, 32 MiB and a bit.
/// After an error it gives nothing but that error.
#[derive(Debug, Default)]
pub struct StreamReader {
    buffer: BytesMut,
    /// Stream position of the buffer's first byte.
    position: u64,
    /// Bytes of a box nobody wants that are still to come.
    skip: u64,
    movie: Option<Movie>,
    pending: Vec<TrackRun>,
    ready: VecDeque<StreamItem>,
    video: Clock,
    audio: Clock,
    failed: Option<ReadError>,
}

impl StreamReader {
    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next item that is complete, `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the stream cannot be read any further; the same error ever after.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator that ended may not go on, this one does after a push"
    )]
    pub fn next(&mut self) -> Result<Option<StreamItem>, ReadError> {
        if let Some(item) = self.ready.pop_front() {
            return Ok(Some(item));
        }
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let advanced = self.advance();
        if let Err(error) = advanced {
            self.failed = Some(error.clone());
            self.buffer = BytesMut::new();
            self.pending = Vec::new();
            if self.ready.is_empty() {
                return Err(error);
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Bytes held and not yet given out as items.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the stream may end here: nothing of a box or fragment is half there.
    pub fn at_boundary(&self) -> bool {
        self.buffer.is_empty() && self.skip == 0 && self.pending.is_empty()
    }

    fn advance(&mut self) -> Result<(), ReadError> {
        while self.ready.is_empty() {
            if self.skip > 0 {
                let gone = self.buffer.len().min(self.skip.min(1 << 30) as usize);
                self.consume(gone);
                self.skip -= gone as u64;
                if self.skip > 0 {
                    return Ok(());
                }
            }
            let Some(header) = Header::parse(&self.buffer)? else {
                return Ok(());
            };
            let limit = match &header.kind {
                b"moov" | b"moof" => MAX_MOOV,
                _ => MAX_BOX,
            };
            if header.size > limit {
                return Err(ReadError::TooLarge("bytes of a box"));
            }
            if !matches!(&header.kind, b"moov" | b"moof" | b"mdat") {
                self.skip = header.size;
                continue;
            }
            let size = header.size as usize;
            if self.buffer.len() < size {
                self.buffer.reserve((size - self.buffer.len()).min(1 << 20));
                return Ok(());
            }
            let start = self.position;
            self.position += header.size;
            let mut body = self.buffer.split_to(size);
            body.advance(header.len as usize);
            match &header.kind {
                b"moov" => self.movie(&body)?,
                b"moof" => self.fragment(&body, start)?,
                _ => self.samples(body.freeze(), start + header.len)?,
            }
        }
        Ok(())
    }

    fn consume(&mut self, count: usize) {
        self.buffer.advance(count);
        self.position += count as u64;
    }

    fn movie(&mut self, body: &[u8]) -> Result<(), ReadError> {
        let movie = Movie::parse(body)?;
        if self.movie.as_ref() != Some(&movie) {
            let format = Arc::new(movie.format.clone());
            let same = self.movie.as_ref().is_some_and(|m| m.format == *format);
            if !same {
                self.ready.push_back(StreamItem::Format(format));
                (self.video, self.audio) = Default::default();
            }
            self.movie = Some(movie);
        }
        Ok(())
    }

    fn fragment(&mut self, body: &[u8], start: u64) -> Result<(), ReadError> {
        let movie = self
            .movie
            .as_ref()
            .ok_or(ReadError::Malformed("a moof came before the moov"))?;
        self.pending = movie.fragment(body, start)?;
        Ok(())
    }

    fn samples(&mut self, body: Bytes, start: u64) -> Result<(), ReadError> {
        for run in std::mem::take(&mut self.pending) {
            let clock = match run.track.kind {
                TrackKind::Video => &mut self.video,
                TrackKind::Audio => &mut self.audio,
            };
            give(&run, &body, start, clock, &mut self.ready)?;
        }
        Ok(())
    }
}

fn give(
    run: &TrackRun,
    body: &Bytes,
    start: u64,
    clock: &mut Clock,
    ready: &mut VecDeque<StreamItem>,
) -> Result<(), ReadError> {
    let track = &run.track;
    let outside = ReadError::Malformed("a sample lies outside its mdat");
    let mut at = run.tfdt.unwrap_or(clock.next);
    for sample in &run.samples {
        let from = sample.offset.checked_sub(start).ok_or(outside.clone())?;
        let to = from.saturating_add(u64::from(sample.size));
        if to > body.len() as u64 {
            return Err(outside);
        }
        let data = body.slice(from as usize..to as usize);
        let next = at.saturating_add(u64::from(sample.duration));
        let (dts, end) = (our_time(track, at)?, our_time(track, next)?);
        at = next;
        // What the edit list cuts off before zero is priming of the audio coder.
        if data.is_empty() || (track.kind == TrackKind::Audio && dts < 0) {
            continue;
        }
        // Rounding may go back a little; a clock that starts again is another run.
        if clock.last.saturating_sub(dts) > i64::from(track.our_timescale) {
            return Err(ReadError::Malformed("decode time went back"));
        }
        let dts = dts.max(clock.last);
        clock.last = dts;
        let cts_offset = match track.kind {
            TrackKind::Video => video_offset(track, sample.cts),
            TrackKind::Audio => 0,
        };
        ready.push_back(StreamItem::Frame(Frame {
            track: track.kind,
            key: sample.key || track.kind == TrackKind::Audio,
            dts,
            cts_offset,
            duration: u32::try_from(end.saturating_sub(dts)).unwrap_or(0),
            data: four_byte_lengths(data, track)?,
        }));
    }
    clock.next = at;
    Ok(())
}

/// Decode time in our ticks. An edit list that starts late moves both times; one that cuts
/// moves only the presentation of video, so that its decode times stay at or above zero.
fn our_time(track: &Track, time: u64) -> Result<i64, ReadError> {
    let shift = match track.kind {
        TrackKind::Video => track.shift.max(0),
        TrackKind::Audio => track.shift,
    };
    i64::try_from(time)
        .ok()
        .and_then(|t| t.checked_add(shift))
        .map(|t| rescale(t, track.timescale, track.our_timescale))
        .filter(|t| (-MAX_TIME..MAX_TIME).contains(t))
        .ok_or(ReadError::Malformed("a time is out of range"))
}

fn video_offset(track: &Track, cts: i32) -> i32 {
    let offset = i64::from(cts).saturating_add(track.shift.min(0));
    i32::try_from(rescale(offset, track.timescale, track.our_timescale)).unwrap_or(0)
}

/// Rewrites NAL units with shorter length fields to four bytes.
fn four_byte_lengths(data: Bytes, track: &Track) -> Result<Bytes, ReadError> {
    if track.kind == TrackKind::Audio || track.length_size == 4 {
        return Ok(data);
    }
    let mut out = Vec::with_capacity(data.len() + 16);
    let mut rest = &data[..];
    while let Some((prefix, tail)) = rest.split_at_checked(track.length_size) {
        let len = prefix.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        let (nal, tail) = tail
            .split_at_checked(len)
            .ok_or(ReadError::Malformed("a NAL unit reaches past its sample"))?;
        if !nal.is_empty() {
            out.extend_from_slice(&(len as u32).to_be_bytes());
            out.extend_from_slice(nal);
        }
        rest = tail;
    }
    Ok(out.into())
}

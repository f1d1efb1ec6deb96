//! A plain MP4 (not fragmented) made from ranges of segment files: a head of our own, then the
//! segments' bytes as they are. What lies between the samples in them, `moof` boxes, is dead weight
//! inside the one `mdat`; so making a file is writing the head and copying ranges, and a store can
//! do the copying.
//!
//! Not here: reading and copying, and deciding which segments belong into a file.

mod mark;

use std::ops::Range;

use mp4_atom::{Elst, ElstEntry, Encode as _, FixedPoint, FourCC, Ftyp, Mvhd, Tkhd};
use oriel_api::ChannelId;

use crate::{
    AudioTrack, SampleInfo, SegmentSamples, Timeline, TrackKind, VideoTrack,
    format::VIDEO_TIMESCALE,
    fragment::rescale,
    init::{
        BuildError, Out, audio_entry, audio_header, container, media, video_entry, video_header,
    },
    table::{Table, TableError},
};

pub use mark::{CLIP_MARK, CLIP_MARK_WITHIN, ClipMark};

/// Ticks per second of the movie header: edits are in these, and must not be rounded.
const MOVIE_TIMESCALE: u32 = VIDEO_TIMESCALE;
/// Sound that is this far from where it should be follows on: rounding, and the camera's clock.
const SOUND_TOLERANCE_MS: i64 = 20;

impl From<TableError> for BuildError {
    fn from(_: TableError) -> Self {
        Self::Range("the number of samples")
    }
}

/// What is wanted of the footage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipOrder {
    /// From, milliseconds since 1970 UTC.
    pub start_ms: i64,
    /// To.
    pub end_ms: i64,
    /// Show nothing before `start_ms`, by an edit list; otherwise the picture begins with the key
    /// frame before it.
    pub exact: bool,
    /// Formats of the video; a segment of another is left out.
    pub video: Vec<VideoTrack>,
    /// Format of the audio; audio of another is left out. `None` is no audio.
    pub audio: Option<AudioTrack>,
}

/// What a segment contributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The bytes to copy from it.
    pub bytes: Range<u64>,
    /// Its first frame, milliseconds since 1970 UTC.
    pub start_ms: i64,
    /// The end of its last frame.
    pub end_ms: i64,
}

/// The head of a clip; the shares follow it in the order they were added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipHead {
    /// `ftyp moov` and the header of `mdat`.
    pub bytes: Vec<u8>,
    /// Bytes of all shares.
    pub media: u64,
    /// First frame shown, milliseconds since 1970 UTC.
    pub start_ms: i64,
    /// End of the last.
    pub end_ms: i64,
}

/// Gathers segments into a clip, in the order of their starts.
#[derive(Clone, Debug)]
pub struct ClipBuilder {
    order: ClipOrder,
    timeline: Timeline,
    video: Table,
    audio: Table,
    /// Bytes of the shares so far.
    media: u64,
    /// Presentation of the first and the end of the last frame shown, ticks of the clip.
    shown: Range<i64>,
    start_ms: i64,
    end_ms: i64,
}

/// Samples of the video of one segment that are taken, counted in decode order.
struct Taken {
    samples: Range<usize>,
    /// Decode times.
    time: Range<i64>,
    /// Presentation times.
    shown: Range<i64>,
    /// The end of the segment is left out.
    cut: bool,
}

/// Where the samples of a segment go.
struct Place<'a> {
    /// First byte of the segment that is copied.
    begin: u64,
    /// Ticks of 90 kHz to add.
    shift: i64,
    /// Number of the video format.
    description: u32,
    sound: Option<&'a AudioTrack>,
}

impl ClipBuilder {
    /// Nothing yet.
    pub fn new(order: ClipOrder) -> Self {
        Self {
            order,
            timeline: Timeline::new(),
            video: Table::default(),
            audio: Table::default(),
            media: 0,
            shown: 0..0,
            start_ms: 0,
            end_ms: 0,
        }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.video.is_empty()
    }

    /// Adds a segment whose time 0 is `start_ms`; `None` when nothing of it belongs into the clip.
    /// Real time is kept: a hole before it is a picture that stands still. One that begins before
    /// the end of those added (a clock set back) follows without a hole.
    ///
    /// # Errors
    /// When the file would have too many samples.
    pub fn add(
        &mut self,
        segment: &SegmentSamples,
        start_ms: i64,
    ) -> Result<Option<Share>, BuildError> {
        let formats = &self.order.video;
        let Some(description) = formats.iter().position(|f| *f == segment.format.video) else {
            return Ok(None);
        };
        let description = description as u32 + 1;
        let first = self.is_empty();
        let Some(taken) = self.taken(segment, start_ms) else {
            return Ok(None);
        };
        let shift = self.timeline.place(start_ms, taken.time.clone());
        let sound = self.order.audio.clone();
        let sound = sound.filter(|a| segment.format.audio.as_ref() == Some(a));
        let sound_time = sound.as_ref().map_or(0..0, |a| {
            let ours = |t| rescale(t, VIDEO_TIMESCALE, a.sample_rate);
            let start = if first {
                ours(taken.time.start)
            } else {
                i64::MIN
            };
            start..if taken.cut {
                ours(taken.time.end)
            } else {
                i64::MAX
            }
        });

        let Some(bytes) = span(segment, &taken, &sound_time) else {
            return Ok(None);
        };
        let place = Place {
            begin: bytes.start,
            shift,
            description,
            sound: sound.as_ref(),
        };
        let mut number = 0;
        for run in &segment.runs {
            let (mut at, mut offset) = (run.start, run.offset);
            // First of the samples that go together: its time, where it lies, which it is.
            let mut open: Option<(i64, u64, usize)> = None;
            for (i, sample) in run.samples.iter().enumerate() {
                let kept = match run.track {
                    TrackKind::Video => taken.samples.contains(&number),
                    TrackKind::Audio => sound_time.contains(&at),
                };
                if kept {
                    open.get_or_insert((at, offset, i));
                } else if let Some((at, offset, begun)) = open.take() {
                    self.push(run.track, at, offset, &run.samples[begun..i], &place)?;
                }
                at = at.saturating_add(i64::from(sample.duration));
                offset = offset.saturating_add(u64::from(sample.size));
                number += usize::from(run.track == TrackKind::Video);
            }
            if let Some((at, offset, begun)) = open {
                self.push(run.track, at, offset, &run.samples[begun..], &place)?;
            }
        }
        self.media = self.media.saturating_add(bytes.end - bytes.start);
        if first {
            self.shown.start = taken.shown.start.saturating_add(shift);
            self.start_ms = wall(start_ms, taken.shown.start);
        }
        self.shown.end = taken.shown.end.saturating_add(shift);
        self.end_ms = wall(start_ms, taken.shown.end).max(self.end_ms);
        Ok(Some(Share {
            bytes,
            start_ms: wall(start_ms, taken.shown.start),
            end_ms: wall(start_ms, taken.shown.end),
        }))
    }

    /// The video samples of a segment that belong into the clip.
    fn taken(&self, segment: &SegmentSamples, start_ms: i64) -> Option<Taken> {
        let ticks = |ms: i64| rescale(ms.saturating_sub(start_ms), 1000, VIDEO_TIMESCALE);
        let (from, to) = (ticks(self.order.start_ms), ticks(self.order.end_ms));
        let first = self.is_empty();
        let mut begin = None;
        for (i, (_, shown, sample)) in video(segment).enumerate() {
            if sample.key && (begin.is_none() || (first && shown <= from)) {
                begin = Some(i);
            }
        }
        let begin = begin?;
        let mut end = begin;
        let mut total = 0;
        let mut shown_end = i64::MIN;
        for (i, (_, shown, sample)) in video(segment).enumerate() {
            if i >= begin && shown < to {
                end = i + 1;
                shown_end = shown_end.max(shown.saturating_add(i64::from(sample.duration)));
            }
            total = i + 1;
        }
        if end == begin || (first && shown_end <= from) {
            return None;
        }
        let (mut time_start, mut time_end) = (i64::MAX, i64::MIN);
        let mut earliest = i64::MAX;
        let mut wanted = None;
        for (dts, shown, sample) in video(segment).take(end).skip(begin) {
            time_start = time_start.min(dts);
            time_end = time_end.max(dts.saturating_add(i64::from(sample.duration)));
            earliest = earliest.min(shown);
            if shown <= from {
                wanted = wanted.max(Some(shown));
            }
        }
        let shown_start = match wanted {
            Some(wanted) if first && self.order.exact => wanted,
            _ => earliest,
        };
        Some(Taken {
            samples: begin..end,
            time: time_start..time_end,
            shown: shown_start..shown_end.max(shown_start),
            cut: end < total,
        })
    }

    fn push(
        &mut self,
        track: TrackKind,
        at: i64,
        offset: u64,
        samples: &[SampleInfo],
        place: &Place<'_>,
    ) -> Result<(), BuildError> {
        let shift = place.shift;
        let mut offset = self.media.saturating_add(offset - place.begin);
        match track {
            TrackKind::Video => {
                let at = at.saturating_add(shift);
                self.video.push(at, offset, place.description, samples)?;
            }
            TrackKind::Audio => {
                let Some(sound) = place.sound else {
                    return Ok(());
                };
                let mut at = at.saturating_add(rescale(shift, VIDEO_TIMESCALE, sound.sample_rate));
                let tolerance = rescale(SOUND_TOLERANCE_MS, 1000, sound.sample_rate);
                let mut samples = samples;
                // Sound that was there already, after a clock that was set back.
                while let Some((sample, rest)) = samples.split_first()
                    && !self.audio.is_empty()
                    && at.saturating_add(tolerance) < self.audio.end()
                {
                    at = at.saturating_add(i64::from(sample.duration));
                    offset += u64::from(sample.size);
                    samples = rest;
                }
                if at.saturating_sub(self.audio.end()).abs() <= tolerance && !self.audio.is_empty()
                {
                    at = self.audio.end();
                }
                self.audio.push(at, offset, 1, samples)?;
            }
        }
        Ok(())
    }

    /// The head of the clip. `None` when nothing was added.
    ///
    /// # Errors
    /// When a format cannot be written or a number does not fit.
    pub fn finish(&self, channel: &ChannelId, title: &str) -> Result<Option<ClipHead>, BuildError> {
        if self.is_empty() {
            return Ok(None);
        }
        // The offsets count from the end of the head, whose length does not depend on them.
        let len = self.head(channel, title, 0)?.len() as u64;
        Ok(Some(ClipHead {
            bytes: self.head(channel, title, len)?,
            media: self.media,
            start_ms: self.start_ms,
            end_ms: self.end_ms,
        }))
    }

    fn head(&self, channel: &ChannelId, title: &str, len: u64) -> Result<Vec<u8>, BuildError> {
        let mut out = Vec::with_capacity(8 * (self.video.len() + self.audio.len()) + 4096);
        Ftyp {
            major_brand: FourCC::new(b"isom"),
            minor_version: 512,
            compatible_brands: [b"isom", b"iso2", b"mp41", b"mp42"]
                .map(FourCC::new)
                .to_vec(),
        }
        .encode(&mut out)?;
        let from = out.len();
        container(&mut out, b"moov", |out| {
            self.movie(out, channel, title, len)
        })?;
        if u32::try_from(out.len() - from).is_err() {
            return Err(BuildError::Range("the number of samples"));
        }
        out.extend_from_slice(&1_u32.to_be_bytes());
        out.extend_from_slice(b"mdat");
        out.extend_from_slice(&self.media.saturating_add(16).to_be_bytes());
        Ok(out)
    }

    fn movie(
        &self,
        out: &mut Out,
        channel: &ChannelId,
        title: &str,
        len: u64,
    ) -> Result<(), BuildError> {
        Mvhd {
            timescale: MOVIE_TIMESCALE,
            duration: length(&self.shown),
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: 3,
            ..Mvhd::default()
        }
        .encode(out)?;
        // First, so that a look at the beginning of a large file finds it.
        let mark = ClipMark {
            channel: channel.clone(),
            start_ms: self.start_ms,
            end_ms: self.end_ms,
            title: Some(title.to_owned()),
        };
        mark.encode(out)?;
        let video = self.order.video.first();
        let video = video.ok_or(BuildError::Range("the number of formats"))?;
        let trimmed = [edit(
            length(&self.shown),
            Some(self.shown.start.saturating_sub(self.video.start())),
        )];
        let header = video_header(video)?;
        track(out, header, length(&self.shown), &trimmed, |out| {
            let duration = length(&(self.video.start()..self.video.end()));
            media(out, VIDEO_TIMESCALE, duration, b"vide", |out| {
                let entries = &self.order.video;
                descriptions(out, entries, video_entry)?;
                self.video.write(out, true, len);
                Ok(())
            })
        })?;
        match &self.order.audio {
            Some(audio) if !self.audio.is_empty() => self.sound(out, audio, len),
            _ => Ok(()),
        }
    }

    fn sound(&self, out: &mut Out, audio: &AudioTrack, len: u64) -> Result<(), BuildError> {
        let rate = audio.sample_rate;
        let ours = |time| rescale(time, VIDEO_TIMESCALE, rate);
        let (begin, end) = (ours(self.shown.start), ours(self.shown.end));
        let heard = self.audio.start().max(begin)..self.audio.end().min(end);
        let movie = |range: Range<i64>| {
            u64::try_from(rescale(
                range.end.saturating_sub(range.start),
                rate,
                MOVIE_TIMESCALE,
            ))
            .unwrap_or(0)
        };
        let mut edits = Vec::new();
        if heard.start > begin {
            edits.push(edit(movie(begin..heard.start), None));
        }
        let from = heard.start.saturating_sub(self.audio.start());
        edits.push(edit(movie(heard.clone()), Some(from)));
        let total = movie(begin..heard.end.max(begin));
        track(out, audio_header(), total, &edits, |out| {
            let duration = length(&(self.audio.start()..self.audio.end()));
            media(out, rate, duration, b"soun", |out| {
                descriptions(out, std::slice::from_ref(audio), audio_entry)?;
                self.audio.write(out, false, len);
                Ok(())
            })
        })
    }
}

/// Decode time, presentation time and sample of the video of a segment, in decode order.
fn video(segment: &SegmentSamples) -> impl Iterator<Item = (i64, i64, &SampleInfo)> {
    let runs = segment.runs.iter().filter(|r| r.track == TrackKind::Video);
    runs.flat_map(|run| {
        run.samples.iter().scan(run.start, |at, sample| {
            let dts = *at;
            *at = at.saturating_add(i64::from(sample.duration));
            Some((
                dts,
                dts.saturating_add(i64::from(sample.cts_offset)),
                sample,
            ))
        })
    })
}

/// The bytes from the first sample that is taken to the end of the last.
fn span(segment: &SegmentSamples, taken: &Taken, sound: &Range<i64>) -> Option<Range<u64>> {
    let (mut begin, mut finish) = (u64::MAX, 0);
    let mut number = 0;
    for run in &segment.runs {
        let (mut at, mut offset) = (run.start, run.offset);
        for sample in &run.samples {
            let end = offset.saturating_add(u64::from(sample.size));
            let kept = match run.track {
                TrackKind::Video => taken.samples.contains(&number),
                TrackKind::Audio => sound.contains(&at),
            };
            if kept {
                (begin, finish) = (begin.min(offset), finish.max(end));
            }
            number += usize::from(run.track == TrackKind::Video);
            at = at.saturating_add(i64::from(sample.duration));
            offset = end;
        }
    }
    (begin < finish).then_some(begin..finish)
}

fn wall(start_ms: i64, ticks: i64) -> i64 {
    start_ms.saturating_add(rescale(ticks, VIDEO_TIMESCALE, 1000))
}

fn length(range: &Range<i64>) -> u64 {
    u64::try_from(range.end.saturating_sub(range.start)).unwrap_or(0)
}

fn edit(duration: u64, from: Option<i64>) -> ElstEntry {
    ElstEntry {
        segment_duration: duration,
        media_time: from.map(|from| u64::try_from(from).unwrap_or(0)),
        media_rate: FixedPoint::from(1),
    }
}

fn track(
    out: &mut Out,
    header: Tkhd,
    duration: u64,
    edits: &[ElstEntry],
    media: impl FnOnce(&mut Out) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    container(out, b"trak", |out| {
        Tkhd { duration, ..header }.encode(out)?;
        container(out, b"edts", |out| {
            Ok(Elst {
                entries: edits.to_vec(),
            }
            .encode(out)?)
        })?;
        media(out)
    })
}

fn descriptions<T>(
    out: &mut Out,
    entries: &[T],
    mut write: impl FnMut(&mut Out, &T) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    container(out, b"stsd", |out| {
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&0_u32.to_be_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        entries.iter().try_for_each(|entry| write(out, entry))
    })
}

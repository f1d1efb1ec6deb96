//! One run on disk: which piece goes into which segment, and when a segment ends.
//!
//! A segment ends at the first key frame at or after a wall-clock boundary, or before the group
//! of pictures that would make it larger than allowed. Audio that belongs
//! before that frame but comes later keeps the old file open for a moment, beside the new one.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::link::OpenSegment;
use oriel_media::{Cutter, Frame, TrackKind, format::VIDEO_TIMESCALE, rescale};

use crate::{
    clock::wall,
    pacer::Piece,
    platform::Volume,
    run::Run,
    segment_writer::{SegmentWriter, WriteError},
    spool::Spool,
};

/// Late audio keeps the old file open for at most this much video.
const LINGER_TICKS: i64 = 5 * VIDEO_TIMESCALE as i64;

/// What a recorder works with.
pub(crate) struct Tools<'a> {
    pub(crate) spool: &'a Spool,
    pub(crate) volume: &'a dyn Volume,
    pub(crate) segment_seconds: u32,
    /// Most bytes of a segment; a single group of pictures may be larger.
    pub(crate) segment_bytes: Option<u64>,
    pub(crate) sync_interval: Duration,
    /// Segments get their SHA-256 as they are closed.
    pub(crate) summed: bool,
    /// Takes segments that are complete.
    pub(crate) closed: &'a mut dyn FnMut(&Arc<Run>, OpenSegment),
}

/// Writes one run.
pub(crate) struct Recorder {
    run: Arc<Run>,
    current: Option<Open>,
    lingering: Option<SegmentWriter>,
    /// Where audio ended so far, in audio ticks; what decides whether late audio is to come.
    audio_end: Option<i64>,
    /// The next segment joins the one before without a hole.
    continues: bool,
    /// `.part` files that could not be closed, for a later attempt.
    left: Vec<OpenSegment>,
}

struct Open {
    writer: SegmentWriter,
    boundary_ms: i64,
    base: i64,
    /// Where the present group of pictures begins, and the largest one so far.
    group_at: u64,
    largest_group: u64,
}

impl Open {
    /// A key frame comes: whether the group that it begins is likely to be too much. How large
    /// it becomes is not known yet, but groups of a camera are much alike.
    fn is_full(&mut self, most: Option<u64>) -> bool {
        let bytes = self.writer.segment().bytes;
        let group = bytes.saturating_sub(self.group_at);
        self.largest_group = self.largest_group.max(group);
        self.group_at = bytes;
        !self.writer.is_empty()
            && most.is_some_and(|most| bytes.saturating_add(self.largest_group) > most)
    }
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// On disk.
    Written,
    /// It could not be placed: no segment is open and it does not start one.
    NoPlace,
}

impl Recorder {
    pub(crate) fn new(run: Arc<Run>) -> Self {
        Self {
            run,
            current: None,
            lingering: None,
            audio_end: None,
            continues: false,
            left: Vec::new(),
        }
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    /// Writes a piece where it belongs.
    ///
    /// After an error the caller calls [`Recorder::abandon`].
    pub(crate) fn write(&mut self, piece: Piece, tools: &mut Tools) -> Result<Fate, WriteError> {
        match piece.track {
            TrackKind::Video => self.write_video(piece, tools),
            TrackKind::Audio => self.write_audio(piece.frames, tools),
        }
    }

    /// Closes everything in an orderly way.
    pub(crate) fn close(&mut self, tools: &mut Tools) -> io::Result<()> {
        self.continues = false;
        let lingering = self.close_lingering(tools);
        let current = match self.current.take() {
            Some(open) => self.close_writer(open.writer, tools),
            None => Ok(()),
        };
        lingering.and(current)
    }

    /// After an error: closes what can still be closed. Gives the `.part` files that could not
    /// be, for a later attempt.
    pub(crate) fn abandon(&mut self, tools: &mut Tools) -> Vec<OpenSegment> {
        // What could not be closed is in `left`.
        let _ = self.close(tools);
        std::mem::take(&mut self.left)
    }

    /// Lets go of all files without touching them. Gives them for a later attempt.
    pub(crate) fn forget(mut self) -> Vec<OpenSegment> {
        let writers = [self.lingering.take(), self.current.take().map(|o| o.writer)];
        for writer in writers.into_iter().flatten() {
            let segment = writer.segment().clone();
            self.run.state.settled(segment.start);
            self.left.push(segment);
        }
        self.left
    }

    /// Syncs the file that waits longest, if one is due.
    pub(crate) fn sync_due(&self) -> Option<Instant> {
        self.writers().filter_map(SegmentWriter::sync_due).min()
    }

    pub(crate) fn sync(&mut self, now: Instant, tools: &mut Tools) -> io::Result<()> {
        let current = self.current.as_mut().map(|o| &mut o.writer);
        for writer in self.lingering.iter_mut().chain(current) {
            if writer.sync_due().is_some_and(|due| due <= now) {
                writer.sync(tools.sync_interval)?;
            }
        }
        Ok(())
    }

    fn writers(&self) -> impl Iterator<Item = &SegmentWriter> {
        let current = self.current.as_ref().map(|o| &o.writer);
        self.lingering.iter().chain(current)
    }

    fn write_video(&mut self, piece: Piece, tools: &mut Tools) -> Result<Fate, WriteError> {
        let Some(first) = piece.frames.first() else {
            return Ok(Fate::Written);
        };
        let start = first.dts;
        let start_ms = wall(self.run.anchor, start, VIDEO_TIMESCALE).ms();
        if piece.after_hole {
            self.close(tools)?;
        }
        if let Some(open) = &mut self.current
            && piece.key
            && (open.is_full(tools.segment_bytes) || start_ms >= open.boundary_ms)
        {
            self.continues = true;
            self.rotate(start, tools)?;
        }
        if self.current.is_none() {
            if !piece.key {
                return Ok(Fate::NoPlace);
            }
            self.open(start, tools)?;
        }
        let Some(open) = &mut self.current else {
            return Ok(Fate::NoPlace);
        };
        open.writer.write(TrackKind::Video, &piece.frames)?;
        self.run.state.written(open.writer.segment());
        if self.lingering.is_some() && start - open.base > LINGER_TICKS {
            self.close_lingering(tools)?;
        }
        Ok(Fate::Written)
    }

    fn write_audio(&mut self, frames: Vec<Frame>, tools: &mut Tools) -> Result<Fate, WriteError> {
        let (Some(open), Some(last)) = (&mut self.current, frames.last()) else {
            return Ok(Fate::NoPlace);
        };
        self.audio_end = Some(last.dts + i64::from(last.duration));
        let split = frames.partition_point(|f| f.dts < open.writer.audio_base());
        let (before, after) = frames.split_at(split);
        // Without the file it belongs to, audio from before the segment has no picture.
        if !before.is_empty()
            && let Some(old) = &mut self.lingering
        {
            old.write(TrackKind::Audio, before)?;
            self.run.state.written(old.segment());
        }
        if !after.is_empty() {
            open.writer.write(TrackKind::Audio, after)?;
            self.run.state.written(open.writer.segment());
            self.close_lingering(tools)?;
        }
        Ok(Fate::Written)
    }

    fn open(&mut self, base: i64, tools: &mut Tools) -> Result<(), WriteError> {
        let run = &self.run;
        let cutter = Cutter::new(i64::from(tools.segment_seconds) * 1000, &run.channel);
        // Files of many channels are synced at different moments.
        let spread = u64::try_from(cutter.offset_ms).unwrap_or(0)
            % u64::try_from(tools.sync_interval.as_millis().max(1)).unwrap_or(1);
        let writer = SegmentWriter::create(
            tools.spool,
            tools.volume,
            run,
            base,
            std::mem::take(&mut self.continues),
            tools.segment_seconds,
            Duration::from_millis(spread),
        )?;
        let start_ms = wall(run.anchor, base, VIDEO_TIMESCALE).ms();
        self.current = Some(Open {
            boundary_ms: cutter.boundary_after(start_ms),
            group_at: writer.segment().bytes,
            largest_group: 0,
            writer,
            base,
        });
        Ok(())
    }

    /// Ends the current segment before the frame at `cut`, at once or when late audio is in.
    fn rotate(&mut self, cut: i64, tools: &mut Tools) -> io::Result<()> {
        self.close_lingering(tools)?;
        let Some(open) = self.current.take() else {
            return Ok(());
        };
        let rate = self.run.format.timescale(TrackKind::Audio);
        let late = self.audio_end.is_some_and(|end| {
            let end = rescale(end, rate, VIDEO_TIMESCALE);
            // Half a frame of audio is always missing; a longer stretch is still on its way,
            // and a very long one will not come.
            let missing = cut - end;
            missing > i64::from(VIDEO_TIMESCALE) / 5 && missing < LINGER_TICKS
        });
        if late {
            self.lingering = Some(open.writer);
            Ok(())
        } else {
            self.close_writer(open.writer, tools)
        }
    }

    fn close_lingering(&mut self, tools: &mut Tools) -> io::Result<()> {
        match self.lingering.take() {
            Some(writer) => self.close_writer(writer, tools),
            None => Ok(()),
        }
    }

    fn close_writer(&mut self, writer: SegmentWriter, tools: &mut Tools) -> io::Result<()> {
        let open = writer.segment().clone();
        let closed = writer.close(tools.spool, &self.run.state, tools.summed);
        match closed {
            Ok(Some(segment)) => {
                self.run.state.closed(open.start, &segment);
                (tools.closed)(&self.run, segment);
            }
            Ok(None) => self.run.state.settled(open.start),
            Err(error) => {
                self.run.state.settled(open.start);
                tracing::warn!(channel = %open.channel, start = open.start.ms(), %error,
                    "a segment could not be closed; it will be adopted later");
                self.left.push(open);
                return Err(error);
            }
        }
        Ok(())
    }
}

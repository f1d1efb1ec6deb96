//! One segment file while it is written.
//!
//! What does not belong here: when a segment begins or ends, and what is done about a disk
//! that refuses.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{Timestamp, link::OpenSegment};
use oriel_media::{
    BuildError, Format, Frame, ScanError, TrackKind, build_fragment, build_index,
    format::VIDEO_TIMESCALE,
    rescale,
    segment::{FragmentRef, SegmentHeader},
    tail::build_tail,
};

use crate::{
    clock::wall,
    platform::{At, Volume, VolumeFile, sync_folder},
    run::Run,
    spool::{Spool, exists},
    state::ChannelState,
    sum,
};

/// Fragments of video a second, at most, when key frames come once a second or less often.
const PIECES_PER_SECOND: usize = 3;
/// Larger segments are not summed as they are closed: other channels would wait for it.
const SUMMED_MAX: u64 = 64 * 1024 * 1024;

/// Why a segment cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// The format cannot be written as MP4.
    #[error(transparent)]
    Format(#[from] BuildError),
}

/// A file with `.part` behind its name.
pub(crate) struct SegmentWriter {
    file: Box<dyn VolumeFile>,
    path: PathBuf,
    segment: OpenSegment,
    format: Arc<Format>,
    /// Decode time of the first frame, in video ticks of the run; `tfdt` 0.
    base: i64,
    audio_base: i64,
    anchor: Timestamp,
    index_offset: u64,
    index_capacity: usize,
    header_len: u64,
    fragments: Vec<FragmentRef>,
    sequence: u32,
    dirty: bool,
    name_synced: bool,
    sync_due: Instant,
}

impl SegmentWriter {
    /// Makes the file and writes its head. `seconds` is how long it is expected to become.
    pub(crate) fn create(
        spool: &Spool,
        volume: &dyn Volume,
        run: &Run,
        base: i64,
        continues: bool,
        seconds: u32,
        first_sync: Duration,
    ) -> Result<Self, WriteError> {
        let wanted = wall(run.anchor, base, VIDEO_TIMESCALE);
        spool.make_folder(&run.channel)?;
        let start = spool.free(&run.channel, wanted)?;
        let path = spool.part(&run.channel, start);
        let pieces = PIECES_PER_SECOND * seconds as usize + 16;
        let head = SegmentHeader::new(&run.format, start.ms(), &run.channel, pieces)?;
        // Told before the file is there, so that recovery never sees an unknown one.
        run.state.begun(start);
        let mut file = volume.create(&path)?;
        if let Err(error) = file.append(&head.bytes) {
            drop(file);
            // Without a fragment there is nothing worth keeping.
            let _ = std::fs::remove_file(&path);
            return Err(error.into());
        }
        let header_len = head.bytes.len() as u64;
        Ok(Self {
            file,
            path,
            format: Arc::clone(&run.format),
            segment: OpenSegment {
                channel: run.channel.clone(),
                start,
                end: start,
                bytes: header_len,
                codecs: run.format.codecs(),
                continues,
                sha256: None,
            },
            base,
            audio_base: rescale(
                base,
                VIDEO_TIMESCALE,
                run.format.timescale(TrackKind::Audio),
            ),
            anchor: run.anchor,
            index_offset: head.index_offset,
            index_capacity: head.index_capacity,
            header_len,
            fragments: Vec::with_capacity(2 * pieces),
            sequence: 0,
            dirty: true,
            name_synced: false,
            sync_due: Instant::now() + first_sync,
        })
    }

    /// What is on disk.
    pub(crate) fn segment(&self) -> &OpenSegment {
        &self.segment
    }

    /// Decode time in audio ticks where this file's audio begins.
    pub(crate) fn audio_base(&self) -> i64 {
        self.audio_base
    }

    /// Whether anything but the head is in the file.
    pub(crate) fn is_empty(&self) -> bool {
        self.fragments.is_empty()
    }

    /// Writes one fragment with one write. After an error the file still ends with the last
    /// whole fragment, as far as the disk allows.
    pub(crate) fn write(&mut self, track: TrackKind, frames: &[Frame]) -> io::Result<()> {
        let base = match track {
            TrackKind::Video => self.base,
            TrackKind::Audio => self.audio_base,
        };
        let fragment = build_fragment(track, self.sequence + 1, base, frames);
        if fragment.bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.append(&fragment.bytes) {
            // The error of the write is the one that matters.
            let _ = self.file.truncate(self.segment.bytes);
            return Err(error);
        }
        self.sequence += 1;
        self.fragments
            .push(FragmentRef::new(&fragment, self.segment.bytes, base));
        self.segment.bytes += fragment.bytes.len() as u64;
        if track == TrackKind::Video {
            let end = wall(self.anchor, fragment.end, VIDEO_TIMESCALE);
            self.segment.end = self.segment.end.max(end);
        }
        self.dirty = true;
        Ok(())
    }

    /// When the file wants to be synced; `None` when everything is on the medium.
    pub(crate) fn sync_due(&self) -> Option<Instant> {
        self.dirty.then_some(self.sync_due)
    }

    /// Puts what was written on the medium. Also notices when the file was taken away.
    pub(crate) fn sync(&mut self, interval: Duration) -> io::Result<()> {
        self.sync_due = Instant::now() + interval;
        if !exists(&self.path)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.file.sync()?;
        if !self.name_synced
            && let Some(folder) = self.path.parent()
        {
            sync_folder(folder)?;
            self.name_synced = true;
        }
        self.dirty = false;
        Ok(())
    }

    /// Writes the sample index behind the media. No reader needs it, so a disk that refuses it
    /// costs nothing but that.
    fn add_tail(&mut self) {
        let len = self.segment.bytes;
        let tail = File::open(&self.path)
            .map_err(ScanError::from)
            .and_then(|file| build_tail(At::new(&file, len), len));
        let written = tail.map(|tail| self.file.append(&tail).map(|()| tail.len()));
        match written {
            Ok(Ok(more)) => self.segment.bytes += more as u64,
            Ok(Err(error)) => {
                tracing::debug!(%error, "no sample index for a segment");
                // What was written in part is no index and no footage.
                let _ = self.file.truncate(len);
            }
            Err(error) => tracing::debug!(%error, "no sample index for a segment"),
        }
    }

    /// The sum of what is now complete, while the system still has it in memory. Without one
    /// the upload makes it.
    fn summed(&self) -> Option<[u8; 32]> {
        let len = self.segment.bytes;
        if len > SUMMED_MAX {
            return None;
        }
        let sum = File::open(&self.path).and_then(|file| sum::sha256(At::new(&file, len)));
        match sum {
            Ok(sum) => Some(sum),
            Err(error) => {
                tracing::debug!(%error, "no sum for a segment");
                None
            }
        }
    }

    /// Writes the index, syncs, and gives the file its final name; with `summed` also makes its
    /// SHA-256. `None` when it held nothing and was removed. After an error the `.part` is left
    /// for recovery.
    pub(crate) fn close(
        mut self,
        spool: &Spool,
        state: &ChannelState,
        summed: bool,
    ) -> io::Result<Option<OpenSegment>> {
        if self.is_empty() {
            std::fs::remove_file(&self.path)?;
            return Ok(None);
        }
        if let Some(index) = build_index(
            &self.format,
            &self.fragments,
            self.index_capacity,
            self.header_len,
        ) {
            self.file.write_at(self.index_offset, &index)?;
        }
        self.add_tail();
        self.file.sync()?;
        if summed {
            self.segment.sha256 = self.summed();
        }
        // Windows does not rename what is open elsewhere without sharing; ours is closed first.
        drop(self.file);
        let channel = &self.segment.channel;
        let start = spool.free_closed(channel, self.segment.start)?;
        if start != self.segment.start {
            state.begun(start);
        }
        // In its own folder, also when new files are made elsewhere by now.
        let folder = match self.path.parent() {
            Some(folder) => folder.to_owned(),
            None => spool.folder(channel),
        };
        std::fs::rename(&self.path, folder.join(format!("{}.mp4", start.ms())))?;
        sync_folder(&folder)?;
        let mut segment = self.segment;
        segment.start = start;
        Ok(Some(segment))
    }
}

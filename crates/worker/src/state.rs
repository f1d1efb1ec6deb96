//! What everybody may know of a channel's recording. Written by the disk thread, read by
//! callers; nobody waits for the disk here.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use oriel_api::{
    ChannelId, RecordingState, Timestamp,
    link::{Cutting, OpenSegment},
};

use crate::sync::lock;

/// Starts remembered: more than a day of segments.
const BEGUN_MAX: usize = 4096;
/// Segments without a row that are shown, at most.
const OPEN_MAX: usize = 4096;

/// One channel's recording.
pub(crate) struct ChannelState {
    lost: AtomicU64,
    segment_seconds: AtomicU32,
    segment_mb: AtomicU32,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    active: bool,
    last_written_at: Option<Timestamp>,
    error: Option<String>,
    /// Not acknowledged by the nvr; the newest last. Being written, waiting for late audio, or
    /// closed and on the way into the database.
    open: Vec<OpenSegment>,
    /// Starts of the last segments this process has begun; recovery leaves them alone.
    begun: VecDeque<Timestamp>,
}

impl ChannelState {
    fn new() -> Self {
        Self {
            lost: AtomicU64::new(0),
            segment_seconds: AtomicU32::new(0),
            segment_mb: AtomicU32::new(0),
            inner: Mutex::default(),
        }
    }

    pub(crate) fn lose(&self, frames: usize) {
        self.lost.fetch_add(frames as u64, Ordering::Relaxed);
    }

    /// Seconds per segment of this channel, when it has its own.
    pub(crate) fn segment_seconds(&self) -> Option<u32> {
        match self.segment_seconds.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(seconds),
        }
    }

    /// Most bytes per segment of this channel.
    pub(crate) fn segment_bytes(&self) -> Option<u64> {
        match self.segment_mb.load(Ordering::Relaxed) {
            0 => None,
            mb => Some(u64::from(mb) * 1_000_000),
        }
    }

    pub(crate) fn set_cutting(&self, cutting: Cutting) {
        self.segment_seconds
            .store(cutting.seconds.unwrap_or(0), Ordering::Relaxed);
        self.segment_mb
            .store(cutting.megabytes.unwrap_or(0), Ordering::Relaxed);
    }

    /// A fragment of a segment is on disk.
    pub(crate) fn written(&self, segment: &OpenSegment) {
        let mut inner = lock(&self.inner);
        inner.active = true;
        inner.last_written_at = inner.last_written_at.max(Some(segment.end));
        match inner.open.iter_mut().find(|s| s.start == segment.start) {
            Some(known) => {
                known.end = segment.end;
                known.bytes = segment.bytes;
            }
            None => inner.open.push(segment.clone()),
        }
    }

    /// A segment was begun under this start.
    pub(crate) fn begun(&self, start: Timestamp) {
        let mut inner = lock(&self.inner);
        if inner.begun.len() >= BEGUN_MAX {
            inner.begun.pop_front();
        }
        inner.begun.push_back(start);
    }

    /// Whether this process began a segment with this start.
    pub(crate) fn wrote(&self, start: Timestamp) -> bool {
        lock(&self.inner).begun.contains(&start)
    }

    /// A segment is closed and on its way into the database. It was begun as `begun`.
    pub(crate) fn closed(&self, begun: Timestamp, segment: &OpenSegment) {
        let mut inner = lock(&self.inner);
        inner.open.retain(|s| s.start != begun);
        if inner.open.len() >= OPEN_MAX {
            // Recovery finds it.
            inner.open.remove(0);
        }
        // What is being written stays behind it.
        let at = inner.open.partition_point(|s| s.start < segment.start);
        inner.open.insert(at, segment.clone());
    }

    /// A segment is nobody's any more: it has its row, or is left for later.
    pub(crate) fn settled(&self, start: Timestamp) {
        lock(&self.inner).open.retain(|s| s.start != start);
    }

    /// No frames reach the disk at present.
    pub(crate) fn rest(&self) {
        lock(&self.inner).active = false;
    }

    /// Sets or clears what is wrong. Whether that changed anything.
    pub(crate) fn set_error(&self, error: Option<String>) -> bool {
        let mut inner = lock(&self.inner);
        let changed = inner.error != error;
        if error.is_some() {
            inner.active = false;
        }
        inner.error = error;
        changed
    }

    pub(crate) fn has_error(&self) -> bool {
        lock(&self.inner).error.is_some()
    }

    pub(crate) fn recording(&self) -> RecordingState {
        let inner = lock(&self.inner);
        RecordingState {
            active: inner.active,
            last_written_at: inner.last_written_at,
            lost_frames: self.lost.load(Ordering::Relaxed),
            error: inner.error.clone(),
        }
    }

    /// All that have no row yet, in the order they were begun.
    pub(crate) fn open_segments(&self) -> Vec<OpenSegment> {
        lock(&self.inner).open.clone()
    }

    pub(crate) fn open(&self, start: Timestamp) -> Option<OpenSegment> {
        let inner = lock(&self.inner);
        inner.open.iter().find(|s| s.start == start).cloned()
    }
}

/// All channels.
#[derive(Default)]
pub(crate) struct Channels {
    known: Mutex<HashMap<ChannelId, Arc<ChannelState>>>,
}

impl Channels {
    pub(crate) fn get(&self, channel: &ChannelId) -> Option<Arc<ChannelState>> {
        lock(&self.known).get(channel).cloned()
    }

    pub(crate) fn get_or_add(&self, channel: &ChannelId) -> Arc<ChannelState> {
        let mut known = lock(&self.known);
        if let Some(state) = known.get(channel) {
            return Arc::clone(state);
        }
        let state = Arc::new(ChannelState::new());
        known.insert(channel.clone(), Arc::clone(&state));
        state
    }

    pub(crate) fn all(&self) -> Vec<ChannelId> {
        lock(&self.known).keys().cloned().collect()
    }

    pub(crate) fn remove(&self, channel: &ChannelId) {
        lock(&self.known).remove(channel);
    }
}

//! What is known of the moment and kept in memory only: stream states, storage faults, and what
//! of it viewers have not been told yet.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use oriel_api::{
    CameraId, ChannelId, EventKind, Quality, Reason, ReasonCode, RecordingState, StreamProfile,
    StreamState, Timestamp, link::StreamStatus,
};

/// Changes of stats alone are pushed this far apart.
const STATS_EVERY: Duration = Duration::from_secs(2);
/// A camera that should record may be without a stream for so long before it is a fault.
const TOLERATED_MS: i64 = 30_000;

/// Something to be written down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Note {
    Event {
        at: Timestamp,
        kind: EventKind,
        channel: Option<ChannelId>,
        reason: Option<Reason>,
    },
    Profile(CameraId, StreamProfile),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Untold {
    Nothing,
    Stats,
    State,
}

struct Live {
    channel: ChannelId,
    records: bool,
    high: Option<StreamStatus>,
    low: Option<StreamStatus>,
    /// Since when a stream that should run does not.
    down_since: Option<Timestamp>,
    /// What the last event said.
    noted: Option<EventKind>,
    untold: Untold,
    told: Option<Instant>,
}

#[derive(Default)]
pub(crate) struct States {
    cameras: HashMap<CameraId, Live>,
    storage: HashMap<ChannelId, String>,
    recovered: HashSet<ChannelId>,
    untold_channels: HashSet<ChannelId>,
    told_recording: HashMap<ChannelId, (bool, Option<String>)>,
}

/// Whether two sights of a profile differ in more than the noise of measuring.
fn differs(a: Option<&StreamProfile>, b: Option<&StreamProfile>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return a.is_some() != b.is_some();
    };
    let rate = |p: &StreamProfile| p.video.as_ref().and_then(|v| v.frame_rate);
    let noise = match (rate(a), rate(b)) {
        (Some(x), Some(y)) => (x - y).abs() <= 1.0,
        (x, y) => x.is_some() == y.is_some(),
    };
    let bare = |p: &StreamProfile| {
        let mut p = p.clone();
        if let Some(v) = &mut p.video {
            v.frame_rate = None;
        }
        p
    };
    !noise || bare(a) != bare(b)
}

impl States {
    /// A camera is known to the agent from now on, or its channel changed.
    pub(crate) fn applied(
        &mut self,
        camera: &CameraId,
        channel: &ChannelId,
        records: bool,
        now: Timestamp,
    ) {
        let live = self.cameras.entry(camera.clone()).or_insert_with(|| Live {
            channel: channel.clone(),
            records,
            high: None,
            low: None,
            down_since: Some(now),
            noted: None,
            untold: Untold::Nothing,
            told: None,
        });
        if records && !live.records {
            live.down_since = (!live.streams()).then_some(now);
        }
        live.channel = channel.clone();
        live.records = records;
        live.untold = Untold::State;
    }

    pub(crate) fn removed(&mut self, camera: &CameraId) {
        if let Some(live) = self.cameras.remove(camera) {
            self.storage.remove(&live.channel);
            self.told_recording.remove(&live.channel);
        }
    }

    pub(crate) fn status(&self, camera: &CameraId, quality: Quality) -> Option<StreamStatus> {
        let live = self.cameras.get(camera)?;
        match quality {
            Quality::High => live.high.clone(),
            Quality::Low => live.low.clone(),
        }
    }

    /// Takes a new state of a stream. Gives what is to be written down.
    pub(crate) fn stream(
        &mut self,
        camera: &CameraId,
        quality: Quality,
        status: StreamStatus,
        now: Timestamp,
    ) -> Vec<Note> {
        let Some(live) = self.cameras.get_mut(camera) else {
            // A last word of a camera that was removed.
            return Vec::new();
        };
        let slot = match quality {
            Quality::High => &mut live.high,
            Quality::Low => &mut live.low,
        };
        let before = slot.replace(status.clone());
        let before = before.as_ref();
        let mut notes = Vec::new();
        if let Some(profile) = &status.profile
            && differs(before.and_then(|b| b.profile.as_ref()), Some(profile))
        {
            notes.push(Note::Profile(camera.clone(), profile.clone()));
        }
        let told_by_state = before.is_none_or(|b| {
            (b.state, &b.reason, b.retry_at, b.engine, &b.warnings)
                != (
                    status.state,
                    &status.reason,
                    status.retry_at,
                    status.engine,
                    &status.warnings,
                )
                || differs(b.profile.as_ref(), status.profile.as_ref())
        });
        live.untold = live.untold.max(if told_by_state {
            Untold::State
        } else {
            Untold::Stats
        });
        if quality == Quality::High {
            live.down_since = match status.state {
                StreamState::Streaming => None,
                _ => live.down_since.or(Some(now)),
            };
            let kind = match status.state {
                StreamState::Streaming => Some(EventKind::Connected),
                StreamState::Waiting | StreamState::Failed => Some(EventKind::Disconnected),
                StreamState::Connecting => None,
                StreamState::Idle => {
                    // Nobody wants it: neither lost nor found.
                    live.noted = None;
                    None
                }
            };
            if let Some(kind) = kind
                && live.noted != Some(kind)
            {
                live.noted = Some(kind);
                notes.push(Note::Event {
                    at: status.since,
                    kind,
                    channel: Some(live.channel.clone()),
                    reason: status.reason.filter(|_| kind == EventKind::Disconnected),
                });
            }
        }
        notes
    }

    /// Takes word of the disk.
    pub(crate) fn storage(
        &mut self,
        channel: &ChannelId,
        error: Option<String>,
        now: Timestamp,
    ) -> Option<Note> {
        self.untold_channels.insert(channel.clone());
        let Some(message) = error else {
            self.storage.remove(channel);
            return None;
        };
        let first = self
            .storage
            .insert(channel.clone(), message.clone())
            .is_none();
        first.then(|| Note::Event {
            at: now,
            kind: EventKind::StorageFailed,
            channel: Some(channel.clone()),
            reason: Some(Reason {
                code: ReasonCode::StorageUnavailable,
                message,
            }),
        })
    }

    /// Footage was repaired. True the first time for a channel.
    pub(crate) fn recovered(&mut self, channel: &ChannelId) -> bool {
        self.recovered.insert(channel.clone())
    }

    pub(crate) fn touch_channel(&mut self, channel: &ChannelId) {
        self.untold_channels.insert(channel.clone());
    }

    /// Whether everything that should record does.
    pub(crate) fn healthy(&self, now: Timestamp) -> bool {
        self.storage.is_empty()
            && self.cameras.values().all(|live| {
                !live.records
                    || live
                        .down_since
                        .is_none_or(|since| now.ms().saturating_sub(since.ms()) <= TOLERATED_MS)
            })
    }

    /// Cameras and channels viewers are to be told of now, and when to ask again.
    pub(crate) fn take_untold(
        &mut self,
        now: Instant,
    ) -> (Vec<(CameraId, ChannelId)>, Vec<ChannelId>, Option<Instant>) {
        let mut cameras = Vec::new();
        let mut next: Option<Instant> = None;
        for (id, live) in &mut self.cameras {
            let due = match (live.untold, live.told) {
                (Untold::Nothing, _) => continue,
                (Untold::State, _) | (Untold::Stats, None) => now,
                (Untold::Stats, Some(told)) => told + STATS_EVERY,
            };
            if due <= now {
                live.untold = Untold::Nothing;
                live.told = Some(now);
                cameras.push((id.clone(), live.channel.clone()));
            } else {
                next = Some(next.map_or(due, |n| n.min(due)));
            }
        }
        (cameras, self.untold_channels.drain().collect(), next)
    }

    /// Whether viewers have not been told this of a channel's recording.
    pub(crate) fn recording_news(&mut self, channel: &ChannelId, state: &RecordingState) -> bool {
        let now = (state.active, state.error.clone());
        self.told_recording.insert(channel.clone(), now.clone()) != Some(now)
    }
}

impl Live {
    fn streams(&self) -> bool {
        self.high
            .as_ref()
            .is_some_and(|s| s.state == StreamState::Streaming)
    }
}

//! The ladder of a disk that fills: how it is judged, and who is told.
//!
//! What does not belong here: deleting anything.

use std::{
    sync::{PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use oriel_api::{
    Change, DiskLevel, DiskState, EventKind, Reason, ReasonCode,
    link::{DiskFault, DiskSight},
};

use tracing::{info, warn};

use crate::{Nvr, states::Note};

/// The reserve is this part of the disk,
const RESERVE_PART: u64 = 20;
/// but no more than this,
const RESERVE_MOST: u64 = 20_000_000_000;
/// nor than this part of what footage and free space are together: a disk that is full of other
/// things is recorded on too.
const RESERVE_SHARE: u64 = 2;
/// Footage deleted early shows for so long.
const EARLY_SHOWS: Duration = Duration::from_secs(600);

/// Free bytes that are kept on a disk that holds so many bytes of footage.
pub(crate) fn reserve(chosen_mb: Option<u32>, sight: &DiskSight, footage: u64) -> u64 {
    let (free, total) = sight.space.unwrap_or_default();
    let wanted = match chosen_mb {
        Some(mb) => u64::from(mb) * 1_000_000,
        None => (total / RESERVE_PART)
            .min(RESERVE_MOST)
            .min(free.saturating_add(footage) / RESERVE_SHARE),
    };
    // Above where writing stops and where it goes on again, and never the whole disk.
    wanted
        .min(total / 10 * 9)
        .max(sight.floor.saturating_add(sight.floor / 2))
}

/// Free bytes that deletion aims at: a little before the reserve is touched.
pub(crate) fn aim(reserve: u64) -> u64 {
    reserve.saturating_add(reserve / 8)
}

/// What is known beside the disk itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deleting {
    /// When footage was last deleted before its time.
    pub(crate) early: Option<Instant>,
    /// There is no other rule than that footage stays as long as space allows.
    pub(crate) by_space: bool,
    /// More should be deleted than can be.
    pub(crate) stuck: bool,
}

/// For a person.
pub(crate) fn size(bytes: u64) -> String {
    let gb = bytes as f64 / 1e9;
    if gb >= 1000.0 {
        format!("{:.1} TB", gb / 1000.0)
    } else if gb >= 1.0 {
        format!("{gb:.1} GB")
    } else {
        format!("{:.0} MB", bytes as f64 / 1e6)
    }
}

/// Where the disk stands on the ladder. What it was `before` keeps it from going up and down
/// with every segment.
pub(crate) fn judge(
    before: DiskLevel,
    sight: &DiskSight,
    reserve: u64,
    deleting: Deleting,
    now: Instant,
) -> DiskState {
    let (level, message) = step(before, sight, reserve, deleting, now);
    DiskState {
        level,
        message,
        free: sight.space.map(|s| s.0),
        total: sight.space.map(|s| s.1),
        reserve,
    }
}

fn step(
    before: DiskLevel,
    sight: &DiskSight,
    reserve: u64,
    deleting: Deleting,
    now: Instant,
) -> (DiskLevel, String) {
    if let Some((fault, message)) = &sight.fault {
        let level = match fault {
            DiskFault::Missing => DiskLevel::Missing,
            DiskFault::ReadOnly => DiskLevel::ReadOnly,
        };
        return (level, message.clone());
    }
    let Some((free, _)) = sight.space else {
        // A disk that does not say is left to the writing to find out.
        return (DiskLevel::Ok, String::new());
    };
    if sight.stopped || free < sight.floor {
        return (
            DiskLevel::Stopped,
            format!(
                "Recording has stopped: only {} are free on the disk with the recordings. Free \
                 some space, lift protections, or choose a larger disk. It goes on by itself.",
                size(free)
            ),
        );
    }
    let touched = |line: u64, level: DiskLevel| {
        let line = if before >= level && before <= DiskLevel::Stopped {
            line.saturating_add(line / 16)
        } else {
            line
        };
        free < line
    };
    if touched(reserve, DiskLevel::Deleting) {
        let message = if deleting.stuck {
            format!(
                "Only {} are free on the disk with the recordings, and nothing more may be \
                 deleted: what is left is protected or being written. Recording will stop. Free \
                 some space, lift protections, or choose a larger disk.",
                size(free)
            )
        } else {
            format!(
                "Only {} are free on the disk with the recordings, less than the reserve of {}. \
                 The oldest footage is being deleted.",
                size(free),
                size(reserve)
            )
        };
        return (DiskLevel::Deleting, message);
    }
    if deleting
        .early
        .is_some_and(|at| now.saturating_duration_since(at) < EARLY_SHOWS)
    {
        return (
            DiskLevel::Deleting,
            format!(
                "The disk with the recordings is at its reserve of {}. The oldest footage is \
                 being deleted before its time. Keep fewer days, or choose a larger disk.",
                size(reserve)
            ),
        );
    }
    if !deleting.by_space && touched(reserve.saturating_add(reserve / 4), DiskLevel::Low) {
        return (
            DiskLevel::Low,
            format!(
                "The disk with the recordings is nearly full: {} are free. With less than {} \
                 the oldest footage is deleted before its time.",
                size(free),
                size(reserve)
            ),
        );
    }
    (DiskLevel::Ok, String::new())
}

impl Nvr {
    /// How the disk stands.
    pub(crate) fn disk_now(&self) -> DiskState {
        let state = self
            .disk_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// Whether the disk lets everything be recorded.
    pub(crate) fn disk_is_well(&self) -> bool {
        match self.disk_now().level {
            DiskLevel::Ok | DiskLevel::Low => true,
            // Deleting is well as long as it gets somewhere.
            DiskLevel::Deleting => !self.disk_stuck.load(Ordering::Relaxed),
            DiskLevel::Stopped | DiskLevel::Missing | DiskLevel::ReadOnly => false,
        }
    }

    /// Takes how the disk stands. Viewers are told of a new level or sentence, and a new level
    /// is an event. `stuck`: what should be deleted cannot be.
    pub(crate) fn disk_changed(&self, state: DiskState, stuck: bool) {
        self.disk_stuck.store(stuck, Ordering::Relaxed);
        let before = {
            let mut known = self
                .disk_state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, state.clone())
        };
        if before.level != state.level {
            let reason = (!state.message.is_empty()).then(|| Reason {
                code: ReasonCode::StorageUnavailable,
                message: state.message.clone(),
            });
            if reason.is_some() {
                warn!(level = ?state.level, free = state.free, "{}", state.message);
            } else {
                info!(free = state.free, "the disk with the recordings has room");
            }
            self.note(Note::Event {
                at: self.clock_now(),
                kind: EventKind::DiskLevel,
                channel: None,
                reason,
            });
        }
        if before.level != state.level || before.message != state.message {
            self.push(Change::Disk { disk: state });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn sight(free: u64) -> DiskSight {
        DiskSight {
            space: Some((free, 1000 * GB)),
            floor: GB,
            stopped: false,
            fault: None,
        }
    }

    #[test]
    fn the_reserve_is_a_twentieth_and_stays_above_the_floor() {
        let shared = |chosen, free, total, footage| {
            let floor = GB;
            let sight = DiskSight {
                space: Some((free, total)),
                floor,
                ..DiskSight::default()
            };
            reserve(chosen, &sight, footage)
        };
        let of = |chosen, total| shared(chosen, 0, total, total);
        assert_eq!(of(None, 100 * GB), 5 * GB);
        assert_eq!(of(None, 4000 * GB), 20 * GB);
        assert_eq!(of(Some(50_000), 4000 * GB), 50 * GB);
        assert_eq!(of(Some(1), 100 * GB), 3 * GB / 2);
        assert_eq!(of(Some(2_000_000), 1000 * GB), 900 * GB);
        // Of what is left by other things, half, however much of it is recorded on already.
        assert_eq!(shared(None, 20 * GB, 1000 * GB, 0), 10 * GB);
        assert_eq!(shared(None, 12 * GB, 1000 * GB, 8 * GB), 10 * GB);
        assert_eq!(shared(Some(15_000), 20 * GB, 1000 * GB, 0), 15 * GB);
        assert_eq!(shared(None, GB, 1000 * GB, 0), 3 * GB / 2);
    }

    #[test]
    fn the_ladder_goes_up_step_by_step_and_down_a_little_later() {
        let now = Instant::now();
        let level =
            |before, free, deleting| judge(before, &sight(free), 20 * GB, deleting, now).level;
        let rules = Deleting::default();
        use DiskLevel::{Deleting as D, Low, Ok, Stopped};
        assert_eq!(level(Ok, 25 * GB, rules), Ok);
        assert_eq!(level(Ok, 25 * GB - 1, rules), Low);
        assert_eq!(level(Low, 26 * GB, rules), Low);
        assert_eq!(level(Low, 27 * GB, rules), Ok);
        assert_eq!(level(Low, 20 * GB, rules), Low);
        assert_eq!(level(Low, 20 * GB - 1, rules), D);
        assert_eq!(level(D, 21 * GB, rules), D);
        assert_eq!(level(D, 22 * GB, rules), Low);
        assert_eq!(level(D, GB - 1, rules), Stopped);
        assert_eq!(level(Stopped, GB, rules), D);
        // Where space is the only rule, a disk at its reserve is as it should be.
        let by_space = Deleting {
            by_space: true,
            ..rules
        };
        assert_eq!(level(Ok, 20 * GB, by_space), Ok);
        assert_eq!(level(Ok, 20 * GB - 1, by_space), D);
        let early = Deleting {
            early: Some(now),
            ..rules
        };
        assert_eq!(level(Low, 22 * GB, early), D);
        let later = now + EARLY_SHOWS;
        assert_eq!(judge(D, &sight(22 * GB), 20 * GB, early, later).level, Low);
    }

    #[test]
    fn a_disk_that_waits_or_is_not_there_is_said_with_what_to_do() {
        let now = Instant::now();
        let mut at = sight(GB);
        at.stopped = true;
        let state = judge(DiskLevel::Stopped, &at, 20 * GB, Deleting::default(), now);
        assert_eq!(state.level, DiskLevel::Stopped);
        assert!(
            state.message.contains("1.0 GB are free"),
            "{}",
            state.message
        );
        at.fault = Some((DiskFault::Missing, "Gone.".into()));
        let state = judge(DiskLevel::Ok, &at, 20 * GB, Deleting::default(), now);
        assert_eq!(
            (state.level, state.message.as_str()),
            (DiskLevel::Missing, "Gone.")
        );
        at.fault = Some((DiskFault::ReadOnly, "Fixed.".into()));
        let state = judge(DiskLevel::Ok, &at, 20 * GB, Deleting::default(), now);
        assert_eq!(state.level, DiskLevel::ReadOnly);
    }
}

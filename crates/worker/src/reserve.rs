//! Space that is left free on the disk, so that the system and the database can go on.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::platform::Volume;

/// How often the disk is asked.
const EVERY: Duration = Duration::from_secs(2);

/// Knows whether the disk is nearly full.
pub(crate) struct Reserve {
    bytes: u64,
    asked: Option<Instant>,
    low: bool,
    /// For others to see.
    shown: Arc<AtomicBool>,
}

/// Free bytes below which nothing is written.
pub(crate) fn floor(bytes: u64, total: u64) -> u64 {
    bytes.min(total / 50)
}

/// Free bytes from which it goes on.
pub(crate) fn resumes(floor: u64) -> u64 {
    floor.saturating_add(floor / 4)
}

impl Reserve {
    pub(crate) fn new(bytes: u64, shown: Arc<AtomicBool>) -> Self {
        Self {
            bytes,
            asked: None,
            low: false,
            shown,
        }
    }

    /// Whether nothing may be written at present. A disk that does not answer is left to the
    /// writing to find out.
    pub(crate) fn is_low(&mut self, volume: &dyn Volume, root: &Path, now: Instant) -> bool {
        if self.asked.is_none_or(|at| now >= at + EVERY) {
            self.asked = Some(now);
            self.low = volume
                .space(root)
                .is_ok_and(|(free, total)| self.judge(free, total));
            self.shown.store(self.low, Ordering::Relaxed);
        }
        self.low
    }

    fn judge(&self, free: u64, total: u64) -> bool {
        let floor = floor(self.bytes, total);
        let enough = if self.low { resumes(floor) } else { floor };
        free < enough
    }
}

/// For a person.
pub(crate) const LOW: &str = "The disk is almost full, so recording has stopped. Free some \
                              space on the disk with the recordings, or move the data folder \
                              to a larger one.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_smaller_reserve_and_waits_for_more_before_it_goes_on() {
        let mut reserve = Reserve::new(1000, Arc::default());
        assert!(!reserve.judge(1000, 1_000_000) && reserve.judge(999, 1_000_000));
        assert!(!reserve.judge(200, 10_000) && reserve.judge(199, 10_000));
        reserve.low = true;
        assert!(reserve.judge(1249, 1_000_000) && !reserve.judge(1250, 1_000_000));
    }
}

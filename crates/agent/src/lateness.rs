//! How far a run's times have strayed from the wall clock since its anchor.
//!
//! A camera's clock drifts, and the wall clock is corrected in steps too small for
//! [`crate::clock::StepWatch`]; both add up without end. Networks only ever delay, so the
//! quickest frame of a stretch of time shows the truth.

use std::time::{Duration, Instant};

/// Length of a stretch: longer than a network is usually busy.
const STRETCH: Duration = Duration::from_secs(60);
/// More than this is corrected, in milliseconds.
pub(crate) const LIMIT: i64 = 500;

/// Follows the lateness of one run.
#[derive(Debug)]
pub(crate) struct Lateness {
    until: Instant,
    least: Option<i64>,
    found: i64,
}

impl Lateness {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            until: began + STRETCH,
            least: None,
            found: 0,
        }
    }

    /// Takes a video frame: how many milliseconds later than its own time it arrived by the
    /// wall clock, and when.
    pub(crate) fn frame(&mut self, late: i64, at: Instant) {
        if at >= self.until {
            self.found = self.least.take().unwrap_or(0);
            self.until = at + STRETCH;
        }
        self.least = Some(self.least.map_or(late, |least| least.min(late)));
    }

    /// Milliseconds to add to the run's times, when they are wrong by more than [`LIMIT`].
    pub(crate) fn correction(&self) -> Option<i64> {
        (self.found.saturating_abs() > LIMIT).then_some(self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64, late: impl Fn(u64) -> i64) -> Option<i64> {
        let start = Instant::now();
        let mut lateness = Lateness::new(start);
        for i in 0..seconds * 10 {
            lateness.frame(late(i), start + Duration::from_millis(i * 100));
        }
        lateness.correction()
    }

    #[test]
    fn slow_frames_are_not_taken_for_a_wrong_clock() {
        assert_eq!(after(600, |i| if i % 50 == 0 { 5 } else { 3_000 }), None);
        assert_eq!(after(600, |_| LIMIT), None);
    }

    #[test]
    fn what_even_the_quickest_frame_shows_is_corrected() {
        let jitter = |i: u64| i64::try_from(i % 7).unwrap() * 100;
        assert_eq!(after(125, |i| 620 + jitter(i)), Some(620));
        assert_eq!(after(125, |i| jitter(i) - 900), Some(-900));
        // A burst at the start: all frames after the first prove to be old.
        assert_eq!(after(61, |i| if i == 0 { 0 } else { -4_000 }), Some(-4_000));
    }
}

//! How fast uploads move, measured from the bytes that were let through.

use std::time::{Duration, Instant};

/// Over how long speed is measured.
const OVER: Duration = Duration::from_secs(10);

/// Sights of a growing count of bytes.
#[derive(Default)]
pub(super) struct Meter {
    seen: std::collections::VecDeque<(Instant, u64)>,
}

impl Meter {
    /// Bytes per second over the last seconds, now that so many went through in all.
    pub(super) fn rate(&mut self, granted: u64) -> u64 {
        self.rate_at(granted, Instant::now())
    }

    fn rate_at(&mut self, granted: u64, now: Instant) -> u64 {
        self.seen.push_back((now, granted));
        while self.seen.len() > 1 && self.seen.get(1).is_some_and(|(at, _)| now - *at >= OVER) {
            self.seen.pop_front();
        }
        let Some((at, before)) = self.seen.front() else {
            return 0;
        };
        let seconds = (now - *at).as_secs_f64();
        if seconds < 0.5 {
            return 0;
        }
        (granted.saturating_sub(*before) as f64 / seconds) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_what_moves_and_falls_to_nothing() {
        let mut meter = Meter::default();
        let start = Instant::now();
        for s in 0..20u64 {
            meter.rate_at(s * 1000, start + Duration::from_secs(s));
        }
        assert_eq!(meter.rate_at(20_000, start + Duration::from_secs(20)), 1000);
        assert_eq!(meter.rate_at(20_000, start + Duration::from_secs(40)), 0);
    }
}

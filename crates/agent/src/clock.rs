//! The wall clock of this computer against its steady clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oriel_api::Timestamp;

/// A difference that is a step and not the slow correction of a time service.
const STEP: Duration = Duration::from_secs(1);

/// Wall-clock time of a moment that lies a little in the past.
pub(crate) fn wall_at(moment: Instant) -> Timestamp {
    wall_of(moment, Instant::now(), SystemTime::now())
}

fn wall_of(moment: Instant, now: Instant, wall: SystemTime) -> Timestamp {
    let ago = i64::try_from(now.saturating_duration_since(moment).as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_ms(unix_ms(wall).saturating_sub(ago))
}

/// Now, by the wall clock.
pub(crate) fn wall_now() -> Timestamp {
    Timestamp::from_ms(unix_ms(SystemTime::now()))
}

fn unix_ms(wall: SystemTime) -> i64 {
    match wall.duration_since(UNIX_EPOCH) {
        Ok(d) => i64::try_from(d.as_millis()).unwrap_or(i64::MAX),
        Err(e) => -i64::try_from(e.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

/// Notices when the wall clock is moved. Sleep of the computer counts too: the steady clock
/// stands still then on Linux and macOS.
#[derive(Debug)]
pub(crate) struct StepWatch {
    at: Instant,
    wall_ms: i64,
}

impl StepWatch {
    pub(crate) fn new() -> Self {
        Self::from(Instant::now(), SystemTime::now())
    }

    fn from(at: Instant, wall: SystemTime) -> Self {
        Self {
            at,
            wall_ms: unix_ms(wall),
        }
    }

    /// Whether it was moved since the last call.
    pub(crate) fn stepped(&mut self) -> bool {
        self.stepped_at(Instant::now(), SystemTime::now())
    }

    fn stepped_at(&mut self, now: Instant, wall: SystemTime) -> bool {
        let steady = i64::try_from((now - self.at).as_millis()).unwrap_or(i64::MAX);
        let walled = unix_ms(wall).saturating_sub(self.wall_ms);
        *self = Self::from(now, wall);
        walled.abs_diff(steady) > STEP.as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_both_directions_are_noticed_and_slow_corrections_are_not() {
        let (start, wall) = (Instant::now(), SystemTime::now());
        let s = Duration::from_secs;
        let mut watch = StepWatch::from(start, wall);
        for i in 1..100u64 {
            // 0.4 s of correction a second is more than any time service does.
            let corrected = wall + Duration::from_millis(1400 * i);
            assert!(!watch.stepped_at(start + s(i), corrected));
        }
        let mut watch = StepWatch::from(start, wall);
        assert!(watch.stepped_at(start + s(1), wall + s(3600)));
        assert!(!watch.stepped_at(start + s(2), wall + s(3601)));
        assert!(watch.stepped_at(start + s(3), wall - s(3600)));
    }

    #[test]
    fn a_moment_in_the_past_has_an_earlier_wall_time() {
        let now = Instant::now();
        let wall = UNIX_EPOCH + Duration::from_secs(1000);
        let past = wall_of(now, now + Duration::from_millis(250), wall);
        assert_eq!(past.ms(), 999_750);
    }
}

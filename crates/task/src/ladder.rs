//! How long to wait before trying again.

use std::time::Duration;

/// Whether trying again soon can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It may be gone in a moment.
    Transient,
    /// A person has to act (wrong password, missing plugin); tried again every minute.
    Lasting,
    /// Not a fault: start again at once.
    Immediate,
}

/// 1 s five times, 5 s five times, 15 s ten times, then 60 s; each with up to 20 % jitter so
/// that many cameras behind one switch do not come back in step. Back to the start after 60 s
/// of health.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    failures: u32,
    immediate: u32,
}

impl Ladder {
    /// Health for this long starts the ladder again.
    pub const HEALTHY_AFTER: Duration = Duration::from_secs(60);
    /// The top of the ladder.
    pub const LONGEST: Duration = Duration::from_secs(60);

    /// The wait before the next attempt. `healthy_for` is how long the last attempt worked.
    pub fn next(&mut self, severity: Severity, healthy_for: Duration) -> Duration {
        if healthy_for >= Self::HEALTHY_AFTER {
            *self = Self::default();
        }
        let base = match severity {
            Severity::Lasting => Self::LONGEST,
            // A thing that changes at every attempt would spin: after three it climbs.
            Severity::Immediate if self.immediate < 3 => {
                self.immediate += 1;
                return Duration::ZERO;
            }
            Severity::Immediate | Severity::Transient => {
                let base = match self.failures {
                    0..5 => Duration::from_secs(1),
                    5..10 => Duration::from_secs(5),
                    10..20 => Duration::from_secs(15),
                    _ => Self::LONGEST,
                };
                self.failures = self.failures.saturating_add(1);
                base
            }
        };
        base.mul_f64(0.8 + 0.2 * random_unit())
    }

    /// Starts again from the first rung, after a person changed something.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

fn random_unit() -> f64 {
    let mut byte = [0u8; 1];
    // Without randomness the jitter is constant, which is harmless.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn climbs_and_starts_again_after_health() {
        let mut ladder = Ladder::default();
        let waits = |n: usize, l: &mut Ladder| -> Vec<u64> {
            (0..n)
                .map(|_| {
                    l.next(Severity::Transient, Duration::ZERO)
                        .as_secs_f64()
                        .ceil() as u64
                })
                .collect()
        };
        let seen = waits(21, &mut ladder);
        assert!(seen[..5].iter().all(|&s| s == 1));
        assert!(seen[5..10].iter().all(|s| (4..=5).contains(s)));
        assert!(seen[10..20].iter().all(|s| (12..=15).contains(s)));
        assert!((48..=60).contains(&seen[20]));
        assert!(ladder.next(Severity::Transient, Ladder::HEALTHY_AFTER) <= Duration::from_secs(1));
    }

    #[test]
    fn lasting_faults_go_straight_to_a_minute_and_immediate_ones_do_not_spin() {
        let mut ladder = Ladder::default();
        assert!(ladder.next(Severity::Lasting, Duration::ZERO) >= Duration::from_secs(48));
        for _ in 0..3 {
            assert_eq!(
                ladder.next(Severity::Immediate, Duration::ZERO),
                Duration::ZERO
            );
        }
        assert!(ladder.next(Severity::Immediate, Duration::ZERO) > Duration::ZERO);
    }
}

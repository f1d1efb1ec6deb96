//! How fast bytes may leave: one small bucket of tokens for all uploads together.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// What may be sent at once after a pause, in time at the set rate.
const BURST: Duration = Duration::from_millis(250);

/// A limit in bytes per second that can be changed while transfers run.
#[derive(Debug)]
pub struct Bandwidth {
    state: Mutex<State>,
    /// Bytes granted so far.
    granted: AtomicU64,
}

#[derive(Debug)]
struct State {
    rate: Option<u64>,
    /// When everything granted so far will have been sent at the rate.
    paid_until: Instant,
}

impl Bandwidth {
    /// A limit in bytes per second; `None` (or zero) is no limit.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            state: Mutex::new(State {
                rate: bytes_per_second.filter(|r| *r > 0),
                paid_until: Instant::now(),
            }),
            granted: AtomicU64::new(0),
        }
    }

    /// Bytes that all takers were granted so far: what speed is measured from.
    pub fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Changes the limit from the next chunk on.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        let mut state = self.state();
        state.rate = bytes_per_second.filter(|r| *r > 0);
        // Debts made at another rate are forgiven: a lifted limit must take effect at once.
        state.paid_until = Instant::now();
    }

    /// The limit in bytes per second.
    pub fn rate(&self) -> Option<u64> {
        self.state().rate
    }

    /// The best size of a chunk between `small` and `large`: about a tenth of a second.
    pub(crate) fn chunk(&self, small: usize, large: usize) -> usize {
        match self.rate() {
            None => large,
            Some(rate) => usize::try_from(rate / 10)
                .unwrap_or(large)
                .clamp(small, large),
        }
    }

    /// Waits until `bytes` may be sent. Callers are served in the order they came.
    pub async fn take(&self, bytes: u64) {
        self.granted.fetch_add(bytes, Ordering::Relaxed);
        let until = {
            let mut state = self.state();
            let Some(rate) = state.rate else { return };
            let now = Instant::now();
            let begin = state.paid_until.max(now.checked_sub(BURST).unwrap_or(now));
            let cost = Duration::from_secs_f64(bytes as f64 / rate as f64);
            state.paid_until = begin + cost;
            state.paid_until
        };
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn holds_the_rate_over_all_takers() {
        let limit = Bandwidth::new(Some(10_000));
        let begin = Instant::now();
        let taker = || async {
            for _ in 0..50 {
                limit.take(1000).await;
            }
        };
        tokio::join!(taker(), taker());
        let took = begin.elapsed();
        assert!((9.7..=10.1).contains(&took.as_secs_f64()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_and_a_lifted_limit_wait_for_nothing() {
        let limit = Bandwidth::new(None);
        let begin = Instant::now();
        limit.take(u64::MAX).await;
        limit.set(Some(1));
        limit.take(5).await;
        assert!(begin.elapsed() > Duration::from_secs(4));
        limit.set(Some(0));
        let begin = Instant::now();
        limit.take(1_000_000).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }
}

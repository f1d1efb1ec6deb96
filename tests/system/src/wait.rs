//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// How long anything may take on a slow, busy machine before it counts as never.
pub const GENEROUS: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer; panics with `what` when there never is.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    within(GENEROUS, what, &mut ask)
}

/// The same with a deadline of its own.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < limit, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

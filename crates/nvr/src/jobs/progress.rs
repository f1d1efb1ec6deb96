//! How far a job is, told to viewers at a bearable rate, and whether it is still wanted.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::lock;

/// Viewers are told at most this often.
const APART: Duration = Duration::from_millis(500);
/// A job that does not move for so long has got stuck somewhere. Longer than any single call to a
/// bucket may take: copying a part of 512 MB inside it has ten minutes.
const STUCK: Duration = Duration::from_secs(15 * 60);

type Tell = Box<dyn Fn() + Send + Sync>;

/// How far a job is.
pub(crate) struct Progress {
    permille: AtomicU32,
    moved: Mutex<Instant>,
    told: Mutex<Option<(Instant, u32)>>,
    tell: Tell,
    cancel: CancellationToken,
}

impl Progress {
    /// Nothing is done yet. `tell` is told of every step that is worth it.
    pub(crate) fn new(cancel: CancellationToken, tell: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            permille: AtomicU32::new(0),
            moved: Mutex::new(Instant::now()),
            told: Mutex::new(None),
            tell: Box::new(tell),
            cancel,
        }
    }

    /// 0 to 1.
    pub(crate) fn fraction(&self) -> f64 {
        f64::from(self.permille.load(Ordering::Relaxed)) / 1000.0
    }

    /// Nobody wants it any more.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Returns when it has not moved for far too long.
    pub(crate) async fn stuck(&self) {
        loop {
            let since = lock(&self.moved).elapsed();
            let Some(left) = STUCK.checked_sub(since) else {
                return;
            };
            tokio::time::sleep(left.max(Duration::from_millis(10))).await;
        }
    }
}

impl Progress {
    /// It goes on.
    pub(super) fn alive(&self) {
        *lock(&self.moved) = Instant::now();
    }

    /// So many bytes of so many are done.
    pub(super) fn advanced(&self, done: u64, total: u64) {
        let permille = done.min(total).saturating_mul(1000) / total.max(1);
        let permille = u32::try_from(permille).unwrap_or(1000);
        self.alive();
        self.permille.store(permille, Ordering::Relaxed);
        let percent = permille / 10;
        {
            let mut told = lock(&self.told);
            let worth = told.is_none_or(|(at, told)| told != percent && at.elapsed() >= APART);
            if !worth {
                return;
            }
            *told = Some((Instant::now(), percent));
        }
        (self.tell)();
    }

    /// Whether nobody wants it any more.
    pub(crate) fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

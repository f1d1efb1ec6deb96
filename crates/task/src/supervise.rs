//! The one loop that tries again.

use std::{
    any::Any,
    future::Future,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use crate::{Ladder, Severity};

/// What one attempt came to.
pub struct Attempt<E> {
    /// Why it ended; `Ok` is an orderly end, after which it is tried again like a transient fault.
    pub result: Result<(), E>,
    /// How long it worked: from the first sign of life to the end.
    pub healthy_for: Duration,
}

/// Where a supervised thing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status<E> {
    /// An attempt runs.
    Running,
    /// The last attempt ended; the next begins at `until`.
    Waiting {
        /// When the next attempt begins.
        until: Instant,
        /// Why the last one ended; `None` after an orderly end.
        error: Option<E>,
        /// Whether a person has to act.
        lasting: bool,
    },
    /// The last attempt panicked, which is a fault of ours; the next begins at `until`.
    Broken {
        /// When the next attempt begins.
        until: Instant,
    },
    /// Cancelled.
    Stopped,
}

/// A thing that can be run once.
pub trait Supervised: Send {
    /// Why an attempt fails.
    type Error: std::error::Error + Clone + Send + Sync + 'static;

    /// Runs until it fails, ends or is cancelled. No retry inside.
    fn run_once(
        &mut self,
        cancel: CancellationToken,
    ) -> impl Future<Output = Attempt<Self::Error>> + Send;

    /// Whether trying again soon can help.
    fn severity(&self, error: &Self::Error) -> Severity;
}

/// Runs a thing again and again until cancelled. `nudge` cuts a wait short and starts the
/// ladder again: a person changed something. A panic inside an attempt is logged and tried again
/// like a transient fault; `thing` must bear to be run again after one.
pub async fn supervise<S: Supervised>(
    name: &str,
    mut thing: S,
    status: watch::Sender<Status<S::Error>>,
    nudge: std::sync::Arc<tokio::sync::Notify>,
    cancel: CancellationToken,
) {
    let mut ladder = Ladder::default();
    let span = info_span!("supervised", name);
    async {
        while !cancel.is_cancelled() {
            status.send_replace(Status::Running);
            let began = Instant::now();
            let attempt = AssertUnwindSafe(thing.run_once(cancel.child_token()))
                .catch_unwind()
                .await;
            if cancel.is_cancelled() {
                if let Err(panic) = &attempt {
                    error!(panic = words(panic.as_ref()), "broke while it was stopped");
                }
                break;
            }
            let wait = match attempt {
                Ok(attempt) => {
                    let (wait, waiting) = judge(&thing, attempt, &mut ladder);
                    status.send_replace(waiting);
                    wait
                }
                Err(panic) => {
                    let wait = ladder.next(Severity::Transient, began.elapsed());
                    error!(
                        panic = words(panic.as_ref()),
                        wait_ms = wait.as_millis() as u64,
                        "broke; will try again"
                    );
                    status.send_replace(Status::Broken {
                        until: Instant::now() + wait,
                    });
                    wait
                }
            };
            tokio::select! {
                () = cancel.cancelled() => break,
                () = nudge.notified() => ladder.reset(),
                () = tokio::time::sleep(wait) => {}
            }
        }
        status.send_replace(Status::Stopped);
    }
    .instrument(span)
    .await;
}

/// How long to wait after an attempt that ended, and what to tell.
fn judge<S: Supervised>(
    thing: &S,
    attempt: Attempt<S::Error>,
    ladder: &mut Ladder,
) -> (Duration, Status<S::Error>) {
    let severity = attempt
        .result
        .as_ref()
        .err()
        .map_or(Severity::Transient, |e| thing.severity(e));
    let wait = ladder.next(severity, attempt.healthy_for);
    match &attempt.result {
        Ok(()) => info!(wait_ms = wait.as_millis() as u64, "ended; will start again"),
        Err(error) => warn!(%error, wait_ms = wait.as_millis() as u64, "failed; will try again"),
    }
    let waiting = Status::Waiting {
        until: Instant::now() + wait,
        error: attempt.result.err(),
        lasting: severity == Severity::Lasting,
    };
    (wait, waiting)
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };
    use tokio::sync::Notify;

    #[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
    #[error("broken")]
    struct Broken(Severity);

    struct Failing(Arc<AtomicU32>, Severity);
    impl Supervised for Failing {
        type Error = Broken;
        async fn run_once(&mut self, _: CancellationToken) -> Attempt<Broken> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Attempt {
                result: Err(Broken(self.1)),
                healthy_for: Duration::ZERO,
            }
        }
        fn severity(&self, error: &Broken) -> Severity {
            error.0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tries_again_and_stops_when_told() {
        let runs = Arc::new(AtomicU32::new(0));
        let (tx, mut rx) = watch::channel(Status::Stopped);
        let cancel = CancellationToken::new();
        let task = tokio::spawn({
            let (cancel, runs) = (cancel.clone(), runs.clone());
            async move {
                supervise(
                    "t",
                    Failing(runs, Severity::Transient),
                    tx,
                    Arc::new(Notify::new()),
                    cancel,
                )
                .await
            }
        });
        while runs.load(Ordering::SeqCst) < 7 {
            rx.changed().await.unwrap();
        }
        cancel.cancel();
        task.await.unwrap();
        assert_eq!(*rx.borrow(), Status::Stopped);
    }

    #[tokio::test(start_paused = true)]
    async fn a_nudge_ends_a_long_wait() {
        let runs = Arc::new(AtomicU32::new(0));
        let (tx, mut rx) = watch::channel(Status::Stopped);
        let (cancel, nudge) = (CancellationToken::new(), Arc::new(Notify::new()));
        let started = tokio::time::Instant::now();
        let task = tokio::spawn({
            let (cancel, runs, nudge) = (cancel.clone(), runs.clone(), nudge.clone());
            async move { supervise("t", Failing(runs, Severity::Lasting), tx, nudge, cancel).await }
        });
        rx.wait_for(|s| matches!(s, Status::Waiting { lasting: true, .. }))
            .await
            .unwrap();
        nudge.notify_one();
        while runs.load(Ordering::SeqCst) < 2 {
            rx.changed().await.unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(40));
        cancel.cancel();
        task.await.unwrap();
    }

    struct Panicking(Arc<AtomicU32>);
    impl Supervised for Panicking {
        type Error = Broken;
        async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Broken> {
            if self.0.fetch_add(1, Ordering::SeqCst) < 2 {
                panic!("on purpose");
            }
            cancel.cancelled().await;
            Attempt {
                result: Ok(()),
                healthy_for: Duration::ZERO,
            }
        }
        fn severity(&self, error: &Broken) -> Severity {
            error.0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_told_and_tried_again() {
        let runs = Arc::new(AtomicU32::new(0));
        let (tx, mut rx) = watch::channel(Status::Stopped);
        let cancel = CancellationToken::new();
        let task = tokio::spawn({
            let (cancel, runs) = (cancel.clone(), runs.clone());
            async move { supervise("t", Panicking(runs), tx, Arc::new(Notify::new()), cancel).await }
        });
        rx.wait_for(|s| matches!(s, Status::Broken { .. }))
            .await
            .unwrap();
        while runs.load(Ordering::SeqCst) < 3 {
            rx.changed().await.unwrap();
        }
        cancel.cancel();
        task.await.unwrap();
        assert_eq!(*rx.borrow(), Status::Stopped);
    }
}

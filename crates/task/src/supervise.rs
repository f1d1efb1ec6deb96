//! The one loop that tries again.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, info_span, warn};

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
/// ladder again: a person changed something. A panic inside an attempt is the caller's to
/// join; spawn this in a task that is joined.
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
            let attempt = thing.run_once(cancel.child_token()).await;
            if cancel.is_cancelled() {
                break;
            }
            let severity = attempt
                .result
                .as_ref()
                .err()
                .map_or(Severity::Transient, |e| thing.severity(e));
            let wait = ladder.next(severity, attempt.healthy_for);
            match &attempt.result {
                Ok(()) => info!(wait_ms = wait.as_millis() as u64, "ended; will start again"),
                Err(error) => {
                    warn!(%error, wait_ms = wait.as_millis() as u64, "failed; will try again")
                }
            }
            status.send_replace(Status::Waiting {
                until: Instant::now() + wait,
                error: attempt.result.err(),
                lasting: severity == Severity::Lasting,
            });
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
}

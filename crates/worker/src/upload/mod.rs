//! Brings what the queue names to the destination: oldest first, some at a time, for ever.
//!
//! One supervised task decides, transfers run beside it. What can pass by itself is tried again
//! with growing waits; what somebody has to put right stops everything but one probe, and is
//! said. The queue itself is the nvr's, sending and verifying are the bucket's.

mod hours;
mod meter;
mod transfer;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use oriel_api::{
    Error, Timestamp, UploadState, UploadStatus,
    link::{UploadId, UploadQueue, UploadTask},
};
use oriel_bucket::{SharedStores, StoredAt, Stores};
use oriel_task::{Attempt, Ladder, Severity, Status, Supervised, supervise};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::{
    hours::is_open,
    meter::Meter,
    transfer::{Ended, Transfer},
};
use crate::{place::Place, spool::Spool};

/// The queue is asked at least so often: whatever wakes us may have been missed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// While somebody has to act, one object is tried so often.
const PROBE_EVERY: Duration = Duration::from_secs(60);
/// An object that failed lets others be tried first for so many pauses.
const OTHERS_FIRST: u32 = 2;
/// The longest wait of one object that fails again and again.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// What uploading needs.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) stores: SharedStores,
    pub(crate) queue: Arc<dyn UploadQueue>,
    pub(crate) spool: Spool,
    pub(crate) place: Arc<Place>,
}

/// Why nothing is sent for the moment.
enum Pause {
    /// It may pass: until then.
    Until(Instant, String),
    /// Somebody has to act: what is wrong, and when one object is tried.
    Fault(Instant, String),
}

struct Uploader {
    tools: Tools,
    running: JoinSet<(UploadTask, Ended)>,
    busy: Vec<UploadId>,
    pause: Option<Pause>,
    ladder: Ladder,
    meter: Meter,
    uploaded: (u64, u64),
    told: Option<UploadStatus>,
    /// Where what runs is sent to.
    at: StoredAt,
}

pub(crate) fn spawn(tools: Tools, cancel: CancellationToken) {
    let uploader = Uploader {
        tools,
        running: JoinSet::new(),
        busy: Vec::new(),
        pause: None,
        ladder: Ladder::default(),
        meter: Meter::default(),
        uploaded: (0, 0),
        told: None,
        at: StoredAt::default(),
    };
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = Arc::new(Notify::new());
    tokio::spawn(async move { supervise("uploads", uploader, status, nudge, cancel).await });
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_ms(since.map_or(0, |d| d.as_millis() as i64))
}

fn later(wait: Duration) -> Timestamp {
    let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_ms(wall_clock().ms().saturating_add(ms))
}

/// How long an object waits that failed for the `tries`th time: doubling from 2 s, with a spread
/// of a quarter so that many do not come back together.
fn wait_of(tries: u32, id: UploadId) -> Duration {
    let seconds = 2u64.saturating_mul(1 << tries.min(12));
    let whole = Duration::from_secs(seconds).min(LONGEST_WAIT);
    let spread = (id.unsigned_abs().wrapping_mul(2_654_435_761) % 256) as f64 / 1024.0;
    whole.mul_f64(1.0 - spread)
}

impl Uploader {
    fn tell(&mut self, state: UploadState, error: Option<String>, retry: Option<Instant>) {
        let stores = self.tools.stores.now();
        let retry_at = retry.map(|at| later(at.saturating_duration_since(Instant::now())));
        // Seconds are enough for people, and the same is told once.
        let retry_at = retry_at.map(|t| Timestamp::from_ms(t.ms() / 1000 * 1000));
        let status = UploadStatus {
            state,
            bytes_per_second: self.meter.rate(stores.bandwidth.granted()),
            uploaded: self.uploaded.0,
            uploaded_bytes: self.uploaded.1,
            error,
            retry_at,
            ..UploadStatus::default()
        };
        if self.told.as_ref() != Some(&status) {
            self.tools.queue.uploads_changed(status.clone());
            self.told = Some(status);
        }
    }

    /// One turn: tells how it stands, sends what may be sent. Gives when to look again.
    async fn turn(&mut self, stores: &Arc<Stores>) -> Result<Instant, Error> {
        let now = Instant::now();
        let soon = now + LOOK_EVERY;
        let Some(remote) = stores.remote.clone() else {
            match &stores.remote_error {
                Some(error) => self.tell(UploadState::Stopped, Some(error.clone()), None),
                None => self.tell(UploadState::Off, None, None),
            }
            return Ok(soon);
        };
        if self.at != remote.at {
            // Nobody waits for what would be at the destination before.
            self.running.shutdown().await;
            self.busy.clear();
            self.at = remote.at.clone();
        }
        let plan = self.tools.queue.upload_plan();
        if !plan
            .hours
            .is_none_or(|hours| is_open(hours, hours::minute_now()))
        {
            self.tell(UploadState::OutsideWindow, None, None);
            return Ok(soon);
        }
        let mut at_once = plan.at_once.clamp(1, 16);
        match &self.pause {
            Some(Pause::Until(at, error)) if *at > now => {
                let (at, error) = (*at, error.clone());
                self.tell(UploadState::Retrying, Some(error), Some(at));
                return Ok(at.min(soon));
            }
            Some(Pause::Fault(at, error)) if *at > now => {
                let (at, error) = (*at, error.clone());
                self.tell(UploadState::Stopped, Some(error), Some(at));
                return Ok(at.min(soon));
            }
            // The pause is over when one object went through.
            Some(_) => at_once = 1,
            None => {}
        }
        let room = at_once.saturating_sub(self.running.len());
        if room > 0 {
            let tasks = self.tools.queue.uploads_due(&self.busy, room).await?;
            for task in tasks {
                self.busy.push(task.id);
                let transfer = Transfer {
                    remote: remote.clone(),
                    stores: stores.clone(),
                    tools: self.tools.clone(),
                };
                self.running.spawn(async move {
                    let ended = transfer.run(&task).await;
                    (task, ended)
                });
            }
        }
        match &self.pause {
            Some(Pause::Until(_, error)) => {
                let error = error.clone();
                self.tell(UploadState::Retrying, Some(error), None);
            }
            Some(Pause::Fault(_, error)) => {
                let error = error.clone();
                self.tell(UploadState::Stopped, Some(error), None);
            }
            None if self.running.is_empty() => self.tell(UploadState::Idle, None, None),
            None => self.tell(UploadState::Uploading, None, None),
        }
        // Speed is told while something moves.
        let step = if self.running.is_empty() {
            LOOK_EVERY
        } else {
            Duration::from_secs(1)
        };
        Ok(now + step)
    }

    async fn ended(&mut self, task: UploadTask, ended: Ended) -> Result<(), Error> {
        self.busy.retain(|id| *id != task.id);
        let queue = &self.tools.queue;
        match ended {
            Ended::Done(done) => {
                self.uploaded.0 += 1;
                self.uploaded.1 += done.bytes;
                if self.pause.take().is_some() {
                    info!("uploads go on");
                }
                self.ladder.reset();
                queue.upload_done(task.id, done).await
            }
            Ended::Impossible { reason, gone } => {
                queue.upload_impossible(task.id, reason, gone).await
            }
            Ended::Object(error) => {
                let wait = wait_of(task.tries, task.id);
                warn!(
                    key = task.key,
                    error,
                    wait_s = wait.as_secs(),
                    "not uploaded; will try again"
                );
                queue.upload_failed(task.id, error, later(wait)).await
            }
            Ended::Passing(error) => {
                let wait = self.ladder.next(Severity::Transient, Duration::ZERO);
                warn!(
                    key = task.key,
                    error,
                    wait_ms = wait.as_millis() as u64,
                    "the destination cannot be used for the moment"
                );
                let until = Instant::now() + wait;
                // What is known to need somebody stays said until it works.
                if !matches!(self.pause, Some(Pause::Fault(..))) {
                    self.pause = Some(Pause::Until(until, error.clone()));
                }
                // Perhaps it is this object alone: the next attempt is another one's.
                let due = later(wait * OTHERS_FIRST);
                queue.upload_failed(task.id, error, due).await
            }
            Ended::Fault(error) => {
                if !matches!(&self.pause, Some(Pause::Fault(_, e)) if *e == error) {
                    warn!(error, "uploads have stopped until somebody acts");
                }
                self.pause = Some(Pause::Fault(Instant::now() + PROBE_EVERY, error.clone()));
                let due = later(PROBE_EVERY * OTHERS_FIRST);
                queue.upload_failed(task.id, error, due).await
            }
            Ended::Local(error) => {
                let wait = wait_of(task.tries.max(3), task.id);
                queue.upload_failed(task.id, error, later(wait)).await
            }
        }
    }

    /// Somebody changed something, or asks for it to be tried at once.
    fn hurry(&mut self) {
        self.ladder.reset();
        match &mut self.pause {
            Some(Pause::Until(at, _) | Pause::Fault(at, _)) => *at = Instant::now(),
            None => {}
        }
    }
}

impl Supervised for Uploader {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        let mut changed = self.tools.stores.subscribe();
        let result = loop {
            let stores = changed.borrow_and_update().clone();
            let until = match self.turn(&stores).await {
                Ok(until) => until,
                Err(error) => break Err(error),
            };
            let queue = self.tools.queue.clone();
            tokio::select! {
                () = cancel.cancelled() => {
                    // Cut in the middle of an object: the store has none of it.
                    self.running.abort_all();
                    break Ok(());
                }
                Some(joined) = self.running.join_next() => match joined {
                    Ok((task, ended)) => if let Err(error) = self.ended(task, ended).await {
                        break Err(error);
                    },
                    Err(error) if error.is_panic() => {
                        // Which one it was is not known: nothing is busy that does not run.
                        self.running.shutdown().await;
                        self.busy.clear();
                        break Err(Error::internal("an upload broke"));
                    }
                    Err(_) => {}
                },
                again = queue.uploads_wait() => if again { self.hurry() },
                Ok(()) = changed.changed() => self.hurry(),
                () = tokio::time::sleep_until(until.into()) => {}
            }
        };
        Attempt {
            result,
            healthy_for: begun.elapsed(),
        }
    }

    fn severity(&self, _: &Error) -> Severity {
        Severity::Transient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_fails_waits_longer_each_time_but_never_for_ever() {
        for id in [1, 77, 4096] {
            let waits: Vec<_> = (0..40).map(|n| wait_of(n, id)).collect();
            assert!(waits.is_sorted());
            assert!(waits[0] >= Duration::from_millis(1500));
            assert!(*waits.last().unwrap() <= LONGEST_WAIT);
            assert!(*waits.last().unwrap() >= LONGEST_WAIT.mul_f64(0.75));
        }
        assert_ne!(wait_of(9, 1), wait_of(9, 2));
    }
}

//! The task that keeps footage no longer than it should be kept, and the disk from filling.
//!
//! Oldest first, by age, by quota, by the time of the upload, and last by space. Rows are taken
//! in small transactions, so that the recorder never waits; the collector deletes the bytes.
//! What is locked never goes, and what waits for its upload goes only when somebody said so or
//! the disk is at its reserve, and then it is said.

mod early;
mod space;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{Change, ChannelId, Destination, Error, Result, StorageSettings, Timestamp};
use oriel_store::{Candidate, Held, Retired, Walk, Which};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::early::Early;
use crate::{
    Nvr,
    disk::{self, Deleting},
};

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(10);
/// Segments a transaction takes: some milliseconds.
const BATCH: u32 = 100;
/// Objects that one round takes from the bucket: there is no hurry.
const BUCKET_ROUND: usize = 5000;
/// What could not be deleted is looked at again after this, not in every round.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// Rows without bytes and channels without footage are cleared away so often.
const TIDY: Duration = Duration::from_secs(3600);
/// A disk may take this long to show the space that a deletion freed.
const SHOWS_AFTER: Duration = Duration::from_secs(30);
/// A clock that ran ahead by more than this is not trusted with ages at once.
const LEAP_MS: i64 = 3_600_000;
/// The worker may take this long to look at its disk.
const PATIENCE: Duration = Duration::from_secs(20);

const DAY_MS: i64 = 24 * 3_600_000;
const OLDEST: Timestamp = Timestamp::from_ms(i64::MIN);
const NEWEST: Timestamp = Timestamp::from_ms(i64::MAX);

/// Which rule walks through a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rule {
    Age,
    Quota,
    Bucket,
}

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = nvr.retention.clone();
    tokio::spawn(async move {
        supervise("retention", Retention::new(nvr), status, nudge, cancel).await;
    })
}

pub(crate) struct Retention {
    nvr: Arc<Nvr>,
    /// Where a walk begins that found only what it may not take before, and until when.
    skips: HashMap<(ChannelId, Rule), (Timestamp, Instant)>,
    /// The same for copies by the time of their upload.
    copies: Option<((Timestamp, i64), Instant)>,
    early: Early,
    tidied: Option<Instant>,
    /// Free bytes when space was last made, how many that were, and when.
    freed: Option<(u64, u64, Instant)>,
    /// Files that could not be deleted when none could, and until when none is tried.
    refuses: Option<(usize, Instant)>,
    /// The two clocks at the last round.
    clocks: Option<(Instant, Timestamp)>,
    /// Ages are not trusted before this.
    distrust: Option<Instant>,
}

impl Supervised for Retention {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        let result = loop {
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                done = self.round() => if let Err(error) = done { break Err(error) },
            }
            let notice = self.nvr.retention.clone();
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                () = notice.notified() => self.forget(),
                () = tokio::time::sleep(EVERY) => {}
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

/// What a walk took.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    bytes: u64,
    count: usize,
}

impl Taken {
    fn add(&mut self, rows: &[Retired]) {
        self.count += rows.len();
        self.bytes += rows.iter().map(|r| r.bytes).sum::<u64>();
    }
}

/// The first of these that together have so many bytes.
fn enough(rows: Vec<Candidate>, bytes: Option<u64>) -> Vec<Candidate> {
    let Some(wanted) = bytes else { return rows };
    let mut sum = 0;
    rows.into_iter()
        .take_while(|row| {
            let more = sum < wanted;
            sum += row.bytes;
            more
        })
        .collect()
}

impl Retention {
    pub(crate) fn new(nvr: Arc<Nvr>) -> Self {
        Self {
            nvr,
            skips: HashMap::new(),
            copies: None,
            early: Early::default(),
            tidied: None,
            freed: None,
            refuses: None,
            clocks: None,
            distrust: None,
        }
    }

    /// A rule changed: everything is looked at anew.
    fn forget(&mut self) {
        self.skips.clear();
        self.copies = None;
    }

    /// Looks at everything once.
    async fn round(&mut self) -> Result<()> {
        let settings = self.nvr.storage_settings();
        self.round_by(settings).await
    }

    pub(crate) async fn round_by(&mut self, settings: StorageSettings) -> Result<()> {
        let worker = self.nvr.links()?.worker;
        let look = || async {
            let sight = tokio::time::timeout(PATIENCE, worker.disk()).await;
            sight.unwrap_or_default()
        };
        let mut sight = look().await;
        let held = self.nvr.store.held().await?;
        let footage = held.iter().map(|h| h.local_bytes).sum();
        let reserve = disk::reserve(settings.reserve_mb, &sight, footage);
        let mut stuck = false;
        // Of a disk that is not there, or cannot be written, nothing can be deleted.
        if sight.fault.is_none() {
            let now = self.nvr.clock_now();
            let mut taken = 0;
            if self.clock_is_trusted(now) {
                taken += self.by_age(&held, &settings, now).await?;
                taken += self.by_upload(&settings, now).await?;
            }
            taken += self.by_quota(&settings).await?;
            if taken > 0 {
                self.nvr.sweep_files().await?;
                sight = look().await;
            }
            if let Some((free, _)) = sight.space {
                stuck = self.by_space(free, reserve, &settings, now).await?;
            }
            if self.clock_is_trusted(now) {
                self.by_bucket_age(&held, &settings, now).await?;
                self.tidy(&held, &settings, now).await?;
            }
        }
        let by_space =
            settings.retention_days.is_none() && held.iter().all(|h| h.retention_days.is_none());
        let now = Instant::now();
        let deleting = Deleting {
            early: self.early.last(),
            by_space,
            stuck,
        };
        let before = self.nvr.disk_now().level;
        let state = disk::judge(before, &sight, reserve, deleting, now);
        self.nvr.disk_changed(state, stuck);
        if let Some(reason) = self.early.due(now) {
            self.nvr.deleted_early(reason).await?;
        }
        Ok(())
    }

    /// Whether the clock has not just leapt ahead: a wrong year must not delete everything.
    fn clock_is_trusted(&mut self, now: Timestamp) -> bool {
        let mono = Instant::now();
        if let Some((then, wall)) = self.clocks {
            let passed = mono.saturating_duration_since(then).as_millis() as i64;
            let leapt = now.ms().saturating_sub(wall.ms()).saturating_sub(passed);
            if leapt > LEAP_MS {
                warn!(
                    leapt,
                    "the clock leapt ahead; ages are not trusted for an hour"
                );
                self.distrust = Some(mono + Duration::from_millis(LEAP_MS.unsigned_abs()));
            } else if leapt < -LEAP_MS {
                self.distrust = None;
            }
        }
        self.clocks = Some((mono, now));
        self.distrust.is_none_or(|until| mono >= until)
    }

    fn skip(&self, channel: &ChannelId, rule: Rule) -> Timestamp {
        match self.skips.get(&(channel.clone(), rule)) {
            Some((after, until)) if Instant::now() < *until => *after,
            _ => OLDEST,
        }
    }

    fn keep_skip(&mut self, channel: &ChannelId, rule: Rule, after: Timestamp) {
        let key = (channel.clone(), rule);
        let until = match self.skips.get(&key) {
            // Looked at from the oldest on every so often, however busy it is.
            Some((_, until)) if Instant::now() < *until => *until,
            _ => Instant::now() + LOOK_AGAIN,
        };
        self.skips.insert(key, (after, until));
    }

    /// Goes through a channel until the end or so many bytes.
    async fn drain(&mut self, rule: Rule, mut walk: Walk, bytes: Option<u64>) -> Result<Taken> {
        walk.after = self.skip(&walk.channel, rule);
        let waiting = walk.which == Which::Local { waiting: true };
        let mut taken = Taken::default();
        loop {
            let left = bytes.map(|b| b.saturating_sub(taken.bytes));
            if left == Some(0) {
                break;
            }
            let begun = Instant::now();
            let page = self.nvr.store.deletable(walk.clone()).await?;
            let rows = enough(page.rows, left);
            let ids: Vec<_> = rows.iter().map(|r| r.id).collect();
            if ids.is_empty() {
            } else if rule == Rule::Bucket {
                taken.count += self.nvr.store.retire_stored(ids).await?;
                if taken.count >= BUCKET_ROUND {
                    break;
                }
            } else {
                taken.add(&self.nvr.store.retire(ids, waiting).await?);
                self.nvr.garbage.notify_one();
            }
            let Some(next) = page.next else { break };
            walk.after = next;
            self.keep_skip(&walk.channel, rule, next);
            // Half of the time belongs to everybody else.
            tokio::time::sleep(begun.elapsed()).await;
        }
        Ok(taken)
    }

    async fn by_age(
        &mut self,
        held: &[Held],
        settings: &StorageSettings,
        now: Timestamp,
    ) -> Result<usize> {
        let mut all = 0;
        for h in held {
            let Some(end_by) = age_limit(h, settings, now) else {
                continue;
            };
            if h.oldest.is_none_or(|oldest| oldest > end_by) {
                continue;
            }
            let walk = Walk {
                channel: h.channel.clone(),
                which: Which::Local {
                    waiting: settings.delete_unuploaded,
                },
                after: OLDEST,
                before: NEWEST,
                end_by,
                limit: BATCH,
            };
            let taken = self.drain(Rule::Age, walk, None).await?;
            if taken.count > 0 {
                info!(channel = %h.channel, count = taken.count, bytes = taken.bytes, "deleted by age");
            }
            all += taken.count;
        }
        Ok(all)
    }

    async fn by_quota(&mut self, settings: &StorageSettings) -> Result<usize> {
        let mut all = 0;
        // Anew: age has made room.
        for h in self.nvr.store.held().await? {
            let Some(quota) = h.quota_mb.map(|mb| u64::from(mb) * 1_000_000) else {
                continue;
            };
            let excess = h.local_bytes.saturating_sub(quota);
            if excess == 0 {
                continue;
            }
            let walk = Walk {
                which: Which::Local {
                    waiting: settings.delete_unuploaded,
                },
                ..by_size(&h)
            };
            let taken = self.drain(Rule::Quota, walk, Some(excess)).await?;
            if taken.count > 0 {
                info!(channel = %h.channel, count = taken.count, bytes = taken.bytes, "deleted by quota");
            }
            all += taken.count;
        }
        Ok(all)
    }

    /// Local copies that were uploaded long enough ago.
    async fn by_upload(&mut self, settings: &StorageSettings, now: Timestamp) -> Result<usize> {
        let Some(hours) = settings.keep_local_hours else {
            return Ok(0);
        };
        let stored_by = Timestamp::from_ms(now.ms() - i64::from(hours) * 3_600_000);
        let mut after = match self.copies {
            Some((after, until)) if Instant::now() < until => after,
            _ => {
                self.copies = None;
                (OLDEST, i64::MIN)
            }
        };
        let mut taken = Taken::default();
        loop {
            let begun = Instant::now();
            let (ids, next) = self.nvr.store.aged_copies(stored_by, after, BATCH).await?;
            if !ids.is_empty() {
                taken.add(&self.nvr.store.retire(ids, false).await?);
                self.nvr.garbage.notify_one();
            }
            let Some(next) = next else { break };
            after = next;
            let until = self.copies.map_or(Instant::now() + LOOK_AGAIN, |c| c.1);
            self.copies = Some((after, until));
            tokio::time::sleep(begun.elapsed()).await;
        }
        if taken.count > 0 {
            info!(
                count = taken.count,
                bytes = taken.bytes,
                "deleted uploaded copies"
            );
        }
        Ok(taken.count)
    }

    async fn by_bucket_age(
        &mut self,
        held: &[Held],
        settings: &StorageSettings,
        now: Timestamp,
    ) -> Result<()> {
        let Some(days) = settings
            .bucket_days
            .filter(|_| settings.destination != Destination::None)
        else {
            return Ok(());
        };
        let end_by = Timestamp::from_ms(now.ms() - i64::from(days) * DAY_MS);
        let mut any = false;
        for h in held.iter().filter(|h| h.stored_bytes > 0) {
            let walk = Walk {
                channel: h.channel.clone(),
                which: Which::Stored,
                after: OLDEST,
                before: NEWEST,
                end_by,
                limit: BATCH,
            };
            let taken = self.drain(Rule::Bucket, walk, None).await?;
            if taken.count > 0 {
                any = true;
                info!(channel = %h.channel, count = taken.count, "deleted from the bucket by age");
            }
        }
        let (count, gone) = self.nvr.store.retire_snapshots(end_by, BATCH).await?;
        for (_, id) in gone {
            if let Ok(id) = id.parse() {
                self.nvr.push(Change::SnapshotRemoved { id });
            }
        }
        if any || count > 0 {
            self.nvr.bucket_garbage.notify_one();
        }
        Ok(())
    }

    /// Clears away what rules leave behind: rows without bytes, channels without footage.
    async fn tidy(
        &mut self,
        held: &[Held],
        settings: &StorageSettings,
        now: Timestamp,
    ) -> Result<()> {
        if self.tidied.is_some_and(|at| at.elapsed() < TIDY) {
            return Ok(());
        }
        self.tidied = Some(Instant::now());
        for h in held {
            // Where no rule speaks of age, what was lost stays said to be lost.
            let Some(end_by) = age_limit(h, settings, now) else {
                continue;
            };
            while self
                .nvr
                .store
                .retire_missing(h.channel.clone(), end_by, BATCH)
                .await?
                > 0
            {}
        }
        for id in self.nvr.sweep_channels(now).await? {
            self.nvr.push(Change::ChannelRemoved { id });
        }
        Ok(())
    }
}

/// What a channel's age rule lets go.
fn age_limit(held: &Held, settings: &StorageSettings, now: Timestamp) -> Option<Timestamp> {
    let days = held.retention_days.or(settings.retention_days)?;
    Some(Timestamp::from_ms(now.ms() - i64::from(days) * DAY_MS))
}

/// A walk for a rule that asks for bytes: the newest segment of a channel that records stays.
fn by_size(held: &Held) -> Walk {
    Walk {
        channel: held.channel.clone(),
        which: Which::Copies,
        after: OLDEST,
        before: held.newest.filter(|_| held.records).unwrap_or(NEWEST),
        end_by: NEWEST,
        limit: BATCH,
    }
}

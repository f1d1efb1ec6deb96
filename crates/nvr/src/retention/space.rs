//! Room on the disk when it is at its reserve: the oldest of all channels together, first what is
//! in the bucket as well, last what waits for its upload.

use std::{collections::VecDeque, time::Instant};

use oriel_api::{Result, StorageSettings, Timestamp};
use oriel_store::{Candidate, Held, Retired, Walk, Which};
use tracing::info;

use super::{BATCH, LOOK_AGAIN, Retention, SHOWS_AFTER, age_limit, by_size};
use crate::{Nvr, disk};

/// Files that are tried before deletion counts as impossible.
const PROBES: usize = 3;

impl Retention {
    /// Makes room before the reserve is touched. Gives whether there is nothing left to delete
    /// although it is.
    pub(super) async fn by_space(
        &mut self,
        free: u64,
        reserve: u64,
        settings: &StorageSettings,
        now: Timestamp,
    ) -> Result<bool> {
        // What was deleted a moment ago may not show yet.
        let unseen = match self.freed {
            Some((was, freed, at)) if at.elapsed() < SHOWS_AFTER => {
                was.saturating_add(freed).saturating_sub(free).min(freed)
            }
            _ => 0,
        };
        let mut need = disk::aim(reserve).saturating_sub(free.saturating_add(unseen));
        if need == 0 {
            return Ok(false);
        }
        let held = self.nvr.store.held().await?;
        let Some((before, probed)) = self.deletes(&held, settings, now).await? else {
            return Ok(free < reserve);
        };
        let mut rows = probed.len();
        let mut freed: u64 = probed.iter().map(|r| r.bytes).sum();
        need = need.saturating_sub(freed);
        for which in [
            Which::Copies,
            Which::Local { waiting: false },
            Which::Local { waiting: true },
        ] {
            if need == 0 {
                break;
            }
            // What waits for its upload goes only when the reserve itself is at stake.
            if which == (Which::Local { waiting: true }) && !settings.delete_unuploaded {
                need = reserve.saturating_sub(free.saturating_add(unseen).saturating_add(freed));
            }
            let gone = self.oldest_of_all(&held, which, need).await?;
            let bytes: u64 = gone.iter().map(|r| r.bytes).sum();
            self.note_early(&gone, &held, settings, now);
            rows += gone.len();
            freed += bytes;
            need = need.saturating_sub(bytes);
        }
        if freed > 0 {
            let (_, kept) = self.nvr.sweep_files().await?;
            if kept >= before + rows {
                self.refuses = Some((kept, Instant::now() + LOOK_AGAIN));
                return Ok(free < reserve);
            }
            self.freed = Some((free, freed, Instant::now()));
            info!(bytes = freed, "made room on the disk");
        }
        Ok(need > 0 && free.saturating_add(unseen).saturating_add(freed) < reserve)
    }

    /// Whether files can be deleted: bytes that stay on the disk make no room, however many rows
    /// go. Gives how many files cannot be, and what was deleted to find out; `None` when nothing
    /// can be deleted at present.
    async fn deletes(
        &mut self,
        held: &[Held],
        settings: &StorageSettings,
        now: Timestamp,
    ) -> Result<Option<(usize, Vec<Retired>)>> {
        let (_, before) = self.nvr.sweep_files().await?;
        if let Some((kept, until)) = self.refuses
            && before >= kept
            && Instant::now() < until
        {
            return Ok(None);
        }
        self.refuses = None;
        let mut probed = Vec::new();
        if before == 0 {
            return Ok(Some((0, probed)));
        }
        // Some file cannot be deleted, by itself perhaps: another one tells.
        for _ in 0..PROBES {
            let mut gone = self.oldest_of_all(held, Which::Copies, 1).await?;
            if gone.is_empty() {
                let which = Which::Local { waiting: false };
                gone = self.oldest_of_all(held, which, 1).await?;
            }
            // What is left waits for its upload: the deletion itself tells.
            if gone.is_empty() {
                return Ok(Some((before, probed)));
            }
            self.note_early(&gone, held, settings, now);
            let tried = before + probed.len() + gone.len();
            probed.extend(gone);
            let (_, kept) = self.nvr.sweep_files().await?;
            if kept < tried {
                return Ok(Some((before, probed)));
            }
        }
        self.refuses = Some((before + probed.len(), Instant::now() + LOOK_AGAIN));
        Ok(None)
    }

    fn note_early(
        &mut self,
        gone: &[Retired],
        held: &[Held],
        settings: &StorageSettings,
        now: Timestamp,
    ) {
        self.early.note(gone, |channel| {
            let held = held.iter().find(|h| h.channel == *channel);
            held.and_then(|h| age_limit(h, settings, now))
        });
    }

    /// Takes the oldest of all channels together until so many bytes are gone.
    async fn oldest_of_all(
        &mut self,
        held: &[Held],
        which: Which,
        bytes: u64,
    ) -> Result<Vec<Retired>> {
        let waiting = which == Which::Local { waiting: true };
        let mut queues = Vec::new();
        for h in held {
            let walk = Walk {
                which,
                ..by_size(h)
            };
            queues.push(Queue::new(walk));
        }
        let mut gone: Vec<Retired> = Vec::new();
        let mut freed = 0;
        while freed < bytes {
            let begun = Instant::now();
            let (mut ids, mut sum) = (Vec::new(), 0);
            while ids.len() < BATCH as usize && freed + sum < bytes {
                let mut oldest: Option<(Timestamp, &mut Queue)> = None;
                for queue in &mut queues {
                    queue.fill(&self.nvr).await?;
                    if let Some(start) = queue.rows.front().map(|r| r.start)
                        && oldest.as_ref().is_none_or(|o| start < o.0)
                    {
                        oldest = Some((start, queue));
                    }
                }
                let Some(row) = oldest.and_then(|o| o.1.rows.pop_front()) else {
                    break;
                };
                sum += row.bytes;
                ids.push(row.id);
            }
            if ids.is_empty() {
                break;
            }
            let rows = self.nvr.store.retire(ids, waiting).await?;
            self.nvr.garbage.notify_one();
            freed += rows.iter().map(|r| r.bytes).sum::<u64>();
            gone.extend(rows);
            tokio::time::sleep(begun.elapsed()).await;
        }
        Ok(gone)
    }
}

/// The oldest of one channel, read page by page.
struct Queue {
    walk: Walk,
    rows: VecDeque<Candidate>,
    done: bool,
}

impl Queue {
    fn new(walk: Walk) -> Self {
        Self {
            walk,
            rows: VecDeque::new(),
            done: false,
        }
    }

    async fn fill(&mut self, nvr: &Nvr) -> Result<()> {
        while self.rows.is_empty() && !self.done {
            let page = nvr.store.deletable(self.walk.clone()).await?;
            self.rows.extend(page.rows);
            match page.next {
                Some(next) => self.walk.after = next,
                None => self.done = true,
            }
        }
        Ok(())
    }
}

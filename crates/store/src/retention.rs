//! What may be deleted, oldest first, and its deletion.
//!
//! A walk reads what a rule could delete; the deletion looks again, in its own transaction, at
//! what has been locked or queued since. Which rule applies is for the caller to say.

use std::collections::{BTreeMap, btree_map::Entry};

use oriel_api::{ChannelId, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use crate::{Result, Store, StoreError, channel, deletion, garbage, garbage_object, text};

/// Rows a walk looks at for each that it may give.
const PATIENCE: usize = 8;

/// What a channel holds, and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Channel.
    pub channel: ChannelId,
    /// Whether it has a camera that records.
    pub records: bool,
    /// Its own rule for age.
    pub retention_days: Option<u32>,
    /// Its quota.
    pub quota_mb: Option<u32>,
    /// Bytes on this disk.
    pub local_bytes: u64,
    /// Segments on this disk.
    pub local_count: u64,
    /// Bytes in the bucket.
    pub stored_bytes: u64,
    /// The oldest segment on this disk.
    pub oldest: Option<Timestamp>,
    /// The newest segment on this disk.
    pub newest: Option<Timestamp>,
}

/// Which segments a walk goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// On this disk. With `waiting`, also those that wait for their upload.
    Local {
        /// Those that wait too.
        waiting: bool,
    },
    /// On this disk and in the bucket.
    Copies,
    /// In the bucket.
    Stored,
}

/// A walk through a channel's segments, oldest first. Locked ranges are passed over.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Channel.
    pub channel: ChannelId,
    /// Which segments.
    pub which: Which,
    /// Only those that start after this.
    pub after: Timestamp,
    /// Only those that start before this.
    pub before: Timestamp,
    /// Only those that end by then.
    pub end_by: Timestamp,
    /// At most so many.
    pub limit: u32,
}

/// A segment that may be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Number.
    pub id: i64,
    /// First frame.
    pub start: Timestamp,
    /// End of the last frame.
    pub end: Timestamp,
    /// Size.
    pub bytes: u64,
}

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Oldest first.
    pub rows: Vec<Candidate>,
    /// Where to go on; `None` at the end.
    pub next: Option<Timestamp>,
}

/// What was deleted from this disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Channel.
    pub channel: ChannelId,
    /// First frame.
    pub start: Timestamp,
    /// End of the last frame.
    pub end: Timestamp,
    /// Size.
    pub bytes: u64,
    /// It is in the bucket, and stays.
    pub stored: bool,
    /// It waited for its upload.
    pub waiting: bool,
}

pub(crate) const HELD: &str = "SELECT channel.public_id, channel.retention_days, channel.quota_mb,
       coalesce(usage.local_bytes, 0), coalesce(usage.local_count, 0),
       coalesce(usage.stored_bytes, 0),
       (SELECT start_ms FROM recording INDEXED BY recording_local
        WHERE channel = channel.id AND local = 1 ORDER BY start_ms LIMIT 1),
       (SELECT start_ms FROM recording INDEXED BY recording_local
        WHERE channel = channel.id AND local = 1 ORDER BY start_ms DESC LIMIT 1),
       channel.camera IS NOT NULL AND channel.record_mode <> 'off'
     FROM channel LEFT JOIN usage ON usage.channel = channel.id
     WHERE channel.purging = 0 ORDER BY channel.id";

pub(crate) const LOCAL: &str = "SELECT id, start_ms, end_ms, bytes, state
     FROM recording INDEXED BY recording_local
     WHERE channel = ?1 AND start_ms > ?2 AND start_ms < ?3 AND local = 1
     ORDER BY start_ms LIMIT ?4";

pub(crate) const COPIES: &str = "SELECT id, start_ms, end_ms, bytes, 2
     FROM recording INDEXED BY recording_copy
     WHERE channel = ?1 AND start_ms > ?2 AND start_ms < ?3 AND local = 1 AND state = 2
     ORDER BY start_ms LIMIT ?4";

pub(crate) const STORED: &str = "SELECT id, start_ms, end_ms, bytes, 2
     FROM recording INDEXED BY recording_stored
     WHERE channel = ?1 AND start_ms > ?2 AND start_ms < ?3 AND state = 2
     ORDER BY start_ms LIMIT ?4";

pub(crate) const AGED_COPIES: &str = "SELECT id, start_ms, end_ms, bytes, stored_ms, channel
     FROM recording INDEXED BY recording_copy_age
     WHERE (stored_ms, id) > (?1, ?2) AND stored_ms <= ?3 AND local = 1 AND state = 2
     ORDER BY stored_ms, id LIMIT ?4";

/// Locked ranges of a channel, joined, in order.
pub(crate) fn locks(connection: &Connection, channel: i64) -> Result<Vec<(i64, i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT start_ms, end_ms FROM locked_range WHERE channel = ?1 ORDER BY start_ms",
    )?;
    let mut joined: Vec<(i64, i64)> = Vec::new();
    let mut rows = statement.query([channel])?;
    while let Some(r) = rows.next()? {
        let (start, end): (i64, i64) = (r.get(0)?, r.get(1)?);
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    Ok(joined)
}

/// The end of the lock that a segment reaches into.
pub(crate) fn locked_until(locks: &[(i64, i64)], start: i64, end: i64) -> Option<i64> {
    // A segment without length is where its frame is.
    let end = end.max(start.saturating_add(1));
    let at = locks.partition_point(|l| l.1 <= start);
    locks.get(at).filter(|l| l.0 < end).map(|l| l.1)
}

fn waits(connection: &Connection, recording: i64) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM upload WHERE recording = ?1")?
        .exists([recording])?)
}

fn walk(connection: &Connection, walk: &Walk) -> Result<Walked> {
    let Some((channel, false)) = channel::key(connection, &walk.channel)? else {
        return Ok(Walked::default());
    };
    let locks = locks(connection, channel)?;
    let sql = match walk.which {
        Which::Local { .. } => LOCAL,
        Which::Copies => COPIES,
        Which::Stored => STORED,
    };
    let limit = walk.limit.max(1) as usize;
    let mut patience = limit.saturating_mul(PATIENCE);
    let mut found = Walked::default();
    let mut after = walk.after.ms();
    let mut statement = connection.prepare_cached(sql)?;
    'locks: loop {
        let mut rows =
            statement.query((channel, after, walk.before.ms(), patience.max(1) as i64))?;
        while let Some(r) = rows.next()? {
            let (start, end): (i64, i64) = (r.get(1)?, r.get(2)?);
            if start > walk.end_by.ms() {
                return Ok(found);
            }
            patience = patience.saturating_sub(1);
            if let Some(until) = locked_until(&locks, start, end) {
                // Jumps over what is locked: there may be months of it.
                after = until.saturating_sub(1).max(start);
                if patience == 0 {
                    found.next = Some(Timestamp::from_ms(after));
                    return Ok(found);
                }
                continue 'locks;
            }
            after = start;
            let id = r.get(0)?;
            let kept = end > walk.end_by.ms()
                || (walk.which == Which::Local { waiting: false }
                    && r.get::<_, i64>(4)? != 2
                    && waits(connection, id)?);
            if !kept {
                found.rows.push(Candidate {
                    id,
                    start: Timestamp::from_ms(start),
                    end: Timestamp::from_ms(end),
                    bytes: r.get::<_, i64>(3)?.unsigned_abs(),
                });
            }
            if found.rows.len() == limit || patience == 0 {
                found.next = Some(Timestamp::from_ms(after));
                return Ok(found);
            }
        }
        return Ok(found);
    }
}

/// A row that is about to be deleted, as it is now.
struct Row {
    id: i64,
    channel: i64,
    public: String,
    start: i64,
    end: i64,
    bytes: i64,
    state: i64,
    local: bool,
    object_key: Option<String>,
}

fn row(connection: &Connection, id: i64) -> Result<Option<Row>> {
    Ok(connection
        .prepare_cached(
            "SELECT recording.id, recording.channel, public_id, start_ms, end_ms, bytes, state,
               local, object_key
             FROM recording JOIN channel ON channel.id = recording.channel
             WHERE recording.id = ?1 AND channel.purging = 0",
        )?
        .query_row([id], |r| {
            Ok(Row {
                id: r.get(0)?,
                channel: r.get(1)?,
                public: r.get(2)?,
                start: r.get(3)?,
                end: r.get(4)?,
                bytes: r.get(5)?,
                state: r.get(6)?,
                local: r.get(7)?,
                object_key: r.get(8)?,
            })
        })
        .optional()?)
}

/// Locks of the channels of one transaction, and what was deleted whole in it.
#[derive(Default)]
struct Ledger {
    locks: BTreeMap<i64, Vec<(i64, i64)>>,
    gone: BTreeMap<i64, Vec<(i64, i64)>>,
}

impl Ledger {
    fn is_locked(&mut self, connection: &Connection, row: &Row) -> Result<bool> {
        let locks = match self.locks.entry(row.channel) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(locks(connection, row.channel)?),
        };
        Ok(locked_until(locks, row.start, row.end).is_some())
    }

    fn delete(&mut self, connection: &Connection, row: &Row) -> Result<()> {
        connection
            .prepare_cached("DELETE FROM recording WHERE id = ?1")?
            .execute([row.id])?;
        let key = row.object_key.as_deref();
        garbage::add(connection, &row.public, row.start, row.local, key)?;
        let gone = self.gone.entry(row.channel).or_default();
        gone.push((row.start, row.end));
        Ok(())
    }

    fn settle(mut self, connection: &Connection) -> Result<()> {
        for (channel, ranges) in &mut self.gone {
            ranges.sort_unstable();
            deletion::note(connection, *channel, ranges)?;
        }
        Ok(())
    }
}

impl Store {
    /// What every channel holds.
    pub async fn held(&self) -> Result<Vec<Held>> {
        self.read(|c| {
            c.prepare_cached(HELD)?
                .query_and_then([], |r| {
                    let bytes = |at| r.get::<_, i64>(at).map(|b| b.max(0).unsigned_abs());
                    Ok(Held {
                        channel: text::id(&r.get::<_, String>(0)?)?,
                        records: r.get(8)?,
                        retention_days: r.get(1)?,
                        quota_mb: r.get(2)?,
                        local_bytes: bytes(3)?,
                        local_count: bytes(4)?,
                        stored_bytes: bytes(5)?,
                        oldest: r.get::<_, Option<i64>>(6)?.map(Timestamp::from_ms),
                        newest: r.get::<_, Option<i64>>(7)?.map(Timestamp::from_ms),
                    })
                })?
                .collect()
        })
        .await
    }

    /// What may be deleted of a channel, oldest first.
    pub async fn deletable(&self, order: Walk) -> Result<Walked> {
        self.read(move |c| walk(c, &order)).await
    }

    /// Local copies of what was stored by then, after this place in the order of storing. Gives
    /// the place to go on from; `None` at the end.
    pub async fn aged_copies(
        &self,
        stored_by: Timestamp,
        after: (Timestamp, i64),
        limit: u32,
    ) -> Result<(Vec<i64>, Option<(Timestamp, i64)>)> {
        self.read(move |c| {
            let mut locked: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
            let (mut ids, mut last, mut seen) = (Vec::new(), None, 0);
            let mut statement = c.prepare_cached(AGED_COPIES)?;
            let mut rows = statement.query((after.0.ms(), after.1, stored_by.ms(), limit))?;
            while let Some(r) = rows.next()? {
                seen += 1;
                let (id, stored, channel): (i64, i64, i64) = (r.get(0)?, r.get(4)?, r.get(5)?);
                last = Some((Timestamp::from_ms(stored), id));
                let locks = match locked.entry(channel) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(locks(c, channel)?),
                };
                if locked_until(locks, r.get(1)?, r.get(2)?).is_none() {
                    ids.push(id);
                }
            }
            Ok((ids, last.filter(|_| seen == limit)))
        })
        .await
    }

    /// Deletes segments from this disk, in one transaction: one that is in the bucket loses its
    /// local copy, any other goes whole. What has been locked since, or is gone, is left out,
    /// and without `waiting` what waits for its upload.
    pub async fn retire(&self, ids: Vec<i64>, waiting: bool) -> Result<Vec<Retired>> {
        self.write(move |c| {
            let mut ledger = Ledger::default();
            let mut retired = Vec::with_capacity(ids.len());
            for id in ids {
                let Some(row) = row(c, id)?.filter(|r| r.local) else {
                    continue;
                };
                let stored = row.state == 2;
                let waits = !stored && waits(c, id)?;
                if (waits && !waiting) || ledger.is_locked(c, &row)? {
                    continue;
                }
                if stored {
                    c.prepare_cached("UPDATE recording SET local = 0 WHERE id = ?1")?
                        .execute([id])?;
                    garbage::add(c, &row.public, row.start, true, None)?;
                } else {
                    ledger.delete(c, &row)?;
                }
                retired.push(Retired {
                    channel: text::id(&row.public)?,
                    start: Timestamp::from_ms(row.start),
                    end: Timestamp::from_ms(row.end),
                    bytes: row.bytes.max(0).unsigned_abs(),
                    stored,
                    waiting: waits,
                });
            }
            ledger.settle(c)?;
            Ok(retired)
        })
        .await
    }

    /// Deletes segments from the bucket, in one transaction: one that is on this disk too stays
    /// there, any other goes whole. Locked ones are left out. Gives how many.
    pub async fn retire_stored(&self, ids: Vec<i64>) -> Result<usize> {
        self.write(move |c| {
            let mut ledger = Ledger::default();
            let mut count = 0;
            for id in ids {
                let Some(row) = row(c, id)?.filter(|r| r.state == 2) else {
                    continue;
                };
                if ledger.is_locked(c, &row)? {
                    continue;
                }
                if row.local {
                    c.prepare_cached(
                        "UPDATE recording SET state = 0, object_key = NULL, stored_ms = NULL
                         WHERE id = ?1",
                    )?
                    .execute([id])?;
                    let key = row.object_key.as_deref();
                    garbage::add(c, &row.public, row.start, false, key)?;
                } else {
                    ledger.delete(c, &row)?;
                }
                count += 1;
            }
            ledger.settle(c)?;
            Ok(count)
        })
        .await
    }

    /// Deletes snapshots taken before this moment from the bucket, at most `limit`. Gives how
    /// many, and those that are gone altogether.
    pub async fn retire_snapshots(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<(usize, Vec<(ChannelId, String)>)> {
        self.write(move |c| {
            let rows = c
                .prepare_cached(AGED_SNAPSHOTS)?
                .query_map((before.ms(), limit), |r| {
                    Ok((
                        r.get::<_, i64>(0)?,
                        r.get::<_, String>(1)?,
                        r.get::<_, String>(2)?,
                        r.get::<_, String>(3)?,
                        r.get::<_, bool>(4)?,
                    ))
                })?
                .collect::<Result<Vec<_>, _>>()?;
            let mut gone = Vec::new();
            for (id, public_id, channel, key, local) in &rows {
                garbage_object::add(c, key, false, true)?;
                if *local {
                    c.prepare_cached("UPDATE snapshot SET stored_ms = NULL WHERE id = ?1")?
                        .execute([id])?;
                } else {
                    c.prepare_cached("DELETE FROM snapshot WHERE id = ?1")?
                        .execute([id])?;
                    gone.push((text::id(channel)?, public_id.clone()));
                }
            }
            Ok((rows.len(), gone))
        })
        .await
    }

    /// Forgets segments without bytes of a channel that ended by then. Gives how many.
    pub async fn retire_missing(
        &self,
        channel: ChannelId,
        end_by: Timestamp,
        limit: u32,
    ) -> Result<usize> {
        self.write(move |c| {
            let (channel, _) = channel::key(c, &channel)?.ok_or(StoreError::NoSuch("channel"))?;
            let mut gone = c
                .prepare_cached(MISSING)?
                .query_map((channel, end_by.ms(), limit), |r| {
                    Ok((r.get(0)?, r.get(1)?))
                })?
                .collect::<Result<Vec<(i64, i64)>, _>>()?;
            gone.sort_unstable();
            deletion::note(c, channel, &gone)?;
            Ok(gone.len())
        })
        .await
    }

    /// Bytes and milliseconds of the footage that every channel recorded since a moment, gaps
    /// left out.
    pub async fn measured(&self, since: Timestamp) -> Result<Vec<(ChannelId, u64, u64)>> {
        self.read(move |c| {
            c.prepare_cached(MEASURED)?
                .query_and_then([since.ms()], |r| {
                    let number = |at| r.get::<_, i64>(at).map(|n| n.max(0).unsigned_abs());
                    Ok((text::id(&r.get::<_, String>(0)?)?, number(1)?, number(2)?))
                })?
                .collect()
        })
        .await
    }

    /// Whether any footage should be on this disk.
    pub async fn has_local(&self) -> Result<bool> {
        self.read(|c| {
            Ok(
                c.prepare_cached("SELECT 1 FROM usage WHERE local_count > 0 LIMIT 1")?
                    .exists([])?,
            )
        })
        .await
    }
}

pub(crate) const MEASURED: &str =
    "SELECT public_id, coalesce(sum(bytes), 0), coalesce(sum(end_ms - start_ms), 0)
     FROM channel CROSS JOIN recording INDEXED BY recording_list
       ON recording.channel = channel.id
     WHERE channel.purging = 0 AND recording.start_ms >= ?1 AND recording.state <> 3
     GROUP BY channel.id";

pub(crate) const AGED_SNAPSHOTS: &str =
    "SELECT snapshot.id, snapshot.public_id, channel.public_id, object_key, local
     FROM snapshot INDEXED BY snapshot_stored CROSS JOIN channel ON channel.id = snapshot.channel
     WHERE taken_ms <= ?1 AND stored_ms IS NOT NULL ORDER BY taken_ms LIMIT ?2";

pub(crate) const MISSING: &str = "DELETE FROM recording WHERE id IN (
       SELECT id FROM recording INDEXED BY recording_missing
       WHERE channel = ?1 AND state = 3 AND start_ms <= ?2 AND end_ms <= ?2
       ORDER BY start_ms LIMIT ?3)
     RETURNING start_ms, end_ms";

#[cfg(test)]
mod tests;

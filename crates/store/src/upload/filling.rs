//! Bringing the queue in line with the settings, in short transactions: what was there before a
//! destination or a policy, and what waits no longer.

use std::collections::{BTreeMap, btree_map::Entry};

use oriel_api::{ChannelId, Timestamp};
use rusqlite::Connection;

use super::{Of, enqueue, enqueue_any, on};
use crate::{Result, Store, channel, retention};

/// Names a row of a table.
type Make = fn(i64) -> Of;

pub(crate) const UNQUEUED: &str =
    "SELECT id, start_ms, end_ms FROM recording INDEXED BY recording_local
     WHERE channel = ?1 AND local = 1 AND start_ms > ?2 AND state = 0 ORDER BY start_ms LIMIT ?3";

/// Those that were taken leave the index, so that none is passed twice.
pub(crate) const REDIRECTED: &str = "SELECT id, channel, start_ms, end_ms FROM recording
     INDEXED BY recording_copy_age
     WHERE local = 1 AND state = 2 AND stored_ms <= ?2 LIMIT ?1";

/// What the bucket's age rule would leave there. Anything else would be uploaded to be deleted,
/// and again after the next change of a setting.
struct Lasting {
    since: Option<Timestamp>,
    locks: BTreeMap<i64, Vec<(i64, i64)>>,
}

impl Lasting {
    fn new(since: Option<Timestamp>) -> Self {
        Self {
            since,
            locks: BTreeMap::new(),
        }
    }

    fn holds(&mut self, c: &Connection, channel: i64, start: i64, end: i64) -> Result<bool> {
        if self.since.is_none_or(|since| end > since.ms()) {
            return Ok(true);
        }
        // The rule passes over what is locked.
        let locks = match self.locks.entry(channel) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(retention::locks(c, channel)?),
        };
        Ok(retention::locked_until(locks, start, end).is_some())
    }
}

impl Store {
    /// Takes at most `limit` uploads out of the queue while no destination is set. Gives how
    /// many; 0 when all is done.
    pub async fn uploads_drop_some(&self, limit: u32) -> Result<usize> {
        self.write(move |c| {
            if on(c)? {
                return Ok(0);
            }
            c.execute(
                "UPDATE recording SET state = 0 WHERE state = 1 AND id IN
                   (SELECT recording FROM upload ORDER BY id LIMIT ?1)",
                [limit],
            )?;
            Ok(c.execute(
                "DELETE FROM upload WHERE id IN (SELECT id FROM upload ORDER BY id LIMIT ?1)",
                [limit],
            )?)
        })
        .await
    }

    /// Takes at most `limit` segments of a channel out of the queue when its policy is not to
    /// upload all; those it still wants are queued again by [`Store::uploads_backfill`]. Gives
    /// how many; 0 when all is done.
    pub async fn uploads_withdraw_some(&self, channel: ChannelId, limit: u32) -> Result<usize> {
        self.write(move |c| {
            let ids = c
                .prepare_cached(
                    "SELECT recording.id FROM channel
                     JOIN recording ON recording.channel = channel.id
                     WHERE channel.public_id = ?1 AND channel.upload <> 'all'
                       AND recording.local = 1 AND recording.state = 1 LIMIT ?2",
                )?
                .query_map((channel.as_str(), limit), |r| r.get::<_, i64>(0))?
                .collect::<Result<Vec<_>, _>>()?;
            for id in &ids {
                c.execute("DELETE FROM upload WHERE recording = ?1", [id])?;
                c.execute("UPDATE recording SET state = 0 WHERE id = ?1", [id])?;
            }
            Ok(ids.len())
        })
        .await
    }

    /// Queues local segments of a channel that its policy wants uploaded and that were recorded
    /// before it did, oldest first, those that start after `after`. Gives where to go on; `None`
    /// when all is done. Short transactions: `limit` rows at most. What ended by `since` and is
    /// not locked is left out: the bucket would not keep it.
    pub async fn uploads_backfill(
        &self,
        channel: ChannelId,
        after: Timestamp,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Option<Timestamp>> {
        let (wanted, next) = self
            .read(move |c| {
                let Some((channel, false)) = channel::key(c, &channel)? else {
                    return Ok((Vec::new(), None));
                };
                let (mut lasting, mut wanted) = (Lasting::new(since), Vec::new());
                let (mut seen, mut last) = (0, None);
                let mut statement = c.prepare_cached(UNQUEUED)?;
                let mut rows = statement.query((channel, after.ms(), limit))?;
                while let Some(r) = rows.next()? {
                    let start = r.get(1)?;
                    (seen, last) = (seen + 1, Some(Timestamp::from_ms(start)));
                    if lasting.holds(c, channel, start, r.get(2)?)? {
                        wanted.push(r.get::<_, i64>(0)?);
                    }
                }
                Ok((wanted, last.filter(|_| seen >= limit)))
            })
            .await?;
        if !wanted.is_empty() {
            self.write(move |c| {
                for id in wanted {
                    enqueue(c, Of::Recording(id))?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(next)
    }

    /// Queues clips, snapshots and files of exports that were made before a destination was set,
    /// at most `limit` of each. Gives how many. Snapshots taken by `since` are left out: the
    /// bucket would not keep them.
    pub async fn uploads_backfill_made(
        &self,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<usize> {
        self.write(move |c| {
            if !on(c)? {
                return Ok(0);
            }
            let mut queued = 0;
            let snapshots = format!(
                "snapshot WHERE local = 1 AND stored_ms IS NULL AND bytes IS NOT NULL
                 AND taken_ms > {}
                 AND id NOT IN (SELECT snapshot FROM upload WHERE snapshot IS NOT NULL)",
                since.map_or(i64::MIN, Timestamp::ms)
            );
            let kinds: [(&str, Make); 4] = [
                (
                    "clip WHERE local = 1 AND stored_ms IS NULL AND bytes IS NOT NULL
                    AND id NOT IN (SELECT clip FROM upload WHERE clip IS NOT NULL)",
                    Of::Clip,
                ),
                (&snapshots, Of::Snapshot),
                (
                    "export_part WHERE local = 1 AND stored_ms IS NULL AND bytes IS NOT NULL
                    AND id NOT IN (SELECT export_part FROM upload WHERE export_part IS NOT NULL)",
                    Of::ExportPart,
                ),
                (
                    "export WHERE manifest_bytes IS NOT NULL AND EXISTS (SELECT 1 FROM export_part
                    WHERE export_part.export = export.id AND local = 1 AND stored_ms IS NULL)
                    AND id NOT IN (SELECT manifest FROM upload WHERE manifest IS NOT NULL)",
                    Of::Manifest,
                ),
            ];
            for (from, of) in kinds {
                let ids = c
                    .prepare(&format!("SELECT id FROM {from} LIMIT ?1"))?
                    .query_map([limit], |r| r.get::<_, i64>(0))?
                    .collect::<Result<Vec<_>, _>>()?;
                for id in ids {
                    queued += usize::from(enqueue_any(c, of(id))?);
                }
            }
            Ok(queued)
        })
        .await
    }

    /// Segments and snapshots that are stored and have a local copy are to be uploaded again,
    /// because the destination is another one; at most `limit` segments at a time. Gives how
    /// many; 0 when all is done. What has no local copy stays where it is, and what ended by
    /// `since` and is not locked becomes local and nothing else. Parts sent to the old
    /// destination are forgotten.
    pub async fn uploads_redirect_some(
        &self,
        limit: u32,
        before: Timestamp,
        since: Option<Timestamp>,
    ) -> Result<usize> {
        self.write(move |c| {
            let rows = c
                .prepare_cached(REDIRECTED)?
                .query_map((limit, before.ms()), |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
                })?
                .collect::<Result<Vec<(i64, i64, i64, i64)>, _>>()?;
            if rows.is_empty() {
                // Once, because these read all of their tables.
                c.execute(
                    "UPDATE upload SET multipart = NULL
                     WHERE multipart IS NOT NULL AND (recording IS NOT NULL OR snapshot IS NOT NULL)",
                    [],
                )?;
                forget_stored(c, "snapshot", before)?;
            }
            let mut lasting = Lasting::new(since);
            for (id, channel, start, end) in &rows {
                c.execute(
                    "UPDATE recording SET state = 0, object_key = NULL, stored_ms = NULL
                     WHERE id = ?1",
                    [id],
                )?;
                if lasting.holds(c, *channel, *start, *end)? {
                    enqueue(c, Of::Recording(*id))?;
                }
            }
            Ok(rows.len())
        })
        .await
    }

    /// The same for clips and files of exports, all at once: there are few.
    pub async fn uploads_redirect_made(&self, before: Timestamp) -> Result<()> {
        self.write(move |c| {
            c.execute(
                "UPDATE upload SET multipart = NULL
                 WHERE multipart IS NOT NULL AND recording IS NULL AND snapshot IS NULL",
                [],
            )?;
            forget_stored(c, "clip", before)?;
            forget_stored(c, "export_part", before)
        })
        .await
    }
}

/// What has a local copy is not stored any more.
fn forget_stored(connection: &Connection, table: &str, before: Timestamp) -> Result<()> {
    let sql = format!("UPDATE {table} SET stored_ms = NULL WHERE local = 1 AND stored_ms <= ?1");
    connection.execute(&sql, [before.ms()])?;
    Ok(())
}

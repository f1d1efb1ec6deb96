//! Table `garbage`: bytes whose rows are gone and which are to be deleted.
//!
//! A row moves here in the transaction that takes it out of `recording`, and goes only when the
//! bytes are known to be gone. So a crash leaves work to do, never bytes nobody knows of.

use oriel_api::{ChannelId, Timestamp};
use rusqlite::Connection;

use crate::{Result, Store, StoreError, text};

/// Bytes to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GarbageRow {
    /// Number; grows.
    pub id: i64,
    /// Channel, which may be gone.
    pub channel: ChannelId,
    /// Start of the segment; also the file name.
    pub start: Timestamp,
    /// Whether there is a local file.
    pub local: bool,
    /// The object in the bucket.
    pub object_key: Option<String>,
}

pub(crate) fn add_file(connection: &Connection, channel: &ChannelId, start: i64) -> Result<()> {
    add(connection, channel.as_str(), start, true, None)
}

/// Notes bytes of a segment. What is noted of it already is kept.
pub(crate) fn add(
    connection: &Connection,
    channel: &str,
    start: i64,
    local: bool,
    object_key: Option<&str>,
) -> Result<()> {
    if local || object_key.is_some() {
        connection
            .prepare_cached(
                "INSERT INTO garbage (channel, start_ms, local, object_key)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (channel, start_ms) DO UPDATE SET
                   local = max(local, excluded.local),
                   object_key = coalesce(object_key, excluded.object_key)",
            )?
            .execute((channel, start, local, object_key))?;
    }
    Ok(())
}

/// Whether the local file of a segment waits to be deleted.
pub(crate) fn holds_file(connection: &Connection, channel: &ChannelId, start: i64) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM garbage WHERE channel = ?1 AND start_ms = ?2 AND local = 1")?
        .exists((channel.as_str(), start))?)
}

/// A new file has the name of one that was to be deleted and is gone.
pub(crate) fn keep_file(connection: &Connection, channel: &ChannelId, start: i64) -> Result<()> {
    let of = (channel.as_str(), start);
    connection
        .prepare_cached("UPDATE garbage SET local = 0 WHERE channel = ?1 AND start_ms = ?2")?
        .execute(of)?;
    connection
        .prepare_cached(
            "DELETE FROM garbage WHERE channel = ?1 AND start_ms = ?2 AND object_key IS NULL",
        )?
        .execute(of)?;
    Ok(())
}

const FORGET: &str = "DELETE FROM garbage WHERE id = ?1 AND local = 0 AND object_key IS NULL";

pub(crate) const FILES: &str =
    "SELECT id, channel, start_ms, local, object_key FROM garbage INDEXED BY garbage_files
     WHERE id > ?1 AND local = 1 ORDER BY id LIMIT ?2";

pub(crate) const STORED: &str =
    "SELECT id, channel, start_ms, local, object_key FROM garbage INDEXED BY garbage_stored
     WHERE id > ?1 AND object_key IS NOT NULL ORDER BY id LIMIT ?2";

/// From the channels on: there are few, and mostly none is to go.
pub(crate) const PURGE: &str = "DELETE FROM recording WHERE id IN (
       SELECT recording.id FROM channel
       CROSS JOIN recording INDEXED BY recording_start ON recording.channel = channel.id
       WHERE channel.purging = 1 AND NOT EXISTS (
         SELECT 1 FROM locked_range AS l WHERE l.channel = channel.id
           AND l.start_ms < recording.end_ms AND l.end_ms > recording.start_ms)
       LIMIT ?1)
     RETURNING channel, start_ms, local, object_key";

fn page(connection: &Connection, sql: &str, after: i64, limit: u32) -> Result<Vec<GarbageRow>> {
    connection
        .prepare_cached(sql)?
        .query_map((after, limit), |r| {
            Ok((
                r.get(0)?,
                r.get::<_, String>(1)?,
                r.get(2)?,
                r.get(3)?,
                r.get(4)?,
            ))
        })?
        .map(|row| {
            let (id, channel, start, local, object_key) = row?;
            Ok(GarbageRow {
                id,
                channel: text::id(&channel)?,
                start: Timestamp::from_ms(start),
                local,
                object_key,
            })
        })
        .collect()
}

impl Store {
    /// Turns at most `limit` recordings of channels whose footage is to go into garbage, in one
    /// transaction. Gives how many; 0 when all is done but what a clip or export that is being
    /// made still needs.
    pub async fn purge_some(&self, limit: u32) -> Result<usize> {
        self.write(move |c| {
            let taken = c
                .prepare_cached(PURGE)?
                .query_map([limit], |r| {
                    Ok((
                        r.get::<_, i64>(0)?,
                        r.get::<_, i64>(1)?,
                        r.get::<_, bool>(2)?,
                        r.get::<_, Option<String>>(3)?,
                    ))
                })?
                .collect::<Result<Vec<_>, _>>()?;
            let mut insert = c.prepare_cached(
                "INSERT INTO garbage (channel, start_ms, local, object_key)
                 SELECT public_id, ?2, ?3, ?4 FROM channel WHERE id = ?1
                 ON CONFLICT (channel, start_ms) DO UPDATE SET
                   local = max(local, excluded.local),
                   object_key = coalesce(object_key, excluded.object_key)",
            )?;
            for (channel, start, local, object_key) in &taken {
                if *local || object_key.is_some() {
                    insert.execute((channel, start, local, object_key))?;
                }
            }
            Ok(taken.len())
        })
        .await
    }

    /// Local files to be deleted, in the order they became garbage, after this number.
    pub async fn garbage_files(&self, after: i64, limit: u32) -> Result<Vec<GarbageRow>> {
        self.read(move |c| page(c, FILES, after, limit)).await
    }

    /// Objects of segments to be deleted in the bucket, likewise.
    pub async fn garbage_stored(&self, after: i64, limit: u32) -> Result<Vec<GarbageRow>> {
        self.read(move |c| page(c, STORED, after, limit)).await
    }

    /// Forgets local files that are gone.
    pub async fn garbage_files_gone(&self, ids: Vec<i64>) -> Result<()> {
        self.write(move |c| {
            let mut update = c.prepare_cached("UPDATE garbage SET local = 0 WHERE id = ?1")?;
            let mut delete = c.prepare_cached(FORGET)?;
            for id in ids {
                update.execute([id])?;
                delete.execute([id])?;
            }
            Ok(())
        })
        .await
    }

    /// Forgets objects that are gone from the bucket: by number and key, so that another object
    /// that has come to the row meanwhile stays.
    pub async fn garbage_stored_gone(&self, gone: Vec<(i64, String)>) -> Result<()> {
        self.write(move |c| {
            let mut update = c.prepare_cached(
                "UPDATE garbage SET object_key = NULL WHERE id = ?1 AND object_key = ?2",
            )?;
            let mut delete = c.prepare_cached(FORGET)?;
            for (id, key) in gone {
                update.execute((id, key))?;
                delete.execute([id])?;
            }
            Ok(())
        })
        .await
    }

    /// Drops channels that were emptied before this moment, and channels without a camera whose
    /// footage, clips and snapshots are gone. Gives which.
    pub async fn channels_sweep(&self, before: Timestamp) -> Result<Vec<ChannelId>> {
        self.write(move |c| {
            let mut statement = c.prepare_cached(
                "DELETE FROM channel WHERE camera IS NULL AND removed_ms < ?1
                   AND NOT EXISTS (SELECT 1 FROM recording WHERE recording.channel = channel.id)
                   AND NOT EXISTS (SELECT 1 FROM clip WHERE clip.channel = channel.id)
                   AND NOT EXISTS (SELECT 1 FROM snapshot WHERE snapshot.channel = channel.id)
                 RETURNING public_id",
            )?;
            let gone = statement
                .query_map([before.ms()], |r| r.get::<_, String>(0))?
                .map(|id| text::id(&id?))
                .collect::<Result<Vec<_>, StoreError>>()?;
            Ok(gone)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;

    #[tokio::test]
    async fn a_purge_goes_in_batches_and_survives_a_reopening() {
        let t = Temporary::new().await;
        let (camera, channel) = t.camera("Door", "rtsp://door/1").await;
        let (_, other) = t.camera("Yard", "rtsp://yard/1").await;
        for n in 0..5 {
            t.segment(&channel, n * 30_000, (n + 1) * 30_000).await;
        }
        t.segment(&other, 0, 30_000).await;
        let at = Timestamp::from_ms;
        t.store.camera_remove(camera, true, at(10)).await.unwrap();
        assert!(t.store.channel(channel.clone()).await.unwrap().is_none());
        assert_eq!(t.store.purge_some(3).await.unwrap(), 3);
        let t = t.reopened().await;
        assert_eq!(t.store.purge_some(3).await.unwrap(), 2);
        assert_eq!(t.store.purge_some(3).await.unwrap(), 0);
        let rows = t.store.garbage_files(0, 100).await.unwrap();
        assert_eq!(rows.len(), 5);
        assert!(rows.iter().all(|g| g.channel == channel && g.local));
        assert_eq!(
            t.store.garbage_files(rows[3].id, 100).await.unwrap().len(),
            1
        );
        t.store
            .garbage_files_gone(rows.iter().map(|g| g.id).collect())
            .await
            .unwrap();
        assert!(t.store.garbage_files(0, 100).await.unwrap().is_empty());
        assert!(t.store.channels_sweep(at(10)).await.unwrap().is_empty());
        assert_eq!(t.store.channels_sweep(at(11)).await.unwrap(), [channel]);
        assert_eq!(t.store.channels().await.unwrap().len(), 1);
    }
}

//! Table `snapshot`: single frames. The row is made before the picture.

use oriel_api::{ChannelId, SnapshotId, SnapshotSource, SnapshotStatus, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    NewestPage, Result, Selection, Store, StoreError, channel, garbage_object, newest::Listed,
    text, upload,
};

/// Milliseconds a snapshot may be moved by when others show the same moment.
const TRIES: i64 = 1000;

/// A snapshot whose picture is to come.
#[derive(Clone, Debug)]
pub struct NewSnapshot {
    /// Id.
    pub id: SnapshotId,
    /// Channel.
    pub channel: ChannelId,
    /// The moment it shows.
    pub taken: Timestamp,
    /// Who makes the picture.
    pub source: SnapshotSource,
    /// Now.
    pub at: Timestamp,
}

/// A snapshot as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Number.
    pub number: i64,
    /// Id.
    pub id: SnapshotId,
    /// Channel.
    pub channel: ChannelId,
    /// The moment it shows.
    pub taken: Timestamp,
    /// Who makes the picture.
    pub source: SnapshotSource,
    /// How it stands.
    pub status: SnapshotStatus,
    /// Why it failed.
    pub reason: Option<String>,
    /// Size.
    pub bytes: Option<u64>,
    /// SHA-256 of the picture.
    pub sha256: Option<[u8; 32]>,
    /// Where the picture is.
    pub object_key: String,
    /// It is in the local place.
    pub local: bool,
    /// When it was in the bucket.
    pub stored: Option<Timestamp>,
    /// When it was asked for.
    pub created: Timestamp,
}

pub(crate) const LISTED: Listed = Listed {
    columns: "snapshot.id, snapshot.public_id, channel.public_id, snapshot.taken_ms,
     snapshot.source, snapshot.status, snapshot.reason, snapshot.bytes, snapshot.sha256,
     snapshot.object_key, snapshot.local, snapshot.stored_ms, snapshot.created_ms",
    table: "snapshot",
    time: "taken_ms",
};

fn from_row(r: &Row<'_>) -> Result<SnapshotRow> {
    Ok(SnapshotRow {
        number: r.get(0)?,
        id: text::id(&r.get::<_, String>(1)?)?,
        channel: text::id(&r.get::<_, String>(2)?)?,
        taken: text::moment(r, 3)?,
        source: text::parse(&r.get::<_, String>(4)?)?,
        status: text::parse(&r.get::<_, String>(5)?)?,
        reason: r.get(6)?,
        bytes: r.get::<_, Option<i64>>(7)?.map(i64::unsigned_abs),
        sha256: r.get(8)?,
        object_key: r.get(9)?,
        local: r.get(10)?,
        stored: text::some_moment(r, 11)?,
        created: text::moment(r, 12)?,
    })
}

fn one(connection: &Connection, id: &SnapshotId) -> Result<Option<SnapshotRow>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM snapshot JOIN channel ON channel.id = snapshot.channel
             WHERE snapshot.public_id = ?1",
            LISTED.columns
        ))?
        .query_and_then([id.as_str()], from_row)?
        .next()
        .transpose()
}

fn existing(connection: &Connection, id: &SnapshotId) -> Result<SnapshotRow> {
    one(connection, id)?.ok_or(StoreError::NoSuch("snapshot"))
}

/// The object key of a picture of this moment.
pub(crate) fn key_of(channel: &str, taken: i64) -> String {
    format!("snapshots/{channel}/{taken}.jpg")
}

/// The first moment from `taken` on whose name nothing has, not even what is being deleted.
fn free_moment(connection: &Connection, channel: &str, taken: i64) -> Result<(i64, String)> {
    let mut used = connection.prepare_cached("SELECT 1 FROM snapshot WHERE object_key = ?1")?;
    for ms in taken..taken.saturating_add(TRIES) {
        let key = key_of(channel, ms);
        if !used.exists([&key])? && !garbage_object::holds(connection, &key)? {
            return Ok((ms, key));
        }
    }
    Err(StoreError::Crowded)
}

/// Turns every snapshot of a channel into garbage.
pub(crate) fn purge(connection: &Connection, channel: i64) -> Result<()> {
    let mut doomed = connection.prepare(
        "SELECT id, object_key, stored_ms IS NOT NULL
           OR EXISTS (SELECT 1 FROM upload WHERE upload.snapshot = snapshot.id)
         FROM snapshot WHERE channel = ?1",
    )?;
    let rows = doomed
        .query_map([channel], |r| {
            Ok((
                r.get::<_, i64>(0)?,
                r.get::<_, String>(1)?,
                r.get::<_, bool>(2)?,
            ))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for (number, key, remote) in rows {
        garbage_object::add(connection, &key, true, remote)?;
        connection.execute("DELETE FROM snapshot WHERE id = ?1", [number])?;
    }
    Ok(())
}

impl Store {
    /// Keeps an entry whose picture is to come. Its moment is moved by milliseconds when another
    /// has it.
    pub async fn snapshot_insert(&self, new: NewSnapshot) -> Result<SnapshotRow> {
        self.write(move |c| {
            let (channel, purging) =
                channel::key(c, &new.channel)?.ok_or(StoreError::NoSuch("channel"))?;
            if purging {
                return Err(StoreError::NoSuch("channel"));
            }
            let (taken, key) = free_moment(c, new.channel.as_str(), new.taken.ms())?;
            c.prepare_cached(
                "INSERT INTO snapshot (public_id, channel, taken_ms, source, status, object_key,
                   created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                new.id.as_str(),
                channel,
                taken,
                text::word(&new.source)?,
                text::word(&SnapshotStatus::Pending)?,
                key,
                new.at.ms(),
            ))?;
            existing(c, &new.id)
        })
        .await
    }

    /// One snapshot.
    pub async fn snapshot(&self, id: SnapshotId) -> Result<Option<SnapshotRow>> {
        self.read(move |c| one(c, &id)).await
    }

    /// The snapshot whose picture is, or is to be, at this key.
    pub async fn snapshot_at(&self, key: String) -> Result<Option<SnapshotRow>> {
        self.read(move |c| {
            c.prepare_cached(&format!(
                "SELECT {} FROM snapshot JOIN channel ON channel.id = snapshot.channel
                 WHERE snapshot.object_key = ?1",
                LISTED.columns
            ))?
            .query_and_then([key], from_row)?
            .next()
            .transpose()
        })
        .await
    }

    /// A page of snapshots, newest first.
    pub async fn snapshots(&self, selection: Selection) -> Result<NewestPage<SnapshotRow>> {
        self.read(move |c| LISTED.page(c, &selection, from_row, |r| (r.taken, r.number)))
            .await
    }

    /// The picture of a pending snapshot shows another moment: its key changes with it.
    pub async fn snapshot_taken(&self, id: SnapshotId, taken: Timestamp) -> Result<SnapshotRow> {
        self.write(move |c| {
            let row = existing(c, &id)?;
            if row.taken != taken && row.status == SnapshotStatus::Pending {
                let (taken, key) = free_moment(c, row.channel.as_str(), taken.ms())?;
                c.execute(
                    "UPDATE snapshot SET taken_ms = ?2, object_key = ?3 WHERE id = ?1",
                    (row.number, taken, key),
                )?;
            }
            existing(c, &id)
        })
        .await
    }

    /// The picture of a pending snapshot is in its local place. Gives the snapshot as it is.
    pub async fn snapshot_stored(
        &self,
        id: SnapshotId,
        bytes: u64,
        sha256: [u8; 32],
    ) -> Result<SnapshotRow> {
        self.write(move |c| {
            c.execute(
                "UPDATE snapshot SET status = ?2, reason = NULL, bytes = ?3, sha256 = ?4, local = 1
                 WHERE public_id = ?1 AND status = 'pending'",
                (
                    id.as_str(),
                    text::word(&SnapshotStatus::Stored)?,
                    i64::try_from(bytes).unwrap_or(i64::MAX),
                    sha256,
                ),
            )?;
            let row = existing(c, &id)?;
            upload::enqueue(c, upload::Of::Snapshot(row.number))?;
            Ok(row)
        })
        .await
    }

    /// A pending snapshot has no picture and gets none; what may lie at its key is garbage.
    /// Gives the snapshot as it is.
    pub async fn snapshot_failed(&self, id: SnapshotId, reason: String) -> Result<SnapshotRow> {
        self.write(move |c| {
            let row = existing(c, &id)?;
            if row.status == SnapshotStatus::Pending {
                fail(c, row.number, &row.object_key, &reason)?;
            }
            existing(c, &id)
        })
        .await
    }

    /// Fails what is pending since before this moment, or of this source, and forgets what
    /// failed before the other. Gives the ids that failed and those that are gone.
    pub async fn snapshots_expire(
        &self,
        pending_before: Timestamp,
        failed_before: Timestamp,
        source: Option<SnapshotSource>,
        reason: String,
    ) -> Result<(Vec<SnapshotRow>, Vec<SnapshotId>)> {
        self.write(move |c| {
            let source = source.as_ref().map(text::word).transpose()?;
            let pending = c
                .prepare_cached(
                    "SELECT public_id FROM snapshot INDEXED BY snapshot_unkept
                     WHERE status <> 'stored' AND created_ms < ?1 AND status = 'pending'
                       AND (?2 IS NULL OR source = ?2)",
                )?
                .query_map((pending_before.ms(), &source), |r| r.get::<_, String>(0))?
                .collect::<Result<Vec<_>, _>>()?;
            let mut failed = Vec::with_capacity(pending.len());
            for id in pending {
                let id = text::id(&id)?;
                let row = existing(c, &id)?;
                fail(c, row.number, &row.object_key, &reason)?;
                failed.push(existing(c, &id)?);
            }
            let gone = c
                .prepare_cached(
                    "DELETE FROM snapshot INDEXED BY snapshot_unkept
                     WHERE status <> 'stored' AND created_ms < ?1 AND status = 'failed'
                     RETURNING public_id",
                )?
                .query_and_then([failed_before.ms()], |r| text::id(&r.get::<_, String>(0)?))?
                .collect::<Result<Vec<_>>>()?;
            Ok((failed, gone))
        })
        .await
    }

    /// Deletes a snapshot; its bytes become garbage. Gives whether there was one.
    pub async fn snapshot_delete(&self, id: SnapshotId) -> Result<bool> {
        self.write(move |c| {
            let found: Option<(i64, String, bool)> = c
                .query_row(
                    "SELECT id, object_key, stored_ms IS NOT NULL
                       OR EXISTS (SELECT 1 FROM upload WHERE upload.snapshot = snapshot.id)
                     FROM snapshot WHERE public_id = ?1",
                    [id.as_str()],
                    |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
                )
                .optional()?;
            let Some((number, key, remote)) = found else {
                return Ok(false);
            };
            garbage_object::add(c, &key, true, remote)?;
            c.execute("DELETE FROM snapshot WHERE id = ?1", [number])?;
            Ok(true)
        })
        .await
    }
}

fn fail(connection: &Connection, number: i64, key: &str, reason: &str) -> Result<()> {
    garbage_object::add(connection, key, true, false)?;
    connection.execute(
        "UPDATE snapshot SET status = ?2, reason = ?3 WHERE id = ?1",
        (number, text::word(&SnapshotStatus::Failed)?, reason),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn id(n: u8) -> SnapshotId {
        SnapshotId::from_random([4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, n])
    }

    fn new(channel: &ChannelId, n: u8, taken: i64) -> NewSnapshot {
        NewSnapshot {
            id: id(n),
            channel: channel.clone(),
            taken: at(taken),
            source: SnapshotSource::Client,
            at: at(taken),
        }
    }

    #[tokio::test]
    async fn two_of_one_moment_have_names_of_their_own_also_while_one_is_being_deleted() {
        let t = Temporary::new().await;
        let (_, channel) = t.camera("Door", "rtsp://door/1").await;
        let s = &t.store;
        let first = s.snapshot_insert(new(&channel, 1, 50)).await.unwrap();
        assert_eq!(first.object_key, format!("snapshots/{channel}/50.jpg"));
        let second = s.snapshot_insert(new(&channel, 2, 50)).await.unwrap();
        assert_eq!(second.taken, at(51));
        s.snapshot_delete(id(1)).await.unwrap();
        let third = s.snapshot_insert(new(&channel, 3, 50)).await.unwrap();
        assert_eq!(third.taken, at(52));
        // Only as long as its bytes may be there.
        let garbage = s.garbage_objects(0, 9).await.unwrap();
        s.garbage_objects_gone(vec![(garbage[0].id, true, true)])
            .await
            .unwrap();
        let fourth = s.snapshot_insert(new(&channel, 4, 50)).await.unwrap();
        assert_eq!(fourth.taken, at(50));
        // Another moment takes another name.
        let moved = s.snapshot_taken(id(4), at(51)).await.unwrap();
        assert_eq!(moved.object_key, format!("snapshots/{channel}/53.jpg"));
        let found = s.snapshot_at(moved.object_key.clone()).await.unwrap();
        assert_eq!(found, Some(moved));
    }

    #[tokio::test]
    async fn one_that_never_came_fails_is_cleaned_and_forgotten() {
        let t = Temporary::new().await;
        let (_, channel) = t.camera("Door", "rtsp://door/1").await;
        let s = &t.store;
        for n in 1..=3 {
            let new = new(&channel, n, i64::from(n) * 1000);
            s.snapshot_insert(new).await.unwrap();
        }
        let kept = s.snapshot_stored(id(1), 9, [1; 32]).await.unwrap();
        assert_eq!((kept.status, kept.local), (SnapshotStatus::Stored, true));
        let expire = |pending, failed, source| {
            s.snapshots_expire(at(pending), at(failed), source, "Never came.".into())
        };
        let agent = Some(SnapshotSource::Agent);
        let (failed, gone) = expire(2500, 0, agent).await.unwrap();
        assert!(failed.is_empty() && gone.is_empty());
        let (failed, gone) = expire(2500, 0, None).await.unwrap();
        assert_eq!((failed.len(), gone.len()), (1, 0));
        assert_eq!(failed[0].reason.as_deref(), Some("Never came."));
        assert_eq!(s.garbage_objects(0, 9).await.unwrap().len(), 1);
        // Too late: it stays failed.
        let late = s.snapshot_stored(id(2), 9, [1; 32]).await.unwrap();
        assert_eq!(late.status, SnapshotStatus::Failed);
        let (failed, gone) = expire(2500, 2500, None).await.unwrap();
        assert_eq!((failed.len(), gone), (0, vec![id(2)]));
        let all = s.snapshots(Selection {
            limit: 9,
            ..Default::default()
        });
        assert_eq!(all.await.unwrap().rows.len(), 2);
    }

    #[tokio::test]
    async fn they_go_with_the_footage_of_their_camera_and_stay_without_being_told() {
        let t = Temporary::new().await;
        let (door, of_door) = t.camera("Door", "rtsp://door/1").await;
        let (yard, of_yard) = t.camera("Yard", "rtsp://yard/1").await;
        let s = &t.store;
        for (n, channel) in [(1, &of_door), (2, &of_yard)] {
            s.snapshot_insert(new(channel, n, 50)).await.unwrap();
            s.snapshot_stored(id(n), 9, [1; 32]).await.unwrap();
        }
        s.camera_remove(door, true, at(60)).await.unwrap();
        s.camera_remove(yard, false, at(60)).await.unwrap();
        assert_eq!(s.snapshot(id(1)).await.unwrap(), None);
        assert!(s.snapshot(id(2)).await.unwrap().is_some());
        assert_eq!(s.channels().await.unwrap().len(), 1);
        assert_eq!(s.garbage_objects(0, 9).await.unwrap().len(), 1);
        assert_eq!(s.channels_sweep(at(1000)).await.unwrap(), [of_door]);
    }
}

//! Table `upload`: what is still to be brought to the destination, oldest media first.
//!
//! A row is made in the transaction that makes what it is for, and goes in the transaction that
//! notes that the destination has it. Not here: whether and when anything is uploaded.

pub(crate) mod filling;

use oriel_api::{
    ChannelId, EventKind, Timestamp,
    link::{UploadId, UploadTask},
};
use rusqlite::{Connection, OptionalExtension};

use crate::{Result, Store, StoreError, garbage_multipart, garbage_object, text};

/// Kinds of events that mean that somebody or something was seen: what the policy `events`
/// uploads around.
const SEEN: &[EventKind] = &[EventKind::Marked];
/// Footage before such an event that belongs to it.
const BEFORE_MS: i64 = 10_000;
/// Footage after such an event that belongs to it.
const AFTER_MS: i64 = 30_000;

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Objects.
    pub waiting: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Moment of the oldest.
    pub oldest: Option<Timestamp>,
}

/// What came of the news that an object is at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// It was noted.
    Noted,
    /// It was known already.
    Known,
    /// Nobody owns such an object, or it has another size than ours.
    Unknown,
}

/// An upload that can never be made, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostUpload {
    /// The channel, when it is known.
    pub channel: Option<ChannelId>,
    /// Where it would have gone.
    pub key: String,
}

/// Which row an upload is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Recording(i64),
    Clip(i64),
    Snapshot(i64),
    ExportPart(i64),
    Manifest(i64),
}

/// Whether a destination is set. Kept as a setting so that it is read in the same transaction.
pub(crate) fn on(connection: &Connection) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT value = '1' FROM setting WHERE key = 'uploading'")?
        .query_row([], |r| r.get(0))
        .optional()?
        .unwrap_or(false))
}

fn seen() -> Result<String> {
    let words = SEEN.iter().map(text::word).collect::<Result<Vec<_>>>()?;
    Ok(words
        .iter()
        .map(|w| format!("'{w}'"))
        .collect::<Vec<_>>()
        .join(", "))
}

/// The key of a segment, as `bucket::ObjectKey::recording` makes it; a test of the nvr compares.
const KEY: &str = "'recordings/' || channel.public_id || '/' ||
     strftime('%Y/%m/%d', recording.start_ms / 1000, 'unixepoch') || '/' ||
     recording.start_ms || '-' || max(recording.end_ms - recording.start_ms, 1) || '.mp4'";

/// Queues a row when a destination is set and its channel's policy says so.
pub(crate) fn enqueue(connection: &Connection, of: Of) -> Result<()> {
    if on(connection)? {
        enqueue_any(connection, of)?;
    }
    Ok(())
}

fn enqueue_any(connection: &Connection, of: Of) -> Result<bool> {
    let (sql, id) = match of {
        Of::Recording(id) => {
            let seen = seen()?;
            let sql = format!(
                "INSERT INTO upload (at_ms, object_key, bytes, sha256, recording)
                 SELECT recording.start_ms, {KEY}, recording.bytes, recording.sha256, recording.id
                 FROM recording JOIN channel ON channel.id = recording.channel
                 WHERE recording.id = ?1 AND recording.local = 1 AND recording.state IN (0, 1)
                   AND recording.start_ms >= 0 AND channel.purging = 0
                   AND (channel.upload = 'all' OR channel.upload = 'events' AND EXISTS (
                     SELECT 1 FROM event WHERE event.channel = channel.id
                       AND event.at_ms > recording.start_ms - {AFTER_MS}
                       AND event.at_ms < recording.end_ms + {BEFORE_MS}
                       AND event.kind IN ({seen})))
                 ON CONFLICT DO NOTHING"
            );
            (sql, id)
        }
        Of::Clip(id) => (artefact("clip", "clip", "start_ms"), id),
        Of::Snapshot(id) => (artefact("snapshot", "snapshot", "taken_ms"), id),
        Of::ExportPart(id) => (
            artefact(
                "export_part",
                "export_part",
                "(SELECT start_ms FROM export WHERE export.id = export_part.export)",
            ),
            id,
        ),
        Of::Manifest(id) => (
            "INSERT INTO upload (at_ms, object_key, bytes, manifest)
             SELECT start_ms, manifest_key, manifest_bytes, id FROM export
             WHERE id = ?1 AND manifest_bytes IS NOT NULL ON CONFLICT DO NOTHING"
                .to_owned(),
            id,
        ),
    };
    let queued = connection.prepare_cached(&sql)?.execute([id])? > 0;
    if queued && matches!(of, Of::Recording(_)) {
        connection
            .prepare_cached("UPDATE recording SET state = 1 WHERE id = ?1 AND state = 0")?
            .execute([id])?;
    }
    Ok(queued)
}

fn artefact(table: &str, column: &str, at: &str) -> String {
    format!(
        "INSERT INTO upload (at_ms, object_key, bytes, sha256, {column})
         SELECT {at}, object_key, bytes, sha256, id FROM {table}
         WHERE id = ?1 AND local = 1 AND stored_ms IS NULL AND bytes IS NOT NULL
         ON CONFLICT DO NOTHING"
    )
}

/// Queues the segments around an event that has just been kept. Gives whether there were any.
pub(crate) fn event_kept(
    connection: &Connection,
    channel: i64,
    kind: EventKind,
    at: i64,
) -> Result<bool> {
    if !SEEN.contains(&kind) || !on(connection)? {
        return Ok(false);
    }
    let from = crate::recording::look_back(connection, channel, at.saturating_sub(BEFORE_MS))?;
    let around = connection
        .prepare_cached(
            "SELECT id FROM recording INDEXED BY recording_local
             WHERE channel = ?1 AND local = 1 AND start_ms >= ?2 AND start_ms < ?3
               AND end_ms > ?4 AND state = 0",
        )?
        .query_map(
            (
                channel,
                from,
                at.saturating_add(AFTER_MS),
                at.saturating_sub(BEFORE_MS),
            ),
            |r| r.get::<_, i64>(0),
        )?
        .collect::<Result<Vec<_>, _>>()?;
    let mut any = false;
    for id in around {
        any |= enqueue_any(connection, Of::Recording(id))?;
    }
    Ok(any)
}

/// Without those whose name still waits to be deleted in the bucket: what is sent now would be
/// what is deleted.
pub(crate) const DUE: &str = "SELECT id, object_key, bytes, sha256, multipart, tries
     FROM upload INDEXED BY upload_order WHERE due_ms <= ?1
       AND NOT EXISTS (SELECT 1 FROM garbage_object AS g
         WHERE g.object_key = upload.object_key AND g.remote = 1)
       AND NOT EXISTS (SELECT 1 FROM recording
         JOIN channel ON channel.id = recording.channel
         JOIN garbage AS g ON g.channel = channel.public_id AND g.start_ms = recording.start_ms
         WHERE recording.id = upload.recording AND g.object_key IS NOT NULL)
     ORDER BY at_ms, id LIMIT ?2";

impl Store {
    /// Whether what is made from now on is queued. Off also empties the queue: what waited is
    /// local and nothing else.
    pub async fn uploading_set(&self, uploading: bool) -> Result<()> {
        self.write(move |c| {
            c.execute(
                "INSERT INTO setting (key, value) VALUES ('uploading', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [if uploading { "1" } else { "0" }],
            )?;
            Ok(())
        })
        .await
    }

    /// The oldest uploads that are due, without what is being sent: an upload, and the name of
    /// its object. A new file of that name waits for the end of the old one.
    pub async fn uploads_due(
        &self,
        now: Timestamp,
        busy: Vec<(UploadId, String)>,
        limit: usize,
    ) -> Result<Vec<UploadTask>> {
        self.read(move |c| {
            let ask = i64::try_from(limit.saturating_add(busy.len())).unwrap_or(i64::MAX);
            let mut rows = c
                .prepare_cached(DUE)?
                .query_map((now.ms(), ask), |r| {
                    Ok(UploadTask {
                        id: r.get(0)?,
                        key: r.get(1)?,
                        bytes: r.get::<_, i64>(2)?.unsigned_abs(),
                        sha256: r.get(3)?,
                        multipart: r.get(4)?,
                        tries: r.get(5)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?;
            let is_busy =
                |r: &UploadTask| busy.iter().any(|(id, key)| *id == r.id || *key == r.key);
            rows.retain(|r| !is_busy(r));
            rows.truncate(limit);
            Ok(rows)
        })
        .await
    }

    /// When the next upload that waits for a later try is due.
    pub async fn uploads_next(&self) -> Result<Option<Timestamp>> {
        self.read(|c| {
            let next: Option<i64> = c
                .prepare_cached("SELECT min(due_ms) FROM upload WHERE due_ms > 0")?
                .query_row([], |r| r.get(0))?;
            Ok(next.map(Timestamp::from_ms))
        })
        .await
    }

    /// How much waits. Costs the same at any length.
    pub async fn backlog(&self) -> Result<Backlog> {
        self.read(|c| {
            let (waiting, bytes): (i64, i64) =
                c.query_row("SELECT waiting, bytes FROM backlog", [], |r| {
                    Ok((r.get(0)?, r.get(1)?))
                })?;
            let oldest: Option<i64> =
                c.query_row("SELECT min(at_ms) FROM upload", [], |r| r.get(0))?;
            Ok(Backlog {
                waiting: waiting.unsigned_abs(),
                bytes: bytes.unsigned_abs(),
                oldest: oldest.map(Timestamp::from_ms),
            })
        })
        .await
    }

    /// An upload in parts was begun, or given up. Fails when nobody wants the object any more;
    /// the parts are garbage then.
    pub async fn upload_parts(
        &self,
        id: UploadId,
        key: String,
        multipart: Option<String>,
    ) -> Result<()> {
        let wanted = self
            .write(move |c| {
                let known = c.execute(
                    "UPDATE upload SET multipart = ?2 WHERE id = ?1",
                    (id, &multipart),
                )? > 0;
                if let Some(multipart) = multipart.filter(|_| !known) {
                    garbage_multipart::add(c, &key, &multipart)?;
                }
                Ok(known)
            })
            .await?;
        wanted.then_some(()).ok_or(StoreError::NoSuch("upload"))
    }

    /// An upload did not work and is due again at this moment.
    pub async fn upload_failed(&self, id: UploadId, error: String, due: Timestamp) -> Result<()> {
        self.write(move |c| {
            c.execute(
                "UPDATE upload SET tries = tries + 1, due_ms = ?2, error = ?3 WHERE id = ?1",
                (id, due.ms(), &error),
            )?;
            Ok(())
        })
        .await
    }

    /// Everything that waits for a later try is due now.
    pub async fn uploads_hurry(&self) -> Result<()> {
        self.write(|c| {
            c.execute("UPDATE upload SET due_ms = 0 WHERE due_ms > 0", [])?;
            Ok(())
        })
        .await
    }

    /// The destination has an object of this key and size: by an upload of `ours`, or as it says
    /// itself. One of ours that nobody owns any more is garbage: its row went, or was replaced by
    /// that of a new file of the same name, while it was sent.
    pub async fn object_arrived(
        &self,
        key: String,
        bytes: u64,
        sha256: Option<[u8; 32]>,
        at: Timestamp,
        ours: Option<UploadId>,
    ) -> Result<Arrived> {
        self.write(move |c| {
            let Some(id) = ours else {
                return arrive(c, &key, bytes, sha256, at);
            };
            // Its parts are the object now.
            c.prepare_cached("UPDATE upload SET multipart = NULL WHERE id = ?1")?
                .execute([id])?;
            let replaced = c
                .prepare_cached("SELECT 1 FROM upload WHERE object_key = ?1 AND id <> ?2")?
                .exists((&key, id))?;
            let arrived = if replaced {
                Arrived::Unknown
            } else {
                arrive(c, &key, bytes, sha256, at)?
            };
            if arrived == Arrived::Unknown {
                c.prepare_cached("DELETE FROM upload WHERE id = ?1")?
                    .execute([id])?;
                garbage_object::add(c, &key, false, true)?;
            }
            Ok(arrived)
        })
        .await
    }

    /// An upload can never be made: its local file is gone or damaged. With `gone` the row it was
    /// for loses its local file too. `None` when there is no such upload.
    pub async fn upload_impossible(&self, id: UploadId, gone: bool) -> Result<Option<LostUpload>> {
        self.write(move |c| {
            let found = c
                .query_row(
                    "DELETE FROM upload WHERE id = ?1
                     RETURNING object_key, recording, clip, snapshot",
                    [id],
                    |r| {
                        Ok((
                            r.get::<_, String>(0)?,
                            r.get::<_, Option<i64>>(1)?,
                            r.get::<_, Option<i64>>(2)?,
                            r.get::<_, Option<i64>>(3)?,
                        ))
                    },
                )
                .optional()?;
            let Some((key, recording, clip, snapshot)) = found else {
                return Ok(None);
            };
            let owner: Option<String> = c
                .query_row(
                    "SELECT public_id FROM channel WHERE id = coalesce(
                       (SELECT channel FROM recording WHERE id = ?1),
                       (SELECT channel FROM clip WHERE id = ?2),
                       (SELECT channel FROM snapshot WHERE id = ?3))",
                    (recording, clip, snapshot),
                    |r| r.get(0),
                )
                .optional()?;
            if let Some(id) = recording {
                c.execute(
                    "UPDATE recording SET local = local * ?2,
                       state = CASE WHEN ?2 = 0 THEN 3 ELSE 0 END WHERE id = ?1 AND state = 1",
                    (id, !gone),
                )?;
            }
            for (table, id) in [("clip", clip), ("snapshot", snapshot)] {
                if let Some(id) = id.filter(|_| gone) {
                    c.execute(&format!("UPDATE {table} SET local = 0 WHERE id = ?1"), [id])?;
                }
            }
            Ok(Some(LostUpload {
                channel: owner.as_deref().map(text::id).transpose()?,
                key,
            }))
        })
        .await
    }
}

fn arrive(
    c: &Connection,
    key: &str,
    bytes: u64,
    sha256: Option<[u8; 32]>,
    at: Timestamp,
) -> Result<Arrived> {
    let size = i64::try_from(bytes).unwrap_or(i64::MAX);
    let known: Option<(i64, bool)> = match segment_of(key) {
        Some((channel, start)) => c
            .prepare_cached(
                "SELECT recording.id, recording.state = 2 AND recording.object_key = ?3
                 FROM recording JOIN channel ON channel.id = recording.channel
                 WHERE channel.public_id = ?1 AND recording.start_ms = ?2
                   AND recording.bytes = ?4 AND channel.purging = 0",
            )?
            .query_row((channel, start, key, size), |r| {
                Ok((r.get(0)?, r.get::<_, Option<bool>>(1)?.unwrap_or(false)))
            })
            .optional()?,
        None => None,
    };
    if let Some((id, stored)) = known {
        if !stored {
            c.prepare_cached(
                "UPDATE recording SET state = 2, object_key = ?2, stored_ms = ?3,
                   sha256 = coalesce(?4, sha256) WHERE id = ?1",
            )?
            .execute((id, key, at.ms(), sha256))?;
        }
        c.prepare_cached("DELETE FROM upload WHERE recording = ?1")?
            .execute([id])?;
        return Ok(if stored {
            Arrived::Known
        } else {
            Arrived::Noted
        });
    }
    for table in ["clip", "snapshot", "export_part"] {
        let found: Option<(i64, bool)> = c
            .query_row(
                &format!(
                    "SELECT id, stored_ms IS NOT NULL FROM {table}
                     WHERE object_key = ?1 AND bytes = ?2"
                ),
                (key, size),
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()?;
        if let Some((id, stored)) = found {
            c.execute(
                &format!(
                    "UPDATE {table} SET stored_ms = coalesce(stored_ms, ?2),
                       sha256 = coalesce(sha256, ?3) WHERE id = ?1"
                ),
                (id, at.ms(), sha256),
            )?;
            c.execute(&format!("DELETE FROM upload WHERE {table} = ?1"), [id])?;
            return Ok(if stored {
                Arrived::Known
            } else {
                Arrived::Noted
            });
        }
    }
    let manifest: Option<i64> = c
        .query_row(
            "SELECT id FROM export WHERE manifest_key = ?1 AND manifest_bytes = ?2",
            (key, size),
            |r| r.get(0),
        )
        .optional()?;
    Ok(match manifest {
        Some(id) => {
            let gone = c.execute("DELETE FROM upload WHERE manifest = ?1", [id])?;
            if gone > 0 {
                Arrived::Noted
            } else {
                Arrived::Known
            }
        }
        None => Arrived::Unknown,
    })
}

/// Channel and start in the key of a segment.
fn segment_of(key: &str) -> Option<(&str, i64)> {
    let (channel, rest) = key.strip_prefix("recordings/")?.split_once('/')?;
    let (_, file) = rest.rsplit_once('/')?;
    let (start, _) = file.split_once('-')?;
    Some((channel, start.parse().ok()?))
}

#[cfg(test)]
mod tests;

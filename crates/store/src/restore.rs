//! Rows made again from what the bucket holds, after the database was lost. Rows that exist stay
//! as they are, but learn that their bytes are in the bucket.

use oriel_api::{
    AudioMode, ChannelId, ClipId, ClipStatus, Engine, Range, RecordMode, SnapshotId,
    SnapshotSource, SnapshotStatus, Timestamp,
};
use rusqlite::{Connection, OptionalExtension};

use crate::{ExportPartRow, ExportRow, Result, Store, StoreError, channel, codec, text};

/// A segment in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecording {
    /// Channel.
    pub channel: ChannelId,
    /// First frame.
    pub start: Timestamp,
    /// End of the last frame.
    pub end: Timestamp,
    /// Size.
    pub bytes: u64,
    /// RFC 6381 strings, video first.
    pub codecs: String,
    /// Continues the segment before.
    pub continues: bool,
    /// Its key.
    pub object_key: String,
    /// Since when it is there.
    pub stored: Timestamp,
}

/// A picture in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// An id, should it have none.
    pub id: SnapshotId,
    /// Channel.
    pub channel: ChannelId,
    /// The moment it shows.
    pub taken: Timestamp,
    /// Size.
    pub bytes: u64,
    /// Its key.
    pub object_key: String,
    /// Since when it is there.
    pub stored: Timestamp,
}

/// A clip in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredClip {
    /// Id.
    pub id: ClipId,
    /// Channel.
    pub channel: ChannelId,
    /// Name.
    pub name: String,
    /// What it shows.
    pub media: Range,
    /// Size.
    pub bytes: u64,
    /// Its key.
    pub object_key: String,
    /// Since when it is there.
    pub stored: Timestamp,
}

/// What came of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Made.
    pub added: u64,
    /// Were there, and know now that the bucket has their bytes.
    pub linked: u64,
    /// Were there and knew.
    pub known: u64,
    /// Differ from what the bucket holds; left alone.
    pub other: u64,
}

fn of_channel(connection: &Connection, id: &ChannelId) -> Result<i64> {
    match channel::key(connection, id)? {
        Some((key, _)) => Ok(key),
        None => Err(StoreError::NoSuch("channel")),
    }
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn recording(c: &Connection, row: &StoredRecording, out: &mut Restored) -> Result<()> {
    let channel = of_channel(c, &row.channel)?;
    let existing: Option<(i64, i64, i64)> = c
        .prepare_cached(
            "SELECT id, bytes, state FROM recording WHERE channel = ?1 AND start_ms = ?2",
        )?
        .query_row((channel, row.start.ms()), |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })
        .optional()?;
    match existing {
        Some((_, _, 2)) => out.known += 1,
        Some((_, bytes, _)) if bytes != size(row.bytes) => out.other += 1,
        Some((id, _, _)) => {
            c.prepare_cached("DELETE FROM upload WHERE recording = ?1")?
                .execute([id])?;
            c.prepare_cached(
                "UPDATE recording SET state = 2, object_key = ?2, stored_ms = ?3 WHERE id = ?1",
            )?
            .execute((id, &row.object_key, row.stored.ms()))?;
            out.linked += 1;
        }
        None => {
            let codec = codec::intern(c, &row.codecs)?;
            c.prepare_cached(
                "INSERT INTO recording (channel, start_ms, end_ms, bytes, codec, continues, local,
                   state, object_key, stored_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 2, ?7, ?8)",
            )?
            .execute((
                channel,
                row.start.ms(),
                row.end.ms(),
                size(row.bytes),
                codec,
                row.continues,
                &row.object_key,
                row.stored.ms(),
            ))?;
            out.added += 1;
        }
    }
    Ok(())
}

impl Store {
    /// Whether a segment is listed with its bytes in the bucket, so that nothing is left to be
    /// found out about it.
    pub async fn is_stored(&self, channel: ChannelId, start: Timestamp) -> Result<bool> {
        self.read(move |c| {
            let Some((channel, _)) = channel::key(c, &channel)? else {
                return Ok(false);
            };
            Ok(c.prepare_cached(
                "SELECT 1 FROM recording WHERE channel = ?1 AND start_ms = ?2 AND state = 2",
            )?
            .exists((channel, start.ms()))?)
        })
        .await
    }

    /// Makes a channel without a camera, under which footage is shown. Gives whether it was
    /// missing.
    pub async fn channel_restore(
        &self,
        id: ChannelId,
        name: String,
        at: Timestamp,
    ) -> Result<bool> {
        self.write(move |c| {
            if channel::key(c, &id)?.is_some() {
                return Ok(false);
            }
            c.execute(
                "INSERT INTO channel (public_id, camera, name, record_mode, record_mode_since_ms,
                   engine, audio, created_ms, removed_ms) VALUES (?1, NULL, ?2, ?3, ?4, ?5, ?6, ?4,
                   ?4)",
                (
                    id.as_str(),
                    name,
                    text::word(&RecordMode::default())?,
                    at.ms(),
                    text::word(&Engine::default())?,
                    text::word(&AudioMode::default())?,
                ),
            )?;
            Ok(true)
        })
        .await
    }

    /// Makes rows for segments in the bucket; their channels exist.
    pub async fn recordings_restore(&self, rows: Vec<StoredRecording>) -> Result<Restored> {
        self.write(move |c| {
            let mut out = Restored::default();
            for row in &rows {
                recording(c, row, &mut out)?;
            }
            Ok(out)
        })
        .await
    }

    /// Makes rows for pictures in the bucket; their channels exist.
    pub async fn snapshots_restore(&self, rows: Vec<StoredSnapshot>) -> Result<Restored> {
        self.write(move |c| {
            let mut out = Restored::default();
            for row in &rows {
                let channel = of_channel(c, &row.channel)?;
                let linked = c
                    .prepare_cached(
                        "UPDATE snapshot SET stored_ms = ?2 WHERE object_key = ?1
                           AND stored_ms IS NULL AND bytes = ?3",
                    )?
                    .execute((&row.object_key, row.stored.ms(), size(row.bytes)))?;
                let added = c
                    .prepare_cached(
                        "INSERT INTO snapshot (public_id, channel, taken_ms, source, status, bytes,
                           object_key, stored_ms, created_ms)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?3)
                         ON CONFLICT (object_key) DO NOTHING",
                    )?
                    .execute((
                        row.id.as_str(),
                        channel,
                        row.taken.ms(),
                        text::word(&SnapshotSource::Agent)?,
                        text::word(&SnapshotStatus::Stored)?,
                        size(row.bytes),
                        &row.object_key,
                        row.stored.ms(),
                    ))?;
                count(&mut out, added, linked);
            }
            Ok(out)
        })
        .await
    }

    /// Makes rows for exports in the bucket, with new numbers.
    pub async fn exports_restore(&self, rows: Vec<ExportRow>) -> Result<Restored> {
        self.write(move |c| {
            let mut out = Restored::default();
            for row in &rows {
                count(&mut out, usize::from(export(c, row)?), 0);
            }
            Ok(out)
        })
        .await
    }

    /// Makes rows for clips in the bucket; their channels exist.
    pub async fn clips_restore(&self, rows: Vec<StoredClip>) -> Result<Restored> {
        self.write(move |c| {
            let mut out = Restored::default();
            for row in &rows {
                let channel = of_channel(c, &row.channel)?;
                let linked = c
                    .prepare_cached(
                        "UPDATE clip SET stored_ms = ?2 WHERE object_key = ?1
                           AND stored_ms IS NULL AND bytes = ?3",
                    )?
                    .execute((&row.object_key, row.stored.ms(), size(row.bytes)))?;
                let added = c
                    .prepare_cached(
                        "INSERT INTO clip (public_id, channel, name, start_ms, end_ms, exact,
                           with_audio, status, media_start_ms, media_end_ms, bytes, object_key,
                           stored_ms, created_ms)
                         VALUES (?1, ?2, ?3, ?4, ?5, 0, 1, ?6, ?4, ?5, ?7, ?8, ?9, ?9)
                         ON CONFLICT DO NOTHING",
                    )?
                    .execute((
                        row.id.as_str(),
                        channel,
                        &row.name,
                        row.media.start.ms(),
                        row.media.end.ms(),
                        text::word(&ClipStatus::Finished)?,
                        size(row.bytes),
                        &row.object_key,
                        row.stored.ms(),
                    ))?;
                count(&mut out, added, linked);
            }
            Ok(out)
        })
        .await
    }
}

fn export(c: &Connection, row: &ExportRow) -> Result<bool> {
    let added = c
        .prepare_cached(
            "INSERT INTO export (public_id, start_ms, end_ms, format, with_audio, status, reason,
               manifest_key, manifest_bytes, created_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?
        .execute((
            row.id.as_str(),
            row.range.start.ms(),
            row.range.end.ms(),
            text::word(&row.format)?,
            row.with_audio,
            text::word(&row.status)?,
            &row.reason,
            &row.manifest_key,
            row.manifest_bytes.map(size),
            row.created.ms(),
        ))?;
    if added == 0 {
        return Ok(false);
    }
    let export = c.last_insert_rowid();
    for part in &row.parts {
        export_part(c, export, part)?;
    }
    Ok(true)
}

fn export_part(c: &Connection, export: i64, part: &ExportPartRow) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO export_part (export, camera, channel, name, file, status, reason, gaps,
           media_start_ms, media_end_ms, bytes, sha256, object_key, stored_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute((
        export,
        part.camera.as_str(),
        part.channel.as_str(),
        &part.name,
        &part.file,
        text::word(&part.status)?,
        &part.reason,
        text::json(&part.gaps)?,
        part.media.map(|m| m.start.ms()),
        part.media.map(|m| m.end.ms()),
        part.bytes.map(size),
        part.sha256,
        &part.object_key,
        part.stored.map(Timestamp::ms),
    ))?;
    Ok(())
}

fn count(out: &mut Restored, added: usize, linked: usize) {
    match (added, linked) {
        (0, 0) => out.known += 1,
        (0, _) => out.linked += 1,
        _ => out.added += 1,
    }
}

#[cfg(test)]
mod tests {
    use oriel_api::{ExportFormat, ExportStatus, Gap};

    use super::*;
    use crate::tests::Temporary;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn stored(channel: &ChannelId, start: i64, bytes: u64) -> StoredRecording {
        StoredRecording {
            channel: channel.clone(),
            start: at(start),
            end: at(start + 30_000),
            bytes,
            codecs: "avc1.640028".into(),
            continues: start > 0,
            object_key: format!("recordings/x/{start}"),
            stored: at(99),
        }
    }

    #[tokio::test]
    async fn rows_come_back_once_and_those_that_exist_stay() {
        let t = Temporary::new().await;
        let channel: ChannelId = "abcdefghjk23".parse().unwrap();
        let restore = |rows| t.store.recordings_restore(rows);
        assert!(restore(vec![stored(&channel, 0, 5)]).await.is_err());
        let make = |name: &str| t.store.channel_restore(channel.clone(), name.into(), at(7));
        assert!(make("Yard").await.unwrap());
        assert!(!make("Other").await.unwrap());
        let row = t.store.channel(channel.clone()).await.unwrap().unwrap();
        assert_eq!((row.name.as_str(), row.camera), ("Yard", None));
        let rows = vec![stored(&channel, 0, 5), stored(&channel, 30_000, 6)];
        let out = restore(rows.clone()).await.unwrap();
        assert_eq!(out.added, 2);
        assert_eq!(restore(rows).await.unwrap().known, 2);
        assert!(t.store.is_stored(channel.clone(), at(0)).await.unwrap());
        // A file that is here too learns of the bucket, unless the bucket has something else.
        t.segment(&channel, 60_000, 90_000).await;
        let local = t
            .store
            .recording(channel.clone(), at(60_000))
            .await
            .unwrap();
        let bytes = local.unwrap().bytes;
        let other = restore(vec![stored(&channel, 60_000, bytes + 1)]).await;
        assert_eq!(other.unwrap().other, 1);
        let linked = restore(vec![stored(&channel, 60_000, bytes)]).await;
        assert_eq!(linked.unwrap().linked, 1);
        let both = t
            .store
            .recording(channel.clone(), at(60_000))
            .await
            .unwrap();
        let both = both.unwrap();
        assert!(both.local && both.object_key.is_some());
    }

    #[tokio::test]
    async fn pictures_and_clips_come_back_once() {
        let t = Temporary::new().await;
        let channel: ChannelId = "abcdefghjk23".parse().unwrap();
        t.store
            .channel_restore(channel.clone(), "Yard".into(), at(0))
            .await
            .unwrap();
        let picture = StoredSnapshot {
            id: SnapshotId::from_random([1; 12]),
            channel: channel.clone(),
            taken: at(5),
            bytes: 9,
            object_key: "snapshots/abcdefghjk23/5.jpg".into(),
            stored: at(6),
        };
        let again = StoredSnapshot {
            id: SnapshotId::from_random([2; 12]),
            ..picture.clone()
        };
        let out = t.store.snapshots_restore(vec![picture, again]).await;
        assert_eq!(out.map(|o| (o.added, o.known)).unwrap(), (1, 1));
        let clip = StoredClip {
            id: ClipId::from_random([3; 12]),
            channel,
            name: "Clip".into(),
            media: Range {
                start: at(1),
                end: at(2),
            },
            bytes: 3,
            object_key: "clips/abcdefghjk23/c.mp4".into(),
            stored: at(8),
        };
        let out = t.store.clips_restore(vec![clip.clone(), clip]).await;
        assert_eq!(out.map(|o| (o.added, o.known)).unwrap(), (1, 1));
    }

    #[tokio::test]
    async fn an_export_comes_back_once_with_all_that_was_known_of_its_files() {
        let t = Temporary::new().await;
        let part = ExportPartRow {
            number: 0,
            camera: "aaaaaaaaaaaa".parse().unwrap(),
            channel: "abcdefghjk23".parse().unwrap(),
            name: "Yard".into(),
            file: "yard.mp4".into(),
            status: ExportStatus::Partial,
            reason: None,
            gaps: vec![Gap {
                start: at(3),
                end: at(4),
                reason: None,
            }],
            media: Some(Range {
                start: at(1),
                end: at(9),
            }),
            bytes: Some(7),
            sha256: Some([9; 32]),
            object_key: "exports/eeeeeeeeeeee/yard.mp4".into(),
            local: false,
            stored: Some(at(20)),
        };
        let row = ExportRow {
            number: 0,
            id: "eeeeeeeeeeee".parse().unwrap(),
            range: Range {
                start: at(1),
                end: at(10),
            },
            format: ExportFormat::Mp4,
            with_audio: false,
            status: ExportStatus::Partial,
            reason: Some("One is missing.".into()),
            manifest_key: "exports/eeeeeeeeeeee/manifest.json".into(),
            manifest_bytes: Some(3),
            created: at(15),
            parts: vec![part],
        };
        let out = t
            .store
            .exports_restore(vec![row.clone(), row.clone()])
            .await;
        assert_eq!(out.map(|o| (o.added, o.known)).unwrap(), (1, 1));
        let mut read = t.store.export(row.id.clone()).await.unwrap().unwrap();
        read.number = 0;
        read.parts[0].number = 0;
        assert_eq!(read, row);
    }
}

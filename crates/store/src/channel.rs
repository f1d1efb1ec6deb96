//! Table `channel`: what records, what is recorded under, and what rights are given for.

use oriel_api::{
    AudioMode, CameraId, ChannelId, Engine, RecordMode, Timestamp, UploadPolicy, link::Cutting,
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{Result, Store, StoreError, snapshot, text};

/// A channel as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelRow {
    /// Id.
    pub id: ChannelId,
    /// Its camera; `None` when only footage is left.
    pub camera: Option<CameraId>,
    /// Name.
    pub name: String,
    /// When it records.
    pub record_mode: RecordMode,
    /// Since when it records so.
    pub record_mode_since: Timestamp,
    /// Which engine.
    pub engine: Engine,
    /// What happens to audio.
    pub audio: AudioMode,
    /// Seconds per segment, 5 to 600; `None` is the recorder's setting.
    pub segment_seconds: Option<u32>,
    /// Most MB per segment.
    pub segment_mb: Option<u32>,
    /// Which segments are uploaded.
    pub upload: UploadPolicy,
    /// Days for which footage is kept on this disk; `None` is the recorder's rule.
    pub retention_days: Option<u32>,
    /// Most MB of footage on this disk.
    pub quota_mb: Option<u32>,
    /// When it was made.
    pub created: Timestamp,
    /// When its camera was removed.
    pub removed: Option<Timestamp>,
}

impl ChannelRow {
    /// How its segments are cut.
    pub fn cutting(&self) -> Cutting {
        Cutting {
            seconds: self.segment_seconds,
            megabytes: self.segment_mb,
        }
    }
}

/// A channel to be made for a camera that has none.
#[derive(Clone, Debug)]
pub struct NewChannel {
    /// Id.
    pub id: ChannelId,
    /// Camera.
    pub camera: CameraId,
    /// Name; the camera's when absent.
    pub name: Option<String>,
    /// Now.
    pub at: Timestamp,
}

/// A change of a channel; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ChannelChange {
    /// New name.
    pub name: Option<String>,
    /// When it records.
    pub record_mode: Option<RecordMode>,
    /// Which engine.
    pub engine: Option<Engine>,
    /// What happens to audio.
    pub audio: Option<AudioMode>,
    /// Seconds per segment; `Some(None)` is the recorder's setting.
    pub segment_seconds: Option<Option<u32>>,
    /// Most MB per segment; `Some(None)` is no limit.
    pub segment_mb: Option<Option<u32>>,
    /// Which segments are uploaded.
    pub upload: Option<UploadPolicy>,
    /// Days; `Some(None)` is the recorder's rule.
    pub retention_days: Option<Option<u32>>,
    /// Quota in MB; `Some(None)` is no limit.
    pub quota_mb: Option<Option<u32>>,
}

const SELECT: &str = "SELECT channel.public_id, camera.public_id, channel.name,
     channel.record_mode, channel.record_mode_since_ms, channel.engine, channel.audio,
     channel.segment_seconds, channel.created_ms, channel.removed_ms, channel.segment_mb,
     channel.upload, channel.retention_days, channel.quota_mb
     FROM channel LEFT JOIN camera ON camera.id = channel.camera
     WHERE (channel.purging = 0 OR EXISTS (SELECT 1 FROM clip WHERE clip.channel = channel.id))";

struct Raw {
    row: (String, Option<String>, String, String, String, String),
    since: i64,
    segment_seconds: Option<u32>,
    created: i64,
    removed: Option<i64>,
    segment_mb: Option<u32>,
    upload: String,
    retention_days: Option<u32>,
    quota_mb: Option<u32>,
}

fn raw(r: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        row: (
            r.get(0)?,
            r.get(1)?,
            r.get(2)?,
            r.get(3)?,
            r.get(5)?,
            r.get(6)?,
        ),
        since: r.get(4)?,
        segment_seconds: r.get(7)?,
        created: r.get(8)?,
        removed: r.get(9)?,
        segment_mb: r.get(10)?,
        upload: r.get(11)?,
        retention_days: r.get(12)?,
        quota_mb: r.get(13)?,
    })
}

fn complete(raw: Raw) -> Result<ChannelRow> {
    let (id, camera, name, record_mode, engine, audio) = raw.row;
    Ok(ChannelRow {
        id: text::id(&id)?,
        camera: camera.as_deref().map(text::id).transpose()?,
        name,
        record_mode: text::parse(&record_mode)?,
        record_mode_since: Timestamp::from_ms(raw.since),
        engine: text::parse(&engine)?,
        audio: text::parse(&audio)?,
        segment_seconds: raw.segment_seconds,
        segment_mb: raw.segment_mb,
        upload: text::parse(&raw.upload)?,
        retention_days: raw.retention_days,
        quota_mb: raw.quota_mb,
        created: Timestamp::from_ms(raw.created),
        removed: raw.removed.map(Timestamp::from_ms),
    })
}

pub(crate) fn one(connection: &Connection, id: &ChannelId) -> Result<Option<ChannelRow>> {
    connection
        .prepare_cached(&format!("{SELECT} AND channel.public_id = ?1"))?
        .query_row([id.as_str()], raw)
        .optional()?
        .map(complete)
        .transpose()
}

/// Number and whether the footage is being deleted, of a channel in use or not.
pub(crate) fn key(connection: &Connection, id: &ChannelId) -> Result<Option<(i64, bool)>> {
    Ok(connection
        .prepare_cached("SELECT id, purging FROM channel WHERE public_id = ?1")?
        .query_row([id.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?)
}

pub(crate) fn insert(
    connection: &Connection,
    id: &ChannelId,
    camera: i64,
    name: &str,
    at: Timestamp,
) -> Result<()> {
    connection
        .execute(
            "INSERT INTO channel (public_id, camera, name, record_mode, record_mode_since_ms,
               engine, audio, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5)",
            (
                id.as_str(),
                camera,
                name,
                text::word(&RecordMode::default())?,
                at.ms(),
                text::word(&Engine::default())?,
                text::word(&AudioMode::default())?,
            ),
        )
        .map_err(|e| {
            if StoreError::is_unique_violation(&e, "channel.camera") {
                StoreError::HasChannel
            } else {
                e.into()
            }
        })?;
    Ok(())
}

/// Takes a channel out of use: away when it holds nothing, without a camera when it holds
/// footage, clips or snapshots. When its footage is to go, that is known to no query from then
/// on and is emptied later; its snapshots go with it, and the channel is listed only while it has
/// clips. Clips that wait for footage to come are made of what there is.
pub(crate) fn take_out(
    connection: &Connection,
    id: &ChannelId,
    purge: bool,
    at: Timestamp,
) -> Result<()> {
    let (channel, _) = key(connection, id)?.ok_or(StoreError::NoSuch("channel"))?;
    if purge {
        snapshot::purge(connection, channel)?;
        // What somebody deletes themselves no protection keeps.
        connection.execute("DELETE FROM protection WHERE channel = ?1", [channel])?;
    }
    connection.execute(
        "UPDATE clip SET cancelled_ms = ?2
         WHERE channel = ?1 AND status = 'in_progress' AND cancelled_ms IS NULL AND end_ms > ?2",
        (channel, at.ms()),
    )?;
    let holds: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM recording WHERE channel = ?1)
           OR EXISTS (SELECT 1 FROM clip WHERE channel = ?1)
           OR EXISTS (SELECT 1 FROM snapshot WHERE channel = ?1)",
        [channel],
        |r| r.get(0),
    )?;
    if holds || purge {
        // One whose footage goes stays as a tombstone even when it is empty: its last segment
        // may be closed only after this.
        connection.execute(
            "UPDATE channel SET camera = NULL, removed_ms = coalesce(removed_ms, ?2),
               purging = max(purging, ?3) WHERE id = ?1",
            (channel, at.ms(), purge),
        )?;
    } else {
        connection.execute("DELETE FROM channel WHERE id = ?1", [channel])?;
    }
    Ok(())
}

impl Store {
    /// All channels by name, those without a camera too while they hold footage, clips or
    /// snapshots.
    pub async fn channels(&self) -> Result<Vec<ChannelRow>> {
        self.read(|c| {
            c.prepare_cached(&format!(
                "{SELECT} ORDER BY channel.name COLLATE NOCASE, channel.id"
            ))?
            .query_map([], raw)?
            .map(|r| complete(r?))
            .collect()
        })
        .await
    }

    /// One channel.
    pub async fn channel(&self, id: ChannelId) -> Result<Option<ChannelRow>> {
        self.read(move |c| one(c, &id)).await
    }

    /// Makes a channel for a camera that has none.
    pub async fn channel_insert(&self, new: NewChannel) -> Result<ChannelRow> {
        self.write(move |c| {
            let camera = crate::camera::key(c, &new.camera)?.ok_or(StoreError::NoSuch("camera"))?;
            let name = match new.name {
                Some(name) => name,
                None => c.query_row("SELECT name FROM camera WHERE id = ?1", [camera], |r| {
                    r.get(0)
                })?,
            };
            insert(c, &new.id, camera, &name, new.at)?;
            one(c, &new.id)?.ok_or(StoreError::NoSuch("channel"))
        })
        .await
    }

    /// Changes a channel and gives it as it is now.
    pub async fn channel_update(
        &self,
        id: ChannelId,
        change: ChannelChange,
        at: Timestamp,
    ) -> Result<ChannelRow> {
        self.write(move |c| {
            let mut row = one(c, &id)?.ok_or(StoreError::NoSuch("channel"))?;
            if let Some(mode) = change.record_mode
                && mode != row.record_mode
            {
                row.record_mode = mode;
                row.record_mode_since = at;
            }
            row.name = change.name.unwrap_or(row.name);
            row.engine = change.engine.unwrap_or(row.engine);
            row.audio = change.audio.unwrap_or(row.audio);
            row.segment_seconds = change.segment_seconds.unwrap_or(row.segment_seconds);
            row.segment_mb = change.segment_mb.unwrap_or(row.segment_mb);
            row.upload = change.upload.unwrap_or(row.upload);
            row.retention_days = change.retention_days.unwrap_or(row.retention_days);
            row.quota_mb = change.quota_mb.unwrap_or(row.quota_mb);
            c.execute(
                "UPDATE channel SET name = ?2, record_mode = ?3, record_mode_since_ms = ?4,
                   engine = ?5, audio = ?6, segment_seconds = ?7, segment_mb = ?8, upload = ?9,
                   retention_days = ?10, quota_mb = ?11 WHERE public_id = ?1",
                (
                    id.as_str(),
                    &row.name,
                    text::word(&row.record_mode)?,
                    row.record_mode_since.ms(),
                    text::word(&row.engine)?,
                    text::word(&row.audio)?,
                    row.segment_seconds,
                    row.segment_mb,
                    text::word(&row.upload)?,
                    row.retention_days,
                    row.quota_mb,
                ),
            )?;
            Ok(row)
        })
        .await
    }

    /// Takes a channel out of use. With footage it stays, without a camera; without, it goes.
    /// `purge` hides it at once; its footage is then turned into garbage by
    /// [`Store::purge_some`].
    pub async fn channel_remove(&self, id: ChannelId, purge: bool, at: Timestamp) -> Result<()> {
        self.write(move |c| take_out(c, &id, purge, at)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;

    #[tokio::test]
    async fn a_camera_has_one_channel_and_can_get_another_after_it_was_removed() {
        let t = Temporary::new().await;
        let (camera, channel) = t.camera("Door", "rtsp://door/1").await;
        let at = Timestamp::from_ms(5);
        let new = NewChannel {
            id: t.channel_id(),
            camera: camera.clone(),
            name: None,
            at,
        };
        assert!(matches!(
            t.store.channel_insert(new.clone()).await,
            Err(StoreError::HasChannel)
        ));
        t.segment(&channel, 0, 30_000).await;
        t.store
            .channel_remove(channel.clone(), false, at)
            .await
            .unwrap();
        let second = t.store.channel_insert(new).await.unwrap();
        assert_eq!(second.name, "Door");
        let row = t.store.camera(camera).await.unwrap().unwrap();
        assert_eq!(row.channel, Some(second.id));
        let old = t.store.channel(channel).await.unwrap().unwrap();
        assert_eq!((old.camera, old.removed), (None, Some(at)));
    }

    #[tokio::test]
    async fn a_change_is_kept_and_the_mode_knows_since_when() {
        let t = Temporary::new().await;
        let (_, channel) = t.camera("Door", "rtsp://door/1").await;
        let change = ChannelChange {
            record_mode: Some(RecordMode::Off),
            engine: Some(Engine::Gstreamer),
            audio: Some(AudioMode::Off),
            segment_seconds: Some(Some(60)),
            segment_mb: Some(Some(50)),
            upload: Some(UploadPolicy::Events),
            retention_days: Some(Some(7)),
            quota_mb: Some(Some(1000)),
            name: Some("Gate".into()),
        };
        let at = Timestamp::from_ms(77);
        let row = t
            .store
            .channel_update(channel.clone(), change.clone(), at)
            .await
            .unwrap();
        assert_eq!(
            t.store.channel(channel.clone()).await.unwrap().unwrap(),
            row
        );
        assert_eq!(row.record_mode_since, at);
        assert_eq!(row.segment_seconds, Some(60));
        assert_eq!((row.segment_mb, row.quota_mb), (Some(50), Some(1000)));
        assert_eq!(
            (row.upload, row.retention_days),
            (UploadPolicy::Events, Some(7))
        );
        let again = t
            .store
            .channel_update(channel, change, Timestamp::from_ms(99))
            .await
            .unwrap();
        assert_eq!(again.record_mode_since, at);
    }
}

//! Table `camera`: devices we can reach. Their credentials are never here.

use oriel_api::{CameraId, ChannelId, Quality, StreamProfile, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{Result, Store, StoreError, channel, stream_profile, text};

/// A camera as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraRow {
    /// Id.
    pub id: CameraId,
    /// Name.
    pub name: String,
    /// Grows with every change of address or credentials.
    pub revision: u64,
    /// When it was added.
    pub created: Timestamp,
    /// Its channel.
    pub channel: Option<ChannelId>,
    /// Encodings, the main one first.
    pub profiles: Vec<StreamProfile>,
    /// Address that answers with a picture, without credentials.
    pub snapshot_url: Option<String>,
}

impl CameraRow {
    /// The profile of this quality.
    pub fn profile(&self, quality: Quality) -> Option<&StreamProfile> {
        self.profiles.iter().find(|p| p.quality == quality)
    }
}

/// A camera to be added together with its channel.
#[derive(Clone, Debug)]
pub struct NewCamera {
    /// Id.
    pub id: CameraId,
    /// Id of its channel.
    pub channel: ChannelId,
    /// Name of both.
    pub name: String,
    /// Encodings; one of them is the main one.
    pub profiles: Vec<StreamProfile>,
    /// Address that answers with a picture, without credentials.
    pub snapshot_url: Option<String>,
    /// Now.
    pub at: Timestamp,
}

/// A change of a camera; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct CameraChange {
    /// New name. A channel that bore the old name follows.
    pub name: Option<String>,
    /// New address of the main stream.
    pub url: Option<String>,
    /// New address of the smaller stream; `Some(None)` removes it.
    pub low_url: Option<Option<String>>,
    /// New address that answers with a picture; `Some(None)` removes it.
    pub snapshot_url: Option<Option<String>>,
    /// Whether a running connection is outdated by this change.
    pub reconnect: bool,
}

const SELECT: &str = "SELECT camera.id, camera.public_id, camera.name, camera.revision,
     camera.created_ms, channel.public_id, camera.snapshot_url
     FROM camera LEFT JOIN channel ON channel.camera = camera.id";

pub(crate) fn key(connection: &Connection, id: &CameraId) -> Result<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT id FROM camera WHERE public_id = ?1")?
        .query_row([id.as_str()], |r| r.get(0))
        .optional()?)
}

struct Raw(
    i64,
    String,
    String,
    i64,
    i64,
    Option<String>,
    Option<String>,
);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw(
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
    ))
}

fn complete(connection: &Connection, raw: Raw) -> Result<CameraRow> {
    Ok(CameraRow {
        id: text::id(&raw.1)?,
        name: raw.2,
        revision: raw.3.unsigned_abs(),
        created: Timestamp::from_ms(raw.4),
        channel: raw.5.as_deref().map(text::id).transpose()?,
        profiles: stream_profile::of_camera(connection, raw.0)?,
        snapshot_url: raw.6,
    })
}

fn one(connection: &Connection, id: &CameraId) -> Result<Option<CameraRow>> {
    let found = connection
        .prepare_cached(&format!("{SELECT} WHERE camera.public_id = ?1"))?
        .query_row([id.as_str()], raw)
        .optional()?;
    found.map(|r| complete(connection, r)).transpose()
}

impl Store {
    /// All cameras, by name.
    pub async fn cameras(&self) -> Result<Vec<CameraRow>> {
        self.read(|c| {
            let rows = c
                .prepare_cached(&format!(
                    "{SELECT} ORDER BY camera.name COLLATE NOCASE, camera.id"
                ))?
                .query_map([], raw)?
                .collect::<Result<Vec<_>, _>>()?;
            rows.into_iter().map(|r| complete(c, r)).collect()
        })
        .await
    }

    /// One camera.
    pub async fn camera(&self, id: CameraId) -> Result<Option<CameraRow>> {
        self.read(move |c| one(c, &id)).await
    }

    /// Adds a camera and its channel, which records. [`StoreError::AddressTaken`] when another
    /// camera has the same main address.
    pub async fn camera_insert(&self, new: NewCamera) -> Result<()> {
        self.write(move |c| {
            c.execute(
                "INSERT INTO camera (public_id, name, created_ms, snapshot_url)
                 VALUES (?1, ?2, ?3, ?4)",
                (new.id.as_str(), &new.name, new.at.ms(), &new.snapshot_url),
            )?;
            let camera = c.last_insert_rowid();
            for profile in &new.profiles {
                stream_profile::put(c, camera, profile)?;
            }
            channel::insert(c, &new.channel, camera, &new.name, new.at)
        })
        .await
    }

    /// Changes a camera and gives it as it is now. A profile whose address changes forgets what
    /// was seen there.
    pub async fn camera_update(&self, id: CameraId, change: CameraChange) -> Result<CameraRow> {
        self.write(move |c| {
            let camera = key(c, &id)?.ok_or(StoreError::NoSuch("camera"))?;
            if let Some(name) = &change.name {
                c.execute(
                    "UPDATE channel SET name = ?2 WHERE camera = ?1
                       AND name = (SELECT name FROM camera WHERE id = ?1)",
                    (camera, name),
                )?;
                c.execute("UPDATE camera SET name = ?2 WHERE id = ?1", (camera, name))?;
            }
            let fresh = |quality, url| StreamProfile {
                quality,
                url,
                video: None,
                audio: None,
            };
            if let Some(url) = change.url {
                stream_profile::put(c, camera, &fresh(Quality::High, url))?;
            }
            match change.low_url {
                Some(Some(url)) => stream_profile::put(c, camera, &fresh(Quality::Low, url))?,
                Some(None) => stream_profile::remove(c, camera, Quality::Low)?,
                None => {}
            }
            if let Some(url) = &change.snapshot_url {
                c.execute(
                    "UPDATE camera SET snapshot_url = ?2 WHERE id = ?1",
                    (camera, url),
                )?;
            }
            if change.reconnect {
                c.execute(
                    "UPDATE camera SET revision = revision + 1 WHERE id = ?1",
                    [camera],
                )?;
            }
            one(c, &id)?.ok_or(StoreError::NoSuch("camera"))
        })
        .await
    }

    /// Removes a camera and takes its channel out of use, as [`Store::channel_remove`] does.
    /// Gives the channel it had.
    pub async fn camera_remove(
        &self,
        id: CameraId,
        purge: bool,
        at: Timestamp,
    ) -> Result<Option<ChannelId>> {
        self.write(move |c| {
            let row = one(c, &id)?.ok_or(StoreError::NoSuch("camera"))?;
            if let Some(channel) = &row.channel {
                channel::take_out(c, channel, purge, at)?;
            }
            c.execute("DELETE FROM camera WHERE public_id = ?1", [id.as_str()])?;
            Ok(row.channel)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Temporary, camera_id};

    #[tokio::test]
    async fn an_address_belongs_to_one_camera_and_nothing_is_left_of_a_refused_one() {
        let t = Temporary::new().await;
        let (door, _) = t.camera("Door", "rtsp://door/1").await;
        let (yard, _) = t.camera("yard", "rtsp://yard/1").await;
        let again = t
            .store
            .camera_insert(t.new_camera("Again", "rtsp://door/1"))
            .await;
        assert!(matches!(again, Err(StoreError::AddressTaken)));
        let moved = t
            .store
            .camera_update(
                yard,
                CameraChange {
                    name: Some("Moved".into()),
                    url: Some("rtsp://door/1".into()),
                    ..Default::default()
                },
            )
            .await;
        assert!(matches!(moved, Err(StoreError::AddressTaken)));
        let names: Vec<_> = t.store.cameras().await.unwrap();
        let names: Vec<_> = names.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["Door", "yard"]);
        assert_eq!(t.store.channels().await.unwrap().len(), 2);
        assert!(t.store.camera(door).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn changes_are_kept_and_only_a_new_address_outdates_the_connection() {
        let t = Temporary::new().await;
        let (id, channel) = t.camera("Door", "rtsp://door/1").await;
        let row = t
            .store
            .camera_update(
                id.clone(),
                CameraChange {
                    name: Some("Gate".into()),
                    low_url: Some(Some("rtsp://door/2".into())),
                    ..Default::default()
                },
            )
            .await
            .unwrap();
        assert_eq!((row.name.as_str(), row.revision), ("Gate", 1));
        assert_eq!(row.profile(Quality::Low).unwrap().url, "rtsp://door/2");
        let named = t.store.channel(channel).await.unwrap().unwrap();
        assert_eq!(named.name, "Gate");
        let row = t
            .store
            .camera_update(
                id,
                CameraChange {
                    low_url: Some(None),
                    url: Some("rtsp://gate/1".into()),
                    reconnect: true,
                    ..Default::default()
                },
            )
            .await
            .unwrap();
        assert_eq!(row.revision, 2);
        assert_eq!(row.profiles.len(), 1);
        assert!(matches!(
            t.store
                .camera_update(camera_id(99), CameraChange::default())
                .await,
            Err(StoreError::NoSuch("camera"))
        ));
    }

    #[tokio::test]
    async fn a_removed_camera_leaves_its_channel_only_while_there_is_footage() {
        let t = Temporary::new().await;
        let at = Timestamp::from_ms;
        let (empty, empty_channel) = t.camera("Empty", "rtsp://a/1").await;
        let (full, full_channel) = t.camera("Full", "rtsp://b/1").await;
        t.segment(&full_channel, 0, 30_000).await;
        let had = t.store.camera_remove(empty, false, at(9)).await.unwrap();
        assert_eq!(had, Some(empty_channel.clone()));
        t.store.camera_remove(full, false, at(9)).await.unwrap();
        assert!(t.store.channel(empty_channel).await.unwrap().is_none());
        let left = t.store.channel(full_channel).await.unwrap().unwrap();
        assert_eq!(left.camera, None);
        assert_eq!(t.store.channels().await.unwrap(), [left]);
    }
}

//! Table `stream_profile`: the encodings a camera offers, and what was seen there.

use oriel_api::{AudioInfo, CameraId, Quality, StreamProfile, VideoInfo};
use rusqlite::{Connection, Row};

use crate::{Result, Store, StoreError, text};

const COLUMNS: &str = "quality, url, video_codec, video_codec_string, width, height, frame_rate, \
                       audio_codec, audio_codec_string, sample_rate, audio_channels";

fn from_row(row: &Row<'_>) -> rusqlite::Result<(String, StreamProfile)> {
    let video_codec: Option<String> = row.get(2)?;
    let audio_codec: Option<String> = row.get(7)?;
    let video = match video_codec {
        Some(codec) => Some(VideoInfo {
            codec,
            codec_string: row.get(3)?,
            width: row.get(4)?,
            height: row.get(5)?,
            frame_rate: row.get(6)?,
        }),
        None => None,
    };
    let audio = match audio_codec {
        Some(codec) => Some(AudioInfo {
            codec,
            codec_string: row.get(8)?,
            sample_rate: row.get(9)?,
            channels: row.get(10)?,
        }),
        None => None,
    };
    Ok((
        row.get(0)?,
        StreamProfile {
            quality: Quality::High,
            url: row.get(1)?,
            video,
            audio,
        },
    ))
}

/// The profiles of a camera, the main one first.
pub(crate) fn of_camera(connection: &Connection, camera: i64) -> Result<Vec<StreamProfile>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM stream_profile WHERE camera = ?1"
    ))?;
    let mut profiles = statement
        .query_map([camera], from_row)?
        .map(|row| {
            let (quality, mut profile) = row?;
            profile.quality = text::parse(&quality)?;
            Ok(profile)
        })
        .collect::<Result<Vec<_>>>()?;
    profiles.sort_by_key(|p| p.quality);
    Ok(profiles)
}

/// Puts a profile in place of the one with its quality.
pub(crate) fn put(connection: &Connection, camera: i64, profile: &StreamProfile) -> Result<()> {
    let (video, audio) = (profile.video.as_ref(), profile.audio.as_ref());
    connection
        .prepare_cached(&format!(
            "INSERT INTO stream_profile (camera, {COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (camera, quality) DO UPDATE SET url = excluded.url,
               video_codec = excluded.video_codec,
               video_codec_string = excluded.video_codec_string, width = excluded.width,
               height = excluded.height, frame_rate = excluded.frame_rate,
               audio_codec = excluded.audio_codec,
               audio_codec_string = excluded.audio_codec_string,
               sample_rate = excluded.sample_rate, audio_channels = excluded.audio_channels"
        ))?
        .execute(rusqlite::params![
            camera,
            text::word(&profile.quality)?,
            profile.url,
            video.map(|v| &v.codec),
            video.map(|v| &v.codec_string),
            video.map(|v| v.width),
            video.map(|v| v.height),
            video.and_then(|v| v.frame_rate),
            audio.map(|a| &a.codec),
            audio.and_then(|a| a.codec_string.as_ref()),
            audio.map(|a| a.sample_rate),
            audio.map(|a| a.channels),
        ])
        .map_err(|e| {
            if StoreError::is_unique_violation(&e, "stream_profile.url") {
                StoreError::AddressTaken
            } else {
                e.into()
            }
        })?;
    Ok(())
}

/// Drops a profile.
pub(crate) fn remove(connection: &Connection, camera: i64, quality: Quality) -> Result<()> {
    connection.execute(
        "DELETE FROM stream_profile WHERE camera = ?1 AND quality = ?2",
        (camera, text::word(&quality)?),
    )?;
    Ok(())
}

impl Store {
    /// Notes what was seen at a profile whose address is still this one. Gives whether anything
    /// changed.
    pub async fn profile_seen(&self, camera: CameraId, seen: StreamProfile) -> Result<bool> {
        self.write(move |c| {
            let Some(key) = crate::camera::key(c, &camera)? else {
                return Ok(false);
            };
            let Some(kept) = of_camera(c, key)?
                .into_iter()
                .find(|p| p.quality == seen.quality)
            else {
                return Ok(false);
            };
            if kept.url != seen.url || (kept.video == seen.video && kept.audio == seen.audio) {
                return Ok(false);
            }
            put(c, key, &seen)?;
            Ok(true)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;

    #[tokio::test]
    async fn what_was_seen_is_kept_only_for_the_address_it_was_seen_at() {
        let t = Temporary::new().await;
        let (camera, _) = t.camera("Door", "rtsp://door/1").await;
        let mut seen = StreamProfile {
            quality: Quality::High,
            url: "rtsp://door/1".into(),
            video: Some(VideoInfo {
                codec: "h264".into(),
                codec_string: "avc1.64001f".into(),
                width: 1920,
                height: 1080,
                frame_rate: Some(14.985),
            }),
            audio: Some(AudioInfo {
                codec: "pcmu".into(),
                codec_string: None,
                sample_rate: 8000,
                channels: 1,
            }),
        };
        let store = &t.store;
        assert!(
            store
                .profile_seen(camera.clone(), seen.clone())
                .await
                .unwrap()
        );
        assert!(
            !store
                .profile_seen(camera.clone(), seen.clone())
                .await
                .unwrap()
        );
        let row = store.camera(camera.clone()).await.unwrap().unwrap();
        assert_eq!(row.profiles, [seen.clone()]);
        seen.url = "rtsp://old/1".into();
        seen.audio = None;
        assert!(!store.profile_seen(camera.clone(), seen).await.unwrap());
    }
}

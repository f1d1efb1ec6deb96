//! Exports through their life: parts that are made, fail and are made again, and what goes with them.

use super::*;
use crate::tests::{Temporary, camera_id};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn id(n: u8) -> ExportId {
    ExportId::from_random([5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, n])
}

fn new(channels: &[&ChannelId], n: u8) -> NewExport {
    let part = |(i, channel): (usize, &&ChannelId)| NewExportPart {
        camera: camera_id(i as u8),
        channel: (*channel).clone(),
        name: format!("Camera {i}"),
        file: format!("{i}.mp4"),
        object_key: format!("exports/{}/{i}.mp4", id(n)),
    };
    NewExport {
        id: id(n),
        range: Range {
            start: at(0),
            end: at(50_000),
        },
        format: ExportFormat::Mp4,
        with_audio: false,
        parts: channels.iter().enumerate().map(part).collect(),
        manifest_key: format!("exports/{}/manifest.json", id(n)),
        at: at(i64::from(n)),
    }
}

fn file() -> MadeFile {
    MadeFile {
        bytes: 5,
        sha256: None,
        media: Range {
            start: at(0),
            end: at(9),
        },
        gaps: Vec::new(),
        stored: None,
    }
}

#[tokio::test]
async fn what_is_made_stays_when_it_is_stopped_and_only_the_rest_is_made_again() {
    let t = Temporary::new().await;
    let (_, door) = t.camera("Door", "rtsp://door/1").await;
    let (_, yard) = t.camera("Yard", "rtsp://yard/1").await;
    let s = &t.store;
    let row = s.export_insert(new(&[&door, &yard], 1)).await.unwrap();
    let numbers = [row.parts[0].number, row.parts[1].number];
    assert_eq!(row.status, ExportStatus::Queued);
    let begun = s.export_part_begun(numbers[0]).await.unwrap().unwrap();
    assert_eq!(begun.status, ExportStatus::Running);
    assert_eq!(begun.parts[0].status, ExportStatus::Running);
    let made = s.export_part_made(numbers[0], file()).await.unwrap();
    assert_eq!(made.unwrap().parts[0].status, ExportStatus::Finished);
    assert!(!s.export_again(id(1)).await.unwrap().0, "it is not over");
    let stopped = s.export_cancel(id(1)).await.unwrap();
    assert_eq!(stopped.status, ExportStatus::Cancelled);
    assert_eq!(stopped.parts[0].status, ExportStatus::Finished);
    assert_eq!(stopped.parts[1].status, ExportStatus::Cancelled);
    assert!(s.exports_open().await.unwrap().is_empty());
    assert_eq!(s.export_part_made(numbers[1], file()).await.unwrap(), None);
    let (again, row) = s.export_again(id(1)).await.unwrap();
    assert!(again);
    assert_eq!(row.parts[0].status, ExportStatus::Finished);
    assert_eq!(row.parts[1].status, ExportStatus::Queued);
    s.export_part_failed(numbers[1], "No.".into())
        .await
        .unwrap();
    let ended = s.export_ended(id(1), ExportStatus::Partial, None, Some(7));
    assert_eq!(ended.await.unwrap().unwrap().manifest_bytes, Some(7));
    let twice = s.export_ended(id(1), ExportStatus::Failed, None, None);
    assert_eq!(twice.await.unwrap(), None);
    assert!(s.export_again(id(1)).await.unwrap().0);
    s.export_part_made(numbers[1], file()).await.unwrap();
    s.export_ended(id(1), ExportStatus::Finished, None, Some(8))
        .await
        .unwrap();
    assert!(
        !s.export_again(id(1)).await.unwrap().0,
        "nothing is left to make"
    );
    assert!(s.export_delete(id(1), false).await.unwrap());
    let garbage = s.garbage_objects(0, 9).await.unwrap();
    assert_eq!(garbage.len(), 3);
    assert_eq!(garbage[2].object_key, row.manifest_key);
    assert_eq!(s.export(id(1)).await.unwrap(), None);
}

#[tokio::test]
async fn one_that_is_made_again_has_its_new_manifest_uploaded() {
    let t = Temporary::new().await;
    let (_, door) = t.camera("Door", "rtsp://door/1").await;
    let (_, yard) = t.camera("Yard", "rtsp://yard/1").await;
    let s = &t.store;
    s.uploading_set(true).await.unwrap();
    let row = s.export_insert(new(&[&door, &yard], 1)).await.unwrap();
    s.export_part_made(row.parts[0].number, file())
        .await
        .unwrap();
    let manifests = async || -> Vec<u64> {
        let due = s.uploads_due(at(0), Vec::new(), 9).await.unwrap();
        let manifests = due.iter().filter(|u| u.key == row.manifest_key);
        manifests.map(|u| u.bytes).collect()
    };
    for bytes in [7, 8] {
        let failed = s.export_part_failed(row.parts[1].number, "No.".into());
        failed.await.unwrap();
        let ended = s.export_ended(id(1), ExportStatus::Partial, None, Some(bytes));
        ended.await.unwrap();
        assert_eq!(manifests().await, [bytes]);
        assert!(s.export_again(id(1)).await.unwrap().0);
        assert!(manifests().await.is_empty());
    }
}

#[tokio::test]
async fn a_deleted_one_takes_its_uploaded_manifest_along() {
    let t = Temporary::new().await;
    let (_, door) = t.camera("Door", "rtsp://door/1").await;
    let s = &t.store;
    s.uploading_set(true).await.unwrap();
    let row = s.export_insert(new(&[&door], 1)).await.unwrap();
    let part = row.parts[0].number;
    s.export_part_made(part, file()).await.unwrap();
    s.export_ended(id(1), ExportStatus::Finished, None, Some(8))
        .await
        .unwrap();
    s.export_delete(id(1), false).await.unwrap();
    let garbage = s.garbage_objects(0, 9).await.unwrap();
    assert!(garbage.iter().all(|g| g.local && g.remote), "{garbage:?}");
}

#[tokio::test]
async fn an_export_is_listed_only_for_who_sees_all_its_channels() {
    let t = Temporary::new().await;
    let (_, door) = t.camera("Door", "rtsp://door/1").await;
    let (_, yard) = t.camera("Yard", "rtsp://yard/1").await;
    let s = &t.store;
    for (n, channels) in [vec![&door], vec![&yard, &door], vec![&yard]]
        .iter()
        .enumerate()
    {
        s.export_insert(new(channels, n as u8)).await.unwrap();
    }
    for (channels, expected) in [
        (None, vec![2, 1, 0]),
        (Some(vec![door.clone()]), vec![0]),
        (Some(vec![door, yard]), vec![2, 1, 0]),
        (Some(Vec::new()), vec![]),
    ] {
        let selection = |before, limit| Selection {
            channels: channels.clone(),
            before,
            limit,
        };
        let page = s.exports(selection(None, 9)).await.unwrap();
        let ids: Vec<_> = page.rows.iter().map(|r| r.id.clone()).collect();
        assert_eq!(ids, expected.iter().map(|n| id(*n)).collect::<Vec<_>>());
        let first = s.exports(selection(None, 1)).await.unwrap();
        assert_eq!(first.more, expected.len() > 1);
        if let Some(last) = first.rows.last().filter(|_| first.more) {
            let before = Some((last.created, last.number));
            let rest = s.exports(selection(before, 9)).await.unwrap();
            assert_eq!(rest.rows.len(), expected.len() - 1);
        }
    }
}

#[tokio::test]
async fn an_open_export_and_a_protection_lock_footage() {
    let t = Temporary::new().await;
    let (_, door) = t.camera("Door", "rtsp://door/1").await;
    let (_, yard) = t.camera("Yard", "rtsp://yard/1").await;
    let s = &t.store;
    s.export_insert(new(&[&door], 1)).await.unwrap();
    let locked = || {
        s.read(|c| {
            let rows = c
                .prepare("SELECT count(*) FROM locked_range JOIN channel ON channel.id = channel")?
                .query_row([], |r| r.get::<_, i64>(0))?;
            Ok(rows)
        })
    };
    assert_eq!(locked().await.unwrap(), 1);
    s.write(move |c| {
        c.execute(
            "INSERT INTO protection (channel, start_ms, end_ms, note, created_ms)
             SELECT id, 0, 1, '', 0 FROM channel WHERE public_id = ?1",
            [yard.as_str()],
        )?;
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(locked().await.unwrap(), 2);
    s.export_cancel(id(1)).await.unwrap();
    assert_eq!(locked().await.unwrap(), 1);
}

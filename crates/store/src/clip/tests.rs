//! Clips through their life: made, made again, named, listed and deleted.

use super::*;
use crate::{Arrived, tests::Temporary};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn id(n: u8) -> ClipId {
    ClipId::from_random([3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, n])
}

fn new(channel: &ChannelId, n: u8, start: i64, end: i64) -> NewClip {
    NewClip {
        id: id(n),
        channel: channel.clone(),
        name: format!("Clip {n}"),
        range: Range {
            start: at(start),
            end: at(end),
        },
        exact: false,
        with_audio: true,
        object_key: format!("clips/{channel}/{}.mp4", id(n)),
        at: at(i64::from(n) * 1000),
    }
}

fn file(gaps: Vec<Gap>) -> MadeFile {
    MadeFile {
        bytes: 5,
        sha256: Some([7; 32]),
        media: Range {
            start: at(0),
            end: at(9),
        },
        gaps,
        stored: None,
    }
}

#[tokio::test]
async fn a_clip_is_made_once_and_can_be_made_again_only_with_holes_or_failed() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    let s = &t.store;
    let row = s.clip_insert(new(&channel, 1, 0, 10)).await.unwrap();
    assert_eq!((row.status, row.local), (ClipStatus::InProgress, false));
    assert_eq!(s.clips_open().await.unwrap(), vec![row]);
    assert!(!s.clip_again(id(1)).await.unwrap().0);
    s.clip_waits(id(1), Some("Wait.".into())).await.unwrap();
    assert_eq!(
        s.clip(id(1)).await.unwrap().unwrap().reason.unwrap(),
        "Wait."
    );
    let hole = Gap {
        start: at(1),
        end: at(2),
        reason: None,
    };
    let made = s.clip_made(id(1), file(vec![hole.clone()])).await.unwrap();
    let made = made.unwrap();
    assert_eq!((made.status, made.local), (ClipStatus::Partial, true));
    assert_eq!((made.gaps, made.reason), (vec![hole], None));
    assert_eq!(made.sha256, Some([7; 32]));
    assert!(s.clips_open().await.unwrap().is_empty());
    // Not in progress any more: nothing changes it.
    assert_eq!(s.clip_made(id(1), file(Vec::new())).await.unwrap(), None);
    assert_eq!(s.clip_failed(id(1), "x".into()).await.unwrap(), None);
    let cancelled = s.clip_cancel(id(1), at(5)).await.unwrap();
    assert_eq!(cancelled.cancelled, None);
    let (again, row) = s.clip_again(id(1)).await.unwrap();
    assert!(again && row.local && row.bytes == Some(5));
    // A failed second attempt leaves what the first had made.
    let left = s.clip_failed(id(1), "No.".into()).await.unwrap().unwrap();
    assert_eq!((left.status, left.local), (ClipStatus::Partial, true));
    assert!(s.clip_again(id(1)).await.unwrap().0);
    let made = s.clip_made(id(1), file(Vec::new())).await.unwrap();
    assert_eq!(made.unwrap().status, ClipStatus::Finished);
    assert!(!s.clip_again(id(1)).await.unwrap().0);
    let none = s.clip_rename(id(9), "x".into()).await;
    assert!(matches!(none, Err(StoreError::NoSuch("clip"))));
}

#[tokio::test]
async fn pages_are_newest_first_and_keep_to_the_channels() {
    let t = Temporary::new().await;
    let (_, door) = t.camera("Door", "rtsp://door/1").await;
    let (_, yard) = t.camera("Yard", "rtsp://yard/1").await;
    for n in 0..9 {
        let channel = if n % 3 == 0 { &yard } else { &door };
        // Pairs at the same moment: the number decides.
        let clip = NewClip {
            at: at(i64::from(n) / 2),
            ..new(channel, n, 0, 10)
        };
        t.store.clip_insert(clip).await.unwrap();
    }
    for (channels, expected) in [
        (None, vec![8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (Some(vec![yard.clone()]), vec![6, 3, 0]),
        (Some(vec![yard, door]), vec![8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (Some(Vec::new()), vec![]),
    ] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let selection = Selection {
                channels: channels.clone(),
                before,
                limit: 2,
            };
            let page = t.store.clips(selection).await.unwrap();
            before = page.rows.last().map(|r| (r.created, r.number));
            seen.extend(page.rows.into_iter().map(|r| r.id));
            if !page.more {
                break;
            }
        }
        assert_eq!(seen, expected.into_iter().map(id).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn one_that_is_made_again_is_uploaded_as_it_is_then() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    let s = &t.store;
    s.uploading_set(true).await.unwrap();
    s.clip_insert(new(&channel, 1, 0, 10)).await.unwrap();
    let hole = Gap {
        start: at(1),
        end: at(2),
        reason: None,
    };
    s.clip_made(id(1), file(vec![hole])).await.unwrap().unwrap();
    let old = s.uploads_due(at(0), Vec::new(), 9).await.unwrap().remove(0);
    s.clip_again(id(1)).await.unwrap();
    let whole = MadeFile {
        bytes: 50,
        sha256: Some([8; 32]),
        ..file(Vec::new())
    };
    s.clip_made(id(1), whole).await.unwrap().unwrap();
    let due = s.uploads_due(at(0), Vec::new(), 9).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].bytes, due[0].sha256), (50, Some([8; 32])));
    // The old file was on its way: nothing else has its name until that is over, and gone.
    let sent = vec![(old.id, old.key.clone())];
    assert!(s.uploads_due(at(0), sent, 9).await.unwrap().is_empty());
    let arrived = s.object_arrived(old.key.clone(), 50, None, at(9), Some(old.id));
    assert_eq!(arrived.await.unwrap(), Arrived::Unknown);
    assert!(
        s.uploads_due(at(9), Vec::new(), 9)
            .await
            .unwrap()
            .is_empty()
    );
    let garbage = s.garbage_objects(0, 9).await.unwrap().remove(0);
    let gone = vec![(garbage.id, false, true)];
    s.garbage_objects_gone(gone).await.unwrap();
    let due = s.uploads_due(at(9), Vec::new(), 9).await.unwrap();
    assert_eq!((due.len(), due[0].bytes), (1, 50));
}

#[tokio::test]
async fn a_deleted_clip_leaves_its_bytes_as_garbage() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    let s = &t.store;
    let row = s.clip_insert(new(&channel, 1, 0, 10)).await.unwrap();
    s.clip_insert(new(&channel, 2, 0, 10)).await.unwrap();
    let stored = MadeFile {
        stored: Some(at(9)),
        ..file(Vec::new())
    };
    s.clip_made(id(2), stored).await.unwrap().unwrap();
    assert!(s.clip_delete(id(1), false).await.unwrap());
    assert!(!s.clip_delete(id(1), false).await.unwrap());
    assert!(s.clip_delete(id(2), false).await.unwrap());
    let garbage = s.garbage_objects(0, 9).await.unwrap();
    assert_eq!(garbage[0].object_key, row.object_key);
    assert!(garbage[0].local && !garbage[0].remote && garbage[1].remote);
    assert_eq!(s.clip_made(id(1), file(Vec::new())).await.unwrap(), None);
}

#[tokio::test]
async fn a_clip_outlives_its_camera_and_the_footage_it_needs_waits_for_it() {
    let t = Temporary::new().await;
    let (camera, channel) = t.camera("Door", "rtsp://door/1").await;
    let s = &t.store;
    for n in 0..4 {
        t.segment(&channel, n * 10_000, (n + 1) * 10_000).await;
    }
    s.clip_insert(new(&channel, 1, 12_000, 90_000))
        .await
        .unwrap();
    s.camera_remove(camera, true, at(25_000)).await.unwrap();
    let row = s.clip(id(1)).await.unwrap().unwrap();
    assert_eq!(row.cancelled, Some(at(25_000)));
    // The footage is gone for everybody but the clip, and only the first segment is not
    // needed.
    let window = Range {
        start: at(0),
        end: at(90_000),
    };
    let page = s
        .recordings(channel.clone(), window, None, 9)
        .await
        .unwrap();
    assert!(page.rows.is_empty());
    let line = s.timeline(channel.clone(), window, at(90_000), Vec::new());
    assert!(line.await.unwrap().gaps.is_empty());
    assert_eq!(s.purge_some(100).await.unwrap(), 1);
    assert_eq!(s.pieces(channel.clone(), row.range).await.unwrap().len(), 3);
    s.clip_made(id(1), file(Vec::new())).await.unwrap().unwrap();
    assert_eq!(s.purge_some(100).await.unwrap(), 3);
    // It is listed without a camera, and swept only when the clip is gone.
    let listed = s.channels().await.unwrap();
    assert_eq!((listed.len(), &listed[0].camera), (1, &None));
    assert!(s.channels_sweep(at(1 << 40)).await.unwrap().is_empty());
    s.clip_delete(id(1), false).await.unwrap();
    assert!(s.channels().await.unwrap().is_empty());
    assert_eq!(s.channels_sweep(at(1 << 40)).await.unwrap(), [channel]);
}

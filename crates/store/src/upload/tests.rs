//! The queue: what gets into it, in which order it leaves, and that news may come twice, late and
//! in any order.

use oriel_api::{ClipId, EventKind, Range, UploadPolicy, link::SegmentClosed};

use super::*;
use crate::{
    ChannelChange, MadeFile, NewClip, NewEvent, NewSnapshot, ProtectionRow, tests::Temporary,
};

const SUM: [u8; 32] = [7; 32];

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

async fn recorder(policy: UploadPolicy) -> (Temporary, ChannelId) {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    t.store.uploading_set(true).await.unwrap();
    policy_of(&t, &channel, policy).await;
    (t, channel)
}

async fn policy_of(t: &Temporary, channel: &ChannelId, policy: UploadPolicy) {
    let change = ChannelChange {
        upload: Some(policy),
        ..ChannelChange::default()
    };
    t.store
        .channel_update(channel.clone(), change, at(0))
        .await
        .unwrap();
}

async fn due(t: &Temporary, now: i64) -> Vec<UploadTask> {
    t.store.uploads_due(at(now), Vec::new(), 100).await.unwrap()
}

async fn starts(t: &Temporary) -> Vec<i64> {
    let due = due(t, i64::MAX).await;
    due.iter()
        .map(|task| segment_of(&task.key).unwrap().1)
        .collect()
}

async fn arrived(t: &Temporary, key: &str, bytes: u64, ours: Option<UploadId>) -> Arrived {
    let sum = ours.map(|_| SUM);
    t.store
        .object_arrived(key.into(), bytes, sum, at(99), ours)
        .await
        .unwrap()
}

async fn mark(t: &Temporary, channel: &ChannelId, moment: i64) {
    t.store
        .event_insert(NewEvent {
            at: at(moment),
            kind: EventKind::Marked,
            channel: Some(channel.clone()),
            reason: None,
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn the_oldest_goes_first_and_a_failed_one_waits_alone() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    for n in [2, 0, 1] {
        t.segment(&channel, n * 30_000, (n + 1) * 30_000).await;
    }
    assert_eq!(starts(&t).await, [0, 30_000, 60_000]);
    let backlog = t.store.backlog().await.unwrap();
    assert_eq!(
        (backlog.waiting, backlog.bytes, backlog.oldest),
        (3, 3000, Some(at(0)))
    );
    let first = due(&t, 5).await.remove(0);
    t.store
        .upload_failed(first.id, "It broke.".into(), at(50))
        .await
        .unwrap();
    let left: Vec<_> = due(&t, 49).await.into_iter().map(|u| u.id).collect();
    assert!(left.len() == 2 && !left.contains(&first.id));
    assert_eq!(t.store.uploads_next().await.unwrap(), Some(at(50)));
    assert_eq!(due(&t, 50).await[0].tries, 1);
    let busy = vec![(first.id, first.key.clone())];
    let rest = t.store.uploads_due(at(50), busy, 1).await.unwrap();
    assert_eq!((rest.len(), rest[0].id == first.id), (1, false));
    t.store.uploads_hurry().await.unwrap();
    assert_eq!(due(&t, 0).await.len(), 3);
}

#[tokio::test]
async fn the_sum_that_was_made_when_a_segment_was_closed_goes_with_it() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    let segment = SegmentClosed {
        sha256: Some(SUM),
        ..t.closed(&channel, 0, 30_000)
    };
    t.store.recording_insert(segment.clone()).await.unwrap();
    assert_eq!(due(&t, 0).await[0].sha256, Some(SUM));
    // It is still what a file must be that was away and is found again, unless it is another.
    for (bytes, sum) in [(1000, Some(SUM)), (999, None)] {
        let task = due(&t, 0).await.remove(0);
        t.store.upload_impossible(task.id, true).await.unwrap();
        let found = SegmentClosed {
            bytes,
            sha256: None,
            ..segment.clone()
        };
        t.store.recording_insert(found).await.unwrap();
        assert_eq!(due(&t, 0).await[0].sha256, sum);
    }
}

#[tokio::test]
async fn news_of_an_object_is_noted_once_whoever_brings_it() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    t.segment(&channel, 0, 30_000).await;
    let task = due(&t, 0).await.remove(0);
    let row = || async {
        t.store
            .recording(channel.clone(), at(0))
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(row().await.state, oriel_api::SegmentState::Uploading);
    assert_eq!(arrived(&t, &task.key, 999, None).await, Arrived::Unknown);
    assert_eq!(arrived(&t, &task.key, 1000, None).await, Arrived::Noted);
    assert_eq!(
        arrived(&t, &task.key, 1000, Some(task.id)).await,
        Arrived::Known
    );
    let row = row().await;
    assert_eq!(row.state, oriel_api::SegmentState::Stored);
    assert_eq!(row.object_key.as_deref(), Some(task.key.as_str()));
    assert!(row.local);
    assert!(due(&t, 0).await.is_empty());
    assert_eq!(t.store.backlog().await.unwrap(), Backlog::default());
    assert!(t.store.garbage_objects(0, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_object_whose_row_went_while_it_was_uploaded_is_garbage() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    let (camera, other) = t.camera("Yard", "rtsp://yard/1").await;
    t.segment(&other, 0, 30_000).await;
    let task = due(&t, 0).await.remove(0);
    t.store.camera_remove(camera, true, at(1)).await.unwrap();
    while t.store.purge_some(10).await.unwrap() > 0 {}
    assert!(due(&t, 0).await.is_empty());
    assert_eq!(
        arrived(&t, &task.key, 1000, Some(task.id)).await,
        Arrived::Unknown
    );
    let garbage = t.store.garbage_objects(0, 9).await.unwrap();
    assert_eq!(
        (garbage.len(), garbage[0].object_key.as_str()),
        (1, &*task.key)
    );
    // What is not ours is left alone.
    let foreign = format!("recordings/{channel}/1970/01/01/5-5.mp4");
    assert_eq!(arrived(&t, &foreign, 1, None).await, Arrived::Unknown);
    assert_eq!(t.store.garbage_objects(0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_waits_to_be_deleted_in_the_bucket_is_not_sent_there_before_it_is_gone() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    t.segment(&channel, 0, 30_000).await;
    let task = due(&t, 0).await.remove(0);
    arrived(&t, &task.key, 1000, Some(task.id)).await;
    let row = t.store.recording(channel.clone(), at(0)).await.unwrap();
    t.store.retire_stored(vec![row.unwrap().id]).await.unwrap();
    // The age in the bucket was raised meanwhile.
    let filled = t.store.uploads_backfill(channel.clone(), at(-1), None, 9);
    filled.await.unwrap();
    assert_eq!(t.store.backlog().await.unwrap().waiting, 1);
    assert!(due(&t, 0).await.is_empty());
    let garbage = t.store.garbage_stored(0, 9).await.unwrap().remove(0);
    let gone = vec![(garbage.id, garbage.object_key.unwrap())];
    t.store.garbage_stored_gone(gone).await.unwrap();
    assert_eq!(due(&t, 0).await[0].key, task.key);
}

#[tokio::test]
async fn an_upload_that_nobody_waits_for_is_not_made_again() {
    let (t, _) = recorder(UploadPolicy::All).await;
    let (camera, yard) = t.camera("Yard", "rtsp://yard/1").await;
    t.segment(&yard, 0, 30_000).await;
    let task = due(&t, 0).await.remove(0);
    // The row stays while something needs it, and so does its place in the queue.
    let clip = NewClip {
        id: ClipId::from_random([1; 12]),
        channel: yard,
        name: String::new(),
        range: Range {
            start: at(0),
            end: at(9),
        },
        exact: false,
        with_audio: false,
        object_key: "clips/x/y.mp4".into(),
        at: at(0),
    };
    t.store.clip_insert(clip).await.unwrap();
    t.store.camera_remove(camera, true, at(1)).await.unwrap();
    assert_eq!(due(&t, 0).await.len(), 1);
    assert_eq!(
        arrived(&t, &task.key, 1000, Some(task.id)).await,
        Arrived::Unknown
    );
    assert_eq!(t.store.backlog().await.unwrap(), Backlog::default());
}

#[tokio::test]
async fn around_an_event_in_either_order() {
    let (t, channel) = recorder(UploadPolicy::Events).await;
    for n in 0..4 {
        t.segment(&channel, n * 30_000, (n + 1) * 30_000).await;
    }
    assert!(starts(&t).await.is_empty());
    // 10 s before to 30 s after: from 55 s to 95 s.
    mark(&t, &channel, 65_000).await;
    assert_eq!(starts(&t).await, [30_000, 60_000, 90_000]);
    mark(&t, &channel, 125_000).await;
    t.segment(&channel, 120_000, 150_000).await;
    t.segment(&channel, 150_000, 180_000).await;
    t.segment(&channel, 180_000, 210_000).await;
    assert_eq!(starts(&t).await, [30_000, 60_000, 90_000, 120_000, 150_000]);
}

#[tokio::test]
async fn what_was_there_before_is_queued_in_batches_and_dropped_when_switched_off() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    for n in 0..5 {
        t.segment(&channel, n * 30_000, (n + 1) * 30_000).await;
    }
    assert!(starts(&t).await.is_empty());
    t.store.uploading_set(true).await.unwrap();
    let backfill = |after| {
        t.store
            .uploads_backfill(channel.clone(), at(after), None, 2)
    };
    assert_eq!(backfill(-1).await.unwrap(), Some(at(30_000)));
    assert_eq!(starts(&t).await, [0, 30_000]);
    assert_eq!(backfill(30_000).await.unwrap(), Some(at(90_000)));
    assert_eq!(backfill(90_000).await.unwrap(), None);
    assert_eq!(starts(&t).await.len(), 5);
    assert_eq!(t.store.uploads_drop_some(9).await.unwrap(), 0, "it is on");
    t.store.uploading_set(false).await.unwrap();
    assert_eq!(t.store.uploads_drop_some(3).await.unwrap(), 3);
    assert_eq!(t.store.uploads_drop_some(3).await.unwrap(), 2);
    let row = t.store.recording(channel.clone(), at(0)).await.unwrap();
    assert_eq!(row.unwrap().state, oriel_api::SegmentState::Local);
    policy_of(&t, &channel, UploadPolicy::None).await;
    t.store.uploading_set(true).await.unwrap();
    assert_eq!(backfill(-1).await.unwrap(), Some(at(30_000)));
    assert!(starts(&t).await.is_empty());
}

#[tokio::test]
async fn another_destination_gets_what_is_still_here() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    for n in 0..3 {
        t.segment(&channel, n * 30_000, (n + 1) * 30_000).await;
    }
    for task in due(&t, 0).await {
        arrived(&t, &task.key, 1000, Some(task.id)).await;
    }
    assert_eq!(
        t.store
            .uploads_redirect_some(2, at(100), None)
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        t.store
            .uploads_redirect_some(2, at(100), None)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        t.store
            .uploads_redirect_some(2, at(100), None)
            .await
            .unwrap(),
        0
    );
    assert_eq!(starts(&t).await, [0, 30_000, 60_000]);
}

#[tokio::test]
async fn another_place_for_clips_gets_clips_alone() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    t.segment(&channel, 0, 30_000).await;
    let range = Range {
        start: at(0),
        end: at(30_000),
    };
    let id = oriel_api::ClipId::from_random([1; 12]);
    let new = NewClip {
        id: id.clone(),
        channel: channel.clone(),
        name: "Thief".into(),
        range,
        exact: false,
        with_audio: true,
        object_key: format!("clips/{channel}/{id}.mp4"),
        at: at(0),
    };
    t.store.clip_insert(new).await.unwrap();
    let made = MadeFile {
        bytes: 9,
        sha256: None,
        media: range,
        gaps: Vec::new(),
        stored: None,
    };
    t.store.clip_made(id, made).await.unwrap().unwrap();
    for task in due(&t, 0).await {
        arrived(&t, &task.key, task.bytes, Some(task.id)).await;
    }
    assert!(due(&t, i64::MAX).await.is_empty());
    t.store.uploads_redirect_made(at(100)).await.unwrap();
    assert_eq!(t.store.uploads_backfill_made(None, 9).await.unwrap(), 1);
    let again = due(&t, i64::MAX).await;
    assert_eq!(again.len(), 1);
    assert!(again[0].key.starts_with("clips/"), "{again:?}");
}

#[tokio::test]
async fn one_that_can_never_be_made_goes_and_says_whose_it_was() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    t.segment(&channel, 0, 30_000).await;
    t.segment(&channel, 30_000, 60_000).await;
    let tasks = due(&t, 0).await;
    let lost = t.store.upload_impossible(tasks[0].id, true).await.unwrap();
    assert_eq!(lost.unwrap().channel, Some(channel.clone()));
    let again = t.store.upload_impossible(tasks[0].id, true).await.unwrap();
    assert_eq!(again, None);
    let row = |ms| t.store.recording(channel.clone(), at(ms));
    let gone = row(0).await.unwrap().unwrap();
    assert_eq!(
        (gone.state, gone.local),
        (oriel_api::SegmentState::Missing, false)
    );
    t.store.upload_impossible(tasks[1].id, false).await.unwrap();
    let damaged = row(30_000).await.unwrap().unwrap();
    assert_eq!(
        (damaged.state, damaged.local),
        (oriel_api::SegmentState::Local, true)
    );
}

#[tokio::test]
async fn what_the_bucket_would_not_keep_is_not_queued_again() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    for n in 0..6 {
        t.segment(&channel, n * 30_000, (n + 1) * 30_000).await;
    }
    t.store
        .protection_insert(
            channel.clone(),
            ProtectionRow {
                id: 0,
                start: at(35_000),
                end: at(40_000),
                note: String::new(),
                created: at(0),
            },
        )
        .await
        .unwrap();
    t.store.uploading_set(true).await.unwrap();
    let since = Some(at(120_000));
    let mut after = Some(at(-1));
    while let Some(from) = after {
        let filled = t.store.uploads_backfill(channel.clone(), from, since, 2);
        after = filled.await.unwrap();
    }
    // Neither what has just reached the age nor what is older, but what is locked.
    assert_eq!(starts(&t).await, [30_000, 120_000, 150_000]);
    for task in due(&t, 0).await {
        arrived(&t, &task.key, 1000, Some(task.id)).await;
    }
    // A day later, at another destination.
    let since = Some(at(150_000));
    let redirected = t.store.uploads_redirect_some(9, at(100), since);
    assert_eq!(redirected.await.unwrap(), 3);
    assert_eq!(starts(&t).await, [30_000, 150_000]);
    let old = t.store.recording(channel, at(120_000)).await.unwrap();
    assert_eq!(old.unwrap().state, oriel_api::SegmentState::Local);
}

#[tokio::test]
async fn pictures_that_the_bucket_would_not_keep_are_not_queued_again() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    for (n, taken) in [(1, 1000), (2, 2000), (3, 3000)] {
        let id = oriel_api::SnapshotId::from_random([n; 12]);
        let new = NewSnapshot {
            id: id.clone(),
            channel: channel.clone(),
            taken: at(taken),
            source: oriel_api::SnapshotSource::Agent,
            at: at(9),
        };
        t.store.snapshot_insert(new).await.unwrap();
        t.store.snapshot_stored(id, 9, SUM).await.unwrap();
    }
    t.store.uploading_set(true).await.unwrap();
    let since = Some(at(2000));
    let queued = t.store.uploads_backfill_made(since, 9).await.unwrap();
    assert_eq!((queued, due(&t, 0).await.len()), (1, 1));
    let more = t.store.uploads_backfill_made(since, 1).await.unwrap();
    assert_eq!(more, 0);
    let all = t.store.uploads_backfill_made(None, 9).await.unwrap();
    assert_eq!((all, due(&t, 0).await.len()), (2, 3));
}

async fn broken_off(t: &Temporary) -> Vec<(String, String)> {
    let rows = t.store.garbage_multiparts(0, 9).await.unwrap();
    rows.into_iter()
        .map(|r| (r.object_key, r.multipart))
        .collect()
}

/// A queued upload of which parts have been sent.
async fn begun(t: &Temporary, channel: &ChannelId, start: i64, name: &str) -> UploadTask {
    t.segment(channel, start, start + 30_000).await;
    let task = due(t, 0).await.remove(0);
    let parts = t
        .store
        .upload_parts(task.id, task.key.clone(), Some(name.into()));
    parts.await.unwrap();
    task
}

#[tokio::test]
async fn parts_of_an_upload_that_is_not_wanted_any_more_are_garbage() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    let task = begun(&t, &channel, 0, "one").await;
    assert!(broken_off(&t).await.is_empty());
    policy_of(&t, &channel, UploadPolicy::None).await;
    let withdrawn = t.store.uploads_withdraw_some(channel.clone(), 9);
    assert_eq!(withdrawn.await.unwrap(), 1);
    let expected = [(task.key.clone(), "one".to_owned())];
    assert_eq!(broken_off(&t).await, expected);
    let row = t.store.garbage_multiparts(0, 9).await.unwrap().remove(0);
    t.store.garbage_multiparts_gone(vec![row.id]).await.unwrap();
    assert!(broken_off(&t).await.is_empty());
    // The row may go while the store is asked to begin.
    let late = t
        .store
        .upload_parts(task.id, task.key.clone(), Some("two".into()));
    assert!(late.await.is_err());
    assert_eq!(broken_off(&t).await, [(task.key, "two".to_owned())]);
}

#[tokio::test]
async fn parts_of_an_upload_whose_footage_is_deleted_are_garbage_and_those_of_a_done_one_not() {
    let (t, channel) = recorder(UploadPolicy::All).await;
    let task = begun(&t, &channel, 0, "one").await;
    let row = t.store.recording(channel.clone(), at(0)).await.unwrap();
    t.store.retire(vec![row.unwrap().id], true).await.unwrap();
    assert_eq!(broken_off(&t).await, [(task.key, "one".to_owned())]);
    let other = begun(&t, &channel, 60_000, "two").await;
    arrived(&t, &other.key, 1000, Some(other.id)).await;
    assert!(due(&t, 0).await.is_empty());
    assert_eq!(broken_off(&t).await.len(), 1);
}

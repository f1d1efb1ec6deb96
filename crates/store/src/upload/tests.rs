//! The queue: what gets into it, in which order it leaves, and that news may come twice, late and
//! in any order.

use oriel_api::{EventKind, UploadPolicy};

use super::*;
use crate::{ChannelChange, NewEvent, tests::Temporary};

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

async fn arrived(t: &Temporary, key: &str, bytes: u64, ours: bool) -> Arrived {
    let sum = ours.then_some(SUM);
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
    let busy = vec![first.id];
    let rest = t.store.uploads_due(at(50), busy, 1).await.unwrap();
    assert_eq!((rest.len(), rest[0].id == first.id), (1, false));
    t.store.uploads_hurry().await.unwrap();
    assert_eq!(due(&t, 0).await.len(), 3);
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
    assert_eq!(arrived(&t, &task.key, 999, false).await, Arrived::Unknown);
    assert_eq!(arrived(&t, &task.key, 1000, false).await, Arrived::Noted);
    assert_eq!(arrived(&t, &task.key, 1000, true).await, Arrived::Known);
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
    assert_eq!(arrived(&t, &task.key, 1000, true).await, Arrived::Unknown);
    let garbage = t.store.garbage_objects(0, 9).await.unwrap();
    assert_eq!(
        (garbage.len(), garbage[0].object_key.as_str()),
        (1, &*task.key)
    );
    // What is not ours is left alone.
    let foreign = format!("recordings/{channel}/1970/01/01/5-5.mp4");
    assert_eq!(arrived(&t, &foreign, 1, false).await, Arrived::Unknown);
    assert_eq!(t.store.garbage_objects(0, 9).await.unwrap().len(), 1);
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
    let backfill = |after| t.store.uploads_backfill(channel.clone(), at(after), 2);
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
        arrived(&t, &task.key, 1000, true).await;
    }
    assert_eq!(t.store.uploads_redirect_some(2, at(100)).await.unwrap(), 2);
    assert_eq!(t.store.uploads_redirect_some(2, at(100)).await.unwrap(), 1);
    assert_eq!(t.store.uploads_redirect_some(2, at(100)).await.unwrap(), 0);
    assert_eq!(starts(&t).await, [0, 30_000, 60_000]);
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

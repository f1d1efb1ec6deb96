//! The queue between settings and worker: filled by the settings, one effect of two kinds of
//! news, and stops that are written down.

use oriel_api::{
    ChannelId, EventKind, SegmentState, Timestamp, UploadState, UploadStatus,
    link::{NvrLink, SegmentClosed, UploadDone, UploadQueue, UploadTask},
};
use oriel_bucket::ObjectKey;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::fakes::{NOON, Recorder, until};
use crate::{
    NvrOptions,
    storage::stored_at,
    uploads::task::{Filler, STORED_AT},
};

async fn recorder(data: &std::path::Path) -> Recorder {
    Recorder::with(NvrOptions {
        data_dir: data.to_owned(),
        ..NvrOptions::default()
    })
    .await
}

async fn set_destination(r: &Recorder, prefix: &str) {
    let to = json!({ "destination": "s3", "endpoint": "http://127.0.0.1:9", "bucket": "footage",
        "prefix": prefix, "key_id": "id", "secret": "secret" });
    r.ok("storage_update", to).await;
}

fn at(n: i64) -> Timestamp {
    Timestamp::from_ms(NOON - 3_600_000 + n * 30_000)
}

async fn close(r: &Recorder, channel: &ChannelId, n: i64) {
    let segment = SegmentClosed {
        channel: channel.clone(),
        run: None,
        start: at(n),
        end: at(n + 1),
        bytes: 1000,
        codecs: "avc1.64001f".into(),
        continues: n > 0,
        sha256: None,
    };
    r.nvr.segment_closed(segment).await.unwrap();
}

async fn due(r: &Recorder) -> Vec<UploadTask> {
    r.nvr.uploads_due(&[], 100).await.unwrap()
}

async fn until_due(r: &Recorder, count: usize) {
    until("the queue is filled", || async {
        due(r).await.len() == count
    })
    .await;
}

fn done(r: &Recorder, task: &UploadTask) -> UploadDone {
    let at = stored_at(&r.nvr.storage_settings());
    UploadDone {
        key: task.key.clone(),
        bytes: task.bytes,
        sha256: [1; 32],
        at: at.unwrap().incoming,
    }
}

async fn state(r: &Recorder, channel: &ChannelId, n: i64) -> SegmentState {
    let row = r.nvr.store.recording(channel.clone(), at(n)).await;
    row.unwrap().unwrap().state
}

#[tokio::test]
async fn keys_are_those_that_the_bucket_makes() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path()).await;
    let (_, channel) = r.camera("Door", "rtsp://door/1").await;
    close(&r, &channel, 0).await;
    set_destination(&r, "").await;
    until_due(&r, 1).await;
    close(&r, &channel, 1).await;
    let tasks = due(&r).await;
    for (task, n) in tasks.iter().zip(0..) {
        let key = ObjectKey::recording(&channel, at(n), 30_000).unwrap();
        assert_eq!(task.key, key.as_str());
    }
    assert_eq!(tasks.len(), 2);
}

#[tokio::test]
async fn either_kind_of_news_is_enough_and_both_do_no_harm() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path()).await;
    let (_, channel) = r.camera("Door", "rtsp://door/1").await;
    set_destination(&r, "").await;
    for n in 0..3 {
        close(&r, &channel, n).await;
    }
    until_due(&r, 3).await;
    let tasks = due(&r).await;
    // In the worker's hands a notice says nothing: the bytes are not verified yet.
    assert!(r.nvr.object_noticed(&tasks[0].key, 1000).await.unwrap());
    assert_eq!(state(&r, &channel, 0).await, SegmentState::Uploading);
    r.nvr
        .upload_done(tasks[0].id, done(&r, &tasks[0]))
        .await
        .unwrap();
    assert_eq!(state(&r, &channel, 0).await, SegmentState::Stored);
    assert!(r.nvr.object_noticed(&tasks[0].key, 1000).await.unwrap());
    // Let go by the worker, a notice alone is enough; another size is another object.
    let later = Timestamp::from_ms(0);
    for task in &tasks[1..] {
        let failed = r.nvr.upload_failed(task.id, "Cut.".into(), later);
        failed.await.unwrap();
    }
    assert!(!r.nvr.object_noticed(&tasks[1].key, 999).await.unwrap());
    assert!(r.nvr.object_noticed(&tasks[1].key, 1000).await.unwrap());
    assert_eq!(state(&r, &channel, 1).await, SegmentState::Stored);
    let left = due(&r).await;
    assert_eq!((left.len(), &left[0].key), (1, &tasks[2].key));
    let storage = r.ok("storage_get", json!({})).await;
    assert_eq!(storage["uploads"]["waiting"], 1);
    assert!(!r.nvr.object_noticed("recordings/nobody", 1).await.unwrap());
}

#[tokio::test]
async fn policies_and_destinations_fill_and_empty_the_queue() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path()).await;
    let (_, channel) = r.camera("Door", "rtsp://door/1").await;
    set_destination(&r, "").await;
    for n in 0..4 {
        close(&r, &channel, n).await;
    }
    until_due(&r, 4).await;
    r.ok("channel_update", json!({ "id": channel, "upload": "none" }))
        .await;
    until_due(&r, 0).await;
    assert_eq!(state(&r, &channel, 0).await, SegmentState::Local);
    r.ok(
        "channel_update",
        json!({ "id": channel, "upload": "events" }),
    )
    .await;
    r.ok("event_create", json!({ "id": channel, "at": at(1) }))
        .await;
    until_due(&r, 2).await;
    r.ok("channel_update", json!({ "id": channel, "upload": "all" }))
        .await;
    until_due(&r, 4).await;
    for task in due(&r).await {
        r.nvr.upload_done(task.id, done(&r, &task)).await.unwrap();
    }
    until_due(&r, 0).await;
    // Another place has nothing of it yet.
    r.pass(1000);
    set_destination(&r, "elsewhere").await;
    until_due(&r, 4).await;
    r.ok("storage_update", json!({ "destination": "none" }))
        .await;
    until_due(&r, 0).await;
}

#[tokio::test]
async fn what_ends_after_the_destination_was_changed_is_not_stored_at_the_new_one() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path()).await;
    let (_, channel) = r.camera("Door", "rtsp://door/1").await;
    set_destination(&r, "").await;
    close(&r, &channel, 0).await;
    until_due(&r, 1).await;
    let task = due(&r).await.remove(0);
    let late = done(&r, &task);
    r.pass(1000);
    set_destination(&r, "elsewhere").await;
    r.nvr.upload_done(task.id, late).await.unwrap();
    assert_eq!(state(&r, &channel, 0).await, SegmentState::Uploading);
    until_due(&r, 1).await;
    let again = done(&r, &task);
    r.nvr.upload_done(task.id, again).await.unwrap();
    assert_eq!(state(&r, &channel, 0).await, SegmentState::Stored);
}

#[tokio::test]
async fn a_change_of_destination_that_was_broken_off_goes_on_at_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path()).await;
    let (_, channel) = r.camera("Door", "rtsp://door/1").await;
    set_destination(&r, "").await;
    for n in 0..2 {
        close(&r, &channel, n).await;
    }
    until_due(&r, 2).await;
    for task in due(&r).await {
        r.nvr.upload_done(task.id, done(&r, &task)).await.unwrap();
    }
    until_due(&r, 0).await;
    r.pass(1000);
    // What is stored was stored at another place, and this one was chosen as everything stopped.
    let elsewhere = r.nvr.store.setting_set(STORED_AT, "elsewhere".into());
    elsewhere.await.unwrap();
    let filler = Filler::new(r.nvr.clone());
    let stopping = CancellationToken::new();
    stopping.cancel();
    filler.fill(&stopping).await.unwrap();
    assert!(due(&r).await.is_empty());
    filler.fill(&CancellationToken::new()).await.unwrap();
    assert_eq!(due(&r).await.len(), 2);
}

#[tokio::test]
async fn a_stop_and_its_end_are_written_down_once() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path()).await;
    let tell = |state, error: Option<&str>| {
        r.nvr.uploads_changed(UploadStatus {
            state,
            error: error.map(str::to_owned),
            ..UploadStatus::default()
        });
    };
    tell(UploadState::Uploading, None);
    tell(UploadState::Retrying, Some("Out of reach."));
    for _ in 0..3 {
        tell(UploadState::Stopped, Some("There is no such bucket."));
    }
    tell(UploadState::Retrying, Some("Out of reach."));
    tell(UploadState::Idle, None);
    let kinds = || async {
        let page = r.ok("event_list", json!({})).await;
        let items = page["items"].as_array().unwrap().clone();
        let of = |kind: &str| items.iter().filter(|i| i["kind"] == kind).count();
        (of("upload_stopped"), of("upload_resumed"))
    };
    until("both are written down", || async {
        kinds().await == (1, 1)
    })
    .await;
    let page = r.ok("event_list", json!({})).await;
    let items = page["items"].as_array().unwrap();
    let stopped = items
        .iter()
        .find(|i| i["kind"] == "upload_stopped")
        .unwrap();
    assert_eq!(stopped["reason"]["message"], "There is no such bucket.");
    assert_eq!(
        serde_json::to_value(EventKind::UploadStopped).unwrap(),
        stopped["kind"]
    );
}

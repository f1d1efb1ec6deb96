//! States of streams, and the events they leave.

use oriel_api::{
    Change, EventKind, Quality, Reason, ReasonCode, StreamProfile, StreamState, StreamStats,
    Timestamp, VideoInfo,
    link::{NvrLink, StreamStatus},
};
use serde_json::json;

use super::fakes::{Recorder, change, until};

pub(super) fn status(state: StreamState, reason: Option<ReasonCode>, since: i64) -> StreamStatus {
    StreamStatus {
        state,
        reason: reason.map(|code| Reason {
            code,
            message: "because".into(),
        }),
        since: Timestamp::from_ms(since),
        retry_at: None,
        engine: None,
        stats: None,
        profile: None,
        warnings: Vec::new(),
    }
}

fn profile(url: &str, rate: f64) -> StreamProfile {
    StreamProfile {
        quality: Quality::High,
        url: url.into(),
        video: Some(VideoInfo {
            codec: "h264".into(),
            codec_string: "avc1.64001f".into(),
            width: 1920,
            height: 1080,
            frame_rate: Some(rate),
        }),
        audio: None,
    }
}

async fn kinds(r: &Recorder) -> Vec<EventKind> {
    let page = r
        .nvr
        .store()
        .events(oriel_store::EventSelection {
            limit: 100,
            ..Default::default()
        })
        .await
        .unwrap();
    page.rows.iter().rev().map(|e| e.event.kind).collect()
}

#[tokio::test]
async fn one_event_for_each_loss_and_return_however_often_it_is_tried() {
    let r = Recorder::new().await;
    let (camera, _) = r.camera("Door", "rtsp://door/1").await;
    let go = |state, reason| {
        let status = status(state, reason, r.now());
        r.nvr.stream_changed(&camera, Quality::High, status);
    };
    use StreamState as S;
    for _ in 0..5 {
        go(S::Connecting, None);
        go(S::Waiting, Some(ReasonCode::Unreachable));
    }
    go(S::Connecting, None);
    for _ in 0..5 {
        go(S::Streaming, None);
    }
    go(S::Connecting, Some(ReasonCode::FormatChanged));
    go(S::Streaming, None);
    go(S::Failed, Some(ReasonCode::AuthRefused));
    // The low stream comes and goes as people watch: no event.
    let low = status(S::Waiting, Some(ReasonCode::Ended), r.now());
    r.nvr.stream_changed(&camera, Quality::Low, low);
    use EventKind as K;
    let expected = [K::Started, K::Disconnected, K::Connected, K::Disconnected];
    until("the events are there", || async {
        kinds(&r).await == expected
    })
    .await;
    let out = r.ok("event_list", json!({ "limit": 1 })).await;
    assert_eq!(out["items"][0]["reason"]["code"], "auth_refused");
}

#[tokio::test]
async fn health_tolerates_half_a_minute_and_storage_not_at_all() {
    let r = Recorder::new().await;
    let health = || async { r.ok("health", json!({})).await["status"].clone() };
    assert_eq!(health().await, "ready");
    let (camera, channel) = r.camera("Door", "rtsp://door/1").await;
    r.pass(30_000);
    assert_eq!(health().await, "ready");
    r.pass(1);
    assert_eq!(health().await, "degraded");
    let go = |state| {
        let status = status(state, None, r.now());
        r.nvr.stream_changed(&camera, Quality::High, status);
    };
    go(StreamState::Streaming);
    assert_eq!(health().await, "ready");
    // Trying again does not start the time anew.
    go(StreamState::Waiting);
    r.pass(20_000);
    go(StreamState::Connecting);
    r.pass(20_000);
    assert_eq!(health().await, "degraded");
    r.ok(
        "channel_update",
        json!({ "id": channel, "record_mode": "off" }),
    )
    .await;
    assert_eq!(health().await, "ready");
    r.ok(
        "channel_update",
        json!({ "id": channel, "record_mode": "continuous" }),
    )
    .await;
    assert_eq!(health().await, "ready");
    go(StreamState::Streaming);

    r.nvr
        .storage_changed(&channel, Some("The disk is full.".into()));
    r.nvr
        .storage_changed(&channel, Some("The disk is full.".into()));
    assert_eq!(health().await, "degraded");
    r.nvr.storage_changed(&channel, None);
    assert_eq!(health().await, "ready");
    until("one event was kept", || async {
        let all = kinds(&r).await;
        all.iter()
            .filter(|k| **k == EventKind::StorageFailed)
            .count()
            == 1
    })
    .await;
    r.ok("camera_delete", json!({ "id": camera })).await;
    r.pass(100_000);
    assert_eq!(health().await, "ready");
}

#[tokio::test]
async fn what_was_seen_is_shown_told_and_kept() {
    let r = Recorder::new().await;
    let (camera, _) = r.camera("Door", "rtsp://door/1").await;
    let mut changes = r.nvr.subscribe();
    let mut seen = status(StreamState::Streaming, None, r.now());
    seen.profile = Some(profile("rtsp://door/1", 14.98));
    r.nvr.stream_changed(&camera, Quality::High, seen.clone());
    let told = change(
        &mut changes,
        |c| matches!(c, Change::Camera { camera } if camera.state == StreamState::Streaming),
    )
    .await;
    let Change::Camera { camera: told } = told else {
        unreachable!()
    };
    assert_eq!(told.profiles[0].video.as_ref().unwrap().width, 1920);
    let store = r.nvr.store().clone();
    let id = camera.clone();
    until("it is in the database", || async {
        let row = store.camera(id.clone()).await.unwrap().unwrap();
        row.profiles[0].video.is_some()
    })
    .await;
    // After a start it is shown before the camera is there again.
    let r = r.restarted(false).await;
    let out = r.ok("camera_get", json!({ "id": camera })).await;
    assert_eq!(out["state"], "idle");
    assert_eq!(out["profiles"][0]["video"]["height"], 1080);
}

#[tokio::test]
async fn numbers_alone_are_told_at_a_bearable_rate_and_the_last_is_not_lost() {
    let r = Recorder::new().await;
    let (camera, _) = r.camera("Door", "rtsp://door/1").await;
    let mut changes = r.nvr.subscribe();
    for n in 1..=200 {
        let mut now = status(StreamState::Streaming, None, 1);
        now.stats = Some(StreamStats {
            reconnects: n,
            ..Default::default()
        });
        r.nvr.stream_changed(&camera, Quality::High, now);
        tokio::task::yield_now().await;
    }
    let mut told = 0;
    change(&mut changes, |c| match c {
        Change::Camera { camera } => {
            told += 1;
            camera.stats.as_ref().is_some_and(|s| s.reconnects == 200)
        }
        _ => false,
    })
    .await;
    assert!(told <= 20, "{told} of 200 were told");
}

#[tokio::test]
async fn a_last_word_of_a_removed_camera_does_nothing() {
    let r = Recorder::new().await;
    let (camera, _) = r.camera("Door", "rtsp://door/1").await;
    r.ok("camera_delete", json!({ "id": camera })).await;
    let before = kinds(&r).await;
    let last = status(StreamState::Failed, Some(ReasonCode::Ended), r.now());
    r.nvr.stream_changed(&camera, Quality::High, last);
    r.nvr.stop().await.unwrap();
    assert_eq!(kinds(&r).await.len(), before.len() + 1, "stopped alone");
}

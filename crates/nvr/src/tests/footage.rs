//! Lists, timelines and deletion of footage.

use std::sync::atomic::Ordering;

use oriel_api::{
    Caller, CameraId, Change, ChannelId, ErrorCode, Grant, Permission, Reason, ReasonCode,
    SegmentState, Timestamp,
    link::{NvrLink, OpenSegment, RunStarted, SegmentClosed},
};
use serde_json::{Value, json};

use super::fakes::{NOON, Recorder, change, until};
use crate::{check, sign::Purpose};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(NOON + ms)
}

fn segment(channel: &ChannelId, start: i64) -> SegmentClosed {
    SegmentClosed {
        channel: channel.clone(),
        run: None,
        start: at(start),
        end: at(start + 30_000),
        bytes: 1000,
        codecs: "avc1.64001f,mp4a.40.2".into(),
        continues: start > 0,
        sha256: None,
    }
}

fn open(channel: &ChannelId, start: i64, end: i64) -> OpenSegment {
    OpenSegment {
        channel: channel.clone(),
        start: at(start),
        end: at(end),
        bytes: 77,
        codecs: "avc1.64001f".into(),
        continues: true,
        sha256: None,
    }
}

fn window(key: &str, id: &str) -> Value {
    json!({ key: id, "start": at(-3_600_000), "end": at(3_600_000) })
}

fn names(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|i| {
            let name = i["name"].as_str().unwrap().strip_suffix(".mp4").unwrap();
            name.parse::<i64>().unwrap() - NOON
        })
        .collect()
}

/// Checks a signed URL as the server does; gives owner and name.
fn opened(r: &Recorder, url: &str) -> (String, String) {
    let (path, query) = url.split_once('?').unwrap();
    let (exp, sig) = query
        .strip_prefix("exp=")
        .unwrap()
        .split_once("&sig=")
        .unwrap();
    let now = Timestamp::from_ms(r.now());
    r.nvr
        .signer()
        .verify("GET", path, Purpose::Media, exp.parse().unwrap(), sig, now)
        .unwrap();
    let rest = path.strip_prefix("/api/recordings/segment/").unwrap();
    let (owner, name) = rest.split_once('/').unwrap();
    (owner.into(), name.into())
}

async fn recorded(n: i64) -> (Recorder, CameraId, ChannelId) {
    let r = Recorder::new().await;
    let (camera, channel) = r.camera("Door", "rtsp://door/1").await;
    for i in 0..n {
        r.nvr
            .segment_closed(segment(&channel, i * 30_000))
            .await
            .unwrap();
    }
    (r, camera, channel)
}

#[tokio::test]
async fn segments_come_in_pages_with_addresses_that_open_them() {
    let (r, camera, channel) = recorded(5).await;
    *r.worker.open.lock().unwrap() = vec![open(&channel, 150_000, 152_000)];
    let mut input = window("camera_id", camera.as_str());
    let all = r.ok("segment_list", input.clone()).await;
    assert_eq!(names(&all), [0, 30_000, 60_000, 90_000, 120_000, 150_000]);
    let last = &all["items"][5];
    assert_eq!(
        (&last["state"], &last["id"], &last["bytes"]),
        (&json!("open"), &json!(""), &json!(77))
    );
    let first = &all["items"][0];
    assert_eq!(first["state"], "local");
    assert_eq!(first["codecs"], "avc1.64001f,mp4a.40.2");
    for item in all["items"].as_array().unwrap() {
        let (owner, name) = opened(&r, item["url"].as_str().unwrap());
        let found = r
            .nvr
            .segment_location(&Caller::owner(), &owner, &name)
            .await
            .unwrap();
        assert_eq!(found.channel, channel);
        assert_eq!(
            found.state,
            serde_json::from_value::<SegmentState>(item["state"].clone()).unwrap()
        );
    }

    // Page by page, whatever the page size, the same list.
    for limit in 1..=7 {
        input["limit"] = limit.into();
        input["after"] = Value::Null;
        let mut seen = Vec::new();
        loop {
            let page = r.ok("segment_list", input.clone()).await;
            assert!(page["items"].as_array().unwrap().len() <= limit);
            seen.extend(names(&page));
            match page.get("next") {
                Some(next) => input["after"] = next.clone(),
                None => break,
            }
        }
        assert_eq!(seen, names(&all), "limit {limit}");
    }
    for (key, bad) in [
        ("limit", json!(0)),
        ("limit", json!(5001)),
        ("after", json!("x")),
    ] {
        let mut input = window("camera_id", camera.as_str());
        input[key] = bad;
        let error = r.refused("segment_list", input).await;
        assert_eq!(error.code, ErrorCode::InvalidArgument);
    }
}

#[tokio::test]
async fn footage_of_a_camera_that_is_gone_plays_by_its_channel() {
    let (r, camera, channel) = recorded(3).await;
    let by_channel = window("camera_id", channel.as_str());
    let error = r.refused("segment_list", by_channel.clone()).await;
    assert_eq!(error.code, ErrorCode::NotFound);
    r.ok("camera_delete", json!({ "id": camera })).await;
    let page = r.ok("segment_list", by_channel).await;
    assert_eq!(names(&page), [0, 30_000, 60_000]);
    let name = page["items"][1]["name"].as_str().unwrap();
    let url = page["items"][1]["url"].as_str().unwrap();
    let path = format!("/api/recordings/segment/{channel}/{name}?");
    assert!(url.starts_with(&path), "{url}");
    let owner = Caller::owner();
    let found = r.nvr.segment_location(&owner, channel.as_str(), name);
    assert_eq!(found.await.unwrap().channel, channel);
}

#[tokio::test]
async fn a_segment_that_was_just_closed_is_listed_once() {
    let (r, camera, channel) = recorded(2).await;
    *r.worker.open.lock().unwrap() = vec![open(&channel, 30_000, 59_000)];
    let page = r
        .ok("segment_list", window("camera_id", camera.as_str()))
        .await;
    assert_eq!(names(&page), [0, 30_000]);
    assert_eq!(page["items"][1]["state"], "local");
    // Outside the window it is not listed at all.
    *r.worker.open.lock().unwrap() = vec![open(&channel, 7_200_000, 7_201_000)];
    let page = r
        .ok("segment_list", window("camera_id", camera.as_str()))
        .await;
    assert_eq!(names(&page), [0, 30_000]);
}

#[tokio::test]
async fn segments_without_a_row_are_in_their_place_on_every_page() {
    let (r, camera, channel) = recorded(4).await;
    // One that waits for its row while the next is written, and one of a clock set back.
    *r.worker.open.lock().unwrap() = vec![
        open(&channel, 120_000, 150_000),
        open(&channel, 150_000, 152_000),
        open(&channel, 45_000, 46_000),
    ];
    let mut input = window("camera_id", camera.as_str());
    let wanted = [0, 30_000, 45_000, 60_000, 90_000, 120_000, 150_000];
    let all = r.ok("segment_list", input.clone()).await;
    assert_eq!(names(&all), wanted);
    for limit in 1..=8 {
        input["limit"] = json!(limit);
        input.as_object_mut().unwrap().remove("after");
        let mut seen = Vec::new();
        loop {
            let page = r.ok("segment_list", input.clone()).await;
            seen.extend(names(&page));
            match page["next"].as_str() {
                Some(next) => input["after"] = json!(next),
                None => break,
            }
        }
        assert_eq!(seen, wanted, "by {limit}");
    }
}

#[tokio::test]
async fn only_what_exists_and_may_be_seen_has_a_place() {
    let (r, camera, channel) = recorded(1).await;
    let good = format!("{NOON}.mp4");
    let find = |caller: Caller, owner: String, name: String| {
        let nvr = r.nvr.clone();
        async move { nvr.segment_location(&caller, &owner, &name).await }
    };
    let owner = Caller::owner;
    let own = camera.to_string();
    find(owner(), own.clone(), good.clone()).await.unwrap();
    for name in ["0.mp4", "../x.mp4", "..", "", "1.mp4.part", "%2e%2e"] {
        let error = find(owner(), own.clone(), name.into()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{name}");
    }
    for id in ["..", "zzzzzzzzzzzz", "", "c:"] {
        let error = find(owner(), id.into(), good.clone()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{id}");
    }
    let granted = |channel: &ChannelId| {
        Caller::with_grants(
            "somebody",
            vec![Grant {
                permission: Permission::RecordingsView,
                channel: Some(channel.clone()),
            }],
        )
    };
    find(granted(&channel), own.clone(), good.clone())
        .await
        .unwrap();
    let (_, foreign) = r.camera("Yard", "rtsp://yard/1").await;
    let error = find(granted(&foreign), own.clone(), good.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    let error = find(Caller::anonymous(), own, good).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn footage_outlives_its_camera_and_stays_playable() {
    let (r, camera, channel) = recorded(3).await;
    let by_channel = window("id", channel.as_str());
    let before = r.ok("channel_recordings", by_channel.clone()).await;
    assert_eq!(before["items"][0]["status"], "local");
    assert_eq!(before["items"][0]["channel_id"], channel.as_str());
    r.ok("camera_delete", json!({ "id": camera })).await;
    assert_eq!(
        *r.worker.removed.lock().unwrap(),
        std::slice::from_ref(&channel),
        "viewers are told"
    );
    let out = r.ok("channel_get", json!({ "id": channel })).await;
    assert!(out.get("camera_id").is_none());
    let page = r.ok("channel_recordings", by_channel).await;
    let (owner, name) = opened(&r, page["items"][2]["url"].as_str().unwrap());
    assert_eq!(owner, channel.as_str());
    let found = r
        .nvr
        .segment_location(&Caller::owner(), &owner, &name)
        .await
        .unwrap();
    assert_eq!(
        (found.channel, found.start, found.state),
        (channel.clone(), at(60_000), SegmentState::Local)
    );
    assert!(r.worker.deleted.lock().unwrap().is_empty());
    let error = r.refused("stream_token", json!({ "id": channel })).await;
    assert_eq!(error.code, ErrorCode::PreconditionFailed);
}

#[tokio::test]
async fn deleted_footage_goes_also_when_it_does_not_go_at_once() {
    let (r, camera, channel) = recorded(4).await;
    r.worker.refuses_deletion.store(true, Ordering::SeqCst);
    r.ok(
        "camera_delete",
        json!({ "id": camera, "delete_recordings": true }),
    )
    .await;
    // Gone from every list at once.
    let error = r.refused("channel_get", json!({ "id": channel })).await;
    assert_eq!(error.code, ErrorCode::NotFound);
    assert_eq!(r.ok("channel_list", json!({})).await["items"], json!([]));
    let error = r
        .refused("channel_recordings", window("id", channel.as_str()))
        .await;
    assert_eq!(error.code, ErrorCode::NotFound);
    let store = r.nvr.store().clone();
    until("all rows are garbage", || async {
        store.garbage_files(0, 100).await.unwrap().len() == 4
    })
    .await;
    assert!(r.worker.deleted.lock().unwrap().is_empty());

    // The start after takes it up again; here after a crash.
    let r = r.restarted(true).await;
    let store = r.nvr.store().clone();
    until("garbage is gone", || async {
        store.garbage_files(0, 100).await.unwrap().is_empty()
    })
    .await;
    let deleted = r.worker.deleted.lock().unwrap().clone();
    let expected: Vec<_> = (0..4).map(|n| (channel.clone(), at(n * 30_000))).collect();
    assert_eq!(deleted, expected);

    // A segment that is closed only now goes too.
    r.nvr
        .segment_closed(segment(&channel, 120_000))
        .await
        .unwrap();
    until("the late one is gone", || async {
        r.worker.deleted.lock().unwrap().len() == 5
    })
    .await;
}

#[tokio::test]
async fn the_timeline_says_why_and_uses_the_present_when_nothing_is_on_record() {
    let (r, camera, channel) = recorded(0).await;
    let run = r
        .nvr
        .run_started(RunStarted {
            channel: channel.clone(),
            start: at(0),
            codecs: "avc1.64001f".into(),
            width: 1920,
            height: 1080,
        })
        .await
        .unwrap();
    let closed = SegmentClosed {
        run: Some(run),
        ..segment(&channel, 0)
    };
    r.nvr.segment_closed(closed).await.unwrap();
    let reason = |code| Reason {
        code,
        message: "because".into(),
    };
    r.nvr
        .run_ended(run, at(30_000), reason(ReasonCode::ClockStep), Some(3.5))
        .await
        .unwrap();
    r.nvr
        .segment_closed(segment(&channel, 90_000))
        .await
        .unwrap();
    r.pass(600_000);
    let line = r.ok("timeline", window("id", channel.as_str())).await;
    assert_eq!(line["stretches"].as_array().unwrap().len(), 2);
    let gaps = line["gaps"].as_array().unwrap();
    assert_eq!(gaps[0]["reason"]["code"], "clock_step");
    assert_eq!(gaps.len(), 2);
    let kinds: Vec<_> = r.ok("event_list", json!({ "channel_id": channel })).await["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["recovered", "clock_step"]);

    // The adopted tail belongs to the run that had begun by then.
    assert_eq!(gaps[1]["reason"]["code"], "clock_step");
    // A camera that never came: what it says now.
    let (yard, quiet) = r.camera("Yard", "rtsp://yard/1").await;
    let status = super::streams::status(
        oriel_api::StreamState::Idle,
        Some(ReasonCode::Unreachable),
        r.now(),
    );
    r.nvr
        .stream_changed(&yard, oriel_api::Quality::High, status);
    r.pass(60_000);
    let line = r.ok("timeline", window("id", quiet.as_str())).await;
    assert_eq!(line["gaps"][0]["reason"]["code"], "unreachable");
    assert_ne!(camera, yard);
}

#[tokio::test]
async fn the_calendar_is_in_the_viewers_zone_and_shows_only_what_may_be_seen() {
    let (r, _, channel) = recorded(0).await;
    // 23:30 UTC on the 20th is the 21st in Zagreb.
    let late: Timestamp = "2026-11-20T23:30:00Z".parse().unwrap();
    let mut closed = segment(&channel, 0);
    (closed.start, closed.end) = (late, Timestamp::from_ms(late.ms() + 30_000));
    r.nvr.segment_closed(closed).await.unwrap();
    let days = |zone: &str| json!({ "zone": zone, "month": "2026-11" });
    let out = r.ok("recording_days", days("Europe/Zagreb")).await;
    assert_eq!(out["days"], json!(["2026-11-21"]));
    let out = r.ok("recording_days", days("UTC")).await;
    assert_eq!(out["days"], json!(["2026-11-20"]));
    let (_, foreign) = r.camera("Yard", "rtsp://yard/1").await;
    let somebody = Caller::with_grants(
        "somebody",
        vec![Grant {
            permission: Permission::RecordingsView,
            channel: Some(foreign),
        }],
    );
    let out = r
        .call_as(&somebody, "recording_days", days("UTC"))
        .await
        .unwrap();
    assert_eq!(out["days"], json!([]));
}

#[tokio::test]
async fn what_the_worker_reports_is_told_once_and_compared_with_the_disk() {
    let (r, camera, channel) = recorded(0).await;
    let mut changes = r.nvr.subscribe();
    r.nvr.segment_closed(segment(&channel, 0)).await.unwrap();
    change(&mut changes, |c| matches!(c, Change::Recorded { .. })).await;
    r.nvr.segment_closed(segment(&channel, 0)).await.unwrap();
    r.nvr
        .segment_closed(segment(&channel, 30_000))
        .await
        .unwrap();
    let next = change(&mut changes, |c| matches!(c, Change::Recorded { .. })).await;
    assert!(matches!(next, Change::Recorded { start, .. } if start == at(30_000)));

    let local = r.nvr.local_segments(&channel, at(0), 10).await.unwrap();
    assert_eq!(local, [at(30_000)]);
    r.nvr.segment_missing(&channel, at(0)).await.unwrap();
    let page = r
        .ok("segment_list", window("camera_id", camera.as_str()))
        .await;
    assert_eq!(page["items"][0]["state"], "missing");
    assert!(page["items"][0].get("url").is_none());

    let store = r.nvr.store();
    let rows = check::rows(store, &channel, None).await.unwrap();
    assert_eq!(rows.len(), 2);
    let rest = check::rows(store, &channel, Some(at(0))).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert!(
        check::adopt(store, segment(&channel, 60_000))
            .await
            .unwrap()
    );
    assert!(
        !check::adopt(store, segment(&channel, 60_000))
            .await
            .unwrap()
    );
    check::mark_missing(store, &channel, at(60_000))
        .await
        .unwrap();
    let rows = check::rows(store, &channel, Some(at(30_000)))
        .await
        .unwrap();
    assert_eq!(rows[0].state, SegmentState::Missing);
    assert_eq!(check::channels(store).await.unwrap(), [channel]);
    assert!(check::damage(store).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_crash_is_told_from_an_orderly_end() {
    let r = Recorder::new().await;
    let r = r.restarted(false).await;
    let r = r.restarted(true).await;
    let out = r.ok("event_list", json!({})).await;
    let kinds: Vec<_> = out["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["started", "started", "stopped", "started"]);
    let page = r.ok("event_list", json!({ "limit": 3 })).await;
    let rest = r
        .ok("event_list", json!({ "limit": 3, "after": page["next"] }))
        .await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    for bad in [
        json!({ "limit": 0 }),
        json!({ "limit": 501 }),
        json!({ "after": "x" }),
    ] {
        r.refused("event_list", bad).await;
    }
}

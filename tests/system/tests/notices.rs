//! What is in the bucket is learnt from the uploader and from the bucket's own notices, and each
//! alone is enough.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::fs;

use oriel_api::{Segment, SegmentState};
use oriel_system_tests::{Api, Moto, Recorder, RecorderOptions, wait};
use oriel_testkit::{CameraOptions, TestCamera};
use serde_json::json;

/// Two hours in which it is not now.
fn later() -> serde_json::Value {
    let at = |hours: i64| {
        let time = jiff::Zoned::now().saturating_add(jiff::Span::new().hours(hours));
        time.strftime("%H:%M").to_string()
    };
    json!({ "from": at(10), "to": at(12) })
}

fn closed(api: &Api, id: &str, not: &[SegmentState]) -> Option<Segment> {
    let all = api.segments(id).ok()?;
    all.into_iter()
        .find(|s| s.state != SegmentState::Open && !not.contains(&s.state))
}

fn state(api: &Api, id: &str, segment: &Segment) -> Option<SegmentState> {
    let all = api.segments(id).ok()?;
    all.iter()
        .find(|s| s.start == segment.start)
        .map(|s| s.state)
}

fn key(channel: &str, segment: &Segment) -> String {
    let start = segment.start.ms();
    let day = jiff::Timestamp::from_millisecond(start).unwrap();
    format!(
        "site/recordings/{channel}/{}/{start}-{}.mp4",
        day.strftime("%Y/%m/%d"),
        segment.end.ms() - start
    )
}

#[test]
fn either_path_alone_is_enough() {
    let moto = Moto::start().unwrap();
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    let api = recorder.api();
    api.settings(json!({ "segment_seconds": 5 })).unwrap();
    // The uploader waits for its hours: only notices can tell.
    api.update_storage(json!({
        "destination": "s3",
        "endpoint": moto.endpoint(),
        "bucket": "footage",
        "prefix": "site",
        "addressing": "path",
        "credentials": "keys",
        "key_id": "AKIATEST",
        "secret": "do-not-show-this",
        "window": later(),
        "notices_queue": moto.queue(),
    }))
    .unwrap();
    let added = api
        .add_camera(json!({ "name": "Door", "url": camera.url() }))
        .unwrap();
    let (id, channel) = (added.id.to_string(), added.channel_id.unwrap().to_string());
    let first = wait::until("a closed segment", || closed(api, &id, &[]));
    assert_ne!(first.state, SegmentState::Stored);
    let file = data
        .path()
        .join("recordings")
        .join(&channel)
        .join(&first.name);
    let bytes = fs::read(&file).unwrap();
    moto.put("site/of-somebody-else", b"x").unwrap();
    // Half of it is not the segment.
    moto.put(&key(&channel, &first), &bytes[..bytes.len() / 2])
        .unwrap();
    wait::until("what is not ours is ignored", || {
        (api.storage().ok()?.notices.ignored >= 2).then_some(())
    });
    assert_ne!(state(api, &id, &first), Some(SegmentState::Stored));
    for round in 1..=2 {
        moto.put(&key(&channel, &first), &bytes).unwrap();
        wait::until("the notice arrives", || {
            let notices = api.storage().ok()?.notices;
            assert_eq!(notices.error, None);
            (notices.received >= round + 2).then_some(())
        });
        assert_eq!(state(api, &id, &first), Some(SegmentState::Stored));
    }
    assert_eq!(api.storage().unwrap().uploads.uploaded, 0);

    // Without notices the uploader is enough.
    api.update_storage(json!({
        "window": { "from": "00:00", "to": "00:00" },
        "notices_queue": "",
    }))
    .unwrap();
    let second = wait::until("another segment is stored", || {
        let all = api.segments(&id).ok()?;
        all.into_iter()
            .find(|s| s.start != first.start && s.state == SegmentState::Stored)
    });
    let storage = api.storage().unwrap();
    assert!(!storage.notices.on && storage.uploads.uploaded > 0);
    let file = data
        .path()
        .join("recordings")
        .join(&channel)
        .join(&second.name);
    assert!(moto.get(&key(&channel, &second)).unwrap() == fs::read(file).unwrap());
}

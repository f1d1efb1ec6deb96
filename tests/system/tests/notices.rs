//! What is in the bucket is learnt from the uploader and from the bucket's own notices, and each
//! alone is enough.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::{fs, time::Duration};

use oriel_api::{NoticesStatus, Segment, SegmentState, StreamState};
use oriel_system_tests::{Api, Moto, Recorder, RecorderOptions, wait};
use oriel_testkit::{CameraOptions, TestCamera};
use serde_json::json;

/// A message that was asked for by somebody who went away comes again after half a minute.
const PATIENCE: Duration = Duration::from_secs(150);

/// Two hours in which it is not now.
fn later() -> serde_json::Value {
    let at = |hours: i64| {
        let time = jiff::Zoned::now().saturating_add(jiff::Span::new().hours(hours));
        time.strftime("%H:%M").to_string()
    };
    json!({ "from": at(10), "to": at(12) })
}

fn closed(api: &Api, id: &str) -> Option<Segment> {
    let all = api.segments(id).ok()?;
    all.into_iter().find(|s| s.state != SegmentState::Open)
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

fn notices(api: &Api) -> Option<NoticesStatus> {
    let notices = api.storage().ok()?.notices;
    assert_eq!(notices.error, None);
    Some(notices)
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
    let first = wait::within(PATIENCE, "a closed segment", || closed(api, &id));
    assert_ne!(first.state, SegmentState::Stored);
    let folder = data.path().join("recordings").join(&channel);
    let bytes = fs::read(folder.join(&first.name)).unwrap();
    moto.put("site/of-somebody-else", b"x").unwrap();
    // Half of it is not the segment.
    moto.put(&key(&channel, &first), &bytes[..bytes.len() / 2])
        .unwrap();
    // How many are ignored is not told by these two alone: the recorder writes the names of its
    // channels there, too.
    let before = wait::within(PATIENCE, "what is not ours is ignored", || {
        notices(api).filter(|n| n.received >= 1 && n.ignored >= 2)
    });
    assert_ne!(state(api, &id, &first), Some(SegmentState::Stored));

    // Nothing but the notice tells, and a second one changes nothing.
    for round in 1..=2 {
        moto.put(&key(&channel, &first), &bytes).unwrap();
        wait::within(PATIENCE, "the notice arrives", || {
            notices(api).filter(|n| n.received >= before.received + round)
        });
        wait::within(PATIENCE, "the segment is stored", || {
            (state(api, &id, &first) == Some(SegmentState::Stored)).then_some(())
        });
    }
    assert_eq!(api.storage().unwrap().uploads.uploaded, 0);

    // Both tell, in whichever order they come.
    let told = notices(api).unwrap().received;
    api.update_storage(json!({ "window": { "from": "00:00", "to": "00:00" } }))
        .unwrap();
    let both = wait::within(PATIENCE, "the uploader and notices have told", || {
        let uploads = api.storage().ok()?.uploads;
        let received = notices(api)?.received - told;
        (uploads.uploaded >= 2 && received >= uploads.uploaded).then_some(uploads.uploaded)
    });

    // Without notices the uploader is enough.
    api.update_storage(json!({ "notices_queue": "" })).unwrap();
    wait::within(PATIENCE, "more segments are stored", || {
        (api.storage().ok()?.uploads.uploaded >= both + 2).then_some(())
    });
    let storage = api.storage().unwrap();
    assert!(!storage.notices.on);
    drop(camera);
    let all = wait::within(PATIENCE, "nothing waits", || {
        let gone = api.camera(&id).ok()?.state != StreamState::Streaming;
        let all = api.segments(&id).ok()?;
        let over = all.iter().all(|s| s.state == SegmentState::Stored);
        (gone && over && api.storage().ok()?.uploads.waiting == 0).then_some(all)
    });
    for segment in &all {
        let stored = moto.get(&key(&channel, segment)).unwrap();
        assert!(stored == fs::read(folder.join(&segment.name)).unwrap());
    }
    // The first came without the uploader, every other by it, and each once.
    wait::until("the uploader has told of the last", || {
        (api.storage().ok()?.uploads.uploaded == all.len() as u64 - 1).then_some(())
    });
}

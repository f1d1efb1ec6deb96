//! A camera that dies, freezes, reboots as another or changes its password is handled and said.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use oriel_api::{Camera, ReasonCode, SegmentState, StreamState};
use oriel_system_tests::{Api, Recorder, RecorderOptions, wait};
use oriel_testkit::{Auth, CameraOptions, StreamOptions, TestCamera};
use serde_json::json;

fn digest(password: &str) -> Auth {
    Auth::Digest {
        user: "admin".into(),
        password: password.into(),
    }
}

fn wait_reason(api: &Api, id: &str, codes: &[ReasonCode]) -> Camera {
    wait::until(&format!("the reason is one of {codes:?}"), || {
        api.camera(id).ok().filter(|c| {
            c.reason.as_ref().is_some_and(|r| codes.contains(&r.code))
                && c.state != StreamState::Streaming
        })
    })
}

/// Lets an outage last until it is a gap: footage less than a second apart counts as one stretch.
fn wait_gap(api: &Api, channel: &str) {
    wait::until("an outage of two seconds", || {
        let stood = api.timeline(channel).ok()?.last?.ms();
        (jiff::Timestamp::now().as_millisecond() - stood > 2000).then_some(())
    });
}

#[test]
fn every_fault_of_a_camera_is_seen_shown_and_survived() {
    let first = CameraOptions {
        auth: digest("p@ss:w/rd#%"),
        ..CameraOptions::default()
    };
    let mut camera = TestCamera::start(first.clone()).unwrap();
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    let api = recorder.api();
    api.settings(json!({ "segment_seconds": 5 })).unwrap();
    let added = api
        .add_camera(json!({ "name": "Door", "url": camera.url(), "username": "admin", "password": "p@ss:w/rd#%" }))
        .unwrap();
    let (id, channel) = (added.id.to_string(), added.channel_id.unwrap().to_string());
    api.wait_state(&id, StreamState::Streaming);
    api.wait_closed(&id, 1);

    // Frozen: the connection stands, nothing comes.
    camera.freeze().unwrap();
    let seen = wait_reason(api, &id, &[ReasonCode::Stalled, ReasonCode::Timeout]);
    assert!(!seen.reason.unwrap().message.is_empty());
    camera.thaw().unwrap();
    api.wait_state(&id, StreamState::Streaming);

    // Killed, and back as another: a new picture size is a new run.
    camera.kill().unwrap();
    wait_reason(api, &id, &[ReasonCode::Ended, ReasonCode::Unreachable]);
    wait_gap(api, &channel);
    let other = CameraOptions {
        stream: StreamOptions {
            width: 192,
            height: 144,
            ..first.stream.clone()
        },
        ..first.clone()
    };
    camera.restart_with(other).unwrap();
    api.wait_state(&id, StreamState::Streaming);
    wait::until("the new size is known", || {
        api.camera(&id)
            .ok()?
            .profiles
            .first()?
            .video
            .as_ref()
            .filter(|v| v.width == 192)
            .map(|_| ())
    });

    // Another password: said at once, and right again once it is corrected.
    camera.kill().unwrap();
    camera
        .restart_with(CameraOptions {
            auth: digest("new & better"),
            ..first
        })
        .unwrap();
    let refused = wait_reason(api, &id, &[ReasonCode::AuthRefused]);
    assert_eq!(refused.state, StreamState::Failed, "a person has to act");
    wait_gap(api, &channel);
    api.update_camera(&id, json!({ "password": "new & better" }))
        .unwrap();
    api.wait_state(&id, StreamState::Streaming);

    // What is missing is known as missing, with a cause.
    api.wait_closed(&id, 3);
    let timeline = wait::until("footage after the faults", || {
        api.timeline(&channel)
            .ok()
            .filter(|t| t.stretches.len() >= 3)
    });
    let causes: Vec<_> = timeline
        .gaps
        .iter()
        .filter_map(|g| g.reason.as_ref().map(|r| r.code))
        .collect();
    assert!(
        causes
            .iter()
            .any(|c| matches!(c, ReasonCode::Stalled | ReasonCode::Timeout)),
        "{causes:?}"
    );
    assert!(
        causes.iter().any(|c| matches!(
            c,
            ReasonCode::Ended | ReasonCode::Unreachable | ReasonCode::AuthRefused
        )),
        "{causes:?}"
    );

    // No secret anywhere: not in the log, not in the database, not in an answer.
    let answers = format!(
        "{:?}",
        api.call("GET", &format!("/cameras/{id}"), None)
            .unwrap()
            .unwrap()
    );
    let mut places = vec![
        ("log", recorder.log().into_bytes()),
        ("answer", answers.into_bytes()),
    ];
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            places.push(("file", std::fs::read(path).unwrap()));
        }
    }
    for (place, bytes) in places {
        for secret in ["p@ss:w/rd#%", "new & better", "p%40ss"] {
            assert!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "a password is in the {place}"
            );
        }
    }
    let out = std::process::Command::new("ps")
        .args(["-eo", "args"])
        .output()
        .unwrap();
    assert!(
        !String::from_utf8_lossy(&out.stdout).contains("p@ss:w"),
        "a password is in an argv"
    );
    assert!(
        api.segments(&id)
            .unwrap()
            .iter()
            .all(|s| s.state != SegmentState::Missing)
    );
}

#[test]
fn switched_off_is_a_known_gap_and_on_again_goes_on() {
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    let api = recorder.api();
    api.settings(json!({ "segment_seconds": 5 })).unwrap();
    let added = api
        .add_camera(json!({ "name": "Door", "url": camera.url() }))
        .unwrap();
    let (id, channel) = (added.id.to_string(), added.channel_id.unwrap().to_string());
    api.wait_closed(&id, 1);
    api.update_channel(&channel, json!({ "record_mode": "off" }))
        .unwrap();
    api.wait_state(&id, StreamState::Idle);
    wait_gap(api, &channel);
    api.update_channel(&channel, json!({ "record_mode": "continuous" }))
        .unwrap();
    api.wait_state(&id, StreamState::Streaming);
    let timeline = wait::until("a second stretch", || {
        api.timeline(&channel)
            .ok()
            .filter(|t| t.stretches.len() >= 2)
    });
    assert_eq!(
        timeline.gaps[0].reason.as_ref().map(|r| r.code),
        Some(ReasonCode::Off),
        "{:?}",
        timeline.gaps
    );
}

//! Clips, exports and snapshots of a real camera: with an end to come, with a hole, and through
//! kill -9.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::{path::Path, process::Command, time::Duration};

use oriel_api::{
    Camera, Clip, ClipStatus, Export, ExportStatus, ReasonCode, Snapshot, SnapshotStatus,
    StreamState, Timestamp,
};
use oriel_system_tests::{Api, Recorder, RecorderOptions, decode, wait};
use oriel_testkit::{Audio, CameraOptions, TestCamera, Video};
use serde_json::{Value, json};

/// A clip waits for its segment to be closed, on a busy machine.
const MADE: Duration = Duration::from_secs(90);

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn ok(api: &Api, method: &str, path: &str, body: Option<Value>) -> Value {
    api.call(method, path, body).unwrap().unwrap()
}

fn create_clip(api: &Api, camera: &Camera, start: i64, end: i64) -> Clip {
    let body = json!({ "channel_id": camera.channel_id, "start": at(start), "end": at(end) });
    serde_json::from_value(ok(api, "POST", "/clips", Some(body))).unwrap()
}

fn clip(api: &Api, id: &str) -> Clip {
    serde_json::from_value(ok(api, "GET", &format!("/clips/{id}"), None)).unwrap()
}

/// The clip when it is not being made any more.
fn made(api: &Api, made: &Clip) -> Clip {
    wait::within(MADE, "the clip is made", || {
        let clip = clip(api, made.clip_id.as_str());
        (clip.status != ClipStatus::InProgress).then_some(clip)
    })
}

/// Fetches a file, has every frame decoded, and gives its length in milliseconds.
fn played(api: &Api, url: &str, folder: &Path, sound: &str) -> i64 {
    let path = folder.join("fetched.mp4");
    std::fs::write(&path, api.bytes(url).unwrap()).unwrap();
    decode(&path).unwrap();
    let probed = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args([
            "-show_entries",
            "format=duration:stream=codec_name,duration",
        ])
        .arg(&path)
        .output()
        .unwrap();
    let probed: Value = serde_json::from_slice(&probed.stdout).unwrap();
    let seconds = |of: &Value| of["duration"].as_str().unwrap().parse::<f64>().unwrap();
    let whole = seconds(&probed["format"]);
    let heard = &probed["streams"][1];
    assert_eq!(heard["codec_name"], sound, "{probed}");
    assert!(seconds(heard) > whole - 1.0, "{probed}");
    (whole * 1000.0) as i64
}

fn started(data: &Path, camera: &TestCamera, audio: &str) -> (Recorder, Camera) {
    let recorder = Recorder::start(data, RecorderOptions::default()).unwrap();
    let api = recorder.api();
    api.settings(json!({ "segment_seconds": 5 })).unwrap();
    let added = api
        .add_camera(json!({ "name": "Front door", "url": camera.url() }))
        .unwrap();
    let channel = added.channel_id.as_ref().unwrap();
    api.update_channel(channel.as_str(), json!({ "audio": audio }))
        .unwrap();
    // The first may be of the run before the setting.
    api.wait_closed(added.id.as_str(), 4);
    (recorder, added)
}

#[test]
fn a_clip_with_an_end_to_come_and_one_with_a_hole_play_and_pictures_are_kept() {
    let mut camera = TestCamera::start(CameraOptions::of(Video::H264, Audio::Pcmu)).unwrap();
    let data = tempfile::tempdir().unwrap();
    let (recorder, added) = started(data.path(), &camera, "auto");
    let api = recorder.api();

    let begun = now();
    let wanted = create_clip(api, &added, begun - 4000, begun + 6000);
    assert_eq!(wanted.status, ClipStatus::InProgress);
    assert!(wanted.progress < 1.0 && wanted.url.is_none());
    let done = made(api, &wanted);
    assert_eq!(done.status, ClipStatus::Finished, "{done:?}");
    let (start, end) = (done.media_start.unwrap(), done.media_end.unwrap());
    // From the key frame before to the end that was asked for.
    assert!(start <= wanted.time_start, "{done:?}");
    assert!(end.ms() >= wanted.time_end.ms() - 200, "{done:?}");
    let length = played(api, &done.url.unwrap(), data.path(), "aac");
    assert!((length - (end.ms() - start.ms())).abs() < 250, "{length}");

    // The recorder's own picture, and one that is sent.
    let channel = added.channel_id.clone().unwrap();
    let path = format!("/channels/{channel}/snapshots");
    let taken = ok(api, "POST", &path, Some(json!({ "source": "agent" })));
    let taken: Snapshot = serde_json::from_value(taken).unwrap();
    assert_eq!(taken.status, SnapshotStatus::Stored, "{taken:?}");
    let picture = api.bytes(&taken.url.unwrap()).unwrap();
    assert!(picture.starts_with(&[0xff, 0xd8, 0xff]));
    let entry = ok(api, "POST", &path, Some(json!({ "source": "client" })));
    let entry: Snapshot = serde_json::from_value(entry).unwrap();
    let url = format!("{}{}", api.base(), entry.upload_url.unwrap());
    ureq::put(&url)
        .header("content-type", &entry.upload_headers["content-type"])
        .send(&picture[..])
        .unwrap();
    let confirm = format!("/snapshots/{}/confirm", entry.snapshot_id);
    let kept = ok(api, "POST", &confirm, None);
    let kept: Snapshot = serde_json::from_value(kept).unwrap();
    assert_eq!(kept.status, SnapshotStatus::Stored);
    assert_eq!(api.bytes(&kept.url.unwrap()).unwrap(), picture);
    let listed = ok(api, "GET", &path, None);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);

    // The camera is away for a while in the middle of the next.
    let from = now();
    camera.kill().unwrap();
    wait::until("the loss is noticed", || {
        let seen = api.camera(added.id.as_str()).ok()?;
        // Long enough to be a hole: what is shorter than a second is none.
        let away = seen.state != StreamState::Streaming && now() - from > 3000;
        away.then_some(())
    });
    camera
        .restart_with(CameraOptions::of(Video::H264, Audio::Pcmu))
        .unwrap();
    let back = api.wait_state(added.id.as_str(), StreamState::Streaming);
    let to = wait::until("footage after the hole", || {
        let segments = api.segments(back.id.as_str()).ok()?;
        let last = segments.last()?;
        (last.start.ms() > from && last.end.ms() - last.start.ms() > 1500).then_some(last.end.ms())
    });
    let done = made(api, &create_clip(api, &added, from - 4000, to));
    assert_eq!(done.status, ClipStatus::Partial, "{done:?}");
    assert_eq!(done.gaps.len(), 1, "{done:?}");
    assert!(done.gaps[0].reason.is_some(), "{done:?}");
    played(api, &done.url.unwrap(), data.path(), "aac");
}

#[test]
fn a_clip_and_an_export_are_made_although_the_recorder_was_killed() {
    let camera = TestCamera::start(CameraOptions::of(Video::H264, Audio::Mp3)).unwrap();
    let data = tempfile::tempdir().unwrap();
    let (mut recorder, added) = started(data.path(), &camera, "copy");
    let api = recorder.api().clone();
    let begun = now();
    let wanted = create_clip(&api, &added, begun - 5000, begun + 8000);
    // Until its last segment is closed neither can be finished.
    let body = json!({
        "camera_ids": [added.id], "start": at(begun - 6000), "end": at(begun - 2500),
    });
    let export = ok(&api, "POST", "/recordings/export", Some(body));
    let export: Export = serde_json::from_value(export).unwrap();
    assert_eq!(
        clip(&api, wanted.clip_id.as_str()).status,
        ClipStatus::InProgress
    );
    recorder.kill().unwrap();
    recorder.restart().unwrap();
    let api = recorder.api();

    let done = made(api, &wanted);
    match done.status {
        ClipStatus::Finished => {}
        // Its last seconds fell into the time in which nothing ran.
        ClipStatus::Partial => {
            let code = |g: &oriel_api::Gap| g.reason.as_ref().map(|r| r.code);
            let known = [Some(ReasonCode::NotRunning), None];
            assert!(
                done.gaps.iter().all(|g| known.contains(&code(g))),
                "{done:?}"
            );
        }
        other => panic!("{other:?}: {done:?}"),
    }
    played(api, &done.url.unwrap(), data.path(), "mp3");

    let path = format!("/recordings/export/{}", export.export_id);
    let done: Export = wait::within(MADE, "the export is made", || {
        let now: Export = serde_json::from_value(ok(api, "GET", &path, None)).ok()?;
        (!matches!(now.status, ExportStatus::Queued | ExportStatus::Running)).then_some(now)
    });
    assert_eq!(done.status, ExportStatus::Finished, "{done:?}");
    let part = &done.parts[0];
    assert!(part.file.starts_with("front-door-"), "{}", part.file);
    let length = played(api, part.url.as_ref().unwrap(), data.path(), "mp3");
    assert!(length >= 3300, "{length}");
    let manifest: Value =
        serde_json::from_slice(&api.bytes(&done.manifest_url.unwrap()).unwrap()).unwrap();
    assert_eq!(manifest["files"][0]["file"], part.file.as_str());
    assert_eq!(manifest["files"][0]["sha256"], json!(part.sha256));
    // Nothing half-made is left.
    let folder = data.path().join("exports").join(export.export_id.as_str());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2);
}

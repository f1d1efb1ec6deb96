//! `pull` against cameras and servers that do not behave: the right exit code, no hang, no
//! secret in any output.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use oriel_testkit::{Audio, Auth, CameraOptions, TestCamera, Video, broken};
use serde_json::{Value, json};
use support::{Footage, Job, PATIENCE};

#[test]
fn a_wrong_password_is_told_apart_and_never_shown() {
    for auth in [
        Auth::Digest {
            user: "u".into(),
            password: "right".into(),
        },
        Auth::Basic {
            user: "u".into(),
            password: "right".into(),
        },
    ] {
        let camera = TestCamera::start(CameraOptions {
            auth,
            ..CameraOptions::default()
        })
        .unwrap();
        let job = Job::pull_with(
            &camera.url(),
            json!({"username": "u", "password": "wr0ng-p@ss"}),
        );
        let (code, reason, events) = job.failure();
        assert_eq!((code, reason.as_str()), (21, "auth_refused"), "{events:?}");
        assert!(!events.join("").contains("wr0ng"));
        let (code, reason, _) = Job::pull(&camera.url()).failure();
        assert_eq!((code, reason.as_str()), (21, "auth_refused"));
    }
}

#[test]
fn nobody_there_and_nothing_at_that_path() {
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let (code, reason, events) = Job::pull(&camera.url_of("nothing")).failure();
    assert_eq!(
        (code, reason.as_str()),
        (20, "no_such_stream"),
        "{events:?}"
    );
    let url = camera.url();
    drop(camera);
    let secret = url.replace("rtsp://", "rtsp://user:s3cret@");
    for url in [secret, "rtsp://no-such-host.invalid/x".to_owned()] {
        let (code, reason, events) = Job::pull(&url).failure();
        assert_eq!((code, reason.as_str()), (20, "unreachable"), "{events:?}");
        assert!(!events.join("").contains("s3cret"), "{events:?}");
    }
}

#[test]
fn a_killed_camera_ends_the_stream() {
    let mut camera = TestCamera::start(CameraOptions::default()).unwrap();
    let job = Job::pull(&camera.url());
    Footage::default().read_until(&job, |f| f.video.len() >= 5);
    camera.kill().unwrap();
    let (code, reason, events) = job.failure();
    assert_eq!((code, reason.as_str()), (22, "ended"), "{events:?}");
}

#[cfg(unix)]
#[test]
fn a_frozen_camera_is_silence_and_stdin_still_stops() {
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let mut job = Job::pull(&camera.url());
    let mut footage = Footage::default();
    footage.read_until(&job, |f| f.video.len() >= 5);
    camera.freeze().unwrap();
    while job.piece(Duration::from_secs(2)).is_some() {}
    job.stop();
    let (code, events) = job.wait();
    assert_eq!(code, 0, "{events:?}");
    camera.thaw().unwrap();
}

#[test]
fn a_camera_that_comes_back_with_another_size_is_another_run() {
    let mut camera = TestCamera::start(CameraOptions::default()).unwrap();
    let first = Footage::of(Job::pull(&camera.url()), 3);
    let mut options = CameraOptions::default();
    (options.stream.width, options.stream.height) = (640, 360);
    camera.restart_with(options).unwrap();
    let second = Footage::of(Job::pull(&camera.url()), 3);
    assert_eq!(first.format().video.width, 320);
    assert_eq!(second.format().video.width, 640);
}

#[test]
fn no_video_and_codecs_that_cannot_be_kept() {
    let camera = TestCamera::start(CameraOptions::of(Video::None, Audio::Pcmu)).unwrap();
    let (code, reason, events) = Job::pull(&camera.url()).failure();
    assert_eq!((code, reason.as_str()), (40, "no_video"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_servers() {
    let cases = [
        (broken::answers_http().await.unwrap(), 20, "not_rtsp"),
        (broken::closes_at_once().await.unwrap(), 20, "unreachable"),
        (broken::sdp_without_video().await.unwrap(), 40, "no_video"),
    ];
    for (server, code, reason) in cases {
        let url = server.url();
        let outcome = tokio::task::spawn_blocking(move || Job::pull(&url).failure());
        let (got, said, events) = outcome.await.unwrap();
        assert_eq!((got, said.as_str()), (code, reason), "{events:?}");
    }
    let any = [
        broken::accepts_and_says_nothing().await.unwrap(),
        broken::garbage_after_describe().await.unwrap(),
        broken::sdp_10_mib().await.unwrap(),
        broken::garbage_rtp().await.unwrap(),
        broken::redirects_to("rtsp://127.0.0.1:1/x").await.unwrap(),
    ];
    // Side by side: some need their whole deadline.
    let jobs: Vec<_> = any
        .iter()
        .map(|server| {
            let url = server.url();
            tokio::task::spawn_blocking(move || Job::pull(&url).failure())
        })
        .collect();
    for job in jobs {
        let (code, reason, events) = job.await.unwrap();
        assert!(code == 20 || code == 22, "{code} {events:?}");
        assert!(!reason.is_empty(), "{events:?}");
    }
}

#[test]
fn a_bad_job_is_refused() {
    for job in [
        json!({}),
        json!({"job": "pull"}),
        json!({"job": "fly", "password": "s3cret"}),
    ] {
        let (code, _, events) = Job::start(&job).failure();
        assert_eq!(code, 10, "{events:?}");
        assert!(!events.join("").contains("s3cret"));
    }
}

#[test]
fn every_line_of_stderr_is_an_event() {
    let camera = TestCamera::start(CameraOptions::of(Video::Mjpeg, Audio::Pcmu)).unwrap();
    let mut job = Job::pull(&camera.url());
    assert!(job.piece(PATIENCE).is_some());
    job.stop();
    let (_, events) = job.wait();
    let kinds: Vec<Value> = events
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone())
        .collect();
    assert_eq!(kinds, ["track", "track", "ready"]);
}

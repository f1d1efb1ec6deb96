//! Addresses that are wrong in every way get their own answer, in time and with bounded memory.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::time::Instant;

use oriel_system_tests::{Recorder, RecorderOptions};
use oriel_testkit::{Auth, CameraOptions, TestCamera, broken};
use serde_json::json;

fn memory_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kb = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .unwrap();
    kb.split_whitespace()
        .next()
        .unwrap()
        .parse::<f64>()
        .unwrap()
        / 1000.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_addresses_are_told_apart() {
    let guarded = tokio::task::spawn_blocking(|| {
        TestCamera::start(CameraOptions {
            auth: Auth::Digest {
                user: "admin".into(),
                password: "right".into(),
            },
            ..CameraOptions::default()
        })
        .unwrap()
    })
    .await
    .unwrap();
    let (silent, http, mute, huge, redirect, closing, junk, junk_sdp) = (
        broken::accepts_and_says_nothing().await.unwrap(),
        broken::answers_http().await.unwrap(),
        broken::sdp_without_video().await.unwrap(),
        broken::sdp_10_mib().await.unwrap(),
        broken::redirects_to("rtsp://127.0.0.1:9/elsewhere")
            .await
            .unwrap(),
        broken::closes_at_once().await.unwrap(),
        broken::garbage_rtp().await.unwrap(),
        broken::garbage_after_describe().await.unwrap(),
    );
    let cases: Vec<(&str, String, &[&str])> = vec![
        (
            "nothing listens",
            "rtsp://127.0.0.1:9/".into(),
            &["unreachable"],
        ),
        (
            "no such name",
            "rtsp://no-such-host.invalid/".into(),
            &["unreachable"],
        ),
        ("says nothing", silent.url(), &["timeout"]),
        ("speaks HTTP", http.url(), &["not_rtsp"]),
        ("no video", mute.url(), &["no_video"]),
        ("wrong password", guarded.url(), &["auth_refused"]),
        (
            "no such path",
            guarded.url_of("/nothing"),
            &["no_such_stream", "auth_refused"],
        ),
        (
            "10 MB of SDP",
            huge.url(),
            &["malformed", "not_rtsp", "timeout", "ended"],
        ),
        (
            "redirects",
            redirect.url(),
            &["no_such_stream", "malformed", "unreachable", "not_rtsp"],
        ),
        (
            "closes",
            closing.url(),
            &["ended", "unreachable", "not_rtsp"],
        ),
        (
            "garbage for RTP",
            junk.url(),
            &["malformed", "timeout", "ended", "stalled"],
        ),
        (
            "garbage for RTSP",
            junk_sdp.url(),
            &["malformed", "not_rtsp", "ended", "timeout", "no_video"],
        ),
    ];
    tokio::task::spawn_blocking(move || {
        let data = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
        for (what, url, expected) in cases {
            let began = Instant::now();
            let refusal = recorder
                .api()
                .call(
                    "POST",
                    "/cameras/probe",
                    Some(json!({ "url": url, "username": "admin", "password": "wr0ng#%" })),
                )
                .unwrap()
                .expect_err(what);
            let reason = refusal.body["error"]["detail"]["reason"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            assert!(expected.contains(&reason.as_str()), "{what}: {refusal:?}");
            assert!(
                !refusal.body.to_string().contains("wr0ng"),
                "{what} repeats the password"
            );
            // The promise is an answer, not a speed: the harness gives up after 30 s.
            println!("{what}: {reason} in {:.1} s", began.elapsed().as_secs_f64());
        }
        assert!(memory_mb(recorder.pid()) < 200.0, "memory is bounded");
        for url in [
            "",
            "rtsp://",
            "ftp://x/",
            "rtsp://h\u{0}st/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "rtsp://[::1",
            "//x",
        ] {
            let refusal = recorder
                .api()
                .call("POST", "/cameras/probe", Some(json!({ "url": url })))
                .unwrap()
                .expect_err(url);
            assert_eq!(refusal.status, 400, "{url:?}: {refusal:?}");
        }
    })
    .await
    .unwrap();
}

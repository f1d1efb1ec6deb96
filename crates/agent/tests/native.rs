//! What only concerns the native engine, the choice of engine, and when a stream is wanted.
#![allow(clippy::unwrap_used, reason = "only tests")]

mod support;

use oriel_api::{
    Engine, EngineInUse, Error, ErrorCode, Quality, ReasonCode, RecordMode, StreamState,
    WarningCode, link::AgentLink,
};
use oriel_media::TrackKind;
use oriel_testkit::{Audio, CameraOptions, StreamOptions, Video, broken};
use support::{Rig, camera, profile, streaming};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b_frames_move_a_camera_to_gstreamer_and_a_probe_says_so() {
    let camera = camera(CameraOptions {
        stream: StreamOptions {
            bframes: true,
            ..StreamOptions::default()
        },
        ..CameraOptions::default()
    })
    .await;
    let rig = Rig::new(&camera.url(), Engine::Auto);
    rig.apply().await;
    let gst = |s: &oriel_api::link::StreamStatus| {
        streaming(s) && s.engine == Some(EngineInUse::Gstreamer)
    };
    rig.nvr.until("streaming by GStreamer", gst).await;
    let report = rig.agent.probe(&camera.url(), None).await.unwrap();
    assert_eq!(report.engine, EngineInUse::Gstreamer);
    assert!(
        report
            .warnings
            .iter()
            .any(|w| w.code == WarningCode::BFrames),
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_low_stream_comes_while_it_is_watched_and_lingers() {
    let camera = camera(CameraOptions {
        low: true,
        ..CameraOptions::default()
    })
    .await;
    let mut rig = Rig::new(&camera.url(), Engine::Native);
    rig.setup.record_mode = RecordMode::Off;
    rig.setup
        .profiles
        .push(profile(Quality::Low, &camera.low_url()));
    rig.apply().await;
    rig.worker.watch(&rig.setup.channel, Quality::Low, 1);
    let runs = rig
        .worker
        .until("low frames", |r| r.iter().any(|r| r.frames.len() > 5))
        .await;
    assert!(runs.iter().all(|r| r.quality == Quality::Low && !r.record));
    assert_eq!(runs[0].format.video.width, 192);
    rig.worker.watch(&rig.setup.channel, Quality::Low, 0);
    let runs = rig.worker.until("its end", |r| r[0].closed.is_some()).await;
    assert_eq!(runs[0].closed.as_ref().unwrap().code, ReasonCode::Off);
    rig.nvr
        .until_of(Quality::Low, "idle", |s| s.state == StreamState::Idle)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switching_recording_off_keeps_a_watched_connection() {
    let camera = camera(CameraOptions::default()).await;
    let mut rig = Rig::new(&camera.url(), Engine::Native);
    rig.worker.watch(&rig.setup.channel, Quality::High, 1);
    rig.apply().await;
    rig.worker
        .until("frames", |r| r.last().is_some_and(|r| r.frames.len() > 5))
        .await;
    rig.setup.record_mode = RecordMode::Off;
    rig.setup.watchdog_seconds = 10;
    rig.apply().await;
    let runs = rig
        .worker
        .until("a run that is not recorded", |r| {
            r.len() == 2 && r[1].frames.len() > 5 && r[0].closed.is_some()
        })
        .await;
    assert!(runs[0].record && !runs[1].record);
    assert!(runs[1].frames[0].key && runs[1].frames[0].dts == 0);
    let connected = rig
        .nvr
        .told()
        .iter()
        .filter(|(_, s)| s.state == StreamState::Connecting)
        .count();
    assert_eq!(connected, 1, "the connection was dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_child_program_video_goes_on_and_the_rest_says_what_to_install() {
    let camera = camera(CameraOptions::of(Video::H264, Audio::Pcmu)).await;
    let nowhere = || Some("/nonexistent/oriel-gst".into());
    let rig = Rig::with_program(&camera.url(), Engine::Auto, nowhere());
    rig.apply().await;
    let status = rig
        .nvr
        .until("a warning", |s| {
            s.warnings
                .iter()
                .any(|w| w.code == WarningCode::AudioLeftOut)
        })
        .await;
    assert!(streaming(&status));
    let runs = rig
        .worker
        .until("frames", |r| r.last().is_some_and(|r| r.frames.len() > 20))
        .await;
    assert!(runs[0].format.audio.is_none() && runs[0].of(TrackKind::Audio).is_empty());
    assert_eq!(rig.agent.gstreamer().await, None);

    let rig = Rig::with_program(&camera.url(), Engine::Gstreamer, nowhere());
    rig.apply().await;
    let status = rig
        .nvr
        .until("failed", |s| s.state == StreamState::Failed)
        .await;
    let reason = status.reason.unwrap();
    assert_eq!(reason.code, ReasonCode::PluginMissing);
    assert!(
        reason.message.contains("Install GStreamer"),
        "{}",
        reason.message
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_of_a_broken_server_names_the_reason() {
    let rig = Rig::new("rtsp://unused/", Engine::Auto);
    let web = broken::answers_http().await.unwrap();
    let url = web.url().replace("rtsp://", "rtsp://admin:s3cr3t@");
    let error: Error = rig.agent.probe(&url, None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::CameraUnreachable);
    assert_eq!(error.detail.clone().unwrap()["reason"], "not_rtsp");
    assert!(!format!("{error:?}").contains("s3cr3t"));
    let error = rig
        .agent
        .probe("file:///etc/passwd", None)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
}

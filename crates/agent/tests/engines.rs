//! What both engines must do with real cameras in processes of their own.
#![allow(clippy::unwrap_used, reason = "only tests")]

mod support;

use oriel_api::{Engine, EngineInUse, Quality, ReasonCode, StreamState, link::AgentLink};
use oriel_media::{AudioCodec, Frame, TrackKind, VideoCodec};
use oriel_testkit::{Audio, Auth, CameraOptions, StreamOptions, Video};
use support::{Rig, SeenRun, blocking, camera, streaming};

const VIDEO: TrackKind = TrackKind::Video;
const AUDIO: TrackKind = TrackKind::Audio;

/// Each of these runs once per engine.
macro_rules! both_engines {
    ($($test:ident),* $(,)?) => {
        mod native {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(oriel_api::Engine::Native).await;
            })*
        }
        mod gstreamer {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(oriel_api::Engine::Gstreamer).await;
            })*
        }
    };
}

both_engines! {
    delivers_h264_from_a_key_frame_at_zero,
    delivers_h265,
    delivers_aac_in_step,
    converts_g711_to_aac_in_step,
    a_corrected_password_is_used_at_once,
    a_frozen_camera_is_noticed_and_comes_back,
    a_camera_that_returns_with_another_size_starts_a_new_run,
    a_camera_that_is_not_there_is_said_to_be_so,
    stopping_ends_the_run,
}

fn ascending(frames: &[&Frame]) -> bool {
    frames.windows(2).all(|pair| pair[0].dts <= pair[1].dts)
}

fn videos(runs: &[SeenRun], at_least: usize) -> bool {
    runs.last().is_some_and(|r| r.of(VIDEO).len() >= at_least)
}

async fn delivers_h264_from_a_key_frame_at_zero(engine: Engine) {
    let camera = camera(CameraOptions::default()).await;
    let rig = Rig::new(&camera.url(), engine);
    rig.apply().await;
    let runs = rig.worker.until("45 frames", |runs| videos(runs, 45)).await;
    let run = &runs[0];
    let frames = run.of(VIDEO);
    assert_eq!(
        (run.format.video.width, run.format.video.height),
        (320, 180)
    );
    assert_eq!(run.format.video.codec, VideoCodec::H264);
    assert!(run.format.video.codec_string.starts_with("avc1."));
    assert!(run.record && run.quality == Quality::High);
    assert!(frames[0].key && frames[0].dts == 0);
    assert!(ascending(&frames));
    assert_eq!(
        frames.iter().filter(|f| f.key).count(),
        3,
        "a key frame a second"
    );
    // 44 frames after the first, at 15 a second.
    let seconds = frames[44].dts as f64 / 90_000.0;
    assert!((2.6..3.4).contains(&seconds), "{seconds}");
    let status = rig
        .nvr
        .until("stats", |s| {
            s.stats.as_ref().is_some_and(|s| s.frame_rate > 10.0)
        })
        .await;
    assert_eq!(status.state, StreamState::Streaming);
    let expected = if engine == Engine::Native {
        EngineInUse::Native
    } else {
        EngineInUse::Gstreamer
    };
    assert_eq!(status.engine, Some(expected));
    let profile = status.profile.unwrap();
    assert_eq!(profile.video.unwrap().width, 320);
    let stats = status.stats.unwrap();
    assert!((14.0..16.0).contains(&stats.frame_rate), "{stats:?}");
    assert!(stats.kbps > 1.0 && stats.last_frame_at.is_some());
}

async fn delivers_h265(engine: Engine) {
    let camera = camera(CameraOptions::of(Video::H265, Audio::None)).await;
    let rig = Rig::new(&camera.url(), engine);
    rig.apply().await;
    let runs = rig.worker.until("20 frames", |runs| videos(runs, 20)).await;
    assert_eq!(runs[0].format.video.codec, VideoCodec::H265);
    assert!(runs[0].of(VIDEO)[0].key && ascending(&runs[0].of(VIDEO)));
}

/// Both tracks cover the same stretch of time.
async fn in_step(rig: &Rig) -> SeenRun {
    let runs = rig
        .worker
        .until("4 s of video and audio", |runs| {
            runs.last().is_some_and(|r| {
                let long = |track| {
                    r.of(track)
                        .last()
                        .is_some_and(|f| f.dts >= 4 * i64::from(r.format.timescale(track)))
                };
                long(VIDEO) && long(AUDIO)
            })
        })
        .await;
    let run = runs.last().unwrap().clone();
    let track = run.format.audio.clone().unwrap();
    let audio = run.of(AUDIO);
    assert!(ascending(&audio));
    assert!(
        audio
            .iter()
            .all(|f| f.dts >= 0 && f.key && !f.data.is_empty())
    );
    // Without holes: each frame ends where the next begins, give or take the camera's jitter.
    let step = i64::from(track.frame_samples);
    let holes = audio
        .windows(2)
        .filter(|p| (p[1].dts - p[0].dts - step).abs() > step)
        .count();
    assert!(holes <= 1, "{holes} holes");
    let first = audio[0].dts as f64 / f64::from(track.sample_rate);
    assert!(first < 2.0, "audio begins at {first}");
    // What arrived at the same time has the same time: look at neighbours in order of arrival.
    let mut worst = 0.0f64;
    let mut last_video = None;
    for frame in run.frames.iter().skip(run.frames.len() / 2) {
        let seconds = frame.dts as f64 / f64::from(run.format.timescale(frame.track));
        match (frame.track, last_video) {
            (TrackKind::Video, _) => last_video = Some(seconds),
            (TrackKind::Audio, Some(video)) => worst = worst.max((seconds - video).abs()),
            _ => {}
        }
    }
    assert!(worst < 1.0, "out of step by {worst} s");
    run
}

async fn delivers_aac_in_step(engine: Engine) {
    let camera = camera(CameraOptions::of(Video::H264, Audio::Aac)).await;
    let rig = Rig::new(&camera.url(), engine);
    rig.apply().await;
    let run = in_step(&rig).await;
    let track = run.format.audio.clone().unwrap();
    assert_eq!(
        (track.codec, track.sample_rate, track.channels),
        (AudioCodec::Aac, 48_000, 1)
    );
}

async fn converts_g711_to_aac_in_step(engine: Engine) {
    let camera = camera(CameraOptions::of(Video::H264, Audio::Pcmu)).await;
    let rig = Rig::new(&camera.url(), engine);
    rig.apply().await;
    let run = in_step(&rig).await;
    let track = run.format.audio.clone().unwrap();
    assert_eq!(track.codec, AudioCodec::Aac);
    assert_eq!(track.sample_rate, 16_000);
}

async fn a_corrected_password_is_used_at_once(engine: Engine) {
    const PASSWORD: &str = "p@ss:w/rd#%";
    const WRONG: &str = "not-the-p4ssword";
    let camera = camera(CameraOptions {
        auth: Auth::Digest {
            user: "admin".into(),
            password: PASSWORD.into(),
        },
        ..CameraOptions::default()
    })
    .await;
    let mut rig = Rig::new(&camera.url(), engine);
    rig.apply().await;
    let refused = |s: &oriel_api::link::StreamStatus| {
        s.state == StreamState::Failed
            && s.reason
                .as_ref()
                .is_some_and(|r| r.code == ReasonCode::AuthRefused)
    };
    let status = rig.nvr.until("a refusal without password", refused).await;
    assert!(status.retry_at.is_some());
    rig.set_credentials("admin", WRONG);
    rig.apply().await;
    rig.nvr
        .until("connecting again", |s| s.state == StreamState::Connecting)
        .await;
    rig.nvr
        .until("a refusal of the wrong password", refused)
        .await;
    rig.set_credentials("admin", PASSWORD);
    rig.apply().await;
    rig.nvr.until("streaming", streaming).await;
    rig.worker.until("frames", |runs| videos(runs, 5)).await;
    let shown = rig.shown();
    for secret in [PASSWORD, WRONG, "p%40ss"] {
        assert!(!shown.contains(secret), "{secret} was shown");
    }
}

async fn a_frozen_camera_is_noticed_and_comes_back(engine: Engine) {
    let camera = camera(CameraOptions::default()).await;
    let rig = Rig::new(&camera.url(), engine);
    rig.apply().await;
    rig.worker.until("frames", |runs| videos(runs, 20)).await;
    camera.freeze().unwrap();
    let runs = rig
        .worker
        .until("the end of the run", |runs| runs[0].closed.is_some())
        .await;
    assert_eq!(runs[0].closed.as_ref().unwrap().code, ReasonCode::Stalled);
    rig.nvr
        .until("waiting", |s| {
            s.reason
                .as_ref()
                .is_some_and(|r| matches!(r.code, ReasonCode::Stalled | ReasonCode::Timeout))
        })
        .await;
    camera.thaw().unwrap();
    rig.worker
        .until("a second run", |runs| runs.len() >= 2 && videos(runs, 20))
        .await;
    let status = rig.nvr.until("streaming", streaming).await;
    assert!(status.stats.unwrap().reconnects >= 1);
}

async fn a_camera_that_returns_with_another_size_starts_a_new_run(engine: Engine) {
    let mut camera = camera(CameraOptions::default()).await;
    let rig = Rig::new(&camera.url(), engine);
    rig.apply().await;
    rig.worker.until("frames", |runs| videos(runs, 20)).await;
    let camera = blocking(move || {
        let bigger = CameraOptions {
            stream: StreamOptions {
                width: 640,
                height: 360,
                ..StreamOptions::default()
            },
            ..CameraOptions::default()
        };
        camera.restart_with(bigger).map(|()| camera)
    })
    .await;
    let runs = rig
        .worker
        .until("the bigger picture", |runs| {
            videos(runs, 10) && runs.last().is_some_and(|r| r.format.video.width == 640)
        })
        .await;
    assert!(runs.len() >= 2);
    assert!(runs[..runs.len() - 1].iter().all(|r| r.closed.is_some()));
    let last = runs.last().unwrap();
    assert!(last.of(VIDEO)[0].key && last.of(VIDEO)[0].dts == 0);
    assert!(last.anchor > runs[0].anchor);
    drop(camera);
}

async fn a_camera_that_is_not_there_is_said_to_be_so(engine: Engine) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let rig = Rig::new(&format!("rtsp://127.0.0.1:{port}/x"), engine);
    rig.apply().await;
    let status = rig
        .nvr
        .until("waiting", |s| s.state == StreamState::Waiting)
        .await;
    assert_eq!(status.reason.unwrap().code, ReasonCode::Unreachable);
    assert!(status.retry_at.is_some());
    assert!(rig.worker.runs().is_empty());
}

async fn stopping_ends_the_run(engine: Engine) {
    let camera = camera(CameraOptions::default()).await;
    let rig = Rig::new(&camera.url(), engine);
    rig.apply().await;
    rig.worker.until("frames", |runs| videos(runs, 5)).await;
    rig.agent.remove(&rig.setup.id).await.unwrap();
    let closed = rig.worker.runs()[0].closed.clone().unwrap();
    assert_eq!(closed.code, ReasonCode::Off);
    assert!(rig.agent.status(&rig.setup.id, Quality::High).is_none());
    rig.apply().await;
    rig.worker
        .until("a second run", |runs| runs.len() == 2 && videos(runs, 5))
        .await;
    rig.cancel.cancel();
    tokio::time::timeout(support::DEADLINE, rig.agent.stopped())
        .await
        .unwrap();
    assert_eq!(
        rig.worker.runs()[1].closed.clone().unwrap().code,
        ReasonCode::NotRunning
    );
}

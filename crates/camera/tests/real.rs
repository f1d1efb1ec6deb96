//! Sessions and probes with real cameras in processes of their own.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::time::Duration;

use oriel_api::{
    AudioMode, Credentials, EngineInUse, ProbeReport, ReasonCode, Secret, WarningCode,
};
use oriel_camera::{
    Address, CameraError, Deadlines, RtspSession, RtspTarget, SourceAudio, connect, probe,
};
use oriel_media::TrackKind;
use oriel_testkit::{Audio, AudioBehaviour, Auth, CameraOptions, StreamOptions, TestCamera, Video};

async fn camera(options: CameraOptions) -> TestCamera {
    tokio::task::spawn_blocking(|| TestCamera::start(options).unwrap())
        .await
        .unwrap()
}

fn address(camera: &TestCamera) -> Address {
    Address::parse(&camera.url()).unwrap()
}

async fn session(camera: &TestCamera) -> Result<RtspSession, CameraError> {
    let target = RtspTarget {
        address: address(camera),
        credentials: None,
        audio: AudioMode::Auto,
        user_agent: "Oriel".into(),
    };
    connect(target, Deadlines::default()).await
}

fn codes(report: &ProbeReport) -> Vec<WarningCode> {
    report.warnings.iter().map(|w| w.code).collect()
}

#[tokio::test]
async fn a_probe_says_what_is_there() {
    let camera = camera(CameraOptions {
        auth: Auth::Digest {
            user: "admin".into(),
            password: "p@ss:w/rd#%".into(),
        },
        ..CameraOptions::of(Video::H264, Audio::Aac)
    })
    .await;
    let credentials = |password: &str| {
        Some(Credentials {
            username: "admin".into(),
            password: Secret::new(password),
        })
    };
    let report = probe(address(&camera), credentials("p@ss:w/rd#%"), "Oriel")
        .await
        .unwrap();
    assert_eq!((report.video.width, report.video.height), (320, 180));
    assert_eq!(report.video.codec, "h264");
    assert!(
        report
            .video
            .frame_rate
            .is_some_and(|r| (12.0..18.0).contains(&r)),
        "{report:?}"
    );
    assert!(report.kbps > 1.0 && report.key_interval.is_some_and(|k| (0.9..1.1).contains(&k)));
    let audio = report.audio.clone().unwrap();
    assert_eq!((audio.codec.as_str(), audio.sample_rate), ("aac", 48_000));
    assert_eq!(report.engine, EngineInUse::Native);
    assert_eq!(codes(&report), []);
    assert!(!format!("{report:?}").contains("p@ss"));

    let wrong = probe(address(&camera), credentials("wrong"), "Oriel")
        .await
        .unwrap_err();
    assert_eq!(wrong, CameraError::PasswordWrong);
    let none = probe(address(&camera), None, "Oriel").await.unwrap_err();
    assert_eq!(none, CameraError::PasswordMissing);
    assert_eq!(none.code(), ReasonCode::AuthRefused);
}

#[tokio::test]
async fn a_probe_warns() {
    let g711 = camera(CameraOptions {
        auth: Auth::Basic {
            user: "u".into(),
            password: "p".into(),
        },
        ..CameraOptions::of(Video::H265, Audio::Pcma)
    })
    .await;
    let credentials = Credentials {
        username: "u".into(),
        password: Secret::new("p"),
    };
    let report = probe(address(&g711), Some(credentials), "Oriel")
        .await
        .unwrap();
    let found = codes(&report);
    for code in [
        WarningCode::H265,
        WarningCode::AudioConverted,
        WarningCode::BasicAuth,
    ] {
        assert!(found.contains(&code), "{code:?} missing in {report:?}");
    }
    let opus = camera(CameraOptions {
        stream: StreamOptions {
            gop: 150,
            audio: Audio::Opus,
            ..StreamOptions::default()
        },
        ..CameraOptions::default()
    })
    .await;
    let report = probe(address(&opus), None, "Oriel").await.unwrap();
    assert_eq!(
        codes(&report),
        [WarningCode::LongGop, WarningCode::AudioLeftOut]
    );
    assert_eq!(report.audio.unwrap().codec, "opus");
}

#[tokio::test]
async fn what_cannot_be_received_is_said() {
    let mjpeg = camera(CameraOptions::of(Video::Mjpeg, Audio::None)).await;
    let error = session(&mjpeg).await.err().unwrap();
    assert_eq!(error, CameraError::UnsupportedCodec("jpeg".into()));
    assert!(error.needs_gstreamer());
    let no_video = camera(CameraOptions::of(Video::None, Audio::Pcmu)).await;
    assert_eq!(
        session(&no_video).await.err().unwrap(),
        CameraError::NoVideo
    );
    let elsewhere = Address::parse(&no_video.url_of("elsewhere")).unwrap();
    assert_eq!(
        probe(elsewhere, None, "Oriel").await.unwrap_err(),
        CameraError::NoSuchStream
    );
}

#[tokio::test]
async fn b_frames_are_noticed() {
    let camera = camera(CameraOptions {
        stream: StreamOptions {
            bframes: true,
            ..StreamOptions::default()
        },
        ..CameraOptions::default()
    })
    .await;
    let outcome = tokio::time::timeout(Duration::from_secs(60), async {
        let mut session = session(&camera).await?;
        loop {
            session.next().await?;
        }
    });
    let error: Result<(), CameraError> = outcome.await.unwrap();
    assert_eq!(error, Err(CameraError::BFrames));
}

#[tokio::test]
async fn audio_that_is_late_or_stops_or_never_comes_does_not_hold_video() {
    for behaviour in [
        AudioBehaviour::Late(3000),
        AudioBehaviour::StopsAfter(1000),
        AudioBehaviour::Silent,
    ] {
        let camera = camera(CameraOptions {
            stream: StreamOptions {
                audio: Audio::Pcmu,
                audio_behaviour: behaviour,
                ..StreamOptions::default()
            },
            ..CameraOptions::default()
        })
        .await;
        let mut session = session(&camera).await.unwrap();
        assert!(matches!(
            session.audio(),
            SourceAudio::Convert { codec: "pcmu", .. }
        ));
        let (mut last, mut audio) = (0, 0);
        while last < 90_000 * 5 {
            let received = tokio::time::timeout(Duration::from_secs(20), session.next())
                .await
                .unwrap()
                .unwrap();
            match received.frame.track {
                TrackKind::Video => {
                    let step = received.frame.dts - last;
                    assert!(step < 45_000, "{behaviour:?}: a hole of {step} ticks");
                    last = received.frame.dts;
                }
                TrackKind::Audio => {
                    audio += 1;
                    // Late audio begins late, not at 0.
                    if let AudioBehaviour::Late(_) = behaviour {
                        assert!(received.frame.dts > 8_000, "{}", received.frame.dts);
                    }
                }
            }
        }
        assert_eq!(
            audio == 0,
            behaviour == AudioBehaviour::Silent,
            "{behaviour:?}"
        );
    }
}

//! Servers that are reachable and wrong: each has its own error, in time, and none panics.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::time::{Duration, Instant};

use oriel_api::{AudioMode, Credentials, ReasonCode, Secret};
use oriel_camera::{Address, CameraError, Deadlines, RtspTarget, connect, probe};
use oriel_testkit::broken;

const SECRET: &str = "p@ss:w/rd#%";

fn target(url: &str) -> RtspTarget {
    RtspTarget {
        address: Address::parse(url).unwrap(),
        credentials: Some(Credentials {
            username: "admin".into(),
            password: Secret::new(SECRET),
        }),
        audio: AudioMode::Auto,
        user_agent: "Oriel".into(),
    }
}

/// The error of the first connection, or of its frames.
async fn fault(url: &str) -> CameraError {
    let deadlines = Deadlines {
        connect: Duration::from_secs(2),
        request: Duration::from_secs(2),
        first_frame: Duration::from_secs(3),
    };
    let outcome = tokio::time::timeout(Duration::from_secs(60), async {
        let mut session = match connect(target(url), deadlines).await {
            Ok(session) => session,
            Err(error) => return error,
        };
        loop {
            if let Err(error) = session.next().await {
                return error;
            }
        }
    });
    let error = outcome.await.unwrap();
    let shown = format!("{error:?} {error} {:?}", error.reason());
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.len() < 1000, "{shown}");
    error
}

#[tokio::test]
async fn each_has_its_own_reason() {
    let silent = broken::accepts_and_says_nothing().await.unwrap();
    assert!(matches!(
        fault(&silent.url()).await,
        CameraError::Timeout { .. }
    ));
    let web = broken::answers_http().await.unwrap();
    assert!(matches!(fault(&web.url()).await, CameraError::NotRtsp(_)));
    let no_video = broken::sdp_without_video().await.unwrap();
    assert_eq!(fault(&no_video.url()).await, CameraError::NoVideo);
    let huge = broken::sdp_10_mib().await.unwrap();
    assert!(matches!(
        fault(&huge.url()).await,
        CameraError::Malformed(_)
    ));
    let closing = broken::closes_at_once().await.unwrap();
    assert!(matches!(
        fault(&closing.url()).await,
        CameraError::NotRtsp(_)
    ));
    let garbage = broken::garbage_after_describe().await.unwrap();
    assert!(matches!(
        fault(&garbage.url()).await,
        CameraError::Malformed(_)
    ));
    let garbage = broken::garbage_rtp().await.unwrap();
    assert!(matches!(
        fault(&garbage.url()).await,
        CameraError::Malformed(_) | CameraError::Stalled { .. }
    ));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtsp://{}/stream", other.local_addr().unwrap());
    let redirecting = broken::redirects_to(&url).await.unwrap();
    assert_eq!(fault(&redirecting.url()).await, CameraError::Redirected);
    let visited = tokio::time::timeout(Duration::from_millis(200), other.accept()).await;
    assert!(visited.is_err(), "the other address was visited");
}

#[tokio::test]
async fn nothing_there_and_no_such_name() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/x", free.local_addr().unwrap());
    drop(free);
    assert!(matches!(fault(&url).await, CameraError::Unreachable { .. }));
    let unknown = fault("rtsp://no-such-camera.invalid/x").await;
    // Without a name server the lookup may also be late.
    assert!(
        matches!(
            unknown,
            CameraError::UnknownHost(_) | CameraError::Timeout { .. }
        ),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_probe_ends_in_time() {
    let silent = broken::accepts_and_says_nothing().await.unwrap();
    let started = Instant::now();
    let address = Address::parse(&silent.url()).unwrap();
    let error = probe(address, None, "Oriel").await.unwrap_err();
    assert_eq!(error.code(), ReasonCode::Timeout);
    assert!(started.elapsed() < Duration::from_secs(15));
}

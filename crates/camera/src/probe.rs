//! Looking at an address: what is there, and what a person should know about it.

use std::time::{Duration, Instant};

use oriel_api::{AudioMode, Credentials, EngineInUse, ProbeReport};
use oriel_media::TrackKind;
use tokio::time::timeout;

use crate::{Address, CameraError, Deadlines, Measure, Observed, RtspTarget, connect};

/// Frames are watched for so long, or until three key frames came.
const WATCH: Duration = Duration::from_secs(5);
/// The whole look ends after this.
const LIMIT: Duration = Duration::from_secs(14);

/// Plays a stream for a few seconds and reports on it. Ends within 15 s.
pub async fn probe(
    address: Address,
    credentials: Option<Credentials>,
    user_agent: &str,
) -> Result<ProbeReport, CameraError> {
    let place = address.place();
    timeout(LIMIT, look(address, credentials, user_agent))
        .await
        .unwrap_or(Err(CameraError::Timeout {
            place,
            step: "looking at the stream",
            seconds: LIMIT.as_secs(),
        }))
}

async fn look(
    address: Address,
    credentials: Option<Credentials>,
    user_agent: &str,
) -> Result<ProbeReport, CameraError> {
    let url = address.url().to_string();
    let started = Instant::now();
    let target = RtspTarget {
        address,
        credentials,
        audio: AudioMode::Auto,
        user_agent: user_agent.to_owned(),
    };
    let deadlines = Deadlines {
        connect: Duration::from_secs(4),
        ..Deadlines::default()
    };
    let mut session = connect(target, deadlines).await?;
    let first_frame_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);

    let mut measure = Measure::default();
    let mut keys = 0;
    let mut last = 0;
    let watching = tokio::time::Instant::now() + WATCH;
    while keys < 3 {
        let received = match tokio::time::timeout_at(watching, session.next()).await {
            Err(_) | Ok(Err(CameraError::FormatChanged)) => break,
            Ok(received) => received?,
        };
        measure.frame(&received.frame, received.at);
        if received.frame.track == TrackKind::Video {
            keys += u32::from(received.frame.key);
            last = received.frame.dts;
        }
    }
    let seen = Observed {
        since_key: measure.since_key(last),
        ..session.observed(&measure)
    };
    Ok(ProbeReport {
        url,
        server: session.server().map(str::to_owned),
        video: seen.video_info(),
        audio: seen.audio_info(),
        kbps: measure.kbps(),
        key_interval: measure.key_interval(),
        first_frame_ms,
        engine: EngineInUse::Native,
        warnings: seen.warnings(),
    })
}

//! Looking at an address: the native engine first, GStreamer for what it cannot do.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{
    AudioMode, Credentials, EngineInUse, Error, ErrorCode, ProbeReport, Reason, ReasonCode,
};
use oriel_camera::{Address, Measure, Observed, probe, split_credentials};
use oriel_child::Program;
use oriel_media::TrackKind;
use tokio::time::{Instant as TokioInstant, timeout_at};

use crate::{RunError, pull::Pull};

/// The whole look, with both engines, ends after this.
const LIMIT: Duration = Duration::from_millis(14_500);
/// Frames are watched for so long, or until three key frames came.
const WATCH: Duration = Duration::from_secs(5);

/// What is at an address. Credentials in the address are used when none are given beside it.
/// Takes 15 s at most. For commands that look without an agent; an agent has its own way.
pub async fn look(
    url: &str,
    credentials: Option<Credentials>,
    program: &Arc<Program>,
    user_agent: &str,
) -> Result<ProbeReport, Error> {
    let (clean, inside) = split_credentials(url);
    let address = Address::parse(&clean).map_err(|e| Error::invalid(e.to_string()))?;
    let credentials = credentials.or(inside);
    let deadline = TokioInstant::now() + LIMIT;
    if address.is_plain_rtsp() {
        match probe(address.clone(), credentials.clone(), user_agent).await {
            Ok(report) if !wants_gstreamer(&report, program) => return Ok(report),
            // Still the better answer when the other engine has none.
            Ok(report) => {
                let other = by_gstreamer(&address, credentials, program, deadline).await;
                return Ok(other.unwrap_or(report));
            }
            Err(error) if error.needs_gstreamer() && program.path().is_ok() => {
                tracing::debug!(%error, "looking again with GStreamer");
            }
            Err(error) => return Err(unreachable(error.reason())),
        }
    }
    by_gstreamer(&address, credentials, program, deadline)
        .await
        .map_err(|e| unreachable(e.reason))
}

/// Audio that only the other engine can record.
fn wants_gstreamer(report: &ProbeReport, program: &Program) -> bool {
    report
        .audio
        .as_ref()
        .is_some_and(|a| matches!(a.codec.as_str(), "opus" | "mp4a-latm" | "mpa"))
        && program.path().is_ok()
}

pub(crate) fn unreachable(reason: Reason) -> Error {
    let detail = serde_json::json!({ "reason": reason.code });
    Error::new(ErrorCode::CameraUnreachable, reason.message).with_detail(detail)
}

async fn by_gstreamer(
    address: &Address,
    credentials: Option<Credentials>,
    program: &Program,
    deadline: TokioInstant,
) -> Result<ProbeReport, RunError> {
    let started = Instant::now();
    let late = || {
        RunError::new(
            ReasonCode::Timeout,
            format!(
                "No picture came within {} s. Check the address.",
                LIMIT.as_secs()
            ),
        )
    };
    let start = Pull::start(program, address, credentials, AudioMode::Auto);
    let mut pull = timeout_at(deadline, start).await.map_err(|_| late())??;
    let first_frame_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut measure = Measure::default();
    let (mut keys, mut last) = (0, 0);
    let until = deadline.min(TokioInstant::now() + WATCH);
    while keys < 3 {
        let received = match timeout_at(until, pull.next()).await {
            Err(_) => break,
            Ok(received) => received?,
        };
        measure.frame(&received.frame, received.at);
        if received.frame.track == TrackKind::Video {
            keys += u32::from(received.frame.key);
            last = received.frame.dts;
        }
    }
    let report = {
        let seen = Observed {
            video: &pull.format().video,
            audio: pull.audio(),
            measure: &measure,
            since_key: measure.since_key(last),
            basic_auth: false,
            bad_timestamps: false,
            b_frames: pull.b_frames,
        };
        ProbeReport {
            url: address.url().to_string(),
            server: None,
            video: seen.video_info(),
            audio: seen.audio_info(),
            kbps: measure.kbps(),
            key_interval: measure.key_interval(),
            first_frame_ms,
            engine: EngineInUse::Gstreamer,
            warnings: seen.warnings(),
        }
    };
    // Killed at the end of its time; nobody waits for it.
    drop(pull);
    Ok(report)
}

//! One connection to a camera, by either engine.

use std::{sync::Arc, time::Duration};

use oriel_api::{AudioMode, Credentials, Engine, EngineInUse, ReasonCode, Warning, WarningCode};
use oriel_camera::{
    Address, Deadlines, Measure, Observed, Received, RtspSession, RtspTarget, SourceAudio, connect,
};
use oriel_child::Program;
use oriel_media::{Format, TrackKind};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::{
    RunError,
    convert::{Conversion, Input},
    pull::Pull,
};

/// The GStreamer engine must have a key frame by then.
const PULL_DEADLINE: Duration = Duration::from_secs(20);

/// What to open and how.
pub(crate) struct Opening<'a> {
    pub address: &'a Address,
    pub credentials: Option<Credentials>,
    pub audio: AudioMode,
    pub engine: Engine,
    /// The native engine was seen to fail at this camera.
    pub needs_gstreamer: bool,
    pub user_agent: &'a str,
    pub program: &'a Arc<Program>,
    pub tracker: &'a TaskTracker,
}

/// A connection that delivers.
pub(crate) enum Source {
    /// Safe Rust in this process.
    Native(Box<Native>),
    /// A child program.
    Child(Box<Pull>),
}

pub(crate) struct Native {
    session: RtspSession,
    format: Arc<Format>,
    conversion: Option<Conversion>,
    /// Why audio is left out although it could be converted.
    no_converter: bool,
}

impl Source {
    /// Connects and waits for the first key frame.
    pub(crate) async fn open(opening: Opening<'_>) -> Result<Self, RunError> {
        let native = match opening.engine {
            Engine::Native => true,
            Engine::Gstreamer => false,
            Engine::Auto => opening.address.is_plain_rtsp() && !opening.needs_gstreamer,
        };
        if native {
            Native::open(&opening)
                .await
                .map(|n| Self::Native(Box::new(n)))
        } else {
            let pull = Pull::start(
                opening.program,
                opening.address,
                opening.credentials,
                opening.audio,
            );
            match timeout(PULL_DEADLINE, pull).await {
                Ok(pull) => pull.map(|p| Self::Child(Box::new(p))),
                Err(_) => Err(RunError::new(
                    ReasonCode::Timeout,
                    format!("No picture came within {} s.", PULL_DEADLINE.as_secs()),
                )),
            }
        }
    }

    pub(crate) fn engine(&self) -> EngineInUse {
        match self {
            Self::Native(_) => EngineInUse::Native,
            Self::Child(_) => EngineInUse::Gstreamer,
        }
    }

    pub(crate) fn format(&self) -> &Arc<Format> {
        match self {
            Self::Native(native) => &native.format,
            Self::Child(pull) => pull.format(),
        }
    }

    /// The next frame, audio as announced. Safe to drop between polls.
    pub(crate) async fn next(&mut self) -> Result<Received, RunError> {
        match self {
            Self::Native(native) => native.next().await,
            Self::Child(pull) => pull.next().await,
        }
    }

    /// Ends the connection in order, within about 2 s.
    pub(crate) async fn stop(self) {
        if let Self::Child(mut pull) = self {
            pull.stop().await;
        }
    }

    /// Frames lost between the camera and the run.
    pub(crate) fn dropped(&self) -> u64 {
        match self {
            Self::Native(native) => native.conversion.as_ref().map_or(0, Conversion::dropped),
            Self::Child(_) => 0,
        }
    }

    pub(crate) fn observed<'a>(&'a self, measure: &'a Measure, now: i64) -> Observed<'a> {
        let seen = match self {
            Self::Native(native) => native.session.observed(measure),
            Self::Child(pull) => Observed {
                video: &pull.format().video,
                audio: pull.audio(),
                measure,
                since_key: 0.0,
                basic_auth: false,
                bad_timestamps: false,
                b_frames: pull.b_frames,
            },
        };
        Observed {
            since_key: measure.since_key(now),
            ..seen
        }
    }

    /// Everything a person should know about the stream now.
    pub(crate) fn warnings(&self, measure: &Measure, now: i64) -> Vec<Warning> {
        let mut warnings = self.observed(measure, now).warnings();
        let left_out = |message| Warning {
            code: WarningCode::AudioLeftOut,
            message,
        };
        match self {
            Self::Native(native) => {
                let trouble = match &native.conversion {
                    Some(conversion) => conversion.trouble(),
                    None if native.no_converter => Some(
                        "The audio needs converting, and oriel-gst was not found. Install \
                         GStreamer to record it."
                            .to_owned(),
                    ),
                    None => None,
                };
                if let Some(message) = trouble {
                    warnings.retain(|w| {
                        !matches!(w.code, WarningCode::AudioConverted | WarningCode::Mp3)
                    });
                    warnings.push(left_out(message));
                }
            }
            Self::Child(pull) => {
                if let (
                    SourceAudio::LeftOut {
                        as_it_is: false, ..
                    },
                    Some(message),
                ) = (pull.audio(), pull.warning())
                {
                    warnings.retain(|w| w.code != WarningCode::AudioLeftOut);
                    warnings.push(left_out(message));
                }
            }
        }
        warnings
    }
}

impl Native {
    async fn open(opening: &Opening<'_>) -> Result<Self, RunError> {
        let target = RtspTarget {
            address: opening.address.clone(),
            credentials: opening.credentials.clone(),
            audio: opening.audio,
            user_agent: opening.user_agent.to_owned(),
        };
        let session = connect(target, Deadlines::default()).await?;
        let (mut conversion, mut no_converter) = (None, false);
        let audio = match session.audio() {
            SourceAudio::Ready(track) => Some(track.clone()),
            SourceAudio::Convert {
                codec,
                config,
                sample_rate,
                channels,
                to,
            } => {
                let input = Input {
                    codec,
                    config: config.clone(),
                    sample_rate: *sample_rate,
                    channels: *channels,
                    to: *to,
                };
                no_converter = opening.program.path().is_err();
                let started = (!no_converter)
                    .then(|| Conversion::start(opening.program.clone(), &input, opening.tracker));
                started.map(|(c, track)| {
                    conversion = Some(c);
                    track
                })
            }
            // The other engine can take what this one cannot.
            SourceAudio::LeftOut { codec, .. }
                if opening.engine == Engine::Auto
                    && matches!(codec.as_str(), "opus" | "mp4a-latm" | "mpa")
                    && opening.program.path().is_ok() =>
            {
                return Err(RunError {
                    needs_gstreamer: true,
                    ..RunError::new(
                        ReasonCode::UnsupportedCodec,
                        format!("The audio ({codec}) needs GStreamer."),
                    )
                });
            }
            SourceAudio::None | SourceAudio::LeftOut { .. } => None,
        };
        let format = Arc::new(Format {
            video: session.video().clone(),
            audio,
        });
        Ok(Self {
            session,
            format,
            conversion,
            no_converter,
        })
    }

    async fn next(&mut self) -> Result<Received, RunError> {
        loop {
            let received = match &mut self.conversion {
                None => self.session.next().await?,
                Some(conversion) => tokio::select! {
                    received = self.session.next() => received?,
                    frame = conversion.next() => {
                        return Ok(Received { frame, at: std::time::Instant::now() });
                    }
                },
            };
            if received.frame.track == TrackKind::Video {
                return Ok(received);
            }
            match (self.session.audio(), &mut self.conversion) {
                (SourceAudio::Ready(_), _) => return Ok(received),
                (_, Some(conversion)) => conversion.offer(received.frame),
                (_, None) => {}
            }
        }
    }
}

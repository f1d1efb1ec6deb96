//! One RTSP connection over TCP, from dialling to the last frame.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use oriel_api::{AudioMode, Credentials};
use oriel_media::{Frame, TrackKind, VideoCodec, VideoTrack, format::VIDEO_TIMESCALE};
use retina::{
    client::{
        Demuxed, InitialTimestampPolicy, PlayOptions, Session, SessionIdPolicy, SessionOptions,
        SetupOptions, UnassignedChannelDataPolicy,
    },
    codec::{AudioFrame, CodecItem, FrameFormat, ParametersRef, VideoFrame},
};
use tokio::time::timeout;
use tracing::debug;

use crate::{
    Address, CameraError, Measure, Observed, SourceAudio, Timeline, TimingFault,
    knock::{self, Door},
    refusal::from_retina,
    tracks::{Choice, choose, is_key, video_track},
};

/// The largest access unit taken.
const LARGEST_FRAME: usize = 16 << 20;
/// Key frames farther apart than this cannot be started from.
const KEY_FRAME_WAIT: Duration = Duration::from_secs(30);
/// Audio and video start this close by the camera's own account, or arrival decides.
const TRUSTED_OFFSET: f64 = 1.0;

/// "Service Unavailable": what asks again is often served.
const BUSY: u16 = 503;
/// Before asking again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Name lookup and TCP connection, each.
    pub connect: Duration,
    /// Each request.
    pub request: Duration,
    /// From PLAY to the first frame.
    pub first_frame: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(5),
            first_frame: Duration::from_secs(10),
        }
    }
}

/// What to connect to.
#[derive(Clone, Debug)]
pub struct RtspTarget {
    /// Address; must be plain RTSP.
    pub address: Address,
    /// User and password, if the camera asks.
    pub credentials: Option<Credentials>,
    /// Whether audio is wanted.
    pub audio: AudioMode,
    /// Sent to the camera.
    pub user_agent: String,
}

/// A frame and when its first byte arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// The frame. Times count from the first key frame; audio that needs converting is as the
    /// camera sent it, in ticks of its RTP clock.
    pub frame: Frame,
    /// Arrival.
    pub at: Instant,
}

/// A connection that plays. Dropping it ends the session at the camera.
pub struct RtspSession {
    demuxed: Demuxed,
    place: String,
    choice: Choice,
    video: VideoTrack,
    video_times: Timeline,
    audio_times: Option<Timeline>,
    zero: Zero,
    first: Option<Received>,
    door: Door,
}

/// The moment both tracks count from: the first key frame.
#[derive(Clone, Copy, Debug)]
struct Zero {
    npt_seconds: f64,
    at: Instant,
}

/// Connects and waits for the first key frame.
pub async fn connect(target: RtspTarget, deadlines: Deadlines) -> Result<RtspSession, CameraError> {
    // retina asserts in places about what a camera says; a hostile one must not end our task.
    AssertUnwindSafe(connect_inner(target, deadlines))
        .catch_unwind()
        .await
        .unwrap_or(Err(CameraError::Malformed("it broke the RTSP reader")))
}

async fn connect_inner(
    target: RtspTarget,
    deadlines: Deadlines,
) -> Result<RtspSession, CameraError> {
    if !target.address.is_plain_rtsp() {
        return Err(CameraError::UnsupportedTransport(
            target.address.scheme().to_owned(),
        ));
    }
    let mut door = match at_the_door(&target, &deadlines).await {
        Err(CameraError::Refused(BUSY)) => {
            tokio::time::sleep(PAUSE).await;
            at_the_door(&target, &deadlines).await?
        }
        door => door?,
    };
    let outcome = match enter(&target, &deadlines).await {
        // Some cameras take one connection at a time.
        Err(CameraError::Refused(_) | CameraError::Ended | CameraError::Unreachable { .. }) => {
            door.held = None;
            tokio::time::sleep(PAUSE).await;
            enter(&target, &deadlines).await
        }
        outcome => outcome,
    };
    door.held = None;
    outcome.map(|session| RtspSession { door, ..session })
}

async fn at_the_door(target: &RtspTarget, deadlines: &Deadlines) -> Result<Door, CameraError> {
    knock::knock(
        &target.address,
        target.credentials.as_ref(),
        &target.user_agent,
        deadlines,
    )
    .await
}

async fn enter(target: &RtspTarget, deadlines: &Deadlines) -> Result<RtspSession, CameraError> {
    let RtspTarget {
        address,
        credentials,
        audio,
        user_agent,
    } = target;
    let place = address.place();
    let step = |step: &'static str| Step {
        place: &place,
        step,
        deadline: deadlines.request,
    };

    let options = SessionOptions::default()
        .creds(credentials.as_ref().map(|c| retina::client::Credentials {
            username: c.username.clone(),
            password: c.password.expose().to_owned(),
        }))
        .user_agent(user_agent.clone())
        .session_id(SessionIdPolicy::UseFirst)
        .unassigned_channel_data(UnassignedChannelDataPolicy::Ignore);
    let mut session = step("DESCRIBE")
        .run(Session::describe(address.url().clone(), options))
        .await?;
    let choice = choose(session.streams(), *audio)?;
    for i in [Some(choice.video), choice.audio].into_iter().flatten() {
        let setup = SetupOptions::default().frame_format(FrameFormat::MP4);
        step("SETUP").run(session.setup(i, setup)).await?;
    }
    let play = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
    let playing = step("PLAY").run(session.play(play)).await?;
    let mut demuxed = playing.demuxed().map_err(|e| from_retina(&e, &place))?;

    let (video, key) = first_key_frame(&mut demuxed, &choice, &place, deadlines).await?;
    let at = arrived(&key);
    let stamp = key.timestamp();
    let mut video_times = Timeline::new(VIDEO_TIMESCALE, stamp.elapsed());
    let dts = video_times.place(stamp.elapsed(), at).unwrap_or_default();
    let zero = Zero {
        npt_seconds: stamp.elapsed_secs(),
        at,
    };
    let first = Some(Received {
        frame: video_frame(video.codec, key, dts)?,
        at,
    });
    Ok(RtspSession {
        demuxed,
        place,
        choice,
        video,
        video_times,
        audio_times: None,
        zero,
        first,
        door: Door::default(),
    })
}

struct Step<'a> {
    place: &'a str,
    step: &'static str,
    deadline: Duration,
}

impl Step<'_> {
    async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, retina::Error>>,
    ) -> Result<T, CameraError> {
        match timeout(self.deadline, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                debug!(step = self.step, "refused");
                Err(from_retina(&error, self.place))
            }
            Err(_) => Err(CameraError::Timeout {
                place: self.place.to_owned(),
                step: self.step,
                seconds: self.deadline.as_secs(),
            }),
        }
    }
}

/// The first key frame whose codec configuration is known.
async fn first_key_frame(
    demuxed: &mut Demuxed,
    choice: &Choice,
    place: &str,
    deadlines: &Deadlines,
) -> Result<(VideoTrack, VideoFrame), CameraError> {
    let played = tokio::time::Instant::now();
    let mut deadline = played + deadlines.first_frame;
    let mut any = false;
    loop {
        let item = tokio::time::timeout_at(deadline, demuxed.next())
            .await
            .map_err(|_| CameraError::Stalled {
                what: if any { "no key frame" } else { "no video" },
                seconds: deadline.duration_since(played).as_secs(),
            })?;
        let frame = match item {
            None => return Err(CameraError::Ended),
            Some(Err(error)) => return Err(from_retina(&error, place)),
            Some(Ok(CodecItem::VideoFrame(frame))) => frame,
            Some(Ok(_)) => continue,
        };
        if !any {
            any = true;
            deadline = played + KEY_FRAME_WAIT.max(deadlines.first_frame);
        }
        if !frame.data().is_empty()
            && let Some(track) = current_track(demuxed, choice.video)?
            && is_key(track.codec, frame.is_random_access_point(), frame.data())
        {
            return Ok((track, frame));
        }
    }
}

fn current_track(demuxed: &Demuxed, stream: usize) -> Result<Option<VideoTrack>, CameraError> {
    match demuxed.streams()[stream].parameters() {
        Some(ParametersRef::Video(p)) => video_track(p).map(Some),
        _ => Ok(None),
    }
}

fn arrived(frame: &VideoFrame) -> Instant {
    frame.start_ctx().received()
}

fn video_frame(codec: VideoCodec, frame: VideoFrame, dts: i64) -> Result<Frame, CameraError> {
    if frame.data().len() > LARGEST_FRAME {
        return Err(CameraError::Malformed("a frame is larger than 16 MB"));
    }
    Ok(Frame {
        track: TrackKind::Video,
        key: is_key(codec, frame.is_random_access_point(), frame.data()),
        dts,
        cts_offset: 0,
        duration: 0,
        data: Bytes::from(frame.into_data()),
    })
}

impl RtspSession {
    /// The video.
    pub fn video(&self) -> &VideoTrack {
        &self.video
    }

    /// The audio.
    pub fn audio(&self) -> &SourceAudio {
        &self.choice.source_audio
    }

    /// The stream as seen by this session.
    pub fn observed<'a>(&'a self, measure: &'a Measure) -> Observed<'a> {
        Observed {
            video: &self.video,
            audio: &self.choice.source_audio,
            measure,
            since_key: 0.0,
            basic_auth: self.door.basic,
            bad_timestamps: self.video_times.is_bad(),
            b_frames: false,
        }
    }

    /// What the device calls itself, if it says.
    pub fn server(&self) -> Option<&str> {
        self.door.server.as_deref()
    }

    /// The next frame; the first is a video key frame at time 0. Waits as long as it takes: the
    /// watchdog is the caller's. Safe to drop between polls.
    pub async fn next(&mut self) -> Result<Received, CameraError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        loop {
            let item = AssertUnwindSafe(self.demuxed.next())
                .catch_unwind()
                .await
                .map_err(|_| CameraError::Malformed("it broke the RTSP reader"))?;
            let done = match item {
                None => return Err(CameraError::Ended),
                Some(Err(error)) => return Err(from_retina(&error, &self.place)),
                Some(Ok(CodecItem::VideoFrame(frame))) => self.on_video(frame)?,
                Some(Ok(CodecItem::AudioFrame(frame))) => self.on_audio(&frame),
                Some(Ok(_)) => None,
            };
            if let Some(received) = done {
                return Ok(received);
            }
        }
    }

    fn on_video(&mut self, frame: VideoFrame) -> Result<Option<Received>, CameraError> {
        if frame.has_new_parameters()
            && current_track(&self.demuxed, self.choice.video)?.as_ref() != Some(&self.video)
        {
            return Err(CameraError::FormatChanged);
        }
        if frame.data().is_empty() {
            return Ok(None);
        }
        let at = arrived(&frame);
        let dts = self
            .video_times
            .place(frame.timestamp().elapsed(), at)
            .map_err(|fault| match fault {
                TimingFault::Reordered => CameraError::BFrames,
                TimingFault::Erratic => CameraError::Malformed("its times jump again and again"),
            })?;
        let frame = video_frame(self.video.codec, frame, dts)?;
        Ok(Some(Received { frame, at }))
    }

    /// Audio never ends a run: what cannot be placed is left out.
    fn on_audio(&mut self, frame: &AudioFrame) -> Option<Received> {
        let at = frame.ctx().received();
        let stamp = frame.timestamp();
        let rate = stamp.clock_rate().get();
        let times = self.audio_times.get_or_insert_with(|| {
            // By the camera's account, and by arrival.
            let told = stamp.elapsed_secs() - self.zero.npt_seconds;
            let seen = signed_seconds(at, self.zero.at);
            let start = if (told - seen).abs() <= TRUSTED_OFFSET {
                told
            } else {
                seen
            };
            let start_ticks = (start * f64::from(rate)) as i64;
            Timeline::new(rate, stamp.elapsed().saturating_sub(start_ticks))
        });
        let dts = times.place(stamp.elapsed(), at).ok()?;
        if dts < 0 || frame.data().is_empty() || frame.data().len() > LARGEST_FRAME {
            return None;
        }
        let frame = Frame {
            track: TrackKind::Audio,
            key: true,
            dts,
            cts_offset: 0,
            duration: frame.frame_length().get(),
            data: Bytes::copy_from_slice(frame.data()),
        };
        Some(Received { frame, at })
    }
}

fn signed_seconds(later: Instant, earlier: Instant) -> f64 {
    match later.checked_duration_since(earlier) {
        Some(d) => d.as_secs_f64(),
        None => -earlier.duration_since(later).as_secs_f64(),
    }
}

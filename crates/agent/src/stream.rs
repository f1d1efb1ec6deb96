//! One stream of one camera: when it is wanted, and what one connection does.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use oriel_api::{
    AudioMode, CameraId, ChannelId, Credentials, Engine, Quality, Reason, ReasonCode, RecordMode,
    StreamProfile, StreamState, Timestamp,
    link::{CameraSetup, credentials_key},
};
use oriel_camera::Address;
use oriel_child::Program;
use oriel_media::ingest::Ingest;
use oriel_secrets::{SecretError, SecretStore, get_credentials};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    RunError,
    clock::{StepWatch, wall_now},
    publish::Publisher,
    run::Run,
    source::{Opening, Source},
};

/// A stream nobody watches any more goes on for so long.
const LINGER: Duration = Duration::from_secs(15);
/// How often watchdog and clock are looked at.
const TICK: Duration = Duration::from_millis(500);
/// Stats are told at most this often.
const STATS: Duration = Duration::from_secs(2);
/// The secret store must have answered by then.
const SECRETS_DEADLINE: Duration = Duration::from_secs(10);
/// A wait shorter than this is told as connecting.
const BRIEF: Duration = Duration::from_millis(50);

/// What all streams of an agent share.
pub(crate) struct Shared {
    pub ingest: Arc<dyn Ingest>,
    pub secrets: Arc<dyn SecretStore>,
    pub program: Arc<Program>,
    pub tracker: TaskTracker,
    pub user_agent: String,
    pub cancel: CancellationToken,
}

impl Shared {
    /// The credentials of a camera as they are kept now.
    pub(crate) async fn credentials(
        &self,
        camera: &CameraId,
    ) -> Result<Option<Credentials>, RunError> {
        let (secrets, key) = (self.secrets.clone(), credentials_key(camera));
        let unreadable = || {
            RunError::new(
                ReasonCode::Internal,
                "The camera's password cannot be read from where secrets are kept.",
            )
        };
        let read = tokio::task::spawn_blocking(move || get_credentials(&*secrets, &key));
        match timeout(SECRETS_DEADLINE, read).await {
            Ok(Ok(Ok(credentials))) => Ok(credentials),
            Ok(Ok(Err(error))) => {
                warn!(%error, "the secret store failed");
                Err(match error {
                    SecretError::KeyringUnusable { .. } => RunError::new(
                        ReasonCode::Internal,
                        "The keyring is locked. Unlock it; Oriel goes on by itself.",
                    ),
                    _ => unreadable(),
                })
            }
            _ => Err(unreadable()),
        }
    }
}

/// One stream of one camera.
pub(crate) struct Stream {
    pub shared: Arc<Shared>,
    pub quality: Quality,
    pub channel: ChannelId,
    pub setup: watch::Receiver<Arc<CameraSetup>>,
    pub publisher: Arc<Publisher>,
    pub nudge: Arc<Notify>,
    pub cancel: CancellationToken,
    pub memory: Memory,
}

/// What is remembered from one connection to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The identity at which the native engine was seen to fail.
    needs_gstreamer: Mutex<Option<Identity>>,
    lost: AtomicU64,
    connected_before: AtomicBool,
}

/// What a connection depends on: when any of it changes, the connection ends.
#[derive(Clone, Debug, PartialEq)]
struct Identity {
    revision: u64,
    url: String,
    engine: Engine,
    audio: AudioMode,
}

fn profile(setup: &CameraSetup, quality: Quality) -> Option<&StreamProfile> {
    let found = setup.profiles.iter().find(|p| p.quality == quality);
    match quality {
        Quality::High => found.or(setup.profiles.first()),
        Quality::Low => found,
    }
}

impl Stream {
    fn identity(&self, setup: &CameraSetup) -> Option<Identity> {
        Some(Identity {
            revision: setup.revision,
            url: profile(setup, self.quality)?.url.clone(),
            engine: setup.engine,
            audio: setup.audio,
        })
    }

    fn records(&self, setup: &CameraSetup) -> bool {
        self.quality == Quality::High && setup.record_mode != RecordMode::Off
    }

    fn wanted(&self, setup: &CameraSetup, viewers: usize) -> bool {
        profile(setup, self.quality).is_some() && (viewers > 0 || self.records(setup))
    }

    /// Keeps the stream running while it is wanted, until cancelled.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut viewers = self.shared.ingest.watched(&self.channel, self.quality);
        while !self.cancel.is_cancelled() {
            let mut setup = self.setup.clone();
            let wanted = {
                let setup = setup.borrow_and_update().clone();
                self.wanted(&setup, *viewers.borrow_and_update())
            };
            if wanted {
                self.connected(viewers.clone()).await;
            } else {
                tokio::select! {
                    () = self.cancel.cancelled() => {}
                    changed = setup.changed() => if changed.is_err() { return },
                    () = change(&mut viewers) => {}
                }
            }
        }
    }

    /// Connects again and again until the stream is not wanted or cancelled.
    async fn connected(self: &Arc<Self>, viewers: watch::Receiver<usize>) {
        let (status_tx, mut status) = watch::channel(Status::Running);
        let cancel = self.cancel.child_token();
        let name = format!("{}/{:?}", self.channel, self.quality);
        let mut running = pin!(supervise(
            &name,
            Connection(self.clone()),
            status_tx,
            self.nudge.clone(),
            cancel.clone(),
        ));
        let mut unwanted = pin!(self.unwanted(viewers));
        loop {
            tokio::select! {
                () = &mut running => break,
                () = &mut unwanted, if !cancel.is_cancelled() => cancel.cancel(),
                changed = status.changed() => if changed.is_ok() {
                    let now = status.borrow_and_update().clone();
                    self.tell(&now);
                } else {
                    running.await;
                    break;
                },
            }
        }
        self.publisher
            .state(StreamState::Idle, Some(self.why_off()), None);
    }

    fn tell(&self, status: &Status<RunError>) {
        let (until, reason, lasting) = match status {
            Status::Waiting {
                until,
                error,
                lasting,
            } => (until, error.as_ref().map(|e| e.reason.clone()), *lasting),
            Status::Broken { until } => (until, Some(broken()), false),
            Status::Running | Status::Stopped => return,
        };
        let wait = until.saturating_duration_since(Instant::now());
        if wait < BRIEF {
            self.publisher.state(StreamState::Connecting, reason, None);
            return;
        }
        let state = if lasting {
            StreamState::Failed
        } else {
            StreamState::Waiting
        };
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let retry_at = Timestamp::from_ms(wall_now().ms().saturating_add(ms));
        self.publisher.state(state, reason, Some(retry_at));
    }

    /// Returns once nobody has wanted the stream for the linger time.
    async fn unwanted(&self, mut viewers: watch::Receiver<usize>) {
        let mut setup = self.setup.clone();
        let mut watched = false;
        loop {
            let count = *viewers.borrow_and_update();
            let now = setup.borrow_and_update().clone();
            watched |= count > 0;
            if self.wanted(&now, count) {
                tokio::select! {
                    changed = setup.changed() => if changed.is_err() { return },
                    () = change(&mut viewers) => {}
                }
                continue;
            }
            let linger = if watched { LINGER } else { Duration::ZERO };
            tokio::select! {
                () = tokio::time::sleep(linger) => return,
                changed = setup.changed() => if changed.is_err() { return },
                () = change(&mut viewers) => {}
            }
        }
    }

    fn why_off(&self) -> Reason {
        if self.shared.cancel.is_cancelled() {
            return Reason {
                code: ReasonCode::NotRunning,
                message: "Oriel was stopped.".to_owned(),
            };
        }
        Reason {
            code: ReasonCode::Off,
            message: "Recording is off and nobody is watching.".to_owned(),
        }
    }

    /// One connection, from dialling to its end.
    async fn run(&self, cancel: &CancellationToken) -> (Result<(), RunError>, Duration) {
        let mut setup_rx = self.setup.clone();
        let setup = setup_rx.borrow_and_update().clone();
        let Some(identity) = self.identity(&setup) else {
            return (Err(RunError::superseded()), Duration::ZERO);
        };
        self.publisher.state(StreamState::Connecting, None, None);
        let source = tokio::select! {
            biased;
            () = cancel.cancelled() => return (Ok(()), Duration::ZERO),
            () = self.superseded(&mut setup_rx, &identity) => {
                return (Err(RunError::superseded()), Duration::ZERO);
            }
            source = self.open(&setup, &identity) => source,
        };
        let mut source = match source {
            Ok(source) => source,
            Err(error) => return (Err(self.learn(error, &identity)), Duration::ZERO),
        };
        if self.memory.connected_before.swap(true, Ordering::Relaxed) {
            self.memory.lost.fetch_add(1, Ordering::Relaxed);
        }
        let began = Instant::now();
        let mut run = Run::new(
            self.shared.ingest.clone(),
            self.channel.clone(),
            self.quality,
            source.format().clone(),
            self.records(&setup),
        );
        let ended = self
            .pump(cancel, &mut setup_rx, &identity, &mut source, &mut run)
            .await;
        let reason = match &ended {
            Ok(()) => self.why_off(),
            Err(error) => error.reason.clone(),
        };
        run.close(reason);
        source.stop().await;
        (ended.map_err(|e| self.learn(e, &identity)), began.elapsed())
    }

    async fn open(&self, setup: &CameraSetup, identity: &Identity) -> Result<Source, RunError> {
        let address = Address::parse(&identity.url)?;
        let credentials = self.shared.credentials(&setup.id).await?;
        let needs_gstreamer = self
            .memory
            .needs_gstreamer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            == Some(identity);
        Source::open(Opening {
            address: &address,
            credentials,
            audio: identity.audio,
            engine: identity.engine,
            needs_gstreamer,
            user_agent: &self.shared.user_agent,
            program: &self.shared.program,
            tracker: &self.shared.tracker,
        })
        .await
    }

    /// Remembers that a camera needs the other engine, and tries that one at once.
    fn learn(&self, error: RunError, identity: &Identity) -> RunError {
        if !(error.needs_gstreamer && identity.engine == Engine::Auto) {
            return error;
        }
        info!(channel = %self.channel, reason = %error.reason.message, "changing to GStreamer");
        *self
            .memory
            .needs_gstreamer
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(identity.clone());
        error.at_once()
    }

    async fn pump(
        &self,
        cancel: &CancellationToken,
        setup_rx: &mut watch::Receiver<Arc<CameraSetup>>,
        identity: &Identity,
        source: &mut Source,
        run: &mut Run,
    ) -> Result<(), RunError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut clock = StepWatch::new();
        let mut watchdog = setup_rx.borrow().watchdog_seconds.max(1);
        let mut told: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(()),
                changed = setup_rx.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let setup = setup_rx.borrow_and_update().clone();
                    if self.identity(&setup).as_ref() != Some(identity) {
                        return Err(RunError::superseded());
                    }
                    watchdog = setup.watchdog_seconds.max(1);
                    run.set_record(self.records(&setup));
                }
                _ = tick.tick() => {
                    if run.silent_for() >= Duration::from_secs(u64::from(watchdog)) {
                        return Err(RunError::stalled(watchdog));
                    }
                    if clock.stepped() {
                        return Err(RunError::clock_step());
                    }
                    if told.is_some_and(|at| at.elapsed() >= STATS) {
                        told = Some(Instant::now());
                        self.tell_streaming(source, run, identity);
                    }
                }
                received = source.next() => {
                    run.frame(received?);
                    if told.is_none() {
                        told = Some(Instant::now());
                        self.tell_streaming(source, run, identity);
                    }
                }
            }
        }
    }

    fn tell_streaming(&self, source: &Source, run: &Run, identity: &Identity) {
        let seen = source.observed(run.measure(), run.now());
        let profile = StreamProfile {
            quality: self.quality,
            url: identity.url.clone(),
            video: Some(seen.video_info()),
            audio: seen.audio_info(),
        };
        let stats = run.stats(self.memory.lost.load(Ordering::Relaxed), source.dropped());
        let warnings = source.warnings(run.measure(), run.now());
        self.publisher.change(|status| {
            if status.state != StreamState::Streaming {
                status.state = StreamState::Streaming;
                status.since = wall_now();
            }
            status.reason = None;
            status.retry_at = None;
            status.engine = Some(source.engine());
            status.stats = Some(stats);
            status.profile = Some(profile);
            status.warnings = warnings;
        });
    }

    /// Returns when the connection's setup is not the current one any more.
    async fn superseded(&self, setup: &mut watch::Receiver<Arc<CameraSetup>>, of: &Identity) {
        loop {
            if setup.changed().await.is_err() {
                return;
            }
            let now = setup.borrow_and_update().clone();
            if self.identity(&now).as_ref() != Some(of) {
                return;
            }
        }
    }
}

/// What is told when a task of ours panicked.
pub(crate) fn broken() -> Reason {
    Reason {
        code: ReasonCode::Internal,
        message: "A fault in Oriel ended the connection. The log has the cause.".to_owned(),
    }
}

/// A change of a count whose owner may be gone, which is no change.
async fn change(viewers: &mut watch::Receiver<usize>) {
    if viewers.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Connection(Arc<Stream>);

impl Supervised for Connection {
    type Error = RunError;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<RunError> {
        let (result, healthy_for) = self.0.run(&cancel).await;
        Attempt {
            result,
            healthy_for,
        }
    }

    fn severity(&self, error: &RunError) -> Severity {
        error.severity
    }
}

//! A worker and an nvr that remember what they were told, and an agent between them.

#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    collections::HashMap,
    fmt::Debug,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use oriel_agent::{Agent, AgentOptions};
use oriel_api::{
    AudioMode, CameraId, ChannelId, Credentials, Engine, Quality, Reason, RecordMode, Result,
    Secret, StreamProfile, StreamState, Timestamp,
    link::{
        AgentLink, CameraSetup, NvrLink, RunId, RunStarted, SegmentClosed, StreamStatus,
        credentials_key,
    },
};
use oriel_media::{
    Format, Frame, TrackKind,
    ingest::{Ingest, RunOpen, RunSink},
};
use oriel_secrets::{MemoryStore, SecretStore, set_credentials};
use oriel_testkit::{CameraOptions, TestCamera};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Generous: this only ends tests that would never end.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// One run as the worker saw it.
#[derive(Clone, Debug)]
pub struct SeenRun {
    pub quality: Quality,
    pub record: bool,
    pub format: Arc<Format>,
    pub anchor: Timestamp,
    pub frames: Vec<Frame>,
    pub closed: Option<Reason>,
}

impl SeenRun {
    pub fn of(&self, track: TrackKind) -> Vec<&Frame> {
        self.frames.iter().filter(|f| f.track == track).collect()
    }
}

/// Collects runs.
pub struct Collector {
    runs: watch::Sender<Vec<SeenRun>>,
    viewers: Mutex<HashMap<(ChannelId, Quality), watch::Sender<usize>>>,
}

impl Collector {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            runs: watch::channel(Vec::new()).0,
            viewers: Mutex::default(),
        })
    }

    /// Waits until the runs look like this and returns them.
    pub async fn until(&self, what: &str, done: impl Fn(&[SeenRun]) -> bool) -> Vec<SeenRun> {
        let mut rx = self.runs.subscribe();
        let seen = tokio::time::timeout(DEADLINE, rx.wait_for(|runs| done(runs))).await;
        match seen {
            Ok(runs) => runs.unwrap().clone(),
            Err(_) => panic!("never: {what}; {}", summary(&self.runs.borrow())),
        }
    }

    pub fn runs(&self) -> Vec<SeenRun> {
        self.runs.borrow().clone()
    }

    pub fn watch(&self, channel: &ChannelId, quality: Quality, viewers: usize) {
        self.viewers_of(channel, quality, |tx| {
            tx.send_replace(viewers);
        });
    }

    fn viewers_of<T>(
        &self,
        channel: &ChannelId,
        quality: Quality,
        f: impl FnOnce(&watch::Sender<usize>) -> T,
    ) -> T {
        let mut viewers = self.viewers.lock().unwrap();
        f(viewers
            .entry((channel.clone(), quality))
            .or_insert_with(|| watch::channel(0).0))
    }
}

fn summary(runs: &[SeenRun]) -> String {
    runs.iter()
        .map(|r| {
            format!(
                "[{} {}x{} {} video {} audio, closed {:?}]",
                r.format.codecs(),
                r.format.video.width,
                r.format.video.height,
                r.of(TrackKind::Video).len(),
                r.of(TrackKind::Audio).len(),
                r.closed
            )
        })
        .collect()
}

struct Sink {
    runs: watch::Sender<Vec<SeenRun>>,
    index: usize,
}

impl Ingest for Collector {
    fn open(&self, run: RunOpen) -> Box<dyn RunSink> {
        let mut index = 0;
        self.runs.send_modify(|runs| {
            index = runs.len();
            runs.push(SeenRun {
                quality: run.quality,
                record: run.record,
                format: run.format,
                anchor: run.anchor,
                frames: Vec::new(),
                closed: None,
            });
        });
        Box::new(Sink {
            runs: self.runs.clone(),
            index,
        })
    }

    fn watched(&self, channel: &ChannelId, quality: Quality) -> watch::Receiver<usize> {
        self.viewers_of(channel, quality, watch::Sender::subscribe)
    }
}

impl RunSink for Sink {
    fn push(&mut self, frame: Frame) {
        self.runs
            .send_modify(|runs| runs[self.index].frames.push(frame));
    }
    fn dropped(&self) -> u64 {
        0
    }
    fn close(self: Box<Self>, reason: Reason, _: Option<f64>) {
        self.runs
            .send_modify(|runs| runs[self.index].closed = Some(reason));
    }
}

/// Remembers every status it was told.
pub struct Nvr {
    told: watch::Sender<Vec<(Quality, StreamStatus)>>,
}

impl Nvr {
    /// Waits for a status of the main stream that looks like this.
    pub async fn until(&self, what: &str, done: impl Fn(&StreamStatus) -> bool) -> StreamStatus {
        self.until_of(Quality::High, what, done).await
    }

    pub async fn until_of(
        &self,
        quality: Quality,
        what: &str,
        done: impl Fn(&StreamStatus) -> bool,
    ) -> StreamStatus {
        let mut rx = self.told.subscribe();
        let latest = |told: &Vec<(Quality, StreamStatus)>| {
            told.iter()
                .rev()
                .find(|(q, _)| *q == quality)
                .map(|(_, s)| s.clone())
        };
        let seen = tokio::time::timeout(
            DEADLINE,
            rx.wait_for(|told| latest(told).is_some_and(|s| done(&s))),
        )
        .await;
        match seen {
            Ok(told) => latest(&told.unwrap()).unwrap(),
            Err(_) => panic!("never: {what}; last {:?}", latest(&self.told.borrow())),
        }
    }

    /// Everything told so far.
    pub fn told(&self) -> Vec<(Quality, StreamStatus)> {
        self.told.borrow().clone()
    }
}

#[async_trait]
impl NvrLink for Nvr {
    async fn run_started(&self, _: RunStarted) -> Result<RunId> {
        Ok(1)
    }
    async fn run_ended(&self, _: RunId, _: Timestamp, _: Reason, _: Option<f64>) -> Result<()> {
        Ok(())
    }
    async fn segment_closed(&self, _: SegmentClosed) -> Result<()> {
        Ok(())
    }
    async fn local_segments(
        &self,
        _: &ChannelId,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<Timestamp>> {
        Ok(Vec::new())
    }
    async fn recordings_place(&self, _mark: Option<&str>) -> Result<bool> {
        Ok(true)
    }
    async fn segment_missing(&self, _: &ChannelId, _: Timestamp) -> Result<()> {
        Ok(())
    }
    fn stream_changed(&self, _: &CameraId, quality: Quality, status: StreamStatus) {
        self.told.send_modify(|told| told.push((quality, status)));
    }
    fn storage_changed(&self, _: &ChannelId, _: Option<String>) {}
}

/// An agent with one camera.
pub struct Rig {
    pub agent: Arc<Agent>,
    pub worker: Arc<Collector>,
    pub nvr: Arc<Nvr>,
    pub secrets: Arc<MemoryStore>,
    pub cancel: CancellationToken,
    pub setup: CameraSetup,
}

impl Rig {
    /// A camera at this address, not applied yet.
    pub fn new(url: &str, engine: Engine) -> Self {
        Self::with_program(url, engine, Some(gst_program()))
    }

    pub fn with_program(url: &str, engine: Engine, program: Option<PathBuf>) -> Self {
        let worker = Collector::new();
        let nvr = Arc::new(Nvr {
            told: watch::channel(Vec::new()).0,
        });
        let secrets = Arc::new(MemoryStore::default());
        let cancel = CancellationToken::new();
        let agent = Arc::new(Agent::new(
            AgentOptions {
                gst_program: program,
            },
            worker.clone(),
            nvr.clone(),
            secrets.clone(),
            cancel.clone(),
        ));
        let setup = CameraSetup {
            id: CameraId::from_random([1; 12]),
            channel: ChannelId::from_random([2; 12]),
            profiles: vec![profile(Quality::High, url)],
            snapshot_url: None,
            record_mode: RecordMode::Continuous,
            engine,
            audio: AudioMode::Auto,
            watchdog_seconds: 3,
            revision: 1,
        };
        Self {
            agent,
            worker,
            nvr,
            secrets,
            cancel,
            setup,
        }
    }

    pub async fn apply(&self) {
        self.agent.apply(self.setup.clone()).await.unwrap();
    }

    /// Keeps credentials and grows the revision.
    pub fn set_credentials(&mut self, username: &str, password: &str) {
        let credentials = Credentials {
            username: username.into(),
            password: Secret::new(password),
        };
        let key = credentials_key(&self.setup.id);
        set_credentials(&*self.secrets as &dyn SecretStore, &key, &credentials).unwrap();
        self.setup.revision += 1;
    }

    /// Everything that was shown, as text, for looking for secrets.
    pub fn shown(&self) -> String {
        let runs: Vec<_> = self
            .worker
            .runs()
            .into_iter()
            .map(|r| (r.format, r.closed))
            .collect();
        format!("{:?} {runs:?} {:?}", self.nvr.told(), self.setup)
    }
}

pub fn profile(quality: Quality, url: &str) -> StreamProfile {
    StreamProfile {
        quality,
        url: url.to_owned(),
        video: None,
        audio: None,
    }
}

pub fn streaming(status: &StreamStatus) -> bool {
    status.state == StreamState::Streaming
}

/// Starts a camera off the runtime.
pub async fn camera(options: CameraOptions) -> TestCamera {
    blocking(move || TestCamera::start(options)).await
}

/// Runs something that blocks.
pub async fn blocking<T: Send + 'static, E: Debug + Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, E> + Send + 'static,
) -> T {
    tokio::task::spawn_blocking(work).await.unwrap().unwrap()
}

/// The child program beside the tests, built when it is missing.
pub fn gst_program() -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let exe = std::env::current_exe().unwrap();
    let folder = exe.parent().unwrap().parent().unwrap();
    let path = folder.join(format!("oriel-gst{}", std::env::consts::EXE_SUFFIX));
    if !path.is_file() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "-q", "-p", "oriel-gst"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(
            build.status().unwrap().success(),
            "oriel-gst does not build"
        );
    }
    path
}

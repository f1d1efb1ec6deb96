//! The two seams, as recordings of what was asked of them, and an nvr over them.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use oriel_api::{
    Caller, Camera, CameraId, Change, ChannelId, Credentials, EngineInUse, Error, ErrorCode,
    ProbeReport, Quality, RecordingState, Result, Settings, Timestamp, VideoInfo, dispatch,
    link::{AgentLink, CameraSetup, Cutting, DiskSight, OpenSegment, StreamStatus, WorkerLink},
};
use oriel_secrets::{MemoryStore, SecretError, SecretStore};
use oriel_store::Store;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::assembler::{Assembler, places};
use crate::{Nvr, NvrOptions};

/// What an agent was told.
#[derive(Default)]
pub(super) struct Agent {
    pub(super) setups: Mutex<HashMap<CameraId, CameraSetup>>,
    pub(super) applied: Mutex<Vec<CameraSetup>>,
    pub(super) probed: Mutex<Vec<(String, Option<Credentials>)>>,
    pub(super) refuses_removal: AtomicBool,
    /// What a camera answers at its snapshot address; without, it has none.
    pub(super) picture: Mutex<Option<Result<Vec<u8>>>>,
}

#[async_trait]
impl AgentLink for Agent {
    async fn apply(&self, setup: CameraSetup) -> Result<()> {
        self.applied.lock().unwrap().push(setup.clone());
        self.setups.lock().unwrap().insert(setup.id.clone(), setup);
        Ok(())
    }
    async fn remove(&self, camera: &CameraId) -> Result<()> {
        if self.refuses_removal.load(Ordering::SeqCst) {
            return Err(Error::unavailable("The camera does not stop."));
        }
        self.setups.lock().unwrap().remove(camera);
        Ok(())
    }
    async fn probe(&self, url: &str, credentials: Option<Credentials>) -> Result<ProbeReport> {
        let mut probed = self.probed.lock().unwrap();
        probed.push((url.into(), credentials));
        Ok(ProbeReport {
            url: url.into(),
            server: None,
            video: VideoInfo {
                codec: "h264".into(),
                codec_string: "avc1.64001f".into(),
                width: 1,
                height: 1,
                frame_rate: None,
            },
            audio: None,
            kbps: 1.0,
            key_interval: None,
            first_frame_ms: 1,
            engine: EngineInUse::Native,
            warnings: Vec::new(),
        })
    }
    async fn snapshot(&self, _: &CameraId) -> Result<Vec<u8>> {
        let picture = self.picture.lock().unwrap().clone();
        picture.unwrap_or_else(|| {
            Err(Error::new(
                ErrorCode::PreconditionFailed,
                "The camera has no snapshot address.",
            ))
        })
    }
    fn status(&self, _: &CameraId, _: Quality) -> Option<StreamStatus> {
        None
    }
    async fn gstreamer(&self) -> Option<String> {
        Some("1.22.0".into())
    }
}

/// What a worker was told, and the segments it says it writes.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) open: Mutex<Vec<OpenSegment>>,
    pub(super) configured: Mutex<Option<Settings>>,
    pub(super) channels: Mutex<HashMap<ChannelId, Option<u32>>>,
    pub(super) deleted: Mutex<Vec<(ChannelId, Timestamp)>>,
    pub(super) removed: Mutex<Vec<ChannelId>>,
    pub(super) refuses_deletion: AtomicBool,
    /// The start of a file that cannot be deleted.
    pub(super) stuck: Mutex<Option<Timestamp>>,
    /// How the disk stands; every deletion frees `frees` bytes of it.
    pub(super) sight: Mutex<Option<DiskSight>>,
    pub(super) frees: AtomicU64,
    /// Where recordings were last sent, and whether they are still on their way.
    pub(super) folders: Mutex<Option<(PathBuf, Option<PathBuf>)>>,
    pub(super) on_the_way: AtomicBool,
}

#[async_trait]
impl WorkerLink for Worker {
    fn open_segments(&self, channel: &ChannelId) -> Vec<OpenSegment> {
        let mut open = self.open.lock().unwrap().clone();
        open.retain(|o| o.channel == *channel);
        open
    }
    fn recording_state(&self, _: &ChannelId) -> RecordingState {
        RecordingState::default()
    }
    fn configure(&self, settings: &Settings) {
        *self.configured.lock().unwrap() = Some(settings.clone());
    }
    fn configure_channel(&self, channel: &ChannelId, cutting: Cutting) {
        let mut channels = self.channels.lock().unwrap();
        channels.insert(channel.clone(), cutting.seconds);
    }
    fn channel_removed(&self, channel: &ChannelId) {
        self.removed.lock().unwrap().push(channel.clone());
    }
    async fn delete_segment(&self, channel: &ChannelId, start: Timestamp) -> Result<()> {
        if self.refuses_deletion.load(Ordering::SeqCst)
            || *self.stuck.lock().unwrap() == Some(start)
        {
            return Err(Error::new(ErrorCode::StorageUnavailable, "Read-only."));
        }
        let mut deleted = self.deleted.lock().unwrap();
        deleted.push((channel.clone(), start));
        if let Some(DiskSight {
            space: Some((free, _)),
            ..
        }) = &mut *self.sight.lock().unwrap()
        {
            *free += self.frees.load(Ordering::SeqCst);
        }
        Ok(())
    }
    async fn disk_space(&self) -> Option<(u64, u64)> {
        Some((1, 2))
    }
    async fn set_recordings(&self, root: PathBuf, moving_from: Option<PathBuf>) -> Result<()> {
        *self.folders.lock().unwrap() = Some((root, moving_from));
        self.on_the_way.store(true, Ordering::SeqCst);
        Ok(())
    }
    fn recordings_left(&self) -> Option<u64> {
        self.on_the_way.load(Ordering::SeqCst).then_some(7)
    }
    async fn disk(&self) -> DiskSight {
        let set = self.sight.lock().unwrap().clone();
        set.unwrap_or(DiskSight {
            space: Some((1, 2)),
            ..DiskSight::default()
        })
    }
}

/// A secret store that can be made to fail.
#[derive(Default)]
pub(super) struct Vault {
    pub(super) inner: MemoryStore,
    pub(super) keys: Mutex<std::collections::BTreeSet<String>>,
    pub(super) locked: AtomicBool,
}

impl Vault {
    fn check(&self) -> Result<(), SecretError> {
        if self.locked.load(Ordering::SeqCst) {
            return Err(SecretError::KeyringUnusable {
                reason: "it is locked.".into(),
            });
        }
        Ok(())
    }
}

impl SecretStore for Vault {
    fn get(&self, key: &str) -> Result<Option<oriel_api::Secret>, SecretError> {
        self.check()?;
        self.inner.get(key)
    }
    fn set(&self, key: &str, value: &oriel_api::Secret) -> Result<(), SecretError> {
        self.check()?;
        self.keys.lock().unwrap().insert(key.into());
        self.inner.set(key, value)
    }
    fn delete(&self, key: &str) -> Result<(), SecretError> {
        self.check()?;
        self.keys.lock().unwrap().remove(key);
        self.inner.delete(key)
    }
    fn place(&self) -> oriel_api::SecretsPlace {
        oriel_api::SecretsPlace::Memory
    }
}

pub(super) struct Recorder {
    pub(super) nvr: Arc<Nvr>,
    pub(super) agent: Arc<Agent>,
    pub(super) worker: Arc<Worker>,
    pub(super) assembler: Arc<Assembler>,
    pub(super) vault: Arc<Vault>,
    pub(super) clock: Arc<AtomicI64>,
    pub(super) folder: Arc<tempfile::TempDir>,
    options: NvrOptions,
}

/// Noon of a day in 2026.
pub(super) const NOON: i64 = 1_795_262_400_000;

impl Recorder {
    pub(super) async fn new() -> Self {
        Self::with(NvrOptions {
            version: "1.2.3".into(),
            ..Default::default()
        })
        .await
    }

    pub(super) async fn with(options: NvrOptions) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let recorder = Self::over(
            options,
            folder,
            Arc::default(),
            Arc::new(AtomicI64::new(NOON)),
        )
        .await;
        recorder.nvr.start().await.unwrap();
        recorder
    }

    /// One whose tasks do not run: a test runs them step by step.
    pub(super) async fn unstarted() -> Self {
        Self::over(
            NvrOptions::default(),
            Arc::new(tempfile::tempdir().unwrap()),
            Arc::default(),
            Arc::new(AtomicI64::new(NOON)),
        )
        .await
    }

    async fn over(
        options: NvrOptions,
        folder: Arc<tempfile::TempDir>,
        vault: Arc<Vault>,
        clock: Arc<AtomicI64>,
    ) -> Self {
        let mut options = options;
        if options.data_dir.as_os_str().is_empty() {
            options.data_dir = folder.path().to_owned();
        }
        let store = Store::open(folder.path().join("oriel.db")).await.unwrap();
        let ticking = clock.clone();
        let nvr = Nvr::with_clock(
            options.clone(),
            store,
            vault.clone(),
            Arc::new(move || Timestamp::from_ms(ticking.load(Ordering::SeqCst))),
        )
        .await
        .unwrap();
        let (agent, worker) = (Arc::new(Agent::default()), Arc::new(Worker::default()));
        let assembler = Arc::new(Assembler::default());
        *assembler.stores.lock().unwrap() = Some(options.stores.clone());
        nvr.attach(agent.clone(), worker.clone(), assembler.clone());
        Self {
            nvr,
            agent,
            worker,
            assembler,
            vault,
            clock,
            folder,
            options,
        }
    }

    /// Stops and starts again over the same folder and secrets. `crash`: without saying so.
    pub(super) async fn restarted(self, crash: bool) -> Self {
        if !crash {
            self.nvr.stop().await.unwrap();
        }
        self.nvr.store().close().await;
        let again = Self::over(self.options, self.folder, self.vault, self.clock).await;
        again.nvr.start().await.unwrap();
        again
    }

    /// Opens the local places in the recorder's own folder.
    pub(super) async fn with_places(self) -> Self {
        let stores = places(self.folder.path()).await;
        self.options.stores.replace(stores);
        self
    }

    pub(super) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub(super) async fn call_as(&self, caller: &Caller, name: &str, input: Value) -> Result<Value> {
        dispatch(&*self.nvr, caller, name, input).await
    }

    pub(super) async fn call(&self, name: &str, input: Value) -> Result<Value> {
        self.call_as(&Caller::owner(), name, input).await
    }

    pub(super) async fn ok(&self, name: &str, input: Value) -> Value {
        self.call(name, input)
            .await
            .unwrap_or_else(|e| panic!("{name}: {e:?}"))
    }

    pub(super) async fn refused(&self, name: &str, input: Value) -> Error {
        match self.call(name, input).await {
            Ok(out) => panic!("{name} was not refused: {out}"),
            Err(error) => error,
        }
    }

    pub(super) async fn camera(&self, name: &str, url: &str) -> (CameraId, ChannelId) {
        let out = self
            .ok("camera_create", json!({ "name": name, "url": url }))
            .await;
        let camera: Camera = serde_json::from_value(out).unwrap();
        (camera.id, camera.channel_id.unwrap())
    }
}

/// Waits for something the database or a fake comes to show.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let all = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

/// Waits for a change that fits.
pub(super) async fn change(
    changes: &mut broadcast::Receiver<Change>,
    mut fits: impl FnMut(&Change) -> bool,
) -> Change {
    let found = async {
        loop {
            match changes.recv().await {
                Ok(change) if fits(&change) => return change,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found)
        .await
        .expect("waited in vain for a change")
}

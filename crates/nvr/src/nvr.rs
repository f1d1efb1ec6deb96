//! The nvr itself: what it holds, how it starts and stops.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, atomic::AtomicBool},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oriel_api::{
    Change, ChannelId, DiskState, Error, EventKind, NoticesStatus, PlaceKind, Result, Secret,
    Settings, Timestamp, UploadStatus,
    link::{AgentLink, AssemblyLink, WorkerLink},
};
use oriel_bucket::SharedStores;
use oriel_secrets::SecretStore;
use oriel_store::{ChannelRow, NewEvent, Store};
use tokio::{
    sync::{Notify, broadcast, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    DemoSetup,
    auth::{self, Doors},
    chronicle, collector,
    jobs::{self, Jobs, Joining},
    logins::{Logins, blocking},
    places, random, retention,
    sign::Signer,
    snapshots,
    states::{Note, States},
    storage::{self, StorageState},
    uploads::{self, Uploads},
};

/// Key of the signing key in the secret store.
const SIGNING_KEY: &str = "signing-key";
/// Changes a slow viewer may be behind before it is told to read the lists again.
const CHANGES: usize = 256;
/// Notes that may wait for the database.
const NOTES: usize = 1024;
/// Channels whose footage was deleted are remembered so long, for files that turn up late.
const TOMBSTONE_MS: i64 = 7 * 24 * 3600 * 1000;

pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What an nvr is started with.
#[derive(Clone, Debug, Default)]
pub struct NvrOptions {
    /// Version of the program.
    pub version: String,
    /// Data folder, for the system page.
    pub data_dir: PathBuf,
    /// Where media is served: `http://127.0.0.1:PORT`; see also [`Nvr::set_media_base`].
    pub media_base: String,
    /// Demonstration cameras that are offered.
    pub demo: Vec<DemoSetup>,
    /// The stores, which the nvr opens by its settings and replaces as they change.
    pub stores: SharedStores,
    /// Folders below which places may be, beside the data folder.
    pub approved_roots: Vec<PathBuf>,
}

#[derive(Clone)]
pub(crate) struct Links {
    pub(crate) agent: Arc<dyn AgentLink>,
    pub(crate) worker: Arc<dyn WorkerLink>,
    pub(crate) assembly: Arc<dyn AssemblyLink>,
}

/// The control side. Made once, shared as `Arc<Nvr>`.
pub struct Nvr {
    pub(crate) options: NvrOptions,
    pub(crate) store: Store,
    pub(crate) secrets: Arc<dyn SecretStore>,
    pub(crate) signer: Signer,
    pub(crate) doors: Doors,
    pub(crate) logins: Logins,
    pub(crate) states: Mutex<States>,
    pub(crate) settings: RwLock<Settings>,
    /// One change of a camera or channel at a time, so that secret, row and agent agree.
    pub(crate) editing: tokio::sync::Mutex<()>,
    /// There is something to tell viewers.
    pub(crate) news: Notify,
    /// There is garbage.
    pub(crate) garbage: Arc<Notify>,
    pub(crate) storage: StorageState,
    /// Files that are being made.
    pub(crate) jobs: Jobs,
    /// The upload queue, as far as it is in memory.
    pub(crate) uploads: Uploads,
    /// How uploading stands, as the worker last said.
    pub(crate) uploads_status: Mutex<UploadStatus>,
    /// How the bucket's own notices stand, as the worker last said.
    pub(crate) notices_status: Mutex<NoticesStatus>,
    /// How full the disk with the recordings is, as last looked at.
    pub(crate) disk_state: Mutex<DiskState>,
    /// There is garbage in the bucket.
    pub(crate) bucket_garbage: Arc<Notify>,
    /// What the bucket is joining.
    pub(crate) joining: Joining,
    /// A rule or the disk changed: what is to go is looked at now.
    pub(crate) retention: Arc<Notify>,
    /// Files of a kind that are still to be moved.
    pub(crate) moves: Mutex<BTreeMap<PlaceKind, u64>>,
    /// A place was changed.
    pub(crate) moving: Arc<Notify>,
    /// What the disk needs deleted cannot be.
    pub(crate) disk_stuck: AtomicBool,
    links: OnceLock<Links>,
    media_base: RwLock<String>,
    changes: broadcast::Sender<Change>,
    notes: mpsc::Sender<Note>,
    pub(crate) notes_out: tokio::sync::Mutex<mpsc::Receiver<Note>>,
    clock: Clock,
    cancel: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl std::fmt::Debug for Nvr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nvr").field("store", &self.store).finish()
    }
}

fn system_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_ms(since.map_or(0, |d| d.as_millis() as i64))
}

/// The signing key, made and kept when there is none. Blocks.
fn signing_key(secrets: &dyn SecretStore) -> Result<[u8; 32], oriel_secrets::SecretError> {
    let kept = secrets.get(SIGNING_KEY)?.and_then(|text| {
        let raw = URL_SAFE_NO_PAD.decode(text.expose()).ok()?;
        <[u8; 32]>::try_from(raw).ok()
    });
    if let Some(key) = kept {
        return Ok(key);
    }
    let key = random::bytes().map_err(|_| oriel_secrets::SecretError::NoRandomness)?;
    secrets.set(SIGNING_KEY, &Secret::new(URL_SAFE_NO_PAD.encode(key)))?;
    Ok(key)
}

impl Nvr {
    /// An nvr over this database and these secrets. Keys are made on the first start.
    pub async fn new(
        options: NvrOptions,
        store: Store,
        secrets: Arc<dyn SecretStore>,
    ) -> Result<Arc<Self>> {
        Self::with_clock(options, store, secrets, Arc::new(system_clock)).await
    }

    pub(crate) async fn with_clock(
        options: NvrOptions,
        store: Store,
        secrets: Arc<dyn SecretStore>,
        clock: Clock,
    ) -> Result<Arc<Self>> {
        let (owner, key) =
            blocking(&secrets, |s| Ok((auth::owner_token(s)?, signing_key(s)?))).await?;
        let settings = store.settings().await?;
        let (notes, notes_out) = mpsc::channel(NOTES);
        Ok(Arc::new(Self {
            media_base: RwLock::new(options.media_base.clone()),
            options,
            store,
            signer: Signer::new(&key),
            doors: Doors::new(&owner),
            logins: Logins::new(secrets.clone()),
            secrets,
            states: Mutex::default(),
            settings: RwLock::new(settings),
            editing: tokio::sync::Mutex::default(),
            news: Notify::new(),
            garbage: Arc::new(Notify::new()),
            storage: StorageState::default(),
            jobs: Jobs::default(),
            uploads: Uploads::default(),
            uploads_status: Mutex::default(),
            notices_status: Mutex::default(),
            disk_state: Mutex::default(),
            bucket_garbage: Arc::new(Notify::new()),
            joining: Joining::default(),
            retention: Arc::new(Notify::new()),
            moves: Mutex::default(),
            moving: Arc::new(Notify::new()),
            disk_stuck: AtomicBool::new(false),
            links: OnceLock::new(),
            changes: broadcast::channel(CHANGES).0,
            notes,
            notes_out: tokio::sync::Mutex::new(notes_out),
            clock,
            cancel: CancellationToken::new(),
            tasks: Mutex::default(),
        }))
    }

    /// Connects the other roles. Once, before [`Nvr::start`].
    pub fn attach(
        &self,
        agent: Arc<dyn AgentLink>,
        worker: Arc<dyn WorkerLink>,
        assembly: Arc<dyn AssemblyLink>,
    ) {
        let links = Links {
            agent,
            worker,
            assembly,
        };
        if self.links.set(links).is_err() {
            warn!("the roles are connected already");
        }
    }

    /// Where media is served, once the port is known.
    pub fn set_media_base(&self, base: impl Into<String>) {
        *self
            .media_base
            .write()
            .unwrap_or_else(PoisonError::into_inner) = base.into();
    }

    pub(crate) fn media_base(&self) -> String {
        let base = self
            .media_base
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        base.clone()
    }

    /// Checks and signs media URLs.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The database, for what is served straight from it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Changes as they happen. A receiver that lags is to tell its viewer
    /// [`Change::Resync`].
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Begins: ends what a crash left open, writes the started event, gives every camera to the
    /// agent, and collects garbage. Call after the worker has repaired its spool or before; the
    /// order does not matter.
    pub async fn start(self: &Arc<Self>) -> Result<()> {
        let links = self.links()?;
        self.load_storage().await?;
        let now = self.clock_now();
        let abandoned = self.store.runs_abandon().await?;
        self.store.sessions_expire(now).await?;
        self.sweep_channels(now).await?;
        self.write_event(EventKind::Started, None, None).await?;
        let settings = self.settings();
        links.worker.configure(&settings);
        for channel in self.store.channels().await? {
            links
                .worker
                .configure_channel(&channel.id, channel.cutting());
        }
        let cameras = self.store.cameras().await?;
        self.logins.load(cameras.iter().map(|c| c.id.clone())).await;
        {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            tasks.push(chronicle::spawn(self.clone(), self.cancel.clone()));
            tasks.extend(storage::spawn(self, &self.cancel));
            tasks.extend(collector::spawn(self, &self.cancel));
            tasks.push(uploads::spawn(self.clone(), self.cancel.clone()));
            tasks.push(retention::spawn(self.clone(), self.cancel.clone()));
            tasks.push(jobs::spawn(self.clone(), self.cancel.clone()));
            tasks.push(snapshots::spawn(self.clone(), self.cancel.clone()));
            tasks.push(places::spawn(self.clone(), self.cancel.clone()));
        }
        info!(
            cameras = cameras.len(),
            abandoned_runs = abandoned,
            "nvr started"
        );
        for camera in cameras {
            let _editing = self.editing.lock().await;
            if let Err(error) = self.apply(&camera).await {
                warn!(camera = %camera.id, %error, "the agent did not take a camera");
            }
        }
        Ok(())
    }

    /// Ends: writes down what is waiting and the stopped event. Call after the agent and the
    /// worker have stopped, so that the ends of their runs are kept.
    pub async fn stop(&self) -> Result<()> {
        self.cancel.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has said so; stopping goes on.
            let _ = tokio::time::timeout(Duration::from_secs(2), task).await;
        }
        self.write_event(EventKind::Stopped, None, None).await
    }

    /// Drops channels that are over: emptied or without a camera, and long enough so.
    pub(crate) async fn sweep_channels(&self, now: Timestamp) -> Result<Vec<ChannelId>> {
        let before = Timestamp::from_ms(now.ms() - TOMBSTONE_MS);
        Ok(self.store.channels_sweep(before).await?)
    }

    pub(crate) fn links(&self) -> Result<Links> {
        self.links
            .get()
            .cloned()
            .ok_or_else(|| Error::unavailable("Oriel is starting."))
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn settings(&self) -> Settings {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.clone()
    }

    pub(crate) fn states(&self) -> std::sync::MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells viewers. Nobody listening is fine.
    pub(crate) fn push(&self, change: Change) {
        let _ = self.changes.send(change);
    }

    /// Queues something to be written down; never waits.
    pub(crate) fn note(&self, note: Note) {
        if self.notes.try_send(note).is_err() {
            warn!("too much happens at once; an event was not kept");
        }
    }

    pub(crate) async fn write_event(
        &self,
        kind: EventKind,
        channel: Option<ChannelId>,
        reason: Option<oriel_api::Reason>,
    ) -> Result<()> {
        self.keep_event(NewEvent {
            at: self.clock_now(),
            kind,
            channel,
            reason,
        })
        .await
    }

    /// A channel that callers may know of.
    pub(crate) async fn channel_row(&self, id: &ChannelId) -> Result<ChannelRow> {
        self.store
            .channel(id.clone())
            .await?
            .ok_or_else(|| Error::not_found("There is no such channel."))
    }
}

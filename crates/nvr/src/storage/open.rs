//! Opening the stores by the settings, and opening them again when that did not work.
//!
//! Recording never waits for any of this: footage goes to the disk, and what could not be opened
//! is tried again.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use oriel_api::{
    BucketCredentials, Destination, Error, PlaceKind, Result, StorageSettings, StorageUpdate,
};
use oriel_bucket::{
    Areas, Bucket, Capabilities, FolderBucket, NoticeQueue, NoticeSettings, ObjectKey, Remote,
    S3Bucket, S3Settings, Stores,
};
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use super::{
    capabilities,
    folder::KINDS,
    settings::{self, Keys},
    stored_at,
};
use crate::{Nvr, logins::blocking};

/// What could not be opened is tried again after this.
const AGAIN: Duration = Duration::from_secs(30);
/// A place may take this long to be opened.
const PATIENCE: Duration = Duration::from_secs(10);
/// The access key in the secret store.
pub(super) const KEYS: &str = "storage/keys";

/// A destination by all that it is reached with. The same one is not opened twice, so that
/// connections and what was learned about a store are kept.
#[derive(Clone, PartialEq)]
pub(super) enum Destined {
    S3(Box<(S3Settings, S3Settings)>),
    Folder(PathBuf),
}

/// A destination that is open.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) destined: Destined,
    areas: Areas,
    notices: Option<(String, NoticeQueue)>,
}

/// Opens the areas of a destination.
pub(super) async fn open(destined: &Destined) -> Result<Areas> {
    match destined {
        Destined::Folder(path) => {
            let folder = Bucket::Folder(FolderBucket::open(path, None).await?);
            Ok(Areas {
                incoming: folder.clone(),
                produced: folder,
            })
        }
        Destined::S3(both) => {
            let (incoming, produced) = both.as_ref();
            let first = S3Bucket::open(incoming.clone()).await?;
            let second = if incoming == produced {
                first.clone()
            } else {
                S3Bucket::open(produced.clone()).await?
            };
            Ok(Areas {
                incoming: Bucket::S3(first),
                produced: Bucket::S3(second),
            })
        }
    }
}

impl Nvr {
    /// The destination that is set, opened, for who works on it while no recorder runs.
    ///
    /// # Errors
    /// `precondition_failed` when none is set; otherwise why it cannot be opened.
    pub async fn destination(&self) -> Result<Areas> {
        self.load_storage().await?;
        let settings = self.storage.settings();
        let destined = self.destined(&settings, None).await?.ok_or_else(|| {
            Error::new(
                oriel_api::ErrorCode::PreconditionFailed,
                "No bucket is set. Name one: see `orield check --help`.",
            )
        })?;
        open(&destined).await
    }

    /// Takes the place that a database was made again from as its destination, where none is
    /// set. Gives whether it was taken.
    ///
    /// # Errors
    /// When it may not be one.
    pub async fn adopt_destination(&self, place: StorageUpdate) -> Result<bool> {
        self.load_storage().await?;
        let free = self.storage.settings().destination == Destination::None;
        if free {
            self.update_storage(place).await?;
        }
        Ok(free)
    }

    /// The access key that is kept.
    pub(super) async fn storage_keys(&self) -> Result<Option<Keys>> {
        let text = blocking(&self.secrets, |s| s.get(KEYS)).await?;
        Ok(text.as_ref().and_then(Keys::from_text))
    }

    /// What these settings lead to; `keys` instead of the kept ones.
    pub(super) async fn destined(
        &self,
        settings: &StorageSettings,
        keys: Option<Keys>,
    ) -> Result<Option<Destined>> {
        match settings.destination {
            Destination::None => Ok(None),
            Destination::Folder => {
                let given = settings.folder.as_deref().unwrap_or_default();
                Ok(Some(Destined::Folder(
                    self.destination_folder(given).await?,
                )))
            }
            Destination::S3 => {
                let keys = match (settings.credentials, keys) {
                    (BucketCredentials::Chain, _) => None,
                    (BucketCredentials::Keys, Some(keys)) => Some(keys),
                    (BucketCredentials::Keys, None) => self.storage_keys().await?,
                };
                let both = settings::buckets(settings, keys.as_ref())?;
                Ok(Some(Destined::S3(Box::new(both))))
            }
        }
    }

    /// Root folder of every place: the data folder where nothing else is set.
    pub(crate) async fn place_roots(&self) -> Result<BTreeMap<PlaceKind, PathBuf>> {
        let data = &self.options.data_dir;
        let mut roots: BTreeMap<_, _> = KINDS.map(|(kind, _)| (kind, data.clone())).into();
        for row in self.store.places().await? {
            roots.insert(row.kind, self.root_of(&row.root));
        }
        Ok(roots)
    }

    /// The places of what is made here, opened.
    async fn open_places(
        &self,
        roots: &BTreeMap<PlaceKind, PathBuf>,
        moving: &BTreeMap<PlaceKind, PathBuf>,
    ) -> BTreeMap<PlaceKind, Bucket> {
        let mut open = BTreeMap::new();
        for kind in [PlaceKind::Snapshots, PlaceKind::Clips, PlaceKind::Exports] {
            let Some(root) = roots.get(&kind) else {
                continue;
            };
            let own = *root == self.options.data_dir;
            let opening = async {
                // Elsewhere a folder that was not set up is a disk that is not there.
                if own {
                    FolderBucket::set_up(root).await?;
                }
                FolderBucket::open_moving(root, moving.get(&kind).cloned(), None).await
            };
            match tokio::time::timeout(PATIENCE, opening).await {
                Ok(Ok(folder)) => {
                    open.insert(kind, Bucket::Folder(folder));
                }
                Ok(Err(error)) => {
                    warn!(?kind, root = %root.display(), %error, "a place cannot be opened");
                }
                Err(_) => warn!(?kind, root = %root.display(), "a place does not answer"),
            }
        }
        open
    }

    /// The destination, opened unless it is open already.
    async fn open_remote(&self, settings: &StorageSettings) -> Result<Option<Remote>> {
        let Some(destined) = self.destined(settings, None).await? else {
            self.keep_opened(None);
            return Ok(None);
        };
        let kept = self.opened().filter(|o| o.destined == destined);
        let (areas, notices) = match (kept, &destined) {
            // A disk may have gone since.
            (Some(kept), Destined::S3(_)) => (kept.areas, kept.notices),
            _ => (open(&destined).await?, None),
        };
        let capabilities = match &destined {
            Destined::Folder(_) => FOLDER,
            Destined::S3(_) => capabilities::remembered(&self.store, settings).await?,
        };
        self.keep_opened(Some(Opened {
            destined,
            areas: areas.clone(),
            notices,
        }));
        Ok(Some(Remote {
            at: stored_at(settings).unwrap_or_default(),
            areas,
            capabilities,
        }))
    }

    /// The queue of the destination's own notices. Without it nothing is lost, so why there is
    /// none is only said.
    async fn open_notices(
        &self,
        settings: &StorageSettings,
        remote: Option<&Remote>,
    ) -> Option<NoticeQueue> {
        let (address, remote) = (settings.notices_queue.as_deref()?, remote?);
        let mut opened = self.opened()?;
        let Destined::S3(both) = &opened.destined else {
            return None;
        };
        if let Some((of, queue)) = opened.notices
            && of == address
        {
            return Some(queue);
        }
        let queue = Url::parse(address).ok()?;
        let notices = NoticeSettings {
            region: region_of(&queue).unwrap_or_else(|| both.0.region.clone()),
            queue,
            credentials: both.0.credentials.clone(),
            watched: remote.watched(),
        };
        match NoticeQueue::open(notices).await {
            Ok(queue) => {
                opened.notices = Some((address.to_owned(), queue.clone()));
                self.keep_opened(Some(opened));
                Some(queue)
            }
            Err(error) => {
                warn!(%error, "the queue of notices cannot be opened");
                let mut status = self
                    .notices_status
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                status.on = true;
                status.error = Some(error.to_string());
                None
            }
        }
    }

    /// The destination that is open.
    pub(super) fn opened(&self) -> Option<Opened> {
        let opened = &self.storage.opened;
        opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep_opened(&self, opened: Option<Opened>) {
        let kept = &self.storage.opened;
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = opened;
    }

    /// Opens the stores by the settings and gives them to everybody. Gives whether all of them
    /// could be opened.
    pub(crate) async fn open_stores(&self) -> bool {
        let _one = self.storage.opening.lock().await;
        let settings = self.storage.settings();
        let before = self.options.stores.now();
        let bandwidth = before.bandwidth.clone();
        let bytes = settings.bandwidth_kbps.map(|k| u64::from(k) * 125);
        if bandwidth.rate() != bytes {
            bandwidth.set(bytes);
        }
        let places = match self.place_roots().await {
            Ok(places) => places,
            Err(error) => {
                warn!(%error, "the places could not be read");
                before.places.clone()
            }
        };
        let moving = self.moving_roots().await.unwrap_or_default();
        let local = self.open_places(&places, &moving).await;
        let whole = local.len() == 3;
        // The places are of use while the destination is being opened.
        self.options.stores.replace(Stores {
            remote: before.remote.clone(),
            remote_error: before.remote_error.clone(),
            notices: before.notices.clone(),
            bandwidth: bandwidth.clone(),
            places: places.clone(),
            local: local.clone(),
        });
        let (remote, remote_error) = match self.open_remote(&settings).await {
            Ok(remote) => (remote, None),
            Err(error) => (None, Some(error.message)),
        };
        if remote_error != before.remote_error {
            match &remote_error {
                Some(error) => warn!(error, "the destination of uploads cannot be opened"),
                None => info!("the destination of uploads can be opened"),
            }
        }
        let origins = match &remote {
            Some(remote) if settings.direct => origins(&remote.areas).await,
            _ => Vec::new(),
        };
        self.storage.set_origins(origins);
        let notices = self.open_notices(&settings, remote.as_ref()).await;
        let all = whole && remote_error.is_none();
        self.options.stores.replace(Stores {
            remote,
            remote_error,
            notices,
            bandwidth,
            places,
            local,
        });
        // Rules may have changed with the settings.
        self.retention.notify_one();
        all
    }

    /// Origins beside our own from which the page loads media.
    pub fn media_origins(&self) -> Arc<[String]> {
        self.storage.origins()
    }

    pub(crate) fn storage_settings(&self) -> StorageSettings {
        self.storage.settings()
    }
}

/// A folder of ours can do everything.
const FOLDER: Capabilities = Capabilities {
    copy: true,
    part_copy: true,
    range: true,
    if_none_match: true,
    multipart: true,
};

/// The region in the host of an SQS address.
fn region_of(queue: &Url) -> Option<String> {
    let host = queue.host_str()?.strip_prefix("sqs.")?;
    let (region, rest) = host.split_once('.')?;
    rest.starts_with("amazonaws.com").then(|| region.to_owned())
}

/// Where signed addresses of these areas lead.
async fn origins(areas: &Areas) -> Vec<String> {
    let mut origins = Vec::new();
    let Ok(key) = ObjectKey::parse("oriel-test/origin") else {
        return origins;
    };
    for area in [&areas.incoming, &areas.produced] {
        let signed = area.presign_get(&key, Duration::from_secs(60)).await;
        let url = signed.ok().and_then(|s| Url::parse(&s.url).ok());
        if let Some(url) = url {
            let origin = url.origin().ascii_serialization();
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
    }
    origins
}

struct Opener(Arc<Nvr>);

/// The task that opens the stores at start, at every change, and until it works.
pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = nvr.storage.again.clone();
    tokio::spawn(async move {
        supervise("stores", Opener(nvr), status, nudge, cancel).await;
    })
}

impl Supervised for Opener {
    type Error = Error;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Error> {
        let begun = Instant::now();
        loop {
            let all = tokio::select! {
                () = cancel.cancelled() => break,
                all = self.0.open_stores() => all,
            };
            let pause = async {
                if all {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(AGAIN).await;
            };
            tokio::select! {
                () = cancel.cancelled() => break,
                () = self.0.storage.again.notified() => {}
                () = pause => {}
            }
        }
        Attempt {
            result: Ok(()),
            healthy_for: begun.elapsed(),
        }
    }

    fn severity(&self, _: &Error) -> Severity {
        Severity::Transient
    }
}

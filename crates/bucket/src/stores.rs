//! All stores in use at present, shared by the roles: what is uploaded to, and the local places
//! of what is made here. Whoever reads the settings replaces them; everybody else asks anew for
//! each piece of work.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use oriel_api::PlaceKind;
use tokio::sync::watch;

use crate::{Areas, Bandwidth, Bucket, Capabilities, Named, NoticeQueue, Watched};

/// Which destination something is at: texts that differ where one has not what another has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredAt {
    /// Segments and snapshots.
    pub incoming: String,
    /// Clips and exports.
    pub produced: String,
}

impl StoredAt {
    /// Where an object is.
    pub fn of(&self, named: &Named) -> &str {
        match named {
            Named::Recording { .. } | Named::Snapshot { .. } => &self.incoming,
            Named::Clip { .. } | Named::Export { .. } => &self.produced,
        }
    }
}

/// The destination of uploads.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Which one it is.
    pub at: StoredAt,
    /// Its areas.
    pub areas: Areas,
    /// What it can do, as last tested; nothing is taken for granted before.
    pub capabilities: Capabilities,
}

impl Remote {
    /// What notices of the destination are about; nothing for a folder, which sends none.
    pub fn watched(&self) -> Vec<Watched> {
        let mut watched = Vec::new();
        for area in [&self.areas.incoming, &self.areas.produced] {
            if let Bucket::S3(s3) = area {
                let of_area = Watched {
                    bucket: s3.settings().bucket.clone(),
                    prefix: s3.settings().prefix.clone(),
                };
                if !watched.contains(&of_area) {
                    watched.push(of_area);
                }
            }
        }
        watched
    }
}

/// The stores at one moment.
#[derive(Clone, Debug)]
pub struct Stores {
    /// The destination of uploads, when one is set and can be opened.
    pub remote: Option<Remote>,
    /// Why there is no destination although one is set.
    pub remote_error: Option<String>,
    /// The queue with the destination's own notices, when one is set and its address is right.
    pub notices: Option<NoticeQueue>,
    /// The limit that all uploads share.
    pub bandwidth: Arc<Bandwidth>,
    /// Root folder of each place; keys are paths below it.
    pub places: BTreeMap<PlaceKind, PathBuf>,
    /// The places of snapshots, clips and exports as stores; one that cannot be opened is
    /// absent.
    pub local: BTreeMap<PlaceKind, Bucket>,
}

impl Stores {
    /// No destination and no places.
    pub fn none() -> Self {
        Self {
            remote: None,
            remote_error: None,
            notices: None,
            bandwidth: Arc::new(Bandwidth::new(None)),
            places: BTreeMap::new(),
            local: BTreeMap::new(),
        }
    }

    /// The local place of an object, when it has one as a store. Segments have none: the spool
    /// has them.
    pub fn local_of(&self, named: &Named) -> Option<&Bucket> {
        self.local.get(&place_of(named))
    }

    /// The area of the destination for an object.
    pub fn remote_of(&self, named: &Named) -> Option<&Bucket> {
        self.remote.as_ref().map(|r| r.areas.of(named))
    }
}

/// Which place an object of this kind has.
pub fn place_of(named: &Named) -> PlaceKind {
    match named {
        Named::Recording { .. } => PlaceKind::Recordings,
        Named::Snapshot { .. } => PlaceKind::Snapshots,
        Named::Clip { .. } => PlaceKind::Clips,
        Named::Export { .. } => PlaceKind::Exports,
    }
}

/// The stores as they change. Cheap to clone; all clones see the same.
#[derive(Clone, Debug)]
pub struct SharedStores(Arc<watch::Sender<Arc<Stores>>>);

impl Default for SharedStores {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(Stores::none()))))
    }
}

impl SharedStores {
    /// The stores of this moment.
    pub fn now(&self) -> Arc<Stores> {
        self.0.borrow().clone()
    }

    /// Replaces them.
    pub fn replace(&self, stores: Stores) {
        self.0.send_replace(Arc::new(stores));
    }

    /// Tells when they are replaced.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Stores>> {
        self.0.subscribe()
    }
}

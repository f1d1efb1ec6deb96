//! What the nvr holds of storage in memory.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use oriel_api::StorageSettings;
use tokio::sync::Notify;

use super::open::Opened;

/// Settings as they are, and what was opened by them.
#[derive(Default)]
pub(crate) struct StorageState {
    settings: RwLock<StorageSettings>,
    /// The destination that is open.
    pub(super) opened: Mutex<Option<Opened>>,
    /// Origins from which browsers fetch directly.
    origins: RwLock<Arc<[String]>>,
    /// One opening at a time.
    pub(super) opening: tokio::sync::Mutex<()>,
    /// The stores are to be opened again.
    pub(super) again: Arc<Notify>,
}

impl StorageState {
    pub(crate) fn settings(&self) -> StorageSettings {
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set(&self, settings: StorageSettings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = settings;
    }

    pub(super) fn origins(&self) -> Arc<[String]> {
        self.origins
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_origins(&self, origins: Vec<String>) {
        *self.origins.write().unwrap_or_else(PoisonError::into_inner) = origins.into();
    }
}

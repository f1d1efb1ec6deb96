//! Operations on storage: where footage goes, and how that stands.
//!
//! What does not belong here: the queue of uploads, and moving or deleting files.

mod capabilities;
mod folder;
mod names;
mod open;
mod settings;
mod state;
mod stored_at;
mod test;

use std::sync::{Arc, PoisonError};

use oriel_api::{Destination, Empty, Result, Storage, StorageSettings, StorageUpdate};
use oriel_bucket::FolderBucket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::info;

pub(crate) use self::{
    folder::{KINDS, looked},
    state::StorageState,
    stored_at::stored_at,
};
use self::{open::KEYS, settings::KeysChange};
use crate::{Nvr, logins::blocking};

/// The tasks of storage.
pub(crate) fn spawn(nvr: &Arc<Nvr>, cancel: &CancellationToken) -> [JoinHandle<()>; 2] {
    [
        open::spawn(nvr.clone(), cancel.clone()),
        names::spawn(nvr.clone(), cancel.clone()),
    ]
}

/// The settings in the database.
const SETTINGS: &str = "storage";

impl Nvr {
    /// Reads what is kept; at start.
    pub(crate) async fn load_storage(&self) -> Result<()> {
        let text = self.store.setting(SETTINGS).await?;
        let mut settings = text.as_deref().map(settings::from_text).unwrap_or_default();
        // A secret store that cannot be read is told when the destination is opened.
        settings.has_keys = match self.storage_keys().await {
            Ok(keys) => keys.is_some(),
            Err(_) => settings.destination == Destination::S3,
        };
        self.storage.set(settings);
        Ok(())
    }

    /// How storage stands.
    pub(crate) async fn storage(&self) -> Result<Storage> {
        let disk = self.disk_state.lock();
        let disk = disk.unwrap_or_else(PoisonError::into_inner).clone();
        let mut uploads = self.uploads_now().await?;
        let notices = self.notices_status.lock();
        let notices = notices.unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(error) = &self.options.stores.now().remote_error {
            uploads.state = oriel_api::UploadState::Stopped;
            uploads.error = Some(error.clone());
        }
        Ok(Storage {
            settings: self.storage_settings(),
            disk,
            uploads,
            notices,
            places: self.places().await?,
            approved_roots: self
                .approved_roots()
                .iter()
                .map(|r| r.display().to_string())
                .collect(),
        })
    }

    pub(crate) async fn update_storage(&self, input: StorageUpdate) -> Result<Storage> {
        let _editing = self.editing.lock().await;
        let before = self.storage_settings();
        let (mut settings, keys) = settings::overlaid(before.clone(), input)?;
        // A folder whose disk is away for now hinders no other change.
        let chosen = |s: &StorageSettings| s.destination == Destination::Folder;
        let moved = settings.folder != before.folder || (chosen(&settings) && !chosen(&before));
        if moved && let Some(given) = &settings.folder {
            let folder = self.destination_folder(given).await?;
            settings.folder = folder.to_str().map(str::to_owned);
            if chosen(&settings) {
                FolderBucket::set_up(&folder).await?;
            }
        }
        // The key first: settings that ask for a key that is not there would stop uploads.
        match keys {
            KeysChange::Replace(keys) => {
                let text = keys.text();
                blocking(&self.secrets, move |s| s.set(KEYS, &text)).await?;
            }
            KeysChange::Forget => blocking(&self.secrets, |s| s.delete(KEYS)).await?,
            KeysChange::Stay => {}
        }
        let text = settings::to_text(&settings)?;
        self.store.setting_set(SETTINGS, text).await?;
        self.storage.set(settings.clone());
        self.uploads.settings_changed();
        info!(destination = ?settings.destination, "storage set");
        // A chain of credentials may take its time; the task goes on with it.
        self.storage.again.notify_one();
        let opening = self.open_stores();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), opening).await;
        self.storage().await
    }

    /// Tries again at once what waits or has stopped.
    pub(crate) async fn retry_storage(&self, _: Empty) -> Result<Storage> {
        self.storage.again.notify_one();
        self.hurry_uploads().await?;
        self.storage().await
    }
}

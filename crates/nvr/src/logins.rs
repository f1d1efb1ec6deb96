//! Cameras' credentials: kept in the secret store, their user names remembered for showing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use oriel_api::{CameraId, Credentials, Error, Result, link::credentials_key};
use oriel_secrets::{SecretError, SecretStore, get_credentials, set_credentials};
use tracing::warn;

/// What may be shown of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) username: String,
    pub(crate) has_password: bool,
}

pub(crate) struct Logins {
    secrets: Arc<dyn SecretStore>,
    shown: Mutex<HashMap<CameraId, Shown>>,
}

/// A fault of the secret store, said to a caller.
pub(crate) fn refused(error: SecretError) -> Error {
    match error {
        SecretError::TooLong => {
            Error::invalid("User name and password are too long: 1000 bytes together at most.")
        }
        other => Error::unavailable(other.to_string()),
    }
}

/// Runs a call of the secret store where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    secrets: &Arc<dyn SecretStore>,
    call: impl FnOnce(&dyn SecretStore) -> Result<T, SecretError> + Send + 'static,
) -> Result<T> {
    let secrets = secrets.clone();
    tokio::task::spawn_blocking(move || call(secrets.as_ref()))
        .await
        .map_err(Error::internal)?
        .map_err(refused)
}

impl Logins {
    pub(crate) fn new(secrets: Arc<dyn SecretStore>) -> Self {
        Self {
            secrets,
            shown: Mutex::default(),
        }
    }

    fn remember(&self, camera: &CameraId, credentials: Option<&Credentials>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match credentials {
            Some(c) => shown.insert(
                camera.clone(),
                Shown {
                    username: c.username.clone(),
                    has_password: !c.password.expose().is_empty(),
                },
            ),
            None => shown.remove(camera),
        };
    }

    /// What may be shown.
    pub(crate) fn shown(&self, camera: &CameraId) -> Option<Shown> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.get(camera).cloned()
    }

    /// Reads all, so that user names can be shown. A camera whose credentials cannot be read is
    /// shown without.
    pub(crate) async fn load(&self, cameras: impl IntoIterator<Item = CameraId>) {
        for camera in cameras {
            match self.get(&camera).await {
                Ok(credentials) => self.remember(&camera, credentials.as_ref()),
                Err(error) => warn!(%camera, %error, "credentials cannot be read"),
            }
        }
    }

    /// What is kept. Something that cannot be understood counts as nothing, so that it can be
    /// entered again; a store that cannot be used is an error.
    pub(crate) async fn get(&self, camera: &CameraId) -> Result<Option<Credentials>> {
        let key = credentials_key(camera);
        blocking(&self.secrets, move |s| match get_credentials(s, &key) {
            Err(error @ SecretError::BadCredentials) => {
                warn!(key, %error, "credentials are ignored");
                Ok(None)
            }
            other => other,
        })
        .await
    }

    /// Keeps these credentials, or none.
    pub(crate) async fn put(
        &self,
        camera: &CameraId,
        credentials: Option<Credentials>,
    ) -> Result<()> {
        let key = credentials_key(camera);
        let kept = credentials.clone();
        blocking(&self.secrets, move |s| match &kept {
            Some(c) => set_credentials(s, &key, c),
            None => s.delete(&key),
        })
        .await?;
        self.remember(camera, credentials.as_ref());
        Ok(())
    }
}

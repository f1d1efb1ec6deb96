//! The operating system's keyring.
//!
//! A locked keyring on Linux answers a read with "no such entry". So an entry that always
//! exists is written at the first use; when a secret is not found, that entry is looked at, and
//! if it is not found either the keyring is locked or another one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use keyring_core::{CredentialStore, Error as KeyringError};
use oriel_api::Secret;

use crate::{Place, Result, SecretError, SecretStore, check_key, check_value};

/// A keyring that does not answer for so long counts as unusable.
pub const CALL_DEADLINE: Duration = Duration::from_secs(5);

/// Entries are seen by people in their keyring's window.
const SERVICE: &str = "Oriel recorder";
const ALWAYS_THERE: &str = "check";
const ALWAYS_THERE_VALUE: &str = "present";
/// Calls that never came back. Each holds a thread, so there is an end to trying.
const MOST_STUCK: usize = 4;

#[cfg(target_os = "linux")]
fn platform() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "windows")]
fn platform() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn platform() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(not(any(target_os = "linux", target_os = "windows", target_os = "macos")))]
fn platform() -> keyring_core::Result<Arc<CredentialStore>> {
    Err(KeyringError::NoDefaultStore)
}

struct Connection {
    store: Mutex<Option<Arc<CredentialStore>>>,
    stuck: AtomicUsize,
}

/// The entries of one data folder in this user's keyring.
pub(crate) struct Keyring {
    instance: String,
    connection: Arc<Connection>,
}

type Work<T> = Box<dyn FnOnce(&CredentialStore) -> keyring_core::Result<T> + Send>;

impl Keyring {
    /// Nothing is asked of the keyring yet. `instance` keeps the entries of two data folders
    /// apart.
    pub(crate) fn new(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            connection: Arc::new(Connection {
                store: Mutex::new(None),
                stuck: AtomicUsize::new(0),
            }),
        }
    }

    /// Writes, reads and deletes an entry, then writes the one that stays. After this the
    /// keyring is known to keep things.
    pub(crate) fn prove(&self) -> Result<()> {
        let (canary, check) = (self.user("canary"), self.user(ALWAYS_THERE));
        self.call(CALL_DEADLINE, move |store| {
            let entry = store.build(SERVICE, &canary, None)?;
            entry.set_password("canary")?;
            if entry.get_password()? != "canary" {
                return Err(KeyringError::BadStoreFormat(
                    "what was written is not what is read".into(),
                ));
            }
            entry.delete_credential()?;
            store
                .build(SERVICE, &check, None)?
                .set_password(ALWAYS_THERE_VALUE)
        })
    }

    fn check_there(&self, deadline: Duration) -> Result<()> {
        let check = self.user(ALWAYS_THERE);
        self.call(deadline, move |store| {
            store.build(SERVICE, &check, None)?.get_password()
        })
        .map(drop)
    }

    fn user(&self, key: &str) -> String {
        format!("{}/{key}", self.instance)
    }

    fn call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&CredentialStore) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.try_call(deadline, Box::new(work))?
            .map_err(|e| match e {
                KeyringError::NoEntry => {
                    unusable("it is locked, or it belongs to another user or desktop session.")
                }
                other => unusable(&explain(&other)),
            })
    }

    /// Runs `work` on a thread of its own: D-Bus has no deadline, and a keyring may show a
    /// prompt that nobody answers.
    fn try_call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: Work<T>,
    ) -> Result<keyring_core::Result<T>> {
        let connection = self.connection.clone();
        if connection.stuck.fetch_add(1, Ordering::SeqCst) >= MOST_STUCK {
            connection.stuck.fetch_sub(1, Ordering::SeqCst);
            return Err(unusable("it has stopped answering."));
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("keyring".into());
        let spawned = thread.spawn(move || {
            let result = run(&connection, work);
            connection.stuck.fetch_sub(1, Ordering::SeqCst);
            // The caller may have given up; the answer is then for nobody.
            let _ = answer.send(result);
        });
        if spawned.is_err() {
            self.connection.stuck.fetch_sub(1, Ordering::SeqCst);
            return Err(unusable("no thread could be started for it."));
        }
        answered
            .recv_timeout(deadline)
            .map_err(|_| unusable("it did not answer in time."))
    }
}

fn run<T>(connection: &Connection, work: Work<T>) -> keyring_core::Result<T> {
    // The lock is not held while the keyring works: one stuck call must not hold the others.
    let held = |c: &Connection| {
        c.store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    };
    let store = match held(connection) {
        Some(store) => store,
        None => platform()?,
    };
    let result = work(store.as_ref());
    let keep = match &result {
        Ok(_) | Err(KeyringError::NoEntry) => Some(store),
        // The bus may have been restarted: connect anew at the next call.
        Err(_) => None,
    };
    *connection
        .store
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = keep;
    result
}

fn unusable(reason: &str) -> SecretError {
    SecretError::KeyringUnusable {
        reason: reason.to_owned(),
    }
}

/// The keyring's words, without the variants that carry bytes of an entry.
fn explain(error: &KeyringError) -> String {
    match error {
        KeyringError::PlatformFailure(e) => format!("{e}."),
        KeyringError::NoStorageAccess(_) => "it is locked.".into(),
        KeyringError::NoDefaultStore => "this system has none.".into(),
        KeyringError::Ambiguous(_) => "it holds an entry twice.".into(),
        KeyringError::BadStoreFormat(_) => "it does not give back what it was given.".into(),
        _ => "it refused.".into(),
    }
}

impl SecretStore for Keyring {
    fn get(&self, key: &str) -> Result<Option<Secret>> {
        check_key(key)?;
        let user = self.user(key);
        let result = self.try_call(
            CALL_DEADLINE,
            Box::new(move |store| store.build(SERVICE, &user, None)?.get_password()),
        )?;
        match result {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(KeyringError::NoEntry) => self.check_there(CALL_DEADLINE).map(|()| None),
            Err(e) => Err(unusable(&explain(&e))),
        }
    }

    fn set(&self, key: &str, value: &Secret) -> Result<()> {
        check_key(key)?;
        check_value(value)?;
        let (user, value) = (self.user(key), value.clone());
        self.call(CALL_DEADLINE, move |store| {
            store
                .build(SERVICE, &user, None)?
                .set_password(value.expose())
        })
    }

    fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let user = self.user(key);
        let result = self.try_call(
            CALL_DEADLINE,
            Box::new(move |store| store.build(SERVICE, &user, None)?.delete_credential()),
        )?;
        match result {
            Ok(()) => Ok(()),
            Err(KeyringError::NoEntry) => self.check_there(CALL_DEADLINE),
            Err(e) => Err(unusable(&explain(&e))),
        }
    }

    fn place(&self) -> Place {
        Place::Keyring
    }
}

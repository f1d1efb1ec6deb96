//! Where secrets are kept: the operating system's keyring, or an encrypted file when there is
//! no usable keyring, or memory in tests.
//!
//! The place is chosen once per data folder and written down there. A keyring that cannot be
//! used later is an error with a reason at each call, never an empty store: passwords must not
//! seem to vanish. Every call blocks (the keyring by up to [`CALL_DEADLINE`]), so callers on an
//! async runtime use `spawn_blocking`.
//!
//! What does not belong here: what the secrets mean, who may read them, and any log line with
//! one in it.

mod credentials;
mod error;
mod keyring;
mod memory;
mod open;
mod private;
mod sealed;
mod split;

use oriel_api::Secret;

pub use credentials::{get_credentials, set_credentials};
pub use error::SecretError;
pub use keyring::CALL_DEADLINE;
pub use memory::MemoryStore;
pub use open::{PASSPHRASE_FILE_VARIABLE, Preference, open};
/// Where a store keeps its secrets.
pub use oriel_api::SecretsPlace as Place;

/// Result of a call to a store.
pub type Result<T, E = SecretError> = std::result::Result<T, E>;

/// Keeps small secret texts by key. All calls block.
pub trait SecretStore: Send + Sync {
    /// The secret under this key; `None` when none was ever set or it was deleted.
    fn get(&self, key: &str) -> Result<Option<Secret>>;

    /// Keeps a secret, replacing the one before. On return it has reached the keyring or disk.
    fn set(&self, key: &str, value: &Secret) -> Result<()>;

    /// Forgets a secret. Succeeds when there is none.
    fn delete(&self, key: &str) -> Result<()>;

    /// Where the secrets are.
    fn place(&self) -> Place;
}

/// Keys name a row in foreign stores, so their alphabet and length are closed.
fn check_key(key: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    if (1..=100).contains(&key.len()) && key.bytes().all(allowed) {
        Ok(())
    } else {
        Err(SecretError::BadKey)
    }
}

/// Longest secret that every store takes: Windows allows 2560 bytes of UTF-16.
pub const LONGEST: usize = 1200;

fn check_value(value: &Secret) -> Result<()> {
    if value.expose().len() <= LONGEST {
        Ok(())
    } else {
        Err(SecretError::TooLong)
    }
}

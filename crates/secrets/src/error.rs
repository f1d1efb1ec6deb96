//! What can go wrong with a store, said to the person who can mend it.

use std::path::PathBuf;

/// Why a secret cannot be read or kept. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The secrets of this folder are in a keyring that cannot be used now.
    #[error(
        "The passwords of this recorder are in the system keyring, which cannot be used now: {reason} \
         Unlock the keyring and start again."
    )]
    KeyringUnusable {
        /// What the keyring said.
        reason: String,
    },
    /// A keyring was asked for by name and there is none that works.
    #[error("There is no usable system keyring: {reason}")]
    NoKeyring {
        /// What was tried and failed.
        reason: String,
    },
    /// The folder remembers another place than the one asked for.
    #[error(
        "The passwords of this recorder are kept in the {kept}, but the settings ask for the {asked}. \
         Change the setting back, or remove {} and enter the passwords again.",
        marker.display()
    )]
    OtherPlace {
        /// Where they are.
        kept: &'static str,
        /// What was asked for.
        asked: &'static str,
        /// The file that remembers the place.
        marker: PathBuf,
    },
    /// A file of the store is damaged.
    #[error("{} is damaged: {reason} Restore it from a backup, or remove it and enter the passwords again.", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file of the store is gone.
    #[error("{} is missing, so the passwords cannot be read. Restore it from a backup.", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives no random bytes.
    #[error("The system gives no random numbers.")]
    NoRandomness,
    /// The key is not one a store takes.
    #[error("A secret's key is 1 to 100 characters of a-z, 0-9 and /-_. only.")]
    BadKey,
    /// The secret is longer than every store takes.
    #[error("A secret may be {} bytes long at most.", crate::LONGEST)]
    TooLong,
    /// What is kept under the key is not what was expected.
    #[error("The kept credentials have an unknown form. Enter them again.")]
    BadCredentials,
}

//! What can go wrong with the database, said so that a person can act.

use std::path::PathBuf;

use oriel_api::{Error, ErrorCode};
use rusqlite::ffi;

/// Why a storage call failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or made.
    #[error("The database {path} cannot be opened: {cause}")]
    Open {
        /// File.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The file was written by a newer version.
    #[error(
        "The database {path} was written by a newer Oriel (schema {found}, this version knows {known}). Install that version, or put back the copy that was made beside it before the upgrade."
    )]
    Newer {
        /// File.
        path: PathBuf,
        /// Schema number in the file.
        found: i64,
        /// Newest schema number this version knows.
        known: i64,
    },
    /// A SQLite file of another program.
    #[error("{path} is not a database of Oriel.")]
    Foreign {
        /// File.
        path: PathBuf,
    },
    /// The file is damaged, or no SQLite file at all.
    #[error(
        "The database {path} is damaged ({cause}). Move it away and put back a copy; footage on disk is adopted again by `orield check --repair`."
    )]
    Damaged {
        /// File.
        path: PathBuf,
        /// What SQLite said.
        cause: String,
    },
    /// The copy before a migration could not be made; nothing was changed.
    #[error("The copy of the database before the upgrade could not be made: {0}")]
    Copy(String),
    /// A migration failed; the file is as it was.
    #[error("The database could not be upgraded: {0}")]
    Migration(String),
    /// The disk is full.
    #[error("The disk with the database is full.")]
    Full,
    /// The store was closed.
    #[error("The database is closed.")]
    Closed,
    /// What was referred to is not there.
    #[error("There is no such {0}.")]
    NoSuch(&'static str),
    /// Another camera has this address.
    #[error("A camera with this address exists already.")]
    AddressTaken,
    /// The camera has a channel.
    #[error("This camera has a channel already.")]
    HasChannel,
    /// A second of one channel is full of snapshots.
    #[error("There are too many snapshots of this moment already.")]
    Crowded,
    /// A fault of ours or of SQLite.
    #[error("Database: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// A stored value is not one that this version writes.
    #[error("The database holds a value that cannot be read: {0}")]
    Value(String),
    /// A piece of work on the database panicked; its transaction was rolled back.
    #[error("A database call broke off.")]
    BrokeOff,
}

impl StoreError {
    /// Whether SQLite calls the file damaged or not a database.
    pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
        matches!(
            error.sqlite_error_code(),
            Some(ffi::ErrorCode::DatabaseCorrupt | ffi::ErrorCode::NotADatabase)
        )
    }

    /// Whether this is a violated constraint on the named column or index.
    pub(crate) fn is_unique_violation(error: &rusqlite::Error, column: &str) -> bool {
        match error {
            rusqlite::Error::SqliteFailure(failure, Some(message)) => {
                failure.code == ffi::ErrorCode::ConstraintViolation && message.contains(column)
            }
            _ => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ffi::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Error::new(ErrorCode::StorageUnavailable, error.to_string()),
            StoreError::Closed => Error::unavailable("Oriel is stopping."),
            StoreError::NoSuch(_) => Error::not_found(error.to_string()),
            StoreError::AddressTaken | StoreError::HasChannel | StoreError::Crowded => {
                Error::conflict(error.to_string())
            }
            other => Error::internal(other),
        }
    }
}

//! Local files of what is made here: snapshots, clips, exports.

use oriel_api::{Error, ErrorCode, Result};
use oriel_bucket::{Bucket, BucketError, ObjectKey};

use crate::Nvr;

/// Reads the key of a row.
pub(crate) fn key_of(text: &str) -> Result<ObjectKey> {
    ObjectKey::parse(text).map_err(Error::internal)
}

/// A failure of a local place, which somebody may put right.
pub(crate) fn place_failed(error: BucketError) -> Error {
    match error {
        BucketError::NotFound => error.into(),
        other => Error::new(ErrorCode::StorageUnavailable, other.to_string()),
    }
}

impl Nvr {
    /// Whether a destination of uploads is set.
    pub(crate) fn has_remote(&self) -> bool {
        self.options.stores.now().remote.is_some()
    }

    /// The local place of an object.
    pub(crate) fn local_place(&self, key: &ObjectKey) -> Result<Bucket> {
        let stores = self.options.stores.now();
        let place = key.named().and_then(|n| stores.local_of(&n).cloned());
        place.ok_or_else(|| {
            Error::new(
                ErrorCode::StorageUnavailable,
                "The folder for these files cannot be used. The storage page says why.",
            )
        })
    }

    /// Deletes the local file of an object, if there is one.
    pub(crate) async fn delete_local(&self, key: &str) -> Result<()> {
        let key = key_of(key)?;
        self.local_place(&key)?
            .delete(&key)
            .await
            .map_err(place_failed)
    }
}

//! Operations on storage: where footage goes, and how that stands.

use oriel_api::{
    Empty, Error, PlaceUpdate, Result, Storage, StorageTest, StorageTestReport, StorageUpdate,
};

use crate::Nvr;

impl Nvr {
    pub(crate) async fn storage(&self) -> Result<Storage> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn update_storage(&self, _: StorageUpdate) -> Result<Storage> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn test_storage(&self, _: StorageTest) -> Result<StorageTestReport> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn retry_storage(&self, _: Empty) -> Result<Storage> {
        Err(Error::unavailable("Not built yet."))
    }
    pub(crate) async fn update_place(&self, _: PlaceUpdate) -> Result<Storage> {
        Err(Error::unavailable("Not built yet."))
    }
}

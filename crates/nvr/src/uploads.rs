//! The upload queue: what the worker asks of it and tells it.

use async_trait::async_trait;
use oriel_api::{
    Error, NoticesStatus, Result, Timestamp, UploadStatus,
    link::{UploadDone, UploadId, UploadQueue, UploadTask},
};

use crate::Nvr;

#[async_trait]
impl UploadQueue for Nvr {
    async fn uploads_due(&self, _: &[UploadId], _: usize) -> Result<Vec<UploadTask>> {
        Err(Error::unavailable("Not built yet."))
    }
    async fn uploads_next(&self) -> Result<Option<Timestamp>> {
        Err(Error::unavailable("Not built yet."))
    }
    async fn upload_parts(&self, _: UploadId, _: Option<String>) -> Result<()> {
        Err(Error::unavailable("Not built yet."))
    }
    async fn upload_done(&self, _: UploadId, _: UploadDone) -> Result<()> {
        Err(Error::unavailable("Not built yet."))
    }
    async fn upload_failed(&self, _: UploadId, _: String, _: Timestamp) -> Result<()> {
        Err(Error::unavailable("Not built yet."))
    }
    async fn upload_impossible(&self, _: UploadId, _: String) -> Result<()> {
        Err(Error::unavailable("Not built yet."))
    }
    fn uploads_changed(&self, _: UploadStatus) {}
    fn notices_changed(&self, _: NoticesStatus) {}
    async fn object_noticed(&self, _: &str, _: u64) -> Result<bool> {
        Err(Error::unavailable("Not built yet."))
    }
}

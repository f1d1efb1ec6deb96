//! The upload queue, as the worker sees it. The nvr keeps it in its database.

use async_trait::async_trait;

use crate::{NoticesStatus, Result, Timestamp, UploadStatus};

/// Number of a queued upload.
pub type UploadId = i64;

/// An object to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadTask {
    /// Number; grows.
    pub id: UploadId,
    /// Where it goes, relative: `recordings/…`, `snapshots/…`, `clips/…` or `exports/…`. It also
    /// says which local file it is.
    pub key: String,
    /// Size, as the row has it.
    pub bytes: u64,
    /// What its bytes must be, when known.
    pub sha256: Option<[u8; 32]>,
    /// An upload in parts that was begun, by the store's name for it.
    pub multipart: Option<String>,
    /// How often it was tried.
    pub tries: u32,
}

/// An object that the store has and that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadDone {
    /// Where it is.
    pub key: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// Which destination has it, as the stores it was sent by call it.
    pub at: String,
}

/// How uploading is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadPlan {
    /// Uploads at a time, 1 to 16.
    pub at_once: usize,
    /// Minutes of the day, in this computer's time zone, from which and to which uploads run; may
    /// reach over midnight. `None` is always.
    pub hours: Option<(u16, u16)>,
}

/// The queue: oldest first. Every call is idempotent.
#[async_trait]
pub trait UploadQueue: Send + Sync {
    /// The oldest that are due and not among `busy`, at most `limit`; those waiting for a later
    /// try are left out.
    async fn uploads_due(&self, busy: &[UploadId], limit: usize) -> Result<Vec<UploadTask>>;
    /// How uploading is to be done, as set at present.
    fn upload_plan(&self) -> UploadPlan;
    /// Returns when there may be more to do: something was queued, or somebody wants it tried
    /// again at once (`true`).
    async fn uploads_wait(&self) -> bool;
    /// When the next upload that waits for a later try is due.
    async fn uploads_next(&self) -> Result<Option<Timestamp>>;
    /// An upload in parts was begun, or given up (`None`). Fails when nobody wants the object any
    /// more.
    async fn upload_parts(&self, task: &UploadTask, multipart: Option<String>) -> Result<()>;
    /// The store has it.
    async fn upload_done(&self, id: UploadId, done: UploadDone) -> Result<()>;
    /// It did not work and is to be tried again, not before this moment.
    async fn upload_failed(&self, id: UploadId, error: String, retry_at: Timestamp) -> Result<()>;
    /// It can never be uploaded, and why: the local file is `gone`, or is not what was recorded.
    async fn upload_impossible(&self, id: UploadId, reason: String, gone: bool) -> Result<()>;
    /// How uploading stands, whenever that changes; at most once a second.
    fn uploads_changed(&self, status: UploadStatus);
    /// How the bucket's own notices stand, whenever that changes.
    fn notices_changed(&self, status: NoticesStatus);
    /// The bucket says that it has an object of this size. The same effect as
    /// [`UploadQueue::upload_done`] when it is one of ours; gives whether it was.
    async fn object_noticed(&self, key: &str, bytes: u64) -> Result<bool>;
}

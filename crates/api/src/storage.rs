//! Where footage goes besides this disk, how long it stays, and how that stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Scoped, Secret, Timestamp};

/// What segments are uploaded to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// Nothing: footage stays on this disk.
    #[default]
    None,
    /// An S3-compatible service.
    S3,
    /// A folder: a second disk or a mounted share.
    Folder,
}

/// How the bucket's name gets into the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BucketAddressing {
    /// `https://host/bucket/key`: MinIO, Garage and most servers of one's own.
    #[default]
    Path,
    /// `https://bucket.host/key`: AWS.
    VirtualHost,
}

/// Where the access key comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BucketCredentials {
    /// Entered here; kept in the secret store.
    #[default]
    Keys,
    /// The standard AWS environment and profile chain of this computer.
    Chain,
}

/// Hours of the day in which uploads run, in this computer's time zone. May reach over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadWindow {
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`, the first minute outside.
    pub to: String,
}

/// What the owner has set for storage. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorageSettings {
    /// What segments are uploaded to.
    pub destination: Destination,
    /// Address of the S3 service, `https://host[:port]`; absent is AWS in the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region; `us-east-1` or `auto` where the service has none.
    pub region: String,
    /// Bucket for what comes in: recordings and snapshots.
    pub bucket: String,
    /// What comes before every key.
    pub prefix: String,
    /// Bucket for what is made: clips and exports; absent is the same bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced_bucket: Option<String>,
    /// What comes before every key of what is made; absent is the same prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced_prefix: Option<String>,
    /// Where the bucket's name goes.
    pub addressing: BucketAddressing,
    /// Where the access key comes from.
    pub credentials: BucketCredentials,
    /// Whether an access key is kept in the secret store.
    pub has_keys: bool,
    /// Profile of the chain; absent is `AWS_PROFILE` or `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The folder of the destination `folder`, below an approved root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Browsers fetch from the bucket by its own signed addresses; otherwise through this
    /// recorder. Needs CORS on the bucket.
    pub direct: bool,
    /// Uploads at a time, 1 to 16.
    #[schemars(range(min = 1, max = 16))]
    pub uploads_at_once: u32,
    /// Limit of all uploads together, kilobits per second; absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_kbps: Option<u32>,
    /// When uploads run; absent is always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<UploadWindow>,
    /// Hours for which a local copy is kept after its upload; absent is as long as space allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_local_hours: Option<u32>,
    /// Days for which footage is kept where a channel has no rule of its own; absent is as long
    /// as space allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// Days for which recordings and snapshots are kept in the bucket; absent is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_days: Option<u32>,
    /// Free space on the disk below which the oldest footage is deleted early, in MB; absent is
    /// a twentieth of the disk, at most 20 GB and half of what footage and free space are together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_mb: Option<u32>,
    /// Age and quota may delete what still waits for its upload.
    pub delete_unuploaded: bool,
    /// Address of an SQS queue with the bucket's events; absent is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices_queue: Option<String>,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            destination: Destination::None,
            endpoint: None,
            region: "us-east-1".into(),
            bucket: String::new(),
            prefix: String::new(),
            produced_bucket: None,
            produced_prefix: None,
            addressing: BucketAddressing::Path,
            credentials: BucketCredentials::Keys,
            has_keys: false,
            profile: None,
            folder: None,
            direct: false,
            uploads_at_once: 2,
            bandwidth_kbps: None,
            window: None,
            keep_local_hours: None,
            retention_days: None,
            bucket_days: None,
            reserve_mb: None,
            delete_unuploaded: false,
            notices_queue: None,
        }
    }
}

/// A change of the storage settings; absent fields stay. Empty text and 0 take a setting away.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StorageUpdate {
    /// What segments are uploaded to.
    #[serde(default)]
    pub destination: Option<Destination>,
    /// Address of the S3 service; empty is AWS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Region.
    #[serde(default)]
    pub region: Option<String>,
    /// Bucket for what comes in.
    #[serde(default)]
    pub bucket: Option<String>,
    /// What comes before every key.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Bucket for what is made; empty is the same.
    #[serde(default)]
    pub produced_bucket: Option<String>,
    /// Prefix for what is made; empty is the same.
    #[serde(default)]
    pub produced_prefix: Option<String>,
    /// Where the bucket's name goes.
    #[serde(default)]
    pub addressing: Option<BucketAddressing>,
    /// Where the access key comes from.
    #[serde(default)]
    pub credentials: Option<BucketCredentials>,
    /// Access key id.
    #[serde(default)]
    pub key_id: Option<Secret>,
    /// Secret access key.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// Profile of the chain.
    #[serde(default)]
    pub profile: Option<String>,
    /// The folder, below an approved root.
    #[serde(default)]
    pub folder: Option<String>,
    /// Browsers fetch from the bucket.
    #[serde(default)]
    pub direct: Option<bool>,
    /// Uploads at a time, 1 to 16.
    #[serde(default)]
    pub uploads_at_once: Option<u32>,
    /// Limit in kilobits per second, 0 for none.
    #[serde(default)]
    pub bandwidth_kbps: Option<u32>,
    /// When uploads run; the same time twice is always.
    #[serde(default)]
    pub window: Option<UploadWindow>,
    /// Hours for local copies after upload, 1 to 8760; 0 is as long as space allows.
    #[serde(default)]
    pub keep_local_hours: Option<u32>,
    /// Days, 1 to 3650; 0 is as long as space allows.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// Days in the bucket, 1 to 3650; 0 is for ever.
    #[serde(default)]
    pub bucket_days: Option<u32>,
    /// Reserve in MB; 0 is automatic.
    #[serde(default)]
    pub reserve_mb: Option<u32>,
    /// Age and quota may delete what still waits for its upload.
    #[serde(default)]
    pub delete_unuploaded: Option<bool>,
    /// Address of an SQS queue; empty is off.
    #[serde(default)]
    pub notices_queue: Option<String>,
}
impl Scoped for StorageUpdate {}

/// How full the disk is, as steps of a ladder.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DiskLevel {
    /// There is room.
    #[default]
    Ok,
    /// The reserve comes near.
    Low,
    /// The reserve is touched: the oldest footage is being deleted early.
    Deleting,
    /// Nothing more may be written: recording has stopped.
    Stopped,
    /// The disk with the recordings is not there, or is another one.
    Missing,
    /// The disk cannot be written.
    ReadOnly,
}

/// The disk with the recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiskState {
    /// Which step of the ladder.
    pub level: DiskLevel,
    /// What that means and what to do; empty when all is well.
    pub message: String,
    /// Bytes free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// Size of the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Free bytes that are kept.
    pub reserve: u64,
}

/// What the upload queue does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// No destination is set.
    #[default]
    Off,
    /// Everything is uploaded.
    Idle,
    /// Uploading.
    Uploading,
    /// Waiting for the hours in which uploads run.
    OutsideWindow,
    /// The destination is out of reach or faulty for the moment; tried again by itself.
    Retrying,
    /// Somebody has to put something right at the destination.
    Stopped,
}

/// How the upload queue stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UploadStatus {
    /// What it does.
    pub state: UploadState,
    /// Objects that wait.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// When the oldest of them was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// Measured over the last seconds; 0 when nothing moves.
    pub bytes_per_second: u64,
    /// Objects uploaded and verified since start.
    pub uploaded: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Why it waits or has stopped: what happened and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// How the bucket's own notices (SQS) stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticesStatus {
    /// A queue is set.
    pub on: bool,
    /// Notices taken since start.
    pub received: u64,
    /// Notices about nothing of ours, or that could not be read.
    pub ignored: u64,
    /// Why none come, when something is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is kept in a place of its own on this computer.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum PlaceKind {
    /// Segments.
    Recordings,
    /// Snapshots.
    Snapshots,
    /// Clips.
    Clips,
    /// Exports.
    Exports,
    /// Logs.
    Logs,
}

/// Where one kind of files lies, and a move under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// What lies there.
    pub kind: PlaceKind,
    /// The folder that holds the folder of this kind, such as `/mnt/disk` of `/mnt/disk/clips`.
    pub root: String,
    /// Bytes free there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// Size of the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is wrong with it, when something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Where files are being moved from, while they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving_from: Option<String>,
    /// Files still to be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving_left: Option<u64>,
}

/// How storage stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Storage {
    /// What the owner has set.
    pub settings: StorageSettings,
    /// The disk with the recordings.
    pub disk: DiskState,
    /// The upload queue.
    pub uploads: UploadStatus,
    /// The bucket's own notices.
    pub notices: NoticesStatus,
    /// Where files lie.
    pub places: Vec<Place>,
    /// Folders below which places may be, set where the recorder is started.
    pub approved_roots: Vec<String>,
}

/// A place is to be elsewhere. New files go there at once, older ones are moved.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceUpdate {
    /// What lies there.
    pub kind: PlaceKind,
    /// The new folder: an approved root or below one. It must exist.
    pub root: String,
}
impl Scoped for PlaceUpdate {}

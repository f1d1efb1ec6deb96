//! The seams between roles. In-process today; a wire implementation can follow without the
//! roles knowing.

mod assembly;
mod upload;

pub use assembly::{Assembled, AssemblyLink, AssemblyOrder, AssemblyProgress, Piece};
pub use upload::{UploadDone, UploadId, UploadPlan, UploadQueue, UploadTask};

use std::path::PathBuf;

use async_trait::async_trait;

use crate::{
    AudioMode, CameraId, ChannelId, Credentials, Engine, EngineInUse, Error, ProbeReport, Quality,
    Reason, RecordMode, RecordingState, Result, Settings, StreamProfile, StreamState, StreamStats,
    Timestamp, Warning,
};

/// All an agent needs to know of a camera. Credentials are fetched from the secret store under
/// [`credentials_key`] at each connection, so a new password needs no restart.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraSetup {
    /// Camera.
    pub id: CameraId,
    /// Its channel.
    pub channel: ChannelId,
    /// Encodings, the main one first.
    pub profiles: Vec<StreamProfile>,
    /// Address that answers with a picture, without credentials.
    pub snapshot_url: Option<String>,
    /// When it records.
    pub record_mode: RecordMode,
    /// Which engine.
    pub engine: Engine,
    /// What happens to audio.
    pub audio: AudioMode,
    /// Seconds without a frame that count as a lost camera.
    pub watchdog_seconds: u32,
    /// Grows with every change of address or credentials; a running connection of an older
    /// revision is ended.
    pub revision: u64,
}

/// Name of a camera's credentials in the secret store.
pub fn credentials_key(camera: &CameraId) -> String {
    format!("camera/{camera}")
}

/// Where a camera's streams are, as the agent sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamStatus {
    /// State.
    pub state: StreamState,
    /// Why.
    pub reason: Option<Reason>,
    /// Since when.
    pub since: Timestamp,
    /// When the next attempt starts.
    pub retry_at: Option<Timestamp>,
    /// Which engine receives it.
    pub engine: Option<EngineInUse>,
    /// Measured.
    pub stats: Option<StreamStats>,
    /// The profile as seen on the wire.
    pub profile: Option<StreamProfile>,
    /// Things a person should know.
    pub warnings: Vec<Warning>,
}

/// nvr to agent.
#[async_trait]
pub trait AgentLink: Send + Sync {
    /// Adds a camera or replaces its setup; takes effect at once.
    async fn apply(&self, setup: CameraSetup) -> Result<()>;
    /// Stops and forgets a camera. Returns when its streams have ended.
    async fn remove(&self, camera: &CameraId) -> Result<()>;
    /// Looks at an address. Takes 15 s at most.
    async fn probe(&self, url: &str, credentials: Option<Credentials>) -> Result<ProbeReport>;
    /// A picture from the camera's own snapshot address, as JPEG of 8 MiB at most. Takes 10 s at
    /// most.
    ///
    /// # Errors
    /// `precondition_failed` when the camera has no such address; `camera_unreachable` when it
    /// does not answer with a picture.
    async fn snapshot(&self, camera: &CameraId) -> Result<Vec<u8>>;
    /// The state of one stream of a camera; `None` when the agent does not know the camera.
    fn status(&self, camera: &CameraId, quality: Quality) -> Option<StreamStatus>;
    /// Version of the GStreamer child program, when it can be run.
    async fn gstreamer(&self) -> Option<String>;
}

/// A segment that is being written, or is complete and not yet known to the nvr.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenSegment {
    /// Channel.
    pub channel: ChannelId,
    /// Start of the first frame.
    pub start: Timestamp,
    /// End of the last fragment on disk.
    pub end: Timestamp,
    /// Bytes on disk.
    pub bytes: u64,
    /// RFC 6381 strings, comma separated.
    pub codecs: String,
    /// Continues the run of the segment before.
    pub continues: bool,
    /// SHA-256 of one that is complete, when it was made.
    pub sha256: Option<[u8; 32]>,
}

/// How a channel's segments are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cutting {
    /// Length; `None` is the recorder's setting.
    pub seconds: Option<u32>,
    /// Most MB (10^6 bytes); `None` is no limit.
    pub megabytes: Option<u32>,
}

/// What is wrong with the folder of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// It is not there, or is not the one that is known: most likely its disk is not connected.
    Missing,
    /// It cannot be written.
    ReadOnly,
}

/// The disk with the recordings, as the worker finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskSight {
    /// Free and total bytes; `None` when the disk does not say.
    pub space: Option<(u64, u64)>,
    /// Free bytes below which nothing is written.
    pub floor: u64,
    /// Nothing is written for want of space.
    pub stopped: bool,
    /// What is wrong, and a sentence that says what to do.
    pub fault: Option<(DiskFault, String)>,
}

/// nvr to worker.
#[async_trait]
pub trait WorkerLink: Send + Sync {
    /// The segments of this channel that are not acknowledged by the nvr: the one being written,
    /// if it has a fragment on disk, and those that were closed or still wait for late audio.
    /// In the order they were begun.
    fn open_segments(&self, channel: &ChannelId) -> Vec<OpenSegment>;
    /// Whether footage reaches the disk.
    fn recording_state(&self, channel: &ChannelId) -> RecordingState;
    /// Settings took effect; open segments keep the old ones.
    fn configure(&self, settings: &Settings);
    /// How this channel's segments are cut.
    fn configure_channel(&self, channel: &ChannelId, cutting: Cutting);
    /// The channel is gone: its runs are ended and its viewers told. Files are left alone.
    fn channel_removed(&self, channel: &ChannelId);
    /// Deletes the local file of a closed segment. Succeeds when it is already gone.
    async fn delete_segment(&self, channel: &ChannelId, start: Timestamp) -> Result<()>;
    /// Deletes the local files of closed segments, and makes that last with one wait per folder.
    /// One answer each, in the order asked.
    async fn delete_segments(&self, files: &[(ChannelId, Timestamp)]) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(files.len());
        for (channel, start) in files {
            results.push(self.delete_segment(channel, *start).await);
        }
        results
    }
    /// Recordings are made in this folder from now on; what lies in the other one is moved there
    /// in the background and found in both until then.
    async fn set_recordings(&self, root: PathBuf, moving_from: Option<PathBuf>) -> Result<()> {
        let _ = (root, moving_from);
        Err(Error::unavailable("The recorder cannot move its folder."))
    }
    /// Files that are still to be moved; `None` when none are, or while the old folder is away.
    fn recordings_left(&self) -> Option<u64> {
        None
    }
    /// Whether files are being moved.
    fn recordings_move(&self) -> bool {
        self.recordings_left().is_some()
    }
    /// Free and total bytes of the disk with footage.
    async fn disk_space(&self) -> Option<(u64, u64)>;
    /// How that disk stands.
    async fn disk(&self) -> DiskSight {
        DiskSight {
            space: self.disk_space().await,
            ..DiskSight::default()
        }
    }
}

/// Number of a run in the nvr's database.
pub type RunId = i64;

/// A run began: one uninterrupted connection.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStarted {
    /// Channel.
    pub channel: ChannelId,
    /// Wall-clock anchor of the run's time zero.
    pub start: Timestamp,
    /// RFC 6381 strings, comma separated.
    pub codecs: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// A segment is complete: written, synced and renamed.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentClosed {
    /// Channel.
    pub channel: ChannelId,
    /// Run; `None` when it was adopted after a crash.
    pub run: Option<RunId>,
    /// Start of the first frame; also the file name.
    pub start: Timestamp,
    /// End of the last frame.
    pub end: Timestamp,
    /// Size.
    pub bytes: u64,
    /// RFC 6381 strings, comma separated.
    pub codecs: String,
    /// Continues the run of the segment before.
    pub continues: bool,
    /// SHA-256, when it was made as the segment was closed.
    pub sha256: Option<[u8; 32]>,
}

/// worker and agent to nvr.
#[async_trait]
pub trait NvrLink: Send + Sync {
    /// A run began. The number is used in [`SegmentClosed`].
    async fn run_started(&self, run: RunStarted) -> Result<RunId>;
    /// A run ended.
    async fn run_ended(
        &self,
        run: RunId,
        end: Timestamp,
        reason: Reason,
        drift_ppm: Option<f64>,
    ) -> Result<()>;
    /// A segment is complete. Idempotent: the same channel and start again changes nothing.
    async fn segment_closed(&self, segment: SegmentClosed) -> Result<()>;
    /// Starts of the segments of a channel whose files should be on this disk, ascending, at
    /// most `limit` with a start greater than `after`.
    async fn local_segments(
        &self,
        channel: &ChannelId,
        after: Timestamp,
        limit: usize,
    ) -> Result<Vec<Timestamp>>;
    /// Whether the folder of recordings is the one that is known: `mark` is what lies in it,
    /// `None` when nothing does. `true` also when none is known yet and this one is taken.
    async fn recordings_place(&self, mark: Option<&str>) -> Result<bool>;
    /// A segment's file is not there any more.
    async fn segment_missing(&self, channel: &ChannelId, start: Timestamp) -> Result<()>;
    /// The state of a stream changed, or its stats did.
    fn stream_changed(&self, camera: &CameraId, quality: Quality, status: StreamStatus);
    /// Footage of a channel cannot be written, or can again (`None`).
    fn storage_changed(&self, channel: &ChannelId, error: Option<String>);
}

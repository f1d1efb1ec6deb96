//! What a worker is started with.

use std::{path::PathBuf, sync::Arc, time::Duration};

use oriel_api::link::UploadQueue;
use oriel_bucket::SharedStores;
use oriel_child::Program;

use crate::platform::{LocalDisk, Volume};

/// How a worker works. [`WorkerOptions::new`] has the defaults.
#[derive(Clone)]
pub struct WorkerOptions {
    /// The folder of recordings; made when it is not there.
    pub root: PathBuf,
    /// An older folder whose files are still being moved to `root`.
    pub moving_from: Option<PathBuf>,
    /// Seconds per segment, 5 to 600.
    pub segment_seconds: u32,
    /// A power cut loses at most so many seconds, 1 to 60.
    pub sync_seconds: u32,
    /// Media waiting for the disk, at most, in bytes.
    pub queue_bytes: usize,
    /// Bytes that are left free on the disk, 2 % of it at most: with less, recording stops until
    /// there is a quarter more than that.
    pub reserve_bytes: u64,
    /// How long [`Worker::stop`](crate::Worker::stop) may take.
    pub stop_budget: Duration,
    /// Where files are made.
    pub volume: Arc<dyn Volume>,
    /// Where finished bytes go.
    pub stores: SharedStores,
    /// What is to be uploaded; nothing is without it.
    pub uploads: Option<Arc<dyn UploadQueue>>,
    /// The child program that makes pictures.
    pub program: Option<Arc<Program>>,
}

impl WorkerOptions {
    /// Half a minute per segment, synced every 5 s, 64 MiB of patience with the disk.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            moving_from: None,
            segment_seconds: 30,
            sync_seconds: 5,
            queue_bytes: 64 * 1024 * 1024,
            reserve_bytes: 1024 * 1024 * 1024,
            stop_budget: Duration::from_secs(1),
            volume: Arc::new(LocalDisk),
            stores: SharedStores::default(),
            uploads: None,
            program: None,
        }
    }
}

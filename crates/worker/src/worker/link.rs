//! What the nvr asks of the worker.

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use async_trait::async_trait;
use oriel_api::{
    ChannelId, Error, Quality, Reason, ReasonCode, RecordingState, Result, Settings, Timestamp,
    link::{Cutting, DiskSight, OpenSegment, WorkerLink},
};

use tracing::info;

use super::{LEFT_UNKNOWN, Worker, unreadable};
use crate::{
    place,
    platform::{disk_space, sync_folder},
    reserve,
    spool::Spool,
    sync::lock,
};

#[async_trait]
impl WorkerLink for Worker {
    fn open_segments(&self, channel: &ChannelId) -> Vec<OpenSegment> {
        let state = self.channels.get(channel);
        state.map_or_else(Vec::new, |state| state.open_segments())
    }

    fn recording_state(&self, channel: &ChannelId) -> RecordingState {
        match self.channels.get(channel) {
            Some(state) => state.recording(),
            None => RecordingState::default(),
        }
    }

    fn configure(&self, settings: &Settings) {
        self.pace
            .set(settings.segment_seconds, settings.sync_seconds);
    }

    fn configure_channel(&self, channel: &ChannelId, cutting: Cutting) {
        self.channels.get_or_add(channel).set_cutting(cutting);
    }

    fn channel_removed(&self, channel: &ChannelId) {
        let mut runs = lock(&self.runs);
        for quality in [Quality::High, Quality::Low] {
            if let Some(run) = runs.remove(&(channel.clone(), quality)) {
                run.end(
                    Reason {
                        code: ReasonCode::Off,
                        message: "The channel was removed.".into(),
                    },
                    None,
                );
            }
        }
        drop(runs);
        self.hub.remove(channel);
        self.channels.remove(channel);
    }

    async fn delete_segment(&self, channel: &ChannelId, start: Timestamp) -> Result<()> {
        let files = [(channel.clone(), start)];
        let result = self.delete_segments(&files).await.pop();
        result.unwrap_or_else(|| Err(Error::unavailable("The disk does not answer.")))
    }

    async fn delete_segments(&self, files: &[(ChannelId, Timestamp)]) -> Vec<Result<()>> {
        // What is not on this disk at present is not deleted.
        if lock(&self.started).running && !self.place.is_usable() {
            let refused = |_| Err(place::unusable(&self.place));
            return files.iter().map(refused).collect();
        }
        let (spool, wanted) = (self.spool.clone(), files.to_vec());
        let deleted = tokio::task::spawn_blocking(move || {
            let _held = spool.hold();
            let mut touched = BTreeSet::new();
            let mut results: Vec<io::Result<()>> = Vec::with_capacity(wanted.len());
            for (channel, start) in &wanted {
                results.push(remove(&spool, channel, *start));
                touched.insert(channel);
            }
            for channel in touched {
                let synced =
                    spool.folders(channel).iter().try_for_each(|folder| {
                        match sync_folder(folder) {
                            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                            _ => Ok(()),
                        }
                    });
                if let Err(error) = synced {
                    for (result, file) in results.iter_mut().zip(&wanted) {
                        if file.0 == *channel && result.is_ok() {
                            *result = Err(io::Error::new(error.kind(), error.to_string()));
                        }
                    }
                }
            }
            results
        })
        .await;
        match deleted {
            Ok(results) => results.into_iter().map(|r| r.map_err(unreadable)).collect(),
            Err(fault) => files
                .iter()
                .map(|_| Err(Error::internal(fault.to_string())))
                .collect(),
        }
    }

    async fn disk_space(&self) -> Option<(u64, u64)> {
        let root = self.spool.root();
        tokio::task::spawn_blocking(move || disk_space(&root).ok())
            .await
            .ok()?
    }

    async fn set_recordings(&self, root: PathBuf, moving_from: Option<PathBuf>) -> Result<()> {
        let next = root.clone();
        self.left.store(LEFT_UNKNOWN, Ordering::Relaxed);
        let switch = || self.spool.set(next, moving_from);
        self.place.change(root, &*self.nvr, switch).await?;
        info!(folder = %self.spool.root().display(), "recordings are made here from now on");
        Ok(())
    }

    fn recordings_left(&self) -> Option<u64> {
        self.spool.old()?;
        Some(self.left.load(Ordering::Relaxed)).filter(|n| *n != LEFT_UNKNOWN)
    }

    fn recordings_move(&self) -> bool {
        self.spool.old().is_some()
    }

    async fn disk(&self) -> DiskSight {
        let (root, volume) = (self.spool.root(), Arc::clone(&self.volume));
        let space = tokio::task::spawn_blocking(move || volume.space(&root).ok())
            .await
            .ok()
            .flatten();
        let total = space.map_or(u64::MAX, |s| s.1);
        let floor = reserve::floor(self.reserve_bytes, total);
        // Of channels that have stopped sending nobody asks the disk any more.
        let still = space.is_some_and(|(free, _)| free < reserve::resumes(floor));
        DiskSight {
            space,
            floor,
            stopped: still && self.stopped.load(Ordering::Relaxed),
            fault: self.place.fault(),
        }
    }
}

/// Removes a segment's file wherever it lies.
fn remove(spool: &Spool, channel: &ChannelId, start: Timestamp) -> io::Result<()> {
    for folder in spool.folders(channel) {
        match std::fs::remove_file(folder.join(format!("{}.mp4", start.ms()))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

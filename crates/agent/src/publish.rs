//! The state of one stream, kept for whoever asks and told to the nvr when it changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oriel_api::{
    CameraId, Quality, Reason, StreamState, Timestamp,
    link::{NvrLink, StreamStatus},
};

use crate::clock::wall_now;

/// Where the state of a stream is kept and told.
pub(crate) struct Publisher {
    camera: CameraId,
    quality: Quality,
    nvr: Arc<dyn NvrLink>,
    status: Mutex<StreamStatus>,
}

impl Publisher {
    pub(crate) fn new(camera: CameraId, quality: Quality, nvr: Arc<dyn NvrLink>) -> Self {
        let status = Mutex::new(StreamStatus {
            state: StreamState::Idle,
            reason: None,
            since: wall_now(),
            retry_at: None,
            engine: None,
            stats: None,
            profile: None,
            warnings: Vec::new(),
        });
        Self {
            camera,
            quality,
            nvr,
            status,
        }
    }

    pub(crate) fn current(&self) -> StreamStatus {
        self.lock().clone()
    }

    /// A new state. What was measured stays only while streaming.
    pub(crate) fn state(
        &self,
        state: StreamState,
        reason: Option<Reason>,
        retry_at: Option<Timestamp>,
    ) {
        self.change(|status| {
            if status.state != state {
                status.since = wall_now();
            }
            status.state = state;
            status.reason = reason;
            status.retry_at = retry_at;
            if state != StreamState::Streaming {
                status.stats = None;
                status.engine = None;
            }
        });
    }

    /// Changes the status and tells it when it is different.
    pub(crate) fn change(&self, edit: impl FnOnce(&mut StreamStatus)) {
        let told = {
            let mut status = self.lock();
            let before = status.clone();
            edit(&mut status);
            (*status != before).then(|| status.clone())
        };
        if let Some(status) = told {
            self.nvr.stream_changed(&self.camera, self.quality, status);
        }
    }

    fn lock(&self) -> MutexGuard<'_, StreamStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

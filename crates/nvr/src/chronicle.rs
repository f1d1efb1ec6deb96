//! The task that writes down what the streams do and tells viewers, at a bearable rate.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{CameraId, Change, ChannelId, Result};
use oriel_store::NewEvent;
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{Nvr, states::Note};

struct Chronicle(Arc<Nvr>);

pub(crate) fn spawn(nvr: Arc<Nvr>, cancel: CancellationToken) -> JoinHandle<()> {
    let (status, _) = watch::channel(Status::Stopped);
    let nudge = Arc::new(Notify::new());
    tokio::spawn(async move {
        supervise("chronicle", Chronicle(nvr), status, nudge, cancel).await;
    })
}

impl Supervised for Chronicle {
    type Error = Infallible;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<Infallible> {
        let begun = Instant::now();
        let nvr = &self.0;
        let mut notes = nvr.notes_out.lock().await;
        let mut again: Option<Instant> = None;
        loop {
            let wait = again.map_or(Duration::from_secs(3600), |at| {
                at.saturating_duration_since(Instant::now())
            });
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(note) = notes.recv() => nvr.write_down(note).await,
                () = nvr.news.notified() => again = nvr.tell().await,
                () = tokio::time::sleep(wait) => again = nvr.tell().await,
            }
        }
        nvr.drain(&mut notes).await;
        Attempt {
            result: Ok(()),
            healthy_for: begun.elapsed(),
        }
    }

    fn severity(&self, error: &Infallible) -> Severity {
        match *error {}
    }
}

impl Nvr {
    pub(crate) async fn drain(&self, notes: &mut mpsc::Receiver<Note>) {
        while let Ok(note) = notes.try_recv() {
            self.write_down(note).await;
        }
    }

    async fn write_down(&self, note: Note) {
        let written = match note {
            Note::Event {
                at,
                kind,
                channel,
                reason,
            } => {
                self.keep_event(NewEvent {
                    at,
                    kind,
                    channel,
                    reason,
                })
                .await
            }
            Note::Profile(camera, profile) => self
                .store
                .profile_seen(camera, profile)
                .await
                .map(|_| ())
                .map_err(Into::into),
        };
        if let Err(error) = written {
            warn!(%error, "what happened could not be written down");
        }
    }

    /// Tells viewers what is new. Gives when to do so again.
    async fn tell(&self) -> Option<Instant> {
        let (cameras, channels, again) = self.states().take_untold(Instant::now());
        for (camera, channel) in cameras {
            if let Err(error) = self.tell_camera(&camera, &channel).await {
                warn!(%camera, %error, "viewers were not told of a camera");
            }
        }
        for channel in channels {
            let state = self.recording_state(&channel);
            self.states().recording_news(&channel, &state);
            self.push_channel(&channel).await;
        }
        again
    }

    async fn tell_camera(&self, camera: &CameraId, channel: &ChannelId) -> Result<()> {
        let Some(row) = self.store.camera(camera.clone()).await? else {
            return Ok(());
        };
        self.push(Change::Camera {
            camera: Box::new(self.camera_view(&row)),
        });
        let recording = self.recording_state(channel);
        if self.states().recording_news(channel, &recording) {
            self.push_channel(channel).await;
        }
        Ok(())
    }
}

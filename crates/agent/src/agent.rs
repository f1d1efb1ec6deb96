//! The agent: which cameras there are, and the link the nvr holds.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use oriel_api::{
    CameraId, Credentials, Error, ProbeReport, Quality, Result, StreamState,
    link::{AgentLink, CameraSetup, NvrLink, StreamStatus},
};
use oriel_child::Program;
use oriel_media::ingest::Ingest;
use oriel_secrets::SecretStore;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use crate::{
    look::look,
    publish::Publisher,
    still::still,
    stream::{Memory, Shared, Stream, broken},
};

/// A task that broke is started again after this.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// What an agent is told at its start.
#[derive(Clone, Debug, Default)]
pub struct AgentOptions {
    /// The child program; otherwise `ORIEL_GST`, otherwise `oriel-gst` beside this executable.
    pub gst_program: Option<PathBuf>,
}

/// Owns cameras.
pub struct Agent {
    shared: Arc<Shared>,
    nvr: Arc<dyn NvrLink>,
    cameras: Mutex<HashMap<CameraId, Owned>>,
}

struct Owned {
    setup: watch::Sender<Arc<CameraSetup>>,
    cancel: CancellationToken,
    streams: Vec<OwnedStream>,
}

struct OwnedStream {
    quality: Quality,
    publisher: Arc<Publisher>,
    nudge: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Agent {
    /// An agent without cameras. Cancelling `cancel` ends its streams; [`Agent::stopped`] tells
    /// when they have.
    pub fn new(
        options: AgentOptions,
        ingest: Arc<dyn Ingest>,
        nvr: Arc<dyn NvrLink>,
        secrets: Arc<dyn SecretStore>,
        cancel: CancellationToken,
    ) -> Self {
        let shared = Arc::new(Shared {
            ingest,
            secrets,
            program: Arc::new(Program::new(options.gst_program)),
            tracker: TaskTracker::new(),
            user_agent: concat!("Oriel/", env!("CARGO_PKG_VERSION")).to_owned(),
            cancel,
        });
        Self {
            shared,
            nvr,
            cameras: Mutex::default(),
        }
    }

    /// Waits until all streams have ended after the agent was cancelled: every run is closed
    /// and every child program gone.
    pub async fn stopped(&self) {
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }

    fn cameras(&self) -> MutexGuard<'_, HashMap<CameraId, Owned>> {
        self.cameras.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self, setup: CameraSetup) -> Owned {
        let cancel = self.shared.cancel.child_token();
        let (id, channel) = (setup.id.clone(), setup.channel.clone());
        let (setup, receiver) = watch::channel(Arc::new(setup));
        let streams = [Quality::High, Quality::Low]
            .map(|quality| {
                let publisher = Arc::new(Publisher::new(id.clone(), quality, self.nvr.clone()));
                let nudge = Arc::new(Notify::new());
                let stream = Arc::new(Stream {
                    shared: self.shared.clone(),
                    quality,
                    channel: channel.clone(),
                    setup: receiver.clone(),
                    publisher: publisher.clone(),
                    nudge: nudge.clone(),
                    cancel: cancel.clone(),
                    memory: Memory::default(),
                });
                let task = self.shared.tracker.spawn(keep(stream));
                OwnedStream {
                    quality,
                    publisher,
                    nudge,
                    task,
                }
            })
            .into();
        Owned {
            setup,
            cancel,
            streams,
        }
    }

    async fn disown(owned: Owned) {
        owned.cancel.cancel();
        for stream in owned.streams {
            // A task that broke has been reported where it broke.
            let _ = stream.task.await;
        }
    }
}

/// Keeps a stream whatever happens inside it.
async fn keep(stream: Arc<Stream>) {
    while !stream.cancel.is_cancelled() {
        let inner = tokio::spawn(stream.clone().keep());
        if let Err(panic) = inner.await {
            error!(%panic, channel = %stream.channel, "a stream's task broke");
            stream
                .publisher
                .state(StreamState::Waiting, Some(broken()), None);
            tokio::select! {
                () = stream.cancel.cancelled() => {}
                () = tokio::time::sleep(AFTER_PANIC) => {}
            }
        }
    }
}

#[async_trait]
impl AgentLink for Agent {
    async fn apply(&self, setup: CameraSetup) -> Result<()> {
        let moved = {
            let mut cameras = self.cameras();
            match cameras.get(&setup.id) {
                Some(owned) if owned.setup.borrow().channel == setup.channel => {
                    let before = owned.setup.send_replace(Arc::new(setup.clone()));
                    let mended = before.revision != setup.revision
                        || before.engine != setup.engine
                        || before.audio != setup.audio
                        || !before
                            .profiles
                            .iter()
                            .map(|p| &p.url)
                            .eq(setup.profiles.iter().map(|p| &p.url));
                    if mended {
                        for stream in &owned.streams {
                            stream.nudge.notify_one();
                        }
                    }
                    return Ok(());
                }
                _ => cameras.remove(&setup.id),
            }
        };
        if let Some(owned) = moved {
            Self::disown(owned).await;
        }
        let raced = {
            let mut cameras = self.cameras();
            let owned = self.own(setup.clone());
            cameras.insert(setup.id, owned)
        };
        if let Some(owned) = raced {
            Self::disown(owned).await;
        }
        Ok(())
    }

    async fn remove(&self, camera: &CameraId) -> Result<()> {
        let owned = self.cameras().remove(camera);
        if let Some(owned) = owned {
            Self::disown(owned).await;
        }
        Ok(())
    }

    async fn probe(&self, url: &str, credentials: Option<Credentials>) -> Result<ProbeReport> {
        look(
            url,
            credentials,
            &self.shared.program,
            &self.shared.user_agent,
        )
        .await
    }

    async fn snapshot(&self, camera: &CameraId) -> Result<Vec<u8>> {
        let setup = self
            .cameras()
            .get(camera)
            .map(|owned| owned.setup.borrow().clone())
            .ok_or_else(|| Error::not_found("There is no such camera."))?;
        still(&self.shared, &setup).await
    }

    fn status(&self, camera: &CameraId, quality: Quality) -> Option<StreamStatus> {
        let cameras = self.cameras();
        let streams = &cameras.get(camera)?.streams;
        streams
            .iter()
            .find(|s| s.quality == quality)
            .map(|s| s.publisher.current())
    }

    async fn gstreamer(&self) -> Option<String> {
        self.shared.program.version().await
    }
}

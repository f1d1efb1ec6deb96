//! The recorder as one value: built in order, stopped in order.

use std::{path::PathBuf, sync::Arc, time::Duration};

use oriel_agent::{Agent, AgentOptions};
use oriel_api::{Caller, Change, Error, PlaceKind, dispatch};
use oriel_bucket::SharedStores;
use oriel_child::Program;
use oriel_http::{ListenError, Listener, Server};
use oriel_nvr::{Nvr, NvrOptions};
use oriel_secrets::SecretError;
use oriel_store::{Store, StoreError};
use oriel_task::{Phase, shutdown};
use oriel_worker::{Worker, WorkerOptions};
use serde_json::Value;
use tokio::sync::{Mutex, broadcast};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Config, VERSION,
    data_dir::{DataDir, DataDirError},
    demo, log_file,
    run_file::RunFile,
};

/// Why a recorder does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The secret store.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A role.
    #[error("{0}")]
    Role(#[from] Error),
    /// The list of demonstration cameras.
    #[error("{0}")]
    Demo(String),
    /// `run.json`.
    #[error("The data folder {} cannot be written: {source}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A task ended that should not have.
    #[error("Oriel could not start; the log has the cause.")]
    Broken,
}

/// A running recorder.
pub struct System {
    nvr: Arc<Nvr>,
    base_url: String,
    data: PathBuf,
    running: Mutex<Option<Running>>,
}

struct Running {
    server: Server,
    agent: Arc<Agent>,
    agent_cancel: CancellationToken,
    worker: Arc<Worker>,
    store: Store,
    _data: DataDir,
}

/// Blocking work at the start.
async fn blocking<T: Send + 'static, E: Into<StartError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| StartError::Broken)?
        .map_err(Into::into)
}

impl System {
    /// Builds the recorder: folder, address, secrets, database, roles, server. Call it within
    /// a runtime of several threads.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        // First, so that a second recorder is told about the folder and not about the port.
        let folder = config.data.clone();
        let data = blocking(move || DataDir::take(&folder)).await?;
        let listener = Listener::bind(config.listen).await?;
        let base_url = listener.base_url();
        let path = data.path().to_owned();
        let demo = match config.demo_cameras {
            Some(list) => blocking(move || demo::read(&list).map_err(StartError::Demo)).await?,
            None => Vec::new(),
        };
        let (folder, preference) = (path.clone(), config.secrets);
        let secrets = blocking(move || oriel_secrets::open(&folder, preference)).await?;
        let store = Store::open(DataDir::database(&path)).await?;
        let stores = SharedStores::default();
        let mut moved = stores.subscribe();
        let options = NvrOptions {
            stores: stores.clone(),
            approved_roots: config.storage_roots.clone(),
            version: VERSION.to_owned(),
            data_dir: path.clone(),
            media_base: base_url.clone(),
            demo,
        };
        let nvr = Nvr::new(options, store.clone(), secrets.clone()).await?;
        let program = Arc::new(Program::new(config.gst.clone()));
        let (recordings, moving_from) = nvr.recordings_folders().await?;
        log_file::keep_in(nvr.logs_folder().await?);
        let options = WorkerOptions {
            moving_from,
            stores,
            program: Some(program.clone()),
            uploads: Some(nvr.clone()),
            ..WorkerOptions::new(recordings)
        };
        let worker = Worker::new(options, nvr.clone());
        let agent_cancel = CancellationToken::new();
        let agent = Arc::new(Agent::new(
            AgentOptions {
                gst_program: config.gst.clone(),
            },
            worker.clone(),
            nvr.clone(),
            secrets,
            agent_cancel.clone(),
        ));
        nvr.attach(agent.clone(), worker.clone(), worker.clone());
        // The worker repairs in the background; streams begin meanwhile and never wait for it.
        worker.start(true).await?;
        nvr.start().await?;
        let server = Server::start(listener, nvr.clone(), worker.clone(), program, VERSION);
        // Ends with the stores, that is with everything that holds them.
        tokio::spawn(async move {
            while moved.changed().await.is_ok() {
                let root = moved
                    .borrow_and_update()
                    .places
                    .get(&PlaceKind::Logs)
                    .cloned();
                if let Some(root) = root {
                    log_file::keep_in(root.join("logs"));
                }
            }
        });
        let run = RunFile {
            base_url: base_url.clone(),
            pid: std::process::id(),
        };
        run.write(&path).map_err(|source| StartError::Write {
            path: path.clone(),
            source,
        })?;
        info!(%base_url, data = %path.display(), version = VERSION, "started");
        Ok(Self {
            nvr,
            base_url,
            data: path,
            running: Mutex::new(Some(Running {
                server,
                agent,
                agent_cancel,
                worker,
                store,
                _data: data,
            })),
        })
    }

    /// Runs an operation as the owner of this computer.
    pub async fn rpc(&self, operation: &str, input: Value) -> Result<Value, Error> {
        dispatch(&*self.nvr, &Caller::owner(), operation, input).await
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Changes as they happen. A receiver that lags must read the lists again.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.nvr.subscribe()
    }

    /// A new link that signs a browser in once.
    pub fn sign_in_link(&self) -> Result<String, Error> {
        Ok(format!(
            "{}/open?code={}",
            self.base_url,
            self.nvr.create_link()?
        ))
    }

    /// Stops in order, within 5 s: viewers, cameras, footage, database. A second call does
    /// nothing. What does not finish in time is named in the log and repaired at the next start.
    pub async fn stop(&self) {
        let Some(running) = self.running.lock().await.take() else {
            return;
        };
        let Running {
            server,
            agent,
            agent_cancel,
            worker,
            store,
            _data,
        } = running;
        RunFile::remove(&self.data);
        let nvr = self.nvr.clone();
        let seconds = Duration::from_secs_f64;
        // Cameras are told at once, so that they wind up while viewers say goodbye.
        agent_cancel.cancel();
        let late = shutdown(vec![
            Phase::new("viewers", seconds(0.8), server.stop()),
            Phase::new(
                "cameras",
                seconds(2.2),
                async move { agent.stopped().await },
            ),
            Phase::new("footage", seconds(1.1), async move { worker.stop().await }),
            Phase::new("events", seconds(0.6), async move {
                if let Err(error) = nvr.stop().await {
                    warn!(%error, "the end was not written down");
                }
            }),
            Phase::new("database", seconds(0.3), async move { store.close().await }),
        ])
        .await;
        info!(?late, "stopped");
        // Waits for a thread, for a moment at most.
        let _ = tokio::task::spawn_blocking(log_file::flush).await;
    }
}

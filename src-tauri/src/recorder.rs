//! The recorder behind the window: it starts when the window is there already, and may fail.

use std::{sync::Arc, time::Duration};

use orield::{Config, System};
use tokio::{sync::watch, time::timeout};

/// A start that is under way when the program ends is waited for so long: a keyring that nobody
/// opens must not hold the exit.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// How far it is.
#[derive(Clone)]
pub enum Stage {
    /// Not there yet.
    Starting,
    /// There.
    Running(Arc<System>),
    /// Never there; why, for people.
    Failed(String),
}

/// The recorder of this process.
pub struct Recorder {
    stage: watch::Sender<Stage>,
}

impl Recorder {
    /// Nothing runs yet.
    pub fn new() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Starting),
        }
    }

    /// Starts it. `failed` hears why when there will be none. Call it within a runtime.
    pub fn start(&self, config: Config, failed: impl FnOnce(String) + Send + 'static) {
        let stage = self.stage.clone();
        tokio::spawn(async move {
            // A panic is a failed start too, and must not leave a window that waits for ever.
            // On a thread of its own, as the start is no future that may change threads.
            let runtime = tokio::runtime::Handle::current();
            let start = move || runtime.block_on(System::start(config));
            let reason = match tokio::task::spawn_blocking(start).await {
                Ok(Ok(system)) => {
                    stage.send_replace(Stage::Running(Arc::new(system)));
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "Oriel could not start; the log has the cause.".to_owned(),
            };
            tracing::error!(reason, "Oriel could not start");
            stage.send_replace(Stage::Failed(reason.clone()));
            failed(reason);
        });
    }

    /// Where it came to, once that is known.
    pub async fn settled(&self) -> Stage {
        let mut stage = self.stage.subscribe();
        match stage.wait_for(|s| !matches!(s, Stage::Starting)).await {
            Ok(stage) => stage.clone(),
            Err(_) => Stage::Starting,
        }
    }

    /// Where its media come from, once it runs.
    pub fn base_url(&self) -> Option<tauri::Url> {
        match &*self.stage.borrow() {
            Stage::Running(system) => system.base_url().parse().ok(),
            Stage::Starting | Stage::Failed(_) => None,
        }
    }

    /// Stops it in order.
    pub async fn stop(&self) {
        if let Ok(Stage::Running(system)) = timeout(START_PATIENCE, self.settled()).await {
            system.stop().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orield::Given;

    fn config(data: &std::path::Path) -> Config {
        Config::headless(Given {
            data: Some(data.to_owned()),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            secrets: Some("file".parse().unwrap()),
            ..Given::default()
        })
        .unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_cannot_start_says_why_and_stops_all_the_same() {
        let data = tempfile::tempdir().unwrap();
        let first = Recorder::new();
        first.start(config(data.path()), |reason| panic!("{reason}"));
        assert!(matches!(first.settled().await, Stage::Running(_)));

        let second = Recorder::new();
        let (told, heard) = tokio::sync::oneshot::channel();
        second.start(config(data.path()), |reason| {
            let _ = told.send(reason);
        });
        assert!(heard.await.unwrap().contains("Another Oriel uses"));
        assert!(matches!(second.settled().await, Stage::Failed(_)));
        second.stop().await;

        first.stop().await;
        assert!(orield::DataDir::take(data.path()).is_ok());
    }
}

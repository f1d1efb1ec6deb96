//! The one command: any operation of the table, as the owner of this computer.

use std::time::Duration;

use oriel_api::Error;
use serde_json::Value;
use tauri::State;
use tokio::time::timeout;

use crate::recorder::{Recorder, Stage};

/// The page waits so long for the recorder to start: people may have to unlock their keyring first.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs an operation by name. Decoding, authorisation and audit happen behind it, as for HTTP.
#[tauri::command]
pub async fn rpc(recorder: State<'_, Recorder>, op: String, input: Value) -> Result<Value, Error> {
    match timeout(PATIENCE, recorder.settled()).await {
        Ok(Stage::Running(system)) => system.rpc(&op, input).await,
        Ok(Stage::Failed(reason)) => Err(Error::unavailable(reason)),
        Ok(Stage::Starting) | Err(_) => Err(Error::unavailable(
            "Oriel is still starting. Try again in a moment.",
        )),
    }
}

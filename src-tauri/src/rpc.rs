//! The one command: any operation of the table, as the owner of this computer.

use std::sync::Arc;

use oriel_api::Error;
use orield::System;
use serde_json::Value;
use tauri::State;

/// The recorder behind the window.
pub struct Recorder(pub Arc<System>);

/// Runs an operation by name. Decoding, authorisation and audit happen behind it, as for HTTP.
#[tauri::command]
pub async fn rpc(recorder: State<'_, Recorder>, op: String, input: Value) -> Result<Value, Error> {
    recorder.0.rpc(&op, input).await
}

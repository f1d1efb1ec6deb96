//! One running child program: its job, its notes on stderr, and how it ended.
//! The contract is docs/protocol.md section 1.

use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use oriel_api::{ReasonCode, Secret};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin, ChildStdout},
    task::JoinHandle,
    time::timeout,
};
use tracing::{debug, warn};

use crate::{
    RunError,
    program::{Program, command, missing},
};

/// The job must have been taken by then.
const JOB_DEADLINE: Duration = Duration::from_secs(5);
/// After its stdin was closed it may take so long to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// Longest line of notes.
const LONGEST_LINE: usize = 8 * 1024;
/// Longest message taken from a note.
const LONGEST_MESSAGE: usize = 300;

/// A child program that runs a job. Killed when dropped.
pub(crate) struct Child {
    process: tokio::process::Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: ChildStdout,
    notes: Arc<Mutex<Notes>>,
    listener: JoinHandle<()>,
}

/// What the child said about itself.
#[derive(Debug, Default)]
struct Notes {
    error: Option<(Option<ReasonCode>, String)>,
    warning: Option<String>,
    source_audio: Option<String>,
}

#[derive(Deserialize)]
struct Note {
    event: String,
    #[serde(default)]
    reason: Option<serde_json::Value>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    codec: Option<String>,
}

impl Child {
    /// Starts it and hands it a job. `secret` never appears in a note that is kept.
    pub(crate) async fn start(
        program: &Program,
        job: &serde_json::Value,
        secret: Option<Secret>,
    ) -> Result<Self, RunError> {
        let path = program.path()?;
        let mut process = command(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                warn!(%error, "the child program does not start");
                missing()
            })?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        ) else {
            return Err(internal("The child program has no pipes."));
        };
        let notes = Arc::new(Mutex::new(Notes::default()));
        let listener = tokio::spawn(listen(stderr, notes.clone(), secret));
        let line = format!("{job}\n");
        let wrote = timeout(JOB_DEADLINE, async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.flush().await
        })
        .await;
        let mut child = Self {
            process,
            stdin: Some(stdin),
            stdout,
            notes,
            listener,
        };
        match wrote {
            Ok(Ok(())) => Ok(child),
            _ => Err(child.ended().await),
        }
    }

    /// Why it ended, to be asked when its stdout is at its end. Kills one that goes on.
    pub(crate) async fn ended(&mut self) -> RunError {
        let status = match timeout(STOP_DEADLINE, self.process.wait()).await {
            Ok(Ok(status)) => Some(status),
            _ => {
                self.kill().await;
                None
            }
        };
        // The pipe is at its end, so the listener is about to be.
        let _ = timeout(STOP_DEADLINE, &mut self.listener).await;
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        reason_of(status, notes.error.clone())
    }

    /// Ends it in order, or kills it when it takes longer than 2 s.
    pub(crate) async fn stop(&mut self) {
        self.stdin = None;
        if timeout(STOP_DEADLINE, self.process.wait()).await.is_err() {
            debug!("the child program did not stop in time");
            self.kill().await;
        }
    }

    async fn kill(&mut self) {
        if let Err(error) = self.process.kill().await {
            debug!(%error, "the child program could not be killed");
        }
    }

    /// Its last warning.
    pub(crate) fn warning(&self) -> Option<String> {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .warning
            .clone()
    }

    /// The codec of the audio at the camera, if it named one.
    pub(crate) fn source_audio(&self) -> Option<String> {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .source_audio
            .clone()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn internal(message: &str) -> RunError {
    RunError::new(ReasonCode::Internal, message)
}

fn reason_of(status: Option<ExitStatus>, said: Option<(Option<ReasonCode>, String)>) -> RunError {
    let by_exit = match status.and_then(|s| s.code()) {
        Some(0 | 22) => (ReasonCode::Ended, "The stream ended."),
        Some(20) => (
            ReasonCode::Unreachable,
            "The camera cannot be reached. Check the address.",
        ),
        Some(21) => (
            ReasonCode::AuthRefused,
            "The camera refuses the user name or password. Check both.",
        ),
        Some(23) => (ReasonCode::FormatChanged, "The picture format changed."),
        Some(30) => (ReasonCode::PluginMissing, "A GStreamer plugin is missing."),
        Some(40) => (
            ReasonCode::UnsupportedCodec,
            "The codec cannot be recorded. Choose H.264 or H.265 in the camera's settings.",
        ),
        _ => (
            ReasonCode::Internal,
            "The GStreamer program failed. The log has the cause.",
        ),
    };
    match said {
        Some((code, message)) if !message.is_empty() => {
            RunError::new(code.unwrap_or(by_exit.0), message)
        }
        _ => RunError::new(by_exit.0, by_exit.1),
    }
    .settle()
}

impl RunError {
    /// A child that fails inside may do better next time.
    fn settle(mut self) -> Self {
        if self.reason.code == ReasonCode::Internal {
            self.severity = oriel_task::Severity::Transient;
        }
        self
    }
}

async fn listen(mut stderr: ChildStderr, notes: Arc<Mutex<Notes>>, secret: Option<Secret>) {
    let mut line = Vec::new();
    let mut chunk = [0u8; 4096];
    while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
        for &byte in &chunk[..n] {
            match byte {
                b'\n' => {
                    note(&line, &notes, secret.as_ref());
                    line.clear();
                }
                _ if line.len() < LONGEST_LINE => line.push(byte),
                _ => {}
            }
        }
    }
}

fn note(line: &[u8], notes: &Mutex<Notes>, secret: Option<&Secret>) {
    let Ok(note) = serde_json::from_slice::<Note>(line) else {
        return;
    };
    let message = clean(note.message.as_deref().unwrap_or_default(), secret);
    let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    match note.event.as_str() {
        "error" => {
            warn!(message, "the child program reports an error");
            let code = note.reason.and_then(|r| serde_json::from_value(r).ok());
            notes.error = Some((code, message));
        }
        "warning" => {
            debug!(message, "the child program warns");
            notes.warning = Some(message);
        }
        "track" if note.kind.as_deref() == Some("audio") => {
            notes.source_audio = note.codec.map(|c| clean(&c, secret));
        }
        _ => {}
    }
}

fn clean(text: &str, secret: Option<&Secret>) -> String {
    let text: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_MESSAGE)
        .collect();
    match secret.map(Secret::expose).filter(|s| !s.is_empty()) {
        Some(secret) => text.replace(secret, "•••"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded_and_hold_no_secret() {
        let notes = Mutex::new(Notes::default());
        let secret = Secret::new("p@ss:w/rd#%");
        let long = "x".repeat(1000);
        note(
            format!(
                r#"{{"event":"error","reason":"auth_refused","message":"no p@ss:w/rd#% {long}"}}"#
            )
            .as_bytes(),
            &notes,
            Some(&secret),
        );
        note(b"not json", &notes, None);
        note(
            br#"{"event":"track","kind":"audio","codec":"pcmu"}"#,
            &notes,
            None,
        );
        let notes = notes.into_inner().unwrap();
        let (code, message) = notes.error.unwrap();
        assert_eq!(code, Some(ReasonCode::AuthRefused));
        assert!(
            message.starts_with("no •••") && message.len() < 400,
            "{message}"
        );
        assert_eq!(notes.source_audio.as_deref(), Some("pcmu"));
    }

    #[test]
    fn a_reason_nobody_knows_falls_back_to_the_exit() {
        let notes = Mutex::new(Notes::default());
        note(
            br#"{"event":"error","reason":"novelty","message":"hm"}"#,
            &notes,
            None,
        );
        let error = reason_of(None, notes.into_inner().unwrap().error);
        assert_eq!(error.reason.code, ReasonCode::Internal);
        assert_eq!(error.severity, oriel_task::Severity::Transient);
    }
}

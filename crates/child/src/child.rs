//! One running child program: its job, its notes on stderr, and how it ended.
//! The contract is docs/protocol.md section 1.

use std::{
    process::Stdio,
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

use crate::{ChildError, Program, program::command};

/// The job must have been taken by then.
const JOB_DEADLINE: Duration = Duration::from_secs(5);
/// After its stdin was closed it may take so long to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// Longest line of notes.
const LONGEST_LINE: usize = 8 * 1024;
/// Longest message taken from a note.
const LONGEST_MESSAGE: usize = 300;

/// A child program that runs a job. Killed when dropped.
pub struct Child {
    process: tokio::process::Child,
    /// Where frames go, and what must stay open while the job is wanted.
    pub stdin: Option<ChildStdin>,
    /// What the job makes.
    pub stdout: ChildStdout,
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
    pub async fn start(
        program: &Program,
        job: &serde_json::Value,
        secret: Option<Secret>,
    ) -> Result<Self, ChildError> {
        let path = program.path()?;
        let mut process = command(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                warn!(%error, "the child program does not start");
                ChildError::missing()
            })?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        ) else {
            return Err(ChildError::new(
                ReasonCode::Internal,
                "The child program has no pipes.",
            ));
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
    pub async fn ended(&mut self) -> ChildError {
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
        ChildError::ended(status, notes.error.clone())
    }

    /// Ends it in order, or kills it when it takes longer than 2 s.
    pub async fn stop(&mut self) {
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
    pub fn warning(&self) -> Option<String> {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .warning
            .clone()
    }

    /// The codec of the audio at the camera, if it named one.
    pub fn source_audio(&self) -> Option<String> {
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

/// A message fit to be kept: without the secret in any of its forms, without control
/// characters, and short. The secret goes first: what is cut or dropped afterwards could hide
/// a part of it.
fn clean(text: &str, secret: Option<&Secret>) -> String {
    let mut text = text.to_owned();
    for form in secret.map(forms).unwrap_or_default() {
        text = text.replace(form.expose(), "•••");
    }
    text.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_MESSAGE)
        .collect()
}

/// How a secret may be written in a message, longest first: as it is, within an address, and
/// without its control characters.
fn forms(secret: &Secret) -> Vec<Secret> {
    let plain = secret.expose();
    let percent = |upper: bool, keep: &[u8]| {
        let mut out = String::with_capacity(plain.len() * 3);
        for byte in plain.bytes() {
            if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
                out.push(char::from(byte));
            } else if upper {
                out.push_str(&format!("%{byte:02X}"));
            } else {
                out.push_str(&format!("%{byte:02x}"));
            }
        }
        Secret::new(out)
    };
    // RFC 3986 sections 2.3 and 3.2.1: unreserved, and what user information may hold besides.
    let (unreserved, in_userinfo) = (b"-._~", b"-._~!$&'()*+,;=");
    let mut forms = vec![
        secret.clone(),
        Secret::new(
            plain
                .chars()
                .filter(|c| !c.is_control())
                .collect::<String>(),
        ),
    ];
    for upper in [true, false] {
        for keep in [&b""[..], unreserved, in_userinfo] {
            forms.push(percent(upper, keep));
        }
    }
    forms.retain(|form| !form.expose().is_empty());
    forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
    forms
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
    fn no_part_of_a_secret_is_left_at_the_cut_or_behind_control_characters() {
        let secret = Secret::new("p@ss:w/rd#%\u{7}(x)");
        let before = "x".repeat(LONGEST_MESSAGE - 4);
        for written in [
            "p@ss:w/rd#%\u{7}(x)",
            "p@ss:w/rd#%(x)",
            "p%40ss%3Aw%2Frd%23%25%07(x)",
            "p%40ss%3aw%2frd%23%25%07%28x%29",
        ] {
            let kept = clean(&format!("{before}{written} after"), Some(&secret));
            assert_eq!(kept, format!("{before}•••{}", " "), "{written}");
        }
    }

    #[test]
    fn a_reason_nobody_knows_falls_back_to_the_exit() {
        let notes = Mutex::new(Notes::default());
        note(
            br#"{"event":"error","reason":"novelty","message":"hm"}"#,
            &notes,
            None,
        );
        let error = ChildError::ended(None, notes.into_inner().unwrap().error);
        assert_eq!(error.reason.code, ReasonCode::Internal);
    }
}

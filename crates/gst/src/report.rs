//! Events on stderr: one JSON object per line, never a secret.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

use gstreamer::{self as gst, glib};
use oriel_api::ReasonCode;
use serde::Serialize;

use crate::failure::Failure;

static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Ready,
    Track { kind: &'a str, codec: &'a str },
    Warning { message: String },
    Error { reason: ReasonCode, message: String },
}

/// Keeps a word out of everything reported from now on.
pub fn hide(secret: &str) {
    if secret.is_empty() {
        return;
    }
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.push(secret.to_owned());
    secrets.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
}

/// The job delivers from now on.
pub fn ready() {
    emit(&Event::Ready);
}

/// A track of the output.
pub fn track(kind: &str, codec: &str) {
    emit(&Event::Track { kind, codec });
}

/// Something a person should know; the job goes on.
pub fn warning(message: &str) {
    emit(&Event::Warning {
        message: clean(message),
    });
}

/// Why the job ends.
pub fn error(failure: &Failure) {
    emit(&Event::Error {
        reason: failure.reason,
        message: clean(&failure.message),
    });
}

/// GLib and GStreamer print what they like, addresses included; stderr is for events.
pub fn keep_native_logs_out() {
    glib::log_set_default_handler(|_, _, _| {});
    gst::log::remove_default_log_function();
}

fn emit(event: &Event<'_>) {
    let Ok(mut line) = serde_json::to_string(event) else {
        return;
    };
    line.push('\n');
    // A parent that does not read cannot be told so.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

fn clean(message: &str) -> String {
    let mut text = without_userinfo(message);
    for secret in SECRETS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        text = text.replace(secret.as_str(), "***");
    }
    if text.len() > 2000 {
        let end = (0..=2000).rev().find(|i| text.is_char_boundary(*i));
        text.truncate(end.unwrap_or(0));
    }
    text
}

/// Cuts `user:password@` out of every address in a text.
fn without_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c == '?' || c == '#' || c == '"' || c.is_whitespace())
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        out.push_str(authority.rsplit('@').next().unwrap_or(authority));
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_leave() {
        assert_eq!(
            clean("no rtsp://u:p@host/x and http://a@b:1 \"rtsp://c:d@e\""),
            "no rtsp://host/x and http://b:1 \"rtsp://e\""
        );
        hide("p@ss:w/rd#%");
        assert_eq!(clean("<p@ss:w/rd#%> p%40ss%3Aw%2Frd%23%25"), "<***> ***");
        assert!(clean(&"\u{e9}".repeat(5000)).len() <= 2000);
    }
}

//! Why a child did not start or why it ended, for programs and people.

use std::process::ExitStatus;

use oriel_api::{Reason, ReasonCode};

/// Why there is no child, or none any more. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", reason.message)]
pub struct ChildError {
    /// Code and sentence.
    pub reason: Reason,
}

impl ChildError {
    pub(crate) fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Self {
            reason: Reason {
                code,
                message: message.into(),
            },
        }
    }

    /// The program is not there.
    pub(crate) fn missing() -> Self {
        Self::new(
            ReasonCode::PluginMissing,
            "This needs GStreamer, and the program oriel-gst was not found or does not run. \
             Install GStreamer 1.22 or later with its base, good, bad, ugly and libav plugins.",
        )
    }

    /// From how it ended and what it said last.
    pub(crate) fn ended(
        status: Option<ExitStatus>,
        said: Option<(Option<ReasonCode>, String)>,
    ) -> Self {
        let (code, message) = match status.and_then(|s| s.code()) {
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
            Some((said, text)) if !text.is_empty() => Self::new(said.unwrap_or(code), text),
            _ => Self::new(code, message),
        }
    }
}

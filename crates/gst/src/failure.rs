//! Why a job ended, as an exit code and a reason.

use oriel_api::ReasonCode;

/// Exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Told to stop.
    Stopped = 0,
    /// The job line is not valid.
    BadJob = 10,
    /// The source cannot be reached.
    CannotConnect = 20,
    /// User name or password refused.
    AuthRefused = 21,
    /// The stream ended or the connection was lost.
    StreamEnded = 22,
    /// Size or codec configuration changed.
    FormatChanged = 23,
    /// A plugin is missing; the message names it.
    PluginMissing = 30,
    /// A codec that cannot be handled, or no video.
    Unsupported = 40,
    /// A fault of ours.
    Internal = 70,
}

/// The end of a job that was not asked for.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// For the parent.
    pub reason: ReasonCode,
    /// For people; free of secrets.
    pub message: String,
}

impl Failure {
    /// The job cannot be understood.
    pub fn bad_job(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::BadJob,
            reason: ReasonCode::Internal,
            message: message.into(),
        }
    }

    /// An element that is not installed.
    pub fn plugin_missing(element: &str) -> Self {
        Self {
            exit: Exit::PluginMissing,
            reason: ReasonCode::PluginMissing,
            message: format!("the GStreamer element {element} is not installed"),
        }
    }

    /// A codec that cannot be handled.
    pub fn unsupported(codec: &str) -> Self {
        Self {
            exit: Exit::Unsupported,
            reason: ReasonCode::UnsupportedCodec,
            message: format!("video in {codec} cannot be recorded"),
        }
    }

    /// There is no video track.
    pub fn no_video() -> Self {
        Self {
            exit: Exit::Unsupported,
            reason: ReasonCode::NoVideo,
            message: "the stream has no video".into(),
        }
    }

    /// The stream is over.
    pub fn ended(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::StreamEnded,
            reason: ReasonCode::Ended,
            message: message.into(),
        }
    }

    /// Something that should not happen.
    pub fn internal(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Internal,
            reason: ReasonCode::Internal,
            message: message.into(),
        }
    }
}

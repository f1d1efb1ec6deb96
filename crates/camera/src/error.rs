//! What can go wrong with a camera, said to the person who can act on it.

use oriel_api::{Reason, ReasonCode};

/// Why a camera does not deliver. Never holds a secret or text of unbounded size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    /// The address itself is wrong; the text says how.
    #[error("This address cannot be used. {0}")]
    BadAddress(&'static str),
    /// The host name has no address.
    #[error("The name {0} does not resolve. Check the address and the network's name server.")]
    UnknownHost(String),
    /// No route, or refused.
    #[error("{place} cannot be reached: {why}. Check that the camera is on and the port is right.")]
    Unreachable {
        /// Host and port.
        place: String,
        /// In a few words.
        why: &'static str,
    },
    /// No answer within its deadline.
    #[error("{place} did not answer: {step} took longer than {seconds} s.")]
    Timeout {
        /// Host and port.
        place: String,
        /// What was waited for.
        step: &'static str,
        /// Deadline in seconds.
        seconds: u64,
    },
    /// The camera asks for credentials and none are set.
    #[error("The camera asks for a user name and password. Enter them.")]
    PasswordMissing,
    /// The credentials are wrong.
    #[error(
        "The camera refuses the user name or password. Check both; some cameras lock for minutes after several wrong tries."
    )]
    PasswordWrong,
    /// The credentials are right but do not open this stream (403).
    #[error(
        "The camera accepts the user but does not allow this stream to it. Give the user the right to view in the camera's settings."
    )]
    Forbidden,
    /// The camera asks for a way to sign in that is not known.
    #[error("The camera asks for a way to sign in that Oriel does not know.")]
    UnknownSignIn,
    /// Something else answered.
    #[error("{0} answers, but not as an RTSP camera. Check the port.")]
    NotRtsp(String),
    /// A redirect (RFC 2326 section 11.3); credentials are never sent after it.
    #[error("The camera redirects to another address. Enter that address if you trust it.")]
    Redirected,
    /// 404, 454 or 410.
    #[error("The camera has no stream at this path. Check the part of the address after the host.")]
    NoSuchStream,
    /// Another refusal.
    #[error("The camera refused with status {0}. It may be busy with too many viewers.")]
    Refused(u16),
    /// No video among the tracks.
    #[error("The stream has no video.")]
    NoVideo,
    /// A video codec that cannot be received here.
    #[error(
        "The video codec {0} cannot be recorded. Choose H.264 or H.265 in the camera's settings."
    )]
    UnsupportedCodec(String),
    /// A way of transport that needs the other engine.
    #[error("Addresses that begin with {0} need GStreamer.")]
    UnsupportedTransport(String),
    /// The camera closed the connection.
    #[error("The camera closed the connection.")]
    Ended,
    /// Connected, but nothing came.
    #[error("The camera is connected but sent {what} for {seconds} s.")]
    Stalled {
        /// What was missing.
        what: &'static str,
        /// For so long.
        seconds: u64,
    },
    /// Size or codec configuration changed.
    #[error("The picture format changed.")]
    FormatChanged,
    /// Frames out of display order.
    #[error(
        "The camera sends B-frames, which need GStreamer. Switch them off in the camera's settings or install GStreamer."
    )]
    BFrames,
    /// Bytes that cannot be a stream.
    #[error("The camera sent something that cannot be a stream: {0}.")]
    Malformed(&'static str),
    /// A fault of ours.
    #[error("Receiving failed because of a fault in Oriel.")]
    Internal,
}

impl CameraError {
    /// The code programs match on.
    pub fn code(&self) -> ReasonCode {
        match self {
            Self::BadAddress(_) | Self::UnknownHost(_) | Self::Unreachable { .. } => {
                ReasonCode::Unreachable
            }
            Self::Timeout { .. } => ReasonCode::Timeout,
            Self::PasswordMissing | Self::PasswordWrong | Self::Forbidden | Self::UnknownSignIn => {
                ReasonCode::AuthRefused
            }
            Self::NotRtsp(_) => ReasonCode::NotRtsp,
            Self::Redirected | Self::Refused(_) => ReasonCode::Unreachable,
            Self::NoSuchStream => ReasonCode::NoSuchStream,
            Self::NoVideo => ReasonCode::NoVideo,
            Self::UnsupportedCodec(_) | Self::UnsupportedTransport(_) | Self::BFrames => {
                ReasonCode::UnsupportedCodec
            }
            Self::Ended => ReasonCode::Ended,
            Self::Stalled { .. } => ReasonCode::Stalled,
            Self::FormatChanged => ReasonCode::FormatChanged,
            Self::Malformed(_) => ReasonCode::Malformed,
            Self::Internal => ReasonCode::Internal,
        }
    }

    /// Code and sentence.
    pub fn reason(&self) -> Reason {
        Reason {
            code: self.code(),
            message: self.to_string(),
        }
    }

    /// Whether the GStreamer engine may manage what this one cannot.
    pub fn needs_gstreamer(&self) -> bool {
        matches!(
            self,
            Self::BFrames | Self::UnsupportedCodec(_) | Self::UnsupportedTransport(_)
        )
    }
}

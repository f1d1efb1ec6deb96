//! The ten things that can go wrong, and nothing a caller could exploit.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Stable codes that programs may match on. One `match` maps them to HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Nobody is signed in, or the token is not valid.
    Unauthenticated,
    /// Signed in, but this is not allowed.
    PermissionDenied,
    /// No such thing, or not visible to this caller.
    NotFound,
    /// The request itself is wrong.
    InvalidArgument,
    /// It collides with something that exists.
    Conflict,
    /// The world is not in the state this needs.
    PreconditionFailed,
    /// Try again later.
    Unavailable,
    /// The camera cannot be reached or refuses; `detail.reason` says how.
    CameraUnreachable,
    /// The disk or bucket cannot be used.
    StorageUnavailable,
    /// A fault of ours.
    Internal,
}

impl ErrorCode {
    /// HTTP status of this code.
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::InvalidArgument => 400,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::Unavailable => 503,
            Self::CameraUnreachable => 502,
            Self::StorageUnavailable => 507,
            Self::Internal => 500,
        }
    }
}

/// What went wrong, said to the person who can act on it. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    /// Stable code.
    pub code: ErrorCode,
    /// One sentence for a person: what happened and what to do.
    pub message: String,
    /// Machine-readable particulars, by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
}

/// The error as it stands in a response body.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: Error,
}

impl Error {
    /// An error with a code and a sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            detail: None,
        }
    }
    /// The request itself is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message)
    }
    /// No such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }
    /// It collides with something that exists.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Conflict, message)
    }
    /// Try again later.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unavailable, message)
    }
    /// A fault of ours. The cause goes to the log, not to the caller.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(
            ErrorCode::Internal,
            "Something went wrong inside Oriel. The log has the cause.",
        )
    }
    /// The same error with particulars.
    #[must_use]
    pub fn with_detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = Some(detail);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

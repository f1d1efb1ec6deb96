//! Why a connection ended, and whether trying again soon can help.

use oriel_api::{Reason, ReasonCode};
use oriel_camera::CameraError;
use oriel_child::ChildError;
use oriel_task::Severity;

/// Why a run or an attempt at one ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", reason.message)]
pub struct RunError {
    /// For programs and people. Holds no secret.
    pub reason: Reason,
    /// Whether trying again soon can help.
    pub severity: Severity,
    /// Whether the GStreamer engine may manage what the native one could not.
    pub needs_gstreamer: bool,
}

impl RunError {
    /// An error whose severity follows from its code.
    pub fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Self {
            reason: Reason {
                code,
                message: message.into(),
            },
            severity: severity(code),
            needs_gstreamer: false,
        }
    }

    /// The same error, to be tried again at once.
    #[must_use]
    pub(crate) fn at_once(mut self) -> Self {
        self.severity = Severity::Immediate;
        self
    }

    /// No frame for the watchdog time.
    pub(crate) fn stalled(seconds: u32) -> Self {
        Self::new(
            ReasonCode::Stalled,
            format!("The camera is connected but sent no picture for {seconds} s."),
        )
    }

    /// The setup changed under a running connection.
    pub(crate) fn superseded() -> Self {
        Self::new(ReasonCode::Ended, "The camera's settings were changed.").at_once()
    }

    /// The clock of this computer was moved.
    pub(crate) fn clock_step() -> Self {
        Self::new(
            ReasonCode::ClockStep,
            "The clock of this computer was moved or it slept; a new run starts.",
        )
    }
}

impl From<CameraError> for RunError {
    fn from(error: CameraError) -> Self {
        let reason = error.reason();
        let severity = match error {
            // Nothing at the camera can change this.
            CameraError::BadAddress(_) | CameraError::Redirected => Severity::Lasting,
            _ => severity(reason.code),
        };
        Self {
            reason,
            severity,
            needs_gstreamer: error.needs_gstreamer(),
        }
    }
}

impl From<ChildError> for RunError {
    fn from(error: ChildError) -> Self {
        let severity = match error.reason.code {
            // A child that fails inside may do better next time.
            ReasonCode::Internal => Severity::Transient,
            code => severity(code),
        };
        Self {
            reason: error.reason,
            severity,
            needs_gstreamer: false,
        }
    }
}

fn severity(code: ReasonCode) -> Severity {
    match code {
        ReasonCode::AuthRefused
        | ReasonCode::PluginMissing
        | ReasonCode::UnsupportedCodec
        | ReasonCode::NoVideo
        | ReasonCode::Internal => Severity::Lasting,
        ReasonCode::FormatChanged | ReasonCode::ClockStep => Severity::Immediate,
        _ => Severity::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_must_mend_is_lasting() {
        let of = |e: CameraError| RunError::from(e).severity;
        assert_eq!(of(CameraError::PasswordWrong), Severity::Lasting);
        assert_eq!(
            of(CameraError::UnsupportedCodec("vp8".into())),
            Severity::Lasting
        );
        assert_eq!(of(CameraError::Ended), Severity::Transient);
        assert_eq!(of(CameraError::NoSuchStream), Severity::Transient);
        assert_eq!(of(CameraError::FormatChanged), Severity::Immediate);
        assert_eq!(RunError::clock_step().severity, Severity::Immediate);
    }
}

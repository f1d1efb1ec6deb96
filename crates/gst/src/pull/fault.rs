//! What a message on the bus means for the job.

use gstreamer as gst;
use oriel_api::ReasonCode;

use crate::{
    failure::{Exit, Failure},
    report,
};

/// The end that a message brings, if any. Warnings are passed on.
pub fn of(message: &gst::Message, delivering: bool) -> Option<Failure> {
    match message.view() {
        gst::MessageView::Eos(_) => Some(if delivering {
            Failure::ended("the stream ended")
        } else {
            Failure {
                exit: Exit::CannotConnect,
                reason: ReasonCode::Ended,
                message: "the connection was closed before a picture came".into(),
            }
        }),
        gst::MessageView::Error(error) => {
            let detail = error.debug().unwrap_or_default();
            Some(of_error(&error.error(), &detail, delivering))
        }
        gst::MessageView::Warning(warning) => {
            report::warning(warning.error().message());
            None
        }
        gst::MessageView::Element(element) => {
            let structure = element.structure()?;
            if structure.name() == "missing-plugin" {
                let what = structure.get::<String>("name").unwrap_or_default();
                report::warning(&format!("a GStreamer plugin is missing: {what}"));
            }
            None
        }
        _ => None,
    }
}

fn of_error(error: &gst::glib::Error, detail: &str, delivering: bool) -> Failure {
    let (exit, reason) = if error.matches(gst::ResourceError::NotAuthorized) {
        (Exit::AuthRefused, ReasonCode::AuthRefused)
    } else if error.matches(gst::CoreError::MissingPlugin)
        || error.matches(gst::StreamError::CodecNotFound)
    {
        (Exit::PluginMissing, ReasonCode::PluginMissing)
    } else if delivering {
        (Exit::StreamEnded, ReasonCode::Ended)
    } else if error.matches(gst::ResourceError::NotFound) {
        (Exit::CannotConnect, ReasonCode::NoSuchStream)
    } else if contains(detail, "timeout") || contains(detail, "timed out") {
        (Exit::CannotConnect, ReasonCode::Timeout)
    } else if speaks_something_else(detail) {
        (Exit::CannotConnect, ReasonCode::NotRtsp)
    } else if error.matches(gst::StreamError::WrongType)
        || error.matches(gst::StreamError::TypeNotFound)
        || error.matches(gst::StreamError::Demux)
        || error.matches(gst::StreamError::Decode)
    {
        (Exit::CannotConnect, ReasonCode::Malformed)
    } else {
        (Exit::CannotConnect, ReasonCode::Unreachable)
    };
    let cause = cause(detail);
    Failure {
        exit,
        reason,
        message: if cause.is_empty() {
            error.message().to_owned()
        } else {
            format!("{} ({cause})", error.message())
        },
    }
}

/// rtspsrc gives no code for an answer that is not RTSP.
fn speaks_something_else(detail: &str) -> bool {
    ["parse", "400", "Invalid argument"]
        .iter()
        .any(|word| contains(detail, word))
}

fn contains(text: &str, word: &str) -> bool {
    text.to_ascii_lowercase()
        .contains(&word.to_ascii_lowercase())
}

/// The last line of a debug text, which names files of GStreamer's sources in the first.
fn cause(detail: &str) -> &str {
    match detail.trim().rsplit_once('\n') {
        Some((_, last)) => last.trim(),
        None => "",
    }
}

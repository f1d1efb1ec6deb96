//! retina's errors as ours. Its error type is opaque except for the status of an answer, so the
//! kind of the others is read from its text, here and nowhere else.

use crate::{CameraError, knock::status_error};

/// What an error of retina means. `place` is host and port for the message.
pub(crate) fn from_retina(error: &retina::Error, place: &str) -> CameraError {
    match error.status_code() {
        Some(200..=299) => from_success_text(&error.to_string()),
        Some(status) => status_error(status),
        None => from_text(&error.to_string(), place),
    }
}

/// A good answer whose content was refused.
fn from_success_text(text: &str) -> CameraError {
    match text.split_once("no depacketizer for media/encoding_name ") {
        Some((_, codec)) => CameraError::UnsupportedCodec(codec_name(codec)),
        None if text.contains("SDP") || text.contains("media description") => {
            CameraError::Malformed("its description of the stream cannot be read")
        }
        None => CameraError::Malformed("an answer of it cannot be read"),
    }
}

fn from_text(text: &str, place: &str) -> CameraError {
    // Begins of the display texts of retina 0.4's error kinds.
    if text.starts_with("Error reading from RTSP peer") || text.starts_with("Error writing to RTSP")
    {
        if text.contains("failed to respond to keepalive") || text.contains("write keepalive") {
            return CameraError::Stalled {
                what: "no answer to a sign of life",
                seconds: 30,
            };
        }
        CameraError::Ended
    } else if text.starts_with("Unable to connect") {
        CameraError::Unreachable {
            place: place.to_owned(),
            why: crate::knock::why(std::io::ErrorKind::Other),
        }
    } else if text.starts_with("RTSP framing error") {
        CameraError::Malformed("what it says is not RTSP")
    } else if text.starts_with("Invalid argument") || text.starts_with("Internal error") {
        CameraError::Internal
    } else {
        CameraError::Malformed("its packets are broken")
    }
}

/// A codec's name in a message: short and printable.
pub(crate) fn codec_name(text: &str) -> String {
    let name: String = text
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_graphic())
        .take(32)
        .collect();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_retina_are_told_apart() {
        let p = "cam:554";
        assert_eq!(
            from_text(
                "Error reading from RTSP peer: EOF while expecting response\n\nconn: x",
                p
            ),
            CameraError::Ended
        );
        assert!(matches!(
            from_text(
                "Error reading from RTSP peer: Server failed to respond to keepalive 5",
                p
            ),
            CameraError::Stalled { .. }
        ));
        assert!(matches!(
            from_text("RTSP framing error: Invalid RTSP message", p),
            CameraError::Malformed(_)
        ));
        assert!(matches!(
            from_text("wrong ssrc after 3", p),
            CameraError::Malformed(_)
        ));
        assert_eq!(
            from_success_text(
                "200 OK response to DESCRIBE CSeq=1: no depacketizer for media/encoding_name video/vp8\n\nconn"
            ),
            CameraError::UnsupportedCodec("vp8".into())
        );
    }

    #[test]
    fn names_are_short_and_printable() {
        assert_eq!(codec_name("video/h263\nrtsp://secret"), "h263");
        assert!(codec_name(&"x".repeat(1000)).len() <= 32);
    }
}

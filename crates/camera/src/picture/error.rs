//! Why a camera gives no picture, said to the person who can act on it.

use oriel_api::{Reason, ReasonCode};

use crate::CameraError;

/// Why there is no picture. Holds no secret, and neither path nor query of the address: many
/// cameras want their password there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// What also happens to streams: not reached, too slow, password refused, sent elsewhere.
    #[error(transparent)]
    Camera(#[from] CameraError),
    /// No encrypted connection.
    #[error(
        "{0} does not agree to an encrypted connection. Old cameras know only versions of TLS that are not safe; try the address with http://."
    )]
    NoEncryption(String),
    /// Something else answered.
    #[error("{0} answers, but not as a web server. Check the port of the snapshot address.")]
    NotHttp(String),
    /// The credentials do not open this address (403).
    #[error(
        "The camera does not allow pictures to this user. Give the user the right in the camera's settings."
    )]
    Forbidden,
    /// 404 or 410.
    #[error(
        "The camera has no picture at this address. Check the part of the snapshot address after the host."
    )]
    NoSuchPicture,
    /// Another refusal.
    #[error("The camera refused the picture with status {0}.")]
    Refused(u16),
    /// More than we take.
    #[error("The camera's picture is larger than 8 MiB. Choose a smaller one in its settings.")]
    TooLarge,
    /// Not a picture.
    #[error(
        "The snapshot address answers with something other than a JPEG picture. Check the address."
    )]
    NotJpeg,
    /// A picture that no one could show.
    #[error("The camera sent a broken picture: {0}.")]
    Broken(&'static str),
}

impl PictureError {
    /// The code programs match on.
    pub fn code(&self) -> ReasonCode {
        match self {
            Self::Camera(error) => error.code(),
            Self::Forbidden => ReasonCode::AuthRefused,
            Self::NoEncryption(_) | Self::Refused(_) => ReasonCode::Unreachable,
            Self::NoSuchPicture => ReasonCode::NoSuchStream,
            Self::NotHttp(_) | Self::TooLarge | Self::NotJpeg | Self::Broken(_) => {
                ReasonCode::Malformed
            }
        }
    }

    /// Code and sentence.
    pub fn reason(&self) -> Reason {
        Reason {
            code: self.code(),
            message: self.to_string(),
        }
    }
}

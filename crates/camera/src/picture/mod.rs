//! A camera's own still picture: one bounded HTTP GET at its snapshot address.
//!
//! Whatever answers is treated as hostile: header, body and time are limited, a redirect may not
//! leave the host, and what comes back has to be a JPEG picture. No proxy is asked: cameras are on
//! the local network, and a proxy would see their passwords.

mod ask;
mod error;
mod jpeg;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use oriel_api::Credentials;
use tokio::time::timeout;
use url::Url;

use crate::{Address, CameraError};
use ask::{Question, ask};
pub use error::PictureError;

/// The largest picture taken.
pub const LARGEST_PICTURE: usize = 8 << 20;
/// Questions in all: redirects, and a second one for each that wants a password.
const QUESTIONS: usize = 6;

/// What to ask, and how patiently.
#[derive(Clone, Debug)]
pub struct PictureTarget {
    /// Address; `http` or `https`.
    pub address: Address,
    /// User and password, if the camera asks. They go to no other host.
    pub credentials: Option<Credentials>,
    /// Sent to the camera.
    pub user_agent: String,
    /// Name lookup, connection and encryption, each.
    pub connect: Duration,
    /// All of it.
    pub whole: Duration,
}

impl PictureTarget {
    /// With the usual deadlines: 5 s to connect, 10 s in all.
    pub fn new(address: Address, credentials: Option<Credentials>, user_agent: &str) -> Self {
        Self {
            address,
            credentials,
            user_agent: user_agent.to_owned(),
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(10),
        }
    }
}

/// The picture at an address: a JPEG of [`LARGEST_PICTURE`] bytes at most.
///
/// # Errors
/// When the camera cannot be reached, refuses, or answers with something else.
pub async fn picture(target: &PictureTarget) -> Result<Bytes, PictureError> {
    if !matches!(target.address.scheme(), "http" | "https") {
        return Err(CameraError::BadAddress("It must begin with http:// or https://.").into());
    }
    timeout(target.whole, fetch(target))
        .await
        .unwrap_or_else(|_| {
            Err(CameraError::Timeout {
                place: target.address.place(),
                step: "its picture",
                seconds: target.whole.as_secs(),
            }
            .into())
        })
}

async fn fetch(target: &PictureTarget) -> Result<Bytes, PictureError> {
    let mut url = target.address.url().clone();
    let mut authorization: Option<String> = None;
    for _ in 0..QUESTIONS {
        let authorized = authorization.is_some();
        let answer = ask(Question {
            url: &url,
            authorization: authorization.take(),
            user_agent: &target.user_agent,
            connect: target.connect,
        })
        .await?;
        match answer.status() {
            200..=299 => {
                let bytes = answer.body(LARGEST_PICTURE).await?;
                jpeg::check(&bytes)?;
                return Ok(bytes);
            }
            301 | 302 | 303 | 307 | 308 => url = followed(&url, answer.location())?,
            401 if authorized => return Err(CameraError::PasswordWrong.into()),
            401 => {
                let credentials = target
                    .credentials
                    .as_ref()
                    .ok_or(CameraError::PasswordMissing)?;
                authorization = Some(respond(answer.challenges(), credentials, &url)?);
            }
            403 => return Err(PictureError::Forbidden),
            404 | 410 => return Err(PictureError::NoSuchPicture),
            other => return Err(PictureError::Refused(other)),
        }
    }
    Err(CameraError::Redirected.into())
}

/// Where a redirect leads, if it stays on the host and does not give up encryption.
fn followed(from: &Url, location: Option<&str>) -> Result<Url, PictureError> {
    let away = || PictureError::from(CameraError::Redirected);
    let mut to = from.join(location.ok_or_else(away)?).map_err(|_| away())?;
    let kept = to.host() == from.host()
        && match to.scheme() {
            "https" => true,
            "http" => from.scheme() == "http",
            _ => false,
        };
    if !kept {
        return Err(away());
    }
    // Whatever login stands there is not the one a person entered.
    if to.set_username("").is_err() || to.set_password(None).is_err() {
        return Err(away());
    }
    Ok(to)
}

fn respond<'a>(
    challenges: impl Iterator<Item = &'a str>,
    credentials: &Credentials,
    url: &Url,
) -> Result<String, PictureError> {
    let unknown = || PictureError::from(CameraError::UnknownSignIn);
    let mut builder = http_auth::PasswordClient::builder();
    for challenge in challenges {
        builder = builder.challenges(challenge);
    }
    let mut client = builder.build().map_err(|_| unknown())?;
    client
        .respond(&http_auth::PasswordParams {
            username: &credentials.username,
            password: credentials.password.expose(),
            uri: &ask::path(url),
            method: "GET",
            body: Some(&[]),
        })
        .map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_on_the_host_and_keeps_encryption() {
        let at = |text: &str| Url::parse(text).unwrap();
        let (plain, safe) = (at("http://cam/a?x=1"), at("https://cam:8443/a"));
        for (from, to, expected) in [
            (&plain, "/b", Some("http://cam/b")),
            (&plain, "b?y", Some("http://cam/b?y")),
            (&plain, "https://cam/b", Some("https://cam/b")),
            (&plain, "http://CAM:8080/b", Some("http://cam:8080/b")),
            (&plain, "http://u:p@cam/b", Some("http://cam/b")),
            (&plain, "http://evil/b", None),
            (&plain, "//evil/b", None),
            (&plain, "http://cam.evil/b", None),
            (&plain, "file:///etc/passwd", None),
            (&plain, "ftp://cam/b", None),
            (&plain, "http://", None),
            (&safe, "http://cam/b", None),
            (&safe, "/b", Some("https://cam:8443/b")),
        ] {
            let found = followed(from, Some(to)).ok().map(String::from);
            assert_eq!(found.as_deref(), expected, "{from} to {to}");
        }
        assert!(followed(&plain, None).is_err());
    }
}

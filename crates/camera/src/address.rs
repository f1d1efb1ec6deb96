//! Addresses of streams: what is accepted, and credentials taken out of them.

use oriel_api::{Credentials, Secret};
use url::Url;

use crate::CameraError;

/// Longest address accepted, in bytes.
const LONGEST: usize = 2048;

/// Schemes a person may give. Files and devices are not among them: an address comes over the
/// API and must not open things on this computer.
const SCHEMES: [&str; 6] = ["rtsp", "rtsps", "rtmp", "http", "https", "srt"];

/// An address that was checked and holds no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Checks an address. It must have a known scheme and a host, be at most 2048 bytes long
    /// and hold neither control characters nor credentials (see [`split_credentials`]).
    pub fn parse(text: &str) -> Result<Self, CameraError> {
        if text.len() > LONGEST {
            return Err(CameraError::BadAddress(
                "It is longer than 2048 characters.",
            ));
        }
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(CameraError::BadAddress(
                "It contains spaces or control characters.",
            ));
        }
        let url = Url::parse(text).map_err(|_| {
            CameraError::BadAddress(
                "It should look like rtsp://192.168.1.20:554/stream1; user and password have \
                 their own fields.",
            )
        })?;
        if !SCHEMES.contains(&url.scheme()) {
            return Err(CameraError::BadAddress(
                "It must begin with rtsp, rtsps, rtmp, http, https or srt.",
            ));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(CameraError::BadAddress("It names no host."));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CameraError::BadAddress(
                "User and password belong in their own fields.",
            ));
        }
        Ok(Self(url))
    }

    /// The address.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Scheme in lower case.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Whether safe Rust can receive it: plain RTSP. Everything else needs GStreamer.
    pub fn is_plain_rtsp(&self) -> bool {
        self.scheme() == "rtsp"
    }

    /// Host and port, for messages.
    pub(crate) fn place(&self) -> String {
        place_of(&self.0)
    }
}

/// Host and port of an address as they stand there, and nothing else of it.
pub(crate) fn place_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Takes user and password out of an address. They are percent-decoded. An address without any
/// comes back unchanged; whether the rest is a valid address is for [`Address::parse`] to say.
pub fn split_credentials(text: &str) -> (String, Option<Credentials>) {
    let Some((scheme, rest)) = text.split_once("://") else {
        return (text.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((userinfo, host)) = authority.rsplit_once('@') else {
        return (text.to_owned(), None);
    };
    let clean = format!("{scheme}://{host}{path}");
    let (username, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let credentials = Credentials {
        username: percent_decode(username),
        password: Secret::new(percent_decode(password)),
    };
    let given = !userinfo.is_empty();
    (clean, given.then_some(credentials))
}

/// Percent-decoding (RFC 3986 section 2.1) that leaves a lone `%` as it is.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = |k: usize| {
            bytes
                .get(i + k)
                .and_then(|b| char::from(*b).to_digit(16))
                .and_then(|d| u8::try_from(d).ok())
        };
        match (bytes[i], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                i += 3;
            }
            (byte, ..) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_address() {
        let (url, c) =
            split_credentials("rtsp://admin:p%40ss%3Aw%2Frd%23%25@10.0.0.5:8554/a?b=c#d");
        let c = c.unwrap();
        assert_eq!(url, "rtsp://10.0.0.5:8554/a?b=c#d");
        assert_eq!(c.username, "admin");
        assert_eq!(c.password.expose(), "p@ss:w/rd#%");
    }

    #[test]
    fn an_at_sign_typed_as_it_is_stays_in_the_password() {
        let (url, c) = split_credentials("rtsp://u:p@ss@cam/x@y");
        assert_eq!(url, "rtsp://cam/x@y");
        assert_eq!(c.unwrap().password.expose(), "p@ss");
    }

    #[test]
    fn nothing_to_split() {
        for same in ["rtsp://cam/x@y", "nonsense", "", "rtsp://[::1]:554/a"] {
            assert_eq!(split_credentials(same), (same.to_owned(), None));
        }
        assert_eq!(
            split_credentials("rtsp://@cam/"),
            ("rtsp://cam/".into(), None)
        );
    }

    #[test]
    fn a_stray_percent_sign_is_text() {
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
        assert_eq!(percent_decode("%C3%A4"), "ä");
    }

    #[test]
    fn only_network_addresses_with_a_host_pass() {
        for good in [
            "rtsp://cam",
            "rtsp://[fe80::1]:554/a",
            "rtsps://cam/x?y=1&z=2",
            "http://10.0.0.1/mjpg",
            "srt://h:9000",
        ] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        let long = format!("rtsp://h/{}", "a".repeat(2048));
        for bad in [
            "",
            "cam",
            "rtsp://",
            "rtsp:///path",
            "file:///etc/passwd",
            "v4l2:///dev/video0",
            "rtsp://h\r\nX: y/",
            "rtsp://h/a b",
            "rtsp://u:p@h/",
            "rtsp://h:99999/",
            &long,
        ] {
            assert!(
                matches!(Address::parse(bad), Err(CameraError::BadAddress(_))),
                "{bad}"
            );
        }
    }
}

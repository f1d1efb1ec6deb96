//! Addresses and names as people type them: checked, credentials taken out, spelt one way.

use oriel_api::{Credentials, Error, Result, Secret};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// What an address is for.
struct Purpose {
    /// Schemes it may have, with their usual ports.
    schemes: [(&'static str, u16); 2],
    empty: &'static str,
    scheme: &'static str,
}

const STREAM: Purpose = Purpose {
    schemes: [("rtsp", 554), ("rtsps", 322)],
    empty: "Enter the camera's address, such as rtsp://192.168.1.20/stream1.",
    scheme: "The address must begin with rtsp:// or rtsps://.",
};
const PICTURE: Purpose = Purpose {
    schemes: [("http", 80), ("https", 443)],
    empty: "Enter an address such as http://192.168.1.20/snapshot.jpg.",
    scheme: "The address must begin with http:// or https://.",
};
const LONGEST: usize = 2048;

/// An address that can be stored and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without credentials; the same address is always the same text.
    pub url: String,
    /// Host as text.
    pub host: String,
    /// Credentials that were inside it.
    pub credentials: Option<Credentials>,
}

impl Address {
    /// Checks the address of a stream. Errors never repeat it, because it may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_for(text, &STREAM)
    }

    /// Checks an address that answers with a picture, as [`Address::parse`] does.
    pub fn parse_picture(text: &str) -> Result<Self> {
        Self::parse_for(text, &PICTURE).map_err(|mut e| {
            e.message = format!("The snapshot address: {}", e.message);
            e
        })
    }

    fn parse_for(text: &str, purpose: &Purpose) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::invalid(purpose.empty));
        }
        if text.len() > LONGEST {
            return Err(Error::invalid("The address is too long."));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Error::invalid(
                "The address must not contain spaces or control characters.",
            ));
        }
        let mut url = Url::parse(text).map_err(|e| unreadable(text, e, purpose))?;
        let Some((_, port)) = purpose.schemes.iter().find(|(s, _)| *s == url.scheme()) else {
            return Err(Error::invalid(purpose.scheme));
        };
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_ascii_lowercase(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => format!("[{ip}]"),
            None => String::new(),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if host.is_empty() || !(host.starts_with('[') || host.bytes().all(plain)) {
            return Err(Error::invalid(
                "The address names no host that can be reached. If the password has special \
                 characters, put user name and password into their own fields.",
            ));
        }
        if url.port() == Some(0) {
            return Err(Error::invalid("Port 0 cannot be reached."));
        }
        let credentials = taken_out(&url)?;
        let refused = |()| Error::invalid("The address cannot be read.");
        url.set_username("").map_err(refused)?;
        url.set_password(None).map_err(refused)?;
        if url.port() == Some(*port) {
            url.set_port(None).map_err(refused)?;
        }
        url.set_fragment(None);
        url.set_host(Some(&host))
            .map_err(|_| Error::invalid("The address cannot be read."))?;
        Ok(Self {
            url: url.into(),
            host,
            credentials,
        })
    }
}

/// The host of an address that was checked before.
pub(crate) fn host_of(url: &str) -> Option<String> {
    Address::parse(url).ok().map(|a| a.host)
}

fn unreadable(text: &str, error: url::ParseError, purpose: &Purpose) -> Error {
    use url::ParseError as E;
    Error::invalid(match error {
        E::RelativeUrlWithoutBase if !text.contains("://") => purpose.scheme,
        E::InvalidPort => {
            "The port in the address is not a number up to 65535. If the password has special \
             characters, put user name and password into their own fields."
        }
        E::EmptyHost => "The address names no host.",
        E::InvalidIpv4Address | E::InvalidIpv6Address => "The IP address is not valid.",
        _ => "The address cannot be read.",
    })
}

fn taken_out(url: &Url) -> Result<Option<Credentials>> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(|t| t.into_owned())
            .map_err(|_| {
                Error::invalid(
                    "User name or password in the address cannot be read. Put them into their \
                     own fields.",
                )
            })
    };
    login(
        Some(decode(url.username())?),
        Some(Secret::new(decode(url.password().unwrap_or_default())?)),
    )
}

/// Credentials from two fields. No user name means none.
pub(crate) fn login(
    username: Option<String>,
    password: Option<Secret>,
) -> Result<Option<Credentials>> {
    let username = username.unwrap_or_default();
    let password = password.unwrap_or_else(|| Secret::new(""));
    if username.is_empty() {
        return if password.expose().is_empty() {
            Ok(None)
        } else {
            Err(Error::invalid("A password needs a user name."))
        };
    }
    if username.chars().any(char::is_control) {
        return Err(Error::invalid(
            "The user name must not contain control characters.",
        ));
    }
    Ok(Some(Credentials { username, password }))
}

/// A name of a camera or channel: 1 to 80 characters, none of them control characters.
pub fn name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid("Enter a name."));
    }
    if text.chars().count() > 80 {
        return Err(Error::invalid("A name has 80 characters at most."));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(
            "A name must not contain control characters.",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_and_decoded() {
        let a = Address::parse("rtsp://admin:p%40ss%3Aw%2Frd%23%25@Cam.LAN:554/s?x=1#f").unwrap();
        assert_eq!(a.url, "rtsp://cam.lan/s?x=1");
        let c = a.credentials.unwrap();
        assert_eq!(c.username, "admin");
        assert_eq!(c.password.expose(), "p@ss:w/rd#%");
        let plain = Address::parse(" rtsp://cam/1 ").unwrap();
        assert_eq!(plain.credentials, None);
        let user_only = Address::parse("rtsp://admin@cam/1").unwrap();
        assert_eq!(user_only.credentials.unwrap().password.expose(), "");
    }

    #[test]
    fn one_spelling_for_one_address() {
        for same in ["rtsp://CAM:554/A", "RTSP://cam/A", "rtsp://u:p@cam/A"] {
            assert_eq!(Address::parse(same).unwrap().url, "rtsp://cam/A");
        }
        assert_eq!(
            Address::parse("rtsp://[FE80::1]:8554/a").unwrap().url,
            "rtsp://[fe80::1]:8554/a"
        );
        for text in [
            "rtsp://cam/A",
            "rtsps://10.0.0.1:8322/x?y=z",
            "rtsp://[::1]/",
        ] {
            let once = Address::parse(text).unwrap().url;
            assert_eq!(Address::parse(&once).unwrap().url, once);
        }
    }

    #[test]
    fn what_cannot_be_an_address_is_refused_without_repeating_it() {
        let long = format!("rtsp://cam/{}", "a".repeat(3000));
        for bad in [
            "",
            "cam",
            "192.168.1.2",
            "file:///etc/passwd",
            "http://hunter2/",
            "rtsp://",
            "rtsp:///path",
            "rtsp:hunter2",
            "rtsp://cam:99999/",
            "rtsp://cam:0/",
            "rtsp://u:hunter2#x@cam/",
            "rtsp://cam/\r\nX: y",
            "rtsp://ca m/",
            "rtsp://ca%00m/",
            "rtsp://[::zz]/",
            "rtsp://u:%ff%fe@cam/",
            "rtsp://:hunter2@cam/",
            long.as_str(),
        ] {
            let error = Address::parse(bad).expect_err(bad);
            assert_eq!(error.code, oriel_api::ErrorCode::InvalidArgument, "{bad}");
            assert!(!error.message.contains("hunter2"), "{bad}");
        }
    }

    #[test]
    fn the_address_of_a_picture_is_http_and_nothing_else() {
        let a = Address::parse_picture(" http://u:p%40@CAM:80/snap.jpg?ch=1#x ").unwrap();
        assert_eq!(
            (a.url.as_str(), a.host.as_str()),
            ("http://cam/snap.jpg?ch=1", "cam")
        );
        assert_eq!(a.credentials.unwrap().password.expose(), "p@");
        let a = Address::parse_picture("https://[::1]:8443").unwrap();
        assert_eq!(a.url, "https://[::1]:8443/");
        for bad in [
            "",
            "cam/snap.jpg",
            "rtsp://cam/hunter2",
            "file:///etc/hunter2",
            "ftp://cam/hunter2",
            "data:image/jpeg;base64,hunter2",
            "http://",
            "http://cam:0/",
            "http://ca m/hunter2",
            "http://cam/\r\nX: hunter2",
            "http://u:hunter2#x@cam/",
        ] {
            let error = Address::parse_picture(bad).expect_err(bad);
            assert_eq!(error.code, oriel_api::ErrorCode::InvalidArgument, "{bad}");
            assert!(error.message.starts_with("The snapshot address: "), "{bad}");
            assert!(!error.message.contains("hunter2"), "{bad}");
        }
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(name("  Vhod – sever ").unwrap(), "Vhod – sever");
        assert!(name(" ").is_err());
        assert!(name(&"ü".repeat(80)).is_ok());
        assert!(name(&"ü".repeat(81)).is_err());
        assert!(name("a\u{7}b").is_err());
        assert!(name("a\nb").is_err());
    }
}

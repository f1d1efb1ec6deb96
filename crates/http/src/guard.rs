//! What every request must pass: whom it was addressed to, and which page sent it.
//!
//! A web page anywhere can make a browser send requests to this computer. The `Host` check stops
//! names that point here by DNS; the `Origin` check stops pages that are not ours.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use oriel_api::Error;

use crate::{failure::Failure, site::Site};

/// Origins of the page inside the desktop window (WebKit, and WebView2).
const WINDOW_ORIGINS: [&str; 2] = ["tauri://localhost", "http://tauri.localhost"];

/// The page loads nothing from elsewhere. Inline styles are what its components position
/// themselves with; scripts are files.
const CONTENT_SECURITY: &str = "default-src 'self'; connect-src 'self' ws:{bucket}; \
     img-src 'self' blob: data:{bucket}; media-src 'self' blob:{bucket}; style-src 'self' 'unsafe-inline'; font-src 'self' data:; \
     worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// The rules for the page, and the bucket when it may fetch from there.
fn content_security(origins: &[String]) -> HeaderValue {
    let bucket: String = origins.iter().map(|o| format!(" {o}")).collect();
    HeaderValue::from_str(&CONTENT_SECURITY.replace("{bucket}", &bucket))
        // Origins are plain text; without them the page loads nothing from elsewhere.
        .unwrap_or(HeaderValue::from_static("default-src 'self'"))
}

/// The host of a `Host` header, without its port; `None` when it is not one.
fn host_name(host: &str) -> Option<&str> {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            if !port.is_empty() && !is_port(port.strip_prefix(':')?) {
                return None;
            }
            address
        }
        None => match host.split_once(':') {
            Some((name, port)) => {
                if !is_port(port) {
                    return None;
                }
                name
            }
            None => host,
        },
    };
    (!name.is_empty()).then_some(name)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.parse::<u16>().is_ok()
}

/// Whether a request was addressed to this machine by a name that nobody else controls.
fn is_addressed_here(host: &str, listen: SocketAddr) -> bool {
    let Some(name) = host_name(host) else {
        return false;
    };
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address == listen.ip(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

fn is_window(origin: &str) -> bool {
    WINDOW_ORIGINS.contains(&origin)
}

fn is_media(path: &str) -> bool {
    path.starts_with("/api/recordings/segment/")
        || path.starts_with("/api/objects/")
        || (path.starts_with("/api/recordings/export/") && path.ends_with("/download"))
        || path.starts_with("/api/live/")
        || path == "/api/events/stream"
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

/// Layer around everything: checks addressee and origin, and sets the security headers.
pub(crate) async fn guard(State(site): State<Site>, request: Request, next: Next) -> Response {
    let (origin, media) = (
        request.headers().get(header::ORIGIN).cloned(),
        is_media(request.uri().path()),
    );
    let mut response = match check(&site, &request) {
        Err(failure) => failure.into_response(),
        Ok(()) if request.method() == Method::OPTIONS && media => {
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(()) => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        content_security(&site.nvr().media_origins()),
    );
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    if media {
        set(header::VARY, "Origin");
        if let Some(origin) = origin.filter(|o| o.to_str().is_ok_and(is_window)) {
            set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, PUT");
            set(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "Range, If-Range, Content-Type",
            );
            set(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                "Content-Length, Content-Range, ETag, Retry-After, X-Oriel-Captured",
            );
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
    response
}

fn check(site: &Site, request: &Request) -> Result<(), Failure> {
    let headers = request.headers();
    let host = match one(headers, &header::HOST) {
        Ok(Some(host)) if is_addressed_here(host, site.listen()) => host,
        _ => {
            return Err(
                Error::invalid("This recorder answers to localhost and 127.0.0.1 only.").into(),
            );
        }
    };
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if reads && !is_upgrade(headers) {
        return Ok(());
    }
    match one(headers, &header::ORIGIN) {
        // Not a browser, or a browser that fetched from its own page: tokens decide.
        Ok(None) => Ok(()),
        Ok(Some(origin))
            if is_window(origin)
                || origin
                    .strip_prefix("http://")
                    .is_some_and(|o| o.eq_ignore_ascii_case(host)) =>
        {
            Ok(())
        }
        _ => Err(Failure::forbidden(
            "This page is not allowed to talk to the recorder.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_from_the_bucket_only_when_it_may() {
        let own = content_security(&[]);
        assert!(
            own.to_str()
                .unwrap()
                .contains("connect-src 'self' ws:; img-src 'self' blob: data:;")
        );
        let bucket = content_security(&["https://s3.example".to_owned()]);
        let bucket = bucket.to_str().unwrap();
        assert!(bucket.contains("connect-src 'self' ws: https://s3.example;"));
        assert!(bucket.contains("media-src 'self' blob: https://s3.example;"));
        assert!(bucket.contains("default-src 'self';"));
    }

    #[test]
    fn only_names_that_nobody_else_controls() {
        let listen = "127.0.0.1:8080".parse().unwrap();
        for good in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "127.0.0.2",
            "[::1]:9000",
            "[::1]",
        ] {
            assert!(is_addressed_here(good, listen), "{good}");
        }
        for bad in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "10.0.0.1:8080",
            "localhost:port",
            "localhost:",
            "localhost@evil.example",
            "[::1]evil",
            "[::1",
            "[fe80::1]",
            "0.0.0.0:8080",
        ] {
            assert!(!is_addressed_here(bad, listen), "{bad}");
        }
    }
}

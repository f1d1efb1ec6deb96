//! The page: files of `ui/dist`, embedded in a release, read from disk in a debug build.

use axum::{
    extract::OriginalUri,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::failure::Failure;

#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Page;

const NOT_BUILT: &str = "<!doctype html><meta charset=\"utf-8\"><title>Oriel</title>\
<p>The recorder runs. Its page was not built into it: run <code>npm run build</code> in \
<code>ui</code>, or <code>npm start</code>.</p>";

/// Answers every address that no route took: a file of the page, or the page itself, whose
/// router then shows the view.
pub(crate) async fn serve(
    OriginalUri(uri): OriginalUri,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let path = uri.path();
    if path == "/api" || path.starts_with("/api/") {
        return Failure::not_found().into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return Failure::wrong_method().into_response();
    }
    let name = path.trim_start_matches('/');
    if !is_plain(name) {
        return Failure::not_found().into_response();
    }
    if let Some(file) = Page::get(name) {
        return answer(name, file, &headers);
    }
    // What looks like a file and is not there is missing; anything else is a view.
    if name
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains('.'))
    {
        return Failure::not_found().into_response();
    }
    match Page::get("index.html") {
        Some(index) => answer("index.html", index, &headers),
        None => (StatusCode::OK, Html(NOT_BUILT)).into_response(),
    }
}

/// Letters, digits and `-_./` without a step up: all that names of built files and views need.
fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
        && !name.split('/').any(|part| part.starts_with('.'))
}

fn answer(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..12]));
    // Vite puts a hash of the content into the names of what lies in `assets`.
    let cache = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| {
            v.split(',')
                .any(|t| t.trim().trim_start_matches("W/") == tag)
        });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        axum::body::Body::from(file.data.into_owned()).into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, content_type(name));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    response
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_folder_are_not_looked_for() {
        for good in ["", "index.html", "assets/a-B_1.js", "cameras/new"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "../Cargo.toml",
            "assets/../../x",
            "..",
            ".env",
            "a/.git/config",
            "c:/windows",
            "a\\b",
            "a%2e%2e",
            "a\0",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}

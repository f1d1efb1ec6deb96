//! Answering with the bytes of a file or object, or a part of them: ranges, tags, names of files.
//!
//! Nothing is read whole into memory.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use oriel_nvr::StoredObject;
use oriel_worker::SegmentFile;

use crate::{
    failure::Failure,
    range::{self, Part},
};

/// Longest part of a file's name that somebody chose, in characters.
const LONGEST_NAME: usize = 60;
/// Read from disk at once.
const CHUNK: u64 = 256 * 1024;

/// Something that has bytes.
pub(crate) enum Content {
    /// A segment's file, which may be growing.
    Segment(SegmentFile),
    /// An object of a place or of the bucket.
    Object(StoredObject),
}

impl Content {
    fn len(&self) -> u64 {
        match self {
            Self::Segment(file) => file.len(),
            Self::Object(object) => object.len(),
        }
    }

    fn is_growing(&self) -> bool {
        matches!(self, Self::Segment(file) if file.is_growing())
    }

    fn etag(&self) -> String {
        match self {
            Self::Segment(file) => file.etag(),
            Self::Object(object) => object.etag().to_owned(),
        }
    }

    fn content_type(&self) -> &'static str {
        match self {
            Self::Segment(_) => "video/mp4",
            Self::Object(object) => object.content_type(),
        }
    }

    fn caching(&self) -> &'static str {
        match self {
            Self::Segment(file) if file.is_growing() => "no-store",
            Self::Object(object) if !object.is_final() => "private, no-cache",
            _ => "private, max-age=31536000, immutable",
        }
    }

    async fn body(self, from: u64, to: u64) -> Result<Body, Failure> {
        Ok(match self {
            Self::Segment(file) => {
                Body::from_stream(futures::stream::try_unfold((file, from), move |at| {
                    next_chunk(at, to)
                }))
            }
            Self::Object(object) if from < to => {
                let object = object.read(from..to).await?;
                Body::from_stream(futures::stream::try_unfold(object, |mut object| async {
                    // Half an object breaks the connection, and nobody takes it for whole.
                    let chunk = object.next().await.map_err(std::io::Error::other)?;
                    Ok::<_, std::io::Error>(chunk.map(|chunk| (chunk, object)))
                }))
            }
            Self::Object(_) => Body::empty(),
        })
    }
}

type Reading = (SegmentFile, u64);

/// A file shorter than promised is an error: the connection then breaks, and nobody takes half
/// for whole.
async fn next_chunk((file, at): Reading, to: u64) -> std::io::Result<Option<(Bytes, Reading)>> {
    if at >= to {
        return Ok(None);
    }
    let chunk = file.read(at..to.min(at + CHUNK)).await?;
    let read = chunk.len() as u64;
    Ok((read > 0).then_some((chunk, (file, at + read))))
}

/// The whole or the part that is asked for.
pub(crate) async fn answer(
    method: &Method,
    headers: &HeaderMap,
    content: Content,
) -> Result<Response, Failure> {
    let (length, growing, tag) = (content.len(), content.is_growing(), content.etag());
    let (kind, caching) = (content.content_type(), content.caching());
    let mut response = match wanted(headers, &tag, growing, length) {
        _ if !growing && is_known(headers, &tag) => StatusCode::NOT_MODIFIED.into_response(),
        Part::Unsatisfiable => (
            StatusCode::RANGE_NOT_SATISFIABLE,
            [(header::CONTENT_RANGE, format!("bytes */{length}"))],
        )
            .into_response(),
        Part::Whole => body(method, StatusCode::OK, content, 0, length).await?,
        Part::Bytes { first, last } => {
            let status = StatusCode::PARTIAL_CONTENT;
            let mut response = body(method, status, content, first, last + 1).await?;
            insert(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes {first}-{last}/{length}"),
            );
            response
        }
    };
    insert(&mut response, header::CONTENT_TYPE, kind);
    insert(&mut response, header::ACCEPT_RANGES, "bytes");
    insert(&mut response, header::CACHE_CONTROL, caching);
    if !growing {
        insert(&mut response, header::ETAG, &tag);
    }
    Ok(response)
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn wanted(headers: &HeaderMap, tag: &str, growing: bool, length: u64) -> Part {
    let Some(range) = text(headers, &header::RANGE) else {
        return Part::Whole;
    };
    // A part of something else would be glued to what the caller has.
    if let Some(condition) = text(headers, &header::IF_RANGE)
        && (growing || condition != tag)
    {
        return Part::Whole;
    }
    range::parse(range, length)
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    text(headers, &header::IF_NONE_MATCH).is_some_and(|v| {
        v.split(',')
            .any(|t| t.trim().trim_start_matches("W/") == tag)
    })
}

async fn body(
    method: &Method,
    status: StatusCode,
    content: Content,
    from: u64,
    to: u64,
) -> Result<Response, Failure> {
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        content.body(from, to).await?
    };
    let mut response = (status, body).into_response();
    insert(
        &mut response,
        header::CONTENT_LENGTH,
        &(to - from).to_string(),
    );
    Ok(response)
}

/// Sets a header, when its value can be one.
pub(crate) fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Makes an answer one to save: whatever asked, also a window that shows what it knows, must not
/// show it.
pub(crate) fn save(response: &mut Response, name: &str, end: &str) {
    download(response, name, end);
    insert(response, header::CONTENT_TYPE, "application/octet-stream");
}

/// Makes an answer a file (RFC 6266, RFC 8187) named `<name><end>`. Names come from cameras and
/// people, so nothing of them but letters and digits of ASCII is in the plain form; the end is
/// ours.
pub(crate) fn download(response: &mut Response, name: &str, end: &str) {
    insert(
        response,
        header::CONTENT_DISPOSITION,
        &attachment(name, end),
    );
}

fn attachment(name: &str, end: &str) -> String {
    let name: String = name.chars().take(LONGEST_NAME).collect();
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let encoded = name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            // A slash would come out as a folder.
            let byte = if b"/\\:".contains(&byte) { b'_' } else { byte };
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    });
    format!("attachment; filename=\"{plain}{end}\"; filename*=UTF-8''{encoded}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_file_holds_nothing_that_means_something_elsewhere() {
        let end = "-2026-01-01T00-00-00.000Z.mp4";
        assert_eq!(
            attachment("Yard 2", end),
            format!("attachment; filename=\"Yard_2{end}\"; filename*=UTF-8''Yard%202{end}")
        );
        let hostile = attachment("../a\"; x=\r\nSet-Cookie: \u{fc}", end);
        assert!(
            hostile.starts_with("attachment; filename=\"___a___x___Set_Cookie___-2026"),
            "{hostile}"
        );
        assert!(hostile.contains("''%2E%2E%5Fa%22%3B%20x%3D%0D%0ASet%2DCookie%5F%20%C3%BC-"));
        assert!(HeaderValue::from_str(&hostile).is_ok());
        assert!(attachment(&"x".repeat(500), end).len() < 250);
    }
}

//! `GET /api/recordings/segment/{camera_id}/{name}`: the bytes of one segment, with ranges.
//!
//! A segment that is being written is served at its length of the moment, so that the newest
//! footage can be played. Nothing is read whole into memory.

use axum::{
    body::Body,
    extract::{
        OriginalUri, Path, Query, State, rejection::PathRejection, rejection::QueryRejection,
    },
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use oriel_api::{Caller, Timestamp};
use oriel_worker::SegmentFile;
use serde::Deserialize;

use crate::{
    failure::Failure,
    range::{self, Part},
    sign_in,
    site::Site,
};

/// Longest part of a file's name that is the camera's, in characters.
const LONGEST_NAME: usize = 60;
/// Read from disk at once.
const CHUNK: u64 = 256 * 1024;

/// A signature in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    sig: Option<String>,
    /// Anything: the answer is meant for a file. Not signed, as it opens nothing.
    #[serde(default)]
    download: Option<String>,
}

/// Answers with a segment or the part of it that is asked for.
pub(crate) async fn serve(
    State(site): State<Site>,
    OriginalUri(uri): OriginalUri,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Signature>, QueryRejection>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Query(signature) = query.map_err(|_| Failure::unauthenticated())?;
    let Path((camera, name)) = path.map_err(|_| Failure::not_found())?;
    let caller = match (&signature.exp, &signature.sig) {
        (Some(exp), Some(sig)) => {
            sign_in::signed_media(&site, uri.path(), *exp, sig)?;
            Caller::owner()
        }
        (None, None) => {
            let caller = sign_in::caller(&site, &Method::GET, &headers).await?;
            if caller.is_anonymous() {
                return Err(Failure::unauthenticated());
            }
            caller
        }
        _ => return Err(Failure::unauthenticated()),
    };
    let (channel, start, _) = site.nvr().segment_location(&caller, &camera, &name).await?;
    let file = site.worker().open_file(&channel, start).await?;
    let mut response = answer(&method, &headers, file);
    if signature.download.is_some() {
        let named = site.channel_name(&channel).await.unwrap_or(camera);
        insert(
            &mut response,
            header::CONTENT_DISPOSITION,
            &attachment(&named, start),
        );
    }
    Ok(response)
}

/// `Content-Disposition` of a file (RFC 6266, RFC 8187): `<name>-<UTC time>.mp4`. Names come from
/// cameras and people, so nothing of them but letters and digits of ASCII is in the plain form.
fn attachment(name: &str, start: Timestamp) -> String {
    let time = start.to_string().replace(':', "-");
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
    format!("attachment; filename=\"{plain}-{time}.mp4\"; filename*=UTF-8''{encoded}-{time}.mp4")
}

fn answer(method: &Method, headers: &HeaderMap, file: SegmentFile) -> Response {
    let (length, growing, tag) = (file.len(), file.is_growing(), file.etag());
    let mut response = match wanted(headers, &tag, growing, length) {
        _ if !growing && is_known(headers, &tag) => StatusCode::NOT_MODIFIED.into_response(),
        Part::Unsatisfiable => (
            StatusCode::RANGE_NOT_SATISFIABLE,
            [(header::CONTENT_RANGE, format!("bytes */{length}"))],
        )
            .into_response(),
        Part::Whole => body(method, StatusCode::OK, file, 0, length),
        Part::Bytes { first, last } => {
            let mut response = body(method, StatusCode::PARTIAL_CONTENT, file, first, last + 1);
            insert(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes {first}-{last}/{length}"),
            );
            response
        }
    };
    insert(&mut response, header::CONTENT_TYPE, "video/mp4");
    insert(&mut response, header::ACCEPT_RANGES, "bytes");
    if growing {
        insert(&mut response, header::CACHE_CONTROL, "no-store");
    } else {
        insert(
            &mut response,
            header::CACHE_CONTROL,
            "private, max-age=31536000, immutable",
        );
        insert(&mut response, header::ETAG, &tag);
    }
    response
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

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn body(method: &Method, status: StatusCode, file: SegmentFile, from: u64, to: u64) -> Response {
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from_stream(futures::stream::try_unfold((file, from), move |at| {
            next_chunk(at, to)
        }))
    };
    let mut response = (status, body).into_response();
    insert(
        &mut response,
        header::CONTENT_LENGTH,
        &(to - from).to_string(),
    );
    response
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_file_holds_nothing_that_means_something_elsewhere() {
        let noon = Timestamp::from_ms(1_767_225_600_000);
        let time = "2026-01-01T00-00-00.000Z";
        assert_eq!(
            attachment("Yard 2", noon),
            format!(
                "attachment; filename=\"Yard_2-{time}.mp4\"; filename*=UTF-8''Yard%202-{time}.mp4"
            )
        );
        let hostile = attachment("../a\"; x=\r\nSet-Cookie: \u{fc}", noon);
        assert!(
            hostile.starts_with("attachment; filename=\"___a___x___Set_Cookie___-2026"),
            "{hostile}"
        );
        assert!(hostile.contains("''%2E%2E%5Fa%22%3B%20x%3D%0D%0ASet%2DCookie%5F%20%C3%BC-"));
        assert!(HeaderValue::from_str(&hostile).is_ok());
        assert!(attachment(&"x".repeat(500), noon).len() < 250);
    }
}

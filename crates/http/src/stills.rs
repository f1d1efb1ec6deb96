//! Pictures for viewers that can decode nothing else. `GET /api/live/{channel}/jpeg` is the newest
//! one, to be asked for again and again: it holds no connection of the few a browser opens per
//! host. `GET /api/live/{channel}/mjpeg` is one a second in an answer without end.

use axum::{
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::{BufMut, Bytes, BytesMut};
use oriel_api::{Error, Quality};
use serde::Deserialize;

use crate::{
    failure::Failure,
    live::{LiveQuery, Refusal, may_watch},
    pictures::Shown,
    sign_in,
    site::Site,
};

const BOUNDARY: &str = "oriel-picture";
/// When the camera took the picture, milliseconds since 1970 UTC.
pub(crate) const CAPTURED: HeaderName = HeaderName::from_static("x-oriel-captured");

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated => Self::unauthenticated(),
            Refusal::NoChannel => Self::not_found(),
        }
    }
}

fn unreadable(_: QueryRejection) -> Error {
    Error::invalid("The query cannot be read.")
}

fn no_store(response: &mut Response) {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// What the address of a single picture may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PictureQuery {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    quality: Quality,
    /// Anything: makes the address new for a browser that has seen it.
    #[serde(default, rename = "t")]
    _new: Option<String>,
}

/// Answers with the newest picture; 204 when there is none at the moment.
pub(crate) async fn newest(
    State(site): State<Site>,
    Path(channel): Path<String>,
    query: Result<Query<PictureQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(unreadable)?;
    let token = query.token.as_deref();
    let channel = may_watch(&site, &channel, token, sign_in::picture_token, &headers).await?;
    let quality = site.served_quality(&channel, query.quality).await;
    let key = (channel, quality);
    let source = site.pictures().lingering(key, site.closing().clone());
    let shown = source.shown().borrow().clone();
    let mut response = match shown {
        Shown::Picture(picture) => (
            [
                (header::CONTENT_TYPE, "image/jpeg".to_owned()),
                (CAPTURED, picture.captured_ms.to_string()),
            ],
            picture.jpeg,
        )
            .into_response(),
        Shown::Removed => return Err(Failure::not_found()),
        Shown::Nothing => match source.trouble() {
            Some(reason) => {
                let failure: Failure = Error::unavailable(reason.message).into();
                retry_after(failure.into_response(), "30")
            }
            None => retry_after(StatusCode::NO_CONTENT.into_response(), "1"),
        },
    };
    no_store(&mut response);
    Ok(response)
}

fn retry_after(mut response: Response, seconds: &'static str) -> Response {
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    response
}

/// Answers with a stream of pictures that ends when the channel or the recorder does.
pub(crate) async fn stream(
    State(site): State<Site>,
    Path(channel): Path<String>,
    query: Result<Query<LiveQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(unreadable)?;
    let token = query.token.as_deref();
    let channel = may_watch(&site, &channel, token, sign_in::live_token, &headers).await?;
    let slot = site
        .live_slot()
        .ok_or_else(|| Error::unavailable("Too many people are watching."))?;
    let quality = site.served_quality(&channel, query.quality).await;
    let source = site.pictures().source((channel, quality));
    let mut shown = source.shown();
    // What is there already is the first picture.
    shown.mark_changed();
    let closing = site.closing().clone();
    let state = (source, shown, closing, slot);
    let stream = futures::stream::unfold(state, |(source, mut shown, closing, slot)| async move {
        let picture = loop {
            closing.run_until_cancelled(shown.changed()).await?.ok()?;
            let now = shown.borrow_and_update().clone();
            match now {
                Shown::Nothing => {}
                Shown::Picture(picture) => break picture,
                Shown::Removed => return None,
            }
        };
        let part = part(&picture.jpeg);
        Some((
            Ok::<_, std::convert::Infallible>(part),
            (source, shown, closing, slot),
        ))
    });
    let mut response = Body::from_stream(stream).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("multipart/x-mixed-replace; boundary=oriel-picture"),
    );
    no_store(&mut response);
    Ok(response)
}

fn part(picture: &[u8]) -> Bytes {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        picture.len()
    );
    let mut out = BytesMut::with_capacity(head.len() + picture.len() + 2);
    out.put_slice(head.as_bytes());
    out.put_slice(picture);
    out.put_slice(b"\r\n");
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_answer_is_a_whole_picture() {
        assert_eq!(
            part(b"\xff\xd8\xff\xd9")[..],
            *b"--oriel-picture\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\n\r\n\xff\xd8\xff\xd9\r\n"
        );
    }
}

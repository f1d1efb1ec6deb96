//! `/api/objects/{key}`: the bytes of clips, snapshots and exports by signed addresses, and the
//! pictures that callers send.
//!
//! The signature is all that opens an object: it is for one key and one verb. Where the bytes are
//! is the nvr's to know.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{
        OriginalUri, Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use oriel_api::{Error, Operations};
use oriel_nvr::sign::Purpose;
use serde::Deserialize;

use crate::{
    failure::Failure,
    partial::{self, Content},
    site::Site,
};

/// Largest picture.
const LARGEST: usize = 8 * 1024 * 1024;
/// A picture must arrive within this.
const DEADLINE: Duration = Duration::from_secs(60);

/// What an address must carry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    exp: i64,
    sig: String,
    /// The answer is meant for a file: `1`, or what the file is to be called. Not signed, as it
    /// opens nothing.
    #[serde(default)]
    download: Option<String>,
}

type Keyed = Result<Path<String>, PathRejection>;
type Signed = Result<Query<Signature>, QueryRejection>;

fn opened(
    site: &Site,
    verb: &str,
    uri: &axum::http::Uri,
    key: Keyed,
    query: Signed,
) -> Result<(String, Signature), Failure> {
    let Query(signature) = query.map_err(|_| Failure::unauthenticated())?;
    let nvr = site.nvr();
    nvr.signer()
        .verify(
            verb,
            uri.path(),
            Purpose::Object,
            signature.exp,
            &signature.sig,
            Operations::now(&**nvr),
        )
        .map_err(Error::from)?;
    let Path(key) = key.map_err(|_| Failure::not_found())?;
    Ok((key, signature))
}

/// `GET` and `HEAD`.
pub(crate) async fn serve(
    State(site): State<Site>,
    OriginalUri(uri): OriginalUri,
    key: Keyed,
    query: Signed,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (key, signature) = opened(&site, "GET", &uri, key, query)?;
    let content = Content::Object(site.nvr().stored_object(&key).await?);
    if signature.download.is_none()
        && let Some(elsewhere) = elsewhere(&site, &headers, &content).await
    {
        return Ok(elsewhere);
    }
    let mut response = partial::answer(&method, &headers, content).await?;
    if let Some(asked) = &signature.download {
        let (name, end) = file_name(&key, asked);
        partial::save(&mut response, name, &end);
    }
    Ok(response)
}

/// What a file is called: as asked, with the ending of the object.
fn file_name<'a>(key: &'a str, asked: &'a str) -> (&'a str, String) {
    let own = key.rsplit('/').next().unwrap_or(key);
    let (stem, ending) = own.rsplit_once('.').unwrap_or((own, "bin"));
    let asked = asked.trim();
    let same_ending = asked.strip_suffix(ending).and_then(|a| a.strip_suffix('.'));
    let name = match same_ending.unwrap_or(asked) {
        "" | "1" => stem,
        name => name,
    };
    (name, format!(".{ending}"))
}

/// Sends a browser to the bucket, when it may go there and our own page, or a person, sends it.
/// Others, the desktop window among them, are given the bytes: they may load from here only.
pub(crate) async fn elsewhere(
    site: &Site,
    headers: &HeaderMap,
    content: &Content,
) -> Option<Response> {
    let from = headers
        .get("sec-fetch-site")
        .and_then(|v| v.to_str().ok())
        .filter(|from| matches!(*from, "same-origin" | "none"));
    let (Some(_), Content::Object(object)) = (from, content) else {
        return None;
    };
    let url = site.nvr().direct_url(object).await?;
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    partial::insert(&mut response, header::LOCATION, &url);
    partial::insert(&mut response, header::CACHE_CONTROL, "no-store");
    Some(response)
}

/// `PUT`: the picture of a snapshot that was asked for.
pub(crate) async fn put(
    State(site): State<Site>,
    OriginalUri(uri): OriginalUri,
    key: Keyed,
    query: Signed,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let (key, _) = opened(&site, "PUT", &uri, key, query)?;
    let is_jpeg = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.trim().eq_ignore_ascii_case("image/jpeg"));
    if !is_jpeg {
        return Err(Error::invalid("A snapshot is sent as image/jpeg.").into());
    }
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok());
    if declared.is_some_and(|n| n > LARGEST) {
        return Err(too_large());
    }
    let _slot = site.picture_slot().ok_or_else(|| {
        Failure::from(Error::unavailable("Too many pictures at once. Try again."))
    })?;
    let picture = tokio::time::timeout(DEADLINE, collected(body))
        .await
        .map_err(|_| Error::invalid("The picture did not arrive in time."))??;
    site.nvr().put_object(&key, picture).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn too_large() -> Failure {
    Error::invalid("A snapshot has 8 MiB at most.").into()
}

async fn collected(body: Body) -> Result<Vec<u8>, Failure> {
    let mut stream = body.into_data_stream();
    let mut picture = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Error::invalid("The picture broke off."))?;
        if picture.len() + chunk.len() > LARGEST {
            return Err(too_large());
        }
        picture.extend_from_slice(&chunk);
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_ending_of_its_object_whatever_is_asked() {
        let key = "clips/abcdefghjk23/c1.mp4";
        let name = |asked| file_name(key, asked);
        assert_eq!(name("1"), ("c1", ".mp4".into()));
        assert_eq!(name(" "), ("c1", ".mp4".into()));
        assert_eq!(name("Break-in"), ("Break-in", ".mp4".into()));
        assert_eq!(name("Break-in.mp4"), ("Break-in", ".mp4".into()));
        assert_eq!(name("run.exe"), ("run.exe", ".mp4".into()));
    }
}

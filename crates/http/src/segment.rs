//! `GET /api/recordings/segment/{camera_id}/{name}`: the bytes of one segment, with ranges.
//!
//! A segment that is being written is served at its length of the moment, so that the newest
//! footage can be played. One that is in the bucket alone comes from there.

use axum::{
    extract::{
        OriginalUri, Path, Query, State, rejection::PathRejection, rejection::QueryRejection,
    },
    http::{HeaderMap, Method},
    response::Response,
};
use oriel_api::{Caller, ErrorCode};
use oriel_nvr::SegmentLocation;
use serde::Deserialize;

use crate::{
    failure::Failure,
    object,
    partial::{self, Content},
    sign_in,
    site::Site,
};

/// A signature in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    sig: Option<String>,
    /// The answer is meant for a file: `1`, or what the file is to be called. Not signed, as it
    /// opens nothing.
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
    let at = site.nvr().segment_location(&caller, &camera, &name).await?;
    let (channel, start) = (at.channel.clone(), at.start);
    let content = content(&site, at).await?;
    if signature.download.is_none()
        && let Some(elsewhere) = object::elsewhere(&site, &headers, &content).await
    {
        return Ok(elsewhere);
    }
    let mut response = partial::answer(&method, &headers, content).await?;
    match signature.download.as_deref().map(str::trim) {
        None => {}
        Some("" | "1") => {
            let named = site.channel_name(&channel).await.unwrap_or(camera);
            let time = start.to_string().replace(':', "-");
            partial::save(&mut response, &named, &format!("-{time}.mp4"));
        }
        Some(asked) => {
            let name = asked.strip_suffix(".mp4").unwrap_or(asked);
            partial::save(&mut response, name, ".mp4");
        }
    }
    Ok(response)
}

/// The local file, else the object in the bucket.
async fn content(site: &Site, at: SegmentLocation) -> Result<Content, Failure> {
    if !at.local
        && let Some(stored) = at.stored
    {
        return Ok(Content::Object(stored));
    }
    match site.worker().open_file(&at.channel, at.start).await {
        Ok(file) => Ok(Content::Segment(file)),
        Err(error) => {
            let Some(stored) = at.stored else {
                return Err(error.into());
            };
            if error.code == ErrorCode::NotFound {
                site.nvr().segment_lost(&at.channel, at.start).await?;
            }
            Ok(Content::Object(stored))
        }
    }
}

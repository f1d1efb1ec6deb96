//! REST from the operations table. A request becomes the input of an operation and goes through
//! `dispatch`, the only door.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequest, Query, RawPathParams, Request, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use oriel_api::{Error, Method, OPERATIONS, Operation, Permission, coerce, dispatch};
use serde_json::{Map, Value};

use crate::{failure::Failure, sign_in, site::Site};

/// A body longer than this is refused unread.
pub(crate) const LONGEST_BODY: usize = 64 * 1024;

/// A route for every row of the table.
pub(crate) fn routes() -> Router<Site> {
    let mut paths: BTreeMap<&'static str, MethodRouter<Site>> = BTreeMap::new();
    for operation in OPERATIONS {
        let filter = match operation.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Patch => MethodFilter::PATCH,
            Method::Delete => MethodFilter::DELETE,
        };
        let run = move |State(site): State<Site>, request: Request| async move {
            match answer(&site, operation, request).await {
                Ok(value) => no_store(Json(value).into_response()),
                Err(failure) => failure.into_response(),
            }
        };
        let known = paths.remove(operation.path).unwrap_or_default();
        paths.insert(operation.path, known.merge(on(filter, run)));
    }
    paths
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| {
            router.route(&format!("/api{path}"), methods)
        })
}

pub(crate) fn no_store(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn answer(site: &Site, operation: &Operation, request: Request) -> Result<Value, Failure> {
    // Before the body is read, so that strangers cost nothing and learn nothing.
    let caller = sign_in::caller(site, request.method(), request.headers()).await?;
    if caller.is_anonymous() && operation.permission != Permission::Public {
        return Err(Failure::unauthenticated());
    }
    let input = input(operation, request).await?;
    Ok(dispatch(&**site.nvr(), &caller, operation.name, Value::Object(input)).await?)
}

async fn input(operation: &Operation, request: Request) -> Result<Map<String, Value>, Failure> {
    let (mut parts, body) = request.into_parts();
    let path = axum::RequestPartsExt::extract::<RawPathParams>(&mut parts)
        .await
        .map_err(|_| Failure::not_found())?;
    let mut text: Vec<(String, String)> = path
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|_| Error::invalid("The query cannot be read."))?;
    let has_body = matches!(operation.method, Method::Post | Method::Patch);
    if has_body && !query.is_empty() {
        return Err(Error::invalid("This address takes its fields in the body.").into());
    }
    text.extend(query);
    let mut input = coerce(operation, text)?;
    if has_body {
        let headers = parts.headers.clone();
        let fields = body_fields(&headers, Request::from_parts(parts, body)).await?;
        for (name, value) in fields {
            if input.contains_key(&name) {
                return Err(Error::invalid("A field of the address is in the body too.").into());
            }
            input.insert(name, value);
        }
    }
    Ok(input)
}

/// The fields of a JSON body; none when there is no body.
pub(crate) async fn body_fields(
    headers: &HeaderMap,
    request: Request,
) -> Result<Map<String, Value>, Failure> {
    let deadline = std::time::Duration::from_secs(20);
    let bytes = tokio::time::timeout(deadline, Bytes::from_request(request, &()))
        .await
        .map_err(|_| Error::invalid("The body did not arrive in time."))?
        .map_err(|_| Error::invalid("The body is too long or broke off."))?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    // A form on a foreign page can post other types without asking, JSON it cannot.
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .is_some_and(|v| v.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(
            Error::invalid("The body must be JSON (Content-Type: application/json).").into(),
        );
    }
    // The parser's message quotes the body, which may hold a password.
    serde_json::from_slice(&bytes)
        .map_err(|_| Error::invalid("The body is not a JSON object.").into())
}

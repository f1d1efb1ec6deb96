//! Signing in and out of the page: the one-time link, the session cookie, the CSRF token.

use axum::{
    Json,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use oriel_api::{Error, Permission, Scope, Secret};
use oriel_nvr::auth::SESSION_LIFETIME;
use serde::Deserialize;
use serde_json::json;

use crate::{
    failure::Failure,
    rest::{body_fields, no_store},
    sign_in::{self, COOKIE},
    site::Site,
};

/// Seconds a browser keeps the cookie; the recorder decides by itself when a session is over.
const COOKIE_AGE: u64 = SESSION_LIFETIME.as_secs();

const NOT_VALID: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>Oriel</title>\
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.5rem;\
background:#0f1216;color:#e8eaed}code{background:#1d232b;padding:.1em .35em;border-radius:4px}</style>\
<h1>This link does not work any more</h1>\
<p>A sign-in link works once and only for a few minutes. Make a new one on the recorder's computer:</p>\
<p><code>orield link</code></p>\
<p>Or start the recorder again: it prints a new link.</p></html>";

/// `GET /api/session`: whether somebody is signed in, and the CSRF token of the page.
pub(crate) async fn show(
    State(site): State<Site>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Some(who) = sign_in::who(&site, &headers).await? else {
        return Ok(no_store(
            Json(json!({ "signed_in": false })).into_response(),
        ));
    };
    let body = Json(json!({ "signed_in": true, "csrf": who.csrf }));
    let session = sign_in::session_cookie(&headers)?.filter(|_| who.extended);
    Ok(no_store(match session {
        Some(session) => {
            ([(header::SET_COOKIE, cookie(session, COOKIE_AGE))], body).into_response()
        }
        None => body.into_response(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    code: Secret,
}

/// `GET /open?code=…`: the link that the recorder prints.
pub(crate) async fn open_link(
    State(site): State<Site>,
    query: Result<Query<Code>, QueryRejection>,
) -> Response {
    let opened = match query {
        Ok(Query(Code { code })) => site.nvr().open_link(code.expose()).await.ok(),
        Err(_) => None,
    };
    match opened {
        Some(session) => no_store(
            (
                StatusCode::SEE_OTHER,
                [
                    (header::LOCATION, "/".to_owned()),
                    (
                        header::SET_COOKIE,
                        cookie(session.cookie.expose(), COOKIE_AGE),
                    ),
                ],
            )
                .into_response(),
        ),
        None => no_store((StatusCode::UNAUTHORIZED, Html(NOT_VALID)).into_response()),
    }
}

/// `POST /api/session/open {code}`: the same for a page.
pub(crate) async fn open(
    State(site): State<Site>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    let fields = body_fields(&headers, request).await?;
    let Code { code } = serde_json::from_value(fields.into())
        .map_err(|_| Error::invalid("Give the code of the link."))?;
    let session = site
        .nvr()
        .open_link(code.expose())
        .await
        .map_err(Error::from)?;
    let set = [(
        header::SET_COOKIE,
        cookie(session.cookie.expose(), COOKIE_AGE),
    )];
    Ok(no_store((set, Json(json!({}))).into_response()))
}

/// `POST /api/session/link`: a new one-time link, for whoever holds the owner's rights.
pub(crate) async fn new_link(
    State(site): State<Site>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = sign_in::caller(&site, &Method::POST, &headers).await?;
    if caller.is_anonymous() {
        return Err(Failure::unauthenticated());
    }
    if !caller.may(Permission::SystemManage, &Scope::System) {
        return Err(Failure::forbidden("You are not allowed to do this."));
    }
    let url = format!("/open?code={}", site.nvr().create_link()?);
    Ok(no_store(Json(json!({ "url": url })).into_response()))
}

/// `DELETE /api/session`: signs out.
pub(crate) async fn close(
    State(site): State<Site>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // Needs the CSRF token like every change, or a foreign page could sign people out.
    sign_in::caller(&site, &Method::DELETE, &headers).await?;
    if let Some(session) = sign_in::session_cookie(&headers)? {
        site.nvr().logout(session).await.map_err(Error::from)?;
    }
    let set = [(header::SET_COOKIE, cookie("", 0))];
    Ok(no_store((set, Json(json!({}))).into_response()))
}

fn cookie(value: &str, age: u64) -> String {
    format!("{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={age}")
}

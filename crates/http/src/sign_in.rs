//! Who sends a request: a bearer token, a session cookie with its CSRF token, or a signature.
//!
//! Whoever shows something that is not valid is a stranger; it is never tried another way.

use axum::http::{HeaderMap, HeaderName, Method, header};
use oriel_api::{Caller, ChannelId, Operations, Permission, Scope};
use oriel_nvr::{
    auth::{AuthError, same},
    sign::Purpose,
};

use crate::{failure::Failure, site::Site};

/// Name of the session cookie.
pub(crate) const COOKIE: &str = "oriel_session";
/// Header with the CSRF token.
const CSRF: HeaderName = HeaderName::from_static("x-oriel-csrf");

/// Somebody who is signed in.
pub(crate) struct Who {
    pub(crate) caller: Caller,
    /// The CSRF token of a session; `None` for a bearer token, which no page can send by itself.
    pub(crate) csrf: Option<String>,
    /// The session's end was moved: the cookie is to be sent again.
    pub(crate) extended: bool,
}

/// Who sends this request; `None` when nothing is shown.
pub(crate) async fn who(site: &Site, headers: &HeaderMap) -> Result<Option<Who>, Failure> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = given.next() {
        if given.next().is_some() {
            return Err(Failure::unauthenticated());
        }
        let token = value
            .to_str()
            .ok()
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(Failure::unauthenticated)?;
        let caller = site
            .nvr()
            .authenticate_bearer(token)
            .map_err(|_| Failure::unauthenticated())?;
        return Ok(Some(Who {
            caller,
            csrf: None,
            extended: false,
        }));
    }
    let Some(session) = session_cookie(headers)? else {
        return Ok(None);
    };
    match site.nvr().authenticate_session(session).await {
        Ok(session) => Ok(Some(Who {
            caller: session.caller,
            csrf: Some(session.csrf),
            extended: session.extended,
        })),
        // An old cookie is what every browser has after a while, and no attempt at anything.
        Err(AuthError::Refused | AuthError::TooMany) => Ok(None),
        Err(other) => Err(oriel_api::Error::from(other).into()),
    }
}

/// The session cookie's value. One that is there twice is nobody's.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        let Ok(line) = line.to_str() else { continue };
        for pair in line.split(';') {
            if let Some((name, value)) = pair.trim().split_once('=')
                && name == COOKIE
                && found.replace(value).is_some()
            {
                return Err(Failure::unauthenticated());
            }
        }
    }
    Ok(found)
}

/// The caller of an operation; anonymous when nothing is shown.
pub(crate) async fn caller(
    site: &Site,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Caller, Failure> {
    let Some(who) = who(site, headers).await? else {
        return Ok(Caller::anonymous());
    };
    if let Some(expected) = &who.csrf
        && !matches!(*method, Method::GET | Method::HEAD)
    {
        let given = headers.get(CSRF).and_then(|v| v.to_str().ok());
        if !given.is_some_and(|given| same(given, expected)) {
            return Err(Failure::forbidden(
                "This change did not come from the page. Load it again.",
            ));
        }
    }
    Ok(who.caller)
}

/// Whether a signed-in caller may watch a channel.
pub(crate) async fn may_watch(
    site: &Site,
    channel: Option<&ChannelId>,
    headers: &HeaderMap,
) -> bool {
    let scope = channel.map_or(Scope::System, |c| Scope::Channel(c.clone()));
    may(site, headers, Permission::LiveView, &scope)
        .await
        .is_ok()
}

/// Whether a signed-in caller may follow all changes.
pub(crate) async fn may_follow(site: &Site, headers: &HeaderMap) -> bool {
    may(site, headers, Permission::LiveView, &Scope::System)
        .await
        .is_ok()
}

async fn may(
    site: &Site,
    headers: &HeaderMap,
    permission: Permission,
    scope: &Scope,
) -> Result<(), Failure> {
    let caller = caller(site, &Method::GET, headers).await?;
    if caller.is_anonymous() {
        Err(Failure::unauthenticated())
    } else if caller.may(permission, scope) {
        Ok(())
    } else {
        Err(Failure::forbidden("You are not allowed to do this."))
    }
}

/// Whether a token opens single pictures of a channel.
pub(crate) fn picture_token(site: &Site, channel: &ChannelId, token: &str) -> bool {
    site.nvr().check_picture_token(channel, token).is_ok()
}

/// Whether a token opens a channel's live stream.
pub(crate) fn live_token(site: &Site, channel: &ChannelId, token: &str) -> bool {
    site.nvr().check_live_token(channel, token).is_ok()
}

/// Lets in whoever has a signature for this path.
pub(crate) fn signed_media(site: &Site, path: &str, exp: i64, sig: &str) -> Result<(), Failure> {
    let nvr = site.nvr();
    nvr.signer()
        .verify(
            "GET",
            path,
            Purpose::Media,
            exp,
            sig,
            Operations::now(&**nvr),
        )
        .map_err(oriel_api::Error::from)?;
    Ok(())
}

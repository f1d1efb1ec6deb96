//! `WS /api/events/stream`: changes as they happen (`docs/protocol.md` §3).

use std::time::Duration;

use axum::{
    extract::{
        Query, State,
        rejection::QueryRejection,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::HeaderMap,
    response::Response,
};
use oriel_api::{Change, Error};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    failure::Failure,
    sign_in,
    site::Site,
    socket::{self, close},
};

/// A viewer hears something at least this often.
const ALIVE_EVERY: Duration = Duration::from_secs(20);

/// What the address may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    #[serde(default)]
    token: Option<String>,
}

/// Opens the stream of changes.
pub(crate) async fn serve(
    State(site): State<Site>,
    query: Result<Query<EventsQuery>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(|_| Error::invalid("The query cannot be read."))?;
    let allowed = match query.token.as_deref() {
        Some(token) => site.nvr().check_event_token(token).is_ok(),
        None => sign_in::may_follow(&site, &headers).await,
    };
    let upgrade = match upgrade {
        Ok(upgrade) => socket::bounded(upgrade),
        Err(_) if allowed => return Err(Error::invalid("This address is a WebSocket.").into()),
        Err(_) => return Err(Failure::unauthenticated()),
    };
    if !allowed {
        return Ok(socket::refuse(upgrade, 4401, "token not valid"));
    }
    let Some(slot) = site.follower_slot() else {
        return Ok(socket::refuse(upgrade, 1013, "too many viewers"));
    };
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        let _slot = slot;
        let _guard = site.open_socket();
        if let Some((code, reason)) = follow(&site, &mut socket).await {
            close(&mut socket, code, reason).await;
        }
    }))
}

/// Passes changes on. Ends with what to say, or nothing when the viewer is gone.
async fn follow(site: &Site, socket: &mut WebSocket) -> Option<(u16, &'static str)> {
    use tokio::sync::broadcast::error::RecvError;
    let mut changes = site.nvr().subscribe();
    let mut ping = tokio::time::interval(socket::PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A page cannot see pings.
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! {
            biased;
            () = site.closing().cancelled() => return Some((1001, "the recorder stops")),
            said = socket.recv() => match said {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    heard = Instant::now();
                    continue;
                }
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                    return Some((1008, "a viewer says nothing"));
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            },
            () = tokio::time::sleep_until(heard + socket::SILENT_TOO_LONG) => {
                return Some((1001, "no answer to a ping"));
            }
            _ = ping.tick() => Message::Ping(bytes::Bytes::new()),
            _ = alive.tick() => text(&Change::Alive {})?,
            change = changes.recv() => match change {
                Ok(change) => text(&change)?,
                Err(RecvError::Lagged(_)) => {
                    // What is still queued is older than the lists it will read now.
                    changes = changes.resubscribe();
                    text(&Change::Resync {})?
                }
                Err(RecvError::Closed) => return Some((1001, "the recorder stops")),
            },
        };
        if !socket::send(socket, message).await {
            return None;
        }
    }
}

fn text(change: &Change) -> Option<Message> {
    serde_json::to_string(change)
        .ok()
        .map(|text| Message::Text(text.into()))
}

//! The live socket (`docs/protocol.md` §2): a viewer's end of the hub on the wire.

use std::time::Duration;

use axum::{
    extract::{
        Path, Query, State,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::HeaderMap,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use oriel_api::{ChannelId, Error, LiveMessage, Quality};
use oriel_media::{Format, InitSegment, TrackKind, format::VIDEO_TIMESCALE};
use oriel_worker::{LiveFrame, LiveItem, LiveOptions, LiveRun, LiveSubscription};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    failure::Failure,
    sign_in,
    site::Site,
    socket::{self, close},
    wire::{self, Head, Kind},
};

/// What the address of a live socket may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiveQuery {
    #[serde(default)]
    pub(crate) token: Option<String>,
    #[serde(default)]
    pub(crate) quality: Quality,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    audio: Option<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Fragments,
    Frames,
}

/// Why a viewer may not watch.
pub(crate) enum Refusal {
    Unauthenticated,
    NoChannel,
}

/// `WS /api/live/{channel}`.
pub(crate) async fn serve(
    State(site): State<Site>,
    Path(channel): Path<String>,
    query: Result<Query<LiveQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(|_| Error::invalid("The query cannot be read."))?;
    let audio = match query.audio {
        None | Some(0) => false,
        Some(1) => true,
        Some(_) => return Err(Error::invalid("audio is 0 or 1.").into()),
    };
    let token = query.token.as_deref();
    let allowed = may_watch(&site, &channel, token, sign_in::live_token, &headers).await;
    let upgrade = match (upgrade, &allowed) {
        (Ok(upgrade), _) => upgrade,
        (Err(_), Ok(_)) => return Err(Error::invalid("This address is a WebSocket.").into()),
        (Err(_), Err(Refusal::Unauthenticated)) => return Err(Failure::unauthenticated()),
        (Err(_), Err(Refusal::NoChannel)) => return Err(Failure::not_found()),
    };
    let upgrade = socket::bounded(upgrade);
    Ok(match allowed {
        // A browser shows a page no status of a failed upgrade, so the refusal is a close code.
        Err(Refusal::Unauthenticated) => socket::refuse(upgrade, 4401, "token not valid"),
        Err(Refusal::NoChannel) => socket::refuse(upgrade, 4404, "no such channel"),
        Ok(channel) => {
            let Some(slot) = site.live_slot() else {
                return Ok(socket::refuse(upgrade, 1013, "too many viewers"));
            };
            let quality = site.served_quality(&channel, query.quality).await;
            let mode = query.mode;
            upgrade.on_upgrade(move |socket| async move {
                let _slot = slot;
                let _guard = site.open_socket();
                Viewer {
                    site,
                    socket,
                    channel,
                    quality,
                    mode,
                    audio,
                }
                .run()
                .await;
            })
        }
    })
}

/// Who may watch: a token for this channel that `opens` it, or a signed-in caller with the right.
pub(crate) async fn may_watch(
    site: &Site,
    channel: &str,
    token: Option<&str>,
    opens: fn(&Site, &ChannelId, &str) -> bool,
    headers: &HeaderMap,
) -> Result<ChannelId, Refusal> {
    let id = channel.parse::<ChannelId>();
    let allowed = match (&id, token) {
        // Strangers do not learn which ids are well formed.
        (Err(_), Some(_)) => false,
        (Ok(id), Some(token)) => opens(site, id, token),
        (_, None) => sign_in::may_watch(site, id.as_ref().ok(), headers).await,
    };
    if !allowed {
        return Err(Refusal::Unauthenticated);
    }
    match id {
        Ok(id) if site.has_channel(&id).await => Ok(id),
        _ => Err(Refusal::NoChannel),
    }
}

/// How often a viewer of a stream that stands is told again. A page cannot see pings, and would
/// not know a stream that stands from a connection that is dead.
const WAITING_EVERY: Duration = Duration::from_secs(20);

/// Whether the stream stands, and when that is said again.
#[derive(Default)]
struct Standing {
    again: Option<Instant>,
}

impl Standing {
    /// Notes what the viewer is told.
    fn told(&mut self, item: &LiveItem) {
        match item {
            LiveItem::Waiting => self.again = Some(Instant::now() + WAITING_EVERY),
            LiveItem::Start(_) | LiveItem::Frame(_) => self.again = None,
            LiveItem::Skipped(_) | LiveItem::Removed => {}
        }
    }

    /// Returns when it is to be said again; never while the stream flows.
    async fn again(&self) {
        match self.again {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

struct Viewer {
    site: Site,
    socket: WebSocket,
    channel: ChannelId,
    quality: Quality,
    mode: Mode,
    audio: bool,
}

/// Why a viewer is let go.
enum End {
    /// It left, or its connection broke.
    Gone,
    /// We close, and say why.
    Close(u16, &'static str),
}

impl Viewer {
    fn subscribe(&self) -> LiveSubscription {
        let options = LiveOptions {
            audio: self.audio,
            silence: self.audio && self.mode == Mode::Fragments,
        };
        self.site
            .worker()
            .subscribe(&self.channel, self.quality, options)
    }

    async fn run(mut self) {
        let end = self.watch().await;
        if let End::Close(code, reason) = end {
            close(&mut self.socket, code, reason).await;
        }
    }

    async fn watch(&mut self) -> End {
        let mut live = self.subscribe();
        let closing = self.site.closing().clone();
        let mut ping = tokio::time::interval(socket::PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut standing = Standing::default();
        loop {
            tokio::select! {
                // What the viewer said comes before the look at how long it was silent.
                biased;
                () = closing.cancelled() => return End::Close(1001, "the recorder stops"),
                said = self.socket.recv() => match said {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard = Instant::now(),
                    Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                        return End::Close(1008, "a viewer says nothing");
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                },
                () = tokio::time::sleep_until(heard + socket::SILENT_TOO_LONG) => {
                    return End::Close(1001, "no answer to a ping");
                }
                _ = ping.tick() => {
                    if !self.send(Message::Ping(bytes::Bytes::new())).await {
                        return End::Gone;
                    }
                }
                () = standing.again() => {
                    standing.told(&LiveItem::Waiting);
                    if !self.say(&LiveMessage::Waiting {}).await {
                        return End::Gone;
                    }
                }
                item = live.next() => {
                    if self.needs_fragments(&item) {
                        self.mode = Mode::Fragments;
                        live = self.subscribe();
                        continue;
                    }
                    standing.told(&item);
                    match self.item(item).await {
                        Ok(()) => {}
                        Err(end) => return end,
                    }
                }
            }
        }
    }

    /// Frames alone cannot say when a frame is shown that is not shown in decode order; such a
    /// stream starts again as fragments.
    fn needs_fragments(&self, item: &LiveItem) -> bool {
        self.mode == Mode::Frames
            && matches!(item, LiveItem::Frame(frame) if frame.frame.cts_offset != 0)
    }

    async fn item(&mut self, item: LiveItem) -> Result<(), End> {
        let sent = match item {
            LiveItem::Start(run) => {
                let init = match self.mode {
                    Mode::Frames => None,
                    Mode::Fragments => match init(&run, self.audio) {
                        None => return Err(End::Close(1011, "no fragments of this stream")),
                        init => init,
                    },
                };
                self.say(&start(&run, self.audio)).await
                    && match init {
                        Some(init) => self.send(init).await,
                        None => true,
                    }
            }
            LiveItem::Frame(frame) => self.send(self.frame(&frame)).await,
            LiveItem::Skipped(frames) => self.say(&LiveMessage::Skipped { frames }).await,
            LiveItem::Waiting => self.say(&LiveMessage::Waiting {}).await,
            LiveItem::Removed => return Err(End::Close(4410, "channel removed")),
        };
        if sent { Ok(()) } else { Err(End::Gone) }
    }

    fn frame(&self, live: &LiveFrame) -> Message {
        let head = Head {
            kind: match live.frame.track {
                TrackKind::Video => Kind::Video,
                TrackKind::Audio => Kind::Audio,
            },
            key: live.frame.key,
            filler: live.filler,
            duration: live.frame.duration,
            decode_time: live.frame.dts,
            captured_ms: live.wall_ms,
        };
        let payload = match self.mode {
            Mode::Frames => &live.frame.data,
            Mode::Fragments => live.fragment(),
        };
        Message::Binary(wire::message(&head, payload))
    }

    async fn say(&mut self, message: &LiveMessage) -> bool {
        match serde_json::to_string(message) {
            Ok(text) => self.send(Message::Text(text.into())).await,
            Err(_) => false,
        }
    }

    async fn send(&mut self, message: Message) -> bool {
        socket::send(&mut self.socket, message).await
    }
}

fn start(run: &LiveRun, audio: bool) -> LiveMessage {
    let video = &run.format.video;
    let audio = run.format.audio.as_ref().filter(|_| audio);
    LiveMessage::Start {
        quality: run.quality,
        video_codec: video.codec_string.clone(),
        video_config: BASE64.encode(&video.config),
        width: video.width,
        height: video.height,
        audio_codec: audio.map(|a| a.codec_string.clone()),
        video_timescale: VIDEO_TIMESCALE,
        audio_timescale: audio.map(|a| a.sample_rate),
    }
}

/// `None` when the format cannot be written as MP4.
fn init(run: &LiveRun, audio: bool) -> Option<Message> {
    let head = Head {
        kind: Kind::Init,
        key: false,
        filler: false,
        duration: 0,
        decode_time: 0,
        captured_ms: run.anchor.ms(),
    };
    // A declared track that never comes would hold a player for ever.
    let bytes = if audio || run.format.audio.is_none() {
        run.init()?.clone()
    } else {
        let video_only = Format {
            video: run.format.video.clone(),
            audio: None,
        };
        InitSegment::new(&video_only).ok()?.bytes()
    };
    Some(Message::Binary(wire::message(&head, &bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_again_until_the_stream_flows() {
        let mut standing = Standing::default();
        let long = WAITING_EVERY * 10;
        assert!(tokio::time::timeout(long, standing.again()).await.is_err());
        for _ in 0..3 {
            standing.told(&LiveItem::Waiting);
            // Something else that is said meanwhile starts nothing over.
            standing.told(&LiveItem::Skipped(1));
            let begin = Instant::now();
            standing.again().await;
            assert_eq!(begin.elapsed(), WAITING_EVERY);
        }
    }
}

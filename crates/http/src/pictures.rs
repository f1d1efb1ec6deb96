//! `GET /api/live/{channel}/mjpeg`: one picture a second, for viewers that can decode nothing
//! else. One child program per stream makes the pictures; its viewers share them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::{BufMut, Bytes, BytesMut};
use oriel_api::{ChannelId, Error, Quality};
use oriel_child::{Child, ChildError, Packet, Program};
use oriel_media::TrackKind;
use oriel_task::{Attempt, Severity, Status, Supervised, supervise};
use oriel_worker::{LiveItem, LiveOptions, LiveRun, LiveSubscription, Worker};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStdin, ChildStdout},
    sync::{Notify, watch},
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    failure::Failure,
    live::{LiveQuery, Refusal, may_watch},
    site::Site,
};

const BOUNDARY: &str = "oriel-picture";
/// Longest picture taken from the child.
const LONGEST: usize = 4 * 1024 * 1024;
/// The child must take a frame within this.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// Widest picture made.
const MAX_WIDTH: u32 = 1280;

/// One source of pictures.
struct Source {
    picture: watch::Receiver<Option<Bytes>>,
    /// Ends the child when the last viewer is gone.
    _end: DropGuard,
}

type Key = (ChannelId, Quality);

/// All sources somebody watches.
pub(crate) struct Pictures {
    worker: Arc<Worker>,
    program: Arc<Program>,
    sources: Mutex<HashMap<Key, std::sync::Weak<Source>>>,
}

impl Pictures {
    pub(crate) fn new(worker: Arc<Worker>, program: Arc<Program>) -> Self {
        Self {
            worker,
            program,
            sources: Mutex::default(),
        }
    }

    /// The source of a stream, started for its first viewer.
    fn source(&self, key: Key) -> Arc<Source> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|_, source| source.strong_count() > 0);
        if let Some(source) = sources.get(&key).and_then(std::sync::Weak::upgrade) {
            return source;
        }
        let (picture, pictures) = watch::channel(None);
        let cancel = CancellationToken::new();
        let maker = Maker {
            worker: self.worker.clone(),
            program: self.program.clone(),
            key: key.clone(),
            picture,
        };
        let source = Arc::new(Source {
            picture: pictures,
            _end: cancel.clone().drop_guard(),
        });
        tokio::spawn(async move {
            let (status, _) = watch::channel(Status::Running);
            supervise("pictures", maker, status, Arc::new(Notify::new()), cancel).await;
        });
        sources.insert(key, Arc::downgrade(&source));
        source
    }
}

/// Answers with a stream of pictures that ends when the channel or the recorder does.
pub(crate) async fn serve(
    State(site): State<Site>,
    Path(channel): Path<String>,
    query: Result<Query<LiveQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Query(query) = query.map_err(|_| Error::invalid("The query cannot be read."))?;
    let channel = may_watch(&site, &channel, query.token.as_deref(), &headers)
        .await
        .map_err(|refusal| match refusal {
            Refusal::Unauthenticated => Failure::unauthenticated(),
            Refusal::NoChannel => Failure::not_found(),
        })?;
    let slot = site
        .live_slot()
        .ok_or_else(|| Error::unavailable("Too many people are watching."))?;
    let quality = site.served_quality(&channel, query.quality).await;
    let source = site.pictures().source((channel, quality));
    let pictures = source.picture.clone();
    let closing = site.closing().clone();
    let state = (source, pictures, closing, slot);
    let stream =
        futures::stream::unfold(state, |(source, mut pictures, closing, slot)| async move {
            let picture = tokio::select! {
                () = closing.cancelled() => return None,
                changed = pictures.changed() => {
                    changed.ok()?;
                    pictures.borrow_and_update().clone()
                }
            };
            // No picture any more: the channel was removed.
            let part = part(&picture?);
            Some((
                Ok::<_, std::convert::Infallible>(part),
                (source, pictures, closing, slot),
            ))
        });
    let mut response = Body::from_stream(stream).into_response();
    let out = response.headers_mut();
    out.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("multipart/x-mixed-replace; boundary=oriel-picture"),
    );
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
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

/// Feeds one child from the live stream.
struct Maker {
    worker: Arc<Worker>,
    program: Arc<Program>,
    key: Key,
    picture: watch::Sender<Option<Bytes>>,
}

impl Supervised for Maker {
    type Error = ChildError;

    async fn run_once(&mut self, cancel: CancellationToken) -> Attempt<ChildError> {
        let began = Instant::now();
        let mut seen = false;
        let result = cancel.run_until_cancelled(self.run(&mut seen)).await;
        let healthy_for = if seen {
            began.elapsed()
        } else {
            Duration::ZERO
        };
        Attempt {
            result: result.unwrap_or(Ok(())),
            healthy_for,
        }
    }

    fn severity(&self, error: &ChildError) -> Severity {
        use oriel_api::ReasonCode;
        match error.reason.code {
            ReasonCode::PluginMissing | ReasonCode::UnsupportedCodec => Severity::Lasting,
            _ => Severity::Transient,
        }
    }
}

impl Maker {
    /// One child per run: its job names the codec configuration.
    async fn run(&mut self, seen: &mut bool) -> Result<(), ChildError> {
        let options = LiveOptions {
            audio: false,
            silence: false,
        };
        let mut live = self.worker.subscribe(&self.key.0, self.key.1, options);
        let mut next = loop {
            match live.next().await {
                LiveItem::Start(run) => break Some(run),
                LiveItem::Removed => return self.over().await,
                _ => {}
            }
        };
        while let Some(run) = next.take() {
            let job = job(&run);
            let mut child = Child::start(&self.program, &job, None).await?;
            let Some(stdin) = child.stdin.take() else {
                return Err(child.ended().await);
            };
            let end = tokio::select! {
                end = feed(stdin, &mut live) => end,
                () = drain(&mut child.stdout, &self.picture, seen) => FeedEnd::Child,
            };
            match end {
                FeedEnd::Child => return Err(child.ended().await),
                FeedEnd::NextRun(run) => {
                    child.stop().await;
                    next = Some(run);
                }
                FeedEnd::Removed => {
                    child.stop().await;
                    return self.over().await;
                }
            }
        }
        Ok(())
    }

    /// Ends the viewers' answers, then waits until they are gone: nothing is tried again.
    async fn over<T>(&self) -> T {
        self.picture.send_replace(None);
        std::future::pending().await
    }
}

fn job(run: &LiveRun) -> serde_json::Value {
    let video = &run.format.video;
    serde_json::json!({
        "job": "jpeg",
        "codec": video.codec.name(),
        "config": BASE64.encode(&video.config),
        "max_width": MAX_WIDTH,
        "quality": 80,
        "rate": 1,
    })
}

/// Why a child is fed no more.
enum FeedEnd {
    /// It ended or takes nothing.
    Child,
    /// Another run begins.
    NextRun(Arc<LiveRun>),
    /// The channel is gone.
    Removed,
}

/// Hands frames over until something else has to happen.
async fn feed(mut stdin: ChildStdin, live: &mut LiveSubscription) -> FeedEnd {
    let mut wire = BytesMut::new();
    loop {
        let frame = match live.next().await {
            LiveItem::Start(run) => return FeedEnd::NextRun(run),
            LiveItem::Frame(frame) if frame.frame.track == TrackKind::Video => frame,
            LiveItem::Removed => return FeedEnd::Removed,
            _ => continue,
        };
        let packet = Packet {
            time: frame.frame.dts + i64::from(frame.frame.cts_offset),
            flags: if frame.frame.key { Packet::KEY } else { 0 },
            data: frame.frame.data.clone(),
        };
        wire.clear();
        if packet.put(&mut wire).is_err() {
            continue;
        }
        // A child that does not keep up makes the hub skip to a key frame, which it can take.
        match timeout(WRITE_DEADLINE, stdin.write_all(&wire)).await {
            Ok(Ok(())) => {}
            _ => return FeedEnd::Child,
        }
    }
}

async fn drain(stdout: &mut ChildStdout, picture: &watch::Sender<Option<Bytes>>, seen: &mut bool) {
    let mut buffer = BytesMut::new();
    loop {
        loop {
            match Packet::take(&mut buffer, LONGEST) {
                Ok(Some(packet)) => {
                    *seen = true;
                    picture.send_replace(Some(packet.data));
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        match stdout.read_buf(&mut buffer).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
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

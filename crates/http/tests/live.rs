//! The sockets: live and changes, and pictures for those who can have neither.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use oriel_api::{ChannelId, LiveMessage, Quality, Reason, ReasonCode, Timestamp};
use oriel_media::{Frame, TrackKind, ingest::RunSink};
use serde_json::json;
use support::{PATIENCE, World, footage};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

const NOON: Timestamp = Timestamp::from_ms(1_767_225_600_000);

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// A binary message taken apart.
struct Unit {
    kind: u8,
    key: bool,
    decode_time: i64,
    captured_ms: i64,
    payload: Vec<u8>,
}

impl Socket {
    async fn open(world: &World, path: &str) -> Self {
        let url = format!("ws://{}{path}", world.address);
        Self(connect_async(url).await.unwrap().0)
    }

    async fn next(&mut self) -> Message {
        let wait = async {
            loop {
                match self.0.next().await.unwrap().unwrap() {
                    Message::Ping(_) => {}
                    other => return other,
                }
            }
        };
        // Around the whole: pings go on for ever.
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("nothing was said")
    }

    async fn said(&mut self) -> LiveMessage {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn unit(&mut self) -> Unit {
        match self.next().await {
            Message::Binary(b) => Unit {
                kind: b[0],
                key: b[1] & 1 == 1,
                decode_time: i64::from_be_bytes(b[8..16].try_into().unwrap()),
                captured_ms: i64::from_be_bytes(b[16..24].try_into().unwrap()),
                payload: b[24..].to_vec(),
            },
            other => panic!("{other:?}"),
        }
    }

    async fn closed(&mut self) -> u16 {
        match self.next().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("{other:?}"),
        }
    }
}

async fn token(world: &World, channel: &ChannelId) -> String {
    let token = world.rpc("stream_token", json!({ "id": channel })).await;
    token["url"].as_str().unwrap().to_owned()
}

fn video(frames: &[Frame]) -> Vec<Frame> {
    frames
        .iter()
        .filter(|f| f.track == TrackKind::Video)
        .cloned()
        .collect()
}

fn push(sink: &mut Box<dyn RunSink>, frames: &[Frame]) {
    for frame in frames {
        sink.push(frame.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_gets_the_current_group_and_then_frames_as_they_come() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let (format, frames) = footage("h264-aac.mp4");
    let frames = video(&frames);
    let mut sink = world.run(&channel, &format, NOON);
    push(&mut sink, &frames[..15]);

    let path = format!("{}&mode=frames", token(&world, &channel).await);
    let mut socket = Socket::open(&world, &path).await;
    match socket.said().await {
        LiveMessage::Start {
            quality,
            video_codec,
            width,
            audio_codec,
            ..
        } => {
            assert_eq!(quality, Quality::High);
            assert_eq!(video_codec, format.video.codec_string);
            assert_eq!(width, format.video.width);
            assert_eq!(audio_codec, None, "audio was not asked for");
        }
        other => panic!("{other:?}"),
    }
    for (i, expected) in frames[10..15].iter().enumerate() {
        let unit = socket.unit().await;
        assert_eq!((unit.kind, unit.key), (1, i == 0));
        assert_eq!(unit.payload, expected.data);
        assert_eq!(unit.decode_time, expected.dts);
        assert_eq!(unit.captured_ms, NOON.ms() + expected.dts / 90);
    }
    push(&mut sink, &frames[15..16]);
    assert_eq!(socket.unit().await.payload, frames[15].data);

    let viewers = world.call("GET", "/metrics", None).await.text();
    let line = format!("oriel_live_viewers{{channel=\"{channel}\",quality=\"high\"}} 1");
    assert!(viewers.contains(&line), "{viewers}");

    drop(sink);
    assert_eq!(socket.said().await, LiveMessage::Waiting {});
    let mut sink = world.run(&channel, &format, NOON);
    assert!(matches!(socket.said().await, LiveMessage::Start { .. }));
    push(&mut sink, &frames[..1]);
    assert!(socket.unit().await.key);
}

#[tokio::test(flavor = "multi_thread")]
async fn fragments_begin_with_an_init_segment_of_the_tracks_that_come() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let (format, frames) = footage("h264-aac.mp4");
    let mut sink = world.run(&channel, &format, NOON);
    push(&mut sink, &frames);
    let base = token(&world, &channel).await;
    for (audio, tracks) in [(0, 1), (1, 2)] {
        let path = format!("{base}&mode=fragments&audio={audio}");
        let mut socket = Socket::open(&world, &path).await;
        let LiveMessage::Start { audio_codec, .. } = socket.said().await else {
            panic!("no start");
        };
        assert_eq!(audio_codec.is_some(), audio == 1);
        let init = socket.unit().await;
        assert_eq!((init.kind, &init.payload[4..8]), (0, &b"ftyp"[..]));
        let traks = init.payload.windows(4).filter(|w| w == b"trak").count();
        assert_eq!(traks, tracks);
        let first = socket.unit().await;
        assert_eq!(
            (first.kind, first.key, &first.payload[4..8]),
            (1, true, &b"moof"[..])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_needs_fragments_gets_them_though_frames_were_asked_for() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let (format, frames) = footage("h264-bframes.mp4");
    assert!(frames.iter().any(|f| f.cts_offset != 0));
    let mut sink = world.run(&channel, &format, NOON);
    push(&mut sink, &frames);
    let path = format!("{}&mode=frames", token(&world, &channel).await);
    let mut socket = Socket::open(&world, &path).await;
    let wait = async {
        loop {
            if let Message::Binary(bytes) = socket.next().await
                && bytes[0] == 0
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    assert_eq!(&socket.unit().await.payload[4..8], b"moof");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_watch_is_told_by_the_close_code() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let path = token(&world, &channel).await;
    let (plain, _) = path.split_once('?').unwrap();
    for wrong in [
        plain.to_owned(),
        format!("{plain}?token="),
        format!("{plain}?token=1.x"),
        format!("{path}x"),
        path.replace(channel.as_str(), "aaaaaaaaaaaa"),
        "/api/live/..%2f?token=1.x".to_owned(),
        "/api/events/stream".to_owned(),
        "/api/events/stream?token=1.x".to_owned(),
        path.replace(plain, "/api/events/stream"),
    ] {
        let mut socket = Socket::open(&world, &wrong).await;
        assert_eq!(socket.closed().await, 4401, "{wrong}");
    }
    let url = format!("ws://{}/api/live/aaaaaaaaaaaa", world.address);
    let mut request = url.into_client_request().unwrap();
    let bearer = format!("Bearer {}", world.token).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let mut socket = Socket(connect_async(request).await.unwrap().0);
    assert_eq!(socket.closed().await, 4404);

    let mut socket = Socket::open(&world, &path).await;
    assert_eq!(socket.said().await, LiveMessage::Waiting {});
    world.rpc("channel_delete", json!({ "id": channel })).await;
    assert_eq!(socket.closed().await, 4410);
    // Without the upgrade the same addresses answer as HTTP.
    assert_eq!(world.raw("GET", plain, &[], b"").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_talks_is_let_go() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let path = token(&world, &channel).await;
    let mut socket = Socket::open(&world, &path).await;
    assert_eq!(socket.said().await, LiveMessage::Waiting {});
    socket.0.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.closed().await, 1008);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_pushed_as_they_happen() {
    let world = World::new().await;
    let token = world.rpc("event_token", json!({})).await;
    let mut socket = Socket::open(&world, token["url"].as_str().unwrap()).await;
    // The socket follows once it has answered something; a ping is answered in its loop.
    socket.0.send(Message::Ping(vec![1].into())).await.unwrap();
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.0.next()).await;
        if matches!(message.unwrap().unwrap().unwrap(), Message::Pong(p) if p[..] == [1]) {
            break;
        }
    }
    let (camera, _) = world.camera().await;
    loop {
        let Message::Text(text) = socket.next().await else {
            panic!("no text");
        };
        let change: serde_json::Value = serde_json::from_str(&text).unwrap();
        // A camera that was made and given back on the way to this one is told of as well.
        if change["type"] == "camera" && change["camera"]["id"] == camera.as_str() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_pictures_hold_no_connection_and_end_with_the_channel() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let token = world.rpc("stream_token", json!({ "id": channel })).await;
    let url = token["jpeg_url"].as_str().unwrap();
    let live = token["token"].as_str().unwrap();
    for stranger in [
        format!("/api/live/{channel}/jpeg"),
        format!("/api/live/{channel}/jpeg?token={live}"),
        format!("{url}x"),
        url.replace("/jpeg", "/mjpeg"),
        url.replace(channel.as_str(), "aaaaaaaaaaaa"),
    ] {
        let answer = world.raw("GET", &stranger, &[], b"").await;
        assert_eq!(answer.status, 401, "{stranger}");
    }

    let nothing = world.raw("GET", url, &[], b"").await;
    assert_eq!(
        (nothing.status, nothing.header("retry-after")),
        (204, Some("1"))
    );
    let (format, frames) = footage("h264-aac.mp4");
    let frames = video(&frames);
    let mut sink = world.run(&channel, &format, NOON);
    push(&mut sink, &frames);
    let ask = async || {
        let address = format!("{url}&quality=low&t=1");
        let origin = "Origin: tauri://localhost";
        world.raw("GET", &address, &[origin], b"").await
    };
    let wait = async {
        loop {
            let answer = ask().await;
            if answer.status == 200 {
                return answer;
            }
            assert_eq!(answer.status, 204, "{}", answer.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, wait).await.unwrap();
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.body[..2], [0xff, 0xd8]);
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("X-Oriel-Captured"), "{exposed}");
    let captured: i64 = answer.header("x-oriel-captured").unwrap().parse().unwrap();
    let of_a_frame = |f: &Frame| NOON.ms() + (f.dts + i64::from(f.cts_offset)) / 90 == captured;
    assert!(frames.iter().any(of_a_frame), "{captured}");
    // Between two requests nobody is connected, and the source is there all the same.
    use oriel_media::ingest::Ingest;
    assert_eq!(*world.worker.watched(&channel, Quality::High).borrow(), 1);

    // What is old is not shown as if it were new.
    drop(sink);
    let wait = async {
        while ask().await.status != 204 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    world.rpc("channel_delete", json!({ "id": channel })).await;
    // The source hears of it a moment later.
    let wait = async {
        while ask().await.status != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_from_one_child_that_ends_with_its_last_viewer() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let (format, frames) = footage("h264-aac.mp4");
    let mut sink = world.run(&channel, &format, NOON);
    push(&mut sink, &video(&frames));
    let path = token(&world, &channel).await.replacen('?', "/mjpeg?", 1);
    let mut watching = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(&world.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", world.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        let wait = async {
            while !seen.windows(2).any(|w| w == [0xff, 0xd8]) {
                let mut chunk = [0; 4096];
                let n = stream.read(&mut chunk).await.unwrap();
                assert!(n > 0, "{}", String::from_utf8_lossy(&seen));
                seen.extend_from_slice(&chunk[..n]);
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("no picture");
        let text = String::from_utf8_lossy(&seen);
        assert!(text.contains("multipart/x-mixed-replace"), "{text}");
        assert!(text.contains("Content-Type: image/jpeg"), "{text}");
        watching.push(stream);
    }
    use oriel_media::ingest::Ingest;
    let viewers = world.worker.watched(&channel, Quality::High);
    assert_eq!(*viewers.borrow(), 1, "both share one source");
    drop(watching);
    let mut viewers = viewers;
    let gone = async {
        // A connection that went away is noticed at the next picture.
        let mut at = 30;
        while *viewers.borrow_and_update() > 0 {
            let frames = video(&frames);
            let frame = Frame {
                dts: at * 9000,
                ..frames[at as usize % 30].clone()
            };
            sink.push(frame);
            at += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("the source lives on");
    let over = Reason {
        code: ReasonCode::Ended,
        message: "Over.".into(),
    };
    sink.close(over, None);
}

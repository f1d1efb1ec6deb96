//! Footage plays from the disk, from the bucket, and from the bucket when the disk has lost it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use oriel_api::{CameraId, ChannelId, Reason, ReasonCode, Segment, SegmentState, Timestamp};
use oriel_bucket::ObjectKey;
use oriel_store::StoredRecording;
use serde_json::json;
use support::{World, footage, s3::S3};

const NOON: Timestamp = Timestamp::from_ms(1_767_225_600_000);

/// Three seconds of a camera, on the disk and in the bucket.
async fn in_both(world: &World, s3: &S3) -> (CameraId, ChannelId, Segment, Vec<u8>) {
    let set = world
        .call("PATCH", "/api/storage", Some(s3.settings()))
        .await;
    assert_eq!(set.status, 200, "{}", set.text());
    let (camera, channel) = world.camera().await;
    let (format, frames) = footage("h264-aac.mp4");
    let mut sink = world.run(&channel, &format, NOON);
    for frame in frames {
        sink.push(frame);
    }
    let over = Reason {
        code: ReasonCode::Ended,
        message: "The test is over.".into(),
    };
    sink.close(over, None);
    let segments = world
        .segments_when(&camera, NOON, |s| {
            s.len() == 1 && s[0].state != SegmentState::Open
        })
        .await;
    let segment = segments[0].clone();
    let file = local(world, &channel, &segment);
    let bytes = std::fs::read(file).unwrap();
    let length = segment.end.ms() - segment.start.ms();
    let key = ObjectKey::recording(&channel, segment.start, length.unsigned_abs()).unwrap();
    let remote = world.stores.now().remote.clone().unwrap();
    remote
        .areas
        .incoming
        .put_bytes(&key, bytes.clone(), None)
        .await
        .unwrap();
    let stored = StoredRecording {
        channel: channel.clone(),
        start: segment.start,
        end: segment.end,
        bytes: segment.bytes,
        codecs: segment.codecs.clone(),
        continues: false,
        object_key: key.to_string(),
        stored: NOON,
    };
    let store = world.nvr.store();
    store.recordings_restore(vec![stored]).await.unwrap();
    (camera, channel, segment, bytes)
}

fn local(world: &World, channel: &ChannelId, segment: &Segment) -> std::path::PathBuf {
    let folder = world.folder.path();
    folder.join(format!("recordings/{channel}/{}", segment.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_disk_leaves_a_playable_archive() {
    let (world, s3) = (World::new().await, S3::start().await);
    let (camera, channel, segment, bytes) = in_both(&world, &s3).await;
    let both = world.segments(&camera, NOON).await[0].clone();
    assert!(both.local && both.state == SegmentState::Stored);
    let url = both.url.unwrap();
    let here = world.raw("GET", &url, &[], b"").await;
    assert_eq!(here.body, bytes);
    let tag = here.header("etag").unwrap().to_owned();

    std::fs::remove_file(local(&world, &channel, &segment)).unwrap();
    // With the address that was given while the file was there.
    let there = world.raw("GET", &url, &["Range: bytes=10-99"], b"").await;
    assert_eq!(there.status, 206, "{}", there.text());
    assert_eq!(there.body, bytes[10..=99]);
    let said = format!("bytes 10-99/{}", bytes.len());
    assert_eq!(there.header("content-range"), Some(said.as_str()));
    let gone = world.segments(&camera, NOON).await[0].clone();
    assert!(!gone.local && gone.state == SegmentState::Stored);
    let url = gone.url.expect("the bucket has it");
    let whole = world.raw("GET", &url, &[], b"").await;
    assert_eq!((whole.status, &whole.body), (200, &bytes));
    // The same bytes have the same tag, wherever they are.
    assert_eq!(whole.header("etag"), Some(tag.as_str()));
    let resumed = [format!("If-Range: {tag}"), "Range: bytes=5-".into()];
    let resumed: Vec<&str> = resumed.iter().map(String::as_str).collect();
    let rest = world.raw("GET", &url, &resumed, b"").await;
    assert_eq!((rest.status, &rest.body[..]), (206, &bytes[5..]));
    let head = world.raw("HEAD", &url, &[], b"").await;
    let length = bytes.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    let beyond = format!("Range: bytes={length}-");
    assert_eq!(world.raw("GET", &url, &[&beyond], b"").await.status, 416);
    let list = format!("/api/recordings?id={channel}&start={NOON}&end=2026-01-01T01:00:00Z");
    let listed = world.call("GET", &list, None).await;
    if listed.status == 200 {
        assert!(listed.json()["items"][0]["url"].is_string());
    }

    // An object that is not what was stored is not played as if it were.
    let key = gone_key(&world, &channel, &segment);
    let areas = world.stores.now().remote.clone().unwrap().areas;
    areas
        .incoming
        .put_bytes(&key, b"other".to_vec(), None)
        .await
        .unwrap();
    let other = world.raw("GET", &url, &[], b"").await;
    assert_eq!(other.status, 503);
    areas.incoming.delete(&key).await.unwrap();
    assert_eq!(world.raw("GET", &url, &[], b"").await.status, 404);
}

fn gone_key(_: &World, channel: &ChannelId, segment: &Segment) -> ObjectKey {
    let length = segment.end.ms() - segment.start.ms();
    ObjectKey::recording(channel, segment.start, length.unsigned_abs()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_sent_to_the_bucket_only_where_they_may_go() {
    let (world, s3) = (World::new().await, S3::start().await);
    let (camera, channel, segment, bytes) = in_both(&world, &s3).await;
    std::fs::remove_file(local(&world, &channel, &segment)).unwrap();
    let url = world.segments(&camera, NOON).await[0].url.clone().unwrap();
    let own = ["Sec-Fetch-Site: same-origin"];
    let csp = |answer: &support::Answer| {
        let csp = answer.header("content-security-policy").unwrap();
        csp.contains(&format!("http://127.0.0.1:{}", s3.port))
    };
    let through = world.raw("GET", &url, &own, b"").await;
    assert_eq!((through.status, &through.body), (200, &bytes));
    assert!(!csp(&through));
    let direct = Some(json!({ "direct": true }));
    let set = world.call("PATCH", "/api/storage", direct).await;
    assert_eq!(set.status, 200, "{}", set.text());
    let sent = world.raw("GET", &url, &own, b"").await;
    assert_eq!(sent.status, 307);
    assert!(csp(&sent), "the page may go there");
    let address = sent.header("location").unwrap();
    assert!(!address.contains(support::s3::SECRET));
    let bucket = format!("http://127.0.0.1:{}", s3.port);
    let path = address.strip_prefix(&bucket).expect("the bucket's own");
    assert_eq!(fetch(s3.port, path).await, bytes);
    // The desktop window and programs are given the bytes, and a file keeps its name.
    for headers in [
        &["Sec-Fetch-Site: cross-site"][..],
        &["Origin: tauri://localhost"],
        &[],
    ] {
        let given = world.raw("GET", &url, headers, b"").await;
        assert_eq!((given.status, &given.body), (200, &bytes), "{headers:?}");
    }
    let saved = world
        .raw("GET", &format!("{url}&download=1"), &own, b"")
        .await;
    assert_eq!(saved.status, 200);
    assert!(saved.header("content-disposition").is_some());
}

async fn fetch(port: u16, path: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    answer[at + 4..].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_is_tested_before_and_after_saving() {
    let (world, s3) = (World::new().await, S3::start().await);
    let origin = format!("http://{}", world.address);
    let test = json!({ "settings": s3.settings(), "origin": origin });
    let report = world.call("POST", "/api/storage/test", Some(test)).await;
    assert_eq!(report.json()["usable"], true, "{}", report.text());
    assert!(!report.text().contains(support::s3::SECRET));
    assert!(world.stores.now().remote.is_none(), "nothing was saved");
    let set = world
        .call("PATCH", "/api/storage", Some(s3.settings()))
        .await;
    assert_eq!(set.status, 200);
    assert!(!set.text().contains(support::s3::SECRET) && !set.text().contains(support::s3::ID));
    let able = || world.stores.now().remote.clone().unwrap().capabilities;
    assert!(able().part_copy, "what the test found is known");
    let elsewhere = json!({ "prefix": "elsewhere" });
    let set = world.call("PATCH", "/api/storage", Some(elsewhere)).await;
    assert_eq!(set.status, 200);
    assert!(!able().part_copy, "nothing is taken for granted");
    let report = world
        .call("POST", "/api/storage/test", Some(json!({})))
        .await;
    assert_eq!(report.status, 200);
    let learned = async {
        loop {
            let remote = world.stores.now().remote.clone();
            if remote.is_some_and(|r| r.capabilities.multipart) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, learned)
        .await
        .expect("what the test of the saved settings saw is used");
    let wrong = json!({ "settings": { "key_id": "AKIAOTHER", "secret": "wrong" } });
    let report = world.call("POST", "/api/storage/test", Some(wrong)).await;
    assert_eq!(report.json()["usable"], false);
}

//! Signed addresses of objects: each opens its own object for its own verb, and nothing else.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use oriel_api::{ChannelId, SnapshotId, SnapshotSource, Timestamp};
use oriel_bucket::{Bucket, ObjectKey};
use oriel_nvr::sign::Purpose;
use oriel_store::NewSnapshot;
use support::World;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture, or nearly";
const KIND: &str = "Content-Type: image/jpeg";
const HOUR: Duration = Duration::from_secs(3600);

async fn asked_for(world: &World, channel: &ChannelId, taken: i64) -> ObjectKey {
    let new = NewSnapshot {
        id: SnapshotId::from_random([u8::try_from(taken % 200).unwrap(); 12]),
        channel: channel.clone(),
        taken: Timestamp::from_ms(taken),
        source: SnapshotSource::Client,
        at: Timestamp::from_ms(taken),
    };
    let row = world.nvr.store().snapshot_insert(new).await.unwrap();
    ObjectKey::parse(row.object_key).unwrap()
}

fn places(world: &World) -> Bucket {
    let stores = world.stores.now();
    stores.local.values().next().expect("the places").clone()
}

/// The places are opened by a task.
async fn world() -> World {
    let world = World::new().await;
    let opened = async {
        while world.stores.now().local.len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(support::PATIENCE, opened)
        .await
        .unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_sent_once_to_the_address_it_was_asked_for_at() {
    let world = world().await;
    let (_, channel) = world.camera().await;
    let key = asked_for(&world, &channel, 5000).await;
    let (url, headers) = world.nvr.object_put_url(&key);
    assert_eq!(headers["content-type"], "image/jpeg");
    let put = async |url: &str, kind: &str, body: &[u8]| world.raw("PUT", url, &[kind], body).await;

    assert_eq!(put(&url, "Content-Type: text/html", JPEG).await.status, 400);
    assert_eq!(put(&url, KIND, b"<html>").await.status, 400);
    // Refused before any of it is sent.
    let host = format!("Host: {}", world.address);
    let large = [host.as_str(), KIND, "Content-Length: 8388609"];
    assert_eq!(world.exact("PUT", &url, &large, b"").await.status, 400);
    let (path, query) = url.split_once('?').unwrap();
    let reading = world.nvr.object_url(&key, HOUR).await.unwrap();
    for foreign in [
        path.to_owned(),
        reading.clone(),
        format!("{path}?{query}A"),
        format!("/api/objects/snapshots/{channel}/5001.jpg?{query}"),
        format!("/api/objects/clips/{channel}/c1.mp4?{query}"),
    ] {
        assert_eq!(put(&foreign, KIND, JPEG).await.status, 401, "{foreign}");
    }
    assert_eq!(world.raw("GET", &url, &[], b"").await.status, 401);
    assert_eq!(world.raw("GET", &reading, &[], b"").await.status, 404);

    assert_eq!(put(&url, KIND, JPEG).await.status, 204);
    // A snapshot is evidence: nobody changes it afterwards.
    let second = put(&url, KIND, &[JPEG, b"!"].concat()).await;
    assert_eq!((second.status, second.code().as_str()), (409, "conflict"));
    let seen = world.raw("GET", &reading, &[], b"").await;
    assert_eq!((seen.status, &seen.body[..]), (200, JPEG));
    assert_eq!(seen.header("content-type"), Some("image/jpeg"));

    // Nobody asked for this one, and only snapshots are sent.
    for key in [
        ObjectKey::snapshot(&channel, Timestamp::from_ms(77)).unwrap(),
        ObjectKey::clip(&channel, "c1").unwrap(),
        ObjectKey::export("j1", "a.jpg").unwrap(),
    ] {
        let (url, _) = world.nvr.object_put_url(&key);
        assert_eq!(put(&url, KIND, JPEG).await.status, 404, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_opens_one_object_until_it_ends() {
    let world = world().await;
    let (_, channel) = world.camera().await;
    let clip = ObjectKey::clip(&channel, "c1").unwrap();
    let manifest = ObjectKey::export("j1", "manifest.json").unwrap();
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let bucket = places(&world);
    bucket.put_bytes(&clip, bytes.clone(), None).await.unwrap();
    bucket
        .put_bytes(&manifest, b"{}".to_vec(), None)
        .await
        .unwrap();
    let url = world.nvr.object_url(&clip, HOUR).await.unwrap();
    let get = async |url: &str, headers: &[&str]| world.raw("GET", url, headers, b"").await;
    let whole = get(&url, &[]).await;
    assert_eq!((whole.status, &whole.body), (200, &bytes));
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    let part = get(&url, &["Range: bytes=-10"]).await;
    assert_eq!((part.status, &part.body[..]), (206, &bytes[199_990..]));
    let tag = format!("If-None-Match: {}", whole.header("etag").unwrap());
    assert_eq!(get(&url, &[&tag]).await.status, 304);
    let head = world.raw("HEAD", &url, &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("200000"));
    let saved = get(&format!("{url}&download=Break-in"), &[]).await;
    let named = saved.header("content-disposition").unwrap();
    assert!(
        named.starts_with("attachment; filename=\"Break_in.mp4\""),
        "{named}"
    );
    // Nothing shows what is to be saved.
    let kind = saved.header("content-type");
    assert_eq!(kind, Some("application/octet-stream"));
    let json = world.nvr.object_url(&manifest, HOUR).await.unwrap();
    assert_eq!(
        get(&json, &[]).await.header("content-type"),
        Some("application/json")
    );

    let (path, query) = url.split_once('?').unwrap();
    let (exp, sig) = query.split_once('&').unwrap();
    let past = Timestamp::from_ms(1_000_000);
    let signer = world.nvr.signer();
    let old = signer.sign("GET", path, Purpose::Object, HOUR, past);
    let now = oriel_api::Operations::now(&*world.nvr);
    let other_purpose = signer.sign("GET", path, Purpose::Media, HOUR, now);
    for wrong in [
        path.to_owned(),
        format!("{path}?{exp}"),
        format!("{path}?{sig}"),
        format!("{path}?{exp}&{sig}A"),
        format!("{path}?{exp}0&{sig}"),
        format!("{path}?{query}&more=1"),
        format!("{path}?{old}"),
        format!("{path}?{other_purpose}"),
        format!("/api/objects/{manifest}?{query}"),
        format!("/api/objects/{clip}%2e?{query}"),
        format!("/api/objects/clips/{channel}/%63%31.mp4?{query}"),
        format!("/api/objects/../objects/{clip}?{query}"),
    ] {
        assert_eq!(get(&wrong, &[]).await.status, 401, "{wrong}");
    }
    // Even somebody with the key of the signer reads nothing but objects.
    for elsewhere in [
        "/api/objects/oriel.db",
        "/api/objects/../oriel.db",
        "/api/objects/.oriel/tmp",
    ] {
        let query = signer.sign("GET", elsewhere, Purpose::Object, HOUR, now);
        let answer = get(&format!("{elsewhere}?{query}"), &[]).await;
        assert!(
            matches!(answer.status, 401 | 404),
            "{elsewhere}: {}",
            answer.status
        );
    }
    let week = Duration::from_secs(7 * 24 * 3600);
    assert!(world.nvr.object_url(&clip, week).await.is_ok());
    assert!(world.nvr.object_url(&clip, week * 2).await.is_err());
    let owner = world.bearer();
    assert_eq!(get(path, &[&owner]).await.status, 401);
}

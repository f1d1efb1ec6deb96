//! Files of exports as downloads: ranges, names, signatures, and what is not there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use oriel_api::{ChannelId, ExportFormat, ExportId, ExportStatus, Range, Timestamp};
use oriel_store::{MadeFile, NewExport, NewExportPart};
use serde_json::json;
use support::World;

const FILE: &str = "front-door-20991231t000000z.mp4";

/// An export with one file, as a finished one is. Its time is to come, so that nothing else makes
/// it.
async fn exported(world: &World, channel: &ChannelId, n: u8, bytes: &[u8]) -> ExportId {
    let id = ExportId::from_random([n; 12]);
    let store = world.nvr.store();
    let range = Range {
        start: Timestamp::from_ms(4_102_358_400_000),
        end: Timestamp::from_ms(4_102_358_460_000),
    };
    let row = store
        .export_insert(NewExport {
            id: id.clone(),
            range,
            format: ExportFormat::Mp4,
            with_audio: true,
            parts: vec![NewExportPart {
                camera: channel.as_str().parse().unwrap(),
                channel: channel.clone(),
                name: "Front door".into(),
                file: FILE.into(),
                object_key: format!("exports/{id}/{FILE}"),
            }],
            manifest_key: format!("exports/{id}/manifest.json"),
            at: Timestamp::from_ms(0),
        })
        .await
        .unwrap();
    let file = MadeFile {
        bytes: bytes.len() as u64,
        sha256: None,
        media: range,
        gaps: Vec::new(),
        stored: None,
    };
    store
        .export_part_made(row.parts[0].number, file)
        .await
        .unwrap()
        .unwrap();
    store
        .export_ended(id.clone(), ExportStatus::Finished, None, Some(2))
        .await
        .unwrap();
    let folder = world.folder.path().join(format!("exports/{id}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(FILE), bytes).unwrap();
    std::fs::write(folder.join("manifest.json"), b"{}").unwrap();
    id
}

fn download(id: &ExportId, file: &str) -> String {
    format!("/api/recordings/export/{id}/download?file={file}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_whole_and_in_parts_under_its_own_name() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let id = exported(&world, &channel, 1, &bytes).await;
    let bearer = world.bearer();
    let path = download(&id, FILE);
    let whole = world.raw("GET", &path, &[&bearer], b"").await;
    assert_eq!((whole.status, &whole.body), (200, &bytes));
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    let name = whole.header("content-disposition").unwrap();
    assert!(
        name.starts_with("attachment; filename=\"front_door_20991231t000000z.mp4\""),
        "{name}"
    );
    let part = world
        .raw("GET", &path, &[&bearer, "Range: bytes=100-199"], b"")
        .await;
    assert_eq!((part.status, &part.body[..]), (206, &bytes[100..200]));
    let head = world.raw("HEAD", &path, &[&bearer], b"").await;
    assert_eq!(head.header("content-length"), Some("70000"));
    let manifest = download(&id, "manifest.json");
    let manifest = world.raw("GET", &manifest, &[&bearer], b"").await;
    assert_eq!(manifest.body, b"{}");
    assert_eq!(manifest.header("content-type"), Some("application/json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_opens_its_own_file_and_strangers_nothing() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let id = exported(&world, &channel, 1, b"one").await;
    let other = exported(&world, &channel, 2, b"two").await;
    let shown = world.rpc("export_get", json!({ "id": id })).await;
    let url = shown["parts"][0]["url"].as_str().unwrap().to_owned();
    let answer = world.raw("GET", &url, &[], b"").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"one"[..]));
    // As a page asks for it, to save it.
    let saved = world
        .raw("GET", &format!("{url}&download=1"), &[], b"")
        .await;
    assert_eq!((saved.status, &saved.body[..]), (200, &b"one"[..]));
    let kind = saved.header("content-type");
    assert_eq!(kind, Some("application/octet-stream"));
    let manifest = shown["manifest_url"].as_str().unwrap();
    assert_eq!(world.raw("GET", manifest, &[], b"").await.body, b"{}");
    let exp = url.split("exp=").nth(1).unwrap().split('&').next().unwrap();
    let later = (exp.parse::<i64>().unwrap() + 1).to_string();
    for bad in [
        download(&id, FILE),
        url.replace(id.as_str(), other.as_str()),
        url.replace(FILE, "manifest.json"),
        url.replace(exp, &later),
        url.split("&sig=").next().unwrap().to_owned(),
        format!("/api/recordings/export/{id}/download"),
    ] {
        assert_eq!(world.raw("GET", &bad, &[], b"").await.status, 401, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_of_an_export_is_not_found() {
    let world = World::new().await;
    let (_, channel) = world.camera().await;
    let id = exported(&world, &channel, 1, b"one").await;
    let bearer = world.bearer();
    for path in [
        download(&id, "other.mp4"),
        download(&id, "../../oriel.db"),
        download(&id, "..%2F..%2Foriel.db"),
        download(&ExportId::from_random([9; 12]), FILE),
        "/api/recordings/export/x/download?file=a".into(),
    ] {
        let answer = world.raw("GET", &path, &[&bearer], b"").await;
        assert_eq!(answer.status, 404, "{path}");
    }
    for path in [
        format!("/api/recordings/export/{id}/download"),
        format!("/api/recordings/export/{id}/download?file=a&file=b"),
        format!("/api/recordings/export/{id}/download?file=a&x=1"),
    ] {
        let answer = world.raw("GET", &path, &[&bearer], b"").await;
        assert_eq!(answer.status, 400, "{path}");
    }
    // Known, but its bytes are gone.
    std::fs::remove_file(world.folder.path().join(format!("exports/{id}/{FILE}"))).unwrap();
    let answer = world
        .raw("GET", &download(&id, FILE), &[&bearer], b"")
        .await;
    assert_eq!(answer.status, 404);
}

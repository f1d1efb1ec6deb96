//! Storage settings: what is taken, what is refused, and what never comes out again.

use std::path::Path;

use oriel_api::link::{AssemblyProgress, UploadQueue, UploadTask};
use oriel_bucket::{BucketError, ObjectKey};
use oriel_secrets::SecretStore;
use serde_json::{Value, json};

use super::fakes::{Recorder, until};
use crate::{NvrOptions, jobs::follow};

const ID: &str = "AKIAEXAMPLEID";
const SECRET: &str = "sEcReT/that+nobody=sees";

async fn recorder(data: &Path, roots: &[&Path]) -> Recorder {
    Recorder::with(NvrOptions {
        data_dir: data.to_owned(),
        approved_roots: roots.iter().map(|r| (*r).to_owned()).collect(),
        media_base: "http://127.0.0.1:8750".into(),
        ..NvrOptions::default()
    })
    .await
}

fn bucket() -> Value {
    json!({
        "destination": "s3", "endpoint": "http://127.0.0.1:9", "bucket": "footage",
        "key_id": ID, "secret": SECRET, "notices_queue": "http://127.0.0.1:9/1/notices"
    })
}

#[tokio::test]
async fn a_bucket_is_set_and_kept_over_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path(), &[]).await;
    let out = r.ok("storage_get", json!({})).await;
    assert_eq!(out["settings"]["destination"], "none");
    let out = r.ok("storage_update", bucket()).await;
    assert_eq!(out["settings"]["has_keys"], true);
    let more = json!({ "prefix": "/Site-A/", "bandwidth_kbps": 8, "retention_days": 30,
        "window": { "from": "22:00", "to": "06:00" }, "direct": true });
    let set = r.ok("storage_update", more).await;
    assert_eq!(set["settings"]["prefix"], "Site-A");
    let stores = r.nvr.options.stores.now();
    assert!(stores.remote.is_some());
    assert_eq!(stores.bandwidth.rate(), Some(1000));
    assert_eq!(&*r.nvr.media_origins(), ["http://127.0.0.1:9".to_owned()]);
    let r = r.restarted(false).await;
    let out = r.ok("storage_get", json!({})).await;
    assert_eq!(out["settings"], set["settings"]);
    until("the bucket is open again", || async {
        r.nvr.options.stores.now().remote.is_some()
    })
    .await;
    // Everything that can be taken away is.
    let away = json!({ "prefix": "", "bandwidth_kbps": 0, "retention_days": 0, "direct": false,
        "window": { "from": "01:00", "to": "01:00" } });
    let out = r.ok("storage_update", away).await;
    for gone in ["bandwidth_kbps", "retention_days", "window"] {
        assert_eq!(out["settings"].get(gone), None, "{gone}");
    }
    let forget = json!({ "destination": "none", "key_id": "", "secret": "" });
    let out = r.ok("storage_update", forget).await;
    assert_eq!(out["settings"]["has_keys"], false);
    assert_eq!(r.vault.get("storage/keys").unwrap(), None);
    assert!(r.nvr.options.stores.now().remote.is_none());
}

#[tokio::test]
async fn every_wrong_setting_is_refused_and_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path(), &[]).await;
    r.ok("storage_update", bucket()).await;
    let before = r.ok("storage_get", json!({})).await;
    for wrong in [
        json!({ "endpoint": "s3.example.com" }),
        json!({ "endpoint": "ftp://s3.example.com" }),
        json!({ "endpoint": "https://u:p@s3.example.com" }),
        json!({ "endpoint": "https://s3.example.com/path" }),
        json!({ "endpoint": "https://s3.example.com?x=1" }),
        json!({ "region": "eu central" }),
        json!({ "region": "x".repeat(65) }),
        json!({ "bucket": "" }),
        json!({ "bucket": "a/b" }),
        json!({ "produced_bucket": "ab" }),
        json!({ "prefix": "a/../b" }),
        json!({ "prefix": "a b" }),
        json!({ "produced_prefix": "ä" }),
        json!({ "uploads_at_once": 0 }),
        json!({ "uploads_at_once": 17 }),
        json!({ "window": { "from": "25:00", "to": "06:00" } }),
        json!({ "keep_local_hours": 8761 }),
        json!({ "retention_days": 3651 }),
        json!({ "bucket_days": 3651 }),
        json!({ "notices_queue": "sqs" }),
        json!({ "notices_queue": "https://u:p@sqs.example/1/q" }),
        json!({ "profile": "a\nb" }),
        json!({ "key_id": "only-half" }),
        json!({ "key_id": "", "secret": SECRET }),
        json!({ "key_id": "with space", "secret": SECRET }),
        json!({ "key_id": "", "secret": "" }),
        json!({ "destination": "folder" }),
        json!({ "destination": "tape" }),
        json!({ "folder": "relative" }),
        json!({ "unknown": 1 }),
    ] {
        let error = r.refused("storage_update", wrong.clone()).await;
        assert_eq!(
            error.code,
            oriel_api::ErrorCode::InvalidArgument,
            "{wrong}: {error:?}"
        );
        assert!(!error.message.is_empty() && !error.message.contains(SECRET));
    }
    assert_eq!(
        r.ok("storage_get", json!({})).await["settings"],
        before["settings"]
    );
    assert!(r.vault.get("storage/keys").unwrap().is_some());
}

#[tokio::test]
async fn an_access_key_never_comes_out() {
    let data = tempfile::tempdir().unwrap();
    let r = recorder(data.path(), &[]).await;
    let mut said = vec![
        r.ok("storage_update", bucket()).await,
        r.ok("storage_get", json!({})).await,
        r.ok("storage_retry", json!({})).await,
    ];
    let wrong = json!({ "settings": { "secret": SECRET }, "origin": "null" });
    said.push(json!(r.refused("storage_test", wrong).await.to_string()));
    let wrong = json!({ "secret": [SECRET], "key_id": ID });
    said.push(json!(format!(
        "{:?}",
        r.refused("storage_update", wrong).await
    )));
    // Nobody listens at this address, so every step says why.
    said.push(r.ok("storage_test", json!({})).await);
    said.push(json!(format!("{:?}", r.nvr.options.stores.now())));
    for text in said.iter().map(ToString::to_string) {
        assert!(!text.contains(SECRET) && !text.contains(ID), "{text}");
    }
    r.nvr.store().close().await;
    for entry in std::fs::read_dir(r.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |t: &str| bytes.windows(t.len()).any(|w| w == t.as_bytes());
        assert!(!holds(SECRET) && !holds(ID));
    }
}

#[tokio::test]
async fn a_folder_below_an_approved_root_and_no_other() {
    let data = tempfile::tempdir().unwrap();
    let disk = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let r = recorder(data.path(), &[disk.path()]).await;
    let copies = disk.path().join("copies");
    let set = json!({ "destination": "folder", "folder": copies });
    r.refused("storage_update", set.clone()).await;
    std::fs::create_dir(&copies).unwrap();
    for bad in [
        other.path().to_owned(),
        copies.join("../.."),
        // Copies beside the originals would be deleted with them.
        data.path().to_owned(),
        data.path().join("clips"),
    ] {
        std::fs::create_dir_all(&bad).unwrap();
        let set = json!({ "destination": "folder", "folder": bad });
        r.refused("storage_update", set).await;
    }
    r.ok("storage_update", set).await;
    assert!(copies.join(".oriel").is_dir());
    assert!(r.nvr.options.stores.now().remote.is_some());
    let report = r.ok("storage_test", json!({})).await;
    assert_eq!(report["usable"], true, "{report}");
}

#[tokio::test]
async fn a_destination_that_is_away_is_said_and_taken_when_it_is_back() {
    let data = tempfile::tempdir().unwrap();
    let disk = tempfile::tempdir().unwrap();
    let copies = disk.path().join("copies");
    std::fs::create_dir(&copies).unwrap();
    let r = recorder(data.path(), &[disk.path()]).await;
    let set = json!({ "destination": "folder", "folder": copies });
    r.ok("storage_update", set).await;
    std::fs::rename(&copies, disk.path().join("away")).unwrap();
    let r = r.restarted(false).await;
    until("it is said", || async {
        r.nvr.options.stores.now().remote_error.is_some()
    })
    .await;
    let out = r.ok("storage_get", json!({})).await;
    assert_eq!(out["uploads"]["state"], "stopped");
    assert!(
        out["uploads"]["error"]
            .as_str()
            .is_some_and(|e| e.contains("folder"))
    );
    assert_eq!(r.nvr.options.stores.now().local.len(), 3, "places are open");
    let days = r.ok("storage_update", json!({ "retention_days": 5 })).await;
    assert_eq!(
        days["settings"]["retention_days"], 5,
        "other changes are taken"
    );
    std::fs::rename(disk.path().join("away"), &copies).unwrap();
    r.ok("storage_retry", json!({})).await;
    until("it is taken", || async {
        let stores = r.nvr.options.stores.now();
        stores.remote.is_some() && stores.remote_error.is_none()
    })
    .await;
}

#[tokio::test]
async fn parts_that_nobody_will_join_are_taken_back() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let r = recorder(data.path(), &[root.path()]).await;
    let folder = json!({ "destination": "folder", "folder": root.path() });
    r.ok("storage_update", folder).await;
    let stores = r.nvr.options.stores.now();
    let key: ObjectKey = "recordings/abcdefghjk23/2026/11/21/1795251599999-30000.mp4"
        .parse()
        .unwrap();
    let bucket = stores.remote_of(&key.named().unwrap()).unwrap();
    let upload = bucket.begin_upload(&key, None).await.unwrap();
    assert_eq!(bucket.list_parts(&upload).await, Ok(Vec::new()));
    let task = UploadTask {
        id: 1,
        key: key.to_string(),
        bytes: 1,
        sha256: None,
        multipart: None,
        tries: 0,
    };
    // No such row: it went while the store was asked to begin.
    let kept = r.nvr.upload_parts(&task, Some(upload.id.clone())).await;
    assert!(kept.is_err());
    until("the collector has been there", || async {
        let left = r.nvr.store.garbage_multiparts(0, 9).await.unwrap();
        left.is_empty()
    })
    .await;
    let parts = bucket.list_parts(&upload).await;
    assert_eq!(parts, Err(BucketError::NotFound));
}

#[tokio::test]
async fn parts_of_a_file_that_is_being_joined_stay_until_then() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let r = recorder(data.path(), &[root.path()]).await;
    let folder = json!({ "destination": "folder", "folder": root.path() });
    r.ok("storage_update", folder).await;
    let stores = r.nvr.options.stores.now();
    let key: ObjectKey = "clips/abcdefghjk23/bcdefghjk234.mp4".parse().unwrap();
    let bucket = stores.remote_of(&key.named().unwrap()).unwrap();
    let begin = async || bucket.begin_upload(&key, None).await.unwrap();
    let noted = async || r.nvr.store.garbage_multiparts(0, 9).await.unwrap().len();
    let (whole, broken) = (begin().await, begin().await);
    let mut followed = Vec::new();
    for upload in [&whole, &broken] {
        let one = follow(&r.nvr, key.as_str());
        one.parts_begun(&upload.id).await.unwrap();
        followed.push(one);
    }
    r.nvr.break_off().await.unwrap();
    assert_eq!(noted().await, 2);
    assert_eq!(bucket.list_parts(&whole).await, Ok(Vec::new()));
    // One has become a file; of the other nobody heard again.
    followed[0].parts_ended(&whole.id, true).await;
    assert_eq!(noted().await, 1);
    drop(followed);
    until("the collector has been there", || async {
        noted().await == 0
    })
    .await;
    let parts = bucket.list_parts(&broken).await;
    assert_eq!(parts, Err(BucketError::NotFound));
    assert_eq!(bucket.list_parts(&whole).await, Ok(Vec::new()));
}

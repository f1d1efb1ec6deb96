//! Places set elsewhere, and what lies in them moved there.

use std::{path::Path, sync::atomic::Ordering};

use oriel_api::{ErrorCode, PlaceKind};
use oriel_bucket::{Bucket, ObjectKey, PutOptions, Source};
use serde_json::{Value, json};

use super::fakes::{Recorder, until};
use crate::NvrOptions;

struct Disks {
    r: Recorder,
    data: tempfile::TempDir,
    disk: tempfile::TempDir,
}

async fn disks() -> Disks {
    let (data, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let r = Recorder::with(NvrOptions {
        data_dir: data.path().into(),
        approved_roots: vec![disk.path().into()],
        ..NvrOptions::default()
    })
    .await;
    r.nvr.open_stores().await;
    Disks { r, data, disk }
}

impl Disks {
    async fn set(&self, kind: &str, root: &Path) -> Value {
        self.r
            .ok("place_update", json!({ "kind": kind, "root": root }))
            .await
    }

    fn clips(&self) -> Bucket {
        let stores = self.r.nvr.options.stores.now();
        stores.local[&PlaceKind::Clips].clone()
    }
}

fn place<'a>(storage: &'a Value, kind: &str) -> &'a Value {
    let places = storage["places"].as_array().unwrap();
    places.iter().find(|p| p["kind"] == kind).unwrap()
}

async fn bytes(bucket: &Bucket, key: &ObjectKey) -> u64 {
    bucket.stat(key).await.unwrap().size
}

#[tokio::test]
async fn what_is_made_here_is_found_while_it_moves_and_after() {
    let d = disks().await;
    let keys: Vec<_> = (0..250)
        .map(|n| ObjectKey::parse(format!("clips/aaaaaaaaaaaa/clip{n:08}.mp4")).unwrap())
        .collect();
    let clips = d.clips();
    for key in &keys {
        let source = Source::Bytes(b"a clip"[..].into());
        clips
            .put(key, &source, &PutOptions::default())
            .await
            .unwrap();
    }
    let target = d.disk.path().canonicalize().unwrap();
    let storage = d.set("clips", &target).await;
    assert_eq!(place(&storage, "clips")["root"], json!(target));
    assert_eq!(place(&storage, "snapshots")["root"], json!(d.data.path()));
    for key in &keys {
        assert_eq!(bytes(&d.clips(), key).await, 6);
    }
    until("everything is moved", || async {
        let storage = d.r.ok("storage_get", json!({})).await;
        place(&storage, "clips").get("moving_from").is_none()
    })
    .await;
    assert!(!d.data.path().join("clips").exists());
    for key in &keys {
        assert_eq!(bytes(&d.clips(), key).await, 6);
    }
    assert!(target.join(keys[249].as_str()).is_file());
    // The row is kept over a restart.
    let r = d.r.restarted(false).await;
    let storage = r.ok("storage_get", json!({})).await;
    assert_eq!(place(&storage, "clips")["root"], json!(target));
}

#[tokio::test]
async fn recordings_are_sent_by_the_worker_and_one_move_comes_after_the_other() {
    let d = disks().await;
    let target = d.disk.path().canonicalize().unwrap();
    let storage = d.set("recordings", &target).await;
    assert_eq!(
        place(&storage, "recordings")["moving_from"],
        json!(d.data.path())
    );
    let told = d.r.worker.folders.lock().unwrap().clone();
    assert_eq!(
        told,
        Some((
            target.join("recordings"),
            Some(d.data.path().join("recordings"))
        ))
    );
    assert_eq!(
        d.r.nvr.recordings_folders().await.unwrap(),
        (
            target.join("recordings"),
            Some(d.data.path().join("recordings"))
        )
    );
    until("how many are left is shown", || async {
        let storage = d.r.ok("storage_get", json!({})).await;
        place(&storage, "recordings")["moving_left"] == json!(7)
    })
    .await;
    let back = json!({ "kind": "recordings", "root": d.data.path() });
    let error = d.r.refused("place_update", back.clone()).await;
    assert_eq!(error.code, ErrorCode::Conflict);
    d.r.worker.on_the_way.store(false, Ordering::SeqCst);
    until("the move is over", || async {
        d.r.nvr.moving_roots().await.unwrap().is_empty()
    })
    .await;
    d.r.ok("place_update", back).await;
    let (folder, old) = d.r.nvr.recordings_folders().await.unwrap();
    assert_eq!(folder, d.data.path().join("recordings"));
    assert_eq!(old, Some(target.join("recordings")));
}

#[tokio::test]
async fn only_folders_below_an_approved_root_are_places() {
    let d = disks().await;
    let other = tempfile::tempdir().unwrap();
    for bad in [
        other.path().to_owned(),
        d.disk.path().join("missing"),
        d.disk.path().join(".."),
        "relative".into(),
    ] {
        let input = json!({ "kind": "exports", "root": bad });
        let error = d.r.refused("place_update", input).await;
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{}", bad.display());
    }
}

//! Snapshots on both ways: sent by the caller, taken by the recorder.

use oriel_api::{Caller, Error, ErrorCode, Grant, Permission, Snapshot, SnapshotStatus, Timestamp};
use oriel_bucket::ObjectKey;
use serde_json::{Value, json};

use super::{
    clips::{at, recorded},
    fakes::{NOON, Recorder, until},
};

const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 1, 2, 3];

async fn take(r: &Recorder, channel: &oriel_api::ChannelId, source: &str) -> Snapshot {
    let input = json!({ "id": channel, "source": source });
    serde_json::from_value(r.ok("snapshot_create", input).await).unwrap()
}

fn key(snapshot: &Snapshot) -> ObjectKey {
    ObjectKey::snapshot(&snapshot.channel_id, snapshot.taken).unwrap()
}

async fn send(r: &Recorder, snapshot: &Snapshot, bytes: &[u8]) {
    let path = r.folder.path().join(key(snapshot).as_str());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn id(snapshot: &Snapshot) -> Value {
    json!({ "id": snapshot.snapshot_id })
}

#[tokio::test]
async fn a_caller_gets_an_entry_sends_the_picture_and_confirms_it() {
    let (r, channel) = recorded(0).await;
    let snapshot = take(&r, &channel, "client").await;
    assert_eq!(snapshot.status, SnapshotStatus::Pending);
    let url = snapshot.upload_url.clone().unwrap();
    let path = format!("/api/objects/snapshots/{channel}/{NOON}.jpg?exp=");
    assert!(url.starts_with(&path), "{url}");
    assert_eq!(snapshot.upload_headers["content-type"], "image/jpeg");
    let error = r.refused("snapshot_confirm", id(&snapshot)).await;
    assert_eq!(error.code, ErrorCode::PreconditionFailed);
    send(&r, &snapshot, JPEG).await;
    for _ in 0..2 {
        let kept = r.ok("snapshot_confirm", id(&snapshot)).await;
        assert_eq!(
            (&kept["status"], &kept["bytes"]),
            (&json!("stored"), &json!(7))
        );
        assert!(
            kept["url"]
                .as_str()
                .unwrap()
                .contains(key(&snapshot).as_str())
        );
        assert!(kept.get("upload_url").is_none());
    }
    // The second of the same moment has a name of its own.
    let second = take(&r, &channel, "client").await;
    assert_eq!(second.taken, at(NOON + 1));
    let error = r
        .refused(
            "snapshot_create",
            json!({ "id": channel, "source": "client", "taken": at(NOON + 3_600_000) }),
        )
        .await;
    assert_eq!(error.code, ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_cleaned() {
    let (r, channel) = recorded(0).await;
    let large = [JPEG, &vec![0; 8 * 1024 * 1024]].concat();
    for (bytes, word) in [
        (&b"<html>"[..], "not a JPEG"),
        (&large, "8 MiB"),
        (b"", "JPEG"),
    ] {
        let snapshot = take(&r, &channel, "client").await;
        send(&r, &snapshot, bytes).await;
        let error = r.refused("snapshot_confirm", id(&snapshot)).await;
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(error.message.contains(word), "{}", error.message);
        let failed = r.ok("snapshot_get", id(&snapshot)).await;
        assert_eq!(failed["status"], "failed");
        let error = r.refused("snapshot_confirm", id(&snapshot)).await;
        assert_eq!(error.code, ErrorCode::Conflict);
        let path = r.folder.path().join(key(&snapshot).as_str());
        until("it is gone", || async { !path.exists() }).await;
    }
}

#[tokio::test]
async fn the_recorder_asks_the_camera_and_else_takes_the_last_key_frame() {
    let (r, channel) = recorded(0).await;
    *r.agent.picture.lock().unwrap() = Some(Ok(JPEG.to_vec()));
    let taken = take(&r, &channel, "agent").await;
    assert_eq!(
        (taken.status, taken.taken),
        (SnapshotStatus::Stored, at(NOON))
    );
    assert_eq!(
        std::fs::read(r.folder.path().join(key(&taken).as_str())).unwrap(),
        JPEG
    );
    // No address, or no picture there: the last key frame, which has its own moment.
    for answer in [None, Some(Ok(b"<html>login".to_vec()))] {
        *r.agent.picture.lock().unwrap() = answer;
        let moment: Timestamp = at(NOON - 700);
        *r.assembler.picture.lock().unwrap() = Some((JPEG.to_vec(), moment));
        let taken = take(&r, &channel, "agent").await;
        assert_eq!(taken.status, SnapshotStatus::Stored);
        assert!((moment.ms()..moment.ms() + 2).contains(&taken.taken.ms()));
        assert!(r.folder.path().join(key(&taken).as_str()).exists());
    }
}

#[tokio::test]
async fn a_camera_that_gives_no_picture_is_told_as_the_reason() {
    let (r, channel) = recorded(0).await;
    let failed = take(&r, &channel, "agent").await;
    assert_eq!(failed.status, SnapshotStatus::Failed);
    assert_eq!(failed.reason.as_deref(), Some("The stream stands."));
    let refused = Error::new(ErrorCode::CameraUnreachable, "The password is wrong.");
    *r.agent.picture.lock().unwrap() = Some(Err(refused));
    let failed = take(&r, &channel, "agent").await;
    assert_eq!(failed.reason.as_deref(), Some("The password is wrong."));
    assert_eq!(failed.url, None);
}

#[tokio::test]
async fn one_that_never_came_is_given_up_after_a_restart_too() {
    let (r, channel) = recorded(0).await;
    let snapshot = take(&r, &channel, "client").await;
    send(&r, &snapshot, JPEG).await;
    r.pass(3_600_001);
    let r = r.restarted(true).await.with_places().await;
    until("it failed", || async {
        r.ok("snapshot_get", id(&snapshot)).await["status"] == "failed"
    })
    .await;
    r.pass(24 * 3_600_000);
    let r = r.restarted(false).await;
    until("it is forgotten", || async {
        let page = r.ok("snapshot_list", json!({})).await;
        page["items"].as_array().unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn listed_per_channel_and_over_all_and_deleted_with_the_picture() {
    let (r, door) = recorded(0).await;
    let (_, yard) = r.camera("Yard", "rtsp://yard/1").await;
    *r.agent.picture.lock().unwrap() = Some(Ok(JPEG.to_vec()));
    let mut all = Vec::new();
    for channel in [&door, &yard, &door] {
        all.push(take(&r, channel, "agent").await);
        r.pass(1000);
    }
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|s| s["snapshot_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let of = |n: &[usize]| -> Vec<String> {
        n.iter().map(|n| all[*n].snapshot_id.to_string()).collect()
    };
    let page = r.ok("snapshot_list", json!({ "limit": 2 })).await;
    assert_eq!(ids(&page), of(&[2, 1]));
    let rest = r
        .ok("snapshot_list", json!({ "after": page["next"] }))
        .await;
    assert_eq!(ids(&rest), of(&[0]));
    let page = r.ok("channel_snapshots", json!({ "id": door })).await;
    assert_eq!(ids(&page), of(&[2, 0]));
    let grants = [Permission::RecordingsView, Permission::SnapshotsCreate];
    let grants = grants.map(|permission| Grant {
        permission,
        channel: Some(yard.clone()),
    });
    let somebody = Caller::with_grants("somebody", grants.to_vec());
    let page = r
        .call_as(&somebody, "snapshot_list", json!({}))
        .await
        .unwrap();
    assert_eq!(ids(&page), of(&[1]));
    for name in ["snapshot_get", "snapshot_confirm", "snapshot_delete"] {
        let error = r.call_as(&somebody, name, id(&all[0])).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{name}");
    }
    let path = r.folder.path().join(key(&all[0]).as_str());
    assert!(path.exists());
    r.ok("snapshot_delete", id(&all[0])).await;
    until("the picture is gone", || async { !path.exists() }).await;
}

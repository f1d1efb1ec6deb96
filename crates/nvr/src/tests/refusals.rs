//! Every operation refuses strangers, people without the right, and people with the right
//! elsewhere. A new operation fails here until it has an example.

use oriel_api::{Caller, CameraId, ChannelId, ErrorCode, Grant, OPERATIONS, Operation, Permission};
use serde_json::{Value, json};

use super::fakes::Recorder;

const ALL: [Permission; 8] = [
    Permission::LiveView,
    Permission::RecordingsView,
    Permission::RecordingsDelete,
    Permission::RecordingsExport,
    Permission::ClipsCreate,
    Permission::SnapshotsCreate,
    Permission::CamerasManage,
    Permission::SystemManage,
];

/// What is there to be asked for.
struct Ids {
    camera: CameraId,
    channel: ChannelId,
    clip: Value,
    snapshot: Value,
    export: Value,
}

impl Ids {
    async fn of(r: &Recorder) -> Self {
        let (camera, channel) = r.camera("Door", "rtsp://door/1").await;
        let range = json!({ "start": "2026-11-21T00:00:00Z", "end": "2026-11-21T01:00:00Z" });
        let with = |key: &str, value: Value| {
            let mut input = range.clone();
            input[key] = value;
            input
        };
        let clip = r
            .ok("clip_create", with("channel_id", json!(channel)))
            .await;
        let input = json!({ "id": channel, "source": "client" });
        let snapshot = r.ok("snapshot_create", input).await;
        let input = with("camera_ids", json!([camera]));
        let export = r.ok("export_create", input).await;
        Self {
            camera,
            channel,
            clip: clip["clip_id"].clone(),
            snapshot: snapshot["snapshot_id"].clone(),
            export: export["export_id"].clone(),
        }
    }
}

/// Whether the input names a thing of a channel, which does not exist for who may not see that.
fn names_a_thing(operation: &str) -> bool {
    ["clip_", "snapshot_", "export_"]
        .iter()
        .any(|p| operation.starts_with(p))
        && !["clip_create", "snapshot_create", "export_create"].contains(&operation)
}

/// An input that would be carried out.
fn example(name: &str, ids: &Ids) -> Value {
    let Ids {
        camera, channel, ..
    } = ids;
    let window = |key: &str, id: &str| json!({ key: id, "start": "2026-11-21T00:00:00Z", "end": "2026-11-22T00:00:00Z" });
    match name {
        "health" | "camera_list" | "channel_list" | "event_token" | "event_list" | "demo_list"
        | "demo_add" | "system_get" | "settings_get" | "settings_update" | "clip_list"
        | "snapshot_list" | "export_list" | "storage_get" | "storage_update" | "storage_test"
        | "storage_retry" | "storage_forecast" => json!({}),
        "place_update" => json!({ "kind": "clips", "root": "/nowhere" }),
        "protection_list" | "channel_snapshots" | "event_create" => json!({ "id": channel }),
        "protection_create" => window("id", channel.as_str()),
        "protection_delete" => json!({ "id": channel, "protection": "1" }),
        "clip_create" => window("channel_id", channel.as_str()),
        "clip_get" | "clip_delete" | "clip_cancel" | "clip_retry" | "clip_share" => {
            json!({ "id": ids.clip })
        }
        "clip_update" => json!({ "id": ids.clip, "name": "New" }),
        "snapshot_get" | "snapshot_confirm" | "snapshot_delete" => json!({ "id": ids.snapshot }),
        "export_get" | "export_cancel" | "export_retry" | "export_delete" => {
            json!({ "id": ids.export })
        }
        "snapshot_create" => json!({ "id": channel, "source": "client" }),
        "export_create" => {
            json!({ "camera_ids": [camera], "start": "2026-11-21T00:00:00Z", "end": "2026-11-22T00:00:00Z" })
        }
        "camera_create" => json!({ "name": "New", "url": "rtsp://new/1" }),
        "camera_probe" => json!({ "url": "rtsp://probed/1" }),
        "camera_get" | "camera_update" | "camera_delete" => json!({ "id": camera }),
        "channel_create" => json!({ "camera_id": camera }),
        "channel_get" | "channel_update" | "channel_delete" | "stream_token" => {
            json!({ "id": channel })
        }
        "segment_list" => window("camera_id", camera.as_str()),
        "channel_recordings" | "timeline" => window("id", channel.as_str()),
        "recording_days" => json!({ "zone": "Europe/Zagreb", "month": "2026-11" }),
        other => panic!("no example input for {other}"),
    }
}

/// Whether the input names one channel, so that a grant elsewhere must not open it.
fn names_a_channel(input: &Value) -> bool {
    ["id", "camera_id"].iter().any(|k| input.get(k).is_some())
}

fn guarded() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS
        .iter()
        .filter(|o| o.permission != Permission::Public)
}

fn caller(permissions: &[Permission], channel: Option<&ChannelId>) -> Caller {
    let grants = permissions.iter().map(|p| Grant {
        permission: *p,
        channel: channel.cloned(),
    });
    Caller::with_grants("somebody", grants.collect())
}

#[tokio::test]
async fn strangers_are_refused_everywhere() {
    let r = Recorder::new().await;
    let ids = Ids::of(&r).await;
    for operation in guarded() {
        for input in [example(operation.name, &ids), json!({ "x": 1 })] {
            let error = r
                .call_as(&Caller::anonymous(), operation.name, input)
                .await
                .expect_err(operation.name);
            assert_eq!(error.code, ErrorCode::Unauthenticated, "{}", operation.name);
        }
    }
    assert_eq!(guarded().count() + 1, OPERATIONS.len());
    r.call_as(&Caller::anonymous(), "health", json!({}))
        .await
        .unwrap();
}

#[tokio::test]
async fn every_other_right_together_is_not_enough() {
    let r = Recorder::new().await;
    let ids = Ids::of(&r).await;
    for operation in guarded() {
        let others: Vec<_> = ALL
            .into_iter()
            .filter(|p| *p != operation.permission)
            .collect();
        let input = example(operation.name, &ids);
        let error = r
            .call_as(&caller(&others, None), operation.name, input)
            .await
            .expect_err(operation.name);
        assert_eq!(
            error.code,
            ErrorCode::PermissionDenied,
            "{}",
            operation.name
        );
    }
    // Each refusal left a line.
    let lines = r.nvr.store().audit_newest(500).await.unwrap();
    let refused = lines.iter().filter(|l| !l.4).count();
    assert_eq!(refused, guarded().count());
    assert_eq!(r.agent.setups.lock().unwrap().len(), 1, "nothing was done");
}

#[tokio::test]
async fn rights_on_one_channel_open_no_other_and_not_the_system() {
    let r = Recorder::new().await;
    let ids = Ids::of(&r).await;
    let (_, foreign) = r.camera("Yard", "rtsp://yard/1").await;
    let somebody = caller(&ALL, Some(&foreign));
    for operation in guarded() {
        let input = example(operation.name, &ids);
        let system = matches!(
            operation.permission,
            Permission::SystemManage | Permission::CamerasManage
        ) || operation.name == "event_token";
        if !names_a_channel(&input) && !system {
            continue;
        }
        let error = r
            .call_as(&somebody, operation.name, input)
            .await
            .expect_err(operation.name);
        let expected = if names_a_thing(operation.name) {
            ErrorCode::NotFound
        } else {
            ErrorCode::PermissionDenied
        };
        assert_eq!(error.code, expected, "{}", operation.name);
    }
}

#[tokio::test]
async fn lists_show_only_what_somebody_may_see() {
    let r = Recorder::new().await;
    r.camera("Door", "rtsp://door/1").await;
    let (yard, channel) = r.camera("Yard", "rtsp://yard/1").await;
    let somebody = caller(&ALL, Some(&channel));
    let list = |name: &'static str| {
        let (r, somebody) = (&r, &somebody);
        async move { r.call_as(somebody, name, json!({})).await.unwrap()["items"].clone() }
    };
    let cameras = list("camera_list").await;
    assert_eq!(cameras.as_array().unwrap().len(), 1);
    assert_eq!(cameras[0]["id"], yard.as_str());
    let channels = list("channel_list").await;
    assert_eq!(channels.as_array().unwrap().len(), 1);
    assert_eq!(channels[0]["id"], channel.as_str());
    // The started event belongs to no channel.
    assert_eq!(list("event_list").await.as_array().unwrap().len(), 0);
    let all = r.ok("event_list", json!({})).await;
    assert_eq!(all["items"][0]["kind"], "started");
}

#[tokio::test]
async fn managing_cameras_does_not_include_deleting_footage() {
    let r = Recorder::new().await;
    let (camera, _) = r.camera("Door", "rtsp://door/1").await;
    let manager = caller(&[Permission::CamerasManage], None);
    let input = json!({ "id": camera, "delete_recordings": true });
    let error = r
        .call_as(&manager, "camera_delete", input)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::PermissionDenied);
    assert_eq!(r.agent.setups.lock().unwrap().len(), 1);
    let input = json!({ "id": camera });
    r.call_as(&manager, "camera_delete", input).await.unwrap();
}

#[tokio::test]
async fn unknown_ids_are_not_found_and_rubbish_is_invalid() {
    let r = Recorder::new().await;
    let ids = Ids::of(&r).await;
    for operation in guarded() {
        let good = example(operation.name, &ids);
        for key in ["id", "camera_id"] {
            if good.get(key).is_none() {
                continue;
            }
            for bad in ["zzzzzzzzzzzz", "../../../x", ""] {
                let mut input = good.clone();
                input[key] = bad.into();
                let error = r.refused(operation.name, input).await;
                assert_eq!(error.code, ErrorCode::NotFound, "{} {bad}", operation.name);
            }
        }
        if good.get("start").is_some() {
            let mut reversed = good.clone();
            reversed["start"] = "2026-11-23T00:00:00Z".into();
            let error = r.refused(operation.name, reversed).await;
            assert_eq!(error.code, ErrorCode::InvalidArgument, "{}", operation.name);
        }
    }
}

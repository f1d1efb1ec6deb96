//! Exports from their request to their files and manifest.

use oriel_api::{
    Caller, CameraId, Change, Error, ErrorCode, Export, ExportStatus, Grant, Permission,
};
use serde_json::{Value, json};

use super::{
    assembler::Answer,
    clips::{at, footage},
    fakes::{NOON, Recorder, change, until},
};

/// Two cameras of the same name with a minute of footage.
async fn recorded() -> (Recorder, Vec<CameraId>) {
    let r = Recorder::new().await.with_places().await;
    let mut cameras = Vec::new();
    for url in ["rtsp://door/1", "rtsp://door/2"] {
        let (camera, channel) = r.camera("Front door", url).await;
        footage(&r, &channel, 2).await;
        cameras.push(camera);
    }
    r.pass(10_000);
    (r, cameras)
}

fn order(cameras: &[CameraId]) -> Value {
    json!({ "camera_ids": cameras, "start": at(NOON - 60_000), "end": at(NOON) })
}

async fn create(r: &Recorder, cameras: &[CameraId]) -> Export {
    let out = r.ok("export_create", order(cameras)).await;
    serde_json::from_value(out).unwrap()
}

async fn get(r: &Recorder, export: &Export) -> Export {
    let out = r.ok("export_get", json!({ "id": export.export_id })).await;
    serde_json::from_value(out).unwrap()
}

async fn comes_to(r: &Recorder, export: &Export, status: ExportStatus) -> Export {
    until(&format!("the export is {status:?}"), || async {
        get(r, export).await.status == status
    })
    .await;
    get(r, export).await
}

fn path(r: &Recorder, export: &Export, file: &str) -> std::path::PathBuf {
    let folder = r.folder.path().join("exports");
    folder.join(export.export_id.as_str()).join(file)
}

fn manifest(r: &Recorder, export: &Export) -> Value {
    let bytes = std::fs::read(path(r, export, "manifest.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn one_file_per_camera_and_a_manifest() {
    let (r, cameras) = recorded().await;
    let export = create(&r, &cameras).await;
    assert_eq!(export.status, ExportStatus::Queued);
    let id = &export.export_id;
    assert_eq!(export.status_url, format!("/api/recordings/export/{id}"));
    assert!(export.manifest_url.is_none() && export.parts[0].url.is_none());
    let done = comes_to(&r, &export, ExportStatus::Finished).await;
    assert_eq!(done.progress, 1.0);
    let files: Vec<_> = done.parts.iter().map(|p| p.file.as_str()).collect();
    assert_eq!(
        files,
        [
            "front-door-20261121t115900z.mp4",
            "front-door-2-20261121t115900z.mp4"
        ]
    );
    for part in &done.parts {
        assert!(path(&r, &export, &part.file).exists());
        let url = part.url.as_ref().unwrap();
        let download = format!("{}/download?file={}&exp=", export.status_url, part.file);
        assert!(url.starts_with(&download), "{url}");
    }
    let written = manifest(&r, &export);
    assert_eq!(written["oriel_version"], "1.2.3");
    assert_eq!(written["files"][1]["file"], files[1]);
    assert_eq!(written["files"][0]["sha256"], "09".repeat(32));
    assert!(done.manifest_url.is_some());
    // Each of its files can be found, and nothing else.
    let owner = Caller::owner();
    for file in [files[0], "manifest.json"] {
        let key = r.nvr.export_file(&owner, id.as_str(), file).await.unwrap();
        assert_eq!(key.as_str(), format!("exports/{id}/{file}"));
    }
    for file in ["", "x.mp4", "../oriel.db", "manifest.json/"] {
        let error = r.nvr.export_file(&owner, id.as_str(), file).await;
        assert_eq!(error.unwrap_err().code, ErrorCode::NotFound, "{file}");
    }
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_in_words() {
    let (r, cameras) = recorded().await;
    let mut twice = order(&cameras);
    twice["camera_ids"] = json!([cameras[0], cameras[0]]);
    let mut none = order(&cameras);
    none["camera_ids"] = json!([]);
    let mut future = order(&cameras);
    future["end"] = json!(at(NOON + 60_000));
    let mut long = order(&cameras);
    long["start"] = json!(at(NOON - 8 * 24 * 3_600_000));
    for (input, word) in [
        (twice, "twice"),
        (none, "1 to 64"),
        (future, "future"),
        (long, "7 days"),
    ] {
        let error = r.refused("export_create", input).await;
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(error.message.contains(word), "{}", error.message);
    }
    let mut unknown = order(&cameras);
    unknown["camera_ids"] = json!(["zzzzzzzzzzzz"]);
    let error = r.refused("export_create", unknown).await;
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn what_cannot_be_made_is_listed_and_only_that_is_tried_again() {
    let (r, cameras) = recorded().await;
    for _ in 0..2 {
        r.assembler
            .next(Answer::Fails(Error::invalid("It is broken.")));
    }
    let export = create(&r, &cameras).await;
    let failed = comes_to(&r, &export, ExportStatus::Failed).await;
    assert_eq!(failed.reason.as_deref(), Some("It is broken."));
    assert!(failed.manifest_url.is_none());
    let id = json!({ "id": export.export_id });
    r.assembler
        .next(Answer::Fails(Error::invalid("It is broken.")));
    r.ok("export_retry", id.clone()).await;
    let partial = comes_to(&r, &export, ExportStatus::Partial).await;
    let made: Vec<_> = partial.parts.iter().filter(|p| p.url.is_some()).collect();
    assert_eq!(made.len(), 1);
    let written = manifest(&r, &export);
    let files = written["files"].as_array().unwrap();
    let broken: Vec<_> = files.iter().filter(|f| f.get("file").is_none()).collect();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0]["reason"], "It is broken.");
    r.ok("export_retry", id.clone()).await;
    comes_to(&r, &export, ExportStatus::Finished).await;
    assert_eq!(
        r.assembler.orders().len(),
        5,
        "what was made is not made again"
    );
    let error = r.refused("export_retry", id).await;
    assert_eq!(error.code, ErrorCode::Conflict);
}

#[tokio::test]
async fn stopped_it_keeps_what_is_made_and_goes_on_when_asked() {
    let (r, cameras) = recorded().await;
    let mut changes = r.nvr.subscribe();
    for _ in 0..2 {
        r.assembler.next(Answer::Waits);
    }
    let export = create(&r, &cameras).await;
    change(
        &mut changes,
        |c| matches!(c, Change::Export { export } if export.progress == 0.5),
    )
    .await;
    let id = json!({ "id": export.export_id });
    let stopped = r.ok("export_cancel", id.clone()).await;
    assert_eq!(stopped["status"], "cancelled");
    let error = r.refused("export_cancel", id.clone()).await;
    assert_eq!(error.code, ErrorCode::Conflict);
    until("nothing runs", || async {
        r.assembler
            .at_once
            .load(std::sync::atomic::Ordering::SeqCst)
            == 0
    })
    .await;
    assert_eq!(get(&r, &export).await.status, ExportStatus::Cancelled);
    r.ok("export_retry", id).await;
    comes_to(&r, &export, ExportStatus::Finished).await;
}

#[tokio::test]
async fn it_goes_on_after_a_crash_and_leaves_nothing_when_deleted() {
    let (r, cameras) = recorded().await;
    r.assembler.next(Answer::Waits);
    let export = create(&r, &cameras).await;
    until("one is made, one is not", || async {
        let parts = get(&r, &export).await.parts;
        let is = |status| parts.iter().any(|p| p.status == status);
        is(ExportStatus::Finished) && is(ExportStatus::Running)
    })
    .await;
    let r = r.restarted(true).await.with_places().await;
    let done = comes_to(&r, &export, ExportStatus::Finished).await;
    assert_eq!(r.assembler.orders().len(), 1, "the finished one is kept");
    let folder = path(&r, &export, "");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
    let list = r.ok("export_list", json!({})).await;
    assert_eq!(list["items"][0]["export_id"], done.export_id.as_str());
    r.ok("export_delete", json!({ "id": export.export_id }))
        .await;
    until("its files are gone", || async {
        std::fs::read_dir(&folder).map_or(0, Iterator::count) == 0
    })
    .await;
    let error = r
        .refused("export_get", json!({ "id": export.export_id }))
        .await;
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn who_may_not_see_one_of_its_cameras_sees_nothing_of_it() {
    let (r, cameras) = recorded().await;
    let page = r.ok("camera_list", json!({})).await;
    let grant = |channel: &Value| Grant {
        permission: Permission::RecordingsExport,
        channel: Some(channel.as_str().unwrap().parse().unwrap()),
    };
    let items = page["items"].as_array().unwrap();
    let first = items
        .iter()
        .find(|c| c["id"] == cameras[0].as_str())
        .unwrap();
    let somebody = Caller::with_grants("somebody", vec![grant(&first["channel_id"])]);
    let error = r
        .call_as(&somebody, "export_create", order(&cameras))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    let export = create(&r, &cameras).await;
    for name in [
        "export_get",
        "export_cancel",
        "export_retry",
        "export_delete",
    ] {
        let input = json!({ "id": export.export_id });
        let error = r.call_as(&somebody, name, input).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{name}");
    }
    let own = r
        .call_as(&somebody, "export_create", order(&cameras[..1]))
        .await
        .unwrap();
    let list = r
        .call_as(&somebody, "export_list", json!({}))
        .await
        .unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["export_id"], own["export_id"]);
}

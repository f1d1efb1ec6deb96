//! Cameras and channels: added, changed, removed, refused.

use std::sync::atomic::Ordering;

use oriel_api::{Change, ErrorCode, Secret, link::credentials_key};
use oriel_secrets::get_credentials;
use serde_json::json;

use super::fakes::{Recorder, change, until};
use crate::{DemoSetup, NvrOptions};

fn kept(r: &Recorder, id: &str) -> Option<(String, String)> {
    let id = id.parse().unwrap();
    get_credentials(&r.vault.inner, &credentials_key(&id))
        .unwrap()
        .map(|c| (c.username, c.password.expose().to_owned()))
}

fn pair(user: &str, password: &str) -> Option<(String, String)> {
    Some((user.into(), password.into()))
}

#[tokio::test]
async fn a_camera_is_added_recorded_and_shown_without_its_password() {
    let r = Recorder::new().await;
    let mut changes = r.nvr.subscribe();
    let input = json!({ "name": " Door ", "url": "rtsp://DOOR:554/1", "low_url": "rtsp://door/2",
        "username": "admin", "password": "p@ss:w/rd#%" });
    let out = r.ok("camera_create", input).await;
    assert_eq!(out["name"], "Door");
    assert_eq!(out["url"], "rtsp://door/1");
    assert_eq!(out["username"], "admin");
    assert_eq!(out["has_password"], true);
    assert_eq!(out["profiles"].as_array().unwrap().len(), 2);
    let id = out["id"].as_str().unwrap();
    assert_eq!(kept(&r, id), pair("admin", "p@ss:w/rd#%"));
    let setup = r.agent.applied.lock().unwrap()[0].clone();
    assert_eq!(setup.id.as_str(), id);
    assert_eq!((setup.revision, setup.watchdog_seconds), (1, 5));
    assert_eq!(setup.profiles[1].url, "rtsp://door/2");
    change(&mut changes, |c| matches!(c, Change::Camera { .. })).await;
    change(&mut changes, |c| matches!(c, Change::Channel { .. })).await;
    assert_eq!(r.ok("camera_get", json!({ "id": id })).await, out);

    let r = r.restarted(false).await;
    assert_eq!(r.ok("camera_get", json!({ "id": id })).await, out);
    assert_eq!(r.agent.applied.lock().unwrap().as_slice(), [setup]);
}

#[tokio::test]
async fn credentials_inside_the_address_move_out_and_fields_win() {
    let r = Recorder::new().await;
    let url = "rtsp://user:p%40ss@door/1";
    let out = r
        .ok("camera_create", json!({ "name": "a", "url": url }))
        .await;
    assert_eq!(out["url"], "rtsp://door/1");
    assert_eq!(kept(&r, out["id"].as_str().unwrap()), pair("user", "p@ss"));
    let input =
        json!({ "name": "b", "url": "rtsp://u:x@yard/1", "username": "v", "password": "y" });
    let out = r.ok("camera_create", input).await;
    assert_eq!(kept(&r, out["id"].as_str().unwrap()), pair("v", "y"));
}

#[tokio::test]
async fn a_refused_camera_leaves_nothing_behind() {
    let r = Recorder::new().await;
    r.camera("Door", "rtsp://door/1").await;
    let keys = r.vault.keys.lock().unwrap().clone();
    assert!(keys.contains("owner-token"));
    let input = json!({ "name": "Again", "url": "rtsp://u:hunter2@Door:554/1" });
    let error = r.refused("camera_create", input).await;
    assert_eq!(error.code, ErrorCode::Conflict);
    assert_eq!(error.message, "A camera with this address exists already.");
    assert_eq!(
        r.ok("camera_list", json!({})).await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(r.agent.applied.lock().unwrap().len(), 1);

    assert_eq!(*r.vault.keys.lock().unwrap(), keys);

    r.vault.locked.store(true, Ordering::SeqCst);
    let input = json!({ "name": "New", "url": "rtsp://new/1", "username": "u", "password": "p" });
    let error = r.refused("camera_create", input).await;
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("keyring"));
    assert_eq!(
        r.ok("camera_list", json!({})).await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn bad_names_and_addresses_are_refused_with_a_sentence() {
    let r = Recorder::new().await;
    for (name, url) in [
        ("", "rtsp://a/1"),
        ("a\u{0}", "rtsp://a/1"),
        ("a", "http://a/1"),
        ("a", "rtsp://"),
        ("a", "nonsense"),
    ] {
        let error = r
            .refused("camera_create", json!({ "name": name, "url": url }))
            .await;
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{name} {url}");
        assert!(error.message.ends_with('.'), "{}", error.message);
    }
    let input = json!({ "name": "a", "url": "rtsp://a/1", "low_url": "file:///x" });
    let error = r.refused("camera_create", input).await;
    assert!(error.message.starts_with("The smaller stream:"));
    let input = json!({ "name": "a", "url": "rtsp://a/1", "password": "alone" });
    assert_eq!(
        r.refused("camera_create", input).await.message,
        "A password needs a user name."
    );
}

#[tokio::test]
async fn an_update_changes_what_is_given_and_only_then_reconnects() {
    let r = Recorder::new().await;
    let input = json!({ "name": "Door", "url": "rtsp://u:p@door/1" });
    let id = r.ok("camera_create", input).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let update = |input: serde_json::Value| {
        let (r, id) = (&r, &id);
        async move {
            let mut input = input;
            input["id"] = id.as_str().into();
            r.ok("camera_update", input).await
        }
    };
    let revision = || {
        r.agent
            .setups
            .lock()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .revision
    };

    assert_eq!(update(json!({ "name": "Gate" })).await["name"], "Gate");
    update(json!({ "url": "rtsp://DOOR/1" })).await;
    update(json!({ "password": "p" })).await;
    assert_eq!((revision(), r.agent.applied.lock().unwrap().len()), (1, 1));

    update(json!({ "password": "q" })).await;
    assert_eq!((revision(), kept(&r, &id)), (2, pair("u", "q")));
    update(json!({ "username": "v" })).await;
    assert_eq!((revision(), kept(&r, &id)), (3, pair("v", "q")));
    update(json!({ "url": "rtsp://door/3", "low_url": "rtsp://door/4" })).await;
    assert_eq!((revision(), kept(&r, &id)), (4, pair("v", "q")));
    let out = update(json!({ "url": "rtsp://w:z@door/5", "low_url": "" })).await;
    assert_eq!((revision(), kept(&r, &id)), (5, pair("w", "z")));
    assert_eq!(out["profiles"].as_array().unwrap().len(), 1);
    let out = update(json!({ "username": "" })).await;
    assert_eq!((revision(), kept(&r, &id)), (6, None));
    assert_eq!(
        (&out["has_password"], out.get("username")),
        (&json!(false), None)
    );
}

#[tokio::test]
async fn a_snapshot_address_is_kept_without_its_login_and_reaches_the_agent() {
    let r = Recorder::new().await;
    let input = json!({ "name": "Door", "url": "rtsp://door/1",
        "snapshot_url": "http://u:p%40ss@DOOR:80/snap.jpg?ch=1" });
    let out = r.ok("camera_create", input).await;
    let id = out["id"].as_str().unwrap();
    assert_eq!(out["snapshot_url"], "http://door/snap.jpg?ch=1");
    assert_eq!(kept(&r, id), pair("u", "p@ss"));
    let applied = || r.agent.applied.lock().unwrap().last().unwrap().clone();
    assert_eq!(
        applied().snapshot_url.as_deref(),
        Some("http://door/snap.jpg?ch=1")
    );

    // The agent hears of it, and no connection is interrupted for it.
    let input = json!({ "id": id, "snapshot_url": "https://cdn.example/door.jpg" });
    let out = r.ok("camera_update", input).await;
    assert_eq!(out["snapshot_url"], "https://cdn.example/door.jpg");
    let setup = applied();
    assert_eq!(setup.revision, 1);
    assert_eq!(setup.snapshot_url.as_deref(), out["snapshot_url"].as_str());
    assert_eq!(kept(&r, id), pair("u", "p@ss"));

    for bad in [
        "rtsp://door/1",
        "file:///etc/passwd",
        "nonsense",
        // A login for somebody else would be sent to the camera, and the camera's to them.
        "http://v:q@cdn.example/door.jpg",
    ] {
        let error = r
            .refused("camera_update", json!({ "id": id, "snapshot_url": bad }))
            .await;
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{bad}");
        assert!(error.message.starts_with("The snapshot address: "), "{bad}");
        let input = json!({ "name": "b", "url": "rtsp://yard/1", "snapshot_url": bad });
        r.refused("camera_create", input).await;
    }
    assert_eq!(kept(&r, id), pair("u", "p@ss"));

    let input = json!({ "id": id, "snapshot_url": "http://v:q@door/x" });
    r.ok("camera_update", input).await;
    assert_eq!((applied().revision, kept(&r, id)), (2, pair("v", "q")));
    let out = r
        .ok("camera_update", json!({ "id": id, "snapshot_url": "" }))
        .await;
    assert_eq!(out.get("snapshot_url"), None);
    assert_eq!(applied().snapshot_url, None);
    assert_eq!(r.ok("camera_get", json!({ "id": id })).await, out);
}

#[tokio::test]
async fn a_refused_update_puts_the_credentials_back() {
    let r = Recorder::new().await;
    r.camera("Door", "rtsp://door/1").await;
    let input = json!({ "name": "Yard", "url": "rtsp://u:p@yard/1" });
    let id = r.ok("camera_create", input).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let input = json!({ "id": id, "url": "rtsp://door/1", "password": "new" });
    assert_eq!(
        r.refused("camera_update", input).await.code,
        ErrorCode::Conflict
    );
    assert_eq!(kept(&r, &id), pair("u", "p"));
}

#[tokio::test]
async fn removal_stops_first_and_takes_the_secret_along() {
    let r = Recorder::new().await;
    let input = json!({ "name": "Door", "url": "rtsp://u:p@door/1" });
    let out = r.ok("camera_create", input).await;
    let id = out["id"].as_str().unwrap();
    r.agent.refuses_removal.store(true, Ordering::SeqCst);
    r.refused("camera_delete", json!({ "id": id })).await;
    assert_eq!(kept(&r, id), pair("u", "p"));
    r.ok("camera_get", json!({ "id": id })).await;

    r.agent.refuses_removal.store(false, Ordering::SeqCst);
    r.vault.locked.store(true, Ordering::SeqCst);
    let error = r.refused("camera_delete", json!({ "id": id })).await;
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert_eq!(r.agent.setups.lock().unwrap().len(), 1, "it still records");
    r.vault.locked.store(false, Ordering::SeqCst);
    let mut changes = r.nvr.subscribe();
    r.ok("camera_delete", json!({ "id": id })).await;
    change(&mut changes, |c| matches!(c, Change::CameraRemoved { .. })).await;
    change(&mut changes, |c| matches!(c, Change::ChannelRemoved { .. })).await;
    assert_eq!(kept(&r, id), None);
    assert_eq!(
        r.refused("camera_get", json!({ "id": id })).await.code,
        ErrorCode::NotFound
    );
    assert!(r.agent.setups.lock().unwrap().is_empty());
    // The address is free again.
    r.camera("Door", "rtsp://door/1").await;
}

#[tokio::test]
async fn kept_credentials_are_probed_with_at_their_own_host_only() {
    let r = Recorder::new().await;
    let input = json!({ "name": "Door", "url": "rtsp://u:p@door/1" });
    let id = r.ok("camera_create", input).await["id"].clone();
    for (url, username, expected) in [
        ("rtsp://DOOR:8554/other", None, Some("u")),
        ("rtsp://evil/1", None, None),
        ("rtsp://door.evil/1", None, None),
        ("rtsp://door@evil/1", None, Some("door")),
        ("rtsp://door/1", Some("v"), Some("v")),
    ] {
        let mut input = json!({ "url": url, "id": id });
        if let Some(username) = username {
            input["username"] = username.into();
        }
        r.ok("camera_probe", input).await;
        let (seen, credentials) = r.agent.probed.lock().unwrap().pop().unwrap();
        assert!(!seen.contains('@'), "{seen}");
        assert_eq!(
            credentials.map(|c| c.username).as_deref(),
            expected,
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_channel_can_be_changed_removed_and_made_again() {
    let r = Recorder::new().await;
    let (camera, channel) = r.camera("Door", "rtsp://door/1").await;
    let input = json!({ "id": channel, "record_mode": "off", "engine": "gstreamer",
        "audio": "off", "segment_seconds": 60 });
    let out = r.ok("channel_update", input).await;
    assert_eq!(out["segment_seconds"], 60);
    assert_eq!(r.worker.channels.lock().unwrap()[&channel], Some(60));
    let setup = r.agent.setups.lock().unwrap()[&camera].clone();
    assert_eq!(setup.record_mode, oriel_api::RecordMode::Off);
    assert_eq!(setup.revision, 1);
    for bad in [1, 4, 601] {
        let input = json!({ "id": channel, "segment_seconds": bad });
        r.refused("channel_update", input).await;
    }
    r.ok(
        "channel_update",
        json!({ "id": channel, "segment_seconds": 0 }),
    )
    .await;
    assert_eq!(r.worker.channels.lock().unwrap()[&channel], None);

    let input = json!({ "camera_id": camera });
    assert_eq!(
        r.refused("channel_create", input.clone()).await.code,
        ErrorCode::Conflict
    );
    r.ok("channel_delete", json!({ "id": channel })).await;
    assert_eq!(
        r.worker.removed.lock().unwrap().len(),
        1,
        "viewers are told"
    );
    assert!(r.agent.setups.lock().unwrap().is_empty());
    let out = r.ok("camera_get", json!({ "id": camera })).await;
    assert!(out.get("channel_id").is_none());
    let made = r.ok("channel_create", input).await;
    assert_eq!(made["name"], "Door");
    assert_eq!(
        r.agent.setups.lock().unwrap()[&camera].channel.as_str(),
        made["id"]
    );
}

#[tokio::test]
async fn demonstration_cameras_are_added_once() {
    let demo = |n: u8| DemoSetup {
        name: format!("Demo {n}"),
        url: format!("rtsp://127.0.0.1:8{n}54/high"),
        low_url: Some(format!("rtsp://127.0.0.1:8{n}54/low")),
        username: "demo".into(),
        password: Secret::new("demo"),
    };
    let r = Recorder::with(NvrOptions {
        demo: vec![demo(1), demo(2)],
        ..Default::default()
    })
    .await;
    let added = |out: serde_json::Value| {
        let items = out["items"].as_array().unwrap().clone();
        items.iter().filter(|i| i["added"] == true).count()
    };
    assert_eq!(added(r.ok("demo_list", json!({})).await), 0);
    let first = r.ok("demo_add", json!({})).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert_eq!(added(r.ok("demo_list", json!({})).await), 2);
    let again = r.ok("demo_add", json!({})).await;
    assert_eq!(again["items"][1]["id"], first["items"][1]["id"]);
    assert_eq!(
        r.ok("camera_list", json!({})).await["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn settings_are_bounded_kept_and_handed_on() {
    let r = Recorder::new().await;
    r.camera("Door", "rtsp://door/1").await;
    for bad in [
        json!({ "segment_seconds": 4 }),
        json!({ "segment_seconds": 601 }),
        json!({ "sync_seconds": 0 }),
        json!({ "watchdog_seconds": 61 }),
    ] {
        assert_eq!(
            r.refused("settings_update", bad).await.code,
            ErrorCode::InvalidArgument
        );
    }
    let input = json!({ "segment_seconds": 60, "watchdog_seconds": 9 });
    let out = r.ok("settings_update", input).await;
    assert_eq!(out, r.ok("settings_get", json!({})).await);
    assert_eq!(
        r.worker
            .configured
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .segment_seconds,
        60
    );
    assert_eq!(
        r.agent
            .applied
            .lock()
            .unwrap()
            .last()
            .unwrap()
            .watchdog_seconds,
        9
    );
    let r = r.restarted(false).await;
    assert_eq!(out, r.ok("settings_get", json!({})).await);
    until("the worker has them", || async {
        r.worker
            .configured
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .segment_seconds
            == 60
    })
    .await;
    let info = r.ok("system_get", json!({})).await;
    assert_eq!(
        (&info["disk_free"], &info["gstreamer"]),
        (&json!(1), &json!("1.22.0"))
    );
    assert!(!info["zone"].as_str().unwrap().is_empty());
}

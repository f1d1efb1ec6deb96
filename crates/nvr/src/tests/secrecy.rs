//! No secret leaves by any way.

use std::{
    io,
    sync::{Arc, Mutex},
};

use oriel_api::{Secret, link::NvrLink};
use serde_json::json;

use super::{
    fakes::{Recorder, until},
    streams::status,
};
use crate::auth;

const PASSWORD: &str = "Tr0ub4dor-and-3";
const USER: &str = "s3cretive-user";

/// A log that can be searched.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[tokio::test]
async fn no_secret_reaches_the_database_the_log_an_answer_or_an_error() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // For all threads: one that is set for this thread alone misses what other tests logged first.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let r = Recorder::new().await;
    let mut said = Vec::new();
    let good = json!({ "name": "Door", "url": format!("rtsp://{USER}:{PASSWORD}@door/1") });
    let camera = r.ok("camera_create", good.clone()).await;
    let id = camera["id"].clone();
    said.push(camera);
    for (name, input) in [
        ("camera_create", good),
        (
            "camera_create",
            json!({ "name": PASSWORD.repeat(9), "url": "rtsp://a/1", "password": PASSWORD }),
        ),
        (
            "camera_create",
            json!({ "name": "x", "url": format!("rtsp://{USER}:{PASSWORD}#@x/") }),
        ),
        (
            "camera_create",
            json!({ "name": "x", "url": "rtsp://a/1", "username": "u", "password": PASSWORD.repeat(200) }),
        ),
        (
            "camera_create",
            json!({ "name": "x", "url": 7, "password": PASSWORD }),
        ),
        (
            "camera_create",
            json!({ "name": "x", "url": "rtsp://a/1", "passwort": PASSWORD }),
        ),
        (
            "camera_probe",
            json!({ "url": format!("http://{USER}:{PASSWORD}@door/") }),
        ),
        ("camera_update", json!({ "id": id, "password": [PASSWORD] })),
    ] {
        let error = r.refused(name, input).await;
        said.push(serde_json::to_value(&error).unwrap());
        said.push(json!(format!("{error} {error:?}")));
    }
    let update = json!({ "id": id, "username": "other", "password": format!("{PASSWORD}!") });
    said.push(r.ok("camera_update", update).await);
    said.push(r.ok("camera_list", json!({})).await);
    said.push(r.ok("event_list", json!({})).await);
    let camera = id.as_str().unwrap().parse().unwrap();
    let streaming = status(oriel_api::StreamState::Streaming, None, 1);
    r.nvr
        .stream_changed(&camera, oriel_api::Quality::High, streaming);
    let owner = auth::owner_token(&*r.vault).unwrap();
    let opened = r.nvr.open_session().await.unwrap();
    let link = r.nvr.create_link().unwrap();
    let store = r.nvr.store().clone();
    until("the audit log is written", || async {
        store.audit_newest(100).await.unwrap().len() >= 10
    })
    .await;
    said.push(json!(format!("{:?} {:?}", r.nvr, r.nvr.signer())));

    let secrets = [
        PASSWORD,
        USER,
        owner.expose(),
        opened.cookie.expose(),
        &link,
    ];
    // The user name may be shown to those who may see the camera, so only passwords count there.
    for text in said.iter().map(ToString::to_string) {
        assert!(!contains(text.as_bytes(), PASSWORD), "{text}");
    }
    // With the log beside it, and again after it was folded in.
    for closed in [false, true] {
        if closed {
            store.close().await;
        }
        let mut files = 0;
        for entry in std::fs::read_dir(r.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            files += usize::from(!bytes.is_empty());
            for secret in secrets {
                assert!(
                    !contains(&bytes, secret),
                    "{} holds a secret",
                    path.display()
                );
            }
        }
        assert!(files >= 1);
    }
    let log = log.0.lock().unwrap().clone();
    assert!(contains(&log, "camera added"), "the log was caught");
    for secret in secrets {
        assert!(!contains(&log, secret), "the log holds a secret");
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_read_do_not_hide_the_camera() {
    let r = Recorder::new().await;
    let input = json!({ "name": "Door", "url": "rtsp://u:p@door/1" });
    let id = r.ok("camera_create", input).await["id"].clone();
    let key = format!("camera/{}", id.as_str().unwrap());
    let broken = Secret::new("no credentials");
    oriel_secrets::SecretStore::set(&*r.vault, &key, &broken).unwrap();
    let r = r.restarted(false).await;
    let out = r.ok("camera_get", json!({ "id": id })).await;
    assert_eq!(out["has_password"], false);
    // Entering them again mends it.
    let input = json!({ "id": id, "username": "u", "password": "q" });
    let out = r.ok("camera_update", input).await;
    assert_eq!(out["has_password"], true);
}

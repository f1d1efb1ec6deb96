//! Killed in the middle of making a clip or an export: it is made anew, once, and whole.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::{fs, time::Duration};

use oriel_api::{Clip, ClipStatus, Export, ExportStatus, Segment, SegmentState};
use oriel_system_tests::{Api, Recorder, RecorderOptions, decode, wait};
use oriel_testkit::{
    CameraOptions, TestCamera,
    storage::{Fault, TestStorage},
};
use serde_json::{Value, json};

/// Segments are uploaded, or a file is made, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

fn ok<T: serde::de::DeserializeOwned>(api: &Api, method: &str, path: &str, body: Value) -> T {
    let body = (method != "GET").then_some(body);
    serde_json::from_value(api.call(method, path, body).unwrap().unwrap()).unwrap()
}

/// Segments without a hole between them, so many.
fn stored(api: &Api, camera: &str, count: usize) -> Vec<Segment> {
    wait::within(PATIENCE, "segments are stored", || {
        let mut all = api.segments(camera).ok()?;
        all.retain(|s| s.state == SegmentState::Stored);
        (all.len() >= count).then_some(all)
    })
}

struct Scene {
    storage: TestStorage,
    recorder: Recorder,
    pieces: Vec<Segment>,
    _camera: TestCamera,
    _folders: (tempfile::TempDir, tempfile::TempDir),
}

impl Scene {
    /// Footage that is in the bucket only, and a storage that joins it or does not.
    fn new(joins: bool) -> (Self, String, String) {
        let camera = TestCamera::start(CameraOptions::default()).unwrap();
        let (data, bucket) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let storage = TestStorage::start(bucket.path()).unwrap();
        let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
        let api = recorder.api();
        api.settings(json!({ "segment_seconds": 5 })).unwrap();
        api.update_storage(storage.settings()).unwrap();
        if !joins {
            storage.fail(Fault::NoCopies);
        }
        let report: Value = ok(api, "POST", "/storage/test", json!({}));
        assert_eq!(report["usable"], true, "{report}");
        storage.fail(Fault::None);
        let added = api
            .add_camera(json!({ "name": "Door", "url": camera.url() }))
            .unwrap();
        let (id, channel) = (added.id.to_string(), added.channel_id.unwrap().to_string());
        let pieces = stored(api, &id, 3);
        let folder = data.path().join("recordings").join(&channel);
        for piece in &pieces {
            fs::remove_file(folder.join(&piece.name)).unwrap();
        }
        let scene = Self {
            storage,
            recorder,
            pieces,
            _camera: camera,
            _folders: (data, bucket),
        };
        (scene, id, channel)
    }

    fn range(&self) -> (Value, Value) {
        let (first, last) = (self.pieces.first().unwrap(), self.pieces.last().unwrap());
        (json!(first.start), json!(last.end))
    }

    /// Seconds for every piece, so that there is a middle.
    fn slow(&self) {
        let largest = self.pieces.iter().map(|p| p.bytes).max().unwrap();
        let rate = u32::try_from(largest / 4).unwrap();
        self.storage.fail(Fault::SlowAnswers(rate));
    }

    /// Kills it in the middle, and lets the storage be fast again.
    fn kill_at(&mut self, progress: impl Fn(&Api) -> Option<f64>) {
        wait::within(PATIENCE, "some of it is written", || {
            let now = progress(self.recorder.api())?;
            assert!(now < 1.0, "it was made before it could be hit");
            (now > 0.0).then_some(())
        });
        self.kill();
    }

    fn kill(&mut self) {
        self.recorder.kill().unwrap();
        self.storage.fail(Fault::None);
        self.recorder.restart().unwrap();
    }

    /// What the storage holds of objects in parts.
    fn parts(&self) -> Vec<String> {
        let names = fs::read_dir(self._folders.1.path()).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with(".upload"))
            .collect()
    }

    /// The file can be fetched, is as it is in the bucket, and is there once.
    fn is_whole(&self, url: &str, below: &str) {
        let bytes = self.recorder.api().bytes(url).unwrap();
        let file = self.recorder.data().join("fetched.mp4");
        fs::write(&file, &bytes).unwrap();
        decode(&file).unwrap();
        let object = wait::within(PATIENCE, "it is in the bucket", || {
            let mut all = self.storage.objects().ok()?;
            all.retain(|key, _| key.starts_with(below) && key.ends_with(".mp4"));
            assert!(all.len() <= 1, "{all:?}");
            all.into_values().next()
        });
        assert!(fs::read(object).unwrap() == bytes);
    }

    /// No half file is left in a local place.
    fn is_tidy(&self, place: &str) {
        let mut folders = vec![self.recorder.data().join(place)];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        let whole = |p: &std::path::PathBuf| {
            p.extension().is_some_and(|e| e == "mp4" || e == "json") || p.ends_with(".oriel-mark")
        };
        assert!(files.iter().all(whole), "{files:?}");
        let films = files
            .iter()
            .filter(|p| p.extension().is_some_and(|e| e == "mp4"));
        assert_eq!(films.count(), 1, "{files:?}");
    }
}

#[test]
fn a_clip_is_made_once_and_whole() {
    let (mut scene, _, channel) = Scene::new(false);
    let (start, end) = scene.range();
    scene.slow();
    let body = json!({ "channel_id": channel, "start": start, "end": end });
    let clip: Clip = ok(scene.recorder.api(), "POST", "/clips", body);
    let path = format!("/clips/{}", clip.clip_id);
    let read = |api: &Api| ok::<Clip>(api, "GET", &path, Value::Null);
    scene.kill_at(|api| Some(read(api).progress));
    let done = wait::within(PATIENCE, "the clip is made", || {
        let now = read(scene.recorder.api());
        (now.status != ClipStatus::InProgress).then_some(now)
    });
    assert_eq!(done.status, ClipStatus::Finished, "{done:?}");
    scene.is_whole(&done.url.unwrap(), "site/clips/");
    scene.is_tidy("clips");
}

#[test]
fn parts_of_a_clip_that_the_storage_joined_are_taken_back() {
    let (mut scene, _, channel) = Scene::new(true);
    let (start, end) = scene.range();
    let largest = scene.pieces.iter().map(|p| p.bytes).max().unwrap();
    scene
        .storage
        .fail(Fault::Slow(u32::try_from(largest / 4).unwrap()));
    let body = json!({ "channel_id": channel, "start": start, "end": end });
    let clip: Clip = ok(scene.recorder.api(), "POST", "/clips", body);
    wait::within(PATIENCE, "joining is begun", || {
        (!scene.parts().is_empty()).then_some(())
    });
    scene.kill();
    let path = format!("/clips/{}", clip.clip_id);
    let done = wait::within(PATIENCE, "the clip is made", || {
        let now: Clip = ok(scene.recorder.api(), "GET", &path, Value::Null);
        (now.status != ClipStatus::InProgress).then_some(now)
    });
    assert_eq!(done.status, ClipStatus::Finished, "{done:?}");
    assert!(done.sha256.is_none(), "the storage joined it: {done:?}");
    scene.is_whole(&done.url.unwrap(), "site/clips/");
    wait::within(PATIENCE, "no parts are left", || {
        scene.parts().is_empty().then_some(())
    });
}

#[test]
fn an_export_is_made_once_and_whole() {
    let (mut scene, camera, _) = Scene::new(false);
    let (start, end) = scene.range();
    scene.slow();
    let body = json!({ "camera_ids": [camera], "start": start, "end": end });
    let export: Export = ok(scene.recorder.api(), "POST", "/recordings/export", body);
    let path = format!("/recordings/export/{}", export.export_id);
    let read = |api: &Api| ok::<Export>(api, "GET", &path, Value::Null);
    scene.kill_at(|api| Some(read(api).progress));
    let done = wait::within(PATIENCE, "the export is made", || {
        let now = read(scene.recorder.api());
        let over = !matches!(now.status, ExportStatus::Queued | ExportStatus::Running);
        over.then_some(now)
    });
    assert_eq!(done.status, ExportStatus::Finished, "{done:?}");
    assert!(done.parts[0].gaps.is_empty(), "{done:?}");
    let manifest = scene.recorder.api().bytes(&done.manifest_url.unwrap());
    let manifest: Value = serde_json::from_slice(&manifest.unwrap()).unwrap();
    assert_eq!(manifest["files"][0]["sha256"], json!(done.parts[0].sha256));
    scene.is_whole(done.parts[0].url.as_ref().unwrap(), "site/exports/");
    scene.is_tidy("exports");
}

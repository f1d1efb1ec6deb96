//! What tests of uploads have in common: a camera, a recorder and a storage, and at the end the
//! question whether everything is there once.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::{fs, path::Path, time::Duration};

use oriel_api::{Segment, SegmentState, Storage, StreamState};
use oriel_system_tests::{Api, Recorder, RecorderOptions, decode, wait};
use oriel_testkit::{CameraOptions, TestCamera, storage::TestStorage};
use serde_json::json;

/// A retry may stand at the end of its ladder.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// A camera that is recorded and uploaded.
pub struct Scene {
    pub camera: TestCamera,
    pub storage: TestStorage,
    pub recorder: Recorder,
    pub id: String,
    pub channel: String,
    _folders: (tempfile::TempDir, tempfile::TempDir),
}

impl Scene {
    pub fn new(options: RecorderOptions) -> Self {
        let camera = TestCamera::start(CameraOptions::default()).unwrap();
        let (data, bucket) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let storage = TestStorage::start(bucket.path()).unwrap();
        let recorder = Recorder::start(data.path(), options).unwrap();
        let api = recorder.api();
        api.settings(json!({ "segment_seconds": 5 })).unwrap();
        api.update_storage(storage.settings()).unwrap();
        let added = api
            .add_camera(json!({ "name": "Door", "url": camera.url() }))
            .unwrap();
        Self {
            id: added.id.to_string(),
            channel: added.channel_id.unwrap().to_string(),
            camera,
            storage,
            recorder,
            _folders: (data, bucket),
        }
    }

    pub fn api(&self) -> &Api {
        self.recorder.api()
    }

    pub fn count(&self, state: SegmentState) -> usize {
        let all = self.api().segments(&self.id).unwrap_or_default();
        all.iter().filter(|s| s.state == state).count()
    }

    /// So many more segments than now are in the storage.
    #[track_caller]
    pub fn wait_stored(&self, more: usize) {
        let wanted = self.count(SegmentState::Stored) + more;
        wait::within(PATIENCE, &format!("{wanted} segments are stored"), || {
            (self.count(SegmentState::Stored) >= wanted).then_some(())
        });
    }

    #[track_caller]
    pub fn wait_status(&self, what: &str, is: impl Fn(&Storage) -> bool) -> Storage {
        wait::within(PATIENCE, what, || {
            self.api().storage().ok().filter(|s| is(s))
        })
    }

    /// Nothing waits any more, and what is stored is what was recorded. Gives all segments.
    pub fn all_is_there_once(&mut self) -> Vec<Segment> {
        self.camera.kill().unwrap();
        let segments = wait::within(PATIENCE, "the camera is gone and nothing waits", || {
            let gone = self.api().camera(&self.id).ok()?.state != StreamState::Streaming;
            let waiting = self.api().storage().ok()?.uploads.waiting;
            let all = self.api().segments(&self.id).ok()?;
            let over =
                |s: &Segment| matches!(s.state, SegmentState::Stored | SegmentState::Missing);
            (gone && waiting == 0 && all.iter().all(over)).then_some(all)
        });
        let folder = self.recorder.recordings().join(&self.channel);
        let mut objects = self.storage.objects().unwrap();
        objects.retain(|key, _| key.starts_with("site/recordings/"));
        for segment in &segments {
            if segment.state == SegmentState::Missing {
                continue;
            }
            let start = segment.start.ms();
            let mine = |key: &str| {
                key.starts_with(&format!("site/recordings/{}/", self.channel))
                    && key.contains(&format!("/{start}-"))
            };
            let keys: Vec<String> = objects.keys().filter(|k| mine(k)).cloned().collect();
            assert_eq!(keys.len(), 1, "{segment:?}: {keys:?}");
            let stored = objects.remove(&keys[0]).unwrap();
            assert_eq!(fs::metadata(&stored).unwrap().len(), segment.bytes);
            if segment.local {
                same(&stored, &folder.join(&segment.name));
            } else {
                // Its copy here is gone: every frame of it can be decoded.
                decode(&stored).unwrap();
            }
        }
        assert!(objects.is_empty(), "nobody's: {objects:?}");
        segments
    }
}

fn same(stored: &Path, local: &Path) {
    let (stored, local) = (fs::read(stored).unwrap(), fs::read(local).unwrap());
    assert!(
        stored == local,
        "{} and {} bytes",
        stored.len(),
        local.len()
    );
}

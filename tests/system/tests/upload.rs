//! Whatever the storage does, every segment is in it once and as it was recorded, or it is said
//! that it is lost.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod scene;

use std::fs;

use oriel_api::{EventKind, SegmentState, UploadState};
use oriel_system_tests::{Recorder, RecorderOptions, wait};
use oriel_testkit::{
    CameraOptions, TestCamera,
    storage::{Fault, TestStorage},
};
use scene::{PATIENCE, Scene};
use serde_json::json;

impl Scene {
    /// A person's fault: told, kept, and over when it is put right and tried again.
    fn stops_and_tells(&self, fault: Fault, words: &str) {
        let events = |kind| self.api().count_events(kind).unwrap();
        let (stopped, resumed) = (
            events(EventKind::UploadStopped),
            events(EventKind::UploadResumed),
        );
        self.storage.fail(fault.clone());
        let told = self.wait_status(&format!("stopped by {fault:?}"), |s| {
            s.uploads.state == UploadState::Stopped && s.uploads.waiting > 0
        });
        let error = told.uploads.error.unwrap();
        assert!(error.contains(words), "{error}");
        wait::until("the stop is an event", || {
            (events(EventKind::UploadStopped) > stopped).then_some(())
        });
        let asked = self.storage.happened();
        self.wait_status("more waits", |s| s.uploads.waiting > 1);
        let asked = self.storage.happened() - asked;
        assert!(asked <= 4, "a storage that refuses is left alone: {asked}");
        self.storage.fail(Fault::None);
        self.api().retry_storage().unwrap();
        wait::within(PATIENCE, "the end of the stop is an event", || {
            (events(EventKind::UploadResumed) > resumed).then_some(())
        });
        self.wait_stored(1);
    }
}

#[test]
fn every_fault_of_the_storage_loses_nothing() {
    let mut scene = Scene::new(RecorderOptions::default());
    scene.wait_stored(1);

    scene.storage.fail(Fault::Random {
        seed: 7,
        percent: 40,
    });
    wait::within(PATIENCE, "two requests fail", || {
        (scene.storage.happened() >= 2).then_some(())
    });
    scene.wait_stored(1);

    scene.storage.fail(Fault::Down);
    let told = scene.wait_status("out of reach", |s| {
        s.uploads.state == UploadState::Retrying && s.uploads.waiting > 0
    });
    assert!(told.uploads.error.is_some() && told.uploads.retry_at.is_some());

    // Lost meanwhile: told as an event, and the segment is not shown as footage.
    let folder = scene
        .recorder
        .data()
        .join("recordings")
        .join(&scene.channel);
    let waiting = wait::until("a segment waits", || {
        let all = scene.api().segments(&scene.id).ok()?;
        all.into_iter()
            .find(|s| matches!(s.state, SegmentState::Local | SegmentState::Uploading))
    });
    fs::remove_file(folder.join(format!("{}.mp4", waiting.start.ms()))).unwrap();
    scene.storage.fail(Fault::None);
    // By itself: nobody asks for another try.
    scene.wait_stored(1);
    wait::within(PATIENCE, "the loss is an event", || {
        (scene.api().count_events(EventKind::UploadLost).ok()? == 1).then_some(())
    });

    scene.stops_and_tells(Fault::Refuse(403, "AccessDenied"), "refuses access");
    scene.stops_and_tells(Fault::Refuse(404, "NoSuchBucket"), "no such bucket");
    scene.stops_and_tells(Fault::ClockBehind, "clock");

    let twice = Fault::Cut {
        after: 3_000,
        times: 2,
    };
    scene.storage.fail(twice);
    scene.wait_stored(1);
    wait::until("cut twice", || {
        (scene.storage.happened() == 2).then_some(())
    });

    // What was on its way before the fault may be stored first.
    scene.storage.fail(Fault::KeepHalf { times: 1 });
    wait::within(PATIENCE, "half of one is kept", || {
        (scene.storage.happened() == 1).then_some(())
    });
    scene.wait_stored(1);

    scene.storage.fail(Fault::Slow(10_000));
    scene.wait_status("something moves, slowly", |s| {
        s.uploads.state == UploadState::Uploading
            && (1..100_000).contains(&s.uploads.bytes_per_second)
    });
    scene.storage.fail(Fault::None);

    let segments = scene.all_is_there_once();
    let missing: Vec<_> = segments
        .iter()
        .filter(|s| s.state == SegmentState::Missing)
        .map(|s| s.start)
        .collect();
    assert_eq!(missing, [waiting.start]);
    let line = scene.api().timeline(&scene.channel).unwrap();
    let middle = waiting.start.ms().midpoint(waiting.end.ms());
    let gap = line
        .gaps
        .iter()
        .find(|g| g.start.ms() <= middle && middle < g.end.ms());
    assert!(gap.is_some_and(|g| g.reason.is_some()), "{:?}", line.gaps);
    // No queue of notices was set, and none is spoken of.
    let log = scene.recorder.log();
    assert!(!log.contains("notices"), "{log}");
}

#[test]
fn killed_while_it_uploads_it_loses_and_doubles_nothing() {
    let mut scene = Scene::new(RecorderOptions::default());
    scene.wait_stored(1);
    for _ in 0..2 {
        scene.storage.fail(Fault::Slow(20_000));
        scene.wait_status("an object is on its way", |s| {
            s.uploads.state == UploadState::Uploading && s.uploads.bytes_per_second > 0
        });
        scene.recorder.kill().unwrap();
        scene.recorder.restart().unwrap();
        scene.storage.fail(Fault::None);
        scene.wait_stored(1);
    }
    let segments = scene.all_is_there_once();
    assert!(segments.iter().all(|s| s.state == SegmentState::Stored));
    let often: Vec<_> = scene
        .storage
        .puts()
        .into_iter()
        .filter(|(key, n)| key.starts_with("site/recordings/") && *n > 2)
        .collect();
    assert!(often.is_empty(), "{often:?}");
}

#[test]
fn footage_from_before_there_was_a_storage_follows() {
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let (data, bucket) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let storage = TestStorage::start(bucket.path()).unwrap();
    let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    let api = recorder.api();
    api.settings(json!({ "segment_seconds": 5 })).unwrap();
    let added = api
        .add_camera(json!({ "name": "Door", "url": camera.url() }))
        .unwrap();
    let id = added.id.to_string();
    let before = api.wait_closed(&id, 2);
    assert!(storage.objects().unwrap().is_empty());
    api.update_storage(storage.settings()).unwrap();
    wait::within(PATIENCE, "the older footage is stored", || {
        let all = api.segments(&id).ok()?;
        before
            .iter()
            .all(|b| {
                all.iter()
                    .any(|s| s.start == b.start && s.state == SegmentState::Stored)
            })
            .then_some(())
    });
}

#[test]
fn a_segment_that_changed_on_the_disk_is_told_and_not_passed_off_as_recorded() {
    let scene = Scene::new(RecorderOptions::default());
    // From here on segments are summed as they are closed.
    scene.wait_stored(1);
    scene.storage.fail(Fault::Down);
    let folder = scene.recorder.recordings().join(&scene.channel);
    let waiting = wait::within(PATIENCE, "a segment waits", || {
        let all = scene.api().segments(&scene.id).ok()?;
        all.into_iter().find(|s| s.state == SegmentState::Uploading)
    });
    let file = folder.join(&waiting.name);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    scene.storage.fail(Fault::None);
    let lost = wait::within(PATIENCE, "the damage is an event", || {
        let page = scene.api().events(EventKind::UploadLost).ok()?;
        page.into_iter().next()
    });
    assert!(lost.reason.unwrap().message.contains("damaged"));
    scene.wait_stored(1);
    let start = format!("/{}-", waiting.start.ms());
    let objects = scene.storage.objects().unwrap();
    assert!(objects.keys().all(|k| !k.contains(&start)), "{objects:?}");
    // What is left of it can still be seen here.
    let all = scene.api().segments(&scene.id).unwrap();
    let kept = all.iter().find(|s| s.start == waiting.start).unwrap();
    assert!(kept.local && kept.state == SegmentState::Local, "{kept:?}");
}

#[test]
fn what_waits_is_uploaded_although_its_folder_is_moved_meanwhile() {
    let mut scene = Scene::new(RecorderOptions::default());
    scene.storage.fail(Fault::Down);
    scene.wait_status("some wait", |s| s.uploads.waiting > 2);
    let root = scene.recorder.data().join("elsewhere");
    fs::create_dir(&root).unwrap();
    scene.storage.fail(Fault::None);
    scene.api().move_place("recordings", &root).unwrap();
    scene.api().retry_storage().unwrap();
    scene.wait_status("everything is moved", |s| {
        s.places.iter().all(|p| p.moving_from.is_none())
    });
    scene.camera.kill().unwrap();
    let segments = wait::within(PATIENCE, "everything is stored", || {
        let waiting = scene.api().storage().ok()?.uploads.waiting;
        let all = scene.api().segments(&scene.id).ok()?;
        let stored = all.iter().all(|s| s.state == SegmentState::Stored);
        (waiting == 0 && stored).then_some(all)
    });
    assert_eq!(scene.api().count_events(EventKind::UploadLost).unwrap(), 0);
    let objects = scene.storage.objects().unwrap();
    let recordings = objects.keys().filter(|k| k.starts_with("site/recordings/"));
    assert_eq!(recordings.count(), segments.len());
}

//! A disk that fills: footage goes in the order that was promised, then recording stops and says
//! so, and it goes on by itself when there is room. Nothing is lost without a word.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod scene;

use std::{fs::File, io::Write, path::PathBuf};

use oriel_api::{DiskLevel, EventKind, SegmentState};
use oriel_system_tests::{RecorderOptions, small_disks, wait};
use scene::{PATIENCE, Scene};

impl Scene {
    fn wait_level(&self, what: &str, is: impl Fn(DiskLevel) -> bool) {
        self.wait_status(what, |s| is(s.disk.level));
    }

    fn filler(&self) -> PathBuf {
        self.recorder.recordings().join("of-somebody-else")
    }

    /// Somebody else takes whatever is free.
    fn fill(mut file: &File) {
        let mut chunk = vec![7; 1 << 20];
        while !chunk.is_empty() {
            match file.write(&chunk) {
                Ok(n) if n > 0 => {}
                _ => chunk.truncate(chunk.len() / 2),
            }
        }
    }
}

#[test]
fn a_full_disk_stops_recording_with_a_word_and_goes_on_by_itself() {
    if !small_disks() {
        eprintln!("left out: this system gives no program a disk of its own");
        return;
    }
    let begun = jiff::Timestamp::now().as_millisecond();
    let mut scene = Scene::new(RecorderOptions {
        disk_mb: Some(64),
        ..RecorderOptions::default()
    });
    scene.wait_stored(2);
    let pid = scene.recorder.pid();
    let before = scene.api().count_events(EventKind::DiskLevel).unwrap();
    let file = File::create(scene.filler()).unwrap();
    let stopped = scene.wait_status("recording has stopped", |s| {
        Scene::fill(&file);
        s.disk.level == DiskLevel::Stopped
    });
    assert!(stopped.disk.message.contains("Recording has stopped"));
    let now = jiff::Timestamp::now().as_millisecond();
    wait::until("each step is an event", || {
        (scene.api().count_events(EventKind::DiskLevel).ok()? > before).then_some(())
    });
    wait::within(PATIENCE, "the channel is red", || {
        let channel = scene.api().channel(&scene.channel).ok()?;
        channel.recording.error.is_some().then_some(())
    });
    // What is here already still leaves.
    scene.wait_status("nothing waits", |s| s.uploads.waiting == 0);

    drop(file);
    std::fs::remove_file(scene.filler()).unwrap();
    scene.wait_level("there is room again", |level| level < DiskLevel::Stopped);
    wait::within(PATIENCE, "footage after the stop is stored", || {
        let all = scene.api().segments(&scene.id).ok()?;
        all.iter()
            .any(|s| s.start.ms() > now && s.state == SegmentState::Stored)
            .then_some(())
    });
    assert_eq!(scene.recorder.pid(), pid);
    let channel = scene.api().channel(&scene.channel).unwrap();
    assert_eq!(channel.recording.error, None);

    let segments = scene.all_is_there_once();
    assert!(segments.iter().all(|s| s.state == SegmentState::Stored));
    let line = scene.api().timeline(&scene.channel).unwrap();
    let mut holes = line.gaps.clone();
    holes.retain(|g| g.start.ms() > begun);
    assert!(
        holes
            .iter()
            .any(|g| g.start.ms() <= now && now < g.end.ms())
    );
    assert!(holes.iter().all(|g| g.reason.is_some()), "{holes:?}");
}

//! kill -9 at any moment loses nothing that was on the disk.
//!
//! `ORIEL_KILLS` sets how often; the default keeps the test short.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::{
    fs,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use oriel_api::{SegmentState, StreamState};
use oriel_system_tests::{Recorder, RecorderOptions, binary, decode, wait};
use oriel_testkit::{CameraOptions, TestCamera};
use serde_json::json;

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64
}

/// A small generator: the moments differ from run to run of the loop, not from test to test.
struct Moments(u64);
impl Moments {
    fn next(&mut self, limit_ms: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(self.0 % limit_ms)
    }
}

#[test]
fn killed_at_any_moment_it_keeps_all_that_was_on_the_disk() {
    let kills: usize = std::env::var("ORIEL_KILLS")
        .ok()
        .and_then(|k| k.parse().ok())
        .unwrap_or(5);
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    recorder
        .api()
        .settings(json!({ "segment_seconds": 5 }))
        .unwrap();
    let added = recorder
        .api()
        .add_camera(json!({ "name": "Door", "url": camera.url() }))
        .unwrap();
    let id = added.id.to_string();
    let mut moments = Moments(0x9e37_79b9_7f4a_7c15);
    let mut kept: Vec<(i64, i64, u64)> = Vec::new();
    let mut losses = Vec::new();
    for round in 0..kills {
        recorder.api().wait_state(&id, StreamState::Streaming);
        let from = kept.last().map_or(0, |k| k.1);
        // Something of this round is on the disk, so that the loss can be measured.
        wait::until("this round's footage", || {
            recorder
                .api()
                .segments(&id)
                .ok()?
                .iter()
                .any(|s| s.start.ms() > from && s.end.ms() - s.start.ms() > 500)
                .then_some(())
        });
        std::thread::sleep(moments.next(7000));
        // The open segment is listed as far as it is on the disk.
        let said = recorder.api().segments(&id).unwrap();
        let said = said.iter().map(|s| s.end.ms()).max().unwrap();
        let killed_at = now_ms();
        recorder.kill().unwrap();
        recorder.restart().unwrap();
        let segments: Vec<_> = wait::until("the open segment was adopted", || {
            let all = recorder.api().segments(&id).ok()?;
            let closed: Vec<_> = all
                .into_iter()
                .filter(|s| s.state == SegmentState::Local && s.start.ms() <= killed_at)
                .collect();
            closed.iter().any(|s| s.start.ms() > from).then_some(closed)
        });
        for (start, end, bytes) in &kept {
            let still = segments.iter().find(|s| s.start.ms() == *start);
            assert!(
                still.is_some_and(|s| s.end.ms() == *end && s.bytes == *bytes),
                "round {round}: {start} is gone or changed"
            );
        }
        let last = segments.iter().map(|s| s.end.ms()).max().unwrap();
        // A run and a file round to milliseconds at different points.
        assert!(
            last >= said - 20,
            "round {round}: {said} was on the disk, {last} is"
        );
        losses.push(killed_at - last);
        kept = segments
            .iter()
            .map(|s| (s.start.ms(), s.end.ms(), s.bytes))
            .collect();
    }
    losses.sort_unstable();
    println!(
        "{kills} kills: lost ms min {} median {} max {}",
        losses[0],
        losses[losses.len() / 2],
        losses[losses.len() - 1]
    );
    let report = recorder.stop().unwrap();
    assert!(report.success());
    for entry in fs::read_dir(
        data.path()
            .join("recordings")
            .join(added.channel_id.unwrap().as_str()),
    )
    .unwrap()
    {
        let path = entry.unwrap().path();
        assert_eq!(
            path.extension().unwrap(),
            "mp4",
            "nothing is left open: {}",
            path.display()
        );
        decode(&path).unwrap();
    }
}

#[test]
fn check_reports_and_mends() {
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    recorder
        .api()
        .settings(json!({ "segment_seconds": 5 }))
        .unwrap();
    let added = recorder
        .api()
        .add_camera(json!({ "name": "Door", "url": camera.url() }))
        .unwrap();
    let id = added.id.to_string();
    let closed = recorder.api().wait_closed(&id, 3);
    assert!(recorder.stop().unwrap().success());
    let folder = data
        .path()
        .join("recordings")
        .join(added.channel_id.unwrap().as_str());
    let check = |repair: bool| {
        let mut command = Command::new(binary("orield"));
        command
            .arg("check")
            .arg("--data")
            .arg(data.path())
            .env("ORIEL_SECRETS", "file");
        if repair {
            command.arg("--repair");
        }
        let out = command.output().unwrap();
        (
            out.status.code().unwrap(),
            String::from_utf8_lossy(&out.stdout).into_owned()
                + &String::from_utf8_lossy(&out.stderr),
        )
    };
    assert_eq!(check(false).0, 0, "{}", check(false).1);

    // A row without a file, a file without a row, a torn and zero-filled tail.
    fs::remove_file(folder.join(format!("{}.mp4", closed[0].start.ms()))).unwrap();
    let whole = folder.join(format!("{}.mp4", closed[1].start.ms()));
    let later = closed[2].end.ms() + 60_000;
    fs::copy(&whole, folder.join(format!("{later}.mp4"))).unwrap();
    let mut torn = fs::read(&whole).unwrap();
    torn.truncate(torn.len() * 2 / 3);
    torn.extend(std::iter::repeat_n(0, 100_000));
    fs::write(folder.join(format!("{}.mp4.part", later + 60_000)), torn).unwrap();

    let (code, text) = check(false);
    assert_eq!(code, 1, "{text}");
    let (code, text) = check(true);
    assert_eq!(code, 0, "{text}");
    let (code, text) = check(false);
    assert_eq!(code, 0, "mended: {text}");
    assert!(
        folder.join(format!("{}.mp4", later + 60_000)).exists(),
        "{text}"
    );
    decode(&folder.join(format!("{}.mp4", later + 60_000))).unwrap();

    recorder.restart().unwrap();
    let after = recorder.api().segments(&id).unwrap();
    assert_eq!(
        after
            .iter()
            .find(|s| s.start == closed[0].start)
            .unwrap()
            .state,
        SegmentState::Missing
    );
    assert!(
        after.iter().any(|s| s.start.ms() == later),
        "the file without a row was adopted"
    );
}

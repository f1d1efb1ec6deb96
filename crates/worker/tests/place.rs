//! The folder of recordings that is not there, is another one, or comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::{fs, sync::Arc};

use oriel_api::link::{Cutting, DiskFault, WorkerLink};
use oriel_media::{Frame, ingest::Ingest, ingest::RunOpen};
use oriel_worker::Worker;
use support::*;

/// Records six seconds, and puts a bare mount point where the disk was.
async fn unmounted(bare_was_used: bool) -> (Bench, Footage, std::path::PathBuf) {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(2).await;
    bench.record(&footage, footage.video(6)).await;
    let away = bench.dir.path().join("unplugged");
    fs::rename(bench.root(), &away).unwrap();
    fs::create_dir(bench.root()).unwrap();
    if bare_was_used {
        // What a recorder leaves that has started on it before there were marks.
        fs::write(bench.root().join(".oriel-recordings"), "").unwrap();
    }
    (bench, footage, away)
}

async fn fault(worker: &Worker) -> Option<DiskFault> {
    worker.disk().await.fault.map(|f| f.0)
}

async fn until_fault(worker: &Worker, wanted: Option<DiskFault>) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while fault(worker).await != wanted {
        assert!(std::time::Instant::now() < deadline, "never: {wanted:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn begins_again_when_it_is_back(bare_was_used: bool) {
    let (bench, footage, away) = unmounted(bare_was_used).await;
    let rows = bench.nvr.rows();
    let worker = bench.again();
    worker.configure_channel(&channel(), Cutting::default());
    worker.start(true).await.unwrap();
    assert_eq!(fault(&worker).await, Some(DiskFault::Missing));
    let mut sink = worker.open(RunOpen {
        channel: channel(),
        quality: oriel_api::Quality::High,
        record: true,
        format: Arc::clone(&footage.format),
        anchor: oriel_api::Timestamp::from_ms(NOON.ms() + 60_000),
    });
    let mut push = |second: i64| {
        for frame in footage.video(1) {
            sink.push(Frame {
                dts: frame.dts + second * 90_000,
                ..frame
            });
        }
    };
    let mut second = 0;
    until("the channel says so", || {
        push(second);
        second += 1;
        let state = worker.recording_state(&channel());
        state.error.is_some_and(|e| e.contains("Connect the disk"))
    })
    .await;
    assert_eq!(bench.nvr.rows(), rows, "no row is called missing");
    let only_lock = names(&bench.root());
    assert!(
        only_lock.is_empty() || only_lock == [".oriel-recordings"],
        "nothing is written there: {only_lock:?}"
    );
    let gone = (channel(), rows[0].start);
    assert!(worker.delete_segments(&[gone]).await[0].is_err());

    fs::remove_dir_all(bench.root()).unwrap();
    fs::rename(&away, bench.root()).unwrap();
    until_fault(&worker, None).await;
    until("it goes on by itself", || {
        push(second);
        second += 1;
        let state = worker.recording_state(&channel());
        state.active && state.error.is_none()
    })
    .await;
    sink.close(reason(), None);
    until("the new footage is known", || {
        bench.nvr.rows().len() > rows.len()
    })
    .await;
    worker.stop().await;
    assert_eq!(bench.nvr.rows()[..rows.len()], rows);
}

#[tokio::test]
async fn a_disk_that_is_not_mounted_is_waited_for() {
    begins_again_when_it_is_back(false).await;
}

#[tokio::test]
async fn a_bare_mount_point_is_not_trusted_for_having_been_used_before() {
    begins_again_when_it_is_back(true).await;
}

#[tokio::test]
async fn a_disk_that_is_taken_away_is_noticed_and_nothing_is_made_in_its_place() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(2).await;
    assert_eq!(fault(&bench.worker).await, None);
    let away = bench.dir.path().join("unplugged");
    fs::rename(bench.root(), &away).unwrap();
    until_fault(&bench.worker, Some(DiskFault::Missing)).await;
    assert!(!bench.root().exists(), "nothing is made in its place");
    fs::rename(&away, bench.root()).unwrap();
    until_fault(&bench.worker, None).await;
    bench.record(&footage, footage.video(2)).await;
}

#[tokio::test]
async fn a_new_disk_is_begun_when_somebody_says_so() {
    let (bench, _, _) = unmounted(false).await;
    let rows = bench.nvr.rows().len() as u64;
    let checked = bench.again();
    checked.configure_channel(&channel(), Cutting::default());
    let report = checked.recover(false).await.unwrap();
    assert_eq!((report.missing, report.errors), (0, rows));
    let error = checked.recover(true).await.unwrap_err();
    assert!(
        error.message.contains("set the same folder again"),
        "{error}"
    );

    *bench.nvr.mark.lock().unwrap() = Some(String::new());
    let worker = bench.again();
    worker.configure_channel(&channel(), Cutting::default());
    worker.start(true).await.unwrap();
    assert_eq!(fault(&worker).await, None);
    let mut recovery = worker.recovery();
    let report = recovery.wait_for(Option::is_some).await.unwrap().clone();
    assert_eq!(report.unwrap().missing, rows);
    worker.stop().await;
    let mark = bench.nvr.mark.lock().unwrap().clone().unwrap();
    assert_eq!(mark.len(), 24);
}

#[tokio::test]
async fn recordings_move_while_recording_and_are_found_all_the_time() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(2).await;
    let old = bench.root();
    let new = bench.dir.path().join("other").join("recordings");
    let mut sink = bench.open(&footage);
    let mut second = 0;
    let mut push = |seconds: usize| {
        for _ in 0..seconds {
            for frame in footage.video(1) {
                sink.push(Frame {
                    dts: frame.dts + second * 90_000,
                    ..frame
                });
            }
            second += 1;
        }
        second
    };
    push(7);
    until("some are closed", || bench.nvr.rows().len() >= 2).await;
    // Somebody has said so: the next mark is taken.
    *bench.nvr.mark.lock().unwrap() = Some(String::new());
    bench
        .worker
        .set_recordings(new.clone(), Some(old.clone()))
        .await
        .unwrap();
    let before = bench.nvr.rows();
    for row in &before {
        let file = bench.worker.open_file(&channel(), row.start).await.unwrap();
        assert_eq!(file.len(), row.bytes);
    }
    // What was deleted does not come back.
    let gone = before[0].start;
    let deleted = bench.worker.delete_segments(&[(channel(), gone)]).await;
    assert!(deleted[0].is_ok());
    push(7);
    until("everything is moved", || !bench.worker.recordings_move()).await;
    assert!(!old.exists(), "{:?}", names(&old));
    sink.close(reason(), None);
    bench.stop().await;
    let rows = bench.nvr.rows();
    let folder = new.join(channel().as_str());
    let expected: Vec<_> = rows
        .iter()
        .filter(|r| r.start != gone)
        .map(|r| format!("{}.mp4", r.start.ms()))
        .collect();
    assert_eq!(names(&folder), expected);
    let frames: usize = expected
        .iter()
        .map(|n| frames_in(&folder.join(n)).0.len())
        .sum();
    let lost = frames_of(&rows[0]);
    assert_eq!(frames + lost, 140, "nothing is lost on the way");
}

/// Frames of a segment, by its length: ten a second.
fn frames_of(row: &oriel_api::link::SegmentClosed) -> usize {
    ((row.end.ms() - row.start.ms()) / 100) as usize
}

#[tokio::test]
async fn a_move_goes_on_after_a_restart_and_takes_no_row_for_missing() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(2).await;
    let rows = bench.record(&footage, footage.video(6)).await;
    let old = bench.dir.path().join("old");
    fs::rename(bench.root(), &old).unwrap();
    // A copy that a crash left behind, and one that was whole before the old one was deleted.
    let folder = bench.folder();
    fs::create_dir_all(&folder).unwrap();
    let name = |n: usize| format!("{}.mp4", rows[n].start.ms());
    fs::write(folder.join(format!("{}.moving", name(0))), b"half").unwrap();
    fs::copy(
        old.join(channel().as_str()).join(name(1)),
        folder.join(name(1)),
    )
    .unwrap();
    *bench.nvr.mark.lock().unwrap() = Some(String::new());
    let mut options = oriel_worker::WorkerOptions::new(bench.root());
    options.moving_from = Some(old.clone());
    let nvr = Arc::clone(&bench.nvr) as Arc<dyn oriel_api::link::NvrLink>;
    let worker = Worker::new(options, nvr);
    worker.configure_channel(&channel(), Cutting::default());
    worker.start(true).await.unwrap();
    let mut recovery = worker.recovery();
    let report = recovery.wait_for(Option::is_some).await.unwrap().clone();
    assert!(report.as_ref().unwrap().is_clean(), "{report:?}");
    until("everything is moved", || !worker.recordings_move()).await;
    worker.stop().await;
    assert_eq!(bench.nvr.rows(), rows);
    let expected: Vec<_> = (0..rows.len()).map(name).collect();
    assert_eq!(names(&folder), expected);
    assert!(!old.exists());
}

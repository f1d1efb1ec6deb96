//! Disks that are full, gone, broken or slow; a database that is busy; an orderly stop.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::sync::{Arc, atomic::Ordering};

use oriel_api::{Timestamp, link::WorkerLink};
use oriel_media::{Frame, ingest::RunSink};
use support::*;

/// Pushes seconds of video one after the other until something has happened; the clock of the
/// frames goes on. Gives the frames pushed.
async fn push_until(
    footage: &Footage,
    sink: &mut Box<dyn RunSink>,
    second: &mut i64,
    what: &str,
    mut happened: impl FnMut() -> bool,
) {
    let frames = footage.video(1);
    until(what, || {
        for frame in &frames {
            sink.push(Frame {
                dts: frame.dts + *second * 90_000,
                ..frame.clone()
            });
        }
        *second += 1;
        happened()
    })
    .await;
}

/// Frames of all files that the database knows.
fn recorded(bench: &Bench) -> u64 {
    let rows = bench.nvr.rows();
    rows.iter()
        .map(|row| frames_in(&bench.file(row)).0.len() as u64)
        .sum()
}

#[tokio::test]
async fn a_full_disk_is_told_survived_and_left_behind() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(60).await;
    let mut sink = bench.open(&footage);
    let mut second = 0;
    // Room for the head and some fragments; the last is torn in the middle.
    bench.room.bytes.store(20_000, Ordering::SeqCst);
    push_until(&footage, &mut sink, &mut second, "the disk is full", || {
        bench.worker.recording_state(&channel()).error.is_some()
    })
    .await;
    let error = bench.worker.recording_state(&channel()).error.unwrap();
    assert!(error.contains("full"), "{error}");
    assert!(!bench.worker.recording_state(&channel()).active);
    until("the file is closed at its last whole fragment", || {
        bench.nvr.rows().len() == 1
    })
    .await;
    let first = scan_file(&bench.file(&bench.nvr.rows()[0]));
    assert!(first.indexed && first.good_len <= 20_000);

    bench.room.bytes.store(u64::MAX, Ordering::SeqCst);
    push_until(
        &footage,
        &mut sink,
        &mut second,
        "it recovers by itself",
        || bench.worker.recording_state(&channel()).active,
    )
    .await;
    sink.close(reason(), None);
    bench.stop().await;
    let state = bench.worker.recording_state(&channel());
    assert_eq!(state.error, None);
    assert_eq!(
        recorded(&bench) + state.lost_frames,
        second as u64 * 10,
        "what is not on disk is counted"
    );
    let news = bench.nvr.storage.lock().unwrap().clone();
    assert!(news.first().unwrap().is_some() && news.last().unwrap().is_none());
    assert!(
        names(&bench.folder()).iter().all(|n| n.ends_with(".mp4")),
        "no empty file is left"
    );
}

#[tokio::test]
async fn recording_stops_before_the_disk_is_full_and_goes_on_by_itself() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(600).await;
    let mut sink = bench.open(&footage);
    let mut second = 0;
    let state = || bench.worker.recording_state(&channel());
    push_until(&footage, &mut sink, &mut second, "it records", || {
        state().active
    })
    .await;
    bench.room.free.store(19_999, Ordering::SeqCst);
    push_until(&footage, &mut sink, &mut second, "it stops", || {
        state().error.is_some_and(|e| e.contains("almost full")) && !state().active
    })
    .await;
    until("what was open is closed", || !bench.nvr.rows().is_empty()).await;
    assert!(names(&bench.folder()).iter().all(|n| n.ends_with(".mp4")));
    bench.room.free.store(25_000, Ordering::SeqCst);
    push_until(&footage, &mut sink, &mut second, "it goes on", || {
        state().active && state().error.is_none()
    })
    .await;
    sink.close(reason(), None);
    bench.stop().await;
    assert_eq!(recorded(&bench) + state().lost_frames, second as u64 * 10);
}

#[tokio::test]
async fn a_segment_that_could_not_be_closed_is_adopted_when_the_disk_is_back() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(600).await;
    let mut sink = bench.open(&footage);
    let mut second = 0;
    push_until(
        &footage,
        &mut sink,
        &mut second,
        "footage is on disk",
        || bench.worker.recording_state(&channel()).active,
    )
    .await;
    bench.room.broken.store(true, Ordering::SeqCst);
    push_until(&footage, &mut sink, &mut second, "the fault shows", || {
        bench.worker.recording_state(&channel()).error.is_some()
    })
    .await;
    assert!(bench.nvr.rows().is_empty());
    bench.room.broken.store(false, Ordering::SeqCst);
    push_until(
        &footage,
        &mut sink,
        &mut second,
        "the old file is adopted",
        || bench.nvr.rows().len() == 1,
    )
    .await;
    sink.close(reason(), None);
    bench.stop().await;
    assert_eq!(bench.nvr.rows().len(), 2);
    let lost = bench.worker.recording_state(&channel()).lost_frames;
    assert_eq!(recorded(&bench) + lost, second as u64 * 10);
}

#[tokio::test]
async fn a_folder_taken_away_is_made_again() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::with(60, |o| o.sync_seconds = 1);
    bench.worker.start(false).await.unwrap();
    let mut sink = bench.open(&footage);
    let mut second = 0;
    push_until(
        &footage,
        &mut sink,
        &mut second,
        "footage is on disk",
        || bench.worker.recording_state(&channel()).active,
    )
    .await;
    std::fs::remove_dir_all(bench.root()).unwrap();
    push_until(&footage, &mut sink, &mut second, "it is noticed", || {
        bench
            .nvr
            .storage
            .lock()
            .unwrap()
            .iter()
            .any(Option::is_some)
    })
    .await;
    push_until(
        &footage,
        &mut sink,
        &mut second,
        "footage is written again",
        || bench.worker.recording_state(&channel()).active && names(&bench.folder()).len() == 1,
    )
    .await;
    sink.close(reason(), None);
    bench.stop().await;
    let rows = bench.nvr.rows();
    assert!(recorded(&bench) > 0 && !rows.is_empty());
}

#[tokio::test]
async fn a_slow_disk_loses_whole_groups_and_counts_them() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::with(60, |o| o.queue_bytes = 40_000);
    bench.worker.start(false).await.unwrap();
    let mut sink = bench.open(&footage);
    let mut second = 0;
    {
        let _held = bench.room.gate.lock().unwrap();
        for frame in footage.video(60) {
            sink.push(frame);
        }
        second += 60;
        assert!(sink.dropped() > 0, "the sink does not wait");
        let error = bench.worker.recording_state(&channel()).error.unwrap();
        assert!(error.contains("slow"), "{error}");
    }
    push_until(
        &footage,
        &mut sink,
        &mut second,
        "the disk keeps up again",
        || {
            let state = bench.worker.recording_state(&channel());
            state.error.is_none() && state.active
        },
    )
    .await;
    let dropped = sink.dropped();
    sink.close(reason(), None);
    bench.stop().await;
    let lost = bench.worker.recording_state(&channel()).lost_frames;
    assert!(lost >= dropped);
    assert_eq!(recorded(&bench) + lost, second as u64 * 10);
    let rows = bench.nvr.rows();
    assert!(rows.len() >= 2, "the hole is between segments");
    assert!(rows.iter().all(|r| !r.continues));
    for pair in rows.windows(2) {
        assert!(pair[0].end < pair[1].start);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_told() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(60);
    // A file where the folder should be: no user, not even root, can write there.
    std::fs::write(bench.root(), b"").unwrap();
    bench.worker.start(true).await.unwrap();
    let mut sink = bench.open(&footage);
    let mut second = 0;
    push_until(&footage, &mut sink, &mut second, "the fault shows", || {
        bench.worker.recording_state(&channel()).error.is_some()
    })
    .await;
    std::fs::remove_file(bench.root()).unwrap();
    push_until(&footage, &mut sink, &mut second, "it recovers", || {
        bench.worker.recording_state(&channel()).active
    })
    .await;
    sink.close(reason(), None);
    bench.stop().await;
    let lost = bench.worker.recording_state(&channel()).lost_frames;
    assert_eq!(recorded(&bench) + lost, second as u64 * 10);
}

#[tokio::test(start_paused = true)]
async fn a_busy_database_gets_every_report_in_order() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(5).await;
    bench.nvr.refuse.store(7, Ordering::SeqCst);
    let rows = bench.record(&footage, footage.video(12)).await;
    assert!(rows.len() >= 2);
    let told = bench.nvr.told();
    assert_eq!(told[0], "run 160x120");
    let starts: Vec<_> = told.iter().filter(|t| t.starts_with("segment")).collect();
    assert_eq!(starts.len(), rows.len());
    assert_eq!(told.last().unwrap(), "end 1 12000");
    assert!(rows.iter().all(|r| r.run == Some(1)));
}

#[tokio::test]
async fn stopping_closes_what_is_open_and_takes_nothing_more() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(60).await;
    let mut sinks: Vec<_> = (0..8u8)
        .map(|i| bench.worker.clone().open_channel(i, &footage))
        .collect();
    for frame in footage.mixed(footage.video(4), footage.audio(0.0, 4.0), 0.0) {
        for sink in &mut sinks {
            sink.push(frame.clone());
        }
    }
    bench.worker.stop().await;
    let mut frames = std::collections::BTreeMap::new();
    for row in bench.nvr.rows() {
        let path = bench
            .root()
            .join(row.channel.as_str())
            .join(format!("{}.mp4", row.start.ms()));
        *frames.entry(row.channel).or_insert(0) += frames_in(&path).0.len();
    }
    // The frames still held are written too.
    assert_eq!(frames.into_values().collect::<Vec<_>>(), [40; 8]);
    sinks[0].push(footage.video(1)[0].clone());
    assert_eq!(sinks[0].dropped(), 1);
}

trait OpenChannel {
    fn open_channel(self, number: u8, footage: &Footage) -> Box<dyn RunSink>;
}

impl OpenChannel for Arc<oriel_worker::Worker> {
    fn open_channel(self, number: u8, footage: &Footage) -> Box<dyn RunSink> {
        use oriel_media::ingest::{Ingest, RunOpen};
        self.open(RunOpen {
            channel: oriel_api::ChannelId::from_random([number; 12]),
            quality: oriel_api::Quality::High,
            record: true,
            format: Arc::clone(&footage.format),
            anchor: Timestamp::from_ms(NOON.ms() + i64::from(number)),
        })
    }
}

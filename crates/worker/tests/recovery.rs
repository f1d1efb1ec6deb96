//! What a crash, a power cut or a person left behind is brought in order, as often as it takes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use oriel_api::{Timestamp, link::WorkerLink};
use oriel_worker::RecoveryReport;
use support::*;

/// A folder as a crash leaves it: the copy of one while it is written.
async fn crashed(seconds: usize) -> (Bench, PathBuf) {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(600).await;
    let mut sink = bench.open(&footage);
    let audio = footage.audio(0.0, seconds as f64);
    for frame in footage.mixed(footage.video(seconds), audio, 0.0) {
        sink.push(frame);
    }
    let name = format!("{}.mp4.part", NOON.ms());
    let source = bench.folder().join(&name);
    // Half a second of video, and the audio behind it, each.
    until("all but the last half second is on disk", || {
        !bench.worker.open_segments(&channel()).is_empty()
            && scan_file(&source).fragments.len() == 2 * (2 * seconds - 1)
    })
    .await;
    let copy = fs::read(source).unwrap();
    let other = Bench::new(600);
    fs::create_dir_all(other.folder()).unwrap();
    let part = other.folder().join(name);
    fs::write(&part, copy).unwrap();
    drop(sink);
    bench.stop().await;
    (other, part)
}

async fn recover(bench: &Bench) -> RecoveryReport {
    bench.again().recover(true).await.unwrap()
}

fn counts(r: &RecoveryReport) -> [u64; 5] {
    [r.adopted, r.rows_added, r.missing, r.foreign, r.errors]
}

fn closed(part: &Path) -> PathBuf {
    part.with_extension("")
}

#[tokio::test]
async fn a_file_left_open_is_adopted_once() {
    let (bench, part) = crashed(6).await;
    let looked = bench.again().recover(false).await.unwrap();
    assert_eq!(counts(&looked), [1, 0, 0, 0, 0]);
    assert!(
        part.exists() && bench.nvr.rows().is_empty(),
        "looking changes nothing"
    );

    let report = recover(&bench).await;
    assert_eq!(counts(&report), [1, 0, 0, 0, 0]);
    assert_eq!(report.cut_bytes, 0);
    assert!(!part.exists());
    let rows = bench.nvr.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].run, rows[0].continues), (None, false));
    assert_eq!(rows[0].start, NOON);
    assert_eq!(rows[0].end.ms(), NOON.ms() + 5500);
    let scan = scan_file(&bench.file(&rows[0]));
    assert!(scan.indexed);
    assert_eq!(frames_in(&bench.file(&rows[0])).0.len(), 55);

    let again = recover(&bench).await;
    assert!(again.is_clean(), "{again:?}");
}

#[tokio::test]
async fn torn_and_zeroed_tails_are_cut_wherever_they_begin() {
    let (_crashed, part) = crashed(4).await;
    let whole = fs::read(&part).unwrap();
    let scan = scan_file(&part);
    // At, before and behind every edge of a fragment, inside its moof and mdat, in the head.
    let mut offsets = vec![
        0,
        1,
        8,
        100,
        scan.index_offset,
        scan.header_len - 1,
        scan.header_len,
    ];
    for f in &scan.fragments {
        let end = f.offset + f.len;
        offsets.extend([
            f.offset + 4,
            f.offset + 60,
            f.offset + f.len / 2,
            end - 1,
            end,
            end + 3,
        ]);
    }
    for &offset in &offsets {
        let offset = usize::try_from(offset).unwrap().min(whole.len());
        for zeros in [0, 5000] {
            let mut torn = whole[..offset].to_vec();
            torn.resize(offset + zeros, 0);
            let bench = Bench::new(600);
            fs::create_dir_all(bench.folder()).unwrap();
            let part = bench.folder().join(format!("{}.mp4.part", NOON.ms()));
            fs::write(&part, &torn).unwrap();
            let report = recover(&bench).await;
            assert_eq!(report.errors, 0, "at {offset}: {report:?}");
            assert!(!part.exists());
            let whole_at = |len: u64| {
                let ends = scan.fragments.iter().map(|f| f.offset + f.len);
                ends.filter(|end| *end <= len).count()
            };
            let mut good = whole_at(offset as u64);
            // Zeros in place of the last few bytes of a sample cannot be told from media.
            if zeros > 0 && names(&bench.folder()) == [format!("{}.mp4", NOON.ms())] {
                let found = scan_file(&closed(&part)).fragments.len();
                assert!(
                    found == good || found == whole_at(offset as u64 + 600),
                    "at {offset}"
                );
                good = found;
            }
            let rows = bench.nvr.rows();
            if good == 0 {
                assert!(
                    rows.is_empty() && names(&bench.folder()).is_empty(),
                    "at {offset}"
                );
                assert_eq!(report.cut_bytes, torn.len() as u64);
                continue;
            }
            let found = scan_file(&closed(&part));
            assert_eq!(found.fragments.len(), good, "at {offset} with {zeros}");
            assert_eq!(found.fragments, scan.fragments[..good]);
            let bytes = fs::read(closed(&part)).unwrap();
            assert_eq!(rows[0].bytes, bytes.len() as u64);
            let tail = oriel_media::tail::tail_len(&bytes).unwrap();
            assert_eq!(found.good_len + tail, rows[0].bytes, "at {offset}");
            assert_eq!(report.cut_bytes, torn.len() as u64 - found.good_len);
            demux(&fs::read(closed(&part)).unwrap());
            assert!(recover(&bench).await.is_clean());
        }
    }
}

#[tokio::test]
async fn files_and_rows_that_miss_each_other_are_brought_together() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(2).await;
    let rows = bench.record(&footage, footage.video(12)).await;
    assert!(rows.len() >= 5);
    // A row without a file, a file without a row, and things that are not ours.
    fs::remove_file(bench.file(&rows[1])).unwrap();
    bench
        .nvr
        .rows
        .lock()
        .unwrap()
        .remove(&(channel(), rows[3].start));
    fs::write(bench.folder().join("holiday.jpg"), b"x").unwrap();
    fs::write(bench.folder().join("12.mp4"), b"not a film").unwrap();
    fs::create_dir(bench.folder().join("77.mp4")).unwrap();
    fs::write(bench.root().join("notes.txt"), b"x").unwrap();

    let looked = bench.again().recover(false).await.unwrap();
    assert_eq!(counts(&looked), [0, 1, 1, 4, 0], "{looked:?}");
    assert_eq!(bench.nvr.rows().len(), rows.len() - 1);

    let report = recover(&bench).await;
    assert_eq!(counts(&report), [0, 1, 1, 4, 0], "{report:?}");
    let after = bench.nvr.rows();
    let starts = |rows: &[oriel_api::link::SegmentClosed]| -> Vec<_> {
        rows.iter().map(|r| (r.start, r.end, r.bytes)).collect()
    };
    let mut wanted = rows.clone();
    wanted.remove(1);
    assert_eq!(starts(&after), starts(&wanted));
    assert!(bench.folder().join("holiday.jpg").exists());
    assert!(bench.folder().join("12.mp4").exists());
    assert!(recover(&bench).await.is_clean());
}

#[tokio::test]
async fn many_rows_are_gone_through_in_batches() {
    let bench = Bench::new(30);
    fs::create_dir_all(bench.folder()).unwrap();
    let (source, part) = crashed(2).await;
    let bytes = fs::read(&part).unwrap();
    drop(source);
    for i in 0..1203i64 {
        let start = Timestamp::from_ms(NOON.ms() + i * 30_000);
        let row = oriel_api::link::SegmentClosed {
            channel: channel(),
            run: None,
            start,
            end: start,
            bytes: 1,
            codecs: String::new(),
            continues: false,
            sha256: None,
        };
        if i % 400 != 7 {
            fs::write(bench.file(&row), &bytes).unwrap();
        }
        if i % 600 != 2 {
            bench
                .nvr
                .rows
                .lock()
                .unwrap()
                .insert((channel(), start), row);
        }
    }
    let report = recover(&bench).await;
    assert_eq!(counts(&report), [0, 3, 3, 0, 0], "{:?}", report.notes);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_recovery_is_mended_by_the_next() {
    let (bench, part) = crashed(4).await;
    // Indexed and cut, not yet renamed: what a crash between the steps leaves.
    bench.again().recover(true).await.unwrap();
    let row = bench.nvr.rows().remove(0);
    fs::rename(bench.file(&row), &part).unwrap();
    bench.nvr.rows.lock().unwrap().clear();
    assert_eq!(counts(&recover(&bench).await), [1, 0, 0, 0, 0]);
    assert_eq!(bench.nvr.rows(), std::slice::from_ref(&row));
    // Renamed, the row not yet written.
    bench.nvr.rows.lock().unwrap().clear();
    assert_eq!(counts(&recover(&bench).await), [0, 1, 0, 0, 0]);
    assert_eq!(bench.nvr.rows(), [row]);
}

#[tokio::test]
async fn a_closed_file_of_the_same_start_is_not_overwritten() {
    let (bench, part) = crashed(4).await;
    fs::copy(&part, closed(&part)).unwrap();
    let report = recover(&bench).await;
    assert_eq!(counts(&report), [1, 1, 0, 0, 0], "{:?}", report.notes);
    let starts: Vec<_> = bench
        .nvr
        .rows()
        .iter()
        .map(|r| r.start.ms() - NOON.ms())
        .collect();
    assert_eq!(starts, [0, 1]);
}

#[tokio::test]
async fn a_large_file_without_a_head_is_set_aside_and_not_deleted() {
    let (bench, part) = crashed(4).await;
    let mut bytes = fs::read(&part).unwrap();
    bytes.resize(24_000, 7);
    bytes[4096..].fill(7);
    bytes[..4096].fill(0);
    fs::write(&part, &bytes).unwrap();
    let report = recover(&bench).await;
    assert_eq!(report.errors, 1);
    assert_eq!(
        names(&bench.folder()),
        [format!("{}.mp4.part.damaged", NOON.ms())]
    );
}

#[tokio::test]
async fn recovery_runs_beside_recording_and_leaves_it_alone() {
    let (bench, part) = crashed(4).await;
    let footage = Footage::of("h264-aac.mp4");
    let worker = Arc::clone(&bench.worker);
    // The same start again: this run's file gets the next free name.
    let mut sink = bench.open(&footage);
    for frame in footage.video(3) {
        sink.push(frame);
    }
    worker.start(true).await.unwrap();
    let mut recovery = worker.recovery();
    let report = recovery
        .wait_for(Option::is_some)
        .await
        .unwrap()
        .clone()
        .unwrap();
    assert_eq!(counts(&report), [1, 0, 0, 0, 0], "{:?}", report.notes);
    assert!(!part.exists());
    let other = bench.again();
    assert!(
        other.recover(true).await.is_err(),
        "not while another records"
    );
    assert!(
        other.recover(false).await.unwrap().is_clean(),
        "looking is fine"
    );
    assert_eq!(
        other.start(false).await.unwrap_err().code,
        oriel_api::ErrorCode::Conflict
    );
    sink.close(reason(), None);
    bench.stop().await;
    let rows = bench.nvr.rows();
    assert_eq!(rows.len(), 2);
    let frames: Vec<_> = rows
        .iter()
        .map(|r| frames_in(&bench.file(r)).0.len())
        .collect();
    assert_eq!(frames.iter().sum::<usize>(), 65);
    assert!(recover(&bench).await.is_clean());
}

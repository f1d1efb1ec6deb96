//! Runs become segment files: where they are cut, that no frame is lost, that audio never
//! holds up video.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::{
    process::Command,
    sync::{Arc, atomic::Ordering},
};

use oriel_api::{Quality, Timestamp, link::WorkerLink};
use oriel_media::{
    TrackKind,
    ingest::{Ingest, RunOpen},
};
use support::*;

/// Multiples of the length plus the channel's offset.
fn boundaries(seconds: i64) -> impl Iterator<Item = i64> {
    let cutter = oriel_media::Cutter::new(seconds * 1000, &channel());
    let mut at = NOON.ms();
    std::iter::from_fn(move || {
        at = cutter.boundary_after(at);
        Some(at)
    })
}

#[tokio::test]
async fn cuts_at_the_first_key_frame_after_each_boundary_and_loses_nothing() {
    for name in ["h264-aac.mp4", "h265.mp4", "h264-opus.mp4"] {
        let footage = Footage::of(name);
        let bench = Bench::started(5).await;
        let audio = match footage.format.audio {
            Some(_) => footage.audio(0.0, 23.0),
            None => Vec::new(),
        };
        let (sent_video, sent_audio) = (footage.video(23), audio.clone());
        let rows = bench
            .record(&footage, footage.mixed(sent_video.clone(), audio, 0.0))
            .await;

        // Key frames come every second: the first at or after each boundary starts a file.
        let mut starts = vec![NOON.ms()];
        starts.extend(
            boundaries(5)
                .map(|b| NOON.ms() + (b - NOON.ms() + 999) / 1000 * 1000)
                .take_while(|s| *s < NOON.ms() + 23_000),
        );
        assert_eq!(
            rows.iter().map(|r| r.start.ms()).collect::<Vec<_>>(),
            starts
        );
        starts.push(NOON.ms() + 23_000);
        assert_eq!(
            rows.iter().map(|r| r.end.ms()).collect::<Vec<_>>(),
            starts[1..],
            "each ends where the next begins"
        );
        assert!(rows.iter().all(|r| r.run == Some(1)));
        assert!(!rows[0].continues && rows[1..].iter().all(|r| r.continues));

        let (mut video, mut audio) = (Vec::new(), Vec::new());
        for row in &rows {
            let path = bench.file(row);
            let scan = scan_file(&path);
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes.len() as u64, row.bytes);
            let tail = oriel_media::tail::tail_len(&bytes).unwrap();
            assert_eq!(scan.good_len + tail, row.bytes, "the sample index follows");
            assert!(scan.indexed, "closed files have an index");
            assert_eq!(scan.start_ms, Some(row.start.ms()));
            assert_eq!(scan.channel, Some(channel()));
            assert_eq!(scan.codecs(), row.codecs);
            assert_eq!(scan.duration_ms(), row.end.ms() - row.start.ms());
            assert!(scan.fragments[0].key && scan.fragments[0].track == TrackKind::Video);
            assert_eq!(scan.fragments[0].start, 0);
            let (v, a) = frames_in(&path);
            let limit = (row.end.ms() - row.start.ms() + 70) as f64 / 1000.0;
            assert!(
                a.iter().all(|f| footage.seconds(f) < limit),
                "audio in step"
            );
            video.extend(v);
            audio.extend(a);
        }
        let bytes = |frames: &[oriel_media::Frame]| -> Vec<_> {
            frames.iter().map(|f| f.data.clone()).collect()
        };
        assert_eq!(bytes(&video), bytes(&sent_video), "{name}");
        assert_eq!(bytes(&audio), bytes(&sent_audio), "{name}");
        assert_eq!(bench.nvr.told().last().unwrap(), "end 1 23000");
    }
}

#[tokio::test]
async fn late_audio_loses_nothing_and_delays_nothing() {
    let footage = Footage::of("h264-aac.mp4");
    for late in [0.3, 1.4, 3.0] {
        let bench = Bench::started(5).await;
        let sent = footage.audio(0.0, 16.0);
        let rows = bench
            .record(
                &footage,
                footage.mixed(footage.video(16), sent.clone(), late),
            )
            .await;
        assert!(rows.len() >= 3);
        let mut heard = Vec::new();
        for row in &rows {
            let (video, audio) = frames_in(&bench.file(row));
            assert_eq!(video.len() as i64, (row.end.ms() - row.start.ms()) / 100);
            let base = row.start.ms() - NOON.ms();
            for frame in audio {
                // Audio is in the file of its own time: at most one frame over the edges.
                let at = base as f64 / 1000.0 + footage.seconds(&frame);
                assert!(
                    at < (row.end.ms() - NOON.ms()) as f64 / 1000.0 + 0.07,
                    "{late}"
                );
                heard.push(frame.data);
            }
        }
        let sent: Vec<_> = sent.into_iter().map(|f| f.data).collect();
        assert_eq!(heard, sent, "audio {late} s late");
    }
}

#[tokio::test]
async fn audio_that_never_comes_or_stops_changes_nothing_for_video() {
    let footage = Footage::of("h264-aac.mp4");
    for until in [0.0, 6.2] {
        let bench = Bench::started(5).await;
        let audio = footage.audio(0.0, until);
        let count = audio.len();
        let rows = bench
            .record(&footage, footage.mixed(footage.video(17), audio, 0.0))
            .await;
        let (mut video, mut audio) = (0, 0);
        for row in &rows {
            let (v, a) = frames_in(&bench.file(row));
            assert_eq!(v.len() as i64, (row.end.ms() - row.start.ms()) / 100);
            video += v.len();
            audio += a.len();
        }
        assert_eq!((video, audio), (170, count));
    }
}

#[tokio::test]
async fn audio_goes_on_while_video_stands() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(60).await;
    let mut sink = bench.open(&footage);
    for frame in footage.mixed(footage.video(2), footage.audio(0.0, 9.0), 0.0) {
        sink.push(frame);
    }
    until("audio of the last seconds is on disk", || {
        bench
            .worker
            .open_segments(&channel())
            .last()
            .is_some_and(|s| {
                let path = bench.folder().join(format!("{}.mp4.part", s.start.ms()));
                let bytes = std::fs::read(path).unwrap();
                let (_, frames) = demux(&bytes[..usize::try_from(s.bytes).unwrap()]);
                frames
                    .iter()
                    .any(|f| f.track == TrackKind::Audio && footage.seconds(f) > 6.0)
            })
    })
    .await;
    drop(sink);
    bench.stop().await;
    let (video, audio) = frames_in(&bench.file(&bench.nvr.rows()[0]));
    assert_eq!(
        (video.len(), audio.len()),
        (20, footage.audio(0.0, 9.0).len())
    );
}

#[tokio::test]
async fn a_new_format_is_a_new_run_and_a_new_file() {
    let (small, other) = (Footage::of("h264-aac.mp4"), Footage::of("h265.mp4"));
    let bench = Bench::started(30).await;
    let mut first = bench.open(&small);
    for frame in small.video(3) {
        first.push(frame);
    }
    // Opened without closing the one before: that one is closed.
    let mut second = bench.open_at(&other, Timestamp::from_ms(NOON.ms() + 3000));
    first.push(small.video(1)[0].clone());
    assert_eq!(first.dropped(), 1, "an overtaken run takes nothing");
    for frame in other.video(2) {
        second.push(frame);
    }
    drop(first);
    second.close(reason(), None);
    bench.stop().await;
    let rows = bench.nvr.rows();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].run, rows[1].run), (Some(1), Some(2)));
    assert_eq!(rows[0].end, rows[1].start);
    assert!(!rows[1].continues);
    assert!(rows[0].codecs.starts_with("avc1") && rows[1].codecs.starts_with("hvc1"));
    assert_eq!(frames_in(&bench.file(&rows[0])).0.len(), 30);
    assert_eq!(frames_in(&bench.file(&rows[1])).0.len(), 20);
    assert_eq!(
        bench.nvr.told(),
        [
            "run 160x120",
            "run 160x120",
            "segment 0",
            "end 1 3000",
            "segment 3000",
            "end 2 5000"
        ]
        .map(str::to_owned),
    );
}

#[tokio::test]
async fn a_run_begins_on_disk_with_its_first_key_frame() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(30).await;
    let frames = footage.mixed(footage.video(3), footage.audio(0.0, 3.0), 0.0);
    let late: Vec<_> = frames
        .into_iter()
        .filter(|f| footage.seconds(f) >= 0.35)
        .collect();
    let rows = bench.record(&footage, late).await;
    assert_eq!(rows[0].start.ms() - NOON.ms(), 1000);
    let (video, audio) = frames_in(&bench.file(&rows[0]));
    assert_eq!(video.len(), 20);
    assert!(
        footage.seconds(&audio[0]) < 0.07,
        "no audio from before the picture"
    );
}

#[tokio::test]
async fn a_clock_set_back_overwrites_nothing() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(30).await;
    for _ in 0..3 {
        let mut sink = bench.open(&footage);
        for frame in footage.video(2) {
            sink.push(frame);
        }
        sink.close(reason(), None);
    }
    bench.stop().await;
    let starts: Vec<_> = bench
        .nvr
        .rows()
        .iter()
        .map(|r| r.start.ms() - NOON.ms())
        .collect();
    assert_eq!(starts, [0, 1, 2]);
    for row in bench.nvr.rows() {
        assert_eq!(frames_in(&bench.file(&row)).0.len(), 20);
    }
}

#[tokio::test]
async fn a_hole_in_the_times_is_a_hole_between_segments() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(600).await;
    let mut frames = footage.video(4);
    for frame in &mut frames[20..] {
        frame.dts += 149 * 3600 * 90_000;
    }
    let rows = bench.record(&footage, frames).await;
    let spans: Vec<_> = rows.iter().map(|r| r.end.ms() - r.start.ms()).collect();
    assert_eq!(spans, [2000, 2000]);
    assert!(!rows[1].continues);
}

#[tokio::test]
async fn the_open_segment_can_be_read() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(60).await;
    let mut sink = bench.open(&footage);
    for frame in footage.mixed(footage.video(5), footage.audio(0.0, 5.0), 0.0) {
        sink.push(frame);
    }
    until("four seconds are on disk", || {
        bench
            .worker
            .open_segments(&channel())
            .last()
            .is_some_and(|s| s.end.ms() >= NOON.ms() + 4000)
    })
    .await;
    let open = bench.worker.open_segments(&channel()).remove(0);
    assert!(bench.worker.recording_state(&channel()).active);
    let file = bench
        .worker
        .open_file(&channel(), open.start)
        .await
        .unwrap();
    assert!(file.is_growing());
    let bytes = file.read(0..u64::MAX).await.unwrap();
    assert_eq!(bytes.len() as u64, file.len());
    let (_, frames) = demux(&bytes);
    assert!(
        frames
            .iter()
            .filter(|f| f.track == TrackKind::Video)
            .count()
            >= 40
    );

    sink.close(reason(), None);
    bench.stop().await;
    assert_eq!(
        file.read(0..u64::MAX).await.unwrap().len(),
        bytes.len(),
        "still readable"
    );
    let closed = bench
        .worker
        .open_file(&channel(), open.start)
        .await
        .unwrap();
    assert!(!closed.is_growing());
    assert_ne!(closed.etag(), file.etag());
    assert_eq!(closed.read(10..20).await.unwrap().len(), 10);
    assert!(
        closed
            .read(closed.len()..closed.len() + 5)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(bench.worker.open_segments(&channel()).is_empty());
    assert!(!bench.worker.recording_state(&channel()).active);
    bench
        .worker
        .delete_segment(&channel(), open.start)
        .await
        .unwrap();
    bench
        .worker
        .delete_segment(&channel(), open.start)
        .await
        .unwrap();
    let gone = bench
        .worker
        .open_file(&channel(), open.start)
        .await
        .unwrap_err();
    assert_eq!(gone.code, oriel_api::ErrorCode::NotFound);
}

#[tokio::test]
async fn a_stream_that_is_not_recorded_leaves_no_trace() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(30).await;
    let mut sink = bench.worker.open(RunOpen {
        channel: channel(),
        quality: Quality::Low,
        record: false,
        format: Arc::clone(&footage.format),
        anchor: NOON,
    });
    for frame in footage.video(3) {
        sink.push(frame);
    }
    sink.close(reason(), None);
    bench.worker.stop().await;
    assert!(names(&bench.folder()).is_empty());
    assert!(bench.nvr.told().is_empty());
}

#[tokio::test]
async fn another_decoder_reads_the_files_without_complaint() {
    for name in ["h264-aac.mp4", "h265.mp4", "h264-opus.mp4"] {
        let footage = Footage::of(name);
        let bench = Bench::started(5).await;
        let audio = match footage.format.audio {
            Some(_) => footage.audio(0.0, 9.0),
            None => Vec::new(),
        };
        let rows = bench
            .record(&footage, footage.mixed(footage.video(9), audio, 0.0))
            .await;
        assert!(rows.len() >= 2);
        for row in &rows {
            let output = Command::new("ffmpeg")
                .args(["-v", "warning", "-xerror", "-i"])
                .arg(bench.file(row))
                .args(["-f", "null", "-"])
                .output()
                .expect("ffmpeg is a system package the tests need");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{name}: {said}");
        }
    }
}

#[tokio::test]
async fn a_closed_segment_is_shown_and_read_until_the_database_has_it() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(5).await;
    bench.nvr.refuse.store(u64::MAX, Ordering::SeqCst);
    let mut sink = bench.open(&footage);
    for frame in footage.video(16) {
        sink.push(frame);
    }
    until("the last half second is awaited", || {
        let open = bench.worker.open_segments(&channel());
        open.last()
            .is_some_and(|s| s.end.ms() >= NOON.ms() + 15_500)
    })
    .await;
    assert!(bench.nvr.rows().is_empty());
    let open = bench.worker.open_segments(&channel());
    assert!(open.len() >= 3);
    assert_eq!(open[0].start, NOON);
    for pair in open.windows(2) {
        assert_eq!(pair[0].end, pair[1].start, "no hole at any moment");
    }
    for segment in &open {
        let file = bench.worker.open_file(&channel(), segment.start).await;
        assert_eq!(file.unwrap().len(), segment.bytes);
    }
    bench.nvr.refuse.store(0, Ordering::SeqCst);
    until("rows take their place", || {
        bench.nvr.rows().len() == open.len() - 1
            && bench.worker.open_segments(&channel()).len() == 1
    })
    .await;
    sink.close(reason(), None);
    bench.stop().await;
    assert!(bench.worker.open_segments(&channel()).is_empty());
}

#[tokio::test]
async fn an_hour_back_overwrites_nothing_and_stays_in_order() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(30).await;
    for anchor in [NOON.ms(), NOON.ms() - 3_600_000, NOON.ms() - 3_599_000] {
        let mut sink = bench.open_at(&footage, Timestamp::from_ms(anchor));
        for frame in footage.video(45) {
            sink.push(frame);
        }
        sink.close(reason(), None);
    }
    bench.stop().await;
    let rows = bench.nvr.rows();
    let mut files = std::collections::BTreeSet::new();
    for row in &rows {
        assert!(files.insert(bench.file(row)), "each row has its own file");
        let seconds = (row.end.ms() - row.start.ms()) as usize / 100;
        assert!(frames_in(&bench.file(row)).0.len().abs_diff(seconds) <= 1);
        let file = bench.worker.open_file(&channel(), row.start).await.unwrap();
        assert_eq!(file.len(), row.bytes);
    }
    let frames: usize = files.iter().map(|f| frames_in(f).0.len()).sum();
    assert_eq!(frames, 3 * 450, "all footage of all runs");
    assert_eq!(names(&bench.folder()).len(), rows.len());
    let report = bench.again().recover(true).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(bench.nvr.rows(), rows);
}

/// Frames of so many bytes.
fn heavy(frames: Vec<oriel_media::Frame>, bytes: usize) -> Vec<oriel_media::Frame> {
    frames
        .into_iter()
        .map(|frame| oriel_media::Frame {
            data: vec![7; bytes].into(),
            ..frame
        })
        .collect()
}

#[tokio::test]
async fn a_segment_ends_before_it_is_too_large_and_a_group_stays_whole() {
    let footage = Footage::of("h264-aac.mp4");
    // Groups of ten frames: 600 kB, and 1.5 MB, which is more than the limit alone.
    for (megabytes, bytes, seconds) in [(2, 60_000, 3), (1, 60_000, 1), (1, 150_000, 1)] {
        let bench = Bench::started(600).await;
        bench.worker.configure_channel(
            &channel(),
            oriel_api::link::Cutting {
                seconds: None,
                megabytes: Some(megabytes),
            },
        );
        let rows = bench.record(&footage, heavy(footage.video(9), bytes)).await;
        let lengths: Vec<_> = rows.iter().map(|r| r.end.ms() - r.start.ms()).collect();
        assert_eq!(lengths, vec![seconds * 1000; 9 / seconds as usize]);
        if bytes == 60_000 {
            let most = u64::from(megabytes) * 1_000_000;
            assert!(rows.iter().all(|r| r.bytes <= most));
        }
        assert!(rows[1..].iter().all(|r| r.continues));
        let frames: usize = rows.iter().map(|r| frames_in(&bench.file(r)).0.len()).sum();
        assert_eq!(frames, 90, "nothing is lost at the cuts");
    }
}

#[tokio::test]
async fn without_a_size_limit_only_time_cuts() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::started(600).await;
    let rows = bench
        .record(&footage, heavy(footage.video(9), 60_000))
        .await;
    assert!(rows.len() <= 2, "at most one boundary of ten minutes");
}

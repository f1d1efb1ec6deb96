//! Viewers: what they get first, what happens when they are slow, silence where audio stays
//! away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::{collections::BTreeSet, process::Command, sync::Arc};

use oriel_api::{Quality, link::WorkerLink};
use oriel_media::{
    Frame, TrackKind,
    ingest::{Ingest, RunOpen, RunSink},
};
use oriel_worker::{LiveFrame, LiveItem, LiveOptions, LiveRun, LiveSubscription};
use support::*;

const FRAMES: LiveOptions = LiveOptions {
    audio: true,
    silence: false,
};
const FRAGMENTS: LiveOptions = LiveOptions {
    audio: true,
    silence: true,
};

fn watch(bench: &Bench, options: LiveOptions) -> LiveSubscription {
    bench.worker.subscribe(&channel(), Quality::High, options)
}

fn open(bench: &Bench, footage: &Footage) -> Box<dyn RunSink> {
    bench.worker.open(RunOpen {
        channel: channel(),
        quality: Quality::High,
        record: false,
        format: Arc::clone(&footage.format),
        anchor: NOON,
    })
}

/// Everything that is there now.
fn drain(viewer: &mut LiveSubscription) -> Vec<LiveItem> {
    let mut items = Vec::new();
    while let Some(item) = now(viewer) {
        if matches!(item, LiveItem::Removed) {
            items.push(item);
            break;
        }
        items.push(item);
    }
    items
}

fn now(viewer: &mut LiveSubscription) -> Option<LiveItem> {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };
    match pin!(viewer.next()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(item) => Some(item),
        Poll::Pending => None,
    }
}

fn frames(items: &[LiveItem]) -> Vec<Arc<LiveFrame>> {
    items
        .iter()
        .filter_map(|i| match i {
            LiveItem::Frame(f) => Some(Arc::clone(f)),
            _ => None,
        })
        .collect()
}

fn run(items: &[LiveItem]) -> Arc<LiveRun> {
    items
        .iter()
        .find_map(|i| match i {
            LiveItem::Start(run) => Some(Arc::clone(run)),
            _ => None,
        })
        .unwrap()
}

/// What a player for fragments is fed.
fn film(items: &[LiveItem]) -> Vec<u8> {
    let mut bytes = run(items).init().unwrap().to_vec();
    for frame in frames(items) {
        bytes.extend_from_slice(frame.fragment());
    }
    bytes
}

#[test]
fn a_viewer_waits_for_a_run_and_is_told_of_each() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut viewer = watch(&bench, FRAMES);
    assert!(matches!(drain(&mut viewer)[..], [LiveItem::Waiting]));
    let mut sink = open(&bench, &footage);
    assert!(bench.worker.is_live(&channel(), Quality::High));
    for frame in &footage.video(2)[5..12] {
        sink.push(frame.clone());
    }
    let items = drain(&mut viewer);
    assert!(matches!(&items[0], LiveItem::Start(run) if run.anchor == NOON));
    let seen = frames(&items);
    assert_eq!(seen.len(), 2, "from the first key frame on");
    assert!(seen[0].frame.key);
    assert_eq!(seen[0].wall_ms, NOON.ms() + 1000);
    sink.close(reason(), None);
    assert!(matches!(drain(&mut viewer)[..], [LiveItem::Waiting]));
    // Runs that come and go unread do not pile up.
    for _ in 0..100 {
        drop(open(&bench, &footage));
    }
    let _sink = open(&bench, &footage);
    assert!(matches!(drain(&mut viewer)[..], [LiveItem::Start(_)]));
    bench.worker.channel_removed(&channel());
    let items = drain(&mut viewer);
    assert!(matches!(items.last(), Some(LiveItem::Removed)), "{items:?}");
    assert!(matches!(now(&mut viewer), Some(LiveItem::Removed)));
}

#[test]
fn a_late_viewer_gets_the_group_of_pictures_at_once() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut sink = open(&bench, &footage);
    for frame in footage.mixed(footage.video(3), footage.audio(0.0, 3.0), 0.0) {
        sink.push(frame);
    }
    let mut viewer = watch(&bench, FRAMES);
    let items = drain(&mut viewer);
    assert!(matches!(items[0], LiveItem::Start(_)));
    let seen = frames(&items);
    assert!(seen[0].frame.key && seen[0].frame.dts == 2 * 90_000);
    let video = |seen: &[Arc<LiveFrame>]| {
        seen.iter()
            .filter(|f| f.frame.track == TrackKind::Video)
            .count()
    };
    assert_eq!(video(&seen), 10);
    assert!(seen.len() > 20, "with its audio");
    let mut mute = watch(
        &bench,
        LiveOptions {
            audio: false,
            silence: false,
        },
    );
    assert_eq!(frames(&drain(&mut mute)).len(), 10);
    // What follows comes to both, the very same frame.
    sink.push(Frame {
        dts: 3 * 90_000,
        ..footage.video[0].clone()
    });
    let (a, b) = (frames(&drain(&mut viewer)), frames(&drain(&mut mute)));
    assert!(Arc::ptr_eq(&a[0], &b[0]));
    assert!(
        std::ptr::eq(a[0].fragment().as_ptr(), b[0].fragment().as_ptr()),
        "built once"
    );
}

#[test]
fn a_slow_viewer_skips_to_a_key_frame_and_is_told_how_many() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut sink = open(&bench, &footage);
    let (mut slow, mut quick) = (watch(&bench, FRAMES), watch(&bench, FRAMES));
    let mut got = 0;
    for frame in footage.video(58) {
        sink.push(frame);
        got += frames(&drain(&mut quick)).len();
    }
    assert_eq!(got, 580, "a quick viewer beside it misses nothing");
    let items = drain(&mut slow);
    let (mut skipped, mut last) = (0, None);
    for (i, item) in items.iter().enumerate() {
        match item {
            LiveItem::Skipped(n) => {
                skipped += n;
                let LiveItem::Frame(next) = &items[i + 1] else {
                    panic!()
                };
                assert!(next.frame.key);
                last = None;
            }
            LiveItem::Frame(f) => {
                assert!(last.is_none_or(|l| f.frame.dts == l + 9000));
                last = Some(f.frame.dts);
            }
            _ => {}
        }
    }
    assert!(
        matches!(items[0], LiveItem::Start(_)),
        "the run is still known"
    );
    assert!(skipped >= 256);
    assert_eq!(skipped as usize + frames(&items).len(), 580);
    assert!(frames(&items).len() <= 256);
}

#[test]
fn many_bytes_count_as_behind_too_but_one_large_frame_passes() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut sink = open(&bench, &footage);
    let mut viewer = watch(&bench, FRAMES);
    let large = |i: i64, mib: usize| Frame {
        dts: i * 9000,
        data: vec![0; mib << 20].into(),
        ..footage.video[0].clone()
    };
    sink.push(large(0, 9));
    assert_eq!(frames(&drain(&mut viewer)).len(), 1);
    for i in 1..=3 {
        sink.push(large(i, 3));
    }
    let items = drain(&mut viewer);
    assert!(matches!(items[0], LiveItem::Skipped(2)), "{items:?}");
    assert_eq!(frames(&items)[0].frame.dts, 3 * 9000);
}

#[test]
fn an_endless_group_of_pictures_is_not_kept() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut sink = open(&bench, &footage);
    for (i, frame) in footage.video(200).into_iter().enumerate() {
        sink.push(Frame {
            key: i == 0,
            ..frame
        });
    }
    let mut viewer = watch(&bench, FRAMES);
    assert!(matches!(drain(&mut viewer)[..], [LiveItem::Start(_)]));
    sink.push(footage.video(1)[0].clone());
    assert!(matches!(drain(&mut viewer)[..], [LiveItem::Frame(_)]));
}

#[test]
fn who_watches_is_counted() {
    let bench = Bench::new(30);
    let count = bench.worker.watched(&channel(), Quality::Low);
    assert_eq!(*count.borrow(), 0);
    let low = || bench.worker.subscribe(&channel(), Quality::Low, FRAMES);
    let (first, second) = (low(), low());
    let high = watch(&bench, FRAMES);
    assert_eq!(*count.borrow(), 2);
    drop(first);
    assert_eq!(*count.borrow(), 1);
    drop((second, high));
    assert_eq!(*count.borrow(), 0);
    let again = low();
    assert_eq!(*count.borrow(), 1, "the same count serves later viewers");
    drop(again);
}

#[tokio::test]
async fn next_wakes_up_when_a_frame_comes() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut sink = open(&bench, &footage);
    let mut viewer = watch(&bench, FRAMES);
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < 10 {
            if let LiveItem::Frame(f) = viewer.next().await {
                seen.push(f.frame.dts);
            }
        }
        seen
    });
    for frame in footage.video(1) {
        sink.push(frame);
        tokio::task::yield_now().await;
    }
    let seen = task.await.unwrap();
    assert_eq!(seen, (0..10).map(|i| i * 9000).collect::<Vec<_>>());
}

/// Audio of a viewer without holes or overlap, as (filler, time in samples).
fn audio(items: &[LiveItem]) -> Vec<(bool, i64)> {
    let heard: Vec<_> = frames(items)
        .into_iter()
        .filter(|f| f.frame.track == TrackKind::Audio)
        .map(|f| (f.filler, f.frame.dts))
        .collect();
    for pair in heard.windows(2) {
        assert!(pair[1].1 >= pair[0].1 + 1024, "overlap at {pair:?}");
    }
    heard
}

#[test]
fn silence_stands_in_for_audio_that_stops_and_gives_way_when_it_resumes() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut sink = open(&bench, &footage);
    let (mut player, mut bare) = (watch(&bench, FRAGMENTS), watch(&bench, FRAMES));
    let mut sent = footage.audio(0.0, 2.0);
    sent.extend(footage.audio(6.0, 9.0));
    for frame in footage.mixed(footage.video(9), sent.clone(), 0.0) {
        sink.push(frame);
    }
    let items = drain(&mut player);
    let heard = audio(&items);
    let filler: Vec<_> = heard
        .iter()
        .filter(|h| h.0)
        .map(|h| h.1 as f64 / 16_000.0)
        .collect();
    assert!(filler[0] >= 2.0 && filler[0] < 2.1, "{filler:?}");
    assert!(*filler.last().unwrap() < 6.0);
    assert!(filler.len() > 50);
    let real = heard.iter().filter(|h| !h.0).count();
    assert!(real >= sent.len() - 1 && real <= sent.len());
    // Never more than the patience behind the picture.
    let mut end = 0.0;
    for frame in frames(&items) {
        let at = footage.seconds(&frame.frame);
        match frame.frame.track {
            TrackKind::Audio => end = at + 0.064,
            TrackKind::Video => assert!(at - end < 0.7, "audio stands at {at}"),
        }
    }
    assert!(
        audio(&drain(&mut bare)).iter().all(|h| !h.0),
        "only who asks gets silence"
    );

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.mp4");
    std::fs::write(&path, film(&items)).unwrap();
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-xerror", "-i"])
        .arg(&path)
        .args(["-f", "null", "-"])
        .output()
        .expect("ffmpeg is a system package the tests need");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn silence_is_silent_for_every_codec_and_layout_it_is_made_for() {
    for (name, args) in [
        ("mono", vec!["-c:a", "aac", "-ac", "1"]),
        ("stereo", vec!["-c:a", "aac", "-ac", "2"]),
        ("opus", vec!["-c:a", "libopus", "-ac", "1"]),
        ("opus2", vec!["-c:a", "libopus", "-ac", "2"]),
    ] {
        // A stream of this layout whose audio ends after a moment.
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source.mp4");
        let made = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc=size=64x64:rate=10:duration=4",
            ])
            .args([
                "-f",
                "lavfi",
                "-i",
                "anullsrc=sample_rate=48000:duration=0.2",
            ])
            .args(["-c:v", "libx264", "-bf", "0", "-g", "10"])
            .args(&args)
            .args(["-movflags", "+frag_keyframe+empty_moov+default_base_moof"])
            .arg(&source)
            .status()
            .expect("ffmpeg is a system package the tests need");
        assert!(made.success());
        let (format, all) = demux(&std::fs::read(&source).unwrap());
        let footage = Footage {
            format,
            video: Vec::new(),
            audio: Vec::new(),
        };
        let bench = Bench::new(30);
        let mut sink = open(&bench, &footage);
        let mut player = watch(&bench, FRAGMENTS);
        for frame in all {
            sink.push(frame);
        }
        let items = drain(&mut player);
        assert!(
            frames(&items).iter().filter(|f| f.filler).count() > 100,
            "{name}"
        );
        let path = dir.path().join("live.mp4");
        std::fs::write(&path, film(&items)).unwrap();
        let output = Command::new("ffmpeg")
            .args(["-v", "warning", "-xerror", "-i"])
            .arg(&path)
            .args(["-vn", "-f", "s16le", "-"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
        assert!(output.stdout.len() > 48_000 * 2 * 2, "{name}");
        let loudest = output
            .stdout
            .chunks_exact(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]).unsigned_abs())
            .max();
        assert!(loudest.unwrap() <= 1, "{name}: {loudest:?}");
    }
}

#[test]
fn audio_that_is_always_late_is_heard_after_a_moment() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut sink = open(&bench, &footage);
    let mut player = watch(&bench, FRAGMENTS);
    let mut items = Vec::new();
    for frame in footage.mixed(footage.video(20), footage.audio(0.0, 20.0), 0.8) {
        sink.push(frame);
        items.extend(drain(&mut player));
    }
    let heard = audio(&items);
    let late: BTreeSet<_> = heard
        .iter()
        .filter(|h| h.1 > 16_000 * 5)
        .map(|h| h.0)
        .collect();
    assert_eq!(
        late,
        BTreeSet::from([false]),
        "only real audio once the lateness is known"
    );
}

#[test]
fn a_late_player_of_a_silent_stream_need_not_wait_for_sound() {
    let footage = Footage::of("h264-aac.mp4");
    let bench = Bench::new(30);
    let mut sink = open(&bench, &footage);
    for frame in &footage.video(3)[..24] {
        sink.push(frame.clone());
    }
    let mut player = watch(&bench, FRAGMENTS);
    let heard = audio(&drain(&mut player));
    assert!(heard.len() >= 3 && heard.iter().all(|h| h.0), "{heard:?}");
}

//! Runs follow the wall clock: drifting cameras, stepping clocks, and what must not be lost.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use oriel_media::{Frame, VideoCodec, VideoTrack, ingest::RunSink};
use tokio::sync::watch;

use super::*;

/// Start of all tests by the wall clock.
const MONDAY: i64 = 1_800_000_000_000;
/// Frames per second.
const RATE: i64 = 5;
/// Frames from one key frame to the next.
const GROUP: i64 = 10;

struct TakenRun {
    anchor: i64,
    /// Whether each is a key frame, and its time.
    frames: Vec<(bool, i64)>,
    ended: Option<ReasonCode>,
}

#[derive(Default)]
struct Taken {
    runs: Vec<TakenRun>,
}

impl Taken {
    /// Wall-clock times of all frames in the order they came.
    fn times(&self) -> Vec<i64> {
        let of = |run: &TakenRun| {
            let of_run = run.frames.iter().map(|(_, dts)| run.anchor + dts / 90);
            of_run.collect::<Vec<_>>()
        };
        self.runs.iter().flat_map(of).collect()
    }

    fn reasons(&self) -> Vec<ReasonCode> {
        self.runs.iter().filter_map(|r| r.ended).collect()
    }
}

#[derive(Clone, Default)]
struct Keeping(Arc<Mutex<Taken>>);

impl Keeping {
    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ingest for Keeping {
    fn open(&self, run: RunOpen) -> Box<dyn RunSink> {
        self.taken().runs.push(TakenRun {
            anchor: run.anchor.ms(),
            frames: Vec::new(),
            ended: None,
        });
        Box::new(self.clone())
    }

    fn watched(&self, _: &ChannelId, _: Quality) -> watch::Receiver<usize> {
        watch::channel(0).1
    }
}

impl RunSink for Keeping {
    fn push(&mut self, frame: Frame) {
        let runs = &mut self.taken().runs;
        runs.last_mut().unwrap().frames.push((frame.key, frame.dts));
    }

    fn dropped(&self) -> u64 {
        0
    }

    fn close(self: Box<Self>, reason: Reason, _: Option<f64>) {
        self.taken().runs.last_mut().unwrap().ended = Some(reason.code);
    }
}

/// Runs a camera whose clock is off by `ppm` for so many hours, on a computer whose wall clock
/// is ahead of its steady one by `wall` milliseconds after a number of seconds. Returns what was
/// taken and the true time of each frame.
fn record(ppm: f64, hours: i64, wall: impl Fn(i64) -> i64) -> (Keeping, Vec<i64>) {
    let keeping = Keeping::default();
    let format = Arc::new(Format {
        video: VideoTrack {
            codec: VideoCodec::H264,
            config: Bytes::new(),
            codec_string: String::new(),
            width: 0,
            height: 0,
        },
        audio: None,
    });
    let mut run = Run::new(
        Arc::new(keeping.clone()),
        ChannelId::from_random([7; 12]),
        Quality::High,
        format,
        true,
    );
    let start = Instant::now();
    let mut truth = Vec::new();
    for i in 0..hours * 3600 * RATE {
        let ms = i * 1000 / RATE;
        // Most frames come late by up to 800 ms.
        let late = i * 7919 % 800;
        let seen = wall(ms / 1000);
        let frame = Frame {
            track: TrackKind::Video,
            key: i % GROUP == 0,
            dts: ((ms * 90) as f64 * (1.0 + ppm / 1e6)) as i64,
            cts_offset: 0,
            duration: 0,
            data: Bytes::new(),
        };
        let at = start + Duration::from_millis(u64::try_from(ms + late).unwrap());
        run.frame_at(
            Received { frame, at },
            Timestamp::from_ms(MONDAY + ms + late + seen),
        );
        truth.push(MONDAY + ms + seen);
    }
    (keeping, truth)
}

fn check(keeping: &Keeping, truth: &[i64]) {
    let taken = keeping.taken();
    let times = taken.times();
    assert_eq!(times.len(), truth.len(), "every frame is in one run");
    let worst = times.iter().zip(truth).map(|(a, b)| (a - b).abs()).max();
    assert!(worst < Some(1_600), "{worst:?}");
    let steps = times.windows(2).map(|w| w[1] - w[0]);
    assert!(
        steps.clone().all(|s| s.abs() < 1_000),
        "{:?}",
        steps.max_by_key(|s| s.abs())
    );
    for run in &taken.runs {
        assert_eq!(run.frames.first(), Some(&(true, 0)));
    }
}

#[test]
fn a_drifting_camera_stays_with_the_wall_clock_and_loses_no_frame() {
    for ppm in [200.0, -200.0] {
        let (keeping, truth) = record(ppm, 6, |_| 0);
        check(&keeping, &truth);
        // 4.3 s in all.
        let reasons = keeping.taken().reasons();
        assert!((6..=9).contains(&reasons.len()), "{reasons:?}");
        assert!(reasons.iter().all(|r| *r == ReasonCode::Ended));
    }
}

#[test]
fn small_steps_of_the_wall_clock_do_not_add_up() {
    for way in [1, -1] {
        let (keeping, truth) = record(0.0, 2, |s| s / 900 * 700 * way);
        check(&keeping, &truth);
        let reasons = keeping.taken().reasons();
        assert_eq!(reasons.len(), 7);
        assert!(reasons.iter().all(|r| *r == ReasonCode::ClockStep));
    }
}

#[test]
fn a_camera_that_keeps_time_stays_in_one_run() {
    let (keeping, truth) = record(2.0, 6, |_| 0);
    check(&keeping, &truth);
    assert_eq!(keeping.taken().runs.len(), 1);
}

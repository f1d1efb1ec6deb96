//! Files made of recorded segments: what ffmpeg sees in them, and what is left when things go
//! wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use oriel_api::{
    ErrorCode, PlaceKind, Quality, Range, ReasonCode, Timestamp,
    link::{Assembled, AssemblyLink, AssemblyOrder, AssemblyProgress, Piece, SegmentClosed},
};
use oriel_bucket::{Bucket, FolderBucket, SharedStores, Stores};
use oriel_child::Program;
use oriel_worker::WorkerOptions;
use sha2::{Digest, Sha256};
use support::*;

/// Counts, and gives up when so many bytes are done.
struct Watch {
    done: AtomicU64,
    total: AtomicU64,
    give_up_at: u64,
}

impl Watch {
    fn new() -> Arc<Self> {
        Self::giving_up_at(u64::MAX)
    }
    fn giving_up_at(give_up_at: u64) -> Arc<Self> {
        Arc::new(Self {
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            give_up_at,
        })
    }
}

#[async_trait]
impl AssemblyProgress for Watch {
    fn advanced(&self, done: u64, total: u64) {
        assert!(done >= self.done.swap(done, Ordering::SeqCst) && done <= total);
        self.total.store(total, Ordering::SeqCst);
    }
    fn cancelled(&self) -> bool {
        self.done.load(Ordering::SeqCst) >= self.give_up_at
    }
    async fn parts_begun(&self, _: &str) -> oriel_api::Result<()> {
        Ok(())
    }
    async fn parts_ended(&self, _: &str, _: bool) {}
}

async fn local(root: &Path) -> Stores {
    FolderBucket::set_up(root).await.unwrap();
    let folder = Bucket::Folder(FolderBucket::open(root, None).await.unwrap());
    let mut stores = Stores::none();
    for kind in [PlaceKind::Clips, PlaceKind::Exports] {
        stores.local.insert(kind, folder.clone());
    }
    stores
}

/// A worker with places for what it makes.
async fn bench(seconds: u32, adjust: impl FnOnce(&mut WorkerOptions)) -> (Bench, SharedStores) {
    let shared = SharedStores::default();
    let bench = Bench::with(seconds, |options| {
        options.stores = shared.clone();
        options.reserve_bytes = 0;
        adjust(options);
    });
    shared.replace(local(bench.dir.path()).await);
    bench.worker.start(false).await.unwrap();
    (bench, shared)
}

fn piece(row: &SegmentClosed) -> Piece {
    Piece {
        start: row.start,
        end: row.end,
        bytes: row.bytes,
        local: true,
        object_key: None,
        run: row.run,
        codecs: row.codecs.clone(),
    }
}

fn order(rows: &[SegmentClosed], from_ms: i64, to_ms: i64) -> AssemblyOrder {
    AssemblyOrder {
        channel: channel(),
        range: Range {
            start: Timestamp::from_ms(NOON.ms() + from_ms),
            end: Timestamp::from_ms(NOON.ms() + to_ms),
        },
        pieces: rows.iter().map(piece).collect(),
        exact: false,
        with_audio: true,
        title: "Thief".into(),
        key: format!("clips/{}/c1.mp4", channel()),
    }
}

fn clip(bench: &Bench) -> PathBuf {
    bench.dir.path().join(format!("clips/{}/c1.mp4", channel()))
}

/// Nothing that is half done lies about.
fn nothing_left(bench: &Bench) {
    assert_eq!(names(&bench.dir.path().join(".oriel/tmp")), [""; 0]);
}

/// Pictures that ffmpeg decodes, without one complaint.
fn pictures(path: &Path) -> usize {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|l| l.starts_with("0,")).count()
}

async fn recorded(seconds: usize) -> (Bench, SharedStores, Vec<SegmentClosed>) {
    recorded_in(2, seconds).await
}

async fn recorded_in(each: u32, seconds: usize) -> (Bench, SharedStores, Vec<SegmentClosed>) {
    let (bench, stores) = bench(each, |_| {}).await;
    let footage = Footage::of("h264-aac.mp4");
    let frames = footage.mixed(
        footage.video(seconds),
        footage.audio(0.0, seconds as f64),
        0.0,
    );
    let rows = bench.record_on(&footage, frames).await;
    assert!(rows.len() >= seconds / each as usize, "{}", rows.len());
    (bench, stores, rows)
}

async fn make(bench: &Bench, order: AssemblyOrder) -> oriel_api::Result<Assembled> {
    bench.worker.assemble(order, Watch::new()).await
}

#[tokio::test]
async fn a_range_becomes_one_file() {
    let (bench, _, rows) = recorded(12).await;
    let watch = Watch::new();
    let made = bench
        .worker
        .assemble(order(&rows, 3_500, 9_000), watch.clone())
        .await
        .unwrap();
    // From the key frame at 3 s, ten pictures a second.
    assert_eq!(pictures(&clip(&bench)), 60);
    assert_eq!(made.start.ms() - NOON.ms(), 3_000);
    assert_eq!(made.end.ms() - NOON.ms(), 9_000);
    assert_eq!((made.gaps.len(), made.remote), (0, false));
    assert_eq!(made.bytes, std::fs::metadata(clip(&bench)).unwrap().len());
    assert_eq!(watch.done.load(Ordering::SeqCst), made.bytes);
    assert_eq!(watch.total.load(Ordering::SeqCst), made.bytes);
    nothing_left(&bench);

    let mut exact = order(&rows, 3_500, 9_000);
    exact.exact = true;
    // An export says what its bytes are.
    exact.key = "exports/j1/front.mp4".into();
    exact.with_audio = false;
    let made = make(&bench, exact).await.unwrap();
    let path = bench.dir.path().join("exports/j1/front.mp4");
    assert_eq!(pictures(&path), 55);
    assert_eq!(made.start.ms() - NOON.ms(), 3_500);
    let sum: [u8; 32] = Sha256::digest(std::fs::read(path).unwrap()).into();
    assert_eq!(made.sha256, Some(sum));
}

#[tokio::test]
async fn what_is_gone_or_damaged_is_a_hole_with_a_cause() {
    let (bench, _, rows) = recorded(12).await;
    std::fs::remove_file(bench.file(&rows[1])).unwrap();
    std::fs::write(bench.file(&rows[3]), b"not a segment at all").unwrap();
    let made = make(&bench, order(&rows, 0, 12_000)).await.unwrap();
    assert_eq!(made.gaps.len(), 2, "{:?}", made.gaps);
    for (gap, row) in made.gaps.iter().zip([&rows[1], &rows[3]]) {
        assert_eq!((gap.start, gap.end), (row.start, row.end));
        let reason = gap.reason.as_ref().unwrap();
        assert_eq!(reason.code, ReasonCode::StorageUnavailable);
    }
    let lost =
        (rows[1].end.ms() - rows[1].start.ms() + rows[3].end.ms() - rows[3].start.ms()) / 100;
    assert_eq!(pictures(&clip(&bench)), 120 - lost as usize);

    for row in &rows {
        let _ = std::fs::remove_file(bench.file(row));
    }
    let none = make(&bench, order(&rows, 0, 12_000)).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::NotFound);
    nothing_left(&bench);
}

#[tokio::test]
async fn a_disk_that_is_away_is_waited_for() {
    let (bench, _, rows) = recorded(12).await;
    let (here, away) = (bench.root(), bench.dir.path().join("away"));
    std::fs::rename(&here, &away).unwrap();
    // What is left of a disk that is not connected.
    std::fs::create_dir(&here).unwrap();
    let none = make(&bench, order(&rows, 0, 12_000)).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::StorageUnavailable);
    std::fs::remove_dir(&here).unwrap();
    std::fs::rename(&away, &here).unwrap();
    // The worker takes it again by itself.
    let mut made = make(&bench, order(&rows, 0, 12_000)).await;
    for _ in 0..600 {
        if made.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        made = make(&bench, order(&rows, 0, 12_000)).await;
    }
    assert!(made.unwrap().gaps.is_empty());
}

#[tokio::test]
async fn a_torn_end_is_a_hole_too() {
    let (bench, _, rows) = recorded_in(5, 18).await;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(bench.file(&rows[2]))
        .unwrap();
    file.set_len(rows[2].bytes * 3 / 5).unwrap();
    let made = make(&bench, order(&rows, 0, 18_000)).await.unwrap();
    assert_eq!(made.gaps.len(), 1, "{:?}", made.gaps);
    assert_eq!(made.gaps[0].end, rows[2].end);
    assert!(made.gaps[0].start > rows[2].start && made.gaps[0].reason.is_some());
    assert!(pictures(&clip(&bench)) > 100);
}

#[tokio::test]
async fn another_format_is_left_out_with_its_cause() {
    let (bench, _) = bench(60, |_| {}).await;
    let (a, b) = (Footage::of("h264-aac.mp4"), Footage::of("h264-bframes.mp4"));
    for (footage, at, seconds) in [(&b, 0, 3), (&a, 3_000, 6)] {
        let mut sink = bench.open_at(footage, Timestamp::from_ms(NOON.ms() + at));
        let frames = if at == 0 {
            footage.video.clone()
        } else {
            footage.video(seconds)
        };
        for frame in frames {
            sink.push(frame);
        }
        sink.close(reason(), None);
    }
    bench.stop().await;
    let rows = bench.nvr.rows();
    assert_eq!(rows.len(), 2);
    let made = make(&bench, order(&rows, 0, 9_000)).await.unwrap();
    assert_eq!(pictures(&clip(&bench)), 60);
    assert_eq!(made.gaps.len(), 1, "{:?}", made.gaps);
    let reason = made.gaps[0].reason.as_ref().unwrap();
    assert_eq!(reason.code, ReasonCode::FormatChanged);
}

#[tokio::test]
async fn cancelled_or_full_leaves_nothing() {
    let (bench, stores, rows) = recorded(12).await;
    let gone = bench
        .worker
        .assemble(order(&rows, 0, 12_000), Watch::giving_up_at(2_000))
        .await
        .unwrap_err();
    assert_eq!(gone.code, ErrorCode::Conflict);
    assert!(!clip(&bench).exists());
    nothing_left(&bench);

    let mut nowhere = Stores::none();
    nowhere.local.clear();
    stores.replace(nowhere);
    let none = make(&bench, order(&rows, 0, 12_000)).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::StorageUnavailable);

    stores.replace(local(bench.dir.path()).await);
    for key in [
        "recordings/x",
        "clips/../x.mp4",
        "snapshots/abcdefghijkm/1.jpg",
    ] {
        let mut order = order(&rows, 0, 12_000);
        order.key = key.into();
        let refused = make(&bench, order).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidArgument, "{key}");
    }
    // What an earlier attempt left is replaced.
    std::fs::create_dir_all(clip(&bench).parent().unwrap()).unwrap();
    std::fs::write(clip(&bench), b"old").unwrap();
    make(&bench, order(&rows, 0, 12_000)).await.unwrap();
    assert_eq!(pictures(&clip(&bench)), 120);
}

#[tokio::test]
async fn a_start_takes_away_what_a_killed_process_left() {
    let shared = SharedStores::default();
    let bench = Bench::with(2, |options| options.stores = shared.clone());
    let stores = local(bench.dir.path()).await;
    let half = bench.dir.path().join(".oriel/tmp/.tmpHalf");
    let file = std::fs::File::create(&half).unwrap();
    let hour = std::time::Duration::from_secs(3600);
    file.set_modified(std::time::SystemTime::now() - hour)
        .unwrap();
    bench.worker.start(false).await.unwrap();
    shared.replace(stores);
    until("the half file is gone", || !half.exists()).await;
}

#[tokio::test]
async fn the_last_key_frame_as_a_picture() {
    let program = Arc::new(Program::new(None));
    if program.path().is_err() {
        // Beside the test programs, one folder up.
        let exe = std::env::current_exe().unwrap();
        let beside = exe.parent().unwrap().parent().unwrap().join("oriel-gst");
        assert!(
            beside.is_file(),
            "build oriel-gst first: {}",
            beside.display()
        );
        return take_picture(Arc::new(Program::new(Some(beside)))).await;
    }
    take_picture(program).await;
}

async fn take_picture(program: Arc<Program>) {
    let (bench, _) = bench(60, |options| options.program = Some(program)).await;
    let stands = bench.worker.picture(&channel(), Quality::High).await;
    assert_eq!(stands.unwrap_err().code, ErrorCode::Unavailable);
    let footage = Footage::of("h264-aac.mp4");
    let mut sink = bench.open(&footage);
    for frame in footage.video(3) {
        sink.push(frame);
    }
    let (jpeg, taken) = bench
        .worker
        .picture(&channel(), Quality::High)
        .await
        .unwrap();
    assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
    assert_eq!(taken.ms() - NOON.ms(), 2_000, "the last key frame");
    sink.close(reason(), None);
    bench.stop().await;
}

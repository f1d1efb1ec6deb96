//! Real frames, a real folder, and an nvr that writes down what it is told.
#![allow(dead_code, reason = "every test program uses its own part of this")]

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use oriel_api::{
    CameraId, ChannelId, Error, Quality, Reason, ReasonCode, Result, Timestamp,
    link::{NvrLink, RunId, RunStarted, SegmentClosed, StreamStatus},
};
use oriel_media::{
    Format, Frame, TrackKind,
    ingest::{Ingest, RunOpen, RunSink},
    read::{StreamItem, StreamReader},
    scan::Scan,
};
use oriel_worker::{
    Worker, WorkerOptions,
    platform::{LocalDisk, Volume, VolumeFile},
};

/// A round moment: 2026-01-01T00:00:00Z.
pub const NOON: Timestamp = Timestamp::from_ms(1_767_225_600_000);

pub fn channel() -> ChannelId {
    "abcdefghijkm".parse().unwrap()
}

pub fn reason() -> Reason {
    Reason {
        code: ReasonCode::Ended,
        message: "The test is over.".into(),
    }
}

/// The tracks and frames of a fixture.
#[derive(Clone)]
pub struct Footage {
    pub format: Arc<Format>,
    pub video: Vec<Frame>,
    pub audio: Vec<Frame>,
}

impl Footage {
    /// Three seconds at ten frames per second, a key frame every second.
    pub fn of(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tests/fixtures")
            .join(name);
        let (format, frames) = demux(&std::fs::read(path).unwrap());
        let (video, audio): (Vec<_>, Vec<_>) = frames
            .into_iter()
            .partition(|f| f.track == TrackKind::Video);
        assert_eq!(video.len(), 30);
        Self {
            format,
            video,
            audio,
        }
    }

    /// The same pictures again and again for so many seconds.
    pub fn video(&self, seconds: usize) -> Vec<Frame> {
        (0..seconds * 10)
            .map(|i| Frame {
                dts: i as i64 * 9000,
                duration: 0,
                ..self.video[i % 30].clone()
            })
            .collect()
    }

    /// Audio between two times in seconds.
    pub fn audio(&self, from: f64, to: f64) -> Vec<Frame> {
        let track = self.format.audio.as_ref().unwrap();
        let samples = i64::from(track.frame_samples.max(960));
        let rate = f64::from(track.sample_rate);
        (0..)
            .map(|i| Frame {
                dts: i * samples,
                duration: 0,
                ..self.audio[i as usize % self.audio.len()].clone()
            })
            .skip_while(|f| (f.dts as f64) < from * rate)
            .take_while(|f| (f.dts as f64) < to * rate)
            .collect()
    }

    /// Ticks of a track in seconds.
    pub fn seconds(&self, frame: &Frame) -> f64 {
        frame.dts as f64 / f64::from(self.format.timescale(frame.track))
    }

    /// Both tracks in the order of their times, audio coming so much later.
    pub fn mixed(&self, video: Vec<Frame>, audio: Vec<Frame>, late: f64) -> Vec<Frame> {
        let mut all: Vec<_> = video.into_iter().chain(audio).collect();
        let arrival = |f: &Frame| {
            self.seconds(f)
                + if f.track == TrackKind::Audio {
                    late
                } else {
                    0.0
                }
        };
        all.sort_by(|a, b| arrival(a).total_cmp(&arrival(b)));
        all
    }
}

/// All frames of a fragmented MP4.
pub fn demux(bytes: &[u8]) -> (Arc<Format>, Vec<Frame>) {
    let mut reader = StreamReader::new();
    reader.push(bytes);
    let (mut format, mut frames) = (None, Vec::new());
    while let Some(item) = reader.next().unwrap() {
        match item {
            StreamItem::Format(f) => format = Some(f),
            StreamItem::Frame(f) => frames.push(f),
        }
    }
    assert!(reader.at_boundary(), "half a box at the end");
    (format.unwrap(), frames)
}

/// Frames of a segment file, by track.
pub fn frames_in(path: &Path) -> (Vec<Frame>, Vec<Frame>) {
    let (_, frames) = demux(&std::fs::read(path).unwrap());
    frames
        .into_iter()
        .partition(|f| f.track == TrackKind::Video)
}

pub fn scan_file(path: &Path) -> Scan {
    let file = std::fs::File::open(path).unwrap();
    let len = file.metadata().unwrap().len();
    oriel_media::scan::scan(io::BufReader::new(file), len).unwrap()
}

/// Names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Waits for a condition, for as long as a slow machine may need.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What an nvr was told.
#[derive(Default)]
pub struct Nvr {
    pub rows: Mutex<BTreeMap<(ChannelId, Timestamp), SegmentClosed>>,
    /// Everything, in order.
    pub told: Mutex<Vec<String>>,
    pub storage: Mutex<Vec<Option<String>>>,
    /// The mark of the folder of recordings.
    pub mark: Mutex<Option<String>>,
    /// How often the next calls are refused.
    pub refuse: AtomicU64,
}

impl Nvr {
    pub fn rows(&self) -> Vec<SegmentClosed> {
        self.rows.lock().unwrap().values().cloned().collect()
    }
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
    fn tell(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }
    fn refused(&self) -> Result<()> {
        let left = self
            .refuse
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match left {
            Ok(_) => Err(Error::unavailable("busy")),
            Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl NvrLink for Nvr {
    async fn run_started(&self, run: RunStarted) -> Result<RunId> {
        self.refused()?;
        self.tell(format!("run {}x{}", run.width, run.height));
        Ok(self.told().iter().filter(|t| t.starts_with("run ")).count() as RunId)
    }
    async fn run_ended(&self, run: RunId, end: Timestamp, _: Reason, _: Option<f64>) -> Result<()> {
        self.refused()?;
        self.tell(format!("end {run} {}", end.ms() - NOON.ms()));
        Ok(())
    }
    async fn segment_closed(&self, segment: SegmentClosed) -> Result<()> {
        self.refused()?;
        self.tell(format!("segment {}", segment.start.ms() - NOON.ms()));
        self.rows
            .lock()
            .unwrap()
            .entry((segment.channel.clone(), segment.start))
            .or_insert(segment);
        Ok(())
    }
    async fn local_segments(
        &self,
        channel: &ChannelId,
        after: Timestamp,
        limit: usize,
    ) -> Result<Vec<Timestamp>> {
        let rows = self.rows.lock().unwrap();
        let starts = rows.keys().filter(|(c, s)| c == channel && *s > after);
        Ok(starts.map(|(_, s)| *s).take(limit).collect())
    }
    async fn recordings_place(&self, mark: Option<&str>) -> Result<bool> {
        let mut known = self.mark.lock().unwrap();
        Ok(match (known.as_deref(), mark) {
            (None, None) => self.rows.lock().unwrap().is_empty(),
            (None, Some("")) | (Some(""), None) => true,
            (None | Some(""), Some(mark)) => {
                *known = Some(mark.into());
                true
            }
            (Some(known), Some(mark)) => known == mark,
            (Some(_), None) => false,
        })
    }
    async fn segment_missing(&self, channel: &ChannelId, start: Timestamp) -> Result<()> {
        self.tell(format!("missing {}", start.ms() - NOON.ms()));
        self.rows.lock().unwrap().remove(&(channel.clone(), start));
        Ok(())
    }
    fn stream_changed(&self, _: &CameraId, _: Quality, _: StreamStatus) {}
    fn storage_changed(&self, _: &ChannelId, error: Option<String>) {
        self.storage.lock().unwrap().push(error);
    }
}

/// A real disk with faults that can be switched on.
#[derive(Default)]
pub struct FaultyDisk {
    /// Bytes that may still be written; then it is full.
    pub room: Arc<Room>,
}

pub struct Room {
    pub bytes: AtomicU64,
    /// What the disk says is free, of 1,000,000 bytes.
    pub free: AtomicU64,
    /// Nothing works while set, not even closing.
    pub broken: AtomicBool,
    /// Writes stand while this is held.
    pub gate: Mutex<()>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: AtomicU64::new(u64::MAX),
            free: AtomicU64::new(1_000_000),
            broken: AtomicBool::new(false),
            gate: Mutex::new(()),
        }
    }
}

impl Room {
    fn check(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("the medium does not answer"));
        }
        Ok(())
    }
}

struct FaultyFile {
    file: Box<dyn VolumeFile>,
    room: Arc<Room>,
}

impl Volume for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn VolumeFile>> {
        self.room.check()?;
        Ok(Box::new(FaultyFile {
            file: LocalDisk.create(path)?,
            room: Arc::clone(&self.room),
        }))
    }
    fn space(&self, _: &Path) -> io::Result<(u64, u64)> {
        Ok((self.room.free.load(Ordering::SeqCst), 1_000_000))
    }
}

impl VolumeFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        drop(self.room.gate.lock().unwrap());
        self.room.check()?;
        let room = self.room.bytes.load(Ordering::SeqCst);
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.file.append(&bytes[..fits])?;
        if room != u64::MAX {
            self.room.bytes.store(room - fits as u64, Ordering::SeqCst);
        }
        if fits < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.room.check()?;
        self.file.write_at(offset, bytes)
    }
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.room.check()?;
        self.file.truncate(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.room.check()?;
        self.file.sync()
    }
}

/// A worker on a folder of its own.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub nvr: Arc<Nvr>,
    pub room: Arc<Room>,
    pub worker: Arc<Worker>,
}

impl Bench {
    /// With segments of so many seconds, not yet started.
    pub fn new(segment_seconds: u32) -> Self {
        Self::with(segment_seconds, |_| {})
    }

    pub fn with(segment_seconds: u32, adjust: impl FnOnce(&mut WorkerOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let room = Arc::clone(&disk.room);
        let mut options = WorkerOptions::new(dir.path().join("recordings"));
        options.segment_seconds = segment_seconds;
        options.volume = Arc::new(disk);
        // A slow machine is no reason to fail.
        options.stop_budget = Duration::from_secs(60);
        adjust(&mut options);
        let nvr = Arc::new(Nvr::default());
        let worker = Worker::new(options, Arc::clone(&nvr) as Arc<dyn NvrLink>);
        Self {
            dir,
            nvr,
            room,
            worker,
        }
    }

    pub async fn started(segment_seconds: u32) -> Self {
        let this = Self::new(segment_seconds);
        this.worker.start(false).await.unwrap();
        this
    }

    /// Another worker on the same folder and database, as after a restart.
    pub fn again(&self) -> Arc<Worker> {
        let mut options = WorkerOptions::new(self.root());
        options.segment_seconds = 2;
        options.stop_budget = Duration::from_secs(60);
        Worker::new(options, Arc::clone(&self.nvr) as Arc<dyn NvrLink>)
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }

    pub fn folder(&self) -> PathBuf {
        self.root().join(channel().as_str())
    }

    pub fn file(&self, row: &SegmentClosed) -> PathBuf {
        self.folder().join(format!("{}.mp4", row.start.ms()))
    }

    pub fn open(&self, footage: &Footage) -> Box<dyn RunSink> {
        self.open_at(footage, NOON)
    }

    pub fn open_at(&self, footage: &Footage, anchor: Timestamp) -> Box<dyn RunSink> {
        self.worker.open(RunOpen {
            channel: channel(),
            quality: Quality::High,
            record: true,
            format: Arc::clone(&footage.format),
            anchor,
        })
    }

    /// Records frames as one run and stops.
    pub async fn record(&self, footage: &Footage, frames: Vec<Frame>) -> Vec<SegmentClosed> {
        let rows = self.record_on(footage, frames).await;
        self.worker.stop().await;
        rows
    }

    /// Records frames as one run.
    pub async fn record_on(&self, footage: &Footage, frames: Vec<Frame>) -> Vec<SegmentClosed> {
        let mut sink = self.open(footage);
        for frame in frames {
            sink.push(frame);
        }
        assert_eq!(sink.dropped(), 0);
        sink.close(reason(), Some(1.5));
        self.ended().await;
        self.nvr.rows()
    }

    /// Stops when all runs that began are reported to have ended.
    pub async fn stop(&self) {
        self.ended().await;
        self.worker.stop().await;
    }

    async fn ended(&self) {
        until("all runs have ended", || {
            let told = self.nvr.told();
            let count = |what: &str| told.iter().filter(|t| t.starts_with(what)).count();
            count("run ") > 0 && count("run ") == count("end ")
        })
        .await;
    }
}

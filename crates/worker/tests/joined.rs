//! Clips joined inside a bucket: an S3 server in this process, whose traffic is counted.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[allow(dead_code, reason = "written for the tests of the stores")]
#[path = "../../bucket/tests/stores/server.rs"]
mod server;
mod support;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use oriel_api::{
    ErrorCode, PlaceKind, Range, Timestamp,
    link::{Assembled, AssemblyLink, AssemblyOrder, AssemblyProgress, Piece, SegmentClosed},
};
use oriel_bucket::{
    Areas, Bucket, Capabilities, FolderBucket, MIN_PART, ObjectKey, PutOptions, Remote,
    SharedStores, Source, StoredAt, Stores,
};
use oriel_media::Frame;
use server::{Asked, Do, S3, open};
use support::*;

const SEGMENT: u64 = 12_000_000;

struct Patient;

#[async_trait]
impl AssemblyProgress for Patient {
    fn advanced(&self, done: u64, total: u64) {
        assert!(done <= total);
    }
    fn cancelled(&self) -> bool {
        false
    }
    async fn parts_begun(&self, _: &str) -> oriel_api::Result<()> {
        Ok(())
    }
    async fn parts_ended(&self, _: &str, _: bool) {}
}

async fn stores(root: &Path) -> Stores {
    FolderBucket::set_up(root).await.unwrap();
    let folder = Bucket::Folder(FolderBucket::open(root, None).await.unwrap());
    let mut stores = Stores::none();
    stores.local.insert(PlaceKind::Clips, folder);
    stores
}

/// Pictures with so many bytes that a segment is larger than the smallest part.
fn large(footage: &Footage, seconds: usize) -> Vec<Frame> {
    let size = SEGMENT as usize / 20;
    let mut data = (size as u32 - 4).to_be_bytes().to_vec();
    data.extend((4..size).map(|i| (i * 7 % 251) as u8 | 1));
    let data = Bytes::from(data);
    let mut frames = footage.video(seconds);
    for frame in &mut frames {
        frame.data = data.clone();
    }
    frames
}

struct Setting {
    bench: Bench,
    shared: SharedStores,
    s3: S3,
    remote: Remote,
    rows: Vec<SegmentClosed>,
}

impl Setting {
    /// Four segments, each on this disk and in the bucket.
    async fn new() -> Self {
        let shared = SharedStores::default();
        let bench = Bench::with(2, |options| {
            options.stores = shared.clone();
            options.reserve_bytes = 0;
            options.queue_bytes = 1 << 30;
        });
        bench.worker.start(false).await.unwrap();
        let footage = Footage::of("h264-aac.mp4");
        let rows = bench.record(&footage, large(&footage, 8)).await;
        assert!(rows.len() >= 4);
        let s3 = S3::start().await;
        let incoming = s3.bucket().await;
        let mut settings = s3.settings();
        settings.bucket = "produced".into();
        let remote = Remote {
            at: StoredAt::default(),
            areas: Areas {
                incoming: incoming.clone(),
                produced: open(settings).await,
            },
            capabilities: Capabilities {
                copy: true,
                part_copy: true,
                range: true,
                if_none_match: true,
                multipart: true,
            },
        };
        for row in &rows {
            let file = Source::file(bench.file(row)).await.unwrap();
            let options = PutOptions::default();
            incoming.put(&key(row), &file, &options).await.unwrap();
        }
        Self {
            bench,
            shared,
            s3,
            remote,
            rows,
        }
    }

    async fn connect(&self) {
        let mut stores = stores(self.bench.dir.path()).await;
        stores.remote = Some(self.remote.clone());
        self.shared.replace(stores);
    }

    async fn make(&self, local: bool) -> oriel_api::Result<Assembled> {
        let order = AssemblyOrder {
            channel: channel(),
            range: Range {
                start: Timestamp::from_ms(NOON.ms() + 1_500),
                end: Timestamp::from_ms(NOON.ms() + 7_500),
            },
            pieces: self.rows.iter().map(|row| piece(row, local)).collect(),
            exact: true,
            with_audio: true,
            title: "Thief".into(),
            key: clip().to_string(),
        };
        self.bench.worker.assemble(order, Arc::new(Patient)).await
    }

    /// The file as it is made from local segments alone.
    async fn made_here(&self) -> Vec<u8> {
        self.shared.replace(stores(self.bench.dir.path()).await);
        let made = self.make(true).await.unwrap();
        assert!(!made.remote);
        let path = self.bench.dir.path().join(clip().as_str());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        bytes
    }
}

fn key(row: &SegmentClosed) -> ObjectKey {
    let length = (row.end.ms() - row.start.ms()) as u64;
    ObjectKey::recording(&channel(), row.start, length).unwrap()
}

fn clip() -> ObjectKey {
    ObjectKey::clip(&channel(), "c1").unwrap()
}

fn piece(row: &SegmentClosed, local: bool) -> Piece {
    Piece {
        start: row.start,
        end: row.end,
        bytes: row.bytes,
        local,
        object_key: Some(key(row).to_string()),
        run: row.run,
        codecs: row.codecs.clone(),
    }
}

fn number(asked: &Asked, header: &str) -> u64 {
    let value = asked.headers.get(header).and_then(|v| v.to_str().ok());
    value.and_then(|v| v.parse().ok()).unwrap_or(0)
}

/// Bytes that a request asks for, of one of these objects.
fn asked_for(asked: &Asked, objects: &[(String, u64)]) -> u64 {
    let object = objects.iter().find(|(key, _)| asked.path.ends_with(key));
    let size = object.unwrap().1;
    let range = asked.headers.get("range").and_then(|v| v.to_str().ok());
    let Some((start, end)) = range
        .and_then(|r| r.strip_prefix("bytes="))
        .and_then(|r| r.split_once('-'))
    else {
        return size;
    };
    let start: u64 = start.parse().unwrap();
    end.parse().map_or(size, |end: u64| end + 1) - start
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_copies_and_only_edges_pass_through_here() {
    let setting = Setting::new().await;
    let here = setting.made_here().await;
    for row in &setting.rows {
        std::fs::remove_file(setting.bench.file(row)).unwrap();
    }
    let (up, down) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (sent, got) = (up.clone(), down.clone());
    let size = |row: &SegmentClosed| (key(row).to_string(), row.bytes);
    let objects: Vec<_> = setting.rows.iter().map(size).collect();
    setting.s3.rule(move |asked| {
        match asked.method.as_str() {
            "PUT" if !asked.headers.contains_key("x-amz-copy-source") => {
                sent.fetch_add(number(asked, "content-length"), Ordering::SeqCst);
            }
            "GET" => {
                got.fetch_add(asked_for(asked, &objects), Ordering::SeqCst);
            }
            _ => {}
        }
        Do::Right
    });
    setting.connect().await;
    let made = setting.make(false).await.unwrap();
    assert!(made.remote && made.sha256.is_none() && made.gaps.is_empty());
    assert_eq!(made.bytes, here.len() as u64);
    let (up, down) = (up.load(Ordering::SeqCst), down.load(Ordering::SeqCst));
    // The head, and as much as makes it a part; at the end what is too little to be copied.
    assert!(
        (MIN_PART..2 * MIN_PART).contains(&up),
        "{up} of {}",
        here.len()
    );
    // That, and the ends of the segments with their sample indexes.
    let ends = setting.rows.len() as u64 * 66_000;
    assert!(down < 2 * MIN_PART + ends, "{down} of {}", here.len());

    setting.s3.rule(|_| Do::Right);
    let object = setting
        .remote
        .areas
        .produced
        .get(&clip(), None)
        .await
        .unwrap();
    assert!(
        object.bytes(1 << 30).await.unwrap() == here,
        "byte for byte"
    );
    let path = setting.bench.dir.path().join(clip().as_str());
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_leaves_it_to_us() {
    let mut setting = Setting::new().await;
    let here = setting.made_here().await;
    let path = setting.bench.dir.path().join(clip().as_str());
    for row in &setting.rows {
        std::fs::remove_file(setting.bench.file(row)).unwrap();
    }
    setting.connect().await;
    type Rule = fn(&Asked) -> Do;
    let rules: [Rule; 2] = [
        |asked| match asked.headers.contains_key("x-amz-copy-source") {
            true => Do::Refuse(501, "NotImplemented"),
            false => Do::Right,
        },
        |asked| match asked.headers.contains_key("x-amz-copy-source") {
            true => Do::OverlookCopy,
            false => Do::Right,
        },
    ];
    for rule in rules {
        setting.s3.rule(rule);
        let made = setting.make(false).await.unwrap();
        assert!(!made.remote);
        assert!(std::fs::read(&path).unwrap() == here, "byte for byte");
        std::fs::remove_file(&path).unwrap();
    }
    // Neither copies nor ranges: whole segments are fetched.
    setting.remote.capabilities = Capabilities::default();
    setting.connect().await;
    setting.s3.rule(|_| Do::WholeForRange);
    assert!(!setting.make(false).await.unwrap().remote);
    assert!(std::fs::read(&path).unwrap() == here, "byte for byte");
    std::fs::remove_file(&path).unwrap();

    // Down: worth another try, and nothing is left.
    setting.s3.rule(|_| Do::Refuse(503, "SlowDown"));
    let down = setting.make(false).await.unwrap_err();
    assert_eq!(down.code, ErrorCode::Unavailable);
    assert!(!path.exists());
    let scratch = setting.bench.dir.path().join(".oriel/tmp");
    assert_eq!(names(&scratch), [""; 0]);

    // One object is gone: a hole with a cause.
    setting.s3.rule(|_| Do::Right);
    setting
        .remote
        .areas
        .incoming
        .delete(&key(&setting.rows[1]))
        .await
        .unwrap();
    let made = setting.make(false).await.unwrap();
    assert_eq!(made.gaps.len(), 1, "{:?}", made.gaps);
    assert!(made.gaps[0].reason.is_some());
}

//! Retention over a large table: what it costs, and what requests and the recorder feel of it.
//!
//! The real nvr, database and worker; only the cameras are left out.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use async_trait::async_trait;
use oriel_api::{
    Caller, CameraId, ChannelId, Credentials, Error, ProbeReport, Quality, StreamProfile,
    Timestamp, dispatch,
    link::{AgentLink, CameraSetup, NvrLink, SegmentClosed, StreamStatus},
};
use oriel_nvr::{Nvr, NvrOptions};
use oriel_secrets::MemoryStore;
use oriel_store::{NewCamera, Store};
use oriel_worker::{Worker, WorkerOptions};
use serde_json::json;

use crate::{cost, table};

const DAY_MS: i64 = 24 * 3600 * 1000;
const SEGMENT_MS: i64 = 30_000;
const CAMERAS: u8 = 16;
/// Deleted with their files for the price of one.
const FILES: i64 = 10_000;

/// What lies in the table.
#[derive(Clone, Copy, PartialEq)]
enum Filled {
    /// Everything on this disk.
    Local,
    /// Most in the bucket only, before what is on this disk.
    BucketFirst,
}

/// Runs all tables.
pub fn run(rows: u64, seconds: u64) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut lines = Vec::new();
    for (name, filled) in [
        ("all on this disk", Filled::Local),
        (
            "in the bucket only, before 100,000 local ones",
            Filled::BucketFirst,
        ),
    ] {
        let felt = runtime.block_on(felt(rows, filled, Duration::from_secs(seconds)))?;
        let of = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
            format!(
                "{:.1} / {:.1} / {:.1} of {}",
                at(0.5),
                at(0.99),
                at(1.0),
                times.len()
            )
        };
        lines.push(vec![
            format!("{rows} rows, {name}"),
            felt.deleted.to_string(),
            of(felt.lists),
            of(felt.timelines),
            of(felt.closed),
        ]);
    }
    table::print(
        "While retention deletes by age (ms: median / 99 % / most)",
        &[
            "table",
            "deleted",
            "segment_list of a day",
            "timeline of a day",
            "segment closed",
        ],
        &lines,
    );
    let (cpu, wall) = runtime.block_on(price(rows))?;
    table::print(
        "Deletion with files",
        &["table", "CPU of 1,000, s", "time of 1,000, s"],
        &[vec![
            format!("{rows} rows"),
            format!("{cpu:.3}"),
            format!("{wall:.3}"),
        ]],
    );
    Ok(())
}

struct NoCameras;

#[async_trait]
impl AgentLink for NoCameras {
    async fn apply(&self, _: CameraSetup) -> Result<(), Error> {
        Ok(())
    }
    async fn remove(&self, _: &CameraId) -> Result<(), Error> {
        Ok(())
    }
    async fn probe(&self, _: &str, _: Option<Credentials>) -> Result<ProbeReport, Error> {
        Err(Error::unavailable("There are no cameras here."))
    }
    async fn snapshot(&self, _: &CameraId) -> Result<Vec<u8>, Error> {
        Err(Error::unavailable("There are no cameras here."))
    }
    fn status(&self, _: &CameraId, _: Quality) -> Option<StreamStatus> {
        None
    }
    async fn gstreamer(&self) -> Option<String> {
        None
    }
}

fn camera(n: u8) -> CameraId {
    CameraId::from_random([n; 12])
}

fn channel(n: u8) -> ChannelId {
    ChannelId::from_random([n; 12])
}

fn now() -> Result<i64> {
    let since = std::time::UNIX_EPOCH.elapsed()?;
    Ok(i64::try_from(since.as_millis())?)
}

/// A recorder over a table.
struct Scene {
    folder: tempfile::TempDir,
    nvr: Arc<Nvr>,
    store: Store,
    end: i64,
}

impl Scene {
    async fn new(rows: u64, filled: Filled) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("oriel.db");
        let end = now()? / SEGMENT_MS * SEGMENT_MS;
        fill(&path, rows, filled, end).await?;
        let store = Store::open(&path).await?;
        let options = NvrOptions {
            data_dir: folder.path().to_owned(),
            ..NvrOptions::default()
        };
        let nvr = Nvr::new(options, store.clone(), Arc::new(MemoryStore::default())).await?;
        let worker = Worker::new(
            WorkerOptions::new(folder.path().join("recordings")),
            nvr.clone(),
        );
        nvr.attach(Arc::new(NoCameras), worker.clone(), worker);
        nvr.start().await?;
        Ok(Self {
            folder,
            nvr,
            store,
            end,
        })
    }

    async fn call(&self, operation: &str, input: serde_json::Value) -> Result<f64> {
        let began = Instant::now();
        dispatch(&*self.nvr, &Caller::owner(), operation, input).await?;
        Ok(began.elapsed().as_secs_f64() * 1000.0)
    }

    async fn local(&self) -> Result<u64> {
        Ok(self.store.held().await?.iter().map(|h| h.local_count).sum())
    }

    async fn keep_a_day(&self) -> Result<()> {
        self.call("storage_update", json!({ "retention_days": 1 }))
            .await?;
        Ok(())
    }
}

struct Felt {
    deleted: u64,
    lists: Vec<f64>,
    timelines: Vec<f64>,
    closed: Vec<f64>,
}

async fn felt(rows: u64, filled: Filled, for_long: Duration) -> Result<Felt> {
    let scene = Scene::new(rows, filled).await?;
    let before = scene.local().await?;
    scene.keep_a_day().await?;
    let began = Instant::now();
    let mut felt = Felt {
        deleted: 0,
        lists: Vec::new(),
        timelines: Vec::new(),
        closed: Vec::new(),
    };
    let mut n = 0;
    while began.elapsed() < for_long {
        let of = (n % i64::from(CAMERAS)) as u8;
        // Days that are kept and days that are being deleted, in turn.
        let to = scene.end - n % 20 * DAY_MS;
        let (from, to) = (Timestamp::from_ms(to - DAY_MS), Timestamp::from_ms(to));
        let list = json!({ "camera_id": camera(of), "start": from, "end": to });
        felt.lists.push(scene.call("segment_list", list).await?);
        let line = json!({ "id": channel(of), "start": from, "end": to });
        felt.timelines.push(scene.call("timeline", line).await?);
        let start = scene.end + n * 10;
        let closed = Instant::now();
        scene
            .nvr
            .segment_closed(SegmentClosed {
                channel: channel(of),
                run: None,
                start: Timestamp::from_ms(start),
                end: Timestamp::from_ms(start + 10),
                bytes: 1,
                codecs: "avc1.64001f".into(),
                continues: true,
                sha256: None,
            })
            .await?;
        felt.closed.push(closed.elapsed().as_secs_f64() * 1000.0);
        n += 1;
    }
    felt.deleted = (before + n as u64).saturating_sub(scene.local().await?);
    scene.nvr.stop().await?;
    Ok(felt)
}

/// CPU and time of 1,000 deletions with their files.
async fn price(rows: u64) -> Result<(f64, f64)> {
    let scene = Scene::new(rows, Filled::Local).await?;
    let folder = scene.folder.path().join("recordings");
    let path = scene.folder.path().join("oriel.db");
    let oldest = tokio::task::spawn_blocking(move || make_files(&path, &folder)).await??;
    let pid = [std::process::id()];
    let before = scene.local().await?;
    let (cpu, began) = (cost::of(&pid)?.cpu, Instant::now());
    scene.keep_a_day().await?;
    // Oldest first: the last one goes last, and looking at all would be what is measured.
    while oldest.last().is_some_and(|f| f.exists()) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (cpu, wall) = (cost::of(&pid)?.cpu - cpu, began.elapsed().as_secs_f64());
    let thousands = (before - scene.local().await?) as f64 / 1000.0;
    scene.nvr.stop().await?;
    Ok((cpu / thousands, wall / thousands))
}

/// The oldest files of the first channel, of which age takes the first.
fn make_files(database: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let connection = rusqlite::Connection::open(database)?;
    let mut statement = connection.prepare(
        "SELECT start_ms FROM recording WHERE channel = (SELECT min(id) FROM channel)
         ORDER BY start_ms LIMIT ?1",
    )?;
    let folder = folder.join(channel(0).as_str());
    std::fs::create_dir_all(&folder)?;
    let mut files = Vec::new();
    for start in statement.query_map([FILES], |r| r.get::<_, i64>(0))? {
        let file = folder.join(format!("{}.mp4", start?));
        std::fs::write(&file, vec![0; 100_000])?;
        files.push(file);
    }
    files.last().context("files")?;
    Ok(files)
}

async fn fill(path: &Path, total: u64, filled: Filled, end: i64) -> Result<()> {
    let store = Store::open(path).await?;
    for n in 0..CAMERAS {
        store
            .camera_insert(NewCamera {
                id: camera(n),
                name: format!("Camera {n}"),
                profiles: vec![StreamProfile {
                    quality: Quality::High,
                    url: format!("rtsp://camera-{n}/"),
                    video: None,
                    audio: None,
                }],
                snapshot_url: None,
                channel: channel(n),
                at: Timestamp::from_ms(0),
            })
            .await?;
    }
    store.close().await;
    let mut connection = rusqlite::Connection::open(path)?;
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT OR IGNORE INTO codec (codecs) VALUES ('avc1.64001f')",
        [],
    )?;
    let per_channel = i64::try_from(total / u64::from(CAMERAS))?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO recording (channel, start_ms, end_ms, bytes, codec, continues, local,
               state, object_key, stored_ms)
             SELECT c.id, ?1, ?1 + 30000, 11000000, (SELECT min(id) FROM codec), 1, ?2,
               CASE WHEN ?2 = 1 THEN 0 ELSE 2 END,
               CASE WHEN ?2 = 1 THEN NULL ELSE 'recordings/' || c.public_id || '/' || ?1 END,
               CASE WHEN ?2 = 1 THEN NULL ELSE ?1 + 60000 END
             FROM channel c",
        )?;
        let more = if filled == Filled::BucketFirst {
            100_000 / i64::from(CAMERAS)
        } else {
            0
        };
        for n in 0..per_channel + more {
            let start = end - (per_channel + more - n) * SEGMENT_MS;
            let local = filled == Filled::Local || n >= per_channel;
            insert.execute((start, i64::from(local)))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

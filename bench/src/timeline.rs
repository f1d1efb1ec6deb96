//! What the page asks most: a day of sixteen cameras, in a usual and in a very large table.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use oriel_api::{CameraId, ChannelId, Range, StreamProfile, Timestamp};
use oriel_store::{NewCamera, Store};

use crate::table;

const DAY_MS: i64 = 24 * 3600 * 1000;
const SEGMENT_MS: i64 = 30_000;
const CAMERAS: u8 = 16;

fn id(n: u8) -> [u8; 12] {
    [n; 12]
}

/// Builds both tables and asks them.
pub fn run(rows: u64) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut lines = Vec::new();
    for (name, total) in [
        ("16 cameras x 2,880 segments", 2880 * u64::from(CAMERAS)),
        ("large table", rows),
    ] {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("oriel.db");
        let end = Timestamp::from_ms(1_790_000_000_000 / DAY_MS * DAY_MS);
        runtime.block_on(fill(&path, total, end))?;
        let (all, one, scan) = runtime.block_on(ask(&path, end))?;
        lines.push(vec![
            format!("{name}: {total} rows"),
            format!("{all:.1}"),
            format!("{one:.2}"),
            format!("{scan:.1}"),
            format!("{:.4}", all / scan),
        ]);
    }
    table::print(
        "Timeline of a day (release build, warm)",
        &[
            "table",
            "16 timelines, ms",
            "one timeline, ms",
            "count of all rows by SQLite, ms",
            "16 timelines / count",
        ],
        &lines,
    );
    Ok(())
}

async fn fill(path: &Path, total: u64, end: Timestamp) -> Result<()> {
    let store = Store::open(path).await?;
    for n in 0..CAMERAS {
        let camera = CameraId::from_random(id(n));
        let profile = StreamProfile {
            quality: oriel_api::Quality::High,
            url: format!("rtsp://camera-{n}/"),
            video: None,
            audio: None,
        };
        store
            .camera_insert(NewCamera {
                id: camera.clone(),
                name: format!("Camera {n}"),
                profiles: vec![profile],
                snapshot_url: None,
                channel: ChannelId::from_random(id(n)),
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
            "INSERT INTO recording (channel, start_ms, end_ms, bytes, codec, continues, local, state)
             SELECT c.id, ?1, ?2, 11000000, (SELECT min(id) FROM codec), ?3, 1, 0 FROM channel c",
        )?;
        for n in 0..per_channel {
            let start = end.ms() - (per_channel - n) * SEGMENT_MS;
            // A hole every hundred segments, as a restart of the camera would leave.
            let hole = n % 100 == 0;
            insert.execute((
                start + if hole { 5000 } else { 0 },
                start + SEGMENT_MS,
                i64::from(!hole),
            ))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

async fn ask(path: &Path, end: Timestamp) -> Result<(f64, f64, f64)> {
    let store = Store::open(path).await?;
    let day = Range::checked(Timestamp::from_ms(end.ms() - DAY_MS), end)?;
    let mut best_all = f64::INFINITY;
    let mut best_one = f64::INFINITY;
    for _ in 0..5 {
        let began = Instant::now();
        for n in 0..CAMERAS {
            let each = Instant::now();
            let seen = store
                .timeline(ChannelId::from_random(id(n)), day, end, Vec::new())
                .await?;
            seen.stretches.first().context("footage")?;
            best_one = best_one.min(each.elapsed().as_secs_f64() * 1000.0);
        }
        best_all = best_all.min(began.elapsed().as_secs_f64() * 1000.0);
    }
    store.close().await;
    let connection = rusqlite::Connection::open(path)?;
    let began = Instant::now();
    connection.query_row(
        "SELECT count(*), sum(bytes) FROM recording NOT INDEXED",
        [],
        |r| r.get::<_, i64>(0),
    )?;
    Ok((best_all, best_one, began.elapsed().as_secs_f64() * 1000.0))
}

//! Uploading a gigabyte of segments to an S3 server on this computer, beside rclone.
//!
//! The whole recorder counts, database and all; the server is a process of its own and does not.
//! Footage that was recorded while there was a destination has its sums already; what they cost
//! then is a line of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use oriel_api::{CameraId, ChannelId, Quality, StreamProfile, Timestamp, link::SegmentClosed};
use oriel_store::{NewCamera, Store};
use oriel_system_tests::{Recorder, RecorderOptions};
use oriel_testkit::storage::TestStorage;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{cost, record::release, table};

const SEGMENT: u64 = 15_000_000;
const SEGMENT_MS: i64 = 30_000;
/// What rclone has by itself.
const AT_ONCE: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(600);

/// Serves a folder until the end of standard input; what `run` starts.
pub fn serve(folder: &Path) -> Result<()> {
    let storage = TestStorage::start(folder)?;
    println!("{}", storage.endpoint());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

struct Server {
    child: Child,
    endpoint: String,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("storage")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut endpoint = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut endpoint)?;
        Ok(Self {
            child,
            endpoint: endpoint.trim().to_owned(),
            folder,
        })
    }

    /// Segments in its bucket and their bytes.
    fn holds(&self) -> Result<(usize, u64)> {
        let (mut objects, mut bytes) = (0, 0);
        let mut folders = vec![self.folder.path().join(TestStorage::BUCKET)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with('.') {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.path().extension().is_some_and(|e| e == "mp4") {
                    objects += 1;
                    bytes += entry.metadata()?.len();
                }
            }
        }
        Ok((objects, bytes))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Taken {
    cpu: f64,
    wall: f64,
    /// Most memory at any time, MB.
    rss: f64,
}

/// Most memory a process has had, MB.
fn peak(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kb = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.split_whitespace().next())
        .context("VmHWM")?;
    Ok(kb.parse::<f64>()? / 1000.0)
}

/// Runs both in turn, `rounds` times, and prints the best of each.
pub fn run(megabytes: u64, rounds: u32, rclone: &Path) -> Result<()> {
    let (data, older) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let count = (megabytes * 1_000_000).div_ceil(SEGMENT);
    let runtime = tokio::runtime::Runtime::new()?;
    let (footage, summing) = runtime.block_on(fill(data.path(), count, true))?;
    runtime.block_on(fill(older.path(), count, false))?;
    let (mut ours, mut before, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(copied(rclone, &footage, count)?);
        for (data, taken) in [(&data, &mut ours), (&older, &mut before)] {
            let copy = tempfile::tempdir()?;
            taken.push(uploaded(data.path(), copy.path(), count)?);
        }
    }
    let best = |all: &[Taken], of: fn(&Taken) -> f64| {
        all.iter()
            .map(of)
            .min_by(f64::total_cmp)
            .unwrap_or_default()
    };
    let (cpu, wall) = (best(&theirs, |t| t.cpu), best(&theirs, |t| t.wall));
    let line = |name: &str, all: &[Taken]| {
        let most = all.iter().map(|t| t.rss).max_by(f64::total_cmp);
        vec![
            name.to_owned(),
            format!("{:.2}", best(all, |t| t.cpu)),
            format!("{:.2}", best(all, |t| t.cpu) / cpu),
            format!("{:.2}", best(all, |t| t.wall)),
            format!("{:.2}", best(all, |t| t.wall) / wall),
            format!("{:.1}", most.unwrap_or_default()),
        ]
    };
    table::print(
        &format!("Uploading {count} segments of 15 MB, {AT_ONCE} at a time, best of {rounds}"),
        &[
            "program",
            "CPU s",
            "/ rclone",
            "wall s",
            "/ rclone",
            "peak RSS MB",
        ],
        &[
            line("Oriel, the whole recorder", &ours),
            line("the same, footage from before the destination", &before),
            line("rclone copy", &theirs),
        ],
    );
    let summing = summing.as_secs_f64();
    println!(
        "\nMaking the sums as segments are closed: {summing:.2} s, {:.2} of rclone's CPU, \
         spread over {} minutes of recording",
        summing / cpu,
        count.cast_signed() * SEGMENT_MS / 60_000
    );
    Ok(())
}

/// A data folder with so many segments, `summed` as they are when there is a destination. Gives
/// the folder with their files, and what the sums took.
async fn fill(data: &Path, count: u64, summed: bool) -> Result<(PathBuf, Duration)> {
    let store = Store::open(&data.join("oriel.db")).await?;
    let channel = ChannelId::from_random([1; 12]);
    store
        .camera_insert(NewCamera {
            id: CameraId::from_random([1; 12]),
            name: "Door".into(),
            profiles: vec![StreamProfile {
                quality: Quality::High,
                // Nobody is there: nothing is recorded meanwhile.
                url: "rtsp://127.0.0.1:1/".into(),
                video: None,
                audio: None,
            }],
            snapshot_url: None,
            channel: channel.clone(),
            at: Timestamp::from_ms(0),
        })
        .await?;
    let footage = data.join("recordings").join(channel.as_str());
    fs::create_dir_all(&footage)?;
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?;
    let mut summing = Duration::ZERO;
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for n in 0..i64::try_from(count)? {
        let start = now - (i64::try_from(count)? - n + 10) * SEGMENT_MS;
        let mut file = fs::File::create(footage.join(format!("{start}.mp4")))?;
        let mut bytes = Vec::with_capacity(SEGMENT as usize);
        while bytes.len() < SEGMENT as usize {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.extend_from_slice(&seed.to_le_bytes());
        }
        file.write_all(&bytes)?;
        file.sync_all()?;
        let sha256 = summed.then(|| {
            let begun = Instant::now();
            let sum = Sha256::digest(&bytes).into();
            summing += begun.elapsed();
            sum
        });
        store
            .recording_insert(SegmentClosed {
                channel: channel.clone(),
                run: None,
                start: Timestamp::from_ms(start),
                end: Timestamp::from_ms(start + SEGMENT_MS),
                bytes: SEGMENT,
                codecs: "avc1.64001f".into(),
                continues: n > 0,
                sha256,
            })
            .await?;
    }
    store.close().await;
    Ok((footage, summing))
}

fn complete(server: &Server, count: u64) -> Result<()> {
    let held = server.holds()?;
    ensure!(
        held == (usize::try_from(count)?, count * SEGMENT),
        "the server holds {held:?}"
    );
    Ok(())
}

/// The recorder on a copy of the data folder: the files are the same, linked.
fn uploaded(data: &Path, copy: &Path, count: u64) -> Result<Taken> {
    link_all(data, copy)?;
    let server = Server::start()?;
    let options = RecorderOptions {
        program: Some(release("orield")?),
        ..RecorderOptions::default()
    };
    let recorder = Recorder::start(copy, options)?;
    // What happens at every start is not uploading.
    thread::sleep(Duration::from_secs(3));
    let pid = [recorder.pid()];
    let (before, began) = (cost::of(&pid)?.cpu, Instant::now());
    recorder.api().update_storage(json!({
        "destination": "s3",
        "endpoint": server.endpoint,
        "bucket": TestStorage::BUCKET,
        "addressing": "path",
        "credentials": "keys",
        "key_id": TestStorage::KEY_ID,
        "secret": TestStorage::SECRET,
        "uploads_at_once": AT_ONCE,
    }))?;
    loop {
        let uploads = recorder.api().storage()?.uploads;
        if uploads.uploaded >= count {
            break;
        }
        ensure!(began.elapsed() < PATIENCE, "not uploaded: {uploads:?}");
        thread::sleep(Duration::from_millis(100));
    }
    let taken = Taken {
        cpu: cost::of(&pid)?.cpu - before,
        wall: began.elapsed().as_secs_f64(),
        rss: peak(pid[0])?,
    };
    complete(&server, count)?;
    Ok(taken)
}

fn link_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let there = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link_all(&entry.path(), &there)?;
        } else if there.extension().is_some_and(|e| e == "mp4") {
            fs::hard_link(entry.path(), there)?;
        } else {
            fs::copy(entry.path(), there)?;
        }
    }
    Ok(())
}

fn copied(rclone: &Path, footage: &Path, count: u64) -> Result<Taken> {
    let server = Server::start()?;
    let began = Instant::now();
    let mut child = Command::new(rclone)
        .args(["copy", "--config", "", "--s3-no-check-bucket"])
        .args(["--s3-provider", "Other", "--s3-env-auth=false"])
        .args(["--s3-endpoint", &server.endpoint, "--s3-force-path-style"])
        .args(["--s3-access-key-id", TestStorage::KEY_ID])
        .args(["--s3-secret-access-key", TestStorage::SECRET])
        .args(["--transfers", &AT_ONCE.to_string()])
        .arg(footage)
        .arg(format!(":s3:{}", TestStorage::BUCKET))
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("start {}", rclone.display()))?;
    let mut taken = Taken {
        cpu: 0.0,
        wall: 0.0,
        rss: 0.0,
    };
    // The books of a process are closed when it ends: what it had some milliseconds before
    // counts, which is in its favour.
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let (Ok(cost), Ok(rss)) = (cost::of(&[child.id()]), peak(child.id())) {
            taken.cpu = taken.cpu.max(cost.cpu);
            taken.rss = rss;
        }
        thread::sleep(Duration::from_millis(20));
    };
    taken.wall = began.elapsed().as_secs_f64();
    ensure!(status.success(), "rclone: {status}");
    complete(&server, count)?;
    Ok(taken)
}

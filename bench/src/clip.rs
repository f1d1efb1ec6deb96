//! A clip of an hour from 120 local segments, beside `ffmpeg -f concat -c copy` on the same files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use oriel_api::{
    CameraId, ChannelId, PlaceKind, Quality, Range, Reason, Timestamp,
    link::{
        AssemblyLink, AssemblyOrder, AssemblyProgress, NvrLink, Piece, RunId, RunStarted,
        SegmentClosed, StreamStatus,
    },
};
use oriel_bucket::{Bucket, FolderBucket, SharedStores, Stores};
use oriel_media::{
    Format, Frame, SegmentHeader, TrackKind, build_fragment, build_index,
    read::{StreamItem, StreamReader},
    segment::FragmentRef,
};
use oriel_worker::{Worker, WorkerOptions};

use crate::table;

const START: i64 = 1_767_225_600_000;
const SECONDS: i64 = 30;
const FRAMES: i64 = 15;

fn channel() -> ChannelId {
    ChannelId::from_random(*b"bench-clips-")
}

/// Makes the segments and measures both.
pub fn run(segments: i64, megabytes: i64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let total = write(folder.path(), segments, megabytes)?;
    let list: String = (0..segments)
        .map(|n| format!("file '{}'\n", segment(folder.path(), n).display()))
        .collect();
    fs::write(folder.path().join("list"), list)?;
    let ours = std::env::current_exe()?;
    let (root, count) = (folder.path().display().to_string(), segments.to_string());
    let list = format!("{root}/list");
    let out = format!("{root}/ffmpeg.mp4");
    let mut lines = Vec::new();
    let mut first = None;
    for round in 1..=3 {
        let theirs = times(
            "ffmpeg",
            &[
                "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", &list, "-c", "copy", &out,
            ],
        )?;
        fs::remove_file(&out)?;
        let own = times(&ours.display().to_string(), &["clip-once", &root, &count])?;
        first.get_or_insert(own.rss);
        for (name, cost) in [("Oriel", &own), ("ffmpeg -f concat -c copy", &theirs)] {
            lines.push(vec![
                format!("{name}, round {round}"),
                format!("{:.2}", cost.user),
                format!("{:.2}", cost.system),
                format!("{:.2}", own.user / cost.user.max(0.01)),
                cost.rss.map_or_else(|| "-".into(), |mb| format!("{mb:.1}")),
            ]);
        }
    }
    table::print(
        &format!(
            "A clip of {segments} segments, {:.2} GB",
            total as f64 / 1e9
        ),
        &[
            "program",
            "user s",
            "system s",
            "Oriel / this",
            "most RSS MB",
        ],
        &lines,
    );
    Ok(())
}

struct Times {
    user: f64,
    system: f64,
    rss: Option<f64>,
}

/// Runs a program; the shell says what it cost.
fn times(program: &str, arguments: &[&str]) -> Result<Times> {
    let output = Command::new("bash")
        .args(["-c", "\"$@\" || exit 1; times", "times", program])
        .args(arguments)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let rss = text
        .lines()
        .find_map(|l| l.strip_prefix("rss "))
        .and_then(|mb| mb.parse().ok());
    let children = text.lines().last().context("times")?;
    let seconds = |text: &str| -> Result<f64> {
        let (minutes, seconds) = text
            .trim_end_matches('s')
            .split_once('m')
            .context("times")?;
        Ok(minutes.parse::<f64>()? * 60.0 + seconds.parse::<f64>()?)
    };
    let (user, system) = children.split_once(' ').context("times")?;
    Ok(Times {
        user: seconds(user)?,
        system: seconds(system)?,
        rss,
    })
}

/// One clip of what [`run`] wrote; what a process of its own costs.
pub fn once(root: &Path, segments: i64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(make(root, segments))?;
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kb: f64 = peak
        .context("VmHWM")?
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    println!("rss {:.1}", kb / 1000.0);
    Ok(())
}

async fn make(root: &Path, segments: i64) -> Result<()> {
    FolderBucket::set_up(root).await?;
    let place = Bucket::Folder(FolderBucket::open(root, None).await?);
    let stores = SharedStores::default();
    let mut now = Stores::none();
    now.local.insert(PlaceKind::Clips, place);
    stores.replace(now);
    let mut options = WorkerOptions::new(root.join("recordings"));
    options.stores = stores;
    let worker = Worker::new(options, Arc::new(Deaf));
    let at = |n: i64| Timestamp::from_ms(START + n * SECONDS * 1000);
    let pieces = (0..segments).map(|n| Piece {
        start: at(n),
        end: at(n + 1),
        bytes: 0,
        local: true,
        object_key: None,
        run: Some(1),
        codecs: String::new(),
    });
    let order = AssemblyOrder {
        channel: channel(),
        range: Range {
            start: at(0),
            end: at(segments),
        },
        pieces: pieces.collect(),
        exact: false,
        with_audio: true,
        title: "An hour".into(),
        key: format!("clips/{}/hour.mp4", channel()),
    };
    let made = worker.assemble(order, Arc::new(Patient)).await?;
    ensure!(made.gaps.is_empty() && made.end == at(segments), "{made:?}");
    Ok(())
}

fn segment(root: &Path, number: i64) -> PathBuf {
    let start = START + number * SECONDS * 1000;
    root.join(format!("recordings/{}/{start}.mp4", channel()))
}

/// Segments as the recorder writes them, of noise in place of pictures.
fn write(root: &Path, segments: i64, megabytes: i64) -> Result<u64> {
    let (format, sound) = tracks()?;
    fs::create_dir_all(root.join("recordings").join(channel().as_str()))?;
    let rate = format.timescale(TrackKind::Audio);
    let size = usize::try_from(megabytes * 1_000_000 / (segments * SECONDS * FRAMES))?;
    let mut noise = 1_u64;
    let mut picture = || {
        let mut data = (size as u32 - 4).to_be_bytes().to_vec();
        data.push(0x41);
        data.extend((5..size).map(|_| {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (noise >> 56) as u8 | 1
        }));
        data
    };
    let pictures: Vec<_> = (0..16).map(|_| bytes::Bytes::from(picture())).collect();
    let mut total = 0;
    for number in 0..segments {
        let start = START + number * SECONDS * 1000;
        let head = SegmentHeader::new(&format, start, &channel(), 120)?;
        let mut file = head.bytes.to_vec();
        let mut fragments = Vec::new();
        let (mut sequence, mut heard) = (0, 0);
        for half in 0..SECONDS * 2 {
            let frames = (half * FRAMES / 2..(half + 1) * FRAMES / 2).map(|n| Frame {
                track: TrackKind::Video,
                key: n % (2 * FRAMES) == 0,
                dts: n * 90_000 / FRAMES,
                cts_offset: 0,
                duration: (90_000 / FRAMES) as u32,
                data: pictures[n as usize % pictures.len()].clone(),
            });
            let until = i64::from(rate) * (half + 1) / 2;
            let mut sounds = Vec::new();
            while heard < until {
                sounds.push(Frame {
                    dts: heard,
                    duration: 1024,
                    ..sound.clone()
                });
                heard += 1024;
            }
            for (track, frames) in [
                (TrackKind::Video, frames.collect::<Vec<_>>()),
                (TrackKind::Audio, sounds),
            ] {
                sequence += 1;
                let made = build_fragment(track, sequence, 0, &frames);
                if !made.bytes.is_empty() {
                    fragments.push(FragmentRef::new(&made, file.len() as u64, 0));
                    file.extend_from_slice(&made.bytes);
                }
            }
        }
        let header_len = head.bytes.len() as u64;
        if let Some(index) = build_index(&format, &fragments, head.index_capacity, header_len) {
            let at = usize::try_from(head.index_offset)?;
            file[at..at + index.len()].copy_from_slice(&index);
        }
        let len = file.len() as u64;
        let tail = oriel_media::tail::build_tail(std::io::Cursor::new(&file), len)?;
        file.extend_from_slice(&tail);
        total += file.len() as u64;
        fs::write(segment(root, number), file)?;
    }
    Ok(total)
}

/// The tracks of a fixture, and one of its sounds.
fn tracks() -> Result<(Format, Frame)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/h264-aac.mp4");
    let mut reader = StreamReader::new();
    reader.push(&fs::read(path)?);
    let (mut format, mut sound) = (None, None);
    while let Some(item) = reader.next()? {
        match item {
            StreamItem::Format(f) => format = Some((*f).clone()),
            StreamItem::Frame(f) if f.track == TrackKind::Audio => sound = Some(f),
            StreamItem::Frame(_) => {}
        }
    }
    Ok((format.context("format")?, sound.context("sound")?))
}

struct Patient;

#[async_trait]
impl AssemblyProgress for Patient {
    fn advanced(&self, _: u64, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
    async fn parts_begun(&self, _: &str) -> oriel_api::Result<()> {
        Ok(())
    }
    async fn parts_ended(&self, _: &str, _: bool) {}
}

/// An nvr that is never told anything here.
struct Deaf;

#[async_trait]
impl NvrLink for Deaf {
    async fn run_started(&self, _: RunStarted) -> oriel_api::Result<RunId> {
        Ok(1)
    }
    async fn run_ended(
        &self,
        _: RunId,
        _: Timestamp,
        _: Reason,
        _: Option<f64>,
    ) -> oriel_api::Result<()> {
        Ok(())
    }
    async fn segment_closed(&self, _: SegmentClosed) -> oriel_api::Result<()> {
        Ok(())
    }
    async fn local_segments(
        &self,
        _: &ChannelId,
        _: Timestamp,
        _: usize,
    ) -> oriel_api::Result<Vec<Timestamp>> {
        Ok(Vec::new())
    }
    async fn recordings_place(&self, _: Option<&str>) -> oriel_api::Result<bool> {
        Ok(true)
    }
    async fn segment_missing(&self, _: &ChannelId, _: Timestamp) -> oriel_api::Result<()> {
        Ok(())
    }
    fn stream_changed(&self, _: &CameraId, _: Quality, _: StreamStatus) {}
    fn storage_changed(&self, _: &ChannelId, _: Option<String>) {}
}

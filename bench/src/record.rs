//! Recording many cameras: Oriel with a live viewer on each, beside ffmpeg and a bare copier.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use oriel_api::{SegmentState, StreamState};
use oriel_media::{
    TrackKind,
    read::{StreamItem, StreamReader},
};
use oriel_system_tests::{Recorder, RecorderOptions, wait};
use oriel_testkit::{CameraOptions, TestCamera};
use serde_json::json;

use crate::{
    cost::{self, Cost},
    table,
};

/// The release build of a program, next to this one.
pub fn release(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    Ok(here
        .parent()
        .context("folder")?
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

struct Killed(Vec<Child>);
impl Drop for Killed {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs the three in turn on the same cameras.
pub fn run(cameras: usize, seconds: u64) -> Result<()> {
    let camera = TestCamera::start(CameraOptions::benchmark(u32::try_from(cameras)?))?;
    let urls: Vec<String> = (0..cameras)
        .map(|n| camera.url_of(&format!("/cam{n}")))
        .collect();
    let floor = copier(&urls, seconds)?;
    let (ours, idle, lost) = oriel(&urls, seconds)?;
    let ffmpeg = ffmpeg(&urls, seconds)?;
    let hours = cameras as f64 * seconds as f64 / 3600.0;
    let line = |name: &str, cost: Cost| {
        vec![
            name.to_owned(),
            format!("{:.2}", cost.cpu),
            format!("{:.2}", cost.cpu / hours),
            format!("{:.2}", ours.cpu / cost.cpu),
            format!("{:.1}", cost.pss),
        ]
    };
    table::print(
        &format!("Recording {cameras} cameras 1080p15 over TCP, {seconds} s"),
        &[
            "program",
            "CPU s",
            "CPU s per camera-hour",
            "Oriel / this",
            "PSS MB",
        ],
        &[
            line("Oriel, one live viewer on each", ours),
            line("ffmpeg -c copy -f segment, a process each", ffmpeg),
            line("bare copier, a thread each", floor),
        ],
    );
    println!(
        "\nOriel: {lost} frames lost; {:.1} MB before the cameras, {:.2} MB more per camera.",
        idle,
        (ours.pss - idle) / cameras as f64
    );
    Ok(())
}

fn measured(pids: &[u32], seconds: u64) -> Result<Cost> {
    let before = cost::of(pids)?;
    thread::sleep(Duration::from_secs(seconds));
    let after = cost::of(pids)?;
    Ok(Cost {
        cpu: after.cpu - before.cpu,
        pss: after.pss,
    })
}

fn copier(urls: &[String], seconds: u64) -> Result<Cost> {
    let out = tempfile::tempdir()?;
    let child = Command::new(std::env::current_exe()?)
        .arg("floor")
        .arg("--out")
        .arg(out.path())
        .args(urls)
        .spawn()?;
    let children = Killed(vec![child]);
    wait_files(out.path(), urls.len());
    measured(&[children.0[0].id()], seconds)
}

fn ffmpeg(urls: &[String], seconds: u64) -> Result<Cost> {
    let out = tempfile::tempdir()?;
    let mut children = Killed(Vec::new());
    for (n, url) in urls.iter().enumerate() {
        children.0.push(
            Command::new("ffmpeg")
                .args([
                    "-v",
                    "error",
                    "-rtsp_transport",
                    "tcp",
                    "-i",
                    url,
                    "-c",
                    "copy",
                    "-f",
                    "segment",
                ])
                .args([
                    "-segment_time",
                    "30",
                    "-segment_format_options",
                    "movflags=frag_keyframe+empty_moov",
                    "-reset_timestamps",
                    "1",
                ])
                .arg(out.path().join(format!("{n}-%03d.mp4")))
                .stdin(Stdio::null())
                .spawn()?,
        );
    }
    wait_files(out.path(), urls.len());
    thread::sleep(Duration::from_secs(2));
    let pids: Vec<u32> = children.0.iter().map(Child::id).collect();
    measured(&pids, seconds)
}

fn wait_files(folder: &Path, count: usize) {
    wait::until("every camera is being written", || {
        let written = std::fs::read_dir(folder)
            .ok()?
            .filter_map(|e| e.ok()?.metadata().ok())
            .filter(|m| m.len() > 100_000)
            .count();
        (written >= count).then_some(())
    });
}

fn oriel(urls: &[String], seconds: u64) -> Result<(Cost, f64, u64)> {
    let data = tempfile::tempdir()?;
    let options = RecorderOptions {
        program: Some(release("orield")?),
        ..RecorderOptions::default()
    };
    let mut recorder = Recorder::start(data.path(), options)?;
    thread::sleep(Duration::from_secs(1));
    let idle = cost::of(&[recorder.pid()])?.pss;
    let api = recorder.api();
    let mut ids = Vec::new();
    let mut paths = Vec::new();
    for (n, url) in urls.iter().enumerate() {
        let camera = api.add_camera(json!({ "name": format!("Camera {n}"), "url": url }))?;
        api.wait_state(camera.id.as_str(), StreamState::Streaming);
        paths.push(format!(
            "{}&mode=frames&audio=0",
            api.live_path(camera.channel_id.context("channel")?.as_str())?
        ));
        ids.push(camera.id);
    }
    let viewers = Killed(vec![
        Command::new(std::env::current_exe()?)
            .arg("viewers")
            .arg(recorder.address())
            .args(&paths)
            .spawn()?,
    ]);
    thread::sleep(Duration::from_secs(3));
    let cost = measured(&[recorder.pid()], seconds)?;
    drop(viewers);
    let mut lost = 0;
    for id in &ids {
        let camera = api.camera(id.as_str())?;
        ensure!(
            camera.state == StreamState::Streaming,
            "{} stopped",
            camera.name
        );
        lost += camera.stats.map_or(0, |s| s.dropped);
        let channel = api.channel(camera.channel_id.context("channel")?.as_str())?;
        lost += channel.recording.lost_frames;
    }
    let segments: Vec<_> = ids
        .iter()
        .map(|id| api.segments(id.as_str()))
        .collect::<Result<_>>()?;
    recorder.stop()?;
    lost += missing_frames(data.path(), &segments)?;
    Ok((cost, idle, lost))
}

/// Frames that should be in the closed files and are not: every file holds as many as its length
/// says, and no hole stands between two.
fn missing_frames(data: &Path, cameras: &[Vec<oriel_api::Segment>]) -> Result<u64> {
    const RATE: f64 = 15.0;
    let mut missing = 0.0;
    for folder in std::fs::read_dir(data.join("recordings"))? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let (frames, ticks) = video_frames(&path)?;
            let seconds = ticks as f64 / f64::from(oriel_media::format::VIDEO_TIMESCALE);
            missing += (seconds * RATE - frames as f64).round().max(0.0);
        }
    }
    for segments in cameras {
        for pair in segments
            .windows(2)
            .filter(|p| p[1].state != SegmentState::Missing)
        {
            missing += ((pair[1].start.ms() - pair[0].end.ms()) as f64 / 1000.0 * RATE)
                .round()
                .max(0.0);
        }
    }
    Ok(missing as u64)
}

/// Video frames in a file, and the ticks they last.
fn video_frames(path: &Path) -> Result<(u64, i64)> {
    let mut reader = StreamReader::new();
    reader.push(&std::fs::read(path)?);
    let (mut frames, mut end) = (0, 0);
    while let Some(item) = reader.next()? {
        if let StreamItem::Frame(frame) = item
            && frame.track == TrackKind::Video
        {
            frames += 1;
            end = end.max(frame.dts + i64::from(frame.duration));
        }
    }
    Ok((frames, end))
}

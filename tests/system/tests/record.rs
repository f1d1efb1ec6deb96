//! The main job: a camera is added, recorded without a viewer, and plays back whole.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

use std::process::Command;

use oriel_api::{EngineInUse, SegmentState, StreamState};
use oriel_system_tests::{LiveSocket, LiveUnit, Recorder, RecorderOptions, decode, wait};
use oriel_testkit::{Audio, CameraOptions, TestCamera, Video};
use serde_json::json;

/// Frames and seconds of a file, by an independent program.
fn counted(path: &std::path::Path) -> (u64, f64) {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-count_packets"])
        .args([
            "-show_entries",
            "stream=nb_read_packets:format=duration",
            "-of",
            "json",
        ])
        .arg(path)
        .output()
        .unwrap();
    assert!(
        out.status.success() && out.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let seen: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    (
        seen["streams"][0]["nb_read_packets"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap(),
        seen["format"]["duration"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap(),
    )
}

fn records(video: Video, audio: Audio, engine: &str, expected: EngineInUse, codecs: &str) {
    let camera = TestCamera::start(CameraOptions::of(video, audio)).unwrap();
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    let api = recorder.api();
    api.settings(json!({ "segment_seconds": 5 })).unwrap();
    let added = api
        .add_camera(json!({ "name": "Door", "url": camera.url() }))
        .unwrap();
    let (id, channel) = (added.id.to_string(), added.channel_id.unwrap().to_string());
    if engine != "auto" {
        api.update_channel(&channel, json!({ "engine": engine }))
            .unwrap();
    }
    // A change of engine may have begun a second run; only what came after counts.
    let seen = wait::until("the engine is in use", || {
        api.camera(&id)
            .ok()
            .filter(|c| c.state == StreamState::Streaming && c.engine == Some(expected))
    });
    let since = seen.since.unwrap();
    let segments = wait::within(
        std::time::Duration::from_secs(120),
        "three segments in one run",
        || {
            let mut all = api.segments(&id).ok()?;
            all.retain(|s| {
                s.state == SegmentState::Local && s.start >= since && s.codecs.starts_with(codecs)
            });
            (all.len() >= 3).then_some(all)
        },
    );
    for pair in segments.windows(2) {
        assert!(pair[1].continues, "{pair:?}");
        assert!(
            (pair[1].start.ms() - pair[0].end.ms()).abs() <= 1,
            "no hole between segments: {pair:?}"
        );
    }
    for (i, segment) in segments.iter().enumerate() {
        let bytes = api.bytes(segment.url.as_ref().unwrap()).unwrap();
        assert_eq!(bytes.len() as u64, segment.bytes);
        let path = data.path().join(format!("{i}.mp4"));
        std::fs::write(&path, bytes).unwrap();
        decode(&path).unwrap();
        let (frames, seconds) = counted(&path);
        let length = (segment.end.ms() - segment.start.ms()) as f64 / 1000.0;
        assert!((seconds - length).abs() < 0.2, "{seconds} against {length}");
        assert!(
            (frames as f64 - length * 15.0).abs() <= 2.0,
            "{frames} frames in {length} s"
        );
    }
    let middle = &segments[1];
    let length = middle.end.ms() - middle.start.ms();
    assert!(
        (4000..=6000).contains(&length),
        "cut at the boundary: {length} ms"
    );
}

#[test]
fn h264_with_aac_by_the_native_engine() {
    records(Video::H264, Audio::Aac, "auto", EngineInUse::Native, "avc1");
}

#[test]
fn h264_with_aac_by_gstreamer() {
    records(
        Video::H264,
        Audio::Aac,
        "gstreamer",
        EngineInUse::Gstreamer,
        "avc1",
    );
}

#[test]
fn h265_by_the_native_engine() {
    records(
        Video::H265,
        Audio::None,
        "native",
        EngineInUse::Native,
        "hvc1",
    );
}

#[test]
fn h265_by_gstreamer() {
    records(
        Video::H265,
        Audio::None,
        "gstreamer",
        EngineInUse::Gstreamer,
        "hvc1",
    );
}

#[test]
fn g711_becomes_aac_and_video_does_not_wait_for_it() {
    let camera = TestCamera::start(CameraOptions::of(Video::H264, Audio::Pcmu)).unwrap();
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    let api = recorder.api();
    api.settings(json!({ "segment_seconds": 5 })).unwrap();
    let added = api
        .add_camera(json!({ "name": "Workshop", "url": camera.url() }))
        .unwrap();
    let segments = api.wait_closed(added.id.as_str(), 2);
    assert!(
        segments[1].codecs.contains("mp4a.40.2"),
        "{}",
        segments[1].codecs
    );
    let path = data.path().join("seen.mp4");
    std::fs::write(&path, api.bytes(segments[1].url.as_ref().unwrap()).unwrap()).unwrap();
    decode(&path).unwrap();
    let audio = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "a:0",
            "-count_packets",
            "-show_entries",
            "stream=codec_name,nb_read_packets,duration",
            "-of",
            "json",
        ])
        .arg(&path)
        .output()
        .unwrap();
    let audio: serde_json::Value = serde_json::from_slice(&audio.stdout).unwrap();
    assert_eq!(audio["streams"][0]["codec_name"], "aac");
    let packets: u32 = audio["streams"][0]["nb_read_packets"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    // 16 kHz in frames of 1024 samples: 15.6 a second, over about five seconds.
    assert!(packets > 60, "{packets} packets of audio");
}

#[test]
fn a_viewer_gets_a_key_frame_first_and_the_recorder_needs_no_viewer() {
    let camera = TestCamera::start(CameraOptions {
        low: true,
        ..CameraOptions::default()
    })
    .unwrap();
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(data.path(), RecorderOptions::default()).unwrap();
    let api = recorder.api();
    let added = api
        .add_camera(json!({ "name": "Door", "url": camera.url(), "low_url": camera.low_url() }))
        .unwrap();
    let channel = added.channel_id.unwrap().to_string();
    api.wait_state(added.id.as_str(), StreamState::Streaming);
    for (quality, mode) in [
        ("high", "frames"),
        ("high", "fragments"),
        ("low", "fragments"),
    ] {
        let path = format!(
            "{}&quality={quality}&mode={mode}&audio=0",
            api.live_path(&channel).unwrap()
        );
        let mut socket = LiveSocket::open(recorder.address(), &path).unwrap();
        let mut video = 0;
        let mut began = false;
        while video < 30 {
            match socket.read().unwrap() {
                LiveUnit::Said(oriel_api::LiveMessage::Start { width, .. }) => {
                    assert_eq!(width, if quality == "low" { 192 } else { 320 });
                    began = true;
                }
                LiveUnit::Said(_) | LiveUnit::Init(_) => {}
                LiveUnit::Media { kind: 1, key, .. } => {
                    assert!(began, "start comes first");
                    assert!(video > 0 || key, "the first picture can be decoded");
                    video += 1;
                }
                LiveUnit::Media { .. } => {}
            }
        }
    }
}

//! `pull` against real cameras that behave.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use oriel_media::{AudioCodec, VideoCodec};
use oriel_testkit::{Audio, AudioBehaviour, Auth, CameraOptions, TestCamera, Video};
use serde_json::json;
use support::{Footage, Job, assert_even, presentation};

fn camera(video: Video, audio: Audio) -> TestCamera {
    TestCamera::start(CameraOptions::of(video, audio)).unwrap()
}

#[test]
fn h264_and_aac_are_copied() {
    let camera = camera(Video::H264, Audio::Aac);
    let job = Job::pull(&camera.url());
    let mut footage = Footage::default();
    footage.read_until(&job, |f| f.video.len() >= 40 && f.audio.len() >= 60);
    let format = footage.format();
    assert_eq!(format.video.codec, VideoCodec::H264);
    assert_eq!((format.video.width, format.video.height), (320, 180));
    let audio = format.audio.as_ref().unwrap();
    assert_eq!((audio.codec, audio.sample_rate), (AudioCodec::Aac, 48_000));
    assert!(footage.video[0].key && footage.video[0].dts == 0);
    assert_eq!(
        footage.video.iter().filter(|f| f.key).count(),
        40_usize.div_ceil(15)
    );
    assert_even(&presentation(&footage.video), 6000, 60);
    assert_even(&presentation(&footage.audio), 1024, 0);
    // Length-prefixed, the IDR inside: the bytes are the camera's.
    let first = &footage.video[0].data;
    let length = u32::from_be_bytes([first[0], first[1], first[2], first[3]]);
    assert!((length as usize) < first.len());
}

#[test]
fn g711_becomes_aac_in_step_with_video() {
    for audio in [Audio::Pcmu, Audio::Pcma] {
        let camera = camera(Video::H264, audio);
        let job = Job::pull(&camera.url());
        let mut footage = Footage::default();
        footage.read_until(&job, |f| f.video.len() >= 30 && f.audio.len() >= 25);
        let track = footage.format().audio.clone().unwrap();
        assert_eq!((track.codec, track.sample_rate), (AudioCodec::Aac, 16_000));
        assert_even(&presentation(&footage.audio), 1024, 0);
        let video_ms = footage.video.last().unwrap().dts / 90;
        let audio_ms = footage.audio.last().unwrap().dts / 16;
        assert!((video_ms - audio_ms).abs() < 1000, "{video_ms} {audio_ms}");
    }
}

#[test]
fn opus_is_copied_and_audio_can_be_left_out() {
    let camera = camera(Video::H264, Audio::Opus);
    let job = Job::pull(&camera.url());
    let mut footage = Footage::default();
    footage.read_until(&job, |f| f.video.len() >= 15 && f.audio.len() >= 40);
    assert_eq!(
        footage.format().audio.as_ref().unwrap().codec,
        AudioCodec::Opus
    );
    assert_even(&presentation(&footage.audio), 960, 0);

    let job = Job::pull_with(&camera.url(), json!({"audio": "off"}));
    let footage = Footage::of(job, 30);
    assert!(footage.format().audio.is_none() && footage.audio.is_empty());
}

#[test]
fn h265_is_copied() {
    let camera = camera(Video::H265, Audio::None);
    let footage = Footage::of(Job::pull(&camera.url()), 40);
    let video = &footage.format().video;
    assert_eq!(video.codec, VideoCodec::H265);
    assert!(
        video.codec_string.starts_with("hvc1.1."),
        "{}",
        video.codec_string
    );
    assert_even(&presentation(&footage.video), 6000, 60);
    assert!(footage.video.iter().filter(|f| f.key).count() >= 2);
}

#[test]
fn b_frames_get_decode_times() {
    let mut options = CameraOptions::default();
    options.stream.bframes = true;
    let camera = TestCamera::start(options).unwrap();
    let footage = Footage::of(Job::pull(&camera.url()), 60);
    let decode: Vec<i64> = footage.video.iter().map(|f| f.dts).collect();
    assert!(decode.is_sorted_by(|a, b| a < b), "{decode:?}");
    let mut shown = presentation(&footage.video);
    assert!(!shown.is_sorted(), "there are no B-frames in {shown:?}");
    assert!(footage.video.iter().all(|f| f.cts_offset >= 0));
    shown.sort_unstable();
    // The last ones may wait for a frame that was not read any more.
    shown.truncate(54);
    assert_even(&shown, 6000, 90);
}

#[test]
fn motion_jpeg_is_encoded() {
    let camera = camera(Video::Mjpeg, Audio::None);
    let footage = Footage::of(Job::pull(&camera.url()), 40);
    let video = &footage.format().video;
    assert_eq!(
        (video.codec, video.width, video.height),
        (VideoCodec::H264, 320, 176)
    );
    assert!(footage.video[0].key);
    assert!(footage.video.iter().filter(|f| f.key).count() >= 2);
}

#[test]
fn audio_never_holds_video() {
    for behaviour in [
        AudioBehaviour::Late(3000),
        AudioBehaviour::Silent,
        AudioBehaviour::StopsAfter(500),
    ] {
        for audio in [Audio::Aac, Audio::Pcmu] {
            let mut options = CameraOptions::of(Video::H264, audio);
            options.stream.audio_behaviour = behaviour;
            let camera = TestCamera::start(options).unwrap();
            let job = Job::pull(&camera.url());
            let mut footage = Footage::default();
            footage.read_until(&job, |f| f.video.len() >= 30);
            assert_even(&presentation(&footage.video), 6000, 60);
            assert!(footage.format().audio.is_some());
            match behaviour {
                AudioBehaviour::Late(_) => {
                    footage.read_until(&job, |f| f.audio.len() >= 10);
                    let late =
                        footage.audio[0].dts / i64::from(if audio == Audio::Aac { 48 } else { 16 });
                    assert!(late > 1000, "audio is placed at {late} ms");
                }
                AudioBehaviour::Silent => assert!(footage.audio.is_empty()),
                _ => {}
            }
        }
    }
}

#[test]
fn passwords_of_any_characters_and_udp() {
    for digest in [true, false] {
        let (user, password) = (
            "ad:min".replace(':', "-"),
            "p@ss:w/rd#%\u{e9} \"x".to_owned(),
        );
        let password = if digest {
            password.replace('"', "'")
        } else {
            password
        };
        let (u, p) = (user.clone(), password.clone());
        let camera = TestCamera::start(CameraOptions {
            auth: if digest {
                Auth::Digest {
                    user: u,
                    password: p,
                }
            } else {
                Auth::Basic {
                    user: u,
                    password: p,
                }
            },
            ..CameraOptions::default()
        })
        .unwrap();
        let more = json!({"username": user, "password": password, "transport": "udp"});
        let footage = Footage::of(Job::pull_with(&camera.url(), more), 20);
        assert_eq!(footage.video[0].dts, 0);
    }
}

#[test]
fn a_file_is_played_at_its_own_pace() {
    let camera = camera(Video::H264, Audio::Aac);
    let job = Job::pull(&camera.url());
    let mut bytes = Vec::new();
    let mut footage = Footage::default();
    while footage.video.len() < 30 {
        let piece = job.piece(support::PATIENCE).unwrap();
        footage.take(&piece);
        bytes.extend(piece);
    }
    let path = std::env::temp_dir().join(format!("oriel-gst-{}.mp4", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let job = Job::pull(url_of(&path).as_str());
    let mut again = Footage::default();
    again.read_until(&job, |f| f.video.len() >= 29);
    assert_eq!(again.format().video, footage.format().video);
    let (code, events) = job.wait();
    assert_eq!(code, 22, "{events:?}");
    std::fs::remove_file(&path).unwrap();
}

fn url_of(path: &std::path::Path) -> String {
    let text = path.display().to_string().replace('\\', "/");
    format!(
        "file://{}{text}",
        if text.starts_with('/') { "" } else { "/" }
    )
}

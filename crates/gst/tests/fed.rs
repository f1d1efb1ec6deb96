//! `audio` and `jpeg`: packets in, packets out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::Write;

use oriel_media::Frame;
use oriel_testkit::{Audio, CameraOptions, TestCamera, Video};
use serde_json::json;
use support::{Footage, Job, PATIENCE};

/// Time, flags, payload.
type Packet = (i64, u8, Vec<u8>);

fn write(job: &mut Job, time: i64, flags: u8, payload: &[u8]) {
    let mut bytes = (payload.len() as u32).to_be_bytes().to_vec();
    bytes.extend(time.to_be_bytes());
    bytes.push(flags);
    bytes.extend(payload);
    job.stdin.as_mut().unwrap().write_all(&bytes).unwrap();
}

/// Reads packets until there are this many, or stdout ends.
fn packets(job: &Job, count: usize) -> Vec<Packet> {
    let (mut bytes, mut found) = (Vec::new(), Vec::new());
    while found.len() < count {
        let Some(piece) = job.piece(PATIENCE) else {
            break;
        };
        bytes.extend(piece);
        while bytes.len() >= 13 {
            let length = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            if bytes.len() < 13 + length {
                break;
            }
            let time = i64::from_be_bytes(bytes[4..12].try_into().unwrap());
            found.push((time, bytes[12], bytes[13..13 + length].to_vec()));
            bytes.drain(..13 + length);
        }
    }
    found
}

#[test]
fn telephone_audio_becomes_aac_with_its_times() {
    // Codec, rate, bytes of 20 ms, ticks of 20 ms, output rate.
    for (codec, rate, bytes, ticks, out_rate) in [
        ("pcmu", 8000, 160, 160, 16_000),
        ("pcma", 8000, 160, 160, 16_000),
        ("g722", 16_000, 160, 320, 16_000),
        ("g726", 8000, 80, 160, 16_000),
        ("l16", 44_100, 1764, 882, 44_100),
    ] {
        let mut job = Job::start(
            &json!({"job": "audio", "codec": codec, "sample_rate": rate, "channels": 1}),
        );
        let start = 5 * rate;
        for i in 0..100 {
            write(&mut job, start + i * ticks, 1, &vec![0x55; bytes]);
        }
        job.stop();
        let found = packets(&job, usize::MAX);
        let (code, events) = job.wait();
        assert_eq!(code, 0, "{codec}: {events:?}");
        let config = oriel_media::aac_config(&found[0].2).unwrap();
        assert_eq!(
            (found[0].1, config.sample_rate, config.channels),
            (2, out_rate, 1)
        );
        // Two seconds, give or take what an encoder holds.
        let expected = 2 * out_rate as usize / 1024;
        assert!(
            found.len() > expected - 3,
            "{codec}: {} packets",
            found.len()
        );
        let first = found[1].0 - 5 * i64::from(out_rate);
        assert!(first.abs() <= 2048, "{codec}: starts {first} samples off");
        for pair in found[1..].windows(2) {
            assert!(
                (pair[1].0 - pair[0].0 - 1024).abs() <= 2,
                "{codec}: {:?}",
                (pair[0].0, pair[1].0)
            );
        }
    }
}

#[test]
fn every_codec_comes_out_of_telephone_audio_and_of_aac() {
    let telephone: Vec<_> = (0..100).map(|i| (i * 160, vec![0x55; 160])).collect();
    let through = |job: serde_json::Value, input: &[(i64, Vec<u8>)]| -> Vec<Packet> {
        let mut job = Job::start(&job);
        for (time, payload) in input {
            write(&mut job, *time, 1, payload);
        }
        job.stop();
        let found = packets(&job, usize::MAX);
        let (code, events) = job.wait();
        assert_eq!(code, 0, "{events:?}");
        found
    };
    let pcmu = |output: &str| {
        json!({"job": "audio", "codec": "pcmu", "sample_rate": 8000, "channels": 1,
            "output": output})
    };
    let aac = through(pcmu("aac"), &telephone);
    let units: Vec<_> = aac[1..].iter().map(|p| (p.0, p.2.clone())).collect();
    let of_aac = |output: &str| {
        json!({"job": "audio", "codec": "aac", "config": base64(&aac[0].2),
            "sample_rate": 16_000, "channels": 1, "output": output})
    };
    // Rate, samples of a frame, first bytes of the configuration.
    for (output, rate, samples, config) in [
        ("aac", 16_000, 1024, &[0x14, 0x08][..]),
        ("opus", 48_000, 960, &[0, 1][..]),
        ("mp3", 32_000, 1152, &[][..]),
    ] {
        for found in [
            through(pcmu(output), &telephone),
            through(of_aac(output), &units),
        ] {
            assert_eq!(found[0].1, 2);
            assert!(found[0].2.starts_with(config), "{output}: {:?}", found[0]);
            assert_eq!(found[0].2.is_empty(), output == "mp3");
            let frames = &found[1..];
            // Two seconds, and what the encoders on the way hold.
            let expected = 2 * rate / samples;
            assert!(
                (expected - 4..expected + 10).contains(&(frames.len() as i64)),
                "{output}: {} frames",
                frames.len()
            );
            for pair in frames.windows(2) {
                assert!(
                    (pair[1].0 - pair[0].0 - samples).abs() <= 2,
                    "{output}: {:?}",
                    (pair[0].0, pair[1].0)
                );
            }
            if output == "mp3" {
                let whole = |f: &Packet| f.2[0] == 0xff && f.2[1] & 0xe6 == 0xe2;
                assert!(frames.iter().all(whole), "not cut at frames");
            }
        }
    }
}

#[test]
fn audio_comes_out_while_more_is_going_in() {
    let mut job =
        Job::start(&json!({"job": "audio", "codec": "pcmu", "sample_rate": 8000, "channels": 1}));
    for i in 0..50 {
        write(&mut job, i * 160, 1, &[0xff; 160]);
    }
    assert!(packets(&job, 10).len() >= 10);
    job.stop();
    assert_eq!(job.wait().0, 0);
}

fn footage(video: Video, bframes: bool) -> Footage {
    let mut options = CameraOptions::of(video, Audio::None);
    options.stream.bframes = bframes;
    (options.stream.width, options.stream.height) = (640, 360);
    let camera = TestCamera::start(options).unwrap();
    Footage::of(Job::pull(&camera.url()), 46)
}

fn jpeg_job(footage: &Footage, max_width: u32, rate: u32) -> Job {
    let video = &footage.format().video;
    Job::start(&json!({
        "job": "jpeg", "codec": video.codec.name(), "config": base64(&video.config),
        "max_width": max_width, "quality": 80, "rate": rate,
    }))
}

fn feed(job: &mut Job, frame: &Frame) {
    let time = frame.dts + i64::from(frame.cts_offset);
    write(job, time, u8::from(frame.key), &frame.data);
}

#[test]
fn one_key_frame_is_one_picture_at_once() {
    for video in [Video::H264, Video::H265] {
        let footage = footage(video, false);
        let mut job = jpeg_job(&footage, 320, 1);
        feed(&mut job, &footage.video[0]);
        // stdin is still open: the picture may not wait for the next frame.
        let (time, _, picture) = packets(&job, 1).remove(0);
        assert_eq!(time, 0);
        assert_eq!(size(&picture), (320, 180));
        job.stop();
        assert_eq!(job.wait().0, 0);
    }
}

#[test]
fn pictures_come_at_the_rate_and_are_never_scaled_up() {
    let footage = footage(Video::H264, true);
    for (rate, expected) in [(1, 3..=4), (0, 46..=46)] {
        let mut job = jpeg_job(&footage, 1280, rate);
        for frame in &footage.video {
            feed(&mut job, frame);
        }
        job.stop();
        let found = packets(&job, usize::MAX);
        assert!(
            expected.contains(&found.len()),
            "rate {rate}: {}",
            found.len()
        );
        assert!(
            found
                .iter()
                .all(|(_, _, picture)| size(picture) == (640, 360))
        );
        let times: Vec<i64> = found.iter().map(|p| p.0).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

#[test]
fn broken_access_units_do_not_end_the_job() {
    let footage = footage(Video::H264, false);
    let mut job = jpeg_job(&footage, 640, 0);
    let mut seed = 1u32;
    for (i, frame) in footage.video.iter().enumerate() {
        let mut frame = frame.clone();
        if (5..25).contains(&i) {
            let junk: Vec<u8> = (0..frame.data.len() + i)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            frame.data = junk.into();
        }
        feed(&mut job, &frame);
    }
    job.stop();
    let found = packets(&job, usize::MAX);
    let (code, events) = job.wait();
    assert_eq!(code, 0, "{events:?}");
    // From the next key frame on everything is there again.
    let again = footage.video[30].dts;
    let after = found.iter().filter(|p| p.0 >= again).count();
    assert!(after >= 14, "{after} of {}: {events:?}", found.len());
}

#[test]
fn a_torn_packet_and_a_bad_config_are_refused() {
    let job = Job::start(&json!({
        "job": "jpeg", "codec": "h264", "config": "AAAA",
        "max_width": 320, "quality": 80, "rate": 1,
    }));
    assert_eq!(job.wait().0, 10);
    let mut job =
        Job::start(&json!({"job": "audio", "codec": "pcmu", "sample_rate": 8000, "channels": 1}));
    let stdin = job.stdin.as_mut().unwrap();
    stdin.write_all(&[0xff; 13]).unwrap();
    assert_eq!(job.wait().0, 10);
}

/// Width and height from a JPEG's frame header.
fn size(jpeg: &[u8]) -> (u16, u16) {
    assert_eq!(jpeg[..2], [0xff, 0xd8]);
    let mut at = 2;
    loop {
        let (marker, length) = (
            jpeg[at + 1],
            usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])),
        );
        if (0xc0..=0xc2).contains(&marker) {
            let number = |i: usize| u16::from_be_bytes([jpeg[at + i], jpeg[at + i + 1]]);
            return (number(7), number(5));
        }
        at += 2 + length;
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

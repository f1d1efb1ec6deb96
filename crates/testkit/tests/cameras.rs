//! The test cameras are what they say: seen over RTSP, byte for byte, without any of the
//! product's code.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use oriel_testkit::{Audio, Auth, CameraOptions, TestCamera, Video};

/// One RTSP request on a connection; the answer's head and body.
fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    let mut bytes = [0u8; 4096];
    loop {
        let n = stream.read(&mut bytes).unwrap();
        assert!(n > 0, "closed after {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..n]));
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = head
                .lines()
                .find_map(|l| l.strip_prefix("Content-Length: "))
                .map_or(0, |l| l.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
    }
}

fn connect(camera: &TestCamera) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", camera.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

fn describe(camera: &TestCamera, url: &str) -> String {
    let request = format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n");
    ask(&mut connect(camera), &request)
}

#[test]
fn descriptions_say_what_was_asked_for() {
    for (video, audio, words) in [
        (
            Video::H264,
            Audio::Aac,
            ["H264/90000", "MPEG4-GENERIC/48000"],
        ),
        (Video::H265, Audio::Opus, ["H265/90000", "OPUS/48000"]),
        (Video::Mjpeg, Audio::Pcma, ["RTP/AVP 26", "PCMA/8000"]),
        (Video::None, Audio::Pcmu, ["m=audio", "PCMU/8000"]),
    ] {
        let camera = TestCamera::start(CameraOptions::of(video, audio)).unwrap();
        let sdp = describe(&camera, &camera.url());
        for word in words {
            assert!(
                sdp.to_uppercase().contains(&word.to_uppercase()),
                "{word}: {sdp}"
            );
        }
        assert_eq!(sdp.contains("m=video"), video != Video::None);
    }
}

#[test]
fn passwords_are_asked_for_and_survive_a_restart_on_the_same_port() {
    let mut options = CameraOptions {
        low: true,
        auth: Auth::Digest {
            user: "u".into(),
            password: "p".into(),
        },
        ..CameraOptions::default()
    };
    let mut camera = TestCamera::start(options.clone()).unwrap();
    let port = camera.port();
    let answer = describe(&camera, &camera.url());
    assert!(
        answer.starts_with("RTSP/1.0 401") && answer.contains("Digest"),
        "{answer}"
    );
    camera.kill().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    options.auth = Auth::None;
    camera.restart_with(options).unwrap();
    assert_eq!(camera.port(), port);
    assert!(describe(&camera, &camera.low_url()).contains("H264/90000"));
}

#[cfg(unix)]
#[test]
fn a_frozen_camera_says_nothing_until_it_is_thawed() {
    let camera = TestCamera::start(CameraOptions::default()).unwrap();
    let mut stream = connect(&camera);
    let request = format!("OPTIONS {} RTSP/1.0\r\nCSeq: 1\r\n\r\n", camera.url());
    assert!(ask(&mut stream, &request).contains("200"));
    camera.freeze().unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    assert!(stream.read(&mut [0u8; 64]).is_err());
    camera.thaw().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    assert!(stream.read(&mut [0u8; 64]).unwrap() > 0);
}

#[test]
fn a_loop_serves_many_paths() {
    let mut options = CameraOptions::benchmark(3);
    (options.stream.width, options.stream.height) = (320, 180);
    let camera = TestCamera::start(options).unwrap();
    for path in ["cam0", "cam2"] {
        assert!(describe(&camera, &camera.url_of(path)).contains("H264/90000"));
    }
    let missing = describe(&camera, &camera.url_of("cam3"));
    assert!(missing.starts_with("RTSP/1.0 404"), "{missing}");
}

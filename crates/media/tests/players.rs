//! Our reader and writer against ffmpeg.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::fs;

use oriel_media::{TrackKind, scan};
use support::*;

#[test]
fn the_reader_sees_what_ffprobe_sees() {
    for (name, video, audio) in FIXTURES {
        let path = fixture(name);
        let path = path.to_str().unwrap();
        let (format, frames) = demux(name);
        assert_eq!((format.video.width, format.video.height), (160, 120));
        for (track, stream, count) in [
            (TrackKind::Video, "v", video),
            (TrackKind::Audio, "a", audio),
        ] {
            let ours = of(&frames, track);
            let mut theirs = packets(path, stream);
            let seconds = |ticks: i64| ticks as f64 / f64::from(format.timescale(track));
            if track == TrackKind::Audio {
                // Priming before zero is cut off.
                theirs.retain(|p| p.pts >= 0.0);
            }
            assert_eq!(theirs.len(), ours.len(), "{name} {stream}");
            assert!(
                ours.len() == count || (track == TrackKind::Audio && ours.len() + 1 == count),
                "{name}: {} frames of {stream}",
                ours.len()
            );
            for (i, (o, t)) in ours.iter().zip(&theirs).enumerate() {
                let pts = seconds(o.dts + i64::from(o.cts_offset));
                assert!(
                    o.data.len() == t.size && o.key == t.key && (pts - t.pts).abs() < 0.0011,
                    "{name} {stream} {i}: {pts} {o:?} {t:?}"
                );
            }
        }
    }
}

#[test]
fn pieces_of_any_size_read_the_same() {
    for (name, ..) in FIXTURES {
        let bytes = fs::read(fixture(name)).unwrap();
        let whole = read_all(&bytes, bytes.len());
        for piece in [1, 7, 1000] {
            assert_eq!(
                read_all(&bytes, piece),
                whole,
                "{name} in pieces of {piece}"
            );
        }
    }
}

#[test]
fn what_the_writer_makes_decodes_and_scans_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for (name, ..) in FIXTURES {
        let (format, frames) = demux(name);
        let segment = write_segment(&format, &frames, 0, 40);
        for (state, bytes) in [
            ("open", segment.bytes.clone()),
            ("closed", segment.closed()),
        ] {
            let path = dir.path().join(format!("{state}-{name}"));
            fs::write(&path, &bytes).unwrap();
            let path = path.to_str().unwrap();
            decode(path);
            for (track, stream) in [(TrackKind::Video, "v"), (TrackKind::Audio, "a")] {
                let ours = of(&frames, track);
                let theirs = packets(path, stream);
                assert_eq!(ours.len(), theirs.len(), "{state} {name} {stream}");
                for (o, t) in ours.iter().zip(&theirs) {
                    let scale = f64::from(format.timescale(track));
                    let pts = (o.dts + i64::from(o.cts_offset)) as f64 / scale;
                    let dts = o.dts as f64 / scale;
                    assert!(
                        o.data.len() == t.size
                            && o.key == t.key
                            && (pts - t.pts).abs() < 1e-4
                            && (dts - t.dts).abs() < 1e-4,
                        "{state} {name} {stream}: {o:?} {t:?}"
                    );
                }
            }
            #[rustfmt::skip]
            let length: f64 = run("ffprobe", &["-v", "error", "-show_entries", "format=duration",
                "-of", "csv=p=0", path]).trim().parse().unwrap();
            assert!((2.99..3.3).contains(&length), "{state} {name}: {length} s");

            let found = scan(fs::File::open(path).unwrap(), bytes.len() as u64).unwrap();
            assert_eq!(found.format, *format);
            assert_eq!(found.fragments, segment.fragments, "{state} {name}");
            assert_eq!(found.good_len, bytes.len() as u64);
            assert_eq!(found.header_len, segment.header.bytes.len() as u64);
            assert_eq!(found.index_offset, segment.header.index_offset);
            assert_eq!(found.index_capacity, segment.header.index_capacity);
            assert_eq!(found.indexed, state == "closed");
            assert_eq!(found.start_ms, Some(START_MS));
            assert_eq!(found.channel, Some(channel()));
            let last = of(&frames, TrackKind::Video).pop().unwrap();
            assert_eq!(found.video_end, last.dts + i64::from(last.duration));
            assert!((3000..3070).contains(&found.duration_ms()));
        }
    }
}

/// A file of two minutes: a seek lands on the key frame before, by reading the index and little
/// else, also when there is room for few references.
#[test]
fn players_seek_by_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let (format, frames) = demux("h264-aac.mp4");
    let (video, audio) = repeat(&format, &frames, 40);
    let silent = oriel_media::Format {
        audio: None,
        ..(*format).clone()
    };
    let both: Vec<_> = video.iter().chain(&audio).cloned().collect();
    for (name, format, frames, room) in [
        ("video", &silent, &video, 200),
        ("both", &*format, &both, 200),
        ("merged", &*format, &both, 7),
    ] {
        let segment = write_segment(format, frames, 0, room);
        let bytes = segment.closed();
        let path = dir.path().join(format!("{name}.mp4"));
        fs::write(&path, &bytes).unwrap();
        let path = path.to_str().unwrap();
        decode(path);
        assert_eq!(packets(path, "v").len(), video.len());
        for second in [0, 1, 17, 58, 119] {
            #[rustfmt::skip]
            let picture = run("ffmpeg", &["-v", "error", "-ss", &format!("{second}.05"), "-copyts",
                "-i", path, "-map", "0:v", "-frames:v", "1", "-f", "framecrc", "-"]);
            assert_eq!(first_time(&picture), second * 10 + 1, "{name}: {picture}");
            if name != "merged" {
                #[rustfmt::skip]
                let packet = run("ffmpeg", &["-v", "error", "-ss", &format!("{second}.95"),
                    "-copyts", "-i", path, "-map", "0:v", "-frames:v", "1", "-c", "copy", "-f", "framecrc", "-"]);
                assert_eq!(first_time(&packet), second * 90_000, "{packet}");
            }
        }
    }
}

/// Decode time of the first line of `framecrc` output.
fn first_time(framecrc: &str) -> i64 {
    let line = framecrc.lines().find(|l| !l.starts_with('#')).unwrap();
    line.split(',').nth(1).unwrap().trim().parse().unwrap()
}

//! Plain MP4 files made from ranges of segments, as ffmpeg sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::{fs, io::Cursor, path::Path};

use oriel_media::{
    ClipBuilder, ClipHead, ClipMark, ClipOrder, Format, Frame, SegmentSamples, TrackKind,
    clip::CLIP_MARK_WITHIN, read_format, read_samples, rescale,
};
use support::*;

const SECOND: i64 = 90_000;

/// Footage cut at the first key frames at or after so many seconds.
fn cut(format: &Format, frames: &[Frame], seconds: &[i64]) -> Vec<(i64, Vec<u8>)> {
    let keys = || of(frames, TrackKind::Video).into_iter().filter(|f| f.key);
    let cuts: Vec<_> = seconds
        .iter()
        .map(|s| keys().map(|f| f.dts).find(|dts| *dts >= s * SECOND))
        .map(|dts| dts.unwrap_or(i64::MAX))
        .collect();
    cuts.windows(2)
        .filter(|w| w[0] < w[1])
        .map(|w| {
            let inside = |f: &&Frame| {
                (w[0]..w[1]).contains(&rescale(f.dts, format.timescale(f.track), 90_000))
            };
            let part: Vec<_> = frames.iter().filter(inside).cloned().collect();
            (
                START_MS + w[0] / 90,
                write_segment(format, &part, w[0], 8).closed(),
            )
        })
        .collect()
}

fn samples(bytes: &[u8]) -> SegmentSamples {
    let read = read_samples(Cursor::new(bytes), bytes.len() as u64).unwrap();
    assert_eq!(read.good_len, bytes.len() as u64);
    assert_eq!(
        read_format(Cursor::new(bytes), bytes.len() as u64).unwrap(),
        read.format
    );
    read
}

/// Everything from `from` to `to` seconds.
fn order(format: &Format, from: f64, to: f64) -> ClipOrder {
    ClipOrder {
        start_ms: START_MS + (from * 1000.0) as i64,
        end_ms: START_MS + (to * 1000.0) as i64,
        exact: false,
        video: vec![format.video.clone()],
        audio: format.audio.clone(),
    }
}

fn build(order: ClipOrder, segments: &[(i64, Vec<u8>)]) -> (ClipHead, Vec<u8>) {
    let mut builder = ClipBuilder::new(order);
    let mut media: Vec<u8> = Vec::new();
    for (start_ms, bytes) in segments {
        if let Some(share) = builder.add(&samples(bytes), *start_ms).unwrap() {
            media.extend(&bytes[share.bytes.start as usize..share.bytes.end as usize]);
        }
    }
    let head = builder
        .finish(&channel(), "Thief at the door, dämmrig")
        .unwrap()
        .unwrap();
    assert_eq!(head.media, media.len() as u64);
    let mut file = head.bytes.clone();
    file.extend(media);
    (head, file)
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Time in seconds and sum of every decoded frame of a stream.
fn decoded(path: &str, stream: &str) -> Vec<(f64, String)> {
    #[rustfmt::skip]
    let text = run("ffmpeg", &["-v", "error", "-i", path, "-map", &format!("0:{stream}"),
        "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "framemd5", "-"]);
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| {
            let fields: Vec<_> = l.split(',').map(str::trim).collect();
            let pts: f64 = fields[2].parse().unwrap();
            (pts / 90_000.0, fields[5].to_owned())
        })
        .collect()
}

#[test]
fn segments_become_one_file_with_the_same_pictures() {
    let dir = tempfile::tempdir().unwrap();
    for (name, ..) in FIXTURES {
        let (format, frames) = demux(name);
        // What the pictures are, from one segment that holds everything.
        let whole = write_segment(&format, &frames, 0, 40).closed();
        let source = write(dir.path(), "source.mp4", &whole);
        let segments = cut(&format, &frames, &[0, 1, 2, 9]);
        let (head, file) = build(order(&format, 0.0, 9.0), &segments);
        let path = write(dir.path(), &format!("clip-{name}"), &file);
        decode(&path);
        let (was, is) = (decoded(&source, "v"), decoded(&path, "v"));
        assert_eq!(was.len(), 30, "{name}");
        let start = was[0].0;
        let sums = |list: &[(f64, String)]| list.iter().map(|f| f.1.clone()).collect::<Vec<_>>();
        assert_eq!(sums(&is), sums(&was), "{name}");
        for (i, (is, was)) in is.iter().zip(&was).enumerate() {
            let since = was.0 - start;
            assert!((is.0 - since).abs() < 1e-3, "{name} {i}: {is:?} {since}");
        }
        if format.audio.is_some() {
            let (was, is) = (packets(&source, "a"), packets(&path, "a"));
            assert_eq!(is.len(), was.len(), "{name}");
            for (is, was) in is.iter().zip(&was) {
                assert_eq!(is.size, was.size);
                let since = was.pts - start;
                assert!((is.pts - since).abs() < 0.002, "{name}: {is:?} {was:?}");
            }
        }
        let mark = ClipMark::find(&file[..CLIP_MARK_WITHIN]).unwrap();
        assert_eq!(mark.channel, channel());
        assert_eq!(mark.title.as_deref(), Some("Thief at the door, dämmrig"));
        assert_eq!((mark.start_ms, mark.end_ms), (head.start_ms, head.end_ms));
        assert_eq!(&file[4..8], b"ftyp");
        assert_eq!(ClipMark::find(&whole), None);
    }
}

#[test]
fn a_clip_begins_with_the_key_frame_before_or_exactly() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["h264-aac.mp4", "h264-bframes.mp4", "h265.mp4"] {
        let (format, frames) = demux(name);
        let segments = cut(&format, &frames, &[0, 1, 2, 9]);
        let (all, file) = build(order(&format, 0.0, 9.0), &segments);
        let start_ms = all.start_ms;
        let all = decoded(&write(dir.path(), "all.mp4", &file), "v");
        for exact in [false, true] {
            let mut order = order(&format, 0.55, 2.35);
            order.exact = exact;
            let (head, file) = build(order, &segments);
            let path = write(dir.path(), &format!("cut-{exact}-{name}"), &file);
            decode(&path);
            let shown = decoded(&path, "v");
            // Ten frames a second; frames before the start are decoded and not shown.
            let from = all.iter().position(|f| f.1 == shown[0].1).unwrap();
            let late = (all[from].0 * 1000.0).round() as i64;
            assert_eq!(head.start_ms - start_ms, late, "{name} {exact}");
            if exact {
                let before = START_MS + 550 - head.start_ms;
                assert!((0..100).contains(&before), "{name}: {before}");
            } else {
                assert_eq!(late, 0, "{name}");
            }
            for (i, (time, sum)) in shown.iter().enumerate() {
                assert_eq!(*sum, all[from + i].1, "{name} {exact} {i}");
                let was = all[from + i].0 - all[from].0;
                assert!(
                    (time - was).abs() < 1e-3,
                    "{name} {exact} {i}: {time} {was}"
                );
            }
            let until = all[from + shown.len() - 1].0;
            assert!((2.0..2.36).contains(&until), "{name} {exact}: {until}");
        }
    }
}

#[test]
fn a_hole_keeps_real_time() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["h264-aac.mp4", "h264-opus.mp4", "h264-bframes.mp4"] {
        let (format, frames) = demux(name);
        let mut segments = cut(&format, &frames, &[0, 1, 2, 9]);
        // Nobody recorded for a minute; then the clock was set back.
        segments[1].0 += 60_000;
        segments[2].0 -= 60_000;
        let (head, file) = build(order(&format, -600.0, 600.0), &segments);
        let path = write(dir.path(), &format!("hole-{name}"), &file);
        let shown = decoded(&path, "v");
        assert_eq!(shown.len(), 30);
        let was = of(&frames, TrackKind::Video);
        let keys: Vec<_> = (0..30).filter(|i| was[*i].key).collect();
        assert_eq!(keys, [0, 10, 20]);
        // What was taken a minute later is shown a minute later; the rest follows on.
        for (i, late) in [(9, 0.0), (10, 60.0), (19, 60.0), (20, 60.0), (29, 60.0)] {
            let time = shown[i].0 - shown[0].0;
            let was = (was[i].dts - was[0].dts) as f64 / 90_000.0 + late;
            assert!((time - was).abs() < 0.002, "{name} {i}: {time} {was}");
        }
        assert!((61_900..62_400).contains(&(head.end_ms - START_MS)));
        if format.audio.is_some() {
            let sounds = packets(&path, "a");
            let far = sounds.windows(2).filter(|w| w[1].pts - w[0].pts > 1.0);
            assert_eq!(far.count(), 1, "one hole in the sound");
            let after = sounds.iter().find(|p| p.pts > 30.0).unwrap();
            assert!((60.9..61.2).contains(&after.pts), "{after:?}");
        }
    }
}

#[test]
fn without_sound_and_with_sound_that_comes_late() {
    let dir = tempfile::tempdir().unwrap();
    let (format, frames) = demux("h264-aac.mp4");
    let mut silent = order(&format, 0.0, 9.0);
    silent.audio = None;
    let segments = cut(&format, &frames, &[0, 9]);
    let path = write(dir.path(), "silent.mp4", &build(silent, &segments).1);
    decode(&path);
    assert!(packets(&path, "a").is_empty());
    assert_eq!(packets(&path, "v").len(), 30);

    let rate = i64::from(format.timescale(TrackKind::Audio));
    let late: Vec<_> = frames
        .iter()
        .filter(|f| f.track == TrackKind::Video || f.dts > rate)
        .cloned()
        .collect();
    let segments = cut(&format, &late, &[0, 9]);
    let path = write(
        dir.path(),
        "late.mp4",
        &build(order(&format, 0.0, 9.0), &segments).1,
    );
    decode(&path);
    let sounds = packets(&path, "a");
    let was = late.iter().find(|f| f.track == TrackKind::Audio).unwrap();
    let was = was.dts as f64 / rate as f64;
    assert!((sounds[0].pts - was).abs() < 0.002, "{was} {:?}", sounds[0]);
}

#[test]
fn footage_of_another_format_or_time_is_left_out() {
    let (format, frames) = demux("h264-aac.mp4");
    let (other, _) = demux("h265.mp4");
    let segments = cut(&format, &frames, &[0, 9]);
    let read = samples(&segments[0].1);
    let mut builder = ClipBuilder::new(order(&other, 0.0, 9.0));
    assert_eq!(builder.add(&read, START_MS).unwrap(), None);
    assert!(
        builder.is_empty()
            && builder
                .finish(&channel(), "Thief at the door, dämmrig")
                .unwrap()
                .is_none()
    );
    let mut builder = ClipBuilder::new(order(&format, -9.0, 0.0));
    assert_eq!(builder.add(&read, START_MS).unwrap(), None);
}

/// Left in a folder for a look with a browser: `ORIEL_KEEP_CLIPS=<folder>`.
#[test]
fn clips_for_a_browser() {
    let Some(dir) = std::env::var_os("ORIEL_KEEP_CLIPS") else {
        return;
    };
    let dir = Path::new(&dir);
    for name in ["h264-aac.mp4", "h264-opus.mp4", "h264-bframes.mp4"] {
        let (format, frames) = demux(name);
        let (video, audio) = repeat(&format, &frames, 6);
        let both: Vec<_> = if name.contains("bframes") {
            frames.clone()
        } else {
            video.into_iter().chain(audio).collect()
        };
        let cuts: &[i64] = if name.contains("bframes") {
            &[0, 1, 2, 3]
        } else {
            &[0, 1, 2, 6, 12, 18]
        };
        let mut segments = cut(&format, &both, cuts);
        write(
            dir,
            &format!("plain-{name}"),
            &build(order(&format, 0.0, 20.0), &segments).1,
        );
        let mut exact = order(&format, 0.75, 8.0);
        exact.exact = true;
        write(dir, &format!("exact-{name}"), &build(exact, &segments).1);
        for (start, _) in segments.iter_mut().skip(2) {
            *start += 8_000;
        }
        write(
            dir,
            &format!("hole-{name}"),
            &build(order(&format, 0.0, 40.0), &segments).1,
        );
    }
    // Two sample descriptions.
    let (a, b) = (demux("h264-aac.mp4"), demux("h264-bframes.mp4"));
    let mut two = order(&a.0, 0.0, 20.0);
    two.video.push(b.0.video.clone());
    let mut segments = cut(&a.0, &a.1, &[0, 9]);
    let mut later = cut(&b.0, &b.1, &[0, 9]);
    later[0].0 += 3000;
    segments.extend(later);
    write(dir, "two-formats.mp4", &build(two, &segments).1);
}

#[test]
fn the_index_behind_the_media_says_what_the_media_says() {
    use oriel_media::tail::{TAIL_USUAL, build_tail, read_tail, tail_len};
    for (name, ..) in FIXTURES {
        let (format, frames) = demux(name);
        let mut bytes = write_segment(&format, &frames, 0, 40).closed();
        let read = samples(&bytes);
        assert_eq!(tail_len(&bytes), None);
        let tail = build_tail(Cursor::new(&bytes), bytes.len() as u64).unwrap();
        assert!((tail.len() as u64) < TAIL_USUAL / 8, "{}", tail.len());
        bytes.extend(&tail);
        let len = bytes.len() as u64;
        assert_eq!(tail_len(&bytes), Some(tail.len() as u64));
        assert_eq!(read_tail(&tail, len).unwrap(), read, "{name}");
        // It disturbs nobody.
        let again = read_samples(Cursor::new(&bytes), len).unwrap();
        assert_eq!(again, read, "{name}");
        assert_eq!(read_all(&bytes, 1000).1.len(), frames.len());
        let found = oriel_media::scan(Cursor::new(&bytes), len).unwrap();
        assert_eq!(found.good_len, read.good_len);
        // It belongs to this file and no shorter one.
        assert_eq!(read_tail(&tail, len - 1), None);
        assert_eq!(read_tail(&tail[1..], len), None);
    }
}

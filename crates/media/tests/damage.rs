//! Files that a crash or a power cut left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::io::Cursor;

use oriel_media::{Frame, Scan, ScanError, TrackKind, rescale, scan};
use support::*;

fn scanned(bytes: &[u8]) -> Result<Scan, ScanError> {
    scan(Cursor::new(bytes), bytes.len() as u64)
}

fn sample() -> Segment {
    let (format, frames) = demux("h264-aac.mp4");
    write_segment(&format, &frames, 0, 8)
}

#[test]
fn a_file_torn_at_any_byte_keeps_every_whole_fragment() {
    let segment = sample();
    let whole = scanned(&segment.bytes).unwrap();
    let head = whole.index_offset as usize;
    for len in 0..=segment.bytes.len() {
        let bytes = &segment.bytes[..len];
        let Ok(found) = scanned(bytes) else {
            assert!(len < head, "lost the file at {len}");
            continue;
        };
        let kept = segment
            .fragments
            .iter()
            .take_while(|f| f.offset + f.len <= len as u64)
            .count();
        assert_eq!(found.fragments, segment.fragments[..kept], "{len}");
        let end = segment.fragments[..kept].last();
        if let Some(end) = end {
            assert_eq!(found.good_len, end.offset + end.len);
        }
        assert!(found.good_len <= len as u64);
        let video = found
            .fragments
            .iter()
            .filter(|f| f.track == TrackKind::Video);
        assert_eq!(found.video_end, video.map(|f| f.end).max().unwrap_or(0));
    }
}

/// A power cut leaves the file's length but not its last pages.
#[test]
fn a_zero_filled_tail_is_cut_off() {
    let (format, frames) = demux("h264-aac.mp4");
    let (video, audio) = repeat(&format, &frames, 8);
    let all: Vec<_> = video.into_iter().chain(audio).collect();
    let segment = write_segment(&format, &all, 0, 30);
    let mut lost_in_samples = 0;
    for from in (4096..segment.bytes.len()).step_by(4096) {
        let mut bytes = segment.bytes.clone();
        bytes[from..].fill(0);
        let found = scanned(&bytes).unwrap();
        let hit = segment
            .fragments
            .iter()
            .position(|f| f.offset + f.len > from as u64)
            .unwrap();
        let fragment = &segment.fragments[hit];
        let lost = fragment.offset + fragment.len - from as u64;
        // So few zeros may be what was written.
        let unseen = lost < 64 || (fragment.track == TrackKind::Audio && lost < 512);
        let kept = found.fragments.len();
        assert!(kept == hit || (unseen && kept == hit + 1), "from {from}");
        assert_eq!(found.fragments, segment.fragments[..kept], "from {from}");
        if fragment.offset + 500 < from as u64 {
            lost_in_samples += 1;
        }
    }
    assert!(lost_in_samples > 5, "the case under test happened");
}

#[test]
fn garbage_behind_the_last_fragment_is_cut_off() {
    let segment = sample();
    let mut random = Random(7);
    for _ in 0..200 {
        let mut bytes = segment.bytes.clone();
        let good = bytes.len() as u64;
        bytes.extend((0..random.below(5000)).map(|_| random.next() as u8));
        assert_eq!(scanned(&bytes).unwrap().good_len, good);
    }
}

/// The index is written over the reserved room when the power goes: any part of it may be there.
#[test]
fn a_torn_index_does_not_cost_the_file() {
    let segment = sample();
    let closed = segment.closed();
    let at = segment.header.index_offset as usize;
    for written in 0..=segment.header.index_capacity {
        let mut bytes = segment.bytes.clone();
        bytes[at..at + written].copy_from_slice(&closed[at..at + written]);
        let found = scanned(&bytes).unwrap();
        assert_eq!(found.fragments, segment.fragments, "{written}");
        assert_eq!(found.header_len as usize, segment.header.bytes.len());
        let mut bytes = closed.clone();
        bytes[at..at + written].fill(0);
        assert_eq!(scanned(&bytes).unwrap().fragments, segment.fragments);
    }
}

#[test]
fn a_lying_time_does_not_make_days() {
    let segment = sample();
    let find = |bytes: &[u8], kind: &[u8]| {
        let all: Vec<_> = (0..bytes.len() - 4)
            .filter(|i| bytes[*i..].starts_with(kind))
            .collect();
        all
    };
    for (n, at) in find(&segment.bytes, b"tfdt").into_iter().enumerate() {
        let mut bytes = segment.bytes.clone();
        bytes[at + 8..at + 16].copy_from_slice(&(149 * 3600 * 90_000_u64).to_be_bytes());
        let found = scanned(&bytes).unwrap();
        assert_eq!(found.fragments.len(), segment.fragments.len());
        assert!(
            found.duration_ms() < 3200,
            "tfdt {n}: {}",
            found.duration_ms()
        );
    }
    for at in find(&segment.bytes, b"trun") {
        let mut bytes = segment.bytes.clone();
        bytes[at + 16..at + 20].fill(0xff);
        let found = scanned(&bytes).unwrap();
        assert!(found.duration_ms() < 14_000, "{}", found.duration_ms());
    }
}

#[test]
fn garbage_and_emptiness_are_no_segments() {
    let mut random = Random(11);
    let noise: Vec<u8> = (0..100_000).map(|_| random.next() as u8).collect();
    for bytes in [&[][..], &[0; 100_000], &noise, b"\0\0\0\x08ftyp"] {
        assert!(matches!(scanned(bytes), Err(ScanError::NotASegment(_))));
    }
}

#[test]
fn audio_may_be_absent_late_or_end_early() {
    let (format, frames) = demux("h264-aac.mp4");
    let rate = format.timescale(TrackKind::Audio);
    let dir = tempfile::tempdir().unwrap();
    for (name, kept) in [
        ("absent", 9.0..9.0),
        ("late", 1.5..9.0),
        ("early", 0.0..0.7),
    ] {
        let some: Vec<Frame> = frames
            .iter()
            .filter(|f| {
                f.track == TrackKind::Video || kept.contains(&(f.dts as f64 / f64::from(rate)))
            })
            .cloned()
            .collect();
        let segment = write_segment(&format, &some, 0, 8);
        let bytes = segment.closed();
        let path = dir.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let path = path.to_str().unwrap();
        decode(path);
        assert_eq!(packets(path, "v").len(), 30);
        let audio: Vec<_> = some
            .iter()
            .filter(|f| f.track == TrackKind::Audio)
            .collect();
        let theirs = packets(path, "a");
        assert_eq!(theirs.len(), audio.len(), "{name}");
        for (o, t) in audio.iter().zip(&theirs) {
            assert!(
                (o.dts as f64 / f64::from(rate) - t.pts).abs() < 1e-4,
                "{name}"
            );
        }
        let found = scanned(&bytes).unwrap();
        assert_eq!(found.fragments, segment.fragments);
        assert_eq!(
            found.audio_end,
            audio.last().map_or(0, |f| f.dts + i64::from(f.duration))
        );
        assert!(rescale(found.video_end, 90_000, 1000) >= 3000);
    }
}

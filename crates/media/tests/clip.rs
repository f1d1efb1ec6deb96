//! Segments of one run joined into a clip.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::{fs, io::Cursor};

use oriel_media::{
    Frame, SegmentHeader, Timeline, TrackKind, build_index, covering, rescale, scan, shift_fragment,
};
use support::*;

#[test]
fn a_clip_of_three_segments_plays_as_one() {
    let (format, frames) = demux("h264-aac.mp4");
    let rate = format.timescale(TrackKind::Audio);
    let (video, audio) = repeat(&format, &frames, 4);
    // Cut at key frames, 12 s into 4, 5 and 3.
    let cuts = [0, 4, 9, 12].map(|s: i64| s * 90_000);
    let segments: Vec<_> = cuts
        .windows(2)
        .map(|w| {
            let inside = |f: &&Frame| {
                let scale = if f.track == TrackKind::Audio {
                    rate
                } else {
                    90_000
                };
                (w[0]..w[1]).contains(&rescale(f.dts, scale, 90_000))
            };
            let part: Vec<_> = video.iter().chain(&audio).filter(inside).cloned().collect();
            // The wall clock is rounded to milliseconds, up or down.
            let start_ms = START_MS + w[0] / 90 + if w[0] == cuts[1] { 1 } else { -1 };
            (start_ms, write_segment(&format, &part, w[0], 8).closed())
        })
        .collect();

    // From 1.5 s to 10.2 s: the key frame before is at 1 s.
    let mut timeline = Timeline::new();
    let header = SegmentHeader::new(&format, START_MS + 1000, &channel(), 20).unwrap();
    let mut clip = header.bytes.to_vec();
    let mut fragments = Vec::new();
    let mut sequence = 0;
    for (i, (start_ms, bytes)) in segments.iter().enumerate() {
        let found = scan(Cursor::new(bytes), bytes.len() as u64).unwrap();
        let wanted = match i {
            0 => 135_000..i64::MAX,
            1 => 0..i64::MAX,
            _ => 0..108_000,
        };
        let taken = covering(&found.fragments, &found.format, wanted);
        let times = || taken.iter().filter(|f| f.track == TrackKind::Video);
        let covers = times().next().unwrap().start..times().next_back().unwrap().end;
        let shift = timeline.place(*start_ms, covers);
        let audio_shift = rescale(shift, 90_000, rate);
        for f in taken {
            let mut copy = bytes[f.offset as usize..][..f.len as usize].to_vec();
            sequence += 1;
            shift_fragment(&mut copy, sequence, shift, audio_shift).unwrap();
            let by = match f.track {
                TrackKind::Video => shift,
                TrackKind::Audio => audio_shift,
            };
            fragments.push(oriel_media::FragmentRef {
                offset: clip.len() as u64,
                start: f.start + by,
                end: f.end + by,
                ..f
            });
            clip.extend(copy);
        }
    }
    let index = build_index(
        &format,
        &fragments,
        header.index_capacity,
        header.bytes.len() as u64,
    )
    .unwrap();
    clip[header.index_offset as usize..][..index.len()].copy_from_slice(&index);

    let found = scan(Cursor::new(&clip), clip.len() as u64).unwrap();
    assert_eq!(found.fragments, fragments);
    assert_eq!(found.good_len, clip.len() as u64);
    assert_eq!(found.video_end, timeline.end());

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    fs::write(&path, &clip).unwrap();
    let path = path.to_str().unwrap();
    decode(path);
    let pictures = packets(path, "v");
    // Fragments of a second: 1 s to 11 s.
    assert_eq!(pictures.len(), 100);
    for (i, p) in pictures.iter().enumerate() {
        assert!((p.dts - i as f64 / 10.0).abs() < 1e-4, "{i}: {p:?}");
        assert_eq!(p.size, video[i + 10].data.len());
    }
    let sounds = packets(path, "a");
    assert!(sounds.len() > 140, "{}", sounds.len());
    for pair in sounds.windows(2) {
        let step = pair[1].pts - pair[0].pts;
        assert!((step - 0.064).abs() < 1e-3, "sound is continuous: {pair:?}");
    }
    // Picture and sound are as far apart as they were.
    let first = audio
        .iter()
        .find(|f| f.data.len() == sounds[0].size && f.dts >= i64::from(rate));
    let was = first.unwrap().dts as f64 / f64::from(rate) - 1.0;
    assert!((sounds[0].pts - was).abs() < 0.002, "{was} {:?}", sounds[0]);
}

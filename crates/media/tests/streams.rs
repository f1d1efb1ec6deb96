//! Streams as other programs write them.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::fs;

use oriel_media::{
    Frame, InitSegment, ReadError, StreamItem, StreamReader, TrackKind, build_fragment,
};
use support::*;

fn replace(bytes: &mut [u8], from: &[u8; 4], to: &[u8; 4]) {
    for at in 0..bytes.len() - 4 {
        if bytes[at..].starts_with(from) {
            bytes[at..at + 4].copy_from_slice(to);
        }
    }
}

fn items(bytes: &[u8]) -> Result<Vec<StreamItem>, ReadError> {
    let mut reader = StreamReader::new();
    reader.push(bytes);
    let mut items = Vec::new();
    while let Some(item) = reader.next()? {
        items.push(item);
    }
    Ok(items)
}

#[test]
fn without_tfdt_fragments_follow_each_other() {
    for (name, ..) in FIXTURES {
        let mut bytes = fs::read(fixture(name)).unwrap();
        let with = read_all(&bytes, 4096);
        replace(&mut bytes, b"tfdt", b"free");
        let without = read_all(&bytes, 4096);
        assert_eq!(with.1.len(), without.1.len());
        for (a, b) in with.1.iter().zip(&without.1) {
            let apart = (a.dts - b.dts).abs();
            assert!(apart <= 2048, "{name}: {} {}", a.dts, b.dts);
        }
    }
}

#[test]
fn short_nal_lengths_become_four_bytes() {
    let (format, frames) = demux("h264-bframes.mp4");
    let mut short = (*format).clone();
    let mut config = short.video.config.to_vec();
    config[4] = 0xfd;
    short.video.config = config.into();
    let mut bytes = InitSegment::new(&short).unwrap().bytes().to_vec();
    for (i, frame) in frames.iter().enumerate() {
        let mut data = Vec::new();
        let mut rest = &frame.data[..];
        while let Some((prefix, tail)) = rest.split_first_chunk::<4>() {
            let len = u32::from_be_bytes(*prefix) as usize;
            data.extend((len as u16).to_be_bytes());
            data.extend(&tail[..len]);
            rest = &tail[len..];
        }
        let frame = Frame {
            data: data.into(),
            ..frame.clone()
        };
        bytes.extend(build_fragment(TrackKind::Video, i as u32, 0, &[frame]).bytes);
    }
    assert_eq!(read_all(&bytes, 100), (format, frames));
}

/// One frame at a time, as viewers get them, is the same stream.
#[test]
fn fragments_of_one_frame_read_back() {
    for (name, ..) in FIXTURES {
        let (format, frames) = demux(name);
        let mut bytes = InitSegment::new(&format).unwrap().bytes().to_vec();
        for (i, frame) in frames.iter().enumerate() {
            let one = std::slice::from_ref(frame);
            bytes.extend(build_fragment(frame.track, i as u32, 0, one).bytes);
        }
        assert_eq!(read_all(&bytes, 4096), (format, frames), "{name}");
    }
}

#[test]
fn another_format_is_told_and_its_clock_starts_again() {
    let one = fs::read(fixture("h264-bframes.mp4")).unwrap();
    let two = fs::read(fixture("h265.mp4")).unwrap();
    let got = items(&[one.clone(), two].concat());
    // base-is-moof files can be joined byte by byte.
    let got = got.unwrap();
    let formats: Vec<_> = got
        .iter()
        .filter_map(|i| match i {
            StreamItem::Format(f) => Some(f.video.codec.name()),
            StreamItem::Frame(_) => None,
        })
        .collect();
    assert_eq!(formats, ["h264", "h265"]);
    assert_eq!(got.len(), 62);
    // The same again without saying so is not a stream.
    assert!(matches!(
        items(&[one.clone(), one].concat()),
        Err(ReadError::Malformed("decode time went back"))
    ));
}

#[test]
fn what_cannot_be_recorded_is_named() {
    let golden = fs::read(fixture("h264-aac.mp4")).unwrap();
    let refused = |from: &[u8; 4], to: &[u8; 4]| {
        let mut bytes = golden.clone();
        replace(&mut bytes, from, to);
        items(&bytes)
    };
    assert_eq!(
        refused(b"avc1", b"vp09").unwrap_err(),
        ReadError::UnsupportedVideo("vp09".into())
    );
    assert_eq!(refused(b"vide", b"meta").unwrap_err(), ReadError::NoVideo);
    assert!(matches!(
        refused(b"avcC", b"xxxx").unwrap_err(),
        ReadError::Config(_)
    ));
    // Audio that cannot be used does not cost the video.
    for kind in [b"mp4a", b"esds"] {
        let got = refused(kind, b"xxxx").unwrap();
        assert_eq!(got.len(), 31);
        assert!(matches!(&got[0], StreamItem::Format(f) if f.audio.is_none()));
    }
    assert!(items(b"HTTP/1.1 404 Not Found\r\n\r\n").is_err());
}

#[test]
fn endless_boxes_are_refused_or_skipped() {
    let mut reader = StreamReader::new();
    reader.push(b"\x02\x00\x00\x00free");
    assert_eq!(reader.next(), Ok(None), "32 MiB of nothing is skipped");
    for _ in 0..31 {
        reader.push(&vec![0; 1 << 20]);
        assert_eq!(reader.next(), Ok(None));
        assert_eq!(reader.buffered(), 0);
    }
    for header in [
        b"\x02\x00\x00\x01mdat",
        b"\x00\x10\x00\x01moov",
        b"\xff\xff\xff\xfffree",
    ] {
        let mut reader = StreamReader::new();
        reader.push(header);
        assert!(matches!(reader.next(), Err(ReadError::TooLarge(_))));
    }
}

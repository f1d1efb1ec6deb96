//! Fixtures read with our reader, files made with our writer, and what ffmpeg says of them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "shared by several test programs, each of which uses a part"
)]

use std::{fs, path::PathBuf, process::Command, sync::Arc};

use oriel_api::ChannelId;
use oriel_media::{
    Format, Fragment, FragmentRef, Fragmenter, Frame, SegmentHeader, StreamItem, StreamReader,
    TrackKind, build_index, rescale,
};

/// Name, video frames, audio frames.
pub const FIXTURES: [(&str, usize, usize); 8] = [
    ("h264-aac.mp4", 30, 48),
    ("h264-bframes.mp4", 30, 0),
    ("h264-opus.mp4", 30, 151),
    ("h265.mp4", 30, 0),
    ("old-offsets.mp4", 30, 48),
    ("gst-h264-aac.mp4", 30, 47),
    ("gst-h264-bframes.mp4", 30, 0),
    ("gst-hev1.mp4", 30, 0),
];

pub const START_MS: i64 = 1_795_000_000_123;

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures")
        .join(name)
}

pub fn channel() -> ChannelId {
    ChannelId::from_random(*b"media-tests-")
}

pub fn read_all(bytes: &[u8], piece: usize) -> (Arc<Format>, Vec<Frame>) {
    let mut reader = StreamReader::new();
    let mut format = None;
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(item) = reader.next().unwrap() {
            match item {
                StreamItem::Format(f) => assert!(format.replace(f).is_none(), "one format"),
                StreamItem::Frame(f) => frames.push(f),
            }
        }
    }
    assert!(reader.at_boundary());
    (format.unwrap(), frames)
}

pub fn demux(name: &str) -> (Arc<Format>, Vec<Frame>) {
    read_all(&fs::read(fixture(name)).unwrap(), 64 << 10)
}

pub fn of(frames: &[Frame], track: TrackKind) -> Vec<&Frame> {
    frames.iter().filter(|f| f.track == track).collect()
}

/// The frames again and again, evenly spaced.
pub fn repeat(format: &Format, frames: &[Frame], times: i64) -> (Vec<Frame>, Vec<Frame>) {
    let spaced = |track, step: i64| {
        let once = of(frames, track);
        (0..times * once.len() as i64)
            .map(|n| Frame {
                dts: n * step,
                duration: 0,
                ..once[n as usize % once.len()].clone()
            })
            .collect()
    };
    let samples = format.audio.as_ref().map_or(0, |a| a.frame_samples);
    (
        spaced(TrackKind::Video, 9000),
        spaced(TrackKind::Audio, i64::from(samples)),
    )
}

/// A segment file as the recorder writes it.
pub struct Segment {
    pub format: Format,
    pub bytes: Vec<u8>,
    pub header: SegmentHeader,
    pub fragments: Vec<FragmentRef>,
}

impl Segment {
    /// With the index in place.
    pub fn closed(&self) -> Vec<u8> {
        let header_len = self.header.bytes.len() as u64;
        let capacity = self.header.index_capacity;
        let index = build_index(&self.format, &self.fragments, capacity, header_len).unwrap();
        assert_eq!(index.len(), capacity);
        let mut bytes = self.bytes.clone();
        let at = self.header.index_offset as usize;
        bytes[at..at + capacity].copy_from_slice(&index);
        bytes
    }
}

/// Writes frames, interleaved by time, from tick `base` (90 kHz) on.
pub fn write_segment(format: &Format, frames: &[Frame], base: i64, room: usize) -> Segment {
    let header = SegmentHeader::new(format, START_MS, &channel(), room).unwrap();
    let mut segment = Segment {
        format: format.clone(),
        bytes: header.bytes.to_vec(),
        header,
        fragments: Vec::new(),
    };
    let rate = format.timescale(TrackKind::Audio);
    let audio_base = rescale(base, 90_000, rate);
    let mut video = Fragmenter::new(TrackKind::Video, 90_000);
    let mut audio = Fragmenter::new(TrackKind::Audio, rate);
    video.set_base(base);
    audio.set_base(audio_base);
    let mut sequence = 0;
    let mut waiting: Vec<Fragment> = Vec::new();
    let mut add = |fragment: Option<Fragment>| {
        waiting.extend(fragment);
        // The first fragment of a file is a video key frame.
        if segment.fragments.is_empty() {
            let Some(first) = waiting.iter().position(|f| f.track == TrackKind::Video) else {
                return;
            };
            waiting.swap(0, first);
        }
        for fragment in waiting.drain(..) {
            let offset = segment.bytes.len() as u64;
            let base = match fragment.track {
                TrackKind::Video => base,
                TrackKind::Audio => audio_base,
            };
            let placed = FragmentRef::new(&fragment, offset, base);
            segment.fragments.push(placed);
            segment.bytes.extend_from_slice(&fragment.bytes);
        }
    };
    let mut in_order = frames.to_vec();
    in_order.sort_by_key(|f| match f.track {
        TrackKind::Video => f.dts,
        TrackKind::Audio => rescale(f.dts, rate, 90_000),
    });
    for frame in in_order {
        add(match frame.track {
            TrackKind::Video => video.push(frame, &mut sequence),
            TrackKind::Audio => audio.push(frame, &mut sequence),
        });
    }
    add(video.flush(&mut sequence));
    add(audio.flush(&mut sequence));
    segment
}

/// A finished program's stdout; its stderr must be empty.
pub fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{program} {args:?}: {} {errors}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

pub fn decode(path: &str) {
    run("ffmpeg", &["-v", "error", "-i", path, "-f", "null", "-"]);
}

/// A packet as ffprobe sees it: presentation and decode time in seconds, bytes, key.
#[derive(Debug, Clone, Copy)]
pub struct Packet {
    pub pts: f64,
    pub dts: f64,
    pub size: usize,
    pub key: bool,
}

/// `stream` is `v` or `a`.
pub fn packets(path: &str, stream: &str) -> Vec<Packet> {
    let entries = "packet=pts_time,dts_time,size,flags";
    #[rustfmt::skip]
    let text = run("ffprobe", &["-v", "error", "-select_streams", stream, "-show_entries", entries,
        "-of", "default=noprint_wrappers=1", path]);
    let mut found = Vec::new();
    let mut packet = Packet {
        pts: f64::NAN,
        dts: f64::NAN,
        size: 0,
        key: false,
    };
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        match name {
            "pts_time" => packet.pts = value.parse().unwrap(),
            "dts_time" => packet.dts = value.parse().unwrap_or(f64::NAN),
            "size" => packet.size = value.parse().unwrap(),
            "flags" => {
                packet.key = value.starts_with('K');
                found.push(packet);
            }
            _ => {}
        }
    }
    found
}

/// Xorshift64: the same everywhere, every time.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

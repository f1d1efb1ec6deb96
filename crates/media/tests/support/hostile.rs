//! What is done with bytes nobody vouches for. The fuzz targets include this very file.

use std::io::Cursor;

use oriel_media::{
    ClipBuilder, ClipMark, ClipOrder, ScanError, SegmentSamples, StreamItem, StreamReader,
    aac_codec_string, avc_codec_string, build_fragment, build_index, covering, hevc_codec_string,
    read_samples, scan, shift_fragment,
    tail::{build_tail, read_tail, tail_len},
};

/// Reads a stream in two different sizes of pieces; what it gives must be the same and its
/// frames must be writable.
pub fn stream_reader(bytes: &[u8]) {
    let mut seen = [Vec::new(), Vec::new()];
    for (items, piece) in seen.iter_mut().zip([bytes.len().max(1), 37]) {
        let mut reader = StreamReader::new();
        'stream: for piece in bytes.chunks(piece) {
            reader.push(piece);
            loop {
                match reader.next() {
                    Ok(Some(item)) => items.push(Ok(item)),
                    Ok(None) => break,
                    Err(e) => {
                        assert_eq!(reader.next(), Err(e.clone()));
                        items.push(Err(e));
                        break 'stream;
                    }
                }
            }
        }
        assert!(reader.buffered() <= bytes.len());
    }
    let [whole, pieces] = seen;
    assert_eq!(whole, pieces);
    let mut last = [0; 2];
    for item in whole.into_iter().flatten() {
        match item {
            StreamItem::Format(_) => last = [0; 2],
            StreamItem::Frame(frame) => {
                assert!(!frame.data.is_empty());
                let last = &mut last[frame.track as usize];
                assert!(frame.dts >= *last);
                *last = frame.dts;
                let fragment = build_fragment(frame.track, 1, 0, std::slice::from_ref(&frame));
                assert!(fragment.bytes.len() >= frame.data.len());
            }
        }
    }
}

/// Scans a file; what it finds must lie inside, in order, and cost no more than its samples.
pub fn scan_file(bytes: &[u8]) {
    let len = bytes.len() as u64;
    let found = match scan(Cursor::new(bytes), len) {
        Ok(found) => found,
        Err(ScanError::NotASegment(_)) => return,
        Err(e) => panic!("{e}"),
    };
    assert!(found.good_len <= len && found.header_len <= found.good_len);
    assert!(found.video_end >= 0 && found.audio_end >= 0);
    // Every fragment is bounded: a minute, and a minute of a hole before it.
    let most = found.fragments.len() as i64 * 2 * 61_000;
    assert!(found.duration_ms() <= most, "{} ms", found.duration_ms());
    let mut at = found.header_len;
    for f in &found.fragments {
        assert!(f.offset >= at && f.len >= 16 && f.start <= f.end);
        at = f.offset + f.len;
    }
    assert!(at <= found.good_len);
    // Cutting there and scanning again changes nothing.
    let good = &bytes[..found.good_len as usize];
    if let Ok(again) = scan(Cursor::new(good), good.len() as u64) {
        assert_eq!(again.fragments, found.fragments);
    }
    if let Some(index) = build_index(
        &found.format,
        &found.fragments,
        found.index_capacity,
        found.header_len,
    ) {
        assert_eq!(index.len(), found.index_capacity);
    }
    covering(&found.fragments, &found.format, 0..i64::MAX);
}

/// Moves every fragment that seems to begin in the bytes, and the whole.
pub fn join(bytes: &[u8]) {
    for (video, audio) in [(90_000, 48_000), (-1, i64::MIN), (i64::MAX, -1)] {
        let mut copy = bytes.to_vec();
        let _ = shift_fragment(&mut copy, 7, video, audio);
        assert_eq!(copy.len(), bytes.len());
        let starts: Vec<_> = bytes
            .windows(4)
            .enumerate()
            .filter(|(i, w)| *i >= 4 && *w == b"moof")
            .map(|(i, _)| i - 4)
            .take(8)
            .collect();
        for start in starts {
            let _ = shift_fragment(&mut copy[start..], 7, video, audio);
        }
    }
}

/// Names codecs.
pub fn codec_config(bytes: &[u8]) {
    for name in [
        avc_codec_string(bytes),
        hevc_codec_string(bytes),
        aac_codec_string(bytes),
    ]
    .into_iter()
    .flatten()
    {
        assert!(name.len() < 64 && name.is_ascii());
    }
}

/// Reads samples, of the file and of the index behind its media, and makes a clip of them: what
/// it takes must lie inside, and the head stays in proportion.
pub fn clip(bytes: &[u8]) {
    ClipMark::find(bytes);
    let len = bytes.len() as u64;
    if let Some(size) = tail_len(bytes)
        && let Some(from) = len.checked_sub(size)
        && let Some(read) = read_tail(&bytes[from as usize..], len)
    {
        clip_of(&read, len);
    }
    let read = match read_samples(Cursor::new(bytes), len) {
        Ok(read) => read,
        Err(ScanError::NotASegment(_)) => return,
        Err(e) => panic!("{e}"),
    };
    clip_of(&read, len);
    let tail = build_tail(Cursor::new(bytes), len).unwrap();
    let told = read_tail(&tail, len + tail.len() as u64).unwrap();
    assert_eq!(told, read);
}

fn clip_of(read: &SegmentSamples, len: u64) {
    assert!(read.good_len <= len);
    for exact in [false, true] {
        let mut builder = ClipBuilder::new(ClipOrder {
            start_ms: 1500,
            end_ms: 3_600_000,
            exact,
            video: vec![read.format.video.clone()],
            audio: read.format.audio.clone(),
        });
        let count: usize = read.runs.iter().map(|r| r.samples.len()).sum();
        for start_ms in [0, 5000, 4000] {
            if let Some(share) = builder.add(read, start_ms).unwrap() {
                assert!(share.bytes.start < share.bytes.end && share.bytes.end <= len);
            }
        }
        let channel = oriel_api::ChannelId::from_random([7; 12]);
        if let Ok(Some(head)) = builder.finish(&channel, "") {
            // Boxes, formats and at most six numbers a sample.
            assert!(head.bytes.len() < 200_000 + 3 * count * 48, "{count}");
        }
    }
}

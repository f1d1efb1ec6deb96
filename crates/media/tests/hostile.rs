//! The fuzz corpus and mutated fixtures through every reader: no panic, no huge allocation.
//!
//! `ORIEL_MUTATIONS=100` makes a hundred times as many mutations.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/hostile.rs"]
mod entry;
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use support::*;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", dir.display());
    files.iter().map(|f| fs::read(f).unwrap()).collect()
}

/// Numbers that parsers get wrong, in places that are likely to be sizes and counts.
fn mutate(golden: &[u8], random: &mut Random) -> Vec<u8> {
    const WORDS: [u32; 8] = [0, 1, 7, 8, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, u32::MAX];
    let mut bytes = golden.to_vec();
    let kinds: Vec<usize> = (4..bytes.len().saturating_sub(4))
        .filter(|i| bytes[*i..i + 4].iter().all(u8::is_ascii_lowercase))
        .collect();
    for _ in 0..=random.below(4) {
        let near = match random.below(3) {
            0 => random.below(bytes.len()),
            _ if kinds.is_empty() => 0,
            _ => kinds[random.below(kinds.len())] - 4 + random.below(40),
        };
        let at = near.min(bytes.len() - 1);
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 | 3 => {
                let word = WORDS[random.below(WORDS.len())].to_be_bytes();
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&word[..end - at]);
            }
            4 => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + random.below(600)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn hammer(target: &str, entry: fn(&[u8]), golden: &[Vec<u8>], rounds: usize) {
    for bytes in corpus(target).iter().chain(golden) {
        entry(bytes);
    }
    let mut random = Random(0x5eed_0000 + target.len() as u64);
    let times = std::env::var("ORIEL_MUTATIONS").map_or(1, |n| n.parse().unwrap());
    for round in 0..rounds * times {
        let bytes = mutate(&golden[round % golden.len()], &mut random);
        if std::panic::catch_unwind(|| entry(&bytes)).is_err() {
            let path = std::env::temp_dir().join(format!("oriel-media-{target}-{round}"));
            fs::write(&path, &bytes).unwrap();
            panic!(
                "{target}: round {round} failed, input kept at {}",
                path.display()
            );
        }
    }
}

fn fixtures() -> Vec<Vec<u8>> {
    FIXTURES
        .iter()
        .map(|(name, ..)| fs::read(fixture(name)).unwrap())
        .collect()
}

fn segments() -> Vec<Vec<u8>> {
    FIXTURES
        .iter()
        .map(|(name, ..)| {
            let (format, frames) = demux(name);
            write_segment(&format, &frames, 0, 6).closed()
        })
        .collect()
}

#[test]
fn stream_reader() {
    hammer("stream_reader", entry::stream_reader, &fixtures(), 1500);
}

#[test]
fn scan() {
    let golden: Vec<_> = segments().into_iter().chain(fixtures()).collect();
    hammer("scan", entry::scan_file, &golden, 1500);
}

#[test]
fn join() {
    hammer("join", entry::join, &segments(), 2000);
}

#[test]
fn clip() {
    let mut golden = segments();
    for segment in &mut golden {
        let len = segment.len() as u64;
        let tail = oriel_media::tail::build_tail(std::io::Cursor::new(&*segment), len).unwrap();
        segment.extend(&tail);
    }
    hammer("clip", entry::clip, &golden, 2000);
    // The index alone, so that most changes meet it.
    let tails: Vec<_> = golden
        .iter()
        .map(|segment| {
            let size = oriel_media::tail::tail_len(segment).unwrap() as usize;
            let pad = vec![0; segment.len() - size];
            [pad.as_slice(), &segment[segment.len() - size..]].concat()
        })
        .collect();
    hammer("clip", entry::clip, &tails, 2000);
}

#[test]
fn codec_config() {
    let golden: Vec<_> = FIXTURES
        .iter()
        .flat_map(|(name, ..)| {
            let (format, _) = demux(name);
            let audio = format.audio.as_ref().map(|a| a.config.to_vec());
            [Some(format.video.config.to_vec()), audio]
        })
        .flatten()
        .collect();
    hammer("codec_config", entry::codec_config, &golden, 5000);
}

/// Lengths that lie must not be believed before the bytes are there.
#[test]
fn a_claim_of_gigabytes_costs_nothing() {
    let golden = fs::read(fixture("h264-aac.mp4")).unwrap();
    let segment = &segments()[0];
    for kind in [
        b"moov", b"moof", b"mdat", b"trun", b"stsd", b"avcC", b"free",
    ] {
        for file in [&golden, segment] {
            let Some(at) = file.windows(4).position(|w| w == kind) else {
                continue;
            };
            for size in [32 << 20, 0x7fff_ffff, u32::MAX] {
                let mut bytes = file.clone();
                bytes[at - 4..at].copy_from_slice(&u32::to_be_bytes(size));
                entry::stream_reader(&bytes);
                entry::scan_file(&bytes);
                // Counts follow version and flags.
                let mut bytes = file.clone();
                bytes[at + 8..at + 12].copy_from_slice(&u32::to_be_bytes(size));
                entry::stream_reader(&bytes);
                entry::scan_file(&bytes);
            }
        }
    }
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let peak = peak.unwrap().trim().trim_end_matches(" kB");
        assert!(peak.parse::<u64>().unwrap() < 400_000, "{peak} kB");
    }
}

//! Fuzzes the reader of an untrusted fragmented MP4 stream.

#![no_main]

#[path = "../../tests/support/hostile.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::stream_reader(bytes));

//! Fuzzes the readers of codec configuration records.

#![no_main]

#[path = "../../tests/support/hostile.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::codec_config(bytes));

//! Fuzzes reading samples and making a clip of them.

#![no_main]

#[path = "../../tests/support/hostile.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::clip(bytes));

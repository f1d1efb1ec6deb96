//! Fuzzes the scan of segment files.

#![no_main]

#[path = "../../tests/support/hostile.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::scan_file(bytes));

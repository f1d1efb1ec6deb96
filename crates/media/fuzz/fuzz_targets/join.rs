//! Fuzzes moving fragments in time and joining them.

#![no_main]

#[path = "../../tests/support/hostile.rs"]
#[allow(dead_code)]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::join(bytes));

//! The real GNOME keyring on a D-Bus session of its own.
//!
//! This program runs itself inside `dbus-run-session`, with folders that no other session sees;
//! so it has a `main` of its own instead of the usual harness.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[cfg(target_os = "linux")]
mod session;

#[cfg(target_os = "linux")]
fn main() {
    session::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {}

//! How many heaps the C library keeps.
//!
//! glibc gives threads heaps of their own, eight for every processor, and what one has freed is
//! of no use to another. A recorder has many threads that wait most of the time: with four heaps
//! it needs a tenth less memory while it uploads; with two, threads would wait for each other. Only
//! the environment can say so before the first thread, so the program begins again with it; the
//! process stays the same one.

/// Begins again with few heaps, where that is of use and nobody has chosen a number. Comes back
/// when there is nothing to do or it does not work, which costs only memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn limit() {
    use std::{env, os::unix::process::CommandExt, process::Command};

    /// mallopt(3).
    const NAME: &str = "MALLOC_ARENA_MAX";
    if env::var_os(NAME).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else {
        return;
    };
    let mut arguments = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let _ = again.args(arguments).env(NAME, "4").exec();
}

/// Other systems' heaps are not one for every thread.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn limit() {}

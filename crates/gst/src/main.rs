//! `oriel-gst`: the only code of Oriel that runs GStreamer, as a child process that can be killed.
//!
//! One job per process, by the contract in `docs/protocol.md` section 1. What does not belong
//! here: trying again, files, and anything that outlives a job.

mod audio;
mod elements;
mod encode;
mod failure;
mod fed;
mod job;
mod jpeg;
mod packet;
mod pull;
mod report;
mod stop;

use std::{
    io::{BufRead, Read},
    process::ExitCode,
};

use gstreamer as gst;
use oriel_api::ReasonCode;

use failure::{Exit, Failure};
use job::Job;

/// A job line is never longer.
const LONGEST_JOB: u64 = 1 << 20;

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        return version(&argument);
    }
    let outcome = run();
    let exit = match &outcome {
        Ok(()) => Exit::Stopped,
        Err(failure) => {
            report::error(failure);
            failure.exit
        }
    };
    // Native code can hang while it is torn down and has nothing left to save.
    std::process::exit(exit as i32)
}

fn version(argument: &std::ffi::OsStr) -> ExitCode {
    if argument != "--version" {
        eprintln!("oriel-gst takes its job on stdin; the only argument is --version");
        return ExitCode::from(Exit::BadJob as u8);
    }
    let (major, minor, micro, _) = gst::version();
    println!(
        "oriel-gst {} gstreamer {major}.{minor}.{micro}",
        env!("CARGO_PKG_VERSION")
    );
    ExitCode::SUCCESS
}

fn run() -> Result<(), Failure> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .take(LONGEST_JOB)
        .read_line(&mut line)
        .map_err(|e| Failure::bad_job(format!("the job cannot be read: {e}")))?;
    let job = Job::parse(&line)?;
    report::keep_native_logs_out();
    gst::init().map_err(|e| Failure {
        exit: Exit::Internal,
        reason: ReasonCode::Internal,
        message: format!("GStreamer does not start: {e}"),
    })?;
    match job {
        Job::Pull(job) => pull::run(job),
        Job::Audio(job) => audio::run(&job),
        Job::Jpeg(job) => jpeg::run(&job),
    }
}

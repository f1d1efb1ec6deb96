//! Measurements against a peer in the same run. It prints; it never judges, and no test calls it.
//!
//! `npm run bench` builds everything in release mode and runs all parts.

mod clip;
mod cost;
mod floor;
mod idle;
mod record;
mod retention;
mod table;
mod timeline;
mod upload;
mod viewers;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Record many cameras, beside ffmpeg and a bare copier.
    Record {
        /// Cameras.
        #[arg(long, default_value_t = 16)]
        cameras: usize,
        /// Seconds measured.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Timeline and list queries on large tables.
    Timeline {
        /// Rows of the large table.
        #[arg(long, default_value_t = 10_000_000)]
        rows: u64,
    },
    /// Deletion by age in a large table, and what it costs everybody else.
    Retention {
        /// Rows of the table.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// Seconds measured.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// A clip of an hour, beside ffmpeg.
    Clip {
        /// Segments of half a minute.
        #[arg(long, default_value_t = 120)]
        segments: i64,
        /// MB of all of them.
        #[arg(long, default_value_t = 1850)]
        megabytes: i64,
    },
    /// One clip in a process of its own.
    #[command(hide = true)]
    ClipOnce {
        root: std::path::PathBuf,
        segments: i64,
    },
    /// Uploading segments to an S3 server on this computer, beside rclone.
    Upload {
        /// MB uploaded.
        #[arg(long, default_value_t = 1000)]
        megabytes: u64,
        /// Times that both run.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// The program beside.
        #[arg(long, env = "ORIEL_RCLONE", default_value = "rclone")]
        rclone: std::path::PathBuf,
    },
    /// What a recorder without cameras costs.
    Idle {
        /// Seconds measured.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// The S3 server.
    #[command(hide = true)]
    Storage { folder: std::path::PathBuf },
    /// The bare copier: reads RTSP over TCP and writes what it reads.
    #[command(hide = true)]
    Floor {
        #[arg(long)]
        out: std::path::PathBuf,
        urls: Vec<String>,
    },
    /// Viewers that read and forget.
    #[command(hide = true)]
    Viewers { address: String, paths: Vec<String> },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().part {
        Part::Record { cameras, seconds } => record::run(cameras, seconds),
        Part::Timeline { rows } => timeline::run(rows),
        Part::Retention { rows, seconds } => retention::run(rows, seconds),
        Part::Clip {
            segments,
            megabytes,
        } => clip::run(segments, megabytes),
        Part::ClipOnce { root, segments } => clip::once(&root, segments),
        Part::Idle { seconds } => idle::run(seconds),
        Part::Upload {
            megabytes,
            rounds,
            rclone,
        } => upload::run(megabytes, rounds, &rclone),
        Part::Storage { folder } => upload::serve(&folder),
        Part::Floor { out, urls } => floor::run(&out, &urls),
        Part::Viewers { address, paths } => viewers::run(&address, &paths),
    }
}

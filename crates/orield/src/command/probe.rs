//! `orield probe`: what is at an address.

use std::{io::Read, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use clap::Args;
use oriel_api::{Credentials, ErrorCode, ProbeReport, Secret};
use oriel_child::Program;

use crate::command::say;

/// Longest credentials read from stdin.
const LONGEST: u64 = 8 * 1024;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Address, such as rtsp://192.168.1.20/stream1. Credentials inside it work too, but other
    /// users of this computer can read them in the list of processes
    url: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Read user name and password from stdin, one line each
    #[arg(long)]
    credentials_stdin: bool,
    /// The child program oriel-gst, when it is not beside this one
    #[arg(long, value_name = "FILE", env = "ORIEL_GST")]
    gst: Option<PathBuf>,
}

/// Looks, and prints what was seen.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let credentials = if options.credentials_stdin {
        Some(tokio::task::spawn_blocking(from_stdin).await??)
    } else {
        from_environment()
    };
    let program = Arc::new(Program::new(options.gst));
    let user_agent = concat!("Oriel/", env!("CARGO_PKG_VERSION"));
    match oriel_agent::look(&options.url, credentials, &program, user_agent).await {
        Ok(report) => {
            if options.json {
                say(serde_json::to_string_pretty(&report)?);
            } else {
                show(&report);
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if options.json {
                say(serde_json::to_string_pretty(
                    &serde_json::json!({ "error": error }),
                )?);
            }
            eprintln!("{error}");
            Ok(match error.code {
                ErrorCode::InvalidArgument => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            })
        }
    }
}

fn from_environment() -> Option<Credentials> {
    let username = std::env::var("ORIEL_USERNAME").ok()?;
    Some(Credentials {
        username,
        password: Secret::new(std::env::var("ORIEL_PASSWORD").unwrap_or_default()),
    })
}

fn from_stdin() -> anyhow::Result<Credentials> {
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST)
        .read_to_string(&mut text)
        .context("User name and password could not be read from stdin.")?;
    let mut lines = text.lines();
    let (Some(username), password) = (lines.next(), lines.next().unwrap_or_default()) else {
        bail!("Give the user name and the password on stdin, one line each.");
    };
    Ok(Credentials {
        username: username.to_owned(),
        password: Secret::new(password),
    })
}

fn show(report: &ProbeReport) {
    let video = &report.video;
    let rate = video
        .frame_rate
        .map(|r| format!(", {r:.1} frames/s"))
        .unwrap_or_default();
    say(&report.url);
    if let Some(server) = &report.server {
        say(format_args!("  device   {server}"));
    }
    say(format_args!(
        "  video    {} ({}) {}x{}{rate}",
        video.codec, video.codec_string, video.width, video.height
    ));
    match &report.audio {
        Some(a) => say(format_args!(
            "  audio    {} {} Hz, {} channel(s)",
            a.codec, a.sample_rate, a.channels
        )),
        None => say("  audio    none"),
    }
    say(format_args!("  bitrate  {:.0} kbit/s", report.kbps));
    if let Some(seconds) = report.key_interval {
        say(format_args!("  key frames every {seconds:.1} s"));
    }
    say(format_args!(
        "  first picture after {} ms",
        report.first_frame_ms
    ));
    for warning in &report.warnings {
        say(format_args!("  warning  {}", warning.message));
    }
}

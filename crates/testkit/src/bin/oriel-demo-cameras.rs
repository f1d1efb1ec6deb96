//! Three cameras for trying Oriel without owning one: `oriel-demo-cameras --out cameras.json`.
//!
//! They encode only while somebody watches, and listen on loopback only. Port and password are
//! those of the list from last time, so that a recorder that knows the cameras finds them again.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Parser;
use oriel_testkit::{
    Audio, Auth, Look, StreamOptions, Video,
    serve::{Mount, Pictures, Server},
};
use serde::{Deserialize, Serialize};

/// Serves three demo cameras over RTSP on loopback until stdin ends.
///
/// The password of the user `demo` is ORIEL_DEMO_PASSWORD, the one of last time, or made up.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// TCP port; without it the one of last time if it is free, else any.
    #[arg(long)]
    port: Option<u16>,
    /// Where to write the list of cameras (JSON, readable by its owner only).
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Camera {
    name: String,
    url: String,
    low_url: String,
    username: String,
    password: String,
}

const USER: &str = "demo";
const NAMES: [&str; 3] = ["Entrance", "Workshop", "Yard"];

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let before = options.out.as_deref().and_then(last_time);
    // Not an option: other users can read arguments.
    let password = match std::env::var("ORIEL_DEMO_PASSWORD") {
        Ok(password) if !password.is_empty() => password,
        _ => match &before {
            Some(before) => before.password.clone(),
            None => random_password()?,
        },
    };
    let auth = Auth::Digest {
        user: USER.into(),
        password: password.clone(),
    };
    let mounts = || NAMES.iter().flat_map(|name| mounts(name)).collect();
    let wanted = options.port.or(before.as_ref().map(|b| b.port));
    let server = match (
        Server::start(mounts(), &auth, wanted.unwrap_or(0), true),
        options.port,
    ) {
        (Err(_), None) if wanted.is_some() => Server::start(mounts(), &auth, 0, true)?,
        (started, _) => started?,
    };
    let port = server.port();
    let cameras = NAMES.map(|name| Camera {
        name: name.into(),
        url: format!("rtsp://127.0.0.1:{port}{}", path(name, "high")),
        low_url: format!("rtsp://127.0.0.1:{port}{}", path(name, "low")),
        username: USER.into(),
        password: password.clone(),
    });
    if let Some(out) = &options.out {
        write_private(out, &serde_json::to_vec_pretty(&cameras)?)
            .with_context(|| format!("cannot write {}", out.display()))?;
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    drop(stdout);
    server.run_until_stdin_ends();
    Ok(())
}

struct Before {
    port: u16,
    password: String,
}

/// Port and password of the list that is there from last time.
fn last_time(out: &Path) -> Option<Before> {
    let cameras: Vec<Camera> = serde_json::from_slice(&std::fs::read(out).ok()?).ok()?;
    let camera = cameras.into_iter().next()?;
    let port = url::Url::parse(&camera.url).ok()?.port()?;
    Some(Before {
        port,
        password: camera.password,
    })
}

fn path(name: &str, quality: &str) -> String {
    format!("/{}/{quality}", name.to_lowercase())
}

fn mounts(name: &'static str) -> [Mount; 2] {
    let (video, width, height, audio, bitrate) = match name {
        "Entrance" => (Video::H264, 1920, 1080, Audio::Aac, 2500),
        "Workshop" => (Video::H264, 1280, 720, Audio::Pcmu, 1500),
        _ => (Video::H265, 1920, 1080, Audio::None, 1500),
    };
    let high = StreamOptions {
        video,
        width,
        height,
        fps: 15,
        gop: 30,
        bitrate,
        audio,
        look: Look::Named(name.into()),
        ..StreamOptions::default()
    };
    let low = StreamOptions {
        video: Video::H264,
        width: 640,
        height: 360,
        fps: 10,
        gop: 20,
        bitrate: 400,
        ..high.clone()
    };
    let mount = |quality, stream| Mount {
        path: path(name, quality),
        stream,
        pictures: Pictures::Live,
    };
    [mount("high", high), mount("low", low)]
}

fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

/// Writes a file that only its owner can read, and only whole.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

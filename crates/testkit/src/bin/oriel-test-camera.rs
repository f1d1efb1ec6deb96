//! One camera for a test. Reads its options as a line of JSON, prints `ready <port>`, serves
//! until stdin ends.

use std::io::{BufRead, Write};

use anyhow::Context;
use oriel_testkit::{
    CameraOptions, Source, StreamOptions, Video,
    serve::{Mount, Pictures, Server},
};

fn main() -> anyhow::Result<()> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let options: CameraOptions = serde_json::from_str(&line).context("options")?;
    let server = Server::start(
        mounts(&options),
        &options.auth,
        options.port.unwrap_or(0),
        options.rtcp,
    )?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "ready {}", server.port())?;
    stdout.flush()?;
    server.run_until_stdin_ends();
    Ok(())
}

fn mounts(options: &CameraOptions) -> Vec<Mount> {
    let stream = options.stream.clone();
    if let Source::Loop { mounts, seconds } = options.source {
        return (0..mounts)
            .map(|n| Mount {
                path: format!("/cam{n}"),
                stream: stream.clone(),
                pictures: Pictures::Loop { seconds },
            })
            .collect();
    }
    let look = stream.look.clone();
    let mut mounts = vec![Mount {
        path: "/high".into(),
        stream,
        pictures: Pictures::Live,
    }];
    if options.low {
        mounts.push(Mount {
            path: "/low".into(),
            stream: StreamOptions {
                video: Video::H264,
                width: 192,
                height: 108,
                fps: 5,
                gop: 5,
                bitrate: 150,
                look,
                ..StreamOptions::default()
            },
            pictures: Pictures::Live,
        });
    }
    mounts
}

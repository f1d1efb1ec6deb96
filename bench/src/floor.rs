//! The least a recorder can do: take the bytes off the socket and write them down.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    thread,
};

use anyhow::{Context, Result, ensure};

/// Copies every URL to a file of its own until it is killed.
pub fn run(out: &Path, urls: &[String]) -> Result<()> {
    std::fs::create_dir_all(out)?;
    let threads: Vec<_> = urls
        .iter()
        .enumerate()
        .map(|(i, url)| {
            let (url, path) = (url.clone(), out.join(format!("{i}.rtp")));
            thread::spawn(move || copy(&url, &path))
        })
        .collect();
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a copier panicked"))??;
    }
    Ok(())
}

fn copy(url: &str, path: &Path) -> Result<()> {
    let host = url
        .strip_prefix("rtsp://")
        .and_then(|r| r.split('/').next())
        .context("rtsp URL")?;
    let mut stream = TcpStream::connect(host)?;
    let mut reader = BufReader::with_capacity(64 * 1024, stream.try_clone()?);
    let mut sequence = 0;
    let mut ask =
        |stream: &mut TcpStream, reader: &mut BufReader<TcpStream>, line: &str, more: &str| {
            sequence += 1;
            write!(stream, "{line} RTSP/1.0\r\nCSeq: {sequence}\r\n{more}\r\n")?;
            answer(reader)
        };
    let described = ask(
        &mut stream,
        &mut reader,
        &format!("DESCRIBE {url}"),
        "Accept: application/sdp\r\n",
    )?;
    let mut session = String::new();
    for (i, control) in controls(&described.body, described.base.as_deref().unwrap_or(url))
        .iter()
        .enumerate()
    {
        let more = format!(
            "Transport: RTP/AVP/TCP;unicast;interleaved={}-{}\r\n{session}",
            i * 2,
            i * 2 + 1
        );
        let set_up = ask(&mut stream, &mut reader, &format!("SETUP {control}"), &more)?;
        if let Some(id) = set_up.session {
            session = format!("Session: {id}\r\n");
        }
    }
    ask(&mut stream, &mut reader, &format!("PLAY {url}"), &session)?;
    let mut file = File::create(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..n])?;
    }
}

struct Answer {
    base: Option<String>,
    session: Option<String>,
    body: String,
}

fn answer(reader: &mut impl BufRead) -> Result<Answer> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    ensure!(line.contains(" 200 "), "{line}");
    let (mut length, mut base, mut session) = (0, None, None);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "content-base" => base = Some(value.trim().to_owned()),
            "session" => session = value.trim().split(';').next().map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Answer {
        base,
        session,
        body: String::from_utf8(body)?,
    })
}

fn controls(sdp: &str, base: &str) -> Vec<String> {
    sdp.split("\nm=")
        .skip(1)
        .filter_map(|media| {
            media
                .lines()
                .find_map(|l| l.trim().strip_prefix("a=control:"))
        })
        .map(|c| {
            if c.starts_with("rtsp://") {
                c.to_owned()
            } else {
                format!("{}/{c}", base.trim_end_matches('/'))
            }
        })
        .collect()
}

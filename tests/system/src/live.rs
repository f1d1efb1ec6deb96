//! A viewer: the live socket, read as `docs/protocol.md` describes it.

use std::{net::TcpStream, time::Duration};

use anyhow::{Context, Result, ensure};
use oriel_api::LiveMessage;
use tungstenite::{Message, WebSocket, client::IntoClientRequest};

/// One thing a live socket said.
#[derive(Debug)]
pub enum LiveUnit {
    /// A text message.
    Said(LiveMessage),
    /// The init segment.
    Init(Vec<u8>),
    /// A frame or a fragment.
    Media {
        /// 1 video, 2 audio.
        kind: u8,
        /// A decoder can start here.
        key: bool,
        /// Made by the recorder to fill silence.
        filler: bool,
        /// Ticks.
        decode_time: i64,
        /// Milliseconds since 1970 UTC.
        captured_ms: i64,
        /// Access unit or fragment.
        payload: Vec<u8>,
    },
}

/// An open live socket.
pub struct LiveSocket(WebSocket<TcpStream>);

impl LiveSocket {
    /// Opens `path` (with its token) on `address`.
    pub fn open(address: &str, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let request = format!("ws://{address}{path}").into_client_request()?;
        let (socket, _) =
            tungstenite::client(request, stream).map_err(|e| anyhow::anyhow!("{e}"))?;
        Ok(Self(socket))
    }

    /// The next message.
    pub fn read(&mut self) -> Result<LiveUnit> {
        loop {
            match self.0.read()? {
                Message::Text(text) => return Ok(LiveUnit::Said(serde_json::from_str(&text)?)),
                Message::Binary(bytes) => {
                    ensure!(bytes.len() >= 24, "short header");
                    let (head, payload) = bytes.split_at(24);
                    if head[0] == 0 {
                        return Ok(LiveUnit::Init(payload.to_vec()));
                    }
                    let time = |at: usize| -> Result<i64> {
                        Ok(i64::from_be_bytes(
                            head[at..at + 8].try_into().context("header")?,
                        ))
                    };
                    return Ok(LiveUnit::Media {
                        kind: head[0],
                        key: head[1] & 1 != 0,
                        filler: head[1] & 2 != 0,
                        decode_time: time(8)?,
                        captured_ms: time(16)?,
                        payload: payload.to_vec(),
                    });
                }
                Message::Close(frame) => anyhow::bail!("closed: {frame:?}"),
                _ => {}
            }
        }
    }
}

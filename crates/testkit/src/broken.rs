//! Servers that are reachable and wrong, in process.

use std::{future::Future, io, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A running broken server. Dropping it closes it and all its connections.
pub struct BrokenServer {
    port: u16,
    task: JoinHandle<()>,
}

impl BrokenServer {
    /// Its address, `rtsp://127.0.0.1:port/stream`.
    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/stream", self.port)
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    async fn start<F, W>(serve: F) -> io::Result<Self>
    where
        F: Fn(TcpStream) -> W + Send + 'static,
        W: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let work = serve(stream);
                // A client that goes away is no fault of this server.
                connections.spawn(async move { drop(work.await) });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { port, task })
    }
}

impl Drop for BrokenServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const NO_VIDEO: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n\
    m=audio 0 RTP/AVP 0\r\na=control:track1\r\n";
const H264: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
    a=fmtp:96 packetization-mode=1;profile-level-id=42c00d;\
    sprop-parameter-sets=Z0LADdkBQfsBEAAAAwAQAAADA8jxYuS,aMuDyyA=\r\n\
    a=control:track1\r\n";

/// Accepts and never says anything.
pub async fn accepts_and_says_nothing() -> io::Result<BrokenServer> {
    BrokenServer::start(|mut stream| async move {
        let mut bytes = [0u8; 4096];
        while stream.read(&mut bytes).await? > 0 {}
        Ok(())
    })
    .await
}

/// Answers every request as a web server would.
pub async fn answers_http() -> io::Result<BrokenServer> {
    BrokenServer::start(|stream| async move {
        let mut stream = BufReader::new(stream);
        let _ = Request::read(&mut stream).await?;
        let page = "<html><body>400 Bad Request</body></html>";
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{page}",
            page.len()
        );
        stream.write_all(answer.as_bytes()).await
    })
    .await
}

/// Describes a proper stream and follows it with bytes that are no RTSP.
pub async fn garbage_after_describe() -> io::Result<BrokenServer> {
    BrokenServer::start(|stream| async move {
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream).await? {
            if request.method == "DESCRIBE" {
                stream.write_all(&request.description(H264)).await?;
                stream.write_all(&junk(64 * 1024)).await?;
            } else if request.method == "OPTIONS" {
                stream.write_all(&request.options()).await?;
            }
        }
        Ok(())
    })
    .await
}

/// A stream with audio only.
pub async fn sdp_without_video() -> io::Result<BrokenServer> {
    describes(Arc::new(NO_VIDEO.into())).await
}

/// A description of ten mebibytes.
pub async fn sdp_10_mib() -> io::Result<BrokenServer> {
    let mut sdp = String::from(H264);
    while sdp.len() < 10 << 20 {
        sdp.push_str("a=x-filler:0123456789012345678901234567890123456789012345678901234567\r\n");
    }
    describes(Arc::new(sdp)).await
}

/// Answers DESCRIBE with 302 and this address.
pub async fn redirects_to(url: &str) -> io::Result<BrokenServer> {
    let url: Arc<str> = url.into();
    BrokenServer::start(move |stream| {
        let url = url.clone();
        async move {
            let mut stream = BufReader::new(stream);
            while let Some(request) = Request::read(&mut stream).await? {
                let answer = if request.method == "OPTIONS" {
                    request.options()
                } else {
                    let head = format!("Location: {url}\r\n");
                    request.answer("302 Moved Temporarily", &head, "")
                };
                stream.write_all(&answer).await?;
            }
            Ok(())
        }
    })
    .await
}

/// Accepts and closes.
pub async fn closes_at_once() -> io::Result<BrokenServer> {
    BrokenServer::start(|stream| async move {
        drop(stream);
        Ok(())
    })
    .await
}

/// Proper DESCRIBE, SETUP and PLAY, then interleaved frames with junk in them.
pub async fn garbage_rtp() -> io::Result<BrokenServer> {
    BrokenServer::start(|stream| async move {
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream).await? {
            let session = "Session: 1\r\n";
            let answer = match request.method.as_str() {
                "OPTIONS" => request.options(),
                "DESCRIBE" => request.description(H264),
                "SETUP" => request.answer(
                    "200 OK",
                    "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
                    "",
                ),
                _ => request.answer("200 OK", session, ""),
            };
            stream.write_all(&answer).await?;
            if request.method == "PLAY" {
                for size in [0usize, 1, 11, 12, 200, 1400, 40_000].into_iter().cycle() {
                    let mut frame = vec![b'$', 0];
                    frame.extend((size as u16).to_be_bytes());
                    frame.extend(junk(size));
                    stream.write_all(&frame).await?;
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            }
        }
        Ok(())
    })
    .await
}

async fn describes(sdp: Arc<String>) -> io::Result<BrokenServer> {
    BrokenServer::start(move |stream| {
        let sdp = sdp.clone();
        async move {
            let mut stream = BufReader::new(stream);
            while let Some(request) = Request::read(&mut stream).await? {
                let answer = match request.method.as_str() {
                    "OPTIONS" => request.options(),
                    "DESCRIBE" => request.description(&sdp),
                    _ => request.answer("455 Method Not Valid in This State", "", ""),
                };
                stream.write_all(&answer).await?;
            }
            Ok(())
        }
    })
    .await
}

/// Bytes without a pattern, the same at every call.
fn junk(length: usize) -> Vec<u8> {
    let mut seed = 0x9e37_79b9u32;
    (0..length)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect()
}

struct Request {
    method: String,
    url: String,
    sequence: String,
}

impl Request {
    /// `None` when the client closed.
    async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut first = String::new();
        if stream.read_line(&mut first).await? == 0 {
            return Ok(None);
        }
        let mut words = first.split_whitespace().map(str::to_owned);
        let (method, url) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let mut sequence = String::from("0");
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("cseq")
            {
                sequence = value.trim().to_owned();
            }
        }
        Ok(Some(Self {
            method,
            url,
            sequence,
        }))
    }

    fn answer(&self, status: &str, head: &str, body: &str) -> Vec<u8> {
        format!(
            "RTSP/1.0 {status}\r\nCSeq: {}\r\n{head}Content-Length: {}\r\n\r\n{body}",
            self.sequence,
            body.len()
        )
        .into_bytes()
    }

    fn options(&self) -> Vec<u8> {
        let head = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n";
        self.answer("200 OK", head, "")
    }

    fn description(&self, sdp: &str) -> Vec<u8> {
        let head = format!(
            "Content-Type: application/sdp\r\nContent-Base: {}/\r\n",
            self.url.trim_end_matches('/')
        );
        self.answer("200 OK", &head, sdp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(server: &BrokenServer, method: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port()))
            .await
            .unwrap();
        let request = format!("{method} {} RTSP/1.0\r\nCSeq: 7\r\n\r\n", server.url());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = vec![0u8; 300];
        let n = stream.read(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    }

    #[tokio::test]
    async fn each_is_wrong_in_its_own_way() {
        let server = answers_http().await.unwrap();
        assert!(ask(&server, "OPTIONS").await.starts_with("HTTP/1.1 400"));
        let server = redirects_to("rtsp://127.0.0.1:1/x").await.unwrap();
        let answer = ask(&server, "DESCRIBE").await;
        assert!(answer.contains("302") && answer.contains("Location: rtsp://127.0.0.1:1/x"));
        let server = sdp_10_mib().await.unwrap();
        assert!(
            ask(&server, "DESCRIBE")
                .await
                .contains("Content-Length: 1048")
        );
        let server = sdp_without_video().await.unwrap();
        assert!(ask(&server, "DESCRIBE").await.contains("CSeq: 7"));
        let server = garbage_rtp().await.unwrap();
        assert!(ask(&server, "SETUP").await.contains("interleaved=0-1"));
        let server = closes_at_once().await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", server.port()))
            .await
            .unwrap();
        assert_eq!(stream.read(&mut [0u8; 8]).await.unwrap_or(0), 0);
    }
}

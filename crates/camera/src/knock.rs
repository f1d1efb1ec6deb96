//! The first look at a camera: one bounded DESCRIBE (RFC 2326 section 10.2) on a connection of
//! its own.
//!
//! retina reads a message of any size into memory and reports refusals as text. This asks the
//! same question first with limits, so that an oversized or foreign answer is met by a fixed
//! buffer, and every refusal has its own error.

use std::time::Duration;

use oriel_api::Credentials;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{Address, CameraError, Deadlines};

/// Longest header of an answer.
const HEAD: usize = 16 * 1024;
/// Longest session description. Real ones have about 1 KiB.
const BODY: usize = 256 * 1024;

/// What was learned at the door.
#[derive(Debug, Default)]
pub(crate) struct Door {
    /// The `Server` header, cut to 80 printable characters.
    pub server: Option<String>,
    /// Asks for a password in clear text.
    pub basic: bool,
    /// The connection. Some servers take a stream down when the last one who asked for it
    /// leaves, so it is held until the stream plays.
    pub held: Option<TcpStream>,
}

/// Looks whether there is a stream for these credentials.
pub(crate) async fn knock(
    address: &Address,
    credentials: Option<&Credentials>,
    user_agent: &str,
    deadlines: &Deadlines,
) -> Result<Door, CameraError> {
    let mut stream = dial(address, deadlines.connect).await?;
    let mut door = Door::default();
    let mut authorization: Option<String> = None;
    for sequence in 1..=2u8 {
        let mut request = format!(
            "DESCRIBE {} RTSP/1.0\r\nCSeq: {sequence}\r\nUser-Agent: {user_agent}\r\nAccept: application/sdp\r\n",
            address.url()
        );
        if let Some(value) = authorization.take() {
            request.push_str("Authorization: ");
            request.push_str(&value);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let answer = timeout(
            deadlines.request,
            ask(&mut stream, address, request.as_bytes()),
        )
        .await
        .map_err(|_| CameraError::Timeout {
            place: address.place(),
            step: "the answer to its first question",
            seconds: deadlines.request.as_secs(),
        })??;
        door.server = door
            .server
            .or_else(|| answer.header("server").map(printable));
        match answer.status {
            200..=299 => {
                door.held = Some(stream);
                return Ok(door);
            }
            401 if sequence == 1 => {
                let credentials = credentials.ok_or(CameraError::PasswordMissing)?;
                let challenge = answer
                    .header("www-authenticate")
                    .ok_or(CameraError::UnknownSignIn)?;
                door.basic = challenge
                    .trim_start()
                    .to_ascii_lowercase()
                    .starts_with("basic");
                authorization = Some(respond(challenge, credentials, address)?);
            }
            401 => return Err(CameraError::PasswordWrong),
            status => return Err(status_error(status)),
        }
    }
    Err(CameraError::PasswordWrong)
}

/// The error of a refusal by status (RFC 2326 section 7.1.1).
pub(crate) fn status_error(status: u16) -> CameraError {
    match status {
        300..=399 => CameraError::Redirected,
        401 => CameraError::PasswordWrong,
        403 => CameraError::Forbidden,
        404 | 410 | 454 => CameraError::NoSuchStream,
        other => CameraError::Refused(other),
    }
}

async fn dial(address: &Address, deadline: Duration) -> Result<TcpStream, CameraError> {
    let late = |step| CameraError::Timeout {
        place: address.place(),
        step,
        seconds: deadline.as_secs(),
    };
    let host = address.url().host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = address.url().port().unwrap_or(554);
    let found: Vec<_> = timeout(deadline, tokio::net::lookup_host((bare, port)))
        .await
        .map_err(|_| late("looking up the name"))?
        .map_err(|_| CameraError::UnknownHost(host.to_owned()))?
        .take(4)
        .collect();
    if found.is_empty() {
        return Err(CameraError::UnknownHost(host.to_owned()));
    }
    timeout(deadline, TcpStream::connect(&found[..]))
        .await
        .map_err(|_| late("connecting"))?
        .map_err(|error| CameraError::Unreachable {
            place: address.place(),
            why: why(error.kind()),
        })
}

/// A connection fault in a few words.
pub(crate) fn why(kind: std::io::ErrorKind) -> &'static str {
    use std::io::ErrorKind as K;
    match kind {
        K::ConnectionRefused => "the connection was refused",
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => "there is no route to it",
        K::TimedOut => "it did not answer",
        K::PermissionDenied => "this computer's firewall does not allow it",
        _ => "the connection failed",
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

async fn ask(
    stream: &mut TcpStream,
    address: &Address,
    request: &[u8],
) -> Result<Answer, CameraError> {
    stream
        .write_all(request)
        .await
        .map_err(|_| CameraError::Ended)?;
    let mut seen = Vec::with_capacity(2048);
    let end = loop {
        if let Some(at) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if !begins_like_rtsp(&seen) {
            return Err(CameraError::NotRtsp(address.place()));
        }
        if seen.len() > HEAD {
            return Err(CameraError::Malformed(
                "the header of its answer is too long",
            ));
        }
        let mut chunk = [0u8; 2048];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) if seen.is_empty() => return Err(CameraError::NotRtsp(address.place())),
            Ok(0) | Err(_) => return Err(CameraError::Ended),
            Ok(n) => seen.extend_from_slice(&chunk[..n]),
        }
    };
    let answer = parse(&seen[..end]).ok_or_else(|| CameraError::NotRtsp(address.place()))?;
    let length = match answer.header("content-length") {
        None => 0,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| CameraError::Malformed("the length of its answer is not a number"))?,
    };
    if length > BODY {
        return Err(CameraError::Malformed(
            "its description of the stream is too long",
        ));
    }
    let mut missing = length.saturating_sub(seen.len() - end - 4);
    let mut chunk = [0u8; 4096];
    while missing > 0 {
        let want = missing.min(chunk.len());
        match stream.read(&mut chunk[..want]).await {
            Ok(0) | Err(_) => return Err(CameraError::Ended),
            Ok(n) => missing -= n,
        }
    }
    Ok(answer)
}

fn begins_like_rtsp(seen: &[u8]) -> bool {
    let expected = b"RTSP/1.0 ";
    let n = seen.len().min(expected.len());
    seen[..n] == expected[..n]
}

fn parse(head: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("RTSP/1.0 ")?
        .get(..3)?
        .parse()
        .ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned()))
        .collect::<Vec<_>>();
    Some(Answer {
        status,
        headers: merge_challenges(headers),
    })
}

/// Several challenges may come in several headers; together they are one list (RFC 7235).
fn merge_challenges(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        match merged
            .iter_mut()
            .find(|(n, _)| *n == name && n == "www-authenticate")
        {
            // Digest first: it is what should be chosen and shown.
            Some((_, known)) if value.to_ascii_lowercase().starts_with("digest") => {
                *known = format!("{value}, {known}");
            }
            Some((_, known)) => *known = format!("{known}, {value}"),
            None => merged.push((name, value)),
        }
    }
    merged
}

fn respond(
    challenge: &str,
    credentials: &Credentials,
    address: &Address,
) -> Result<String, CameraError> {
    let mut client =
        http_auth::PasswordClient::try_from(challenge).map_err(|_| CameraError::UnknownSignIn)?;
    client
        .respond(&http_auth::PasswordParams {
            username: &credentials.username,
            password: credentials.password.expose(),
            uri: address.url().as_str(),
            method: "DESCRIBE",
            body: Some(&[]),
        })
        .map_err(|_| CameraError::UnknownSignIn)
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_api::Secret;
    use tokio::net::TcpListener;

    async fn meet(
        script: impl Fn(usize, &str) -> Vec<u8> + Send + 'static,
        credentials: Option<Credentials>,
    ) -> (Result<Door, CameraError>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            loop {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0u8; 1];
                    if socket.read(&mut byte).await.unwrap_or(0) == 0 {
                        return asked;
                    }
                    request.push(byte[0]);
                }
                let request = String::from_utf8(request).unwrap();
                let answer = script(asked.len(), &request);
                asked.push(request);
                if answer.is_empty() || socket.write_all(&answer).await.is_err() {
                    return asked;
                }
            }
        });
        let address = Address::parse(&format!("rtsp://127.0.0.1:{port}/live")).unwrap();
        let deadlines = Deadlines {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(5),
            first_frame: Duration::from_secs(5),
        };
        let mut result = knock(&address, credentials.as_ref(), "Oriel", &deadlines).await;
        if let Ok(door) = &mut result {
            door.held = None;
        }
        (result, server.await.unwrap())
    }

    fn credentials() -> Option<Credentials> {
        Some(Credentials {
            username: "admin".into(),
            password: Secret::new("p@ss:w/rd#%"),
        })
    }

    #[tokio::test]
    async fn an_open_camera() {
        let (door, _) = meet(
            |_, _| {
                b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: Cam 1\r\nContent-Length: 3\r\n\r\nv=0"
                    .to_vec()
            },
            None,
        )
        .await;
        assert_eq!(door.unwrap().server.as_deref(), Some("Cam 1"));
    }

    #[tokio::test]
    async fn a_challenge_is_answered_once_and_the_password_is_not_sent_in_clear() {
        let (door, asked) = meet(
            |n, _| match n {
                0 => b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"abc\"\r\n\r\n".to_vec(),
                _ => b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"abc\"\r\n\r\n".to_vec(),
            },
            credentials(),
        )
        .await;
        assert_eq!(door.err(), Some(CameraError::PasswordWrong));
        assert_eq!(asked.len(), 2);
        assert!(asked[1].contains("Authorization: Digest "), "{}", asked[1]);
        assert!(!asked[1].contains("p@ss"));
    }

    #[tokio::test]
    async fn basic_is_noticed() {
        let (door, _) = meet(
            |n, _| match n {
                0 => b"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n"
                    .to_vec(),
                _ => b"RTSP/1.0 200 OK\r\n\r\n".to_vec(),
            },
            credentials(),
        )
        .await;
        assert!(door.unwrap().basic);
    }

    #[tokio::test]
    async fn each_refusal_has_its_own_error() {
        let status =
            |s: &'static str| move |_: usize, _: &str| format!("RTSP/1.0 {s}\r\n\r\n").into_bytes();
        let cases = [
            (
                "302 Moved\r\nLocation: rtsp://evil/",
                CameraError::Redirected,
            ),
            ("403 Forbidden", CameraError::Forbidden),
            ("404 Not Found", CameraError::NoSuchStream),
            ("454 Session Not Found", CameraError::NoSuchStream),
            ("453 Not Enough Bandwidth", CameraError::Refused(453)),
            ("401 Unauthorized", CameraError::UnknownSignIn),
        ];
        for (text, expected) in cases {
            let (door, asked) = meet(status(text), credentials()).await;
            assert_eq!(door.err(), Some(expected), "{text}");
            assert!(asked.iter().all(|a| !a.contains("Authorization")));
        }
        let (door, _) = meet(status("401 Unauthorized"), None).await;
        assert_eq!(door.err(), Some(CameraError::PasswordMissing));
    }

    #[tokio::test]
    async fn foreign_oversized_and_torn_answers() {
        let huge =
            |_: usize, _: &str| b"RTSP/1.0 200 OK\r\nContent-Length: 10000000\r\n\r\nv=0".to_vec();
        assert!(matches!(
            meet(huge, None).await.0,
            Err(CameraError::Malformed(_))
        ));
        let endless = |_: usize, _: &str| {
            let mut a = b"RTSP/1.0 200 OK\r\nX: ".to_vec();
            a.resize(100_000, b'x');
            a
        };
        assert!(matches!(
            meet(endless, None).await.0,
            Err(CameraError::Malformed(_))
        ));
        let web = |_: usize, _: &str| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
        assert!(matches!(
            meet(web, None).await.0,
            Err(CameraError::NotRtsp(_))
        ));
        let torn = |_: usize, _: &str| b"RTSP/1.0 200 OK\r\nContent-Length: -4\r\n\r\n".to_vec();
        assert!(matches!(
            meet(torn, None).await.0,
            Err(CameraError::Malformed(_))
        ));
        let hung_up = |_: usize, _: &str| Vec::new();
        assert!(matches!(
            meet(hung_up, None).await.0,
            Err(CameraError::NotRtsp(_))
        ));
    }
}

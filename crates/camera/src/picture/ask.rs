//! One question over HTTP/1.1 on a connection of its own.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    client::conn::http1,
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

use super::{PictureError, jpeg, tls};
use crate::{CameraError, address::place_of, knock};

/// Longest header of an answer.
const HEAD: usize = 32 * 1024;
/// Most header lines of an answer.
const LINES: usize = 100;

/// What is asked.
pub(super) struct Question<'a> {
    pub url: &'a Url,
    pub authorization: Option<String>,
    pub user_agent: &'a str,
    pub connect: Duration,
}

/// What came back, with its body still to be read.
pub(super) struct Answer {
    response: Response<Incoming>,
    /// Moves the bytes; ends with the answer.
    _connection: JoinSet<()>,
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Asks and waits for the head of the answer.
pub(super) async fn ask(question: Question<'_>) -> Result<Answer, PictureError> {
    let Question {
        url,
        authorization,
        user_agent,
        connect,
    } = question;
    let wire = dial(url, connect).await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .max_headers(LINES)
        // Cameras are old, and write headers as they like.
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(wire))
        .await
        .map_err(|e| fault(&e, url))?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // What goes wrong is told to who waits for the answer.
        let _ = connection.await;
    });
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| PictureError::from(CameraError::BadAddress("It has odd characters.")))
    };
    let mut request = Request::get(path(url))
        .body(Empty::new())
        .map_err(|_| CameraError::BadAddress("It has odd characters."))?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, value(&place_of(url))?);
    headers.insert(header::USER_AGENT, value(user_agent)?);
    headers.insert(
        header::ACCEPT,
        HeaderValue::from_static("image/jpeg, */*;q=0.5"),
    );
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Some(authorization) = authorization {
        let mut secret = value(&authorization)?;
        secret.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, secret);
    }
    let response = sender
        .send_request(request)
        .await
        .map_err(|e| fault(&e, url))?;
    Ok(Answer {
        response,
        _connection: driver,
    })
}

/// Path and query, as they stand in the request line.
pub(super) fn path(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(super) fn location(&self) -> Option<&str> {
        self.texts(header::LOCATION).next()
    }

    pub(super) fn challenges(&self) -> impl Iterator<Item = &str> {
        self.texts(header::WWW_AUTHENTICATE)
    }

    fn texts(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        let all = self.response.headers().get_all(name);
        all.into_iter().filter_map(|v| v.to_str().ok())
    }

    /// The body, when it begins like a picture and is not larger than `most`.
    pub(super) async fn body(self, most: usize) -> Result<Bytes, PictureError> {
        let mut body = self.response.into_body();
        if body.size_hint().lower() > most as u64 {
            return Err(PictureError::TooLarge);
        }
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|_| CameraError::Ended)?.into_data() else {
                continue;
            };
            if bytes.len() + piece.len() > most {
                return Err(PictureError::TooLarge);
            }
            bytes.extend_from_slice(&piece);
            // A page or an endless stream of pictures shows itself at once.
            let seen = bytes.len().min(jpeg::BEGIN.len());
            if bytes[..seen] != jpeg::BEGIN[..seen] {
                return Err(PictureError::NotJpeg);
            }
        }
        Ok(bytes.freeze())
    }
}

async fn dial(url: &Url, deadline: Duration) -> Result<Box<dyn Wire>, PictureError> {
    let late = |step| CameraError::Timeout {
        place: place_of(url),
        step,
        seconds: deadline.as_secs(),
    };
    let bare = url
        .host_str()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(80);
    let unknown = || CameraError::UnknownHost(bare.to_owned());
    let found: Vec<_> = timeout(deadline, tokio::net::lookup_host((bare, port)))
        .await
        .map_err(|_| late("looking up the name"))?
        .map_err(|_| unknown())?
        .take(4)
        .collect();
    if found.is_empty() {
        return Err(unknown().into());
    }
    let stream = timeout(deadline, TcpStream::connect(&found[..]))
        .await
        .map_err(|_| late("connecting"))?
        .map_err(|error| CameraError::Unreachable {
            place: place_of(url),
            why: knock::why(error.kind()),
        })?;
    if url.scheme() == "http" {
        return Ok(Box::new(stream));
    }
    let refused = || PictureError::NoEncryption(place_of(url));
    let connector = tls::connector().ok_or_else(refused)?;
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| refused())?;
    let encrypted = timeout(deadline, connector.connect(name, stream))
        .await
        .map_err(|_| late("agreeing on encryption"))?
        .map_err(|_| refused())?;
    Ok(Box::new(encrypted))
}

fn fault(error: &hyper::Error, url: &Url) -> PictureError {
    if error.is_parse() {
        PictureError::NotHttp(place_of(url))
    } else {
        CameraError::Ended.into()
    }
}

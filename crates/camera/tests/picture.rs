//! Still pictures from servers that behave, and from servers that do not.

#![allow(clippy::unwrap_used, reason = "only tests")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use oriel_api::{Credentials, ReasonCode, Secret};
use oriel_camera::{Address, CameraError, LARGEST_PICTURE, PictureError, PictureTarget, picture};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::{CertifiedKey, SingleCertAndKey},
};

const PASSWORD: &str = "p@ss:w/rd#%";

/// A small picture: header, one frame of 16 by 8 pixels, a scan, the end.
const JPEG: &[u8] = &[
    0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 8, 8, 0, 8, 0, 16, 0, 0xff, 0xda, 0, 2, 7,
    0xff, 0xd9,
];

/// What a server does with the n-th request: bytes to send, and again and again if endless.
enum Does {
    Says(Vec<u8>),
    NeverEnds(Vec<u8>, Vec<u8>),
    Hangs,
    HangsUp,
}

type Script = dyn Fn(usize, &str) -> Does + Send + Sync;

/// One server and what it was asked.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// Connections whose peer was seen to leave.
    left: Arc<tokio::sync::Notify>,
}

impl Server {
    async fn start(script: impl Fn(usize, &str) -> Does + Send + Sync + 'static) -> Self {
        Self::with(script, None).await
    }

    async fn with(
        script: impl Fn(usize, &str) -> Does + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (asked, script): (Arc<Mutex<Vec<String>>>, Arc<Script>) =
            (Arc::default(), Arc::new(script));
        let left = Arc::new(tokio::sync::Notify::new());
        let server = Self {
            url: format!("{scheme}://127.0.0.1:{port}/snap.jpg?secret=hunter2"),
            asked: asked.clone(),
            left: left.clone(),
        };
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (asked, script, tls, left) =
                    (asked.clone(), script.clone(), tls.clone(), left.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(socket, &asked, &*script, &left).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                serve(socket, &asked, &*script, &left).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    fn target(&self) -> PictureTarget {
        let credentials = Credentials {
            username: "admin".into(),
            password: Secret::new(PASSWORD),
        };
        PictureTarget::new(
            Address::parse(&self.url).unwrap(),
            Some(credentials),
            "Oriel",
        )
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    asked: &Mutex<Vec<String>>,
    script: &Script,
    left: &tokio::sync::Notify,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0u8; 1];
        if socket.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let number = {
        let mut asked = asked.lock().unwrap();
        asked.push(request.clone());
        asked.len() - 1
    };
    match script(number, &request) {
        Does::Says(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        }
        Does::NeverEnds(head, piece) => {
            let mut sent = socket.write_all(&head).await;
            while sent.is_ok() {
                sent = socket.write_all(&piece).await;
            }
            left.notify_one();
        }
        Does::Hangs => {
            let mut byte = [0u8; 1];
            while socket.read(&mut byte).await.unwrap_or(0) > 0 {}
            left.notify_one();
        }
        Does::HangsUp => {}
    }
}

fn ok(kind: &str, body: &[u8]) -> Does {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Does::Says([head.as_bytes(), body].concat())
}

fn says(text: &str) -> Does {
    Does::Says(text.replace('\n', "\r\n").into_bytes())
}

/// The error, after making sure that it shows nothing it should not.
async fn refusal(target: &PictureTarget) -> PictureError {
    let error = picture(target).await.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", error.reason());
    for secret in [PASSWORD, "hunter2", "snap.jpg"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(error.to_string().ends_with('.'), "{error}");
    error
}

#[tokio::test]
async fn a_picture_comes_as_it_is_whatever_its_type_is_called() {
    for kind in ["image/jpeg", "application/octet-stream", "text/html"] {
        let server = Server::start(move |_, _| ok(kind, JPEG)).await;
        assert_eq!(picture(&server.target()).await.unwrap(), JPEG);
        let asked = server.asked();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].starts_with("GET /snap.jpg?secret=hunter2 HTTP/1.1\r\n"));
        assert!(!asked[0].to_lowercase().contains("authorization"));
    }
    // An old server: no length, the end is the end of the connection.
    let server = Server::start(|_, _| {
        Does::Says([b"HTTP/1.0 200 OK\r\nServer : Cam\r\n\r\n", JPEG].concat())
    })
    .await;
    assert_eq!(picture(&server.target()).await.unwrap(), JPEG);
}

#[tokio::test]
async fn basic_and_digest_are_answered_once_and_only_when_asked() {
    let challenge = |list: &'static str| {
        move |n: usize, request: &str| match (n, request.contains("uthorization: ")) {
            (0, false) => says(&format!(
                "HTTP/1.1 401 Unauthorized\n{list}Content-Length: 0\n\n"
            )),
            (1, true) => ok("image/jpeg", JPEG),
            _ => says("HTTP/1.1 500 Oops\n\n"),
        }
    };
    let server = Server::start(challenge("WWW-Authenticate: Basic realm=\"cam\"\n")).await;
    assert_eq!(picture(&server.target()).await.unwrap(), JPEG);
    let header = server.asked()[1].to_lowercase();
    // admin:p@ss:w/rd#%
    assert!(header.contains("authorization: basic ywrtaw46cebzczp3l3jkiyu="));

    let digest =
        "WWW-Authenticate: Digest realm=\"cam\", nonce=\"abc\", qop=\"auth\", algorithm=MD5\n";
    for list in [
        digest,
        "WWW-Authenticate: Basic realm=\"cam\"\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"abc\"\n",
    ] {
        let server = Server::start(challenge(list)).await;
        assert_eq!(picture(&server.target()).await.unwrap(), JPEG);
        let asked = server.asked();
        assert!(asked[1].contains("uthorization: Digest "), "{}", asked[1]);
        assert!(
            asked[1].contains("uri=\"/snap.jpg?secret=hunter2\""),
            "{}",
            asked[1]
        );
        assert!(!asked[1].contains("p@ss"));
    }

    // Refused again: never a third time, cameras lock users out.
    let server = Server::start(|_, _| {
        says("HTTP/1.1 401 No\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\nContent-Length: 0\n\n")
    })
    .await;
    let error = refusal(&server.target()).await;
    assert_eq!(error, CameraError::PasswordWrong.into());
    assert_eq!(error.code(), ReasonCode::AuthRefused);
    assert_eq!(server.asked().len(), 2);

    let mut target = server.target();
    target.credentials = None;
    assert_eq!(refusal(&target).await, CameraError::PasswordMissing.into());
    let server = Server::start(|_, _| says("HTTP/1.1 401 No\nContent-Length: 0\n\n")).await;
    let error = refusal(&server.target()).await;
    assert_eq!(error, CameraError::UnknownSignIn.into());
    assert!(server.asked().iter().all(|a| !a.contains("uthorization")));
}

#[tokio::test]
async fn a_digest_is_the_one_the_password_makes() {
    // RFC 2617 section 3.2.2 without qop, by hand: MD5(MD5(user:realm:password):nonce:MD5(GET:uri)).
    let server = Server::start(|n, request| match n {
        0 => says("HTTP/1.1 401 No\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"abc\"\nContent-Length: 0\n\n"),
        _ if request.contains("response=\"efe060ea720862a7e7338b794958098e\"") => ok("image/jpeg", JPEG),
        _ => says("HTTP/1.1 403 No\nContent-Length: 0\n\n"),
    })
    .await;
    assert_eq!(picture(&server.target()).await.unwrap(), JPEG);
}

#[tokio::test]
async fn credentials_do_not_leave_the_host() {
    let elsewhere = Server::start(|_, _| ok("image/jpeg", JPEG)).await;
    // The same machine by another name is another host.
    let foreign = elsewhere.url.replace("127.0.0.1", "localhost");
    let server = Server::start(move |n, _| match n {
        0 => says("HTTP/1.1 401 No\nWWW-Authenticate: Basic realm=\"r\"\nContent-Length: 0\n\n"),
        _ => says(&format!(
            "HTTP/1.1 302 Found\nLocation: {foreign}\nContent-Length: 0\n\n"
        )),
    })
    .await;
    let error = refusal(&server.target()).await;
    assert_eq!(error, CameraError::Redirected.into());
    assert_eq!(elsewhere.asked(), Vec::<String>::new());

    // Within the host it is followed, and the password sent only when it is asked for there.
    let server = Server::start(|n, request| match n {
        0 => says("HTTP/1.1 302 Found\nLocation: /other?x=1\nContent-Length: 0\n\n"),
        1 if request.starts_with("GET /other?x=1 ") => {
            says("HTTP/1.1 401 No\nWWW-Authenticate: Basic realm=\"r\"\nContent-Length: 0\n\n")
        }
        2 if request.contains("uthorization: Basic ") => ok("image/jpeg", JPEG),
        _ => says("HTTP/1.1 500 Oops\n\n"),
    })
    .await;
    assert_eq!(picture(&server.target()).await.unwrap(), JPEG);

    let around = Server::start(|_, _| {
        says("HTTP/1.1 301 Moved\nLocation: /snap.jpg\nContent-Length: 0\n\n")
    })
    .await;
    let error = refusal(&around.target()).await;
    assert_eq!(error, CameraError::Redirected.into());
    assert!(around.asked().len() <= 8);
}

#[tokio::test]
async fn each_refusal_has_its_own_sentence() {
    for (status, expected) in [
        (403, PictureError::Forbidden),
        (404, PictureError::NoSuchPicture),
        (410, PictureError::NoSuchPicture),
        (500, PictureError::Refused(500)),
        (304, PictureError::Refused(304)),
    ] {
        let server =
            Server::start(move |_, _| says(&format!("HTTP/1.1 {status} X\nContent-Length: 0\n\n")))
                .await;
        assert_eq!(refusal(&server.target()).await, expected);
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let at = |text: String| PictureTarget::new(Address::parse(&text).unwrap(), None, "Oriel");
    let error = refusal(&at(format!("http://127.0.0.1:{port}/"))).await;
    assert_eq!(error.code(), ReasonCode::Unreachable);
    let error = refusal(&at("rtsp://127.0.0.1/".into())).await;
    assert!(matches!(
        error,
        PictureError::Camera(CameraError::BadAddress(_))
    ));
}

#[tokio::test]
async fn foreign_torn_oversized_and_endless_answers_end_by_themselves() {
    // Not a web server, or one that breaks off.
    let server = Server::start(|_, _| says("RTSP/1.0 400 Bad Request\n\n")).await;
    assert!(matches!(
        refusal(&server.target()).await,
        PictureError::NotHttp(_)
    ));
    let server = Server::start(|_, _| Does::HangsUp).await;
    assert_eq!(refusal(&server.target()).await, CameraError::Ended.into());
    let server = Server::start(|_, _| {
        Does::Says([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", JPEG].concat())
    })
    .await;
    assert_eq!(refusal(&server.target()).await, CameraError::Ended.into());
    let server = Server::start(|_, _| {
        Does::Says([b"HTTP/1.0 200 OK\r\n\r\n", &JPEG[..JPEG.len() - 1]].concat())
    })
    .await;
    assert!(matches!(
        refusal(&server.target()).await,
        PictureError::Broken(_)
    ));

    // A header without end.
    let server =
        Server::start(|_, _| Does::NeverEnds(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 4096]))
            .await;
    refusal(&server.target()).await;
    server.left.notified().await;

    // Too large, by its own account and in fact.
    let server = Server::start(|_, _| {
        says(&format!(
            "HTTP/1.1 200 OK\nContent-Length: {}\n\n",
            LARGEST_PICTURE + 1
        ))
    })
    .await;
    assert_eq!(refusal(&server.target()).await, PictureError::TooLarge);
    for head in [
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let chunked = head.contains("chunked");
        let server = Server::start(move |_, _| {
            let mut piece = JPEG[..4].to_vec();
            piece.resize(65_536, 0x55);
            let piece = if chunked {
                [b"10000\r\n", &piece[..], b"\r\n"].concat()
            } else {
                piece
            };
            Does::NeverEnds(head.as_bytes().to_vec(), piece)
        })
        .await;
        assert_eq!(refusal(&server.target()).await, PictureError::TooLarge);
        // Nothing goes on behind our back.
        server.left.notified().await;
    }

    // A page, and a stream of pictures.
    let server = Server::start(|_, _| ok("image/jpeg", b"<html>Login</html>")).await;
    assert_eq!(refusal(&server.target()).await, PictureError::NotJpeg);
    let server = Server::start(|_, _| ok("image/jpeg", b"")).await;
    assert_eq!(refusal(&server.target()).await, PictureError::NotJpeg);
    let server = Server::start(|_, _| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n";
        Does::NeverEnds(head.as_bytes().to_vec(), b"--b\r\n\r\n".to_vec())
    })
    .await;
    assert_eq!(refusal(&server.target()).await, PictureError::NotJpeg);
    server.left.notified().await;
}

#[tokio::test]
async fn a_slow_camera_is_given_up_and_left() {
    let slow = |server: &Server| {
        let mut target = server.target();
        target.whole = Duration::from_millis(300);
        target
    };
    let server = Server::start(|_, _| Does::Hangs).await;
    let error = refusal(&slow(&server)).await;
    assert_eq!(error.code(), ReasonCode::Timeout);
    server.left.notified().await;
    // Encryption that is never agreed on.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut target = slow(&server);
    target.connect = Duration::from_millis(100);
    target.address = Address::parse(&format!("https://127.0.0.1:{port}/snap.jpg")).unwrap();
    assert_eq!(refusal(&target).await.code(), ReasonCode::Timeout);
}

#[tokio::test]
async fn a_certificate_of_the_cameras_own_making_is_taken() {
    // Of version 1, for another name, and past its end: as cameras have them.
    let certificate = CertificateDer::from(&include_bytes!("certificate/certificate.der")[..]);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(
        &include_bytes!("certificate/key.der")[..],
    ));
    // As it is: the usual way in refuses a certificate of version 1.
    let signer = ring::sign::any_supported_type(&key).unwrap();
    let certified = CertifiedKey::new(vec![certificate], signer);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let server = Server::with(|_, _| ok("image/jpeg", JPEG), Some(acceptor)).await;
    assert_eq!(picture(&server.target()).await.unwrap(), JPEG);

    // No TLS behind the port.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target = server.target();
    let port = plain.local_addr().unwrap().port();
    target.address = Address::parse(&format!("https://127.0.0.1:{port}/")).unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = plain.accept().await.unwrap();
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
    });
    assert!(matches!(
        refusal(&target).await,
        PictureError::NoEncryption(_)
    ));
}

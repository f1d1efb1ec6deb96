//! An S3 server in this process, over real sockets, that can be made to misbehave; and one that
//! serves a folder by its signed addresses.

use std::{
    convert::Infallible,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use oriel_api::{Secret, Timestamp};
use oriel_bucket::{
    Addressing, Bucket, BucketError, CredentialSource, FolderBucket, KeyPrefix, S3Bucket,
    S3Settings, Signer, Source, Verb,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Notify};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What the server does with a request.
#[derive(Clone)]
pub enum Do {
    /// What it should.
    Right,
    /// Refuse with this status and S3 code.
    Refuse(u16, &'static str),
    /// Succeed with these words, and do nothing.
    Say(String),
    /// Refuse, with a clock an hour behind.
    RefuseLate,
    /// Keep to itself what it knows of SHA-256.
    NoEcho,
    /// Give tags that are no sums either.
    NoSums,
    /// Send the whole object for a range.
    WholeForRange,
    /// Break the connection in the middle of the answer's body.
    CutAnswer,
    /// Accept, and keep half.
    KeepHalf,
    /// Accept an empty body instead of copying.
    OverlookCopy,
    /// Never answer; tell when asked.
    Hang(Arc<Notify>),
    /// Send a few bytes at a time.
    Trickle,
}

/// A request as the rules see it.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: hyper::HeaderMap,
    /// Which request this is, from 0.
    pub number: usize,
}

impl Asked {
    pub fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.path.contains(part)
    }
}

type Rule = Arc<dyn Fn(&Asked) -> Do + Send + Sync>;

pub struct S3 {
    pub port: u16,
    _folder: TempDir,
    rule: Arc<Mutex<Rule>>,
}

pub const ID: &str = "AKIATEST";
pub const SECRET: &str = "do-not-show-this";

fn text(status: u16, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).map_err(|e: Infallible| match e {});
    Response::builder()
        .status(status)
        .body(body.boxed_unsync())
        .unwrap()
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    let xml = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{SECRET}</Message></Error>"
    );
    let mut answer = text(status, xml);
    answer
        .headers_mut()
        .insert("content-type", "application/xml".parse().unwrap());
    answer
}

async fn serve<F, A>(answer: F) -> u16
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service),
            );
        }
    });
    port
}

impl S3 {
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("footage")).unwrap();
        std::fs::create_dir(folder.path().join("produced")).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ID, SECRET));
        let service = builder.build();
        let right: Rule = Arc::new(|_| Do::Right);
        let rule = Arc::new(Mutex::new(right));
        let count = Arc::new(Mutex::new(0));
        let (rules, root) = (rule.clone(), folder.path().to_owned());
        let port = serve(move |request: Request<Incoming>| {
            let (service, rules, count, root) =
                (service.clone(), rules.clone(), count.clone(), root.clone());
            async move {
                let asked = {
                    let mut count = count.lock().unwrap();
                    *count += 1;
                    Asked {
                        method: request.method().to_string(),
                        path: request.uri().path().to_owned(),
                        query: request.uri().query().unwrap_or_default().to_owned(),
                        headers: request.headers().clone(),
                        number: *count - 1,
                    }
                };
                let rule = rules.lock().unwrap().clone();
                misbehave(rule(&asked), asked, request, service, root).await
            }
        })
        .await;
        Self {
            port,
            _folder: folder,
            rule,
        }
    }

    pub fn rule(&self, rule: impl Fn(&Asked) -> Do + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Arc::new(rule);
    }

    pub fn settings(&self) -> S3Settings {
        S3Settings {
            endpoint: Some(format!("http://127.0.0.1:{}", self.port).parse().unwrap()),
            region: "us-east-1".into(),
            bucket: "footage".into(),
            prefix: KeyPrefix::parse("Site-A").unwrap(),
            addressing: Addressing::Path,
            credentials: CredentialSource::Keys {
                key_id: Secret::new(ID),
                secret: Secret::new(SECRET),
                session_token: None,
            },
        }
    }

    pub async fn bucket(&self) -> Bucket {
        open(self.settings()).await
    }
}

pub async fn open(settings: S3Settings) -> Bucket {
    Bucket::S3(S3Bucket::open(settings).await.unwrap())
}

async fn misbehave(
    what: Do,
    asked: Asked,
    request: Request<Incoming>,
    service: s3s::service::S3Service,
    root: PathBuf,
) -> Response<Body> {
    match &what {
        Do::Refuse(status, code) => {
            // All of it is read first, so that the answer is heard.
            let _ = request.into_body().collect().await;
            return refusal(*status, code);
        }
        Do::Say(words) => {
            let _ = request.into_body().collect().await;
            return text(200, words.clone());
        }
        Do::RefuseLate => {
            let mut answer = refusal(403, "RequestTimeTooSkewed");
            let date = httpdate::fmt_http_date(
                std::time::SystemTime::now() - std::time::Duration::from_secs(3600),
            );
            answer.headers_mut().insert("date", date.parse().unwrap());
            return answer;
        }
        Do::Hang(asked) => {
            asked.notify_one();
            std::future::pending::<()>().await;
        }
        Do::OverlookCopy => {
            // What a server does that reads this as an ordinary PUT.
            if !asked.query.contains("uploadId") {
                std::fs::write(root.join(&asked.path[1..]), b"").unwrap();
            }
            return text(200, String::new());
        }
        _ => {}
    }
    let answer = service.call(request.map(s3s::Body::from)).await.unwrap();
    let (mut head, body) = answer.into_parts();
    let file = root.join(&asked.path[1..]);
    match what {
        Do::NoEcho => {
            head.headers.remove("x-amz-checksum-sha256");
        }
        Do::NoSums | Do::KeepHalf => {
            head.headers.remove("x-amz-checksum-sha256");
            if head.headers.contains_key("etag") {
                head.headers.insert(
                    "etag",
                    "\"0123456789abcdef0123456789abcdef\"".parse().unwrap(),
                );
            }
            if matches!(what, Do::KeepHalf) && asked.method == "PUT" {
                let kept = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
                kept.set_len(kept.metadata().unwrap().len() / 2).unwrap();
            }
        }
        Do::WholeForRange if head.status == 206 => {
            return {
                let whole = std::fs::read(&file).unwrap();
                let body = Full::new(Bytes::from(whole)).map_err(|e: Infallible| match e {});
                Response::new(body.boxed_unsync())
            };
        }
        Do::CutAnswer | Do::Trickle => {
            let whole = BodyExt::collect(body).await.unwrap().to_bytes();
            let length = whole.len();
            let cut = matches!(what, Do::CutAnswer);
            let end = if cut { length / 2 } else { length };
            let mut chunks: Vec<std::io::Result<_>> = whole[..end]
                .chunks(100)
                .map(|c| Ok(Bytes::copy_from_slice(c)))
                .collect();
            if cut {
                chunks.push(Err(std::io::Error::other("cut")));
            }
            let frames = stream::iter(chunks).then(|chunk| async {
                tokio::task::yield_now().await;
                chunk.map(Frame::data)
            });
            head.headers.insert("content-length", length.into());
            return Response::from_parts(head, StreamBody::new(frames).boxed_unsync());
        }
        _ => {}
    }
    Response::from_parts(head, body.map_err(std::io::Error::other).boxed_unsync())
}

/// A folder, and a server that lets signed addresses of it through.
pub struct Folder {
    pub folder: TempDir,
    bucket: Bucket,
}

impl Folder {
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        FolderBucket::set_up(folder.path()).await.unwrap();
        let shared: Arc<Mutex<Option<Bucket>>> = Arc::default();
        let late = shared.clone();
        let port = serve(move |request| {
            let bucket = late.lock().unwrap().clone().unwrap();
            async move { by_address(&bucket, request).await }
        })
        .await;
        let base = format!("http://127.0.0.1:{port}/objects").parse().unwrap();
        let signer = Signer::new(&[9; 32], &base).unwrap();
        let bucket = FolderBucket::open(folder.path(), Some(signer))
            .await
            .unwrap();
        let bucket = Bucket::Folder(bucket);
        *shared.lock().unwrap() = Some(bucket.clone());
        Self { folder, bucket }
    }

    pub async fn bucket(&self) -> Bucket {
        self.bucket.clone()
    }
}

async fn by_address(bucket: &Bucket, request: Request<Incoming>) -> Response<Body> {
    let Bucket::Folder(folder) = bucket else {
        unreachable!("a folder is served")
    };
    let now = Timestamp::from_ms(jiff::Timestamp::now().as_millisecond());
    let tail = request.uri().path_and_query().unwrap().to_string();
    let Some(verb) = Verb::of_method(request.method().as_str()) else {
        return text(405, String::new());
    };
    let Ok(key) = folder.signer().unwrap().verify(verb, &tail, now) else {
        return text(403, String::new());
    };
    match verb {
        Verb::Get => match bucket.get(&key, None).await {
            Ok(object) => {
                let bytes = object.bytes(1 << 20).await.unwrap();
                text(200, String::from_utf8(bytes.to_vec()).unwrap())
            }
            Err(BucketError::NotFound) => text(404, String::new()),
            Err(e) => text(500, e.to_string()),
        },
        Verb::Put => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let stored = bucket
                .put(&key, &Source::Bytes(body), &Default::default())
                .await;
            text(stored.map_or(500, |_| 200), String::new())
        }
    }
}

/// A plain HTTP request, as anybody with an address could make it.
pub async fn fetch(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &str,
) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let url: url::Url = url.parse().unwrap();
    let address = (url.host_str().unwrap(), url.port().unwrap());
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let target = &url[url::Position::BeforePath..];
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {}:{}\r\nconnection: close\r\ncontent-length: {}\r\n",
        address.0,
        address.1,
        body.len()
    );
    for (name, value) in headers.iter().filter(|(n, _)| n != "host") {
        head += &format!("{name}: {value}\r\n");
    }
    socket
        .write_all(format!("{head}\r\n{body}").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

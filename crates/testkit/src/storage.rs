//! An S3 server over a folder, in this process and over real sockets, that fails on demand in the
//! ways storage fails: gone, slow, refusing, cutting, and keeping less than it was given.
//!
//! What does not belong here: what a client should make of that.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Incoming, header::HeaderValue, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How the server fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It does not.
    #[default]
    None,
    /// Connections are closed, open ones too.
    Down,
    /// What is sent to it goes through at so many bytes a second on each connection.
    Slow(u32),
    /// What it sends goes through at so many bytes a second on each connection.
    SlowAnswers(u32),
    /// It does not copy inside itself.
    NoCopies,
    /// Every request is refused with this status and S3 code.
    Refuse(u16, &'static str),
    /// So many of a hundred requests are answered with 500.
    Random {
        /// The same seed fails the same requests.
        seed: u32,
        /// Of a hundred.
        percent: u32,
    },
    /// So many connections are cut when they have carried so many bytes.
    Cut {
        /// Bytes towards the server.
        after: u64,
        /// Connections; the later ones work.
        times: u32,
    },
    /// So many objects are accepted and kept to the half, without any sum given.
    KeepHalf {
        /// Objects; the later ones are kept whole.
        times: u32,
    },
    /// Its clock is an hour behind, and it refuses what comes from the future.
    ClockBehind,
}

struct Shared {
    root: PathBuf,
    fault: watch::Sender<Fault>,
    /// Faults of the present kind that happened.
    happened: Mutex<u32>,
    /// Requests so far, for [`Fault::Random`].
    requests: Mutex<u32>,
    puts: Mutex<BTreeMap<String, u32>>,
}

/// A running server. Dropping it closes it and its connections; the folder stays.
pub struct TestStorage {
    address: SocketAddr,
    shared: Arc<Shared>,
    // Ends all tasks when it is dropped.
    _runtime: Runtime,
}

impl TestStorage {
    /// Key id.
    pub const KEY_ID: &'static str = "AKIATEST";
    /// Secret.
    pub const SECRET: &'static str = "do-not-show-this";
    /// Its bucket.
    pub const BUCKET: &'static str = "footage";

    /// Serves a folder with one empty bucket in it.
    pub fn start(root: &Path) -> io::Result<Self> {
        Self::start_at(root, ([127, 0, 0, 1], 0).into())
    }

    /// The same at an address.
    pub fn start_at(root: &Path, address: SocketAddr) -> io::Result<Self> {
        fs::create_dir_all(root.join(Self::BUCKET))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let address = listener.local_addr()?;
        let files =
            s3s_fs::FileSystem::new(root).map_err(|e| io::Error::other(format!("{e:?}")))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(Self::KEY_ID, Self::SECRET));
        let service = builder.build();
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            fault: watch::Sender::default(),
            happened: Mutex::default(),
            requests: Mutex::default(),
            puts: Mutex::default(),
        });
        let accepting = shared.clone();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if *accepting.fault.borrow() != Fault::Down {
                    tokio::spawn(carry(socket, accepting.clone(), service.clone()));
                }
            }
        });
        Ok(Self {
            address,
            shared,
            _runtime: runtime,
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Storage settings that lead here, with all keys below `site/`.
    pub fn settings(&self) -> serde_json::Value {
        serde_json::json!({
            "destination": "s3",
            "endpoint": self.endpoint(),
            "bucket": Self::BUCKET,
            "prefix": "site",
            "addressing": "path",
            "credentials": "keys",
            "key_id": Self::KEY_ID,
            "secret": Self::SECRET,
        })
    }

    /// From now on it fails like this.
    pub fn fail(&self, fault: Fault) {
        *locked(&self.shared.happened) = 0;
        self.shared.fault.send_replace(fault);
    }

    /// How often the present fault has happened.
    pub fn happened(&self) -> u32 {
        *locked(&self.shared.happened)
    }

    /// How often each object was written whole, by key.
    pub fn puts(&self) -> BTreeMap<String, u32> {
        locked(&self.shared.puts).clone()
    }

    /// The objects of the bucket and their files, by key.
    pub fn objects(&self) -> io::Result<BTreeMap<String, PathBuf>> {
        let top = self.shared.root.join(Self::BUCKET);
        let mut found = BTreeMap::new();
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                // The server's own books.
                if name.starts_with('.') {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(key) = path.strip_prefix(&top) {
                    let key = key.to_string_lossy().replace('\\', "/");
                    found.insert(key, path.clone());
                }
            }
        }
        Ok(found)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Whether a fault that happens so often happens once more.
    fn once_more(&self, times: u32) -> bool {
        let mut happened = locked(&self.happened);
        let more = *happened < times;
        *happened += u32::from(more);
        more
    }

    fn drawn(&self, seed: u32, percent: u32) -> bool {
        let mut requests = locked(&self.requests);
        *requests += 1;
        let mut x = seed ^ requests.wrapping_mul(0x9e37_79b9);
        x ^= x >> 16;
        x = x.wrapping_mul(0x85eb_ca6b);
        x ^= x >> 13;
        let hit = x % 100 < percent;
        *locked(&self.happened) += u32::from(hit);
        hit
    }
}

/// One connection: its bytes pass through here on their way to the server.
async fn carry(socket: TcpStream, shared: Arc<Shared>, service: S3Service) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let answering = shared.clone();
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(
        TokioIo::new(far),
        service_fn(move |request| {
            let (shared, service) = (answering.clone(), service.clone());
            async move { Ok::<_, Infallible>(answer(request, &shared, &service).await) }
        }),
    );
    let (mut from_client, mut to_client) = socket.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(near);
    let up = async {
        let mut chunk = vec![0; 16 * 1024];
        let mut carried = 0;
        loop {
            let limit = match *shared.fault.borrow() {
                Fault::Slow(rate) => (rate as usize / 10).clamp(1, chunk.len()),
                _ => chunk.len(),
            };
            let read = from_client.read(&mut chunk[..limit]).await?;
            if read == 0 {
                // The answer to what came before is still on its way.
                to_server.shutdown().await?;
                std::future::pending::<()>().await;
            }
            carried += read as u64;
            let fault = shared.fault.borrow().clone();
            match fault {
                Fault::Cut { after, times } if carried > after && shared.once_more(times) => {
                    return Err::<Infallible, _>(io::Error::other("cut"));
                }
                Fault::Slow(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                _ => {}
            }
            to_server.write_all(&chunk[..read]).await?;
        }
    };
    // The server may be done before its answer has gone out.
    let answers = async {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let rate = match *shared.fault.borrow() {
                Fault::SlowAnswers(rate) => Some(rate),
                _ => None,
            };
            let limit = rate.map_or(chunk.len(), |r| (r as usize / 10).clamp(1, chunk.len()));
            let read = from_server.read(&mut chunk[..limit]).await?;
            if read == 0 {
                return io::Result::Ok(());
            }
            if rate.is_some() {
                shared.once_more(u32::MAX);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            to_client.write_all(&chunk[..read]).await?;
        }
    };
    let down = async { tokio::join!(serving, answers) };
    let mut watching = shared.fault.subscribe();
    tokio::select! {
        _ = up => {}
        _ = down => {}
        _ = watching.wait_for(|f| *f == Fault::Down) => {}
    }
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    let xml = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    let body = Full::new(Bytes::from(xml)).map_err(|e: Infallible| match e {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let head = answer.headers_mut();
    head.insert("content-type", HeaderValue::from_static("application/xml"));
    answer
}

async fn answer(
    request: Request<Incoming>,
    shared: &Shared,
    service: &S3Service,
) -> Response<Body> {
    let fault = shared.fault.borrow().clone();
    let refused = match fault {
        Fault::Refuse(status, code) => Some(refusal(status, code)),
        Fault::NoCopies if request.headers().contains_key("x-amz-copy-source") => {
            Some(refusal(501, "NotImplemented"))
        }
        Fault::Random { seed, percent } if shared.drawn(seed, percent) => {
            Some(refusal(500, "InternalError"))
        }
        Fault::ClockBehind => {
            let mut answer = refusal(403, "RequestTimeTooSkewed");
            let then = SystemTime::now() - Duration::from_secs(3600);
            if let Ok(date) = httpdate::fmt_http_date(then).parse() {
                answer.headers_mut().insert("date", date);
            }
            Some(answer)
        }
        _ => None,
    };
    if let Some(answer) = refused {
        if !matches!(fault, Fault::Random { .. }) {
            shared.once_more(u32::MAX);
        }
        // All of it is read first, so that the answer is heard.
        let _ = request.into_body().collect().await;
        return answer;
    }
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let query = request.uri().query().unwrap_or_default();
    let whole = request.method() == "PUT" && !query.contains("uploadId") && path.contains('/');
    let Ok(answered) = service.call(request.map(s3s::Body::from)).await else {
        return refusal(500, "InternalError");
    };
    let (mut head, body) = answered.into_parts();
    if whole && head.status.is_success() {
        let key = path.split_once('/').map_or("", |(_, key)| key).to_owned();
        *locked(&shared.puts).entry(key).or_default() += 1;
        if let Fault::KeepHalf { times } = fault
            && shared.once_more(times)
        {
            head.headers.remove("x-amz-checksum-sha256");
            let tag = HeaderValue::from_static("\"0123456789abcdef0123456789abcdef\"");
            head.headers.insert("etag", tag);
            if halve(&shared.root.join(&path)).is_err() {
                return refusal(500, "InternalError");
            }
        }
    }
    Response::from_parts(head, body.map_err(io::Error::other).boxed_unsync())
}

fn halve(file: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(file)?;
    file.set_len(file.metadata()?.len() / 2)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;

    /// The answer to a put of so many bytes, as far as it came.
    fn put(storage: &TestStorage, bytes: usize) -> String {
        let mut socket = TcpStream::connect(storage.address).unwrap();
        let head = format!(
            "PUT /footage/a HTTP/1.1\r\nhost: x\r\ncontent-length: {bytes}\r\nconnection: close\r\n\r\n"
        );
        // A server that hangs up in the middle is part of it.
        let _ = socket.write_all(head.as_bytes());
        let _ = socket.write_all(&vec![7; bytes]);
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn it_fails_as_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let storage = TestStorage::start(folder.path()).unwrap();
        // Nobody signed this.
        assert!(put(&storage, 10).starts_with("HTTP/1.1 403"));
        storage.fail(Fault::Refuse(404, "NoSuchBucket"));
        assert!(put(&storage, 100_000).contains("NoSuchBucket"));
        assert_eq!(storage.happened(), 1);
        storage.fail(Fault::ClockBehind);
        let answer = put(&storage, 10);
        assert!(answer.contains("RequestTimeTooSkewed") && answer.contains("date: "));
        storage.fail(Fault::Random {
            seed: 1,
            percent: 100,
        });
        assert!(put(&storage, 10).starts_with("HTTP/1.1 500"));
        storage.fail(Fault::Cut {
            after: 50_000,
            times: 1,
        });
        assert!(put(&storage, 10).starts_with("HTTP/1.1 403"));
        assert_eq!(put(&storage, 100_000), "");
        assert_eq!(storage.happened(), 1);
        storage.fail(Fault::Down);
        assert_eq!(put(&storage, 10), "");
        storage.fail(Fault::None);
        assert!(put(&storage, 10).starts_with("HTTP/1.1 403"));
        assert!(storage.objects().unwrap().is_empty());
    }
}

//! A real recorder without a camera: nvr, worker and agent on a folder of their own, served on
//! loopback. Streams are pushed in from fixtures where a camera's would arrive.
#![allow(dead_code, reason = "every test program uses its own part of this")]

pub mod s3;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use oriel_agent::{Agent, AgentOptions};
use oriel_api::{Caller, CameraId, ChannelId, Quality, Segment, Timestamp, dispatch};
use oriel_bucket::SharedStores;
use oriel_child::Program;
use oriel_http::{Listener, Server};
use oriel_media::{
    Cutter, Format, Frame,
    ingest::{Ingest, RunOpen, RunSink},
    read::{StreamItem, StreamReader},
};
use oriel_nvr::{Nvr, NvrOptions};
use oriel_secrets::MemoryStore;
use oriel_store::Store;
use oriel_worker::{Worker, WorkerOptions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

/// Only ends what would never end.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub folder: tempfile::TempDir,
    pub nvr: Arc<Nvr>,
    pub worker: Arc<Worker>,
    pub stores: SharedStores,
    pub address: String,
    pub token: String,
    agent_cancel: CancellationToken,
    _server: Server,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (n, value) = line.split_once(": ")?;
            n.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}\n{}", self.head, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code of an error body.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Arc::new(MemoryStore::default());
        let store = Store::open(folder.path().join("oriel.db")).await.unwrap();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let address = listener.address().to_string();
        let stores = SharedStores::default();
        let options = NvrOptions {
            version: "0".into(),
            data_dir: folder.path().to_owned(),
            stores: stores.clone(),
            media_base: listener.base_url(),
            ..NvrOptions::default()
        };
        let nvr = Nvr::new(options, store, secrets.clone()).await.unwrap();
        let mut options = WorkerOptions::new(folder.path().join("recordings"));
        options.stop_budget = PATIENCE;
        options.stores = stores.clone();
        let worker = Worker::new(options, nvr.clone());
        let agent_cancel = CancellationToken::new();
        let agent = Arc::new(Agent::new(
            AgentOptions::default(),
            worker.clone(),
            nvr.clone(),
            secrets.clone(),
            agent_cancel.clone(),
        ));
        nvr.attach(agent, worker.clone(), worker.clone());
        worker.start(false).await.unwrap();
        nvr.start().await.unwrap();
        let token = oriel_nvr::auth::owner_token(&*secrets).unwrap();
        let program = Arc::new(Program::new(Some(child_program())));
        let server = Server::start(listener, nvr.clone(), worker.clone(), program, "0");
        Self {
            folder,
            nvr,
            worker,
            stores,
            address,
            token: token.expose().to_owned(),
            agent_cancel,
            _server: server,
        }
    }

    /// Runs an operation as the owner, past HTTP.
    pub async fn rpc(&self, operation: &str, input: Value) -> Value {
        dispatch(&*self.nvr, &Caller::owner(), operation, input)
            .await
            .unwrap()
    }

    /// A camera at an address where nobody is, so that streams come only from the test. Its
    /// segments are cut long after a whole minute, so that footage from there is one segment.
    pub async fn camera(&self) -> (CameraId, ChannelId) {
        loop {
            let camera = self
                .rpc(
                    "camera_create",
                    json!({ "name": "Yard", "url": "rtsp://127.0.0.1:9/a" }),
                )
                .await;
            let id = |name: &str| camera[name].as_str().unwrap().to_owned();
            let channel: ChannelId = id("channel_id").parse().unwrap();
            if Cutter::new(30_000, &channel).boundary_after(0) > 10_000 {
                return (id("id").parse().unwrap(), channel);
            }
            self.rpc("camera_delete", json!({ "id": id("id") })).await;
        }
    }

    /// Sends a request as it is, with the right `Host`, and takes the whole answer.
    pub async fn raw(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let host = format!("Host: {}", self.address);
        let all: Vec<&str> = std::iter::once(host.as_str())
            .chain(headers.iter().copied())
            .collect();
        self.exact(method, path, &all, body).await
    }

    /// Sends exactly these headers.
    pub async fn exact(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        let exchange = async {
            let mut stream = TcpStream::connect(&self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await.unwrap();
        let at = answer
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&answer)));
        let head = String::from_utf8(answer[..at].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head,
            body: answer[at + 4..].to_vec(),
        }
    }

    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    /// As the owner, JSON in and out.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let text = body.map(|b| b.to_string()).unwrap_or_default();
        let headers = [self.bearer(), "Content-Type: application/json".into()];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        self.raw(method, path, &headers, text.as_bytes()).await
    }

    /// A run of this channel where a camera's would arrive.
    pub fn run(
        &self,
        channel: &ChannelId,
        format: &Arc<Format>,
        anchor: Timestamp,
    ) -> Box<dyn RunSink> {
        self.worker.open(RunOpen {
            channel: channel.clone(),
            quality: Quality::High,
            record: true,
            format: format.clone(),
            anchor,
        })
    }

    /// Segments of a camera in the hour after a moment.
    pub async fn segments(&self, camera: &CameraId, from: Timestamp) -> Vec<Segment> {
        let end = Timestamp::from_ms(from.ms() + 3_600_000);
        let path = format!("/api/recordings/segments?camera_id={camera}&start={from}&end={end}");
        let answer = self.call("GET", &path, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_value(answer.json()["items"].clone()).unwrap()
    }

    /// The segments once a condition holds.
    pub async fn segments_when(
        &self,
        camera: &CameraId,
        from: Timestamp,
        condition: impl Fn(&[Segment]) -> bool,
    ) -> Vec<Segment> {
        let wait = async {
            loop {
                let segments = self.segments(camera, from).await;
                if condition(&segments) {
                    return segments;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("the segments never became what they should")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.agent_cancel.cancel();
    }
}

/// Tracks and frames of a fixture: three seconds, ten frames per second, a key frame every
/// second.
pub fn footage(name: &str) -> (Arc<Format>, Vec<Frame>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures")
        .join(name);
    let mut reader = StreamReader::new();
    reader.push(&std::fs::read(path).unwrap());
    let (mut format, mut frames) = (None, Vec::new());
    while let Some(item) = reader.next().unwrap() {
        match item {
            StreamItem::Format(f) => format = Some(f),
            StreamItem::Frame(f) => frames.push(f),
        }
    }
    (format.unwrap(), frames)
}

/// The child program, built once when it is not there.
pub fn child_program() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let folder = exe.parent().unwrap().parent().unwrap();
    let path = folder.join(format!("oriel-gst{}", std::env::consts::EXE_SUFFIX));
    if !path.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-q", "-p", "oriel-gst"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(
            build.status().unwrap().success(),
            "oriel-gst does not build"
        );
    }
    path
}

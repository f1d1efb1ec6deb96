//! An S3 server in this process, over real sockets.

use std::convert::Infallible;

use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const ID: &str = "AKIATEST";
pub const SECRET: &str = "do-not-show-this";

pub struct S3 {
    pub port: u16,
    pub folder: tempfile::TempDir,
}

impl S3 {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("footage")).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ID, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                let answer = service_fn(move |request: hyper::Request<Incoming>| {
                    let service = service.clone();
                    async move {
                        let answer = service.call(request.map(s3s::Body::from)).await;
                        Ok::<_, Infallible>(answer.unwrap())
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), answer),
                );
            }
        });
        Self { port, folder }
    }

    /// As the storage page sets it.
    pub fn settings(&self) -> Value {
        json!({
            "destination": "s3", "endpoint": format!("http://127.0.0.1:{}", self.port),
            "bucket": "footage", "prefix": "Site-A", "key_id": ID, "secret": SECRET,
        })
    }
}

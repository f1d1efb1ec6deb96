//! Pictures from a camera's own snapshot address: which password goes where.
#![allow(clippy::unwrap_used, reason = "only tests")]

mod support;

use oriel_api::{Engine, ErrorCode, RecordMode, link::AgentLink};
use support::Rig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

const JPEG: &[u8] = &[
    0xff, 0xd8, 0xff, 0xc0, 0, 8, 8, 0, 8, 0, 16, 0, 0xff, 0xda, 0, 2, 7, 0xff, 0xd9,
];

/// A camera that wants a password; gives its port and what it was asked.
async fn web_camera() -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(socket.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            let answer = if request.contains("uthorization: ") {
                [b"HTTP/1.0 200 OK\r\n\r\n", JPEG].concat()
            } else {
                b"HTTP/1.0 401 No\r\nWWW-Authenticate: Basic realm=\"cam\"\r\n\r\n".to_vec()
            };
            socket.write_all(&answer).await.unwrap();
            tell.send(request).unwrap();
        }
    });
    (port, asked)
}

#[tokio::test]
async fn a_picture_is_asked_for_with_the_cameras_password_at_the_camera_only() {
    let (port, mut asked) = web_camera().await;
    let mut rig = Rig::with_program("rtsp://127.0.0.1:9/x", Engine::Native, None);
    rig.setup.record_mode = RecordMode::Off;
    rig.set_credentials("admin", "hunter2");
    let missing = rig.agent.snapshot(&rig.setup.id).await.unwrap_err();
    assert_eq!(missing.code, ErrorCode::NotFound);
    rig.apply().await;
    let none = rig.agent.snapshot(&rig.setup.id).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::PreconditionFailed);

    rig.setup.snapshot_url = Some(format!("http://127.0.0.1:{port}/snap.jpg"));
    rig.apply().await;
    let picture = rig.agent.snapshot(&rig.setup.id).await.unwrap();
    assert_eq!(picture, JPEG);
    assert!(!asked.recv().await.unwrap().contains("uthorization"));
    assert!(asked.recv().await.unwrap().contains("uthorization: Basic"));

    // The same machine by another name is another host.
    rig.setup.snapshot_url = Some(format!("http://localhost:{port}/snap.jpg"));
    rig.apply().await;
    let foreign = rig.agent.snapshot(&rig.setup.id).await.unwrap_err();
    assert_eq!(foreign.code, ErrorCode::CameraUnreachable);
    assert_eq!(
        foreign.detail.as_ref().unwrap()["reason"],
        "auth_refused",
        "{foreign:?}"
    );
    assert!(foreign.message.contains("another host"), "{foreign:?}");
    assert!(!asked.recv().await.unwrap().contains("uthorization"));
    assert!(asked.try_recv().is_err());
}

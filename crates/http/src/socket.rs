//! What both WebSockets share: deadlines, bounds, and how they are closed.

use std::time::Duration;

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    response::Response,
};

/// A ping is sent this often.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(10);
/// A viewer that has not answered for so long is closed.
pub(crate) const SILENT_TOO_LONG: Duration = Duration::from_secs(30);
/// Viewers have nothing to say, so nothing long is taken from them.
const LONGEST_MESSAGE: usize = 4 * 1024;
/// A goodbye is not waited for longer than this.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// Bounds what a viewer may send.
pub(crate) fn bounded(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    // The buffer is cleared before every look for input; the usual 128 KiB would be cleared once
    // for every frame that is sent.
    upgrade
        .read_buffer_size(LONGEST_MESSAGE)
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE)
}

/// Sends one message; false when the viewer is gone or does not read.
pub(crate) async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(
        tokio::time::timeout(SILENT_TOO_LONG, socket.send(message)).await,
        Ok(Ok(()))
    )
}

/// Says goodbye.
pub(crate) async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    let goodbye = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            // The answer ends the connection in order; until then the viewer may still read.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _ = tokio::time::timeout(CLOSE_DEADLINE, goodbye).await;
}

/// Opens only to close with a code.
pub(crate) fn refuse(upgrade: WebSocketUpgrade, code: u16, reason: &'static str) -> Response {
    upgrade.on_upgrade(move |mut socket| async move {
        close(&mut socket, code, reason).await;
    })
}

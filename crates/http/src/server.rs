//! The listening socket: bound early so that the address is known, served late, closed in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

/// Open connections at once. Beyond this a new one waits in the backlog.
const MOST_CONNECTIONS: usize = 1024;
/// A request's head must arrive within this; also the longest idle keep-alive.
const HEAD_DEADLINE: Duration = Duration::from_secs(30);
/// Pause after the system refused a connection (out of file handles, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is nobody listening.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Only this computer may connect, for now.
    #[error(
        "{0} is not an address of this computer alone. Listen on 127.0.0.1 or ::1; \
         to reach the recorder from elsewhere use an SSH tunnel."
    )]
    NotLoopback(SocketAddr),
    /// The system refuses the address.
    #[error("Nobody can listen on {address}: {source}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds. Port 0 picks a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        let refused = |source| ListenError::Refused { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDR:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until `closing`, then until every connection has ended; the caller bounds that.
    pub(crate) async fn serve(self, router: Router, closing: CancellationToken) {
        let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = closing.cancelled() => break,
                accepted = self.accept(&slots) => accepted,
            };
            let (stream, slot) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // A live frame must not wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(router.clone());
            let closing = closing.clone();
            connections.spawn(async move {
                let _slot = slot;
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new())
                    .header_read_timeout(HEAD_DEADLINE);
                let connection = http
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                let mut connection = std::pin::pin!(connection);
                let ended = tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = closing.cancelled() => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(error) = ended {
                    debug!(%error, "a connection ended badly");
                }
            });
        }
        drop(self.listener);
        connections.close();
        connections.wait().await;
    }

    async fn accept(
        &self,
        slots: &Arc<Semaphore>,
    ) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let slot = slots
            .clone()
            .acquire_owned()
            .await
            .map_err(std::io::Error::other)?;
        let (stream, _) = self.listener.accept().await?;
        Ok((stream, slot))
    }
}

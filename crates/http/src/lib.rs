//! The api on the wire: REST from the operations table, live and event sockets, media, metrics
//! and the page. The only crate that knows HTTP.
//!
//! What does not belong here: what operations do, who may do what, how media is made.

mod download;
mod events;
mod failure;
mod guard;
mod live;
mod metrics;
mod object;
mod page;
mod partial;
mod pictures;
mod range;
mod rest;
mod segment;
mod server;
mod session;
mod sign_in;
mod site;
mod socket;
mod stills;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderValue, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use oriel_child::Program;
use oriel_nvr::Nvr;
use oriel_worker::Worker;
use tokio::task::JoinHandle;

use crate::{failure::Failure, site::Site};

pub use server::{ListenError, Listener};

/// A running server.
pub struct Server {
    site: Site,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves a bound socket with these roles. `version` goes into the OpenAPI document.
    pub fn start(
        listener: Listener,
        nvr: Arc<Nvr>,
        worker: Arc<Worker>,
        program: Arc<Program>,
        version: &str,
    ) -> Self {
        let site = Site::new(nvr, worker, program, listener.address(), version);
        let router = router(site.clone());
        let task = tokio::spawn(listener.serve(router, site.closing().clone()));
        Self { site, task }
    }

    /// Takes no new connections, says goodbye to sockets and lets answers under way end. The
    /// caller bounds how long that may take; dropping the future cuts what is left.
    pub async fn stop(mut self) {
        self.site.closing().cancel();
        self.site.sockets_closed().await;
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.site.closing().cancel();
        self.task.abort();
    }
}

fn router(site: Site) -> Router {
    rest::routes()
        .route("/api/openapi.json", get(openapi))
        .route(
            "/api/session",
            get(session::show).merge(delete(session::close)),
        )
        .route("/api/session/open", post(session::open))
        .route("/api/session/link", post(session::new_link))
        .route("/open", get(session::open_link))
        .route("/metrics", get(metrics::serve))
        .route(
            "/api/recordings/segment/{camera}/{name}",
            get(segment::serve),
        )
        .route("/api/recordings/export/{id}/download", get(download::serve))
        .route(
            "/api/objects/{*key}",
            get(object::serve)
                .put(object::put)
                // Longer than what operations take; it counts for itself.
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/api/live/{channel}", get(live::serve))
        .route("/api/live/{channel}/mjpeg", get(stills::stream))
        .route("/api/live/{channel}/jpeg", get(stills::newest))
        .route("/api/events/stream", get(events::serve))
        .method_not_allowed_fallback(wrong_method)
        .fallback(page::serve)
        .layer(DefaultBodyLimit::max(rest::LONGEST_BODY))
        .layer(middleware::from_fn_with_state(site.clone(), guard::guard))
        .with_state(site)
}

async fn wrong_method() -> Response {
    Failure::wrong_method().into_response()
}

async fn openapi(State(site): State<Site>) -> Response {
    let mut response = site.openapi().into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

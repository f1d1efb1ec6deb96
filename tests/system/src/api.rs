//! The HTTP API as a script would use it.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use oriel_api::{
    Camera, Channel, Event, EventKind, Page, Segment, Storage, StreamState, Timeline, Timestamp,
};
use serde_json::{Value, json};

use crate::wait;

/// A refusal, as a caller sees it.
#[derive(Debug)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
}

/// A signed-in caller.
#[derive(Clone)]
pub struct Api {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Api {
    pub(crate) fn new(address: &str, token: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        Self {
            agent,
            base: format!("http://{address}"),
            token: token.to_owned(),
        }
    }

    /// The owner's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Calls a method on a path; the outer error is the connection's, the inner one a refusal.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Result<Value, Failure>> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/api{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token));
        let mut response = match body {
            Some(body) => self.agent.run(
                request
                    .header("content-type", "application/json")
                    .body(serde_json::to_vec(&body)?)?,
            )?,
            None => self.agent.run(request.body(())?)?,
        };
        let status = response.status().as_u16();
        let body: Value =
            serde_json::from_str(&response.body_mut().read_to_string()?).unwrap_or(Value::Null);
        Ok(if (200..300).contains(&status) {
            Ok(body)
        } else {
            Err(Failure { status, body })
        })
    }

    /// The bytes at a signed or authorised path.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let mut response = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .call()?;
        anyhow::ensure!(response.status().is_success(), "{}", response.status());
        Ok(response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_vec()?)
    }

    fn ok<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<T> {
        let value = self
            .call(method, path, body)?
            .map_err(|f| anyhow::anyhow!("{method} {path}: {f:?}"))?;
        serde_json::from_value(value).context("shape of the answer")
    }

    /// Adds a camera.
    pub fn add_camera(&self, body: Value) -> Result<Camera> {
        self.ok("POST", "/cameras", Some(body))
    }

    /// One camera.
    pub fn camera(&self, id: &str) -> Result<Camera> {
        self.ok("GET", &format!("/cameras/{id}"), None)
    }

    /// One channel.
    pub fn channel(&self, id: &str) -> Result<Channel> {
        self.ok("GET", &format!("/channels/{id}"), None)
    }

    /// Changes a camera.
    pub fn update_camera(&self, id: &str, body: Value) -> Result<Camera> {
        self.ok("PATCH", &format!("/cameras/{id}"), Some(body))
    }

    /// Changes a channel.
    pub fn update_channel(&self, id: &str, body: Value) -> Result<Channel> {
        self.ok("PATCH", &format!("/channels/{id}"), Some(body))
    }

    /// Changes settings.
    pub fn settings(&self, body: Value) -> Result<Value> {
        self.ok("PATCH", "/settings", Some(body))
    }

    /// How storage stands.
    pub fn storage(&self) -> Result<Storage> {
        self.ok("GET", "/storage", None)
    }

    /// Changes storage settings.
    pub fn update_storage(&self, body: Value) -> Result<Storage> {
        self.ok("PATCH", "/storage", Some(body))
    }

    /// Tries storage again at once.
    pub fn retry_storage(&self) -> Result<Storage> {
        self.ok("POST", "/storage/retry", Some(json!({})))
    }

    /// Has what is kept of a kind moved to a folder.
    pub fn move_place(&self, kind: &str, root: &Path) -> Result<Storage> {
        let body = json!({ "kind": kind, "root": root });
        self.ok("POST", "/storage/places", Some(body))
    }

    /// Those of the last events that are of a kind, the newest first.
    pub fn events(&self, kind: EventKind) -> Result<Vec<Event>> {
        let mut page: Page<Event> = self.ok("GET", "/events?limit=500", None)?;
        page.items.retain(|e| e.kind == kind);
        Ok(page.items)
    }

    /// How many of the last events are of a kind.
    pub fn count_events(&self, kind: EventKind) -> Result<usize> {
        Ok(self.events(kind)?.len())
    }

    /// Every segment of a camera since the beginning of the day before.
    pub fn segments(&self, camera: &str) -> Result<Vec<Segment>> {
        let (start, end) = around_now();
        let page: Page<Segment> = self.ok(
            "GET",
            &format!("/recordings/segments?camera_id={camera}&start={start}&end={end}&limit=5000"),
            None,
        )?;
        Ok(page.items)
    }

    /// What a channel holds since the beginning of the day before.
    pub fn timeline(&self, channel: &str) -> Result<Timeline> {
        let (start, end) = around_now();
        self.ok(
            "GET",
            &format!("/channels/{channel}/timeline?start={start}&end={end}"),
            None,
        )
    }

    /// The signed path of a channel's live socket.
    pub fn live_path(&self, channel: &str) -> Result<String> {
        let token: Value = self.ok(
            "POST",
            &format!("/channels/{channel}/stream-token"),
            Some(json!({})),
        )?;
        Ok(token["url"].as_str().context("url")?.to_owned())
    }

    /// Waits until a camera is in a state.
    #[track_caller]
    pub fn wait_state(&self, camera: &str, state: StreamState) -> Camera {
        wait::within(
            crate::process::RECONNECT,
            &format!("the camera is {state:?}"),
            || self.camera(camera).ok().filter(|c| c.state == state),
        )
    }

    /// Waits until a camera has so many closed segments.
    #[track_caller]
    pub fn wait_closed(&self, camera: &str, count: usize) -> Vec<Segment> {
        wait::within(
            crate::process::RECONNECT,
            &format!("{count} closed segments"),
            || {
                let mut all = self.segments(camera).ok()?;
                all.retain(|s| s.state == oriel_api::SegmentState::Local);
                (all.len() >= count).then_some(all)
            },
        )
    }
}

fn around_now() -> (Timestamp, Timestamp) {
    let now = jiff::Timestamp::now().as_millisecond();
    const DAY: i64 = 24 * 3600 * 1000;
    (Timestamp::from_ms(now - DAY), Timestamp::from_ms(now + DAY))
}

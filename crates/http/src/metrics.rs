//! `GET /metrics` in the text format of Prometheus. Shows what the caller may see.

use std::fmt::Write;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Method, header},
    response::{IntoResponse, Response},
};
use oriel_api::{
    Camera, Channel, DiskLevel, DiskState, Page, Permission, Quality, Scope, Storage, StreamState,
    dispatch,
};
use oriel_media::ingest::Ingest;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{failure::Failure, rest::no_store, sign_in, site::Site};

const STATES: [(StreamState, &str); 5] = [
    (StreamState::Idle, "idle"),
    (StreamState::Connecting, "connecting"),
    (StreamState::Streaming, "streaming"),
    (StreamState::Waiting, "waiting"),
    (StreamState::Failed, "failed"),
];

/// Answers a scrape.
pub(crate) async fn serve(
    State(site): State<Site>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = sign_in::caller(&site, &Method::GET, &headers).await?;
    let cameras: Page<Camera> = ask(&site, &caller, "camera_list").await?;
    let channels: Page<Channel> = ask(&site, &caller, "channel_list").await?;
    let mut text = text(&site, &cameras.items, &channels.items);
    // Only for those who may see the recorder's settings.
    if caller.may(Permission::SystemManage, &Scope::System) {
        let storage: Storage = ask(&site, &caller, "storage_get").await?;
        disk(&mut text, &storage.disk);
    }
    let mut response = no_store(text.into_response());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    Ok(response)
}

async fn ask<T: DeserializeOwned>(
    site: &Site,
    caller: &oriel_api::Caller,
    operation: &str,
) -> Result<T, Failure> {
    let value = dispatch(&**site.nvr(), caller, operation, json!({})).await?;
    Ok(serde_json::from_value(value).map_err(oriel_api::Error::internal)?)
}

/// One metric: its head once, then a line for every labelled value.
struct Metric<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Metric<'a> {
    fn new(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Self { out, name }
    }

    // Ids and our own words only: nothing here needs escaping.
    fn line(&mut self, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.out, "{}{{{labels}}} {value}", self.name);
    }
}

const LEVELS: [(DiskLevel, &str); 6] = [
    (DiskLevel::Ok, "ok"),
    (DiskLevel::Low, "low"),
    (DiskLevel::Deleting, "deleting"),
    (DiskLevel::Stopped, "stopped"),
    (DiskLevel::Missing, "missing"),
    (DiskLevel::ReadOnly, "read_only"),
];

/// The disk with the recordings.
fn disk(out: &mut String, state: &DiskState) {
    let mut level = Metric::new(
        out,
        "oriel_disk_level",
        "gauge",
        "1 for the step of the ladder that the disk with the recordings is on.",
    );
    for (value, name) in LEVELS {
        level.line(&format!("level=\"{name}\""), u8::from(state.level == value));
    }
    for (name, help, value) in [
        (
            "oriel_disk_free_bytes",
            "Bytes free on the disk with the recordings.",
            state.free,
        ),
        ("oriel_disk_total_bytes", "Size of that disk.", state.total),
        (
            "oriel_disk_reserve_bytes",
            "Free bytes that are kept.",
            Some(state.reserve),
        ),
    ] {
        if let Some(value) = value {
            Metric::new(out, name, "gauge", help).line("", value);
        }
    }
}

fn text(site: &Site, cameras: &[Camera], channels: &[Channel]) -> String {
    let mut out = String::new();
    let with_channel = || {
        cameras
            .iter()
            .filter_map(|c| Some((c.channel_id.as_ref()?, c)))
    };
    let label = |id: &oriel_api::ChannelId| format!("channel=\"{id}\"");

    let mut state = Metric::new(
        &mut out,
        "oriel_stream_state",
        "gauge",
        "1 for the state the main stream is in.",
    );
    for (id, camera) in with_channel() {
        for (value, name) in STATES {
            let on = u8::from(camera.state == value);
            state.line(&format!("{},state=\"{name}\"", label(id)), on);
        }
    }
    type Read = fn(&oriel_api::StreamStats) -> f64;
    let stats: [(&str, &str, &str, Read); 4] = [
        (
            "oriel_stream_frames_per_second",
            "gauge",
            "Frames received per second over the last seconds.",
            |s| s.frame_rate,
        ),
        (
            "oriel_stream_kilobits_per_second",
            "gauge",
            "Kilobits received per second over the last seconds.",
            |s| s.kbps,
        ),
        (
            "oriel_stream_reconnects_total",
            "counter",
            "Connections lost since start.",
            |s| s.reconnects as f64,
        ),
        (
            "oriel_stream_dropped_frames_total",
            "counter",
            "Frames that could not be handed on in time since start.",
            |s| s.dropped as f64,
        ),
    ];
    for (name, kind, help, read) in stats {
        let mut metric = Metric::new(&mut out, name, kind, help);
        for (id, camera) in with_channel() {
            if let Some(stats) = &camera.stats {
                metric.line(&label(id), read(stats));
            }
        }
    }
    let mut active = Metric::new(
        &mut out,
        "oriel_recording_active",
        "gauge",
        "Whether frames are reaching the disk.",
    );
    for channel in channels {
        active.line(&label(&channel.id), u8::from(channel.recording.active));
    }
    let mut lost = Metric::new(
        &mut out,
        "oriel_recording_lost_frames_total",
        "counter",
        "Frames lost because the disk was too slow or refused, since start.",
    );
    for channel in channels {
        lost.line(&label(&channel.id), channel.recording.lost_frames);
    }
    let mut viewers = Metric::new(
        &mut out,
        "oriel_live_viewers",
        "gauge",
        "Open live connections.",
    );
    for channel in channels {
        for (quality, name) in [(Quality::High, "high"), (Quality::Low, "low")] {
            let watching = *site.worker().watched(&channel.id, quality).borrow();
            viewers.line(
                &format!("{},quality=\"{name}\"", label(&channel.id)),
                watching,
            );
        }
    }
    out
}

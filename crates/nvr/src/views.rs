//! Rows and the state of the moment, put together as callers see them.

use oriel_api::{
    Camera, CameraId, Channel, ChannelId, Error, Quality, RecordMode, RecordingState, Result,
    StreamState,
    link::{CameraSetup, StreamStatus},
};
use oriel_store::{CameraRow, ChannelRow};

use crate::Nvr;

impl Nvr {
    pub(crate) async fn camera_row(&self, id: &CameraId) -> Result<CameraRow> {
        self.store
            .camera(id.clone())
            .await?
            .ok_or_else(|| Error::not_found("There is no such camera."))
    }

    /// The channel whose footage goes by this id, and its name: that of a camera, or a channel
    /// without a camera by its own id.
    pub(crate) async fn footage_of(&self, id: &CameraId) -> Result<(Option<ChannelId>, String)> {
        if let Some(row) = self.store.camera(id.clone()).await? {
            return Ok((row.channel, row.name));
        }
        let channel: ChannelId = id.as_str().parse()?;
        self.store
            .channel(channel)
            .await?
            .filter(|row| row.camera.is_none())
            .map(|row| (Some(row.id), row.name))
            .ok_or_else(|| Error::not_found("There is no such camera."))
    }

    /// The last that was reported, else what the agent says when asked.
    fn status(&self, camera: &CameraId, quality: Quality) -> Option<StreamStatus> {
        let reported = self.states().status(camera, quality);
        reported.or_else(|| self.links().ok()?.agent.status(camera, quality))
    }

    pub(crate) fn camera_view(&self, row: &CameraRow) -> Camera {
        let shown = self.logins.shown(&row.id);
        let status = self.status(&row.id, Quality::High);
        let mut profiles = row.profiles.clone();
        for profile in &mut profiles {
            let seen = match profile.quality {
                Quality::High => status.as_ref().and_then(|s| s.profile.clone()),
                Quality::Low => self
                    .status(&row.id, Quality::Low)
                    .and_then(|s| s.profile.clone()),
            };
            // What is on the wire now is truer than what was stored when it was first seen.
            if let Some(seen) = seen.filter(|s| s.video.is_some()) {
                profile.video = seen.video;
                profile.audio = seen.audio;
            }
        }
        Camera {
            id: row.id.clone(),
            name: row.name.clone(),
            channel_id: row.channel.clone(),
            url: row
                .profile(Quality::High)
                .map(|p| p.url.clone())
                .unwrap_or_default(),
            has_password: shown.as_ref().is_some_and(|s| s.has_password),
            username: shown.map(|s| s.username),
            state: status.as_ref().map_or(StreamState::Idle, |s| s.state),
            reason: status.as_ref().and_then(|s| s.reason.clone()),
            since: status.as_ref().map(|s| s.since),
            retry_at: status.as_ref().and_then(|s| s.retry_at),
            engine: status.as_ref().and_then(|s| s.engine),
            stats: status.as_ref().and_then(|s| s.stats.clone()),
            warnings: status.map(|s| s.warnings).unwrap_or_default(),
            profiles,
            snapshot_url: row.snapshot_url.clone(),
        }
    }

    pub(crate) fn recording_state(&self, channel: &ChannelId) -> RecordingState {
        self.links()
            .map(|l| l.worker.recording_state(channel))
            .unwrap_or_default()
    }

    pub(crate) fn channel_view(&self, row: ChannelRow) -> Channel {
        let recording = self.recording_state(&row.id);
        Channel {
            id: row.id,
            camera_id: row.camera,
            name: row.name,
            record_mode: row.record_mode,
            engine: row.engine,
            audio: row.audio,
            segment_seconds: row.segment_seconds,
            segment_mb: row.segment_mb,
            upload: row.upload,
            retention_days: row.retention_days,
            quota_mb: row.quota_mb,
            recording,
        }
    }

    /// Gives a camera to the agent as it stands in the database, or takes it away when it has no
    /// channel.
    pub(crate) async fn apply(&self, camera: &CameraRow) -> Result<()> {
        let links = self.links()?;
        let channel = match &camera.channel {
            Some(id) => self.store.channel(id.clone()).await?,
            None => None,
        };
        let Some(channel) = channel else {
            links.agent.remove(&camera.id).await?;
            self.states().removed(&camera.id);
            return Ok(());
        };
        let records = channel.record_mode != RecordMode::Off;
        self.states()
            .applied(&camera.id, &channel.id, records, self.clock_now());
        self.news.notify_one();
        links
            .worker
            .configure_channel(&channel.id, channel.cutting());
        links
            .agent
            .apply(CameraSetup {
                id: camera.id.clone(),
                channel: channel.id,
                profiles: camera.profiles.clone(),
                snapshot_url: camera.snapshot_url.clone(),
                record_mode: channel.record_mode,
                engine: channel.engine,
                audio: channel.audio,
                watchdog_seconds: self.settings().watchdog_seconds,
                revision: camera.revision,
            })
            .await
    }
}

//! The recorder itself: readiness, facts and settings.

use std::{sync::PoisonError, time::Duration};

use oriel_api::{Error, Health, HealthStatus, Result, Settings, SettingsUpdate, SystemInfo};
use tracing::warn;

use crate::Nvr;

/// The other roles may take this long to answer for the system page.
const PATIENCE: Duration = Duration::from_secs(5);

fn within(range: std::ops::RangeInclusive<u32>, value: u32, what: &str) -> Result<u32> {
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(Error::invalid(format!(
            "{what}: {} to {} seconds.",
            range.start(),
            range.end()
        )))
    }
}

impl Nvr {
    pub(crate) fn readiness(&self) -> Health {
        let healthy =
            self.links().is_ok() && self.disk_is_well() && self.states().healthy(self.clock_now());
        Health {
            status: if healthy {
                HealthStatus::Ready
            } else {
                HealthStatus::Degraded
            },
            version: self.options.version.clone(),
        }
    }

    pub(crate) async fn facts(&self) -> Result<SystemInfo> {
        let links = self.links()?;
        let (disk, gstreamer) = tokio::join!(
            tokio::time::timeout(PATIENCE, links.worker.disk_space()),
            tokio::time::timeout(PATIENCE, links.agent.gstreamer()),
        );
        let disk = disk.ok().flatten();
        // Reads files of the system.
        let zone = tokio::task::spawn_blocking(|| {
            let zone = jiff::tz::TimeZone::system();
            zone.iana_name().unwrap_or("UTC").to_owned()
        })
        .await
        .map_err(Error::internal)?;
        Ok(SystemInfo {
            version: self.options.version.clone(),
            data_dir: self.options.data_dir.display().to_string(),
            media_base: self.media_base(),
            secrets: self.secrets.place(),
            disk_free: disk.map(|d| d.0),
            disk_total: disk.map(|d| d.1),
            gstreamer: gstreamer.ok().flatten(),
            zone,
        })
    }

    pub(crate) async fn update_settings(&self, input: SettingsUpdate) -> Result<Settings> {
        let links = self.links()?;
        let _editing = self.editing.lock().await;
        let mut settings = self.settings();
        let before = settings.clone();
        if let Some(n) = input.segment_seconds {
            settings.segment_seconds = within(5..=600, n, "Length of a segment")?;
        }
        if let Some(n) = input.sync_seconds {
            settings.sync_seconds = within(1..=60, n, "Sync interval")?;
        }
        if let Some(n) = input.watchdog_seconds {
            settings.watchdog_seconds = within(2..=60, n, "Watchdog")?;
        }
        if settings == before {
            return Ok(settings);
        }
        self.store.settings_set(settings.clone()).await?;
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = settings.clone();
        links.worker.configure(&settings);
        if settings.watchdog_seconds != before.watchdog_seconds {
            for camera in self.store.cameras().await? {
                if let Err(error) = self.apply(&camera).await {
                    warn!(camera = %camera.id, %error, "the agent did not take a setting");
                }
            }
        }
        Ok(settings)
    }
}

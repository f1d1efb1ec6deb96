//! The recorder itself: readiness, facts and settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Scoped;

/// Whether the recorder is ready. Public, so it names no camera and no folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ready`, or `degraded` when a camera or the disk needs attention.
    pub status: HealthStatus,
    /// Version.
    pub version: String,
}

/// Readiness in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Everything that should record records.
    Ready,
    /// Something needs attention.
    Degraded,
}

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretsPlace {
    /// The operating system's keyring.
    Keyring,
    /// An encrypted file in the data folder, because there is no usable keyring.
    EncryptedFile,
    /// Memory: tests only.
    Memory,
}

/// Facts for the system page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemInfo {
    /// Version.
    pub version: String,
    /// Data folder.
    pub data_dir: String,
    /// Where media is served: `http://127.0.0.1:PORT`. The desktop window needs it.
    pub media_base: String,
    /// Where secrets are kept.
    pub secrets: SecretsPlace,
    /// Bytes free on the disk with footage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free: Option<u64>,
    /// Size of that disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_total: Option<u64>,
    /// Whether the GStreamer child program was found and runs, and its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gstreamer: Option<String>,
    /// The time zone of this machine, IANA name.
    pub zone: String,
}

/// Settings of the recorder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Seconds per segment, 5 to 600.
    #[schemars(range(min = 5, max = 600))]
    pub segment_seconds: u32,
    /// A power cut loses at most so many seconds, 1 to 60.
    #[schemars(range(min = 1, max = 60))]
    pub sync_seconds: u32,
    /// Seconds without a frame that count as a lost camera, 2 to 60.
    #[schemars(range(min = 2, max = 60))]
    pub watchdog_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_seconds: 30,
            sync_seconds: 5,
            watchdog_seconds: 5,
        }
    }
}

/// A change of settings; absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsUpdate {
    /// Seconds per segment, 5 to 600.
    #[serde(default)]
    pub segment_seconds: Option<u32>,
    /// Sync interval, 1 to 60.
    #[serde(default)]
    pub sync_seconds: Option<u32>,
    /// Watchdog, 2 to 60.
    #[serde(default)]
    pub watchdog_seconds: Option<u32>,
}
impl Scoped for SettingsUpdate {}

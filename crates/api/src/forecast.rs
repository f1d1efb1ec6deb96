//! How long footage will be held under rules that are not saved yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChannelId, Scoped, Timestamp};

/// A rule that is thought about, for one channel; absent fields are as saved.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelRule {
    /// Channel.
    pub channel_id: ChannelId,
    /// Days, 0 for the recorder's rule.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// Quota in MB, 0 for none.
    #[serde(default)]
    pub quota_mb: Option<u32>,
}

/// Rules that are thought about.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForecastQuery {
    /// The recorder's days, 0 for as long as space allows.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// Reserve in MB, 0 for automatic.
    #[serde(default)]
    pub reserve_mb: Option<u32>,
    /// Rules of channels.
    #[serde(default)]
    pub channels: Vec<ChannelRule>,
}
impl Scoped for ForecastQuery {}

/// What ends footage of a channel first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForecastLimit {
    /// Its age.
    Age,
    /// Its quota.
    Quota,
    /// The disk.
    Space,
}

/// How long footage of a channel will be held on this disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelForecast {
    /// Channel.
    pub channel_id: ChannelId,
    /// Bytes it has on this disk.
    pub bytes: u64,
    /// Its oldest footage on this disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// Bytes a day, measured over the footage of the last days; absent when there is too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
    /// Days that will be held; absent when nothing is measured yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
    /// What ends it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<ForecastLimit>,
}

/// How long footage will be held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// Every channel that records or has footage.
    pub channels: Vec<ChannelForecast>,
    /// Days of the channel that is held shortest; "you will hold about N days".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
}

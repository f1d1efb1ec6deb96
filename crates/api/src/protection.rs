//! Ranges that no rule deletes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChannelId, Scope, Scoped, Timestamp};

/// A range of a channel that no rule deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Protection {
    /// Id.
    pub id: String,
    /// Channel.
    pub channel_id: ChannelId,
    /// From.
    pub start: Timestamp,
    /// To.
    pub end: Timestamp,
    /// Why, in somebody's words.
    pub note: String,
    /// When it was made.
    pub created: Timestamp,
}

/// Protected ranges of a channel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectionList {
    /// Channel.
    pub id: ChannelId,
}
impl Scoped for ProtectionList {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// A range to be protected.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectionCreate {
    /// Channel.
    pub id: ChannelId,
    /// From.
    pub start: Timestamp,
    /// To.
    pub end: Timestamp,
    /// Why; 200 characters at most.
    #[serde(default)]
    pub note: Option<String>,
}
impl Scoped for ProtectionCreate {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

/// A protection to be lifted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectionRef {
    /// Channel.
    pub id: ChannelId,
    /// The protection's id.
    pub protection: String,
}
impl Scoped for ProtectionRef {
    fn scope(&self) -> Scope {
        Scope::Channel(self.id.clone())
    }
}

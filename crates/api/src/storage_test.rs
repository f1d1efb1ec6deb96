//! "Test connection": what a destination can do, tried.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Scoped, StorageUpdate};

/// A step of "Test connection".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StorageTestKind {
    /// Writing an object.
    Write,
    /// Reading it back, whole and in part, and finding it in the list.
    ReadBack,
    /// The clocks agree.
    Clock,
    /// A signed address reads without credentials.
    SignedGet,
    /// A signed address writes without credentials.
    SignedPut,
    /// Browsers may use signed addresses from our pages.
    Cors,
    /// Large objects in parts.
    Multipart,
    /// Copying and joining inside the store.
    Copy,
    /// Writing only when missing.
    IfNoneMatch,
    /// Deleting.
    Delete,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StorageTestOutcome {
    /// It works.
    Ok,
    /// The store cannot do it, and Oriel does without.
    Limited,
    /// It does not work.
    Failed,
    /// Not tried.
    Skipped,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorageTestStep {
    /// What was tried.
    pub kind: StorageTestKind,
    /// How it went.
    pub outcome: StorageTestOutcome,
    /// What is missing or what that means; empty when all is well.
    pub message: String,
}

/// What the test found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorageTestReport {
    /// Whether the store can be used.
    pub usable: bool,
    /// All steps.
    pub steps: Vec<StorageTestStep>,
    /// Seconds that this computer's clock is ahead of the store's, when it says the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_s: Option<i64>,
}

/// Settings to be tried before they are saved; what is absent is as saved.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StorageTest {
    /// Settings to be tried.
    #[serde(default)]
    pub settings: StorageUpdate,
    /// Origin of the page that asks, for CORS.
    #[serde(default)]
    pub origin: Option<String>,
}
impl Scoped for StorageTest {}

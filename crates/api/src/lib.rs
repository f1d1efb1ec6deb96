//! The contract: nouns, the operations table, permissions, error codes and events.
//!
//! Everything that crosses a boundary (HTTP, the desktop window, role to role) is named here
//! once. What does not belong here: I/O of any kind, SQL, media bytes, GStreamer, HTTP types,
//! and anything that holds a secret and could be serialised.

mod caller;
mod camera;
mod channel;
mod clip;
mod dispatch;
mod error;
mod event;
mod export;
mod forecast;
mod id;
pub mod link;
mod live;
mod operations;
mod permission;
mod protection;
mod recording;
mod schema;
mod secret;
mod snapshot;
mod storage;
mod storage_test;
mod system;
mod time;

pub use caller::{Caller, Grant};
pub use camera::*;
pub use channel::*;
pub use clip::*;
pub use dispatch::{Accepted, AuditEntry, Method, Operation, Scope, Scoped, accept, operation};
pub use error::{Error, ErrorBody, ErrorCode, Result};
pub use event::*;
pub use export::*;
pub use forecast::*;
pub use id::{CameraId, ChannelId, ClipId, ExportId, SnapshotId};
pub use live::*;
pub use operations::{OPERATIONS, Operations, dispatch};
pub use permission::Permission;
pub use protection::*;
pub use recording::*;
pub use schema::{coerce, openapi};
pub use secret::{Credentials, Secret};
pub use snapshot::*;
pub use storage::*;
pub use storage_test::*;
pub use system::*;
pub use time::{Range, Timestamp};

/// An input with no fields.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Empty {}
impl Scoped for Empty {}

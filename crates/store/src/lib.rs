//! The only code with SQL: schema, migrations, typed reads and writes.
//!
//! One module per table holds its statements, its row type and its functions. What does not
//! belong here: deciding anything. Callers say what is to be stored and get it back typed; no
//! secret is ever handed to this crate.

mod audit;
mod camera;
mod channel;
mod clip;
mod codec;
mod connection;
mod deletion;
mod error;
mod event;
mod export;
mod garbage;
mod garbage_multipart;
mod garbage_object;
mod newest;
mod piece;
mod place;
mod protection;
mod recording;
mod restore;
mod retention;
mod run;
mod session;
mod setting;
mod snapshot;
mod store;
mod stream_profile;
mod text;
mod timeline;
mod upload;

#[cfg(test)]
mod tests;

pub use camera::{CameraChange, CameraRow, NewCamera};
pub use channel::{ChannelChange, ChannelRow, NewChannel};
pub use clip::{ClipRow, MadeFile, NewClip};
pub use connection::SCHEMA_VERSION;
pub use error::StoreError;
pub use event::{EventPage, EventRow, EventSelection, NewEvent};
pub use export::{ExportPartRow, ExportRow, NewExport, NewExportPart};
pub use garbage::GarbageRow;
pub use garbage_multipart::GarbageMultipart;
pub use garbage_object::GarbageObject;
pub use newest::{NewestPage, Selection};
pub use place::PlaceRow;
pub use protection::ProtectionRow;
pub use recording::{Inserted, RecordingPage, RecordingRow};
pub use restore::{Restored, StoredClip, StoredRecording, StoredSnapshot};
pub use retention::{Candidate, Held, Retired, Walk, Walked, Which};
pub use session::SessionRow;
pub use snapshot::{NewSnapshot, SnapshotRow};
pub use store::Store;
pub use upload::{Arrived, Backlog, LostUpload};

/// Result of a storage call.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

//! What `orield check` needs of the database while nothing runs: rows to compare with files,
//! and the two repairs.

use oriel_api::{ChannelId, ExportStatus, Range, Result, Timestamp, link::SegmentClosed};
use oriel_store::{ExportPartRow, ExportRow, Inserted, RecordingRow, Store};

/// Rows fetched at a time.
const PAGE: u32 = 5000;

/// All channels that have or may have footage.
pub async fn channels(store: &Store) -> Result<Vec<ChannelId>> {
    Ok(store.channels().await?.into_iter().map(|c| c.id).collect())
}

/// The rows of a channel that start after `after`, oldest first; empty when there are no more.
/// Pass the start of the last one to go on.
pub async fn rows(
    store: &Store,
    channel: &ChannelId,
    after: Option<Timestamp>,
) -> Result<Vec<RecordingRow>> {
    let all = Range {
        start: Timestamp::from_ms(i64::MIN),
        end: Timestamp::from_ms(i64::MAX),
    };
    Ok(store
        .recordings(channel.clone(), all, after, PAGE)
        .await?
        .rows)
}

/// Notes that the file of a row is gone.
pub async fn mark_missing(store: &Store, channel: &ChannelId, start: Timestamp) -> Result<()> {
    store.recording_missing(channel.clone(), start).await?;
    Ok(())
}

/// Adds a row for a file that has none. Gives whether one was added.
pub async fn adopt(store: &Store, segment: SegmentClosed) -> Result<bool> {
    Ok(store.recording_insert(segment).await? == Inserted::Added)
}

/// The export that a manifest in the folder of a job tells of; `None` when it is none of ours.
/// Which of its files are there is for the caller to say.
pub fn export_of(job: &str, manifest: &[u8]) -> Option<ExportRow> {
    crate::exports::restore::export(job, manifest)
}

/// How an export with these parts stands, once all have ended.
pub fn export_status(parts: &[ExportPartRow]) -> ExportStatus {
    crate::exports::restore::status(parts)
}

/// Randomness for an id.
pub fn random_id() -> Result<[u8; 12]> {
    crate::random::bytes()
}

/// What SQLite finds wrong with the file itself; empty when all is well.
pub async fn damage(store: &Store) -> Result<Vec<String>> {
    Ok(store.find_damage().await?)
}

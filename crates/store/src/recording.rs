//! Table `recording`: one row per segment. The table that grows.

use oriel_api::{
    ChannelId, Range, SegmentState, Timestamp,
    link::{RunId, SegmentClosed},
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{Result, Store, StoreError, channel, codec, garbage, upload};

/// How far before a window its first segment may begin: longer than the longest segment with
/// key frames far apart. A still longer one is found as the last before the window.
const LOOK_BACK_MS: i64 = 15 * 60 * 1000;

/// A segment as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingRow {
    /// Number.
    pub id: i64,
    /// Start of the first frame; also the file name.
    pub start: Timestamp,
    /// End of the last frame.
    pub end: Timestamp,
    /// Size.
    pub bytes: u64,
    /// Where the bytes are; never `Open`.
    pub state: SegmentState,
    /// RFC 6381 strings, video first.
    pub codecs: String,
    /// Continues the run of the segment before.
    pub continues: bool,
    /// Its run, if that is known.
    pub run: Option<RunId>,
    /// Whether there is a local file.
    pub local: bool,
    /// The object in the bucket.
    pub object_key: Option<String>,
}

/// A page of segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingPage {
    /// Oldest first.
    pub rows: Vec<RecordingRow>,
    /// Whether there are more after the last of these.
    pub more: bool,
}

/// What came of a new segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was added, or its missing file is back.
    Added,
    /// It was there already; nothing changed.
    Known,
    /// Its channel's footage is being deleted, or it was to be deleted: it is garbage.
    Unwanted,
}

/// Numbers of the states, as the column holds them.
pub(crate) const MISSING: i64 = 3;

fn state(number: i64) -> SegmentState {
    match number {
        0 => SegmentState::Local,
        1 => SegmentState::Uploading,
        2 => SegmentState::Stored,
        _ => SegmentState::Missing,
    }
}

// The key of an object is outside the index and read only where there is one.
pub(crate) const LIST: &str = "SELECT id, start_ms, end_ms, bytes, state,
     (SELECT codecs FROM codec WHERE codec.id = recording.codec), continues, run, local,
     CASE WHEN state IN (1, 2) THEN
       (SELECT o.object_key FROM recording AS o WHERE o.id = recording.id) END
     FROM recording INDEXED BY recording_list
     WHERE channel = ?1 AND start_ms > ?2 AND start_ms < ?3 AND end_ms > ?4
     ORDER BY start_ms LIMIT ?5";

pub(crate) const LOCAL: &str = "SELECT start_ms FROM recording INDEXED BY recording_list
     WHERE channel = ?1 AND start_ms > ?2 AND local = 1 ORDER BY start_ms LIMIT ?3";

pub(crate) fn from_row(r: &Row<'_>) -> rusqlite::Result<RecordingRow> {
    Ok(RecordingRow {
        id: r.get(0)?,
        start: Timestamp::from_ms(r.get(1)?),
        end: Timestamp::from_ms(r.get(2)?),
        bytes: r.get::<_, i64>(3)?.unsigned_abs(),
        state: state(r.get(4)?),
        codecs: r.get(5)?,
        continues: r.get(6)?,
        run: r.get(7)?,
        local: r.get(8)?,
        object_key: r.get(9)?,
    })
}

/// A start such that no segment reaching into the window begins before it.
pub(crate) fn look_back(connection: &Connection, channel: i64, start: i64) -> Result<i64> {
    let before: Option<i64> = connection
        .prepare_cached(
            "SELECT max(start_ms) FROM recording WHERE channel = ?1 AND start_ms <= ?2",
        )?
        .query_row((channel, start), |r| r.get(0))?;
    let usual = start.saturating_sub(LOOK_BACK_MS);
    Ok(before.map_or(usual, |b| b.min(usual)))
}

/// No channel has this number.
const NONE: i64 = -1;

/// The number under which a caller finds footage. A channel whose footage is being deleted has
/// none, and is there at all only while it has clips.
fn visible_key(connection: &Connection, id: &ChannelId) -> Result<i64> {
    match channel::key(connection, id)? {
        Some((key, false)) => Ok(key),
        Some((_, true)) if channel::one(connection, id)?.is_some() => Ok(NONE),
        _ => Err(StoreError::NoSuch("channel")),
    }
}

impl Store {
    /// Adds a closed segment. The same channel and start again changes nothing, unless the file
    /// was thought missing.
    pub async fn recording_insert(&self, segment: SegmentClosed) -> Result<Inserted> {
        self.write(move |c| {
            let (channel, purging) =
                channel::key(c, &segment.channel)?.ok_or(StoreError::NoSuch("channel"))?;
            if purging {
                garbage::add_file(c, &segment.channel, segment.start.ms())?;
                return Ok(Inserted::Unwanted);
            }
            if garbage::holds_file(c, &segment.channel, segment.start.ms())? {
                // Found again before it could be deleted, or a new one of the same name.
                if segment.run.is_none() {
                    return Ok(Inserted::Unwanted);
                }
                garbage::keep_file(c, &segment.channel, segment.start.ms())?;
            }
            let codec = codec::intern(c, &segment.codecs)?;
            let changed = c
                .prepare_cached(
                    "INSERT INTO recording
                       (channel, run, start_ms, end_ms, bytes, codec, continues, local, state,
                        sha256)
                     VALUES (?1, (SELECT id FROM run WHERE id = ?2 AND channel = ?1), ?3, ?4, ?5,
                       ?6, ?7, 1, 0, ?8)
                     ON CONFLICT (channel, start_ms) DO UPDATE SET end_ms = excluded.end_ms,
                       bytes = excluded.bytes, codec = excluded.codec, local = 1,
                       sha256 = CASE WHEN bytes = excluded.bytes
                         THEN coalesce(excluded.sha256, sha256) ELSE excluded.sha256 END,
                       state = CASE WHEN state = 2 THEN 2 ELSE 0 END
                     WHERE state = 3 OR (state = 2 AND local = 0 AND bytes = excluded.bytes)",
                )?
                .execute((
                    channel,
                    segment.run,
                    segment.start.ms(),
                    segment.end.ms().max(segment.start.ms()),
                    i64::try_from(segment.bytes).unwrap_or(i64::MAX),
                    codec,
                    segment.continues,
                    segment.sha256,
                ))?;
            if changed > 0 {
                let id = c
                    .prepare_cached(
                        "SELECT id FROM recording WHERE channel = ?1 AND start_ms = ?2",
                    )?
                    .query_row((channel, segment.start.ms()), |r| r.get(0))?;
                upload::enqueue(c, upload::Of::Recording(id))?;
            }
            Ok(if changed > 0 {
                Inserted::Added
            } else {
                Inserted::Known
            })
        })
        .await
    }

    /// Segments that reach into a window, oldest first, those that start after `after` only.
    pub async fn recordings(
        &self,
        channel: ChannelId,
        window: Range,
        after: Option<Timestamp>,
        limit: u32,
    ) -> Result<RecordingPage> {
        self.read(move |c| {
            let channel = visible_key(c, &channel)?;
            let from = look_back(c, channel, window.start.ms())?.saturating_sub(1);
            let from = after.map_or(from, |a| a.ms().max(from));
            let mut rows = c
                .prepare_cached(LIST)?
                .query_map(
                    (
                        channel,
                        from,
                        window.end.ms(),
                        window.start.ms(),
                        u64::from(limit).saturating_add(1).cast_signed(),
                    ),
                    from_row,
                )?
                .collect::<Result<Vec<_>, _>>()?;
            let more = rows.len() > limit as usize;
            rows.truncate(limit as usize);
            Ok(RecordingPage { rows, more })
        })
        .await
    }

    /// The segment with exactly this start.
    pub async fn recording(
        &self,
        channel: ChannelId,
        start: Timestamp,
    ) -> Result<Option<RecordingRow>> {
        self.read(move |c| {
            let channel = visible_key(c, &channel)?;
            let at = start.ms();
            Ok(c.prepare_cached(LIST)?
                .query_row(
                    (
                        channel,
                        at.saturating_sub(1),
                        at.saturating_add(1),
                        i64::MIN,
                        1,
                    ),
                    from_row,
                )
                .optional()?)
        })
        .await
    }

    /// Starts of segments whose files should be on this disk, after `after`, ascending. Empty
    /// for a channel whose footage is being deleted.
    pub async fn local_starts(
        &self,
        channel: ChannelId,
        after: Timestamp,
        limit: usize,
    ) -> Result<Vec<Timestamp>> {
        self.read(move |c| {
            let (channel, purging) =
                channel::key(c, &channel)?.ok_or(StoreError::NoSuch("channel"))?;
            if purging {
                return Ok(Vec::new());
            }
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            Ok(c.prepare_cached(LOCAL)?
                .query_map((channel, after.ms(), limit), |r| {
                    r.get(0).map(Timestamp::from_ms)
                })?
                .collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes that a segment's file is not there any more. Gives whether there was such a row.
    pub async fn recording_missing(&self, channel: ChannelId, start: Timestamp) -> Result<bool> {
        self.write(move |c| {
            let Some((channel, _)) = channel::key(c, &channel)? else {
                return Ok(false);
            };
            // What is in the bucket is not missing when its local copy goes.
            Ok(c.prepare_cached(
                "UPDATE recording SET local = 0,
                   state = CASE WHEN state = 2 THEN 2 ELSE 3 END
                 WHERE channel = ?1 AND start_ms = ?2",
            )?
            .execute((channel, start.ms()))?
                > 0)
        })
        .await
    }

    /// For each range whether any of the channels has footage in it. Unknown channels have none.
    pub async fn footage_in(
        &self,
        channels: Vec<ChannelId>,
        ranges: Vec<Range>,
    ) -> Result<Vec<bool>> {
        self.read(move |c| {
            let keys = channels
                .iter()
                .filter_map(|id| match channel::key(c, id) {
                    Ok(Some((key, false))) => Some(Ok(key)),
                    Ok(_) => None,
                    Err(e) => Some(Err(e)),
                })
                .collect::<Result<Vec<_>>>()?;
            let mut inside = c.prepare_cached(INSIDE)?;
            let mut before = c.prepare_cached(BEFORE)?;
            ranges
                .iter()
                .map(|range| {
                    for key in &keys {
                        let (start, end) = (range.start.ms(), range.end.ms());
                        if inside.exists((key, start, end, MISSING))? {
                            return Ok(true);
                        }
                        let reaches: Option<i64> = before
                            .query_row((key, start, MISSING), |r| r.get(0))
                            .optional()?;
                        if reaches.is_some_and(|r| r > start) {
                            return Ok(true);
                        }
                    }
                    Ok(false)
                })
                .collect()
        })
        .await
    }
}

pub(crate) const INSIDE: &str = "SELECT 1 FROM recording INDEXED BY recording_list
     WHERE channel = ?1 AND start_ms >= ?2 AND start_ms < ?3 AND state <> ?4 LIMIT 1";
pub(crate) const BEFORE: &str = "SELECT end_ms FROM recording INDEXED BY recording_list
     WHERE channel = ?1 AND start_ms < ?2 AND state <> ?3 ORDER BY start_ms DESC LIMIT 1";

#[cfg(test)]
mod tests;

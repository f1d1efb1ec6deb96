//! Table `protection`: ranges that no rule deletes.

use oriel_api::{ChannelId, Timestamp};
use rusqlite::Row;

use crate::{Result, Store, StoreError, channel};

/// Protections of a channel, at most: a list, not a log.
const MOST: i64 = 10_000;

/// A protected range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectionRow {
    /// Number.
    pub id: i64,
    /// From.
    pub start: Timestamp,
    /// To.
    pub end: Timestamp,
    /// Why.
    pub note: String,
    /// When it was made.
    pub created: Timestamp,
}

fn from_row(r: &Row<'_>) -> rusqlite::Result<ProtectionRow> {
    Ok(ProtectionRow {
        id: r.get(0)?,
        start: Timestamp::from_ms(r.get(1)?),
        end: Timestamp::from_ms(r.get(2)?),
        note: r.get(3)?,
        created: Timestamp::from_ms(r.get(4)?),
    })
}

impl Store {
    /// Protected ranges of a channel, oldest first.
    pub async fn protections(&self, channel: ChannelId) -> Result<Vec<ProtectionRow>> {
        self.read(move |c| {
            let Some((channel, false)) = channel::key(c, &channel)? else {
                return Err(StoreError::NoSuch("channel"));
            };
            Ok(c.prepare_cached(
                "SELECT id, start_ms, end_ms, note, created_ms FROM protection
                 WHERE channel = ?1 ORDER BY start_ms, id",
            )?
            .query_map([channel], from_row)?
            .collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Protects a range. `None` when the channel has too many already.
    pub async fn protection_insert(
        &self,
        channel: ChannelId,
        new: ProtectionRow,
    ) -> Result<Option<ProtectionRow>> {
        self.write(move |c| {
            let Some((channel, false)) = channel::key(c, &channel)? else {
                return Err(StoreError::NoSuch("channel"));
            };
            let count: i64 = c.query_row(
                "SELECT count(*) FROM protection WHERE channel = ?1",
                [channel],
                |r| r.get(0),
            )?;
            if count >= MOST {
                return Ok(None);
            }
            c.execute(
                "INSERT INTO protection (channel, start_ms, end_ms, note, created_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                (
                    channel,
                    new.start.ms(),
                    new.end.ms(),
                    &new.note,
                    new.created.ms(),
                ),
            )?;
            Ok(Some(ProtectionRow {
                id: c.last_insert_rowid(),
                ..new
            }))
        })
        .await
    }

    /// Lifts a protection. Gives whether there was one.
    pub async fn protection_delete(&self, channel: ChannelId, id: i64) -> Result<bool> {
        self.write(move |c| {
            Ok(c.execute(
                "DELETE FROM protection WHERE id = ?2
                   AND channel = (SELECT id FROM channel WHERE public_id = ?1)",
                (channel.as_str(), id),
            )? > 0)
        })
        .await
    }
}

//! Table `deletion`: the time whose footage rules have deleted, so that a hole there has a cause.
//!
//! One row per stretch: stretches with no footage left between them are one. So there are never
//! more of them than stretches of footage that was kept between.

use rusqlite::{Connection, OptionalExtension};

use crate::Result;

const NEXT: &str = "SELECT id, start_ms, end_ms FROM deletion
     WHERE channel = ?1 AND start_ms > ?2 ORDER BY start_ms LIMIT 1";
const BEFORE: &str = "SELECT id, start_ms, end_ms FROM deletion
     WHERE channel = ?1 AND start_ms <= ?2 ORDER BY start_ms DESC LIMIT 1";
const LEFT: &str = "SELECT 1 FROM recording INDEXED BY recording_list
     WHERE channel = ?1 AND start_ms >= ?2 AND start_ms < ?3 LIMIT 1";

type Stretch = (i64, i64, i64);

fn one(connection: &Connection, sql: &str, channel: i64, at: i64) -> Result<Option<Stretch>> {
    Ok(connection
        .prepare_cached(sql)?
        .query_row((channel, at), |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?)
}

/// Whether no footage is left between two moments.
fn empty(connection: &Connection, channel: i64, from: i64, to: i64) -> Result<bool> {
    Ok(from >= to
        || !connection
            .prepare_cached(LEFT)?
            .exists((channel, from, to))?)
}

/// Notes ranges of a channel, in order of start, whose rows are gone.
pub(crate) fn note(connection: &Connection, channel: i64, ranges: &[(i64, i64)]) -> Result<()> {
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for &(start, end) in ranges {
        match joined.last_mut() {
            Some(last) if empty(connection, channel, last.1, start)? => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    for (mut start, mut end) in joined {
        let mut absorbed = Vec::new();
        if let Some((id, from, to)) = one(connection, BEFORE, channel, start)?
            && empty(connection, channel, to, start)?
        {
            absorbed.push(id);
            (start, end) = (from, end.max(to));
        }
        while let Some((id, from, to)) = one(connection, NEXT, channel, start)? {
            if absorbed.contains(&id) || !empty(connection, channel, end, from)? {
                break;
            }
            connection
                .prepare_cached("DELETE FROM deletion WHERE id = ?1")?
                .execute([id])?;
            end = end.max(to);
        }
        match absorbed.first() {
            Some(id) => connection
                .prepare_cached("UPDATE deletion SET start_ms = ?2, end_ms = ?3 WHERE id = ?1")?
                .execute((id, start, end))?,
            None => connection
                .prepare_cached(
                    "INSERT INTO deletion (channel, start_ms, end_ms) VALUES (?1, ?2, ?3)",
                )?
                .execute((channel, start, end))?,
        };
    }
    Ok(())
}

/// Whether footage of this time was deleted.
pub(crate) fn overlaps(
    connection: &Connection,
    channel: i64,
    start: i64,
    end: i64,
) -> Result<bool> {
    Ok(one(connection, BEFORE, channel, end.saturating_sub(1))?.is_some_and(|d| d.2 > start))
}

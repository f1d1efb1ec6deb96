//! Table `codec`: codec strings by number, so that ten million rows do not repeat them.

use rusqlite::{Connection, OptionalExtension};

use crate::Result;

/// The number of these codec strings, made on first use.
pub(crate) fn intern(connection: &Connection, codecs: &str) -> Result<i64> {
    let found = connection
        .prepare_cached("SELECT id FROM codec WHERE codecs = ?1")?
        .query_row([codecs], |r| r.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    connection.execute("INSERT INTO codec (codecs) VALUES (?1)", [codecs])?;
    Ok(connection.last_insert_rowid())
}

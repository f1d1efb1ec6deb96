//! Words, ids, times and JSON of the API as they stand in columns, and back.

use oriel_api::Timestamp;
use rusqlite::Row;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Result, StoreError};

/// The serialised name of a unit variant, such as `auth_refused`.
pub(crate) fn word<T: Serialize>(value: &T) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        _ => Err(StoreError::Value("not a word".into())),
    }
}

/// The variant with this name.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map_err(|_| StoreError::Value(text.chars().take(40).collect()))
}

/// Reads an id column.
pub(crate) fn id<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|_| StoreError::Value(text.chars().take(40).collect()))
}

/// A value as JSON text.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StoreError::Value(e.to_string()))
}

/// Reads JSON text.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| StoreError::Value(e.to_string()))
}

/// Reads a column of time.
pub(crate) fn moment(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_ms(row.get(index)?))
}

/// Reads a column of time that may be empty.
pub(crate) fn some_moment(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_ms))
}

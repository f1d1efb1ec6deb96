//! Words of the API as they stand in text columns, and back.

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

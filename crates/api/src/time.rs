//! Time on the wire: RFC 3339 in UTC outside, milliseconds since 1970 inside.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::Error;

/// A moment, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970 UTC.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970 UTC.
    pub const fn ms(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => f.write_str("out of range"),
        }
    }
}

impl FromStr for Timestamp {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_millisecond()))
            .map_err(|_| Error::invalid("Times are written like 2026-11-21T08:30:00Z."))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|e: Error| D::Error::custom(e.message))
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "RFC 3339, UTC" })
    }
}

/// A half-open range of time, `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// First moment inside.
    pub start: Timestamp,
    /// First moment after.
    pub end: Timestamp,
}

impl Range {
    /// The longest range a request may ask for.
    pub const MAX_MS: i64 = 32 * 24 * 3600 * 1000;

    /// A range that is the right way round and at most 32 days long.
    pub fn checked(start: Timestamp, end: Timestamp) -> Result<Self, Error> {
        if end <= start {
            return Err(Error::invalid("The end must be later than the start."));
        }
        if end.0.saturating_sub(start.0) > Self::MAX_MS {
            return Err(Error::invalid("Ask for 32 days at most."));
        }
        Ok(Self { start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let t: Timestamp = "2026-11-21T08:30:00.5Z".parse().unwrap();
        assert_eq!(t.to_string(), "2026-11-21T08:30:00.500Z");
        assert_eq!(
            "2026-11-21T09:30:00.5+01:00".parse::<Timestamp>().unwrap(),
            t
        );
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn reversed_and_endless_ranges_are_refused() {
        let t = Timestamp::from_ms;
        assert!(Range::checked(t(5), t(5)).is_err());
        assert!(Range::checked(t(6), t(5)).is_err());
        assert!(Range::checked(t(0), t(i64::MAX)).is_err());
        assert!(Range::checked(t(0), t(1)).is_ok());
    }
}

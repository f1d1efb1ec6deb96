//! Object keys: relative paths over a closed alphabet, the same in a bucket and in a folder.
//!
//! Keys are lower case, because folders on Windows and macOS do not tell `A` from `a`, and hold
//! nothing that any file system, URL or XML would have to escape.

use std::{fmt, str::FromStr};

use oriel_api::{ChannelId, Timestamp};

/// Longest key in bytes. S3 allows 1024 with the prefix; Windows paths are the tighter bound.
const MAX_KEY: usize = 200;
const MAX_PART: usize = 80;

/// Why a text is not a key. The text itself may be hostile and is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing, or more than 200 bytes, or a part of more than 80.
    #[error("an object key has 1 to 200 characters, each part at most 80")]
    Length,
    /// A character outside `a-z 0-9 . _ - /`, or an empty part.
    #[error("an object key is made of the parts a-z, 0-9, '.', '_' and '-' between single slashes")]
    Alphabet,
    /// A part that a file system reads as something else: `..`, a leading or trailing dot, a
    /// device name of Windows.
    #[error("a part of the object key has a special meaning to a file system")]
    Special,
    /// A time before 1970 or after 9999, or a duration of zero.
    #[error("the time of an object key is out of range")]
    Time,
}

/// Where an object is, relative to its bucket and prefix.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// What a key of ours says about its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A recorded segment.
    Recording {
        /// Whose it is.
        channel: ChannelId,
        /// First frame.
        start: Timestamp,
        /// Length in milliseconds, above zero.
        duration_ms: u64,
    },
    /// A clip somebody made.
    Clip {
        /// Whose it is.
        channel: ChannelId,
        /// The clip's id.
        clip: String,
    },
    /// One frame as JPEG.
    Snapshot {
        /// Whose it is.
        channel: ChannelId,
        /// When it was taken.
        taken: Timestamp,
    },
    /// A file of an export.
    Export {
        /// The job's id.
        job: String,
        /// The file's name.
        file: String,
    },
}

fn special(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part);
    let device = matches!(stem, "con" | "prn" | "aux" | "nul")
        || ((stem.starts_with("com") || stem.starts_with("lpt"))
            && stem.len() == 4
            && stem.as_bytes()[3].is_ascii_digit());
    device || part.contains("..") || part.starts_with('.') || part.ends_with('.')
}

fn check(text: &str) -> Result<(), KeyError> {
    if text.is_empty() || text.len() > MAX_KEY || text.split('/').any(|p| p.len() > MAX_PART) {
        return Err(KeyError::Length);
    }
    for part in text.split('/') {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if part.is_empty() || !part.bytes().all(known) {
            return Err(KeyError::Alphabet);
        }
        if special(part) {
            return Err(KeyError::Special);
        }
    }
    Ok(())
}

fn in_range(time: Timestamp) -> Result<i64, KeyError> {
    // The last millisecond of 9999.
    if (0..=253_402_300_799_999).contains(&time.ms()) {
        Ok(time.ms())
    } else {
        Err(KeyError::Time)
    }
}

impl ObjectKey {
    /// Checks a text.
    pub fn parse(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = text.into();
        check(&text)?;
        Ok(Self(text))
    }

    /// `recordings/<channel>/<YYYY>/<MM>/<DD>/<start_ms>-<duration_ms>.mp4`, the day in UTC.
    pub fn recording(
        channel: &ChannelId,
        start: Timestamp,
        duration_ms: u64,
    ) -> Result<Self, KeyError> {
        let ms = in_range(start)?;
        if duration_ms == 0 {
            return Err(KeyError::Time);
        }
        let day = jiff::Timestamp::from_millisecond(ms)
            .map_err(|_| KeyError::Time)?
            .strftime("%Y/%m/%d");
        Self::parse(format!("recordings/{channel}/{day}/{ms}-{duration_ms}.mp4"))
    }

    /// `clips/<channel>/<clip>.mp4`.
    pub fn clip(channel: &ChannelId, clip: &str) -> Result<Self, KeyError> {
        Self::parse(format!("clips/{channel}/{clip}.mp4"))
    }

    /// `snapshots/<channel>/<taken_ms>.jpg`.
    pub fn snapshot(channel: &ChannelId, taken: Timestamp) -> Result<Self, KeyError> {
        let ms = in_range(taken)?;
        Self::parse(format!("snapshots/{channel}/{ms}.jpg"))
    }

    /// `exports/<job>/<file>`.
    pub fn export(job: &str, file: &str) -> Result<Self, KeyError> {
        Self::parse(format!("exports/{job}/{file}"))
    }

    /// `channels/<channel>.json`: what people call the channel. Not media, so no [`Named`].
    pub fn channel(channel: &ChannelId) -> Result<Self, KeyError> {
        Self::parse(format!("channels/{channel}.json"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the key says, when it is exactly one that the constructors make.
    pub fn named(&self) -> Option<Named> {
        let parts: Vec<&str> = self.0.split('/').collect();
        let named = match *parts.as_slice() {
            ["recordings", channel, _, _, _, file] => {
                let (start, duration) = file.strip_suffix(".mp4")?.split_once('-')?;
                Named::Recording {
                    channel: channel.parse().ok()?,
                    start: Timestamp::from_ms(start.parse().ok()?),
                    duration_ms: duration.parse().ok()?,
                }
            }
            ["clips", channel, file] => Named::Clip {
                channel: channel.parse().ok()?,
                clip: file.strip_suffix(".mp4")?.to_owned(),
            },
            ["snapshots", channel, file] => Named::Snapshot {
                channel: channel.parse().ok()?,
                taken: Timestamp::from_ms(file.strip_suffix(".jpg")?.parse().ok()?),
            },
            ["exports", job, file] => Named::Export {
                job: job.to_owned(),
                file: file.to_owned(),
            },
            _ => return None,
        };
        // Other spellings (a leading zero, the wrong day) are not ours: one object, one key.
        (named.key().as_ref() == Ok(self)).then_some(named)
    }
}

impl Named {
    /// The key that says this.
    pub fn key(&self) -> Result<ObjectKey, KeyError> {
        match self {
            Self::Recording {
                channel,
                start,
                duration_ms,
            } => ObjectKey::recording(channel, *start, *duration_ms),
            Self::Clip { channel, clip } => ObjectKey::clip(channel, clip),
            Self::Snapshot { channel, taken } => ObjectKey::snapshot(channel, *taken),
            Self::Export { job, file } => ObjectKey::export(job, file),
        }
    }
}

impl FromStr for ObjectKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What comes before every key inside a bucket, so that several recorders can share one. Empty,
/// or parts like those of a key, upper case allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Checks a text; slashes at both ends are dropped.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_matches('/');
        if text.is_empty() {
            return Ok(Self::default());
        }
        check(&text.to_ascii_lowercase())?;
        Ok(Self(format!("{text}/")))
    }

    /// Empty, or ends with a slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn join(&self, key: &str) -> String {
        format!("{}{key}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> ChannelId {
        "abcdefghjk23".parse().unwrap()
    }

    #[test]
    fn keys_say_what_they_hold_and_are_read_back() {
        let start = Timestamp::from_ms(1_795_251_599_999);
        let key = ObjectKey::recording(&channel(), start, 30_000).unwrap();
        assert_eq!(
            key.as_str(),
            "recordings/abcdefghjk23/2026/11/21/1795251599999-30000.mp4"
        );
        for key in [
            key,
            ObjectKey::clip(&channel(), "c1").unwrap(),
            ObjectKey::snapshot(&channel(), start).unwrap(),
            ObjectKey::export("j1", "front-door.mp4").unwrap(),
        ] {
            assert_eq!(key.named().unwrap().key(), Ok(key));
        }
    }

    #[test]
    fn other_spellings_of_a_recording_are_not_taken_for_one() {
        for text in [
            "recordings/abcdefghjk23/2026/11/22/1795251599999-30000.mp4",
            "recordings/abcdefghjk23/2026/11/21/01795251599999-30000.mp4",
            "recordings/abcdefghjk23/2026/11/21/1795251599999-0.mp4",
            "recordings/short/2026/11/21/1795251599999-30000.mp4",
            "recordings/abcdefghjk23/2026/11/21/1795251599999.mp4",
            "somebody/elses.mp4",
        ] {
            assert_eq!(ObjectKey::parse(text).unwrap().named(), None, "{text}");
        }
    }

    #[test]
    fn nothing_that_a_file_system_or_a_url_reads_differently() {
        let long = "a".repeat(81);
        let many = "ab/".repeat(80) + "c";
        for text in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            ".",
            "a/.b",
            "a.",
            "a..b",
            "A",
            "a b",
            "a\\b",
            "a%2fb",
            "a\0b",
            "ä",
            "c:",
            "con",
            "a/nul.mp4",
            "com1",
            "lpt9.txt/a",
            &long,
            &many,
        ] {
            assert!(ObjectKey::parse(text).is_err(), "{text:?}");
        }
        assert!(ObjectKey::parse("console/com10/a-b_c.mp4").is_ok());
        assert!(ObjectKey::clip(&channel(), "../../etc/passwd").is_err());
        assert!(ObjectKey::recording(&channel(), Timestamp::from_ms(-1), 1).is_err());
    }

    #[test]
    fn prefixes() {
        assert_eq!(
            KeyPrefix::parse("/Site-A/nvr/").unwrap().as_str(),
            "Site-A/nvr/"
        );
        assert_eq!(KeyPrefix::parse("/").unwrap().as_str(), "");
        assert!(KeyPrefix::parse("a/../b").is_err());
    }
}

//! Opaque ids. They appear in URLs, object keys and file names, so their alphabet is closed.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

const LENGTH: usize = 12;

fn is_id(text: &str) -> bool {
    text.len() == LENGTH
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $noun:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// An id from 12 random bytes. The randomness comes from the caller: this crate
            /// does no I/O.
            pub fn from_random(bytes: [u8; LENGTH]) -> Self {
                const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
                let text = bytes.iter().map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect();
                Self(text)
            }

            /// The id as text: 12 characters of `a-z0-9`.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self, Error> {
                if is_id(&text) {
                    Ok(Self(text))
                } else {
                    // The text itself may be hostile and is not repeated.
                    Err(Error::not_found(concat!("There is no such ", $noun, ".")))
                }
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A camera: a device we can reach.
    CameraId,
    "camera"
);
id!(
    /// A channel: a camera's registration with an nvr.
    ChannelId,
    "channel"
);
id!(
    /// A clip: a range of a channel as one file.
    ClipId,
    "clip"
);
id!(
    /// A snapshot: one frame.
    SnapshotId,
    "snapshot"
);
id!(
    /// An export: a job that makes files.
    ExportId,
    "export"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_closed_alphabet_parses() {
        let id = ChannelId::from_random([7, 0, 31, 255, 1, 2, 3, 4, 5, 6, 8, 9]);
        assert_eq!(id.as_str().parse::<ChannelId>().unwrap(), id);
        for hostile in [
            "",
            "..",
            "../../../etc",
            "c:aaaaaaaaaa",
            "aaaaaaaaaaa/",
            "AAAAAAAAAAAA",
            "aaaaaaaaaaaaa",
        ] {
            assert!(hostile.parse::<ChannelId>().is_err(), "{hostile}");
        }
    }
}

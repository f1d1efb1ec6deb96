//! What lists of clips, snapshots and exports have in common: pages, who sees what, names.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use oriel_api::{Caller, ChannelId, Error, Permission, Result, Scope, Timestamp};
use oriel_store::{NewestPage, Selection};

use crate::Nvr;

/// Longest name, in characters.
const LONGEST_NAME: usize = 80;

/// Which rows a list asks for.
pub(crate) fn selection(
    channels: Option<Vec<ChannelId>>,
    limit: Option<u32>,
    after: Option<&str>,
) -> Result<Selection> {
    let limit = match limit.unwrap_or(100) {
        n @ 1..=500 => n,
        _ => return Err(Error::invalid("The limit is 1 to 500.")),
    };
    let place = |text: &str| {
        let (at, number) = text.rsplit_once('-')?;
        Some((Timestamp::from_ms(at.parse().ok()?), number.parse().ok()?))
    };
    let before = match after {
        None => None,
        Some(text) => Some(
            place(text)
                .ok_or_else(|| Error::invalid("The field after is not one that a page gave."))?,
        ),
    };
    Ok(Selection {
        channels,
        before,
        limit,
    })
}

/// Where the next page begins.
pub(crate) fn next<T>(
    page: &NewestPage<T>,
    place: impl Fn(&T) -> (Timestamp, i64),
) -> Option<String> {
    let (at, number) = place(page.rows.last().filter(|_| page.more)?);
    Some(format!("{}-{number}", at.ms()))
}

/// A hash as text.
pub(crate) fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut out, b| {
        // Writing to text does not fail.
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// A hash from its text; `None` when it is none.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(out)
}

/// A channel's name and a moment in this computer's time zone, as the name of something.
pub(crate) async fn named(channel: &str, at: Timestamp) -> Result<String> {
    let time = local(at, "%Y-%m-%d %H:%M:%S").await?;
    let room = LONGEST_NAME - time.len() - 1;
    let channel: String = channel.chars().take(room).collect();
    Ok(format!("{channel} {time}"))
}

/// A moment in this computer's time zone.
pub(crate) async fn local(at: Timestamp, format: &'static str) -> Result<String> {
    // The zone may be read from the disk.
    tokio::task::spawn_blocking(move || {
        let at = jiff::Timestamp::from_millisecond(at.ms())
            .map_err(|_| Error::invalid("The time is out of range."))?;
        Ok(at.to_zoned(TimeZone::system()).strftime(format).to_string())
    })
    .await
    .map_err(Error::internal)?
}

impl Nvr {
    /// The channels whose rows a caller may see; `None` is all.
    pub(crate) async fn seen_channels(
        &self,
        caller: &Caller,
        permission: Permission,
    ) -> Result<Option<Vec<ChannelId>>> {
        if caller.may(permission, &Scope::System) {
            return Ok(None);
        }
        let rows = self.store.channels().await?;
        let ids = rows.into_iter().map(|r| r.id);
        Ok(Some(ids.filter(|id| caller.sees(permission, id)).collect()))
    }

    /// Tells viewers when a channel went with the last thing it held.
    pub(crate) async fn tell_left(&self, channel: &ChannelId) {
        let left = self.store.channel(channel.clone()).await;
        if matches!(left, Ok(None)) {
            self.push_channel(channel).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_never_too_long_and_says_when() {
        let at = Timestamp::from_ms(1_795_262_400_000);
        let name = named(&"ä".repeat(200), at).await.unwrap();
        assert_eq!(name.chars().count(), LONGEST_NAME);
        assert!(name.contains(" 2026-11-2"), "{name}");
    }

    #[test]
    fn rubbish_is_no_place_in_a_list() {
        for bad in ["", "-", "1", "x-1", "1-x", "1-", "99999999999999999999-1"] {
            assert!(selection(None, None, Some(bad)).is_err(), "{bad}");
        }
        let place = selection(None, None, Some("-5-7")).unwrap().before;
        assert_eq!(place, Some((Timestamp::from_ms(-5), 7)));
        assert!(selection(None, Some(0), None).is_err());
        assert!(selection(None, Some(501), None).is_err());
    }
}

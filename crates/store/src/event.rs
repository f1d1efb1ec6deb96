//! Table `event`: what happened.

use oriel_api::{ChannelId, EventKind, Reason, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{Result, Store, StoreError, channel, text, upload};

/// Events that are kept. A camera that comes and goes all day must not fill the disk.
const KEPT: i64 = 1_000_000;

/// An event to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// When it began.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// On which channel, if on one.
    pub channel: Option<ChannelId>,
    /// Why.
    pub reason: Option<Reason>,
}

/// An event as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Number; grows.
    pub id: i64,
    /// What is kept.
    pub event: NewEvent,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventSelection {
    /// Only these channels; `None` is all, and what belongs to no channel.
    pub channels: Option<Vec<ChannelId>>,
    /// Only what comes after this one in the list, that is before it in time.
    pub before: Option<(Timestamp, i64)>,
    /// At most so many.
    pub limit: u32,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// Newest first.
    pub rows: Vec<EventRow>,
    /// Whether there are more after the last of these.
    pub more: bool,
}

const COLUMNS: &str = "event.id, event.at_ms, event.kind, channel.public_id, event.reason, \
                       event.message";

type Raw = (
    i64,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn raw(r: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        r.get(0)?,
        r.get(1)?,
        r.get(2)?,
        r.get(3)?,
        r.get(4)?,
        r.get(5)?,
    ))
}

fn complete((id, at, kind, channel, reason, message): Raw) -> Result<EventRow> {
    Ok(EventRow {
        id,
        event: NewEvent {
            at: Timestamp::from_ms(at),
            kind: text::parse(&kind)?,
            channel: channel.as_deref().map(text::id).transpose()?,
            reason: match reason {
                Some(code) => Some(Reason {
                    code: text::parse(&code)?,
                    message: message.unwrap_or_default(),
                }),
                None => None,
            },
        },
    })
}

/// Whether a start of the program lies between these moments.
pub(crate) fn started_between(connection: &Connection, start: i64, end: i64) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM event WHERE kind = 'started' AND at_ms BETWEEN ?1 AND ?2 LIMIT 1",
        )?
        .exists((start, end))?)
}

/// The reason of the last loss of this channel's camera between these moments.
pub(crate) fn last_loss(
    connection: &Connection,
    channel: i64,
    start: i64,
    end: i64,
) -> Result<Option<Reason>> {
    let found: Option<(String, Option<String>)> = connection
        .prepare_cached(
            "SELECT reason, message FROM event INDEXED BY event_by_channel
             WHERE channel = ?1 AND at_ms BETWEEN ?2 AND ?3
               AND kind = 'disconnected' AND reason IS NOT NULL
             ORDER BY at_ms DESC LIMIT 1",
        )?
        .query_row((channel, start, end), |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    match found {
        Some((code, message)) => Ok(Some(Reason {
            code: text::parse(&code)?,
            message: message.unwrap_or_default(),
        })),
        None => Ok(None),
    }
}

impl Store {
    /// Keeps an event and gives its number. [`StoreError::NoSuch`] when its channel is gone.
    pub async fn event_insert(&self, event: NewEvent) -> Result<i64> {
        self.write(move |c| {
            let channel = match &event.channel {
                Some(id) => Some(channel::key(c, id)?.ok_or(StoreError::NoSuch("channel"))?.0),
                None => None,
            };
            c.prepare_cached(
                "INSERT INTO event (at_ms, kind, channel, reason, message)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                event.at.ms(),
                text::word(&event.kind)?,
                channel,
                event
                    .reason
                    .as_ref()
                    .map(|r| text::word(&r.code))
                    .transpose()?,
                event.reason.as_ref().map(|r| &r.message),
            ))?;
            let id = c.last_insert_rowid();
            if let Some(channel) = channel {
                upload::event_kept(c, channel, event.kind, event.at.ms())?;
            }
            if id % 1000 == 0 {
                c.execute("DELETE FROM event WHERE id <= ?1", [id - KEPT])?;
            }
            Ok(id)
        })
        .await
    }

    /// A page of events, newest first.
    pub async fn events(&self, selection: EventSelection) -> Result<EventPage> {
        self.read(move |c| {
            let (at, id) = selection
                .before
                .map_or((i64::MAX, i64::MAX), |(at, id)| (at.ms(), id));
            let limit = i64::from(selection.limit) + 1;
            let mut rows = Vec::new();
            match &selection.channels {
                None => {
                    let mut statement = c.prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM event LEFT JOIN channel ON channel.id = event.channel
                         WHERE (event.at_ms, event.id) < (?1, ?2)
                         ORDER BY event.at_ms DESC, event.id DESC LIMIT ?3"
                    ))?;
                    for row in statement.query_map((at, id, limit), raw)? {
                        rows.push(complete(row?)?);
                    }
                }
                // One walk of the index per channel: a quiet channel does not cost a walk
                // through the events of all others.
                Some(channels) => {
                    let mut statement = c.prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM channel JOIN event ON event.channel = channel.id
                         WHERE channel.public_id = ?1 AND (event.at_ms, event.id) < (?2, ?3)
                         ORDER BY event.at_ms DESC, event.id DESC LIMIT ?4"
                    ))?;
                    for channel in channels {
                        for row in statement.query_map((channel.as_str(), at, id, limit), raw)? {
                            rows.push(complete(row?)?);
                        }
                    }
                    rows.sort_by_key(|r| std::cmp::Reverse((r.event.at, r.id)));
                }
            }
            let more = rows.len() > selection.limit as usize;
            rows.truncate(selection.limit as usize);
            Ok(EventPage { rows, more })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;
    use oriel_api::ReasonCode;

    #[tokio::test]
    async fn pages_go_back_in_time_and_keep_to_the_channels() {
        let t = Temporary::new().await;
        let (_, door) = t.camera("Door", "rtsp://door/1").await;
        let (_, yard) = t.camera("Yard", "rtsp://yard/1").await;
        // Pairs at the same moment: the number decides.
        for n in 0..12 {
            let channel = [None, Some(door.clone()), Some(yard.clone())][n % 3].clone();
            t.store
                .event_insert(NewEvent {
                    at: Timestamp::from_ms(n as i64 / 2),
                    kind: EventKind::Connected,
                    channel,
                    reason: None,
                })
                .await
                .unwrap();
        }
        for (channels, total) in [(None, 12), (Some(vec![door, yard]), 8)] {
            let mut seen = Vec::new();
            let mut before = None;
            loop {
                let page = t
                    .store
                    .events(EventSelection {
                        channels: channels.clone(),
                        before,
                        limit: 5,
                    })
                    .await
                    .unwrap();
                seen.extend(page.rows.iter().map(|r| (r.event.at, r.id)));
                before = page.rows.last().map(|r| (r.event.at, r.id));
                if !page.more {
                    break;
                }
            }
            assert_eq!(seen.len(), total);
            assert!(seen.windows(2).all(|w| w[0] > w[1]));
        }
    }

    #[tokio::test]
    async fn the_oldest_go_when_there_are_too_many() {
        let t = Temporary::new().await;
        let put = |at| {
            t.store.event_insert(NewEvent {
                at: Timestamp::from_ms(at),
                kind: EventKind::Started,
                channel: None,
                reason: None,
            })
        };
        put(1).await.unwrap();
        t.store
            .write(|c| {
                let sql = "INSERT INTO event (id, at_ms, kind) VALUES (?1, 2, 'started')";
                c.execute(sql, [KEPT + 999])?;
                Ok(())
            })
            .await
            .unwrap();
        put(3).await.unwrap();
        let all = EventSelection {
            limit: 10,
            ..Default::default()
        };
        let kept = t.store.events(all).await.unwrap().rows;
        let kept: Vec<_> = kept.iter().map(|r| r.event.at.ms()).collect();
        assert_eq!(kept, [3, 2]);
    }

    #[tokio::test]
    async fn a_reason_comes_back_as_it_was() {
        let t = Temporary::new().await;
        let (_, door) = t.camera("Door", "rtsp://door/1").await;
        let event = NewEvent {
            at: Timestamp::from_ms(5),
            kind: EventKind::Disconnected,
            channel: Some(door),
            reason: Some(Reason {
                code: ReasonCode::AuthRefused,
                message: "The password is wrong.".into(),
            }),
        };
        let id = t.store.event_insert(event.clone()).await.unwrap();
        let page = t
            .store
            .events(EventSelection {
                limit: 1,
                ..Default::default()
            })
            .await
            .unwrap();
        assert_eq!(page.rows, [EventRow { id, event }]);
        assert!(!page.more);
    }
}

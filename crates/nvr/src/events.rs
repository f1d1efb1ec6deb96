//! Events: kept, told, listed.

use oriel_api::{
    Caller, Change, Error, Event, EventCreate, EventKind, EventQuery, Page, Permission, Reason,
    ReasonCode, Result, Scope, Timestamp,
};
use oriel_store::{EventRow, EventSelection, NewEvent, StoreError};

use crate::Nvr;

/// Characters of a note.
const LONGEST_NOTE: usize = 200;

fn view(row: EventRow) -> Event {
    Event {
        id: row.id.to_string(),
        at: row.event.at,
        kind: row.event.kind,
        channel_id: row.event.channel,
        reason: row.event.reason,
    }
}

fn place(text: &str) -> Result<(Timestamp, i64)> {
    text.rsplit_once('-')
        .and_then(|(at, id)| Some((Timestamp::from_ms(at.parse().ok()?), id.parse().ok()?)))
        .ok_or_else(|| Error::invalid("The field after is not one that a page gave."))
}

impl Nvr {
    /// Keeps an event and tells viewers. One of a channel that is gone is forgotten.
    pub(crate) async fn keep_event(&self, event: NewEvent) -> Result<()> {
        match self.insert_event(event).await {
            Err(StoreError::NoSuch(_)) => Ok(()),
            kept => Ok(kept.map(|_| ())?),
        }
    }

    async fn insert_event(&self, event: NewEvent) -> Result<Event, StoreError> {
        let id = self.store.event_insert(event.clone()).await?;
        self.uploads.wake();
        let event = view(EventRow { id, event });
        self.push(Change::Event {
            event: event.clone(),
        });
        Ok(event)
    }

    pub(crate) async fn create_event(&self, input: EventCreate) -> Result<Event> {
        let now = self.clock_now();
        let at = input.at.unwrap_or(now);
        if at > now {
            return Err(Error::invalid("What is to come cannot be marked."));
        }
        let note = input.note.as_deref().map(str::trim).unwrap_or_default();
        if note.chars().count() > LONGEST_NOTE {
            return Err(Error::invalid("A note has 200 characters at most."));
        }
        let reason = (!note.is_empty()).then(|| Reason {
            code: ReasonCode::Noted,
            message: note.to_owned(),
        });
        Ok(self
            .insert_event(NewEvent {
                at,
                kind: EventKind::Marked,
                channel: Some(self.channel_row(&input.id).await?.id),
                reason,
            })
            .await?)
    }

    pub(crate) async fn list_events(
        &self,
        caller: &Caller,
        input: EventQuery,
    ) -> Result<Page<Event>> {
        let limit = match input.limit.unwrap_or(100) {
            n @ 1..=500 => n,
            _ => return Err(Error::invalid("The limit is 1 to 500.")),
        };
        let channels = match input.channel_id {
            Some(id) => Some(vec![self.channel_row(&id).await?.id]),
            None if caller.may(Permission::LiveView, &Scope::System) => None,
            None => {
                let rows = self.store.channels().await?;
                let ids = rows.into_iter().map(|r| r.id);
                Some(
                    ids.filter(|id| caller.sees(Permission::LiveView, id))
                        .collect(),
                )
            }
        };
        let page = self
            .store
            .events(EventSelection {
                channels,
                before: input.after.as_deref().map(place).transpose()?,
                limit,
            })
            .await?;
        let next = page
            .rows
            .last()
            .filter(|_| page.more)
            .map(|r| format!("{}-{}", r.event.at.ms(), r.id));
        Ok(Page {
            items: page.rows.into_iter().map(view).collect(),
            next,
        })
    }
}

//! Operations on protected ranges.

use oriel_api::{
    Empty, Error, Page, Protection, ProtectionCreate, ProtectionList, ProtectionRef, Range, Result,
};
use oriel_store::ProtectionRow;

use crate::Nvr;

/// Longest note in characters.
const NOTE: usize = 200;

fn view(channel_id: oriel_api::ChannelId, row: ProtectionRow) -> Protection {
    Protection {
        id: row.id.to_string(),
        channel_id,
        start: row.start,
        end: row.end,
        note: row.note,
        created: row.created,
    }
}

impl Nvr {
    pub(crate) async fn list_protections(&self, input: ProtectionList) -> Result<Page<Protection>> {
        self.channel_row(&input.id).await?;
        let rows = self.store.protections(input.id.clone()).await?;
        Ok(Page {
            items: rows
                .into_iter()
                .map(|row| view(input.id.clone(), row))
                .collect(),
            next: None,
        })
    }

    pub(crate) async fn create_protection(&self, input: ProtectionCreate) -> Result<Protection> {
        self.channel_row(&input.id).await?;
        let range = Range::checked(input.start, input.end)?;
        let note = input.note.unwrap_or_default().trim().to_owned();
        if note.chars().count() > NOTE || note.chars().any(char::is_control) {
            return Err(Error::invalid(
                "The note has at most 200 characters on one line.",
            ));
        }
        let new = ProtectionRow {
            id: 0,
            start: range.start,
            end: range.end,
            note,
            created: self.clock_now(),
        };
        let made = self
            .store
            .protection_insert(input.id.clone(), new)
            .await?
            .ok_or_else(|| {
                Error::conflict("This channel has 10,000 protections. Lift some of them first.")
            })?;
        Ok(view(input.id, made))
    }

    pub(crate) async fn delete_protection(&self, input: ProtectionRef) -> Result<Empty> {
        let unknown = || Error::not_found("There is no such protection.");
        let id = input.protection.parse().map_err(|_| unknown())?;
        if !self.store.protection_delete(input.id, id).await? {
            return Err(unknown());
        }
        // What it kept may be long overdue.
        self.retention.notify_one();
        Ok(Empty {})
    }
}

//! Pages of what belongs to channels, newest first: by a time and, within it, by number.

use oriel_api::{ChannelId, Timestamp};
use rusqlite::{Connection, Row};

use crate::Result;

/// Which rows to list.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only of these channels; `None` is all.
    pub channels: Option<Vec<ChannelId>>,
    /// Only what comes after this one in the list, that is before it in time.
    pub before: Option<(Timestamp, i64)>,
    /// At most so many.
    pub limit: u32,
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct NewestPage<T> {
    /// Newest first.
    pub rows: Vec<T>,
    /// Whether there are more after the last of these.
    pub more: bool,
}

/// A table that is listed.
pub(crate) struct Listed {
    /// What is read, with the table's and the channel's columns.
    pub(crate) columns: &'static str,
    /// The table. It has the columns `id` and `channel`.
    pub(crate) table: &'static str,
    /// Its column of time, which has indexes alone and after the channel, both with the number.
    pub(crate) time: &'static str,
}

impl Listed {
    /// The statement for all channels.
    pub(crate) fn all(&self) -> String {
        let Self {
            columns,
            table,
            time,
        } = self;
        format!(
            "SELECT {columns} FROM {table} JOIN channel ON channel.id = {table}.channel
             WHERE ({table}.{time}, {table}.id) < (?1, ?2)
             ORDER BY {table}.{time} DESC, {table}.id DESC LIMIT ?3"
        )
    }

    /// The statement for one channel.
    pub(crate) fn of_channel(&self) -> String {
        let Self {
            columns,
            table,
            time,
        } = self;
        format!(
            "SELECT {columns} FROM channel CROSS JOIN {table} ON {table}.channel = channel.id
             WHERE channel.public_id = ?4 AND ({table}.{time}, {table}.id) < (?1, ?2)
             ORDER BY {table}.{time} DESC, {table}.id DESC LIMIT ?3"
        )
    }

    /// Reads a page. `place` is a row's time and number.
    pub(crate) fn page<T>(
        &self,
        connection: &Connection,
        selection: &Selection,
        read: fn(&Row<'_>) -> Result<T>,
        place: fn(&T) -> (Timestamp, i64),
    ) -> Result<NewestPage<T>> {
        let (at, id) = selection
            .before
            .map_or((i64::MAX, i64::MAX), |(at, id)| (at.ms(), id));
        let limit = i64::from(selection.limit) + 1;
        let mut rows = Vec::new();
        match &selection.channels {
            None => {
                let mut statement = connection.prepare_cached(&self.all())?;
                for row in statement.query_and_then((at, id, limit), read)? {
                    rows.push(row?);
                }
            }
            // One walk of the index per channel, so that a quiet channel is found at once.
            Some(channels) => {
                let mut statement = connection.prepare_cached(&self.of_channel())?;
                for channel in channels {
                    for row in statement.query_and_then((at, id, limit, channel.as_str()), read)? {
                        rows.push(row?);
                    }
                }
                rows.sort_by_key(|r| std::cmp::Reverse(place(r)));
            }
        }
        let more = rows.len() > selection.limit as usize;
        rows.truncate(selection.limit as usize);
        Ok(NewestPage { rows, more })
    }
}

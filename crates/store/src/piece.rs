//! What a file of a range is made of: the rows of `recording` that reach into it and have bytes.

use oriel_api::{ChannelId, Range, SegmentState, link::Piece};

use crate::{Result, Store, channel, recording};

impl Store {
    /// The segments that reach into a range and have bytes, by start; also of a channel whose
    /// footage is being deleted, because a clip that was asked for before is still made.
    pub async fn pieces(&self, channel: ChannelId, range: Range) -> Result<Vec<Piece>> {
        self.read(move |c| {
            let Some((key, _)) = channel::key(c, &channel)? else {
                return Ok(Vec::new());
            };
            let from = recording::look_back(c, key, range.start.ms())?.saturating_sub(1);
            let rows = c
                .prepare_cached(recording::LIST)?
                .query_map(
                    (key, from, range.end.ms(), range.start.ms(), i64::MAX),
                    recording::from_row,
                )?
                .collect::<Result<Vec<_>, _>>()?;
            let stored = |row: &recording::RecordingRow| row.state == SegmentState::Stored;
            Ok(rows
                .into_iter()
                .filter(|row| row.local || stored(row))
                .map(|row| Piece {
                    start: row.start,
                    end: row.end,
                    bytes: row.bytes,
                    local: row.local,
                    // One that is on its way has a key too, but no object yet.
                    object_key: if stored(&row) { row.object_key } else { None },
                    run: row.run,
                    codecs: row.codecs,
                })
                .collect())
        })
        .await
    }
}

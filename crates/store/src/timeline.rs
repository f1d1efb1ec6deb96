//! What a window holds: rows of `recording` joined to stretches, holes with their causes.

use oriel_api::{
    ChannelId, Gap, Range, Reason, ReasonCode, RecordMode, Stretch, Timeline, Timestamp,
    link::OpenSegment,
};
use rusqlite::{Connection, OptionalExtension};

use crate::{Result, Store, StoreError, channel, deletion, event, recording, run};

/// Segments that are nearer than this belong together.
const JOIN_MS: i64 = 1000;
/// Segments of one run may be this far apart: a camera with few frames a minute.
const JOIN_RUN_MS: i64 = 10_000;
/// The newest footage may be this old before its end counts as a hole: a fragment is on its way.
const FRESH_MS: i64 = 5000;
/// A loss that was noted this long before a hole may be its cause.
const BEFORE_MS: i64 = 60_000;

pub(crate) const ROWS: &str =
    "SELECT start_ms, end_ms, state, continues, run FROM recording INDEXED BY recording_list
     WHERE channel = ?1 AND start_ms >= ?2 AND start_ms < ?3 ORDER BY start_ms";

/// The footage a hole comes after.
#[derive(Clone, Copy)]
struct Tail {
    start: i64,
    end: i64,
    last_start: i64,
    run: Option<i64>,
}

struct Hole {
    start: i64,
    end: i64,
    before: Option<Tail>,
    /// A row lies in it whose file is gone.
    lost_file: bool,
    /// It reaches to the present.
    lasts: bool,
}

/// Joins rows, in order of start, to stretches with the holes between them.
struct Joiner {
    window: (i64, i64),
    tail: Option<Tail>,
    lost_file: bool,
    stretches: Vec<Stretch>,
    holes: Vec<Hole>,
}

impl Joiner {
    fn row(&mut self, start: i64, end: i64, continues: bool, run: Option<i64>) {
        if let Some(tail) = &mut self.tail {
            let apart = start.saturating_sub(tail.end);
            // What continues a run and lost the file before it has a hole there all the same.
            let of_run = continues && !self.lost_file && apart <= JOIN_RUN_MS;
            if apart <= JOIN_MS || of_run {
                tail.end = tail.end.max(end);
                tail.last_start = start;
                tail.run = run;
                self.lost_file = false;
                return;
            }
        }
        self.hole(start, false);
        self.finish();
        self.tail = Some(Tail {
            start,
            end,
            last_start: start,
            run,
        });
    }

    /// Notes the hole from the tail, or the window's start, to `until`.
    fn hole(&mut self, until: i64, lasts: bool) {
        let from = self.tail.map_or(self.window.0, |t| t.end);
        let (start, end) = (from.max(self.window.0), until.min(self.window.1));
        if end.saturating_sub(start) > JOIN_MS {
            self.holes.push(Hole {
                start,
                end,
                before: self.tail,
                lost_file: self.lost_file,
                lasts,
            });
        }
        self.lost_file = false;
    }

    fn finish(&mut self) {
        if let Some(tail) = self.tail.take() {
            let (start, end) = (tail.start.max(self.window.0), tail.end.min(self.window.1));
            if start < end {
                self.stretches.push(Stretch {
                    start: Timestamp::from_ms(start),
                    end: Timestamp::from_ms(end),
                });
            }
        }
    }
}

fn reason(code: ReasonCode, message: &str) -> Option<Reason> {
    Some(Reason {
        code,
        message: message.into(),
    })
}

/// Why there is a hole: what ended the run before it, else what is known of that time.
fn cause(
    connection: &Connection,
    key: i64,
    row: &channel::ChannelRow,
    hole: &Hole,
) -> Result<Option<Reason>> {
    if hole.lost_file {
        return Ok(reason(
            ReasonCode::StorageUnavailable,
            "There was footage here, but its file is gone from the disk.",
        ));
    }
    if deletion::overlaps(connection, key, hole.start, hole.end)? {
        return Ok(reason(
            ReasonCode::Deleted,
            "There was footage here; a rule for its age or for space has deleted it.",
        ));
    }
    let off = row.record_mode == RecordMode::Off && hole.lasts;
    let since = row.record_mode_since.ms();
    let off_reason = || reason(ReasonCode::Off, "Recording was switched off.");
    if off && since <= hole.start.saturating_add(BEFORE_MS) {
        return Ok(off_reason());
    }
    if let Some(tail) = hole.before {
        let run = match tail.run {
            Some(run) => Some(run),
            // Adopted after a crash: the run that had begun by then.
            None => connection
                .prepare_cached(
                    "SELECT id FROM run WHERE channel = ?1 AND start_ms <= ?2
                     ORDER BY start_ms DESC LIMIT 1",
                )?
                .query_row((key, tail.last_start), |r| r.get(0))
                .optional()?,
        };
        if let Some(run) = run
            && let Some(ended) = run::end_reason(connection, run)?
        {
            return Ok(Some(ended));
        }
    }
    if off && since < hole.end {
        return Ok(off_reason());
    }
    if event::started_between(connection, hole.start, hole.end)? {
        return Ok(reason(ReasonCode::NotRunning, "Oriel was not running."));
    }
    let since = hole.start.saturating_sub(BEFORE_MS);
    event::last_loss(connection, key, since, hole.end)
}

impl Store {
    /// Overview of a window. `open` are the segments that may have no row yet; `now`
    /// bounds the last hole. Time before the channel existed, after its camera was removed and
    /// time to come are no holes.
    pub async fn timeline(
        &self,
        channel: ChannelId,
        window: Range,
        now: Timestamp,
        mut open: Vec<OpenSegment>,
    ) -> Result<Timeline> {
        self.read(move |c| {
            let row = channel::one(c, &channel)?.ok_or(StoreError::NoSuch("channel"))?;
            let (key, purging) = channel::key(c, &channel)?.ok_or(StoreError::NoSuch("channel"))?;
            if purging {
                return Ok(Timeline {
                    channel_id: channel,
                    stretches: Vec::new(),
                    gaps: Vec::new(),
                    first: None,
                    last: None,
                });
            }
            let first: Option<i64> = c
                .prepare_cached("SELECT min(start_ms) FROM recording WHERE channel = ?1")?
                .query_row([key], |r| r.get(0))?;
            let last: Option<i64> = c
                .prepare_cached(
                    "SELECT end_ms FROM recording INDEXED BY recording_list
                     WHERE channel = ?1 ORDER BY start_ms DESC LIMIT 1",
                )?
                .query_row([key], |r| r.get(0))
                .optional()?;
            open.retain(|o| o.channel == channel);
            open.sort_by_key(|o| o.start);
            let open_start = open.first().map(|o| o.start.ms());
            let first = [first, open_start].into_iter().flatten().min();
            let last = last.max(open.iter().map(|o| o.end.ms()).max());

            let begins = first.map_or(row.created.ms(), |f| f.min(row.created.ms()));
            let ends = row
                .removed
                .unwrap_or(now)
                .ms()
                .min(now.ms())
                .max(last.unwrap_or(i64::MIN));
            let bounds = (window.start.ms().max(begins), window.end.ms().min(ends));

            let mut joiner = Joiner {
                window: bounds,
                tail: None,
                lost_file: false,
                stretches: Vec::new(),
                holes: Vec::new(),
            };
            let from = recording::look_back(c, key, window.start.ms())?;
            let mut statement = c.prepare_cached(ROWS)?;
            let mut rows = statement.query((key, from, window.end.ms()))?;
            let of_window = |o: &OpenSegment| o.start < window.end && o.end > window.start;
            let mut waiting = open.into_iter().filter(of_window).peekable();
            while let Some(r) = rows.next()? {
                let (start, end): (i64, i64) = (r.get(0)?, r.get(1)?);
                // Closed meanwhile, or the clock went back: it takes its place in the order.
                while let Some(o) = waiting.next_if(|o| o.start.ms() <= start) {
                    joiner.row(o.start.ms(), o.end.ms(), o.continues, None);
                }
                if r.get::<_, i64>(2)? == recording::MISSING {
                    joiner.lost_file |= end > bounds.0;
                } else {
                    joiner.row(start, end, r.get(3)?, r.get(4)?);
                }
            }
            for o in waiting {
                joiner.row(o.start.ms(), o.end.ms(), o.continues, None);
            }
            let fresh = joiner
                .tail
                .is_some_and(|t| now.ms().saturating_sub(t.end) <= FRESH_MS);
            if !fresh {
                let reaches_now = bounds.1 >= ends;
                joiner.hole(bounds.1, reaches_now);
            }
            joiner.finish();
            let gaps = joiner
                .holes
                .iter()
                .map(|hole| {
                    Ok(Gap {
                        start: Timestamp::from_ms(hole.start),
                        end: Timestamp::from_ms(hole.end),
                        reason: cause(c, key, &row, hole)?,
                    })
                })
                .collect::<Result<Vec<_>>>()?;
            Ok(Timeline {
                channel_id: channel,
                stretches: joiner.stretches,
                gaps,
                first: first.map(Timestamp::from_ms),
                last: last.map(Timestamp::from_ms),
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests;

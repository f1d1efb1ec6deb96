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
mod tests {
    use super::*;
    use crate::{ChannelChange, NewEvent, tests::Temporary};
    use oriel_api::EventKind;

    const MIN: i64 = 60_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn because(code: ReasonCode) -> Reason {
        Reason {
            code,
            message: "because".into(),
        }
    }

    struct Line {
        t: Temporary,
        channel: ChannelId,
    }

    impl Line {
        async fn new() -> Self {
            let t = Temporary::new().await;
            let (_, channel) = t.camera("Door", "rtsp://door/1").await;
            Self { t, channel }
        }

        async fn run(&self, start: i64, end: i64, reason: Option<ReasonCode>) {
            let run = self.t.run(&self.channel, start).await;
            let mut from = start;
            while from < end {
                let to = (from + 30_000).min(end);
                self.t
                    .segment_of(&self.channel, Some(run), from, to, from > start)
                    .await;
                from = to;
            }
            if let Some(code) = reason {
                self.t
                    .store
                    .run_end(run, at(end), because(code), None)
                    .await
                    .unwrap();
            }
        }

        async fn event(&self, ms: i64, kind: EventKind, code: Option<ReasonCode>) {
            let event = NewEvent {
                at: at(ms),
                kind,
                channel: code.map(|_| self.channel.clone()),
                reason: code.map(because),
            };
            self.t.store.event_insert(event).await.unwrap();
        }

        async fn see(&self, start: i64, end: i64, now: i64) -> Timeline {
            self.see_open(start, end, now, None).await
        }

        async fn see_open(
            &self,
            start: i64,
            end: i64,
            now: i64,
            open: Option<(i64, i64)>,
        ) -> Timeline {
            let open = open.map(|(start, end)| OpenSegment {
                channel: self.channel.clone(),
                start: at(start),
                end: at(end),
                bytes: 1,
                codecs: "avc1".into(),
                continues: true,
            });
            let window = Range {
                start: at(start),
                end: at(end),
            };
            self.t
                .store
                .timeline(
                    self.channel.clone(),
                    window,
                    at(now),
                    open.into_iter().collect(),
                )
                .await
                .unwrap()
        }
    }

    fn stretches(line: &Timeline) -> Vec<(i64, i64)> {
        line.stretches
            .iter()
            .map(|s| (s.start.ms(), s.end.ms()))
            .collect()
    }

    fn gaps(line: &Timeline) -> Vec<(i64, i64, Option<ReasonCode>)> {
        line.gaps
            .iter()
            .map(|g| (g.start.ms(), g.end.ms(), g.reason.as_ref().map(|r| r.code)))
            .collect()
    }

    #[tokio::test]
    async fn segments_join_and_a_hole_has_the_reason_its_run_ended_with() {
        let l = Line::new().await;
        l.run(0, 5 * MIN, Some(ReasonCode::Stalled)).await;
        l.run(7 * MIN, 10 * MIN, None).await;
        let line = l.see(0, 20 * MIN, 10 * MIN + 2000).await;
        assert_eq!(stretches(&line), [(0, 5 * MIN), (7 * MIN, 10 * MIN)]);
        assert_eq!(
            gaps(&line),
            [(5 * MIN, 7 * MIN, Some(ReasonCode::Stalled))],
            "the fresh end is no hole"
        );
        assert_eq!((line.first, line.last), (Some(at(0)), Some(at(10 * MIN))));
        let inside = l.see(6 * MIN, 8 * MIN, 60 * MIN).await;
        assert_eq!(stretches(&inside), [(7 * MIN, 8 * MIN)]);
        assert_eq!(
            gaps(&inside),
            [(6 * MIN, 7 * MIN, Some(ReasonCode::Stalled))]
        );
        let within = l.see(MIN, 2 * MIN, 60 * MIN).await;
        assert_eq!(stretches(&within), [(MIN, 2 * MIN)]);
        assert!(within.gaps.is_empty());
    }

    #[tokio::test]
    async fn a_second_apart_joins_a_run_may_be_further_apart_and_more_is_a_hole() {
        let l = Line::new().await;
        l.t.segment(&l.channel, 0, 10_000).await;
        l.t.segment(&l.channel, 11_000, 20_000).await;
        l.t.segment(&l.channel, 21_001, 30_000).await;
        l.t.segment_of(&l.channel, None, 36_000, 40_000, true).await;
        let line = l.see(0, 40_000, 41_000).await;
        assert_eq!(stretches(&line), [(0, 20_000), (21_001, 40_000)]);
        assert_eq!(gaps(&line), [(20_000, 21_001, None)]);
    }

    #[tokio::test]
    async fn a_crash_shows_as_not_running_also_when_the_tail_was_adopted() {
        let l = Line::new().await;
        l.run(0, 5 * MIN, None).await;
        l.t.segment(&l.channel, 5 * MIN, 5 * MIN + 10_000).await;
        l.t.store.runs_abandon().await.unwrap();
        l.event(9 * MIN, EventKind::Started, None).await;
        l.run(10 * MIN, 12 * MIN, None).await;
        let line = l.see(0, 12 * MIN, 12 * MIN).await;
        assert_eq!(
            gaps(&line),
            [(5 * MIN + 10_000, 10 * MIN, Some(ReasonCode::NotRunning))]
        );
    }

    #[tokio::test]
    async fn an_adopted_tail_has_the_reason_of_the_run_it_belonged_to() {
        let l = Line::new().await;
        l.run(0, 5 * MIN, Some(ReasonCode::Ended)).await;
        l.t.segment(&l.channel, 5 * MIN, 5 * MIN + 10_000).await;
        l.run(10 * MIN, 12 * MIN, None).await;
        let line = l.see(0, 12 * MIN, 12 * MIN).await;
        assert_eq!(gaps(&line)[0].2, Some(ReasonCode::Ended));
    }

    #[tokio::test]
    async fn a_camera_that_never_came_has_the_reason_of_its_loss() {
        let l = Line::new().await;
        l.event(1000, EventKind::Disconnected, Some(ReasonCode::AuthRefused))
            .await;
        let line = l.see(-MIN, 10 * MIN, 5 * MIN).await;
        assert!(line.stretches.is_empty());
        // From the channel's making to now.
        assert_eq!(gaps(&line), [(0, 5 * MIN, Some(ReasonCode::AuthRefused))]);
        assert_eq!((line.first, line.last), (None, None));
    }

    #[tokio::test]
    async fn switched_off_is_said_to_be_off_also_after_a_restart() {
        let l = Line::new().await;
        l.run(0, 5 * MIN, Some(ReasonCode::NotRunning)).await;
        let change = ChannelChange {
            record_mode: Some(RecordMode::Off),
            ..Default::default()
        };
        l.t.store
            .channel_update(l.channel.clone(), change, at(5 * MIN + 500))
            .await
            .unwrap();
        l.event(6 * MIN, EventKind::Started, None).await;
        let line = l.see(0, 30 * MIN, 20 * MIN).await;
        assert_eq!(gaps(&line), [(5 * MIN, 20 * MIN, Some(ReasonCode::Off))]);
    }

    #[tokio::test]
    async fn a_lost_file_is_a_hole_that_says_so() {
        let l = Line::new().await;
        l.run(0, 5 * MIN, None).await;
        l.t.store
            .recording_missing(l.channel.clone(), at(2 * MIN))
            .await
            .unwrap();
        let line = l.see(0, 5 * MIN, 5 * MIN).await;
        assert_eq!(
            gaps(&line),
            [(
                2 * MIN,
                2 * MIN + 30_000,
                Some(ReasonCode::StorageUnavailable)
            )]
        );
    }

    #[tokio::test]
    async fn a_lost_file_is_a_hole_also_when_segments_are_short() {
        let l = Line::new().await;
        let run = l.t.run(&l.channel, 0).await;
        for n in 0..3 {
            let (start, end) = (n * 5000, (n + 1) * 5000);
            l.t.segment_of(&l.channel, Some(run), start, end, n > 0)
                .await;
        }
        l.t.store
            .recording_missing(l.channel.clone(), at(5000))
            .await
            .unwrap();
        let line = l.see(0, 15_000, 15_000).await;
        assert_eq!(
            gaps(&line),
            [(5000, 10_000, Some(ReasonCode::StorageUnavailable))]
        );
    }

    #[tokio::test]
    async fn the_segment_being_written_belongs_to_the_line() {
        let l = Line::new().await;
        l.run(0, 5 * MIN, None).await;
        let open = Some((5 * MIN, 5 * MIN + 9000));
        let line = l.see_open(0, 10 * MIN, 5 * MIN + 10_000, open).await;
        assert_eq!(stretches(&line), [(0, 5 * MIN + 9000)]);
        assert!(line.gaps.is_empty());
        assert_eq!(line.last, Some(at(5 * MIN + 9000)));
        // Closed meanwhile: it is there as a row too.
        l.t.segment(&l.channel, 5 * MIN, 5 * MIN + 9500).await;
        let line = l.see_open(0, 10 * MIN, 5 * MIN + 10_000, open).await;
        assert_eq!(stretches(&line), [(0, 5 * MIN + 9500)]);
    }

    #[tokio::test]
    async fn time_to_come_and_time_after_the_camera_was_removed_are_no_holes() {
        let l = Line::new().await;
        l.run(0, 5 * MIN, Some(ReasonCode::Ended)).await;
        let line = l.see(10 * MIN, 20 * MIN, 5 * MIN + 1000).await;
        assert!(line.stretches.is_empty() && line.gaps.is_empty());
        l.t.store
            .channel_remove(l.channel.clone(), false, at(6 * MIN))
            .await
            .unwrap();
        let line = l.see(0, 20 * MIN, 20 * MIN).await;
        assert_eq!(gaps(&line), [(5 * MIN, 6 * MIN, Some(ReasonCode::Ended))]);
    }
}

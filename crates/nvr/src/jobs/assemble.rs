//! One file of a range: its pieces from the database, the file from the worker, the causes of its
//! holes from the timeline.

use std::sync::Arc;

use oriel_api::{
    Error, ErrorCode, Gap, Range, Reason, ReasonCode, Result, Stretch, Timestamp,
    link::{Assembled, AssemblyOrder},
};
use oriel_store::MadeFile;

use super::{FileOrder, Progress, joining::Followed};
use crate::Nvr;

/// Less than this is no hole, as on the timeline.
const HOLE_MS: i64 = 1000;
/// So far behind a range the cause of its last hole is looked for.
const BEHIND_MS: i64 = 24 * 3600 * 1000;

/// What came of an order.
pub(crate) enum Made {
    /// The file is there.
    File(MadeFile),
    /// There is nothing to make it of, or it can never be made: why.
    Nothing(String),
    /// It did not work and is worth trying again: why.
    Again(Error),
    /// Nobody wants it any more.
    Dropped,
}

impl Nvr {
    /// Carries out an order.
    pub(super) async fn assemble(
        self: &Arc<Self>,
        order: &FileOrder,
        progress: Arc<Progress>,
    ) -> Made {
        match self.try_assemble(order, progress.clone()).await {
            Ok(made) => made,
            Err(error) => match error.code {
                ErrorCode::Unavailable | ErrorCode::StorageUnavailable => Made::Again(error),
                ErrorCode::Conflict if progress.cancelled() => Made::Dropped,
                ErrorCode::Conflict => Made::Again(error),
                _ => Made::Nothing(error.message),
            },
        }
    }

    async fn try_assemble(
        self: &Arc<Self>,
        order: &FileOrder,
        progress: Arc<Progress>,
    ) -> Result<Made> {
        let range = Range {
            start: order.range.start,
            end: order.end(),
        };
        if range.end <= range.start {
            return Ok(Made::Nothing("It was ended before it began.".into()));
        }
        let pieces = self.store.pieces(order.channel.clone(), range).await?;
        if pieces.is_empty() {
            return Ok(Made::Nothing(self.why_nothing(order).await?));
        }
        let wanted = AssemblyOrder {
            channel: order.channel.clone(),
            range,
            pieces,
            exact: order.exact,
            with_audio: order.with_audio,
            title: order.title.clone(),
            key: order.key.clone(),
        };
        let assembly = self.links()?.assembly;
        let followed = Arc::new(Followed::new(self, order, progress.clone()));
        let assembled = tokio::select! {
            assembled = assembly.assemble(wanted, followed) => assembled,
            () = progress.stuck() => Err(Error::unavailable("Nothing moved for minutes.")),
        };
        let assembled = match assembled {
            Err(error) if error.code == ErrorCode::NotFound => {
                return Ok(Made::Nothing(
                    "The footage of this time is gone from the disk.".into(),
                ));
            }
            other => other?,
        };
        let gaps = self.gaps_of(order, &assembled).await?;
        Ok(Made::File(MadeFile {
            bytes: assembled.bytes,
            sha256: assembled.sha256,
            media: Range {
                start: assembled.start,
                end: assembled.end,
            },
            gaps,
            stored: assembled.remote.then(|| self.clock_now()),
        }))
    }

    async fn line_of(&self, order: &FileOrder) -> Result<(Vec<Gap>, Vec<Stretch>)> {
        let now = self.clock_now();
        let open = self.open_segments(&order.channel);
        // What ended an outage, such as a start of the program, may lie behind the range.
        let behind = Timestamp::from_ms(order.range.end.ms().saturating_add(BEHIND_MS));
        let window = Range {
            start: order.range.start,
            end: behind.min(now).max(order.range.end),
        };
        let timeline = self
            .store
            .timeline(order.channel.clone(), window, now, open)
            .await;
        match timeline {
            Ok(timeline) => Ok((timeline.gaps, timeline.stretches)),
            // A channel whose footage is being deleted has no line any more.
            Err(oriel_store::StoreError::NoSuch(_)) => Ok(Default::default()),
            Err(other) => Err(other.into()),
        }
    }

    async fn why_nothing(&self, order: &FileOrder) -> Result<String> {
        let (gaps, _) = self.line_of(order).await?;
        let within = gaps.into_iter().filter(|g| g.start < order.range.end);
        let mut reasons = within.filter_map(|g| g.reason);
        let reason = reasons.next();
        Ok(match reason {
            Some(reason) => format!("There is no footage of this time: {}", reason.message),
            None => "There is no footage of this time.".into(),
        })
    }

    async fn gaps_of(&self, order: &FileOrder, assembled: &Assembled) -> Result<Vec<Gap>> {
        let (known, stretches) = self.line_of(order).await?;
        Ok(holes(order, known, &stretches, assembled))
    }
}

fn overlaps(gap: &Gap, start: Timestamp, end: Timestamp) -> bool {
    gap.start < end && gap.end > start
}

/// All holes of a file: those of the timeline with their causes, those that only the worker saw,
/// and what is missing at both ends.
fn holes(
    order: &FileOrder,
    known: Vec<Gap>,
    stretches: &[Stretch],
    assembled: &Assembled,
) -> Vec<Gap> {
    let (start, end) = (order.range.start, order.end());
    let mut gaps: Vec<Gap> = known
        .into_iter()
        .filter(|g| g.start < end)
        .map(|mut g| {
            g.end = g.end.min(end);
            g
        })
        .collect();
    let add = |from: Timestamp, to: Timestamp, reason: Option<Reason>, gaps: &mut Vec<Gap>| {
        let known = gaps.iter().any(|g| overlaps(g, from, to));
        if to.ms().saturating_sub(from.ms()) > HOLE_MS && !known {
            gaps.push(Gap {
                start: from,
                end: to,
                reason,
            });
        }
    };
    for gap in &assembled.gaps {
        let (from, to) = (gap.start.max(start), gap.end.min(end));
        add(from, to, gap.reason.clone(), &mut gaps);
    }
    // A camera with a picture every few seconds has none exactly there, and yet no hole.
    let goes_on = |from: Timestamp, to: Timestamp| {
        let around = |s: &Stretch| s.start <= from && s.end >= to;
        stretches.iter().any(around)
    };
    for (from, to) in [
        (start, assembled.start.min(end)),
        (assembled.end.max(start), end),
    ] {
        if !goes_on(from, to) {
            add(from, to, None, &mut gaps);
        }
    }
    let stopped = Reason {
        code: ReasonCode::Noted,
        message: "It was ended before its time.".into(),
    };
    add(end, order.range.end, Some(stopped), &mut gaps);
    gaps.sort_by_key(|g| g.start);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_api::ChannelId;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_ms(s * 1000)
    }

    fn gap(start: i64, end: i64, code: Option<ReasonCode>) -> Gap {
        Gap {
            start: at(start),
            end: at(end),
            reason: code.map(|code| Reason {
                code,
                message: String::new(),
            }),
        }
    }

    fn order(cancelled: Option<i64>) -> FileOrder {
        FileOrder {
            channel: ChannelId::from_random([0; 12]),
            range: Range {
                start: at(100),
                end: at(200),
            },
            cancelled: cancelled.map(at),
            exact: false,
            with_audio: true,
            title: String::new(),
            key: String::new(),
        }
    }

    fn assembled(start: i64, end: i64, gaps: Vec<Gap>) -> Assembled {
        Assembled {
            bytes: 1,
            sha256: None,
            start: at(start),
            end: at(end),
            gaps,
            remote: false,
        }
    }

    fn spans(gaps: &[Gap]) -> Vec<(i64, i64, Option<ReasonCode>)> {
        gaps.iter()
            .map(|g| {
                let code = g.reason.as_ref().map(|r| r.code);
                (g.start.ms() / 1000, g.end.ms() / 1000, code)
            })
            .collect()
    }

    #[test]
    fn the_timeline_gives_the_causes_and_the_worker_what_only_it_saw() {
        let ended = Some(ReasonCode::Ended);
        let known = vec![gap(120, 130, ended)];
        let seen = vec![
            gap(119, 131, None),
            gap(150, 152, Some(ReasonCode::StorageUnavailable)),
            gap(160, 160, None),
        ];
        let gaps = holes(&order(None), known, &[], &assembled(98, 200, seen));
        assert_eq!(
            spans(&gaps),
            [
                (120, 130, ended),
                (150, 152, Some(ReasonCode::StorageUnavailable))
            ]
        );
    }

    #[test]
    fn what_is_missing_at_the_ends_is_a_hole_too() {
        let gaps = holes(
            &order(None),
            Vec::new(),
            &[],
            &assembled(105, 190, Vec::new()),
        );
        assert_eq!(spans(&gaps), [(100, 105, None), (190, 200, None)]);
        let none = holes(
            &order(None),
            Vec::new(),
            &[],
            &assembled(99, 200, Vec::new()),
        );
        assert!(none.is_empty());
        let around = [Stretch {
            start: at(50),
            end: at(250),
        }];
        let slow = holes(
            &order(None),
            Vec::new(),
            &around,
            &assembled(103, 197, Vec::new()),
        );
        assert!(slow.is_empty());
        let known = vec![gap(100, 105, Some(ReasonCode::Off))];
        let gaps = holes(&order(None), known, &[], &assembled(105, 200, Vec::new()));
        assert_eq!(spans(&gaps), [(100, 105, Some(ReasonCode::Off))]);
    }

    #[test]
    fn one_that_was_ended_early_says_so() {
        let known = vec![gap(190, 200, Some(ReasonCode::Ended))];
        let gaps = holes(
            &order(Some(150)),
            known,
            &[],
            &assembled(100, 150, Vec::new()),
        );
        assert_eq!(spans(&gaps), [(150, 200, Some(ReasonCode::Noted))]);
    }
}

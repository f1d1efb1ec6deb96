//! When a file can be made: its time is over and its segments are closed and known.

use oriel_api::{Timestamp, link::OpenSegment};

use super::FileOrder;
use crate::Nvr;

/// What is on its way to the disk when the time is over arrives within this.
const SETTLE_MS: i64 = 3000;
/// The longest a segment takes to be closed, and a little. After that the file is made of what
/// there is.
const LONGEST_MS: i64 = 660_000;
/// A segment that is open is looked at again after this, should nobody tell of its end.
const LOOK_MS: i64 = 5000;

/// When an order can be carried out: `None` is now. `open` are the channel's segments that are
/// not known to the database yet.
fn ready_at(order: &FileOrder, open: &[OpenSegment], now: Timestamp) -> Option<Timestamp> {
    let end = order.end();
    let settled = Timestamp::from_ms(end.ms().saturating_add(SETTLE_MS));
    if now < settled {
        return Some(settled);
    }
    let waited_enough = now.ms() >= end.ms().saturating_add(LONGEST_MS);
    let reaches_in = |o: &OpenSegment| o.start < end && o.end > order.range.start;
    if !waited_enough && open.iter().any(reaches_in) {
        return Some(Timestamp::from_ms(now.ms().saturating_add(LOOK_MS)));
    }
    None
}

impl Nvr {
    /// When an order can be carried out; `None` is now.
    pub(super) fn ready_at(&self, order: &FileOrder, now: Timestamp) -> Option<Timestamp> {
        let open = self.open_segments(&order.channel);
        ready_at(order, &open, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_api::{ChannelId, Range};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn order(cancelled: Option<i64>) -> FileOrder {
        FileOrder {
            channel: ChannelId::from_random([0; 12]),
            range: Range {
                start: at(100_000),
                end: at(200_000),
            },
            cancelled: cancelled.map(at),
            exact: false,
            with_audio: true,
            title: String::new(),
            key: String::new(),
        }
    }

    fn open(start: i64, end: i64) -> OpenSegment {
        OpenSegment {
            channel: ChannelId::from_random([0; 12]),
            start: at(start),
            end: at(end),
            bytes: 1,
            codecs: String::new(),
            continues: true,
            sha256: None,
        }
    }

    #[test]
    fn it_waits_for_its_time_and_for_its_last_segment_but_not_for_ever() {
        let plain = order(None);
        assert_eq!(ready_at(&plain, &[], at(150_000)), Some(at(203_000)));
        assert_eq!(ready_at(&plain, &[], at(203_000)), None);
        let last = [open(190_000, 203_000)];
        assert_eq!(ready_at(&plain, &last, at(203_000)), Some(at(208_000)));
        assert_eq!(ready_at(&plain, &last, at(860_000)), None);
        // A segment behind the range, or one before it that was closed, is not waited for.
        let others = [open(200_000, 203_000), open(80_000, 100_000)];
        assert_eq!(ready_at(&plain, &others, at(203_000)), None);
    }

    #[test]
    fn one_that_is_cancelled_is_made_of_what_there_was() {
        let cancelled = order(Some(150_000));
        assert_eq!(ready_at(&cancelled, &[], at(153_000)), None);
        let later = [open(151_000, 153_000)];
        assert_eq!(ready_at(&cancelled, &later, at(153_000)), None);
        let within = [open(140_000, 153_000)];
        assert!(ready_at(&cancelled, &within, at(153_000)).is_some());
    }
}

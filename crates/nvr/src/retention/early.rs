//! Footage that went before its time, gathered to one event now and then.

use std::time::{Duration, Instant};

use oriel_api::{ChannelId, EventKind, Reason, ReasonCode, Result, Timestamp};
use oriel_store::Retired;

use crate::{Nvr, disk::size};

/// Events are at least so far apart.
const APART: Duration = Duration::from_secs(600);

/// What went early and was not told yet.
#[derive(Default)]
pub(super) struct Early {
    count: u64,
    waiting: u64,
    bytes: u64,
    until: Option<Timestamp>,
    last: Option<Instant>,
    told: Option<Instant>,
}

impl Early {
    /// Takes what was deleted for space. `limit` is what the channel's age rule had let go:
    /// where there is no such rule, only what waited for its upload went too early.
    pub(super) fn note(
        &mut self,
        gone: &[Retired],
        limit: impl Fn(&ChannelId) -> Option<Timestamp>,
    ) {
        for row in gone.iter().filter(|r| !r.stored) {
            let young = limit(&row.channel).is_some_and(|limit| row.end > limit);
            if young || row.waiting {
                self.count += 1;
                self.waiting += u64::from(row.waiting);
                self.bytes += row.bytes;
                self.until = self.until.max(Some(row.end));
                self.last = Some(Instant::now());
            }
        }
    }

    /// When something last went early.
    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }

    /// What is to be said now, if anything.
    pub(super) fn due(&mut self, now: Instant) -> Option<Reason> {
        if self.count == 0 || self.told.is_some_and(|at| now < at + APART) {
            return None;
        }
        self.told = Some(now);
        let until = self.until.take().map(|t| t.to_string()).unwrap_or_default();
        let mut message = format!(
            "The disk with the recordings is at its reserve, so {} of footage were deleted \
             before their time: {} segments, the newest until {until}.",
            size(self.bytes),
            self.count
        );
        if self.waiting > 0 {
            message.push_str(&format!(
                " {} of them had not been uploaded and are lost.",
                self.waiting
            ));
        }
        (self.count, self.waiting, self.bytes) = (0, 0, 0);
        Some(Reason {
            code: ReasonCode::Deleted,
            message,
        })
    }
}

impl Nvr {
    pub(super) async fn deleted_early(&self, reason: Reason) -> Result<()> {
        tracing::warn!("{}", reason.message);
        self.write_event(EventKind::DeletedEarly, None, Some(reason))
            .await
    }
}

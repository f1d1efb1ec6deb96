//! A clip as a job: what its file is, and what becomes of the row when the file is made.

use oriel_api::{Error, Result, Timestamp};
use oriel_store::ClipRow;

use crate::{
    Nvr,
    jobs::{FileOrder, Made},
};

/// A clip that is to be made.
#[derive(Clone)]
pub(crate) struct ClipJob {
    pub(crate) row: ClipRow,
    pub(crate) order: FileOrder,
}

/// The part of a clip's time that has passed, 0 to 1.
pub(super) fn passed(row: &ClipRow, now: Timestamp) -> f64 {
    let whole = row.range.end.ms() - row.range.start.ms();
    let gone = now.ms().saturating_sub(row.range.start.ms());
    (gone as f64 / whole.max(1) as f64).clamp(0.0, 1.0)
}

impl ClipJob {
    pub(crate) fn of(row: ClipRow) -> Self {
        let order = FileOrder {
            channel: row.channel.clone(),
            range: row.range,
            cancelled: row.cancelled,
            exact: row.exact,
            with_audio: row.with_audio,
            title: row.name.clone(),
            key: row.object_key.clone(),
        };
        Self { row, order }
    }

    /// Whether some of its time is still to come.
    pub(crate) fn waits_for_time(&self, now: Timestamp) -> bool {
        now < self.order.end()
    }

    /// The part of its time that has passed, 0 to 1.
    pub(crate) fn passed(&self, now: Timestamp) -> f64 {
        passed(&self.row, now)
    }
}

impl Nvr {
    /// Writes down what came of a clip. Gives why it is to be tried again.
    pub(crate) async fn clip_done(&self, job: &ClipJob, made: Made) -> Result<Option<Error>> {
        let id = job.row.id.clone();
        let row = match made {
            Made::Dropped => return Ok(None),
            Made::Again(error) => {
                self.store
                    .clip_waits(id.clone(), Some(error.message.clone()))
                    .await?;
                self.tell_clip(id).await?;
                return Ok(Some(error));
            }
            Made::Nothing(reason) => self.store.clip_failed(id, reason).await?,
            Made::File(file) => {
                let remote = file.stored.is_some();
                if remote && job.row.local {
                    // The one before, whose place the new one does not take.
                    self.delete_local(&job.order.key).await?;
                }
                let row = self.store.clip_made(id, file).await?;
                if row.is_none() {
                    self.store
                        .garbage_object_add(job.order.key.clone(), !remote, remote)
                        .await?;
                }
                row
            }
        };
        self.garbage.notify_one();
        let Some(row) = row else { return Ok(None) };
        self.clip_pushed(&row).await?;
        Ok(None)
    }
}

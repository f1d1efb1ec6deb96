//! An export as jobs: a file per camera, then the manifest.

use oriel_api::{Error, ExportId, ExportStatus, Result};
use oriel_store::ExportRow;
use tracing::warn;

use super::is_open;
use crate::{
    Nvr,
    jobs::{FileOrder, Made},
};

/// The file of one camera that is to be made.
#[derive(Clone)]
pub(crate) struct PartJob {
    pub(crate) export: ExportId,
    pub(crate) part: i64,
    pub(crate) order: FileOrder,
    /// Its old file is in the local place.
    local: bool,
}

impl PartJob {
    /// What is still to be made of an export.
    pub(crate) fn all(export: &ExportRow) -> Vec<Self> {
        let open = export.parts.iter().filter(|p| is_open(p.status));
        open.map(|part| Self {
            export: export.id.clone(),
            part: part.number,
            order: FileOrder {
                channel: part.channel.clone(),
                range: export.range,
                cancelled: None,
                exact: false,
                with_audio: export.with_audio,
                title: part.name.clone(),
                key: part.object_key.clone(),
            },
            local: part.local,
        })
        .collect()
    }
}

impl Nvr {
    fn push_if(&self, row: Option<ExportRow>) {
        if let Some(row) = row {
            self.export_pushed(&row);
        }
    }

    /// Tells viewers how far an export is.
    pub(crate) async fn tell_export(&self, id: ExportId) -> Result<()> {
        self.push_if(self.store.export(id).await?);
        Ok(())
    }

    /// A part is being made.
    pub(crate) async fn part_begun(&self, job: &PartJob) -> Result<()> {
        let row = self.store.export_part_begun(job.part).await?;
        self.push_if(row);
        Ok(())
    }

    /// Writes down what came of a part. Gives why it is to be tried again.
    pub(crate) async fn part_done(&self, job: &PartJob, made: Made) -> Result<Option<Error>> {
        let row = match made {
            Made::Dropped => return Ok(None),
            Made::Again(error) => {
                let reason = error.message.clone();
                self.push_if(self.store.export_part_waits(job.part, reason).await?);
                return Ok(Some(error));
            }
            Made::Nothing(reason) => self.store.export_part_failed(job.part, reason).await?,
            Made::File(file) => {
                let remote = file.stored.is_some();
                if remote && job.local {
                    self.delete_local(&job.order.key).await?;
                }
                let row = self.store.export_part_made(job.part, file).await?;
                if row.is_none() {
                    self.store
                        .garbage_object_add(job.order.key.clone(), !remote, remote)
                        .await?;
                }
                row
            }
        };
        self.garbage.notify_one();
        self.push_if(row);
        Ok(None)
    }

    /// Every part has ended: writes the manifest and ends the export. Gives why it is to be
    /// tried again.
    pub(crate) async fn finish_export(&self, id: &ExportId) -> Result<Option<Error>> {
        let Some(row) = self.store.export(id.clone()).await? else {
            return Ok(None);
        };
        let status = super::restore::status(&row.parts);
        if status == ExportStatus::Failed {
            let reason = row.parts.first().and_then(|p| p.reason.clone());
            let ended = self.store.export_ended(id.clone(), status, reason, None);
            self.push_if(ended.await?);
            return Ok(None);
        }
        let bytes = match self.write_manifest(&row).await {
            Ok(bytes) => bytes,
            Err(error) => {
                warn!(export = %id, %error, "the manifest could not be written");
                return Ok(Some(error));
            }
        };
        let ended = self
            .store
            .export_ended(id.clone(), status, None, Some(bytes))
            .await?;
        if ended.is_none() && self.store.export(id.clone()).await?.is_none() {
            self.store
                .garbage_object_add(row.manifest_key, true, false)
                .await?;
        }
        self.garbage.notify_one();
        self.push_if(ended);
        Ok(None)
    }
}

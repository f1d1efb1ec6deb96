//! Exports: jobs that make one file per camera, and a manifest, for download.

mod file_name;
mod job;
mod manifest;
pub(crate) mod restore;

use std::collections::BTreeSet;

use oriel_api::{
    Caller, CameraId, Change, ChannelId, Empty, Error, Export, ExportCreate, ExportId, ExportList,
    ExportPart, ExportRef, ExportStatus, Page, Permission, Range, Result,
};
use oriel_bucket::ObjectKey;
use oriel_store::{ExportPartRow, ExportRow, NewExport, NewExportPart};
use tracing::info;

pub(crate) use job::PartJob;

use crate::{Nvr, jobs::JobId, listing, random, sign::Purpose};

const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;
/// Cameras of one export.
const MOST_CAMERAS: usize = 64;
/// Exports that may wait to be made.
const WAITING: usize = 50;
/// While it is not complete, nobody is told that it is.
const ALMOST: f64 = 0.99;
/// Name of the manifest among the files of an export.
const MANIFEST: &str = "manifest.json";

fn none() -> Error {
    Error::not_found("There is no such export.")
}

/// What is signed: the file belongs to it.
fn download_path(export: &ExportId, file: &str) -> String {
    format!("/api/recordings/export/{export}/download?file={file}")
}

fn is_open(status: ExportStatus) -> bool {
    matches!(status, ExportStatus::Queued | ExportStatus::Running)
}

fn has_file(part: &ExportPartRow) -> bool {
    part.local || part.stored.is_some()
}

impl Nvr {
    /// The export, when the caller may export all its channels.
    async fn export_row(&self, caller: &Caller, id: &ExportId) -> Result<ExportRow> {
        let row = self.store.export(id.clone()).await?.ok_or_else(none)?;
        let sees = |p: &ExportPartRow| caller.sees(Permission::RecordingsExport, &p.channel);
        if row.parts.iter().all(sees) {
            Ok(row)
        } else {
            Err(none())
        }
    }

    fn part_progress(&self, part: &ExportPartRow) -> f64 {
        match part.status {
            ExportStatus::Queued | ExportStatus::Running => {
                let file = self.jobs.fraction(&JobId::Part(part.number));
                file.unwrap_or(0.0).min(ALMOST)
            }
            ExportStatus::Finished | ExportStatus::Partial => 1.0,
            ExportStatus::Failed | ExportStatus::Cancelled => 0.0,
        }
    }

    fn part_view(&self, export: &ExportRow, part: &ExportPartRow) -> ExportPart {
        ExportPart {
            camera_id: part.camera.clone(),
            channel_id: part.channel.clone(),
            name: part.name.clone(),
            file: part.file.clone(),
            status: part.status,
            progress: self.part_progress(part),
            gaps: part.gaps.clone(),
            reason: part.reason.clone(),
            bytes: part.bytes,
            sha256: part.sha256.map(listing::hex),
            url: has_file(part).then(|| self.download_url(&export.id, &part.file)),
        }
    }

    /// An export as callers see it.
    fn export_view(&self, row: &ExportRow) -> Export {
        let parts: Vec<_> = row.parts.iter().map(|p| self.part_view(row, p)).collect();
        let progress = match row.status {
            ExportStatus::Finished | ExportStatus::Partial => 1.0,
            _ => {
                // One that cannot be made is done with, too.
                let done = |p: &ExportPart| match p.status {
                    ExportStatus::Failed => 1.0,
                    _ => p.progress,
                };
                let sum: f64 = parts.iter().map(done).sum();
                (sum / parts.len().max(1) as f64).min(ALMOST)
            }
        };
        let manifest = row.manifest_bytes.is_some();
        Export {
            export_id: row.id.clone(),
            status_url: format!("/api/recordings/export/{}", row.id),
            status: row.status,
            progress,
            start: row.range.start,
            end: row.range.end,
            format: row.format,
            with_audio: row.with_audio,
            created: row.created,
            reason: row.reason.clone(),
            parts,
            manifest_url: manifest.then(|| self.download_url(&row.id, MANIFEST)),
        }
    }

    /// Signed address of a file of an export.
    fn download_url(&self, export: &ExportId, file: &str) -> String {
        let path = download_path(export, file);
        let purpose = Purpose::Object;
        let now = self.clock_now();
        let query = self
            .signer
            .sign("GET", &path, purpose, purpose.lifetime(), now);
        format!("{path}&{query}")
    }

    /// Whether a signature opens a file of an export.
    pub fn check_download(&self, export: &str, file: &str, exp: i64, sig: &str) -> Result<()> {
        let export: ExportId = export.parse()?;
        let path = download_path(&export, file);
        let now = self.clock_now();
        Ok(self
            .signer
            .verify("GET", &path, Purpose::Object, exp, sig, now)?)
    }

    /// Tells viewers what an export is now, and gives it.
    fn export_pushed(&self, row: &ExportRow) -> Export {
        let export = self.export_view(row);
        self.push(Change::Export {
            export: Box::new(export.clone()),
        });
        export
    }

    pub(crate) async fn list_exports(
        &self,
        caller: &Caller,
        input: ExportList,
    ) -> Result<Page<Export>> {
        let channels = self
            .seen_channels(caller, Permission::RecordingsExport)
            .await?;
        let selection = listing::selection(channels, input.limit, input.after.as_deref())?;
        let page = self.store.exports(selection).await?;
        let next = listing::next(&page, |r| (r.created, r.number));
        let items = page.rows.iter().map(|r| self.export_view(r)).collect();
        Ok(Page { items, next })
    }

    /// A camera with the right to export it, or a channel without a camera under its own id, as
    /// in the address of a segment: its channel and its name.
    async fn exported(&self, caller: &Caller, camera: &CameraId) -> Result<(ChannelId, String)> {
        let (channel, name) = self.footage_of(camera).await?;
        channel
            .filter(|channel| caller.sees(Permission::RecordingsExport, channel))
            .map(|channel| (channel, name))
            .ok_or_else(|| Error::not_found("There is no such camera."))
    }

    pub(crate) async fn create_export(
        &self,
        caller: &Caller,
        input: ExportCreate,
    ) -> Result<Export> {
        let range = Range::checked(input.start, input.end)?;
        let now = self.clock_now();
        if range.end > now {
            return Err(Error::invalid("The end of an export is not in the future."));
        }
        if range.end.ms() - range.start.ms() > WEEK_MS {
            return Err(Error::invalid("An export is 7 days long at most."));
        }
        if range.start.ms() < 0 {
            return Err(Error::invalid("An export begins after 1970."));
        }
        let cameras: BTreeSet<_> = input.camera_ids.iter().collect();
        if cameras.is_empty() || cameras.len() > MOST_CAMERAS {
            return Err(Error::invalid("Choose 1 to 64 cameras."));
        }
        if cameras.len() != input.camera_ids.len() {
            return Err(Error::invalid("A camera is chosen twice."));
        }
        let id = ExportId::from_random(random::bytes()?);
        let (mut parts, mut taken) = (Vec::new(), BTreeSet::new());
        for camera in &input.camera_ids {
            let (channel, name) = self.exported(caller, camera).await?;
            let file = file_name::of(&name, range.start, &mut taken)?;
            let key = ObjectKey::export(id.as_str(), &file).map_err(Error::internal)?;
            parts.push(NewExportPart {
                camera: camera.clone(),
                channel,
                name,
                file,
                object_key: key.to_string(),
            });
        }
        if self.store.exports_open().await?.len() >= WAITING {
            return Err(Error::conflict(
                "Too many exports are being made. Wait until some are finished, or stop some.",
            ));
        }
        let manifest = ObjectKey::export(id.as_str(), MANIFEST).map_err(Error::internal)?;
        let row = self
            .store
            .export_insert(NewExport {
                id,
                range,
                format: input.format.unwrap_or_default(),
                with_audio: input.with_audio.unwrap_or(true),
                parts,
                manifest_key: manifest.to_string(),
                at: now,
            })
            .await?;
        info!(export = %row.id, cameras = row.parts.len(), "an export is wanted");
        let export = self.export_pushed(&row);
        self.jobs.wake.notify_one();
        Ok(export)
    }

    pub(crate) async fn get_export(&self, caller: &Caller, input: ExportRef) -> Result<Export> {
        let row = self.export_row(caller, &input.id).await?;
        Ok(self.export_view(&row))
    }

    /// Ends the jobs of an export for the life of the result.
    async fn stop_parts(&self, row: &ExportRow) -> Vec<crate::jobs::Stopped<'_>> {
        let mut stopped = vec![self.jobs.stop(JobId::Manifest(row.id.clone())).await];
        for part in row.parts.iter().filter(|p| is_open(p.status)) {
            stopped.push(self.jobs.stop(JobId::Part(part.number)).await);
        }
        stopped
    }

    pub(crate) async fn cancel_export(&self, caller: &Caller, input: ExportRef) -> Result<Export> {
        let row = self.export_row(caller, &input.id).await?;
        if !is_open(row.status) {
            return Err(Error::conflict("This export is not being made any more."));
        }
        self.store.export_cancel(input.id.clone()).await?;
        let _stopped = self.stop_parts(&row).await;
        let row = self.export_row(caller, &input.id).await?;
        self.garbage.notify_one();
        Ok(self.export_pushed(&row))
    }

    pub(crate) async fn retry_export(&self, caller: &Caller, input: ExportRef) -> Result<Export> {
        let before = self.export_row(caller, &input.id).await?;
        let (again, row) = self.store.export_again(input.id).await?;
        if !again && !is_open(before.status) {
            return Err(Error::conflict("Every file of this export is made."));
        }
        for part in row.parts.iter().filter(|p| is_open(p.status)) {
            self.jobs.hurry(JobId::Part(part.number));
        }
        self.jobs.hurry(JobId::Manifest(row.id.clone()));
        Ok(self.export_pushed(&row))
    }

    pub(crate) async fn delete_export(&self, caller: &Caller, input: ExportRef) -> Result<Empty> {
        let row = self.export_row(caller, &input.id).await?;
        let _stopped = self.stop_parts(&row).await;
        // What was being made may have been joined in the bucket just now.
        let joined = is_open(row.status) && self.has_remote();
        if !self.store.export_delete(input.id.clone(), joined).await? {
            return Err(none());
        }
        info!(export = %input.id, "an export was deleted");
        self.push(Change::ExportRemoved { id: input.id });
        self.garbage.notify_one();
        Ok(Empty {})
    }

    /// The object of a file of an export, and the name under which it is saved. What a caller
    /// may not see does not exist for it; who opens it with a signature passes
    /// [`Caller::owner`].
    pub async fn export_file(&self, caller: &Caller, id: &str, file: &str) -> Result<ObjectKey> {
        let id: ExportId = id.parse()?;
        let row = self.export_row(caller, &id).await?;
        let none = || Error::not_found("There is no such file in this export.");
        let key = if file == MANIFEST && row.manifest_bytes.is_some() {
            &row.manifest_key
        } else {
            let part = row.parts.iter().find(|p| p.file == file && has_file(p));
            &part.ok_or_else(none)?.object_key
        };
        ObjectKey::parse(key.clone()).map_err(Error::internal)
    }
}

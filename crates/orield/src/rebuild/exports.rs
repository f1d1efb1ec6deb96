//! Exports: what their manifests say, as far as their files are there.

use std::collections::BTreeMap;

use oriel_api::ExportStatus;
use oriel_bucket::{BucketError, Named, Stat};
use oriel_nvr::check;
use oriel_store::ExportRow;

use super::{RebuildError, Rebuilt, Work, add, again, moment};

/// Largest manifest that is read, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
const MANIFEST: &str = "manifest.json";

/// The objects of one job.
#[derive(Default)]
struct Job {
    name: String,
    files: BTreeMap<String, Stat>,
}

impl<T: FnMut(&Rebuilt)> Work<'_, T> {
    pub(super) async fn exports(&mut self) -> Result<(), RebuildError> {
        let bucket = self.areas.produced.clone();
        let mut after: Option<String> = None;
        let mut current = Job::default();
        loop {
            let (page, next) = self.page(&bucket, "exports", after.as_deref()).await?;
            for (object, named) in page {
                let Named::Export { job, file } = named else {
                    self.out.foreign += 1;
                    continue;
                };
                // Keys come in order: those of a job are together.
                if job != current.name {
                    let before = std::mem::take(&mut current);
                    self.export(before).await?;
                    current.name = job;
                }
                current.files.insert(file, object);
            }
            (self.tell)(&self.out);
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.export(current).await
    }

    async fn export(&mut self, mut job: Job) -> Result<(), RebuildError> {
        if job.files.is_empty() {
            return Ok(());
        }
        let objects = job.files.len() as u64;
        let told = match job.files.remove(MANIFEST) {
            Some(manifest) => self.told(&job.name, &manifest).await?,
            None => None,
        };
        let Some(mut row) = told else {
            // Without it nobody can say whose the files are.
            self.out.unreadable += objects;
            return Ok(());
        };
        for part in row.parts.iter_mut().filter(|p| p.bytes.is_some()) {
            match job.files.remove(&part.file) {
                Some(file) if Some(file.size) == part.bytes => {
                    part.stored = Some(moment(&file, row.created));
                }
                _ => {
                    part.status = ExportStatus::Failed;
                    part.reason = Some("Its file was not in the bucket.".into());
                    (part.bytes, part.sha256, part.media) = (None, None, None);
                }
            }
        }
        row.status = check::export_status(&row.parts);
        if row.status == ExportStatus::Failed {
            row.reason = row.parts.first().and_then(|p| p.reason.clone());
        }
        self.out.foreign += job.files.len() as u64;
        let made = self.store.exports_restore(vec![row]).await?;
        add(&mut self.out.exports, made);
        Ok(())
    }

    async fn told(&self, job: &str, object: &Stat) -> Result<Option<ExportRow>, RebuildError> {
        let bucket = &self.areas.produced;
        let read = again(|| async { bucket.get(&object.key, None).await?.bytes(LARGEST).await });
        match read.await {
            Ok(bytes) => Ok(check::export_of(job, &bytes)),
            Err(BucketError::NotFound | BucketError::Invalid(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

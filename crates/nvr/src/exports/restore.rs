//! Reads a manifest again, after the database was lost. It comes out of a bucket: nothing in it is
//! believed that could not be true.

use std::collections::BTreeSet;

use oriel_api::{ExportFormat, ExportId, ExportStatus, Range, Timestamp};
use oriel_bucket::ObjectKey;
use oriel_store::{ExportPartRow, ExportRow};

use super::{
    MANIFEST, MOST_CAMERAS, file_name, is_open,
    manifest::{File, Manifest, Span},
};
use crate::listing::unhex;

/// Gaps of one file.
const MOST_GAPS: usize = 10_000;
/// Characters of a name or a reason.
const LONGEST: usize = 500;

/// The export that a manifest tells of, with nothing known to be in the bucket yet; `None` when
/// it is none of this job's.
pub(crate) fn export(job: &str, manifest: &[u8]) -> Option<ExportRow> {
    let told: Manifest = serde_json::from_slice(manifest).ok()?;
    let id: ExportId = job.parse().ok().filter(|_| told.export_id == job)?;
    if !(1..=MOST_CAMERAS).contains(&told.files.len()) {
        return None;
    }
    let range = range(&told.asked_for)?;
    let mut taken = BTreeSet::from([MANIFEST.to_owned()]);
    let mut parts = Vec::with_capacity(told.files.len());
    for file in told.files {
        parts.push(part(job, file, range.start, &mut taken)?);
    }
    Some(ExportRow {
        number: 0,
        id,
        range,
        format: ExportFormat::Mp4,
        with_audio: told.with_audio,
        status: status(&parts),
        reason: None,
        manifest_key: ObjectKey::export(job, MANIFEST).ok()?.to_string(),
        manifest_bytes: Some(manifest.len() as u64),
        created: told.created.utc,
        parts,
    })
}

/// How an export of these parts stands.
pub(crate) fn status(parts: &[ExportPartRow]) -> ExportStatus {
    let all = |status| parts.iter().all(|p| p.status == status);
    if all(ExportStatus::Failed) {
        ExportStatus::Failed
    } else if all(ExportStatus::Finished) {
        ExportStatus::Finished
    } else {
        ExportStatus::Partial
    }
}

fn range(span: &Span) -> Option<Range> {
    let (start, end) = (span.start.utc, span.end.utc);
    (start < end).then_some(Range { start, end })
}

fn plain(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(LONGEST).collect()
}

fn part(
    job: &str,
    told: File,
    start: Timestamp,
    taken: &mut BTreeSet<String>,
) -> Option<ExportPartRow> {
    if is_open(told.status) || told.gaps.len() > MOST_GAPS {
        return None;
    }
    let file = match told.file {
        Some(file) => Some(file).filter(|f| taken.insert(f.clone()))?,
        None => file_name::of(&told.camera, start, taken).ok()?,
    };
    let media = match &told.footage {
        Some(span) => Some(range(span)?),
        None => None,
    };
    let sha256 = match &told.sha256 {
        Some(sum) => Some(unhex(sum)?),
        None => None,
    };
    Some(ExportPartRow {
        number: 0,
        camera: told.camera_id.parse().ok()?,
        channel: told.channel_id.parse().ok()?,
        name: plain(&told.camera),
        object_key: ObjectKey::export(job, &file).ok()?.to_string(),
        file,
        status: told.status,
        reason: told.reason.as_deref().map(plain),
        gaps: told.gaps,
        media,
        bytes: told.bytes,
        sha256,
        local: false,
        stored: None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    use super::{
        super::manifest::{manifest, tests::sample},
        *,
    };

    fn written(row: &ExportRow) -> Vec<u8> {
        manifest(row, "1.2.3", &TimeZone::UTC).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let mut row = sample();
        let mut failed = row.parts[0].clone();
        failed.status = ExportStatus::Failed;
        failed.reason = Some("There is no footage.".into());
        (failed.bytes, failed.sha256, failed.media) = (None, None, None);
        row.parts.push(failed);
        let bytes = written(&row);
        let read = export(row.id.as_str(), &bytes).unwrap();
        assert_eq!(read.range, row.range);
        assert_eq!((read.created, read.with_audio), (row.created, true));
        assert_eq!(read.status, ExportStatus::Partial);
        assert_eq!(read.manifest_bytes, Some(bytes.len() as u64));
        for (read, row) in read.parts.iter().zip(&row.parts) {
            assert_eq!((&read.name, read.status), (&row.name, row.status));
            assert_eq!((&read.gaps, read.media), (&row.gaps, row.media));
            assert_eq!((read.bytes, read.sha256), (row.bytes, row.sha256));
            assert!(!read.local && read.stored.is_none());
        }
        assert_eq!(read.parts[0].file, row.parts[0].file);
        assert_ne!(read.parts[1].object_key, read.parts[0].object_key);
        assert!(export("bbbbbbbbbbbb", &bytes).is_none());
    }

    #[test]
    fn what_could_not_be_true_is_not_believed() {
        let row = sample();
        let good: Value = serde_json::from_slice(&written(&row)).unwrap();
        let after = |pointer: &str, value: Value| {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            export(row.id.as_str(), bad.to_string().as_bytes())
        };
        assert!(after("/with_audio", json!(false)).is_some());
        let file = good["files"][0].clone();
        for (pointer, value) in [
            ("/files", json!([])),
            ("/files", json!([file, file])),
            ("/files/0/file", json!("../../secrets/key")),
            ("/files/0/file", json!(MANIFEST)),
            ("/files/0/status", json!("running")),
            ("/files/0/sha256", json!("zz")),
            ("/files/0/camera_id", json!("1; DROP TABLE export")),
            ("/asked_for/end/utc", json!("1970-01-01T00:00:00Z")),
            ("/export_id", json!("x")),
        ] {
            assert!(after(pointer, value.clone()).is_none(), "{pointer} {value}");
        }
        let named = after("/files/0/camera", json!("Yard\u{7}\n")).unwrap();
        assert_eq!(named.parts[0].name, "Yard");
    }
}

//! Tables `export` and `export_part`: jobs that make one file per camera and a manifest.

use oriel_api::{CameraId, ChannelId, ExportFormat, ExportId, ExportStatus, Gap, Range, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    MadeFile, NewestPage, Result, Selection, Store, StoreError, garbage_object, text, upload,
};

/// The file of one camera, to be made.
#[derive(Clone, Debug)]
pub struct NewExportPart {
    /// Camera.
    pub camera: CameraId,
    /// Its channel.
    pub channel: ChannelId,
    /// Its name.
    pub name: String,
    /// Name of the file.
    pub file: String,
    /// Where the file goes.
    pub object_key: String,
}

/// An export to be made.
#[derive(Clone, Debug)]
pub struct NewExport {
    /// Id.
    pub id: ExportId,
    /// What is wanted.
    pub range: Range,
    /// What files.
    pub format: ExportFormat,
    /// With sound.
    pub with_audio: bool,
    /// A file per camera.
    pub parts: Vec<NewExportPart>,
    /// Where the manifest goes.
    pub manifest_key: String,
    /// Now.
    pub at: Timestamp,
}

/// The file of one camera, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportPartRow {
    /// Number.
    pub number: i64,
    /// Camera.
    pub camera: CameraId,
    /// Its channel.
    pub channel: ChannelId,
    /// Its name when the export was asked for.
    pub name: String,
    /// Name of the file.
    pub file: String,
    /// How it stands.
    pub status: ExportStatus,
    /// Why it was not made, or what it waits for.
    pub reason: Option<String>,
    /// Holes, oldest first.
    pub gaps: Vec<Gap>,
    /// What its file holds, once there is one.
    pub media: Option<Range>,
    /// Size of its file.
    pub bytes: Option<u64>,
    /// SHA-256 of its file, when known.
    pub sha256: Option<[u8; 32]>,
    /// Where its file is.
    pub object_key: String,
    /// Its file is in the local place.
    pub local: bool,
    /// When its file was in the bucket.
    pub stored: Option<Timestamp>,
}

/// An export as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportRow {
    /// Number.
    pub number: i64,
    /// Id.
    pub id: ExportId,
    /// What is wanted.
    pub range: Range,
    /// What files.
    pub format: ExportFormat,
    /// With sound.
    pub with_audio: bool,
    /// How it stands.
    pub status: ExportStatus,
    /// Why it failed.
    pub reason: Option<String>,
    /// Where the manifest is, or goes.
    pub manifest_key: String,
    /// Size of the manifest, once it is made.
    pub manifest_bytes: Option<u64>,
    /// When it was asked for.
    pub created: Timestamp,
    /// A file per camera.
    pub parts: Vec<ExportPartRow>,
}

const COLUMNS: &str = "export.id, export.public_id, export.start_ms, export.end_ms,
     export.format, export.with_audio, export.status, export.reason, export.manifest_key,
     export.manifest_bytes, export.created_ms";

const PARTS: &str = "SELECT id, camera, channel, name, file, status, reason, gaps,
     media_start_ms, media_end_ms, bytes, sha256, object_key, local, stored_ms
     FROM export_part WHERE export = ?1 ORDER BY id";

pub(crate) const LIST: &str = "SELECT export.id FROM export INDEXED BY export_by_time
     WHERE (export.created_ms, export.id) < (?1, ?2)
       AND (?4 IS NULL OR NOT EXISTS (SELECT 1 FROM export_part
         WHERE export_part.export = export.id
           AND export_part.channel NOT IN (SELECT value FROM json_each(?4))))
     ORDER BY export.created_ms DESC, export.id DESC LIMIT ?3";

fn from_row(r: &Row<'_>) -> Result<ExportRow> {
    Ok(ExportRow {
        number: r.get(0)?,
        id: text::id(&r.get::<_, String>(1)?)?,
        range: Range {
            start: text::moment(r, 2)?,
            end: text::moment(r, 3)?,
        },
        format: text::parse(&r.get::<_, String>(4)?)?,
        with_audio: r.get(5)?,
        status: text::parse(&r.get::<_, String>(6)?)?,
        reason: r.get(7)?,
        manifest_key: r.get(8)?,
        manifest_bytes: r.get::<_, Option<i64>>(9)?.map(i64::unsigned_abs),
        created: text::moment(r, 10)?,
        parts: Vec::new(),
    })
}

fn part_from_row(r: &Row<'_>) -> Result<ExportPartRow> {
    let media = match (text::some_moment(r, 8)?, text::some_moment(r, 9)?) {
        (Some(start), Some(end)) => Some(Range { start, end }),
        _ => None,
    };
    Ok(ExportPartRow {
        number: r.get(0)?,
        camera: text::id(&r.get::<_, String>(1)?)?,
        channel: text::id(&r.get::<_, String>(2)?)?,
        name: r.get(3)?,
        file: r.get(4)?,
        status: text::parse(&r.get::<_, String>(5)?)?,
        reason: r.get(6)?,
        gaps: text::from_json(&r.get::<_, String>(7)?)?,
        media,
        bytes: r.get::<_, Option<i64>>(10)?.map(i64::unsigned_abs),
        sha256: r.get(11)?,
        object_key: r.get(12)?,
        local: r.get(13)?,
        stored: text::some_moment(r, 14)?,
    })
}

fn with_parts(connection: &Connection, mut row: ExportRow) -> Result<ExportRow> {
    row.parts = connection
        .prepare_cached(PARTS)?
        .query_and_then([row.number], part_from_row)?
        .collect::<Result<_>>()?;
    Ok(row)
}

fn by(
    connection: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> Result<Vec<ExportRow>> {
    let rows = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM export WHERE {condition}"))?
        .query_and_then([value], from_row)?
        .collect::<Result<Vec<_>>>()?;
    rows.into_iter()
        .map(|r| with_parts(connection, r))
        .collect()
}

fn one(connection: &Connection, id: &ExportId) -> Result<Option<ExportRow>> {
    Ok(by(connection, "public_id = ?1", id.as_str())?.pop())
}

fn existing(connection: &Connection, id: &ExportId) -> Result<ExportRow> {
    one(connection, id)?.ok_or(StoreError::NoSuch("export"))
}

/// The export of a part, as it is after a change.
fn of_part(connection: &Connection, part: i64) -> Result<Option<ExportRow>> {
    let id: Option<i64> = connection
        .prepare_cached("SELECT export FROM export_part WHERE id = ?1")?
        .query_row([part], |r| r.get(0))
        .optional()?;
    match id {
        Some(id) => Ok(by(connection, "id = ?1", id)?.pop()),
        None => Ok(None),
    }
}

impl Store {
    /// Keeps an export that is to be made.
    pub async fn export_insert(&self, new: NewExport) -> Result<ExportRow> {
        self.write(move |c| {
            let queued = text::word(&ExportStatus::Queued)?;
            c.execute(
                "INSERT INTO export (public_id, start_ms, end_ms, format, with_audio, status,
                   manifest_key, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (
                    new.id.as_str(),
                    new.range.start.ms(),
                    new.range.end.ms(),
                    text::word(&new.format)?,
                    new.with_audio,
                    &queued,
                    &new.manifest_key,
                    new.at.ms(),
                ),
            )?;
            let export = c.last_insert_rowid();
            let mut insert = c.prepare_cached(
                "INSERT INTO export_part (export, camera, channel, name, file, status, object_key)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for part in &new.parts {
                insert.execute((
                    export,
                    part.camera.as_str(),
                    part.channel.as_str(),
                    &part.name,
                    &part.file,
                    &queued,
                    &part.object_key,
                ))?;
            }
            existing(c, &new.id)
        })
        .await
    }

    /// One export.
    pub async fn export(&self, id: ExportId) -> Result<Option<ExportRow>> {
        self.read(move |c| one(c, &id)).await
    }

    /// A page of exports, newest first; with `channels`, those of these channels alone.
    pub async fn exports(&self, selection: Selection) -> Result<NewestPage<ExportRow>> {
        self.read(move |c| {
            let (at, number) = selection
                .before
                .map_or((i64::MAX, i64::MAX), |(at, id)| (at.ms(), id));
            let channels = selection.channels.as_ref().map(text::json).transpose()?;
            let numbers = c
                .prepare_cached(LIST)?
                .query_map(
                    (at, number, i64::from(selection.limit) + 1, channels),
                    |r| r.get::<_, i64>(0),
                )?
                .collect::<Result<Vec<_>, _>>()?;
            let more = numbers.len() > selection.limit as usize;
            let mut rows = Vec::with_capacity(numbers.len());
            for number in numbers.into_iter().take(selection.limit as usize) {
                rows.extend(by(c, "id = ?1", number)?);
            }
            Ok(NewestPage { rows, more })
        })
        .await
    }

    /// Exports that are to be made, oldest first.
    pub async fn exports_open(&self) -> Result<Vec<ExportRow>> {
        self.read(|c| {
            let rows = c
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM export INDEXED BY export_open
                     WHERE status IN ('queued', 'running') ORDER BY id"
                ))?
                .query_and_then([], from_row)?
                .collect::<Result<Vec<_>>>()?;
            rows.into_iter().map(|r| with_parts(c, r)).collect()
        })
        .await
    }

    /// A part that was queued is being made, and so its export.
    pub async fn export_part_begun(&self, part: i64) -> Result<Option<ExportRow>> {
        self.write(move |c| {
            c.execute(
                "UPDATE export_part SET status = 'running', reason = NULL
                 WHERE id = ?1 AND status IN ('queued', 'running')",
                [part],
            )?;
            c.execute(
                "UPDATE export SET status = 'running' WHERE status = 'queued'
                   AND id = (SELECT export FROM export_part WHERE id = ?1)",
                [part],
            )?;
            of_part(c, part)
        })
        .await
    }

    /// What an open part waits for.
    pub async fn export_part_waits(&self, part: i64, reason: String) -> Result<Option<ExportRow>> {
        self.write(move |c| {
            c.execute(
                "UPDATE export_part SET reason = ?2
                 WHERE id = ?1 AND status IN ('queued', 'running')",
                (part, &reason),
            )?;
            of_part(c, part)
        })
        .await
    }

    /// An open part has its file. `None` when nobody wants it any more: the file is garbage
    /// then.
    pub async fn export_part_made(&self, part: i64, file: MadeFile) -> Result<Option<ExportRow>> {
        self.write(move |c| {
            let status = if file.gaps.is_empty() {
                ExportStatus::Finished
            } else {
                ExportStatus::Partial
            };
            let changed = c.execute(
                "UPDATE export_part SET status = ?2, reason = NULL, gaps = ?3,
                   media_start_ms = ?4, media_end_ms = ?5, bytes = ?6, sha256 = ?7, local = ?8,
                   stored_ms = ?9
                 WHERE id = ?1 AND status IN ('queued', 'running')",
                (
                    part,
                    text::word(&status)?,
                    text::json(&file.gaps)?,
                    file.media.start.ms(),
                    file.media.end.ms(),
                    i64::try_from(file.bytes).unwrap_or(i64::MAX),
                    file.sha256,
                    file.stored.is_none(),
                    file.stored.map(Timestamp::ms),
                ),
            )?;
            if changed == 0 {
                return Ok(None);
            }
            upload::enqueue(c, upload::Of::ExportPart(part))?;
            of_part(c, part)
        })
        .await
    }

    /// An open part cannot be made.
    pub async fn export_part_failed(&self, part: i64, reason: String) -> Result<Option<ExportRow>> {
        self.write(move |c| {
            c.execute(
                "UPDATE export_part SET status = 'failed', reason = ?2
                 WHERE id = ?1 AND status IN ('queued', 'running')",
                (part, &reason),
            )?;
            of_part(c, part)
        })
        .await
    }

    /// An open export has ended: how, why, and with a manifest of how many bytes. Gives it, when
    /// it was open.
    pub async fn export_ended(
        &self,
        id: ExportId,
        status: ExportStatus,
        reason: Option<String>,
        manifest_bytes: Option<u64>,
    ) -> Result<Option<ExportRow>> {
        self.write(move |c| {
            let changed = c.execute(
                "UPDATE export SET status = ?2, reason = ?3, manifest_bytes = ?4
                 WHERE public_id = ?1 AND status IN ('queued', 'running')",
                (
                    id.as_str(),
                    text::word(&status)?,
                    &reason,
                    manifest_bytes.map(|b| i64::try_from(b).unwrap_or(i64::MAX)),
                ),
            )?;
            if changed == 0 {
                return Ok(None);
            }
            let number = c.query_row(
                "SELECT id FROM export WHERE public_id = ?1",
                [id.as_str()],
                |r| r.get(0),
            )?;
            upload::enqueue(c, upload::Of::Manifest(number))?;
            one(c, &id)
        })
        .await
    }

    /// Stops an export: what is made stays, the rest is not made. Changes nothing of one that
    /// has ended.
    pub async fn export_cancel(&self, id: ExportId) -> Result<ExportRow> {
        self.write(move |c| {
            let changed = c.execute(
                "UPDATE export SET status = 'cancelled'
                 WHERE public_id = ?1 AND status IN ('queued', 'running')",
                [id.as_str()],
            )?;
            if changed > 0 {
                c.execute(
                    "UPDATE export_part SET status = 'cancelled', reason = NULL
                     WHERE status IN ('queued', 'running')
                       AND export = (SELECT id FROM export WHERE public_id = ?1)",
                    [id.as_str()],
                )?;
            }
            existing(c, &id)
        })
        .await
    }

    /// What failed or was cancelled is to be made after all. Gives whether there is anything,
    /// and the export.
    pub async fn export_again(&self, id: ExportId) -> Result<(bool, ExportRow)> {
        self.write(move |c| {
            let row = existing(c, &id)?;
            let ended = !matches!(row.status, ExportStatus::Queued | ExportStatus::Running);
            let unmade =
                |s: ExportStatus| matches!(s, ExportStatus::Failed | ExportStatus::Cancelled);
            // One that was stopped before its manifest has files and still something to make.
            let wanted =
                ended && (unmade(row.status) || row.parts.iter().any(|p| unmade(p.status)));
            if wanted {
                // The manifest will be another one.
                c.execute("DELETE FROM upload WHERE manifest = ?1", [row.number])?;
                c.execute(
                    "UPDATE export_part SET status = 'queued', reason = NULL
                     WHERE export = ?1 AND status IN ('failed', 'cancelled')",
                    [row.number],
                )?;
                c.execute(
                    "UPDATE export SET status = 'queued', reason = NULL, manifest_bytes = NULL
                     WHERE id = ?1",
                    [row.number],
                )?;
            }
            Ok((wanted, existing(c, &id)?))
        })
        .await
    }

    /// Deletes an export; its files become garbage. `remote`: files may be in the bucket
    /// although nobody said so. Gives whether there was one.
    pub async fn export_delete(&self, id: ExportId, remote: bool) -> Result<bool> {
        self.write(move |c| {
            let Some(row) = one(c, &id)? else {
                return Ok(false);
            };
            let mut uploading =
                c.prepare_cached("SELECT 1 FROM upload WHERE upload.export_part = ?1")?;
            for part in &row.parts {
                let known = part.stored.is_some() || uploading.exists([part.number])?;
                garbage_object::add(c, &part.object_key, true, known || remote)?;
            }
            // Nothing says whether it was uploaded: it may have been as soon as that was on.
            let uploaded = row.manifest_bytes.is_some()
                && (upload::on(c)? || row.parts.iter().any(|p| p.stored.is_some()));
            garbage_object::add(c, &row.manifest_key, true, uploaded)?;
            c.execute("DELETE FROM export WHERE id = ?1", [row.number])?;
            Ok(true)
        })
        .await
    }
}

#[cfg(test)]
mod tests;

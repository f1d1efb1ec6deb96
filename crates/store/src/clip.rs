//! Table `clip`: ranges of channels as files of their own.

use oriel_api::{ChannelId, ClipId, ClipStatus, Gap, Range, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    NewestPage, Result, Selection, Store, StoreError, channel, garbage_object, newest::Listed,
    text, upload,
};

/// A clip to be made.
#[derive(Clone, Debug)]
pub struct NewClip {
    /// Id.
    pub id: ClipId,
    /// Channel.
    pub channel: ChannelId,
    /// Name.
    pub name: String,
    /// What is wanted.
    pub range: Range,
    /// Begin and end with the frame asked for.
    pub exact: bool,
    /// With sound.
    pub with_audio: bool,
    /// Where its file goes.
    pub object_key: String,
    /// Now.
    pub at: Timestamp,
}

/// A clip as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipRow {
    /// Number.
    pub number: i64,
    /// Id.
    pub id: ClipId,
    /// Channel.
    pub channel: ChannelId,
    /// Name.
    pub name: String,
    /// What is wanted.
    pub range: Range,
    /// Begin and end with the frame asked for.
    pub exact: bool,
    /// With sound.
    pub with_audio: bool,
    /// How it stands.
    pub status: ClipStatus,
    /// When somebody asked for it to be made of what there is.
    pub cancelled: Option<Timestamp>,
    /// Why it failed, or what it waits for.
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
    /// When it was asked for.
    pub created: Timestamp,
}

/// A file that was made.
#[derive(Clone, Debug)]
pub struct MadeFile {
    /// Size.
    pub bytes: u64,
    /// SHA-256, when known.
    pub sha256: Option<[u8; 32]>,
    /// What it holds.
    pub media: Range,
    /// Holes, oldest first.
    pub gaps: Vec<Gap>,
    /// When it was joined in the bucket; otherwise it is in its local place.
    pub stored: Option<Timestamp>,
}

pub(crate) const LISTED: Listed = Listed {
    columns: "clip.id, clip.public_id, channel.public_id, clip.name, clip.start_ms, clip.end_ms,
     clip.exact, clip.with_audio, clip.status, clip.cancelled_ms, clip.reason, clip.gaps,
     clip.media_start_ms, clip.media_end_ms, clip.bytes, clip.sha256, clip.object_key, clip.local,
     clip.stored_ms, clip.created_ms",
    table: "clip",
    time: "created_ms",
};

fn from_row(r: &Row<'_>) -> Result<ClipRow> {
    let media = match (text::some_moment(r, 12)?, text::some_moment(r, 13)?) {
        (Some(start), Some(end)) => Some(Range { start, end }),
        _ => None,
    };
    Ok(ClipRow {
        number: r.get(0)?,
        id: text::id(&r.get::<_, String>(1)?)?,
        channel: text::id(&r.get::<_, String>(2)?)?,
        name: r.get(3)?,
        range: Range {
            start: text::moment(r, 4)?,
            end: text::moment(r, 5)?,
        },
        exact: r.get(6)?,
        with_audio: r.get(7)?,
        status: text::parse(&r.get::<_, String>(8)?)?,
        cancelled: text::some_moment(r, 9)?,
        reason: r.get(10)?,
        gaps: text::from_json(&r.get::<_, String>(11)?)?,
        media,
        bytes: r.get::<_, Option<i64>>(14)?.map(i64::unsigned_abs),
        sha256: r.get(15)?,
        object_key: r.get(16)?,
        local: r.get(17)?,
        stored: text::some_moment(r, 18)?,
        created: text::moment(r, 19)?,
    })
}

pub(crate) fn one(connection: &Connection, id: &ClipId) -> Result<Option<ClipRow>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM clip JOIN channel ON channel.id = clip.channel
             WHERE clip.public_id = ?1",
            LISTED.columns
        ))?
        .query_and_then([id.as_str()], from_row)?
        .next()
        .transpose()
}

fn existing(connection: &Connection, id: &ClipId) -> Result<ClipRow> {
    one(connection, id)?.ok_or(StoreError::NoSuch("clip"))
}

impl Store {
    /// Keeps a clip that is to be made.
    pub async fn clip_insert(&self, new: NewClip) -> Result<ClipRow> {
        self.write(move |c| {
            let (channel, _) =
                channel::key(c, &new.channel)?.ok_or(StoreError::NoSuch("channel"))?;
            c.prepare_cached(
                "INSERT INTO clip (public_id, channel, name, start_ms, end_ms, exact, with_audio,
                   status, object_key, created_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute((
                new.id.as_str(),
                channel,
                &new.name,
                new.range.start.ms(),
                new.range.end.ms(),
                new.exact,
                new.with_audio,
                text::word(&ClipStatus::InProgress)?,
                &new.object_key,
                new.at.ms(),
            ))?;
            existing(c, &new.id)
        })
        .await
    }

    /// One clip.
    pub async fn clip(&self, id: ClipId) -> Result<Option<ClipRow>> {
        self.read(move |c| one(c, &id)).await
    }

    /// A page of clips, newest first.
    pub async fn clips(&self, selection: Selection) -> Result<NewestPage<ClipRow>> {
        self.read(move |c| LISTED.page(c, &selection, from_row, |r| (r.created, r.number)))
            .await
    }

    /// Clips that are to be made, oldest first.
    pub async fn clips_open(&self) -> Result<Vec<ClipRow>> {
        self.read(|c| {
            c.prepare_cached(&format!(
                "SELECT {} FROM clip INDEXED BY clip_open
                 JOIN channel ON channel.id = clip.channel
                 WHERE clip.status = 'in_progress' ORDER BY clip.id",
                LISTED.columns
            ))?
            .query_and_then([], from_row)?
            .collect()
        })
        .await
    }

    /// Gives a clip another name.
    pub async fn clip_rename(&self, id: ClipId, name: String) -> Result<ClipRow> {
        self.write(move |c| {
            c.execute(
                "UPDATE clip SET name = ?2 WHERE public_id = ?1",
                (id.as_str(), &name),
            )?;
            existing(c, &id)
        })
        .await
    }

    /// A clip in progress is to be made of what there is. Changes nothing else.
    pub async fn clip_cancel(&self, id: ClipId, at: Timestamp) -> Result<ClipRow> {
        self.write(move |c| {
            c.execute(
                "UPDATE clip SET cancelled_ms = coalesce(cancelled_ms, ?2)
                 WHERE public_id = ?1 AND status = 'in_progress'",
                (id.as_str(), at.ms()),
            )?;
            existing(c, &id)
        })
        .await
    }

    /// A clip that failed or has holes is to be made again; its file stays until the new one is
    /// there. Changes nothing of another. Gives whether it did, and the clip.
    pub async fn clip_again(&self, id: ClipId) -> Result<(bool, ClipRow)> {
        self.write(move |c| {
            let changed = c.execute(
                "UPDATE clip SET status = 'in_progress', reason = NULL, cancelled_ms = NULL
                 WHERE public_id = ?1 AND status IN ('failed', 'partial')",
                [id.as_str()],
            )?;
            Ok((changed > 0, existing(c, &id)?))
        })
        .await
    }

    /// What a clip in progress waits for.
    pub async fn clip_waits(&self, id: ClipId, reason: Option<String>) -> Result<()> {
        self.write(move |c| {
            c.execute(
                "UPDATE clip SET reason = ?2 WHERE public_id = ?1 AND status = 'in_progress'",
                (id.as_str(), &reason),
            )?;
            Ok(())
        })
        .await
    }

    /// A clip in progress has its file. `None` when nobody wants it any more: the file is
    /// garbage then.
    pub async fn clip_made(&self, id: ClipId, file: MadeFile) -> Result<Option<ClipRow>> {
        self.write(move |c| {
            let status = if file.gaps.is_empty() {
                ClipStatus::Finished
            } else {
                ClipStatus::Partial
            };
            let changed = c
                .prepare_cached(
                    "UPDATE clip SET status = ?2, reason = NULL, gaps = ?3, media_start_ms = ?4,
                       media_end_ms = ?5, bytes = ?6, sha256 = ?7, local = ?8, stored_ms = ?9
                     WHERE public_id = ?1 AND status = 'in_progress'",
                )?
                .execute((
                    id.as_str(),
                    text::word(&status)?,
                    text::json(&file.gaps)?,
                    file.media.start.ms(),
                    file.media.end.ms(),
                    i64::try_from(file.bytes).unwrap_or(i64::MAX),
                    file.sha256,
                    file.stored.is_none(),
                    file.stored.map(Timestamp::ms),
                ))?;
            if changed == 0 {
                return Ok(None);
            }
            let row = existing(c, &id)?;
            // One that waits is of the file before.
            c.execute("DELETE FROM upload WHERE clip = ?1", [row.number])?;
            upload::enqueue(c, upload::Of::Clip(row.number))?;
            Ok(Some(row))
        })
        .await
    }

    /// A clip in progress cannot be made. One that had a file before keeps it, with its holes.
    /// `None` when it is not in progress any more.
    pub async fn clip_failed(&self, id: ClipId, reason: String) -> Result<Option<ClipRow>> {
        self.write(move |c| {
            let changed = c.execute(
                "UPDATE clip SET reason = ?2,
                   status = CASE WHEN media_start_ms IS NULL THEN 'failed' ELSE 'partial' END
                 WHERE public_id = ?1 AND status = 'in_progress'",
                (id.as_str(), &reason),
            )?;
            if changed == 0 {
                return Ok(None);
            }
            existing(c, &id).map(Some)
        })
        .await
    }

    /// Deletes a clip; its bytes become garbage. `remote`: bytes may be in the bucket although
    /// nobody said so. Gives whether there was one.
    pub async fn clip_delete(&self, id: ClipId, remote: bool) -> Result<bool> {
        self.write(move |c| {
            let found: Option<(i64, String, bool)> = c
                .query_row(
                    "SELECT id, object_key, stored_ms IS NOT NULL
                       OR EXISTS (SELECT 1 FROM upload WHERE upload.clip = clip.id)
                     FROM clip WHERE public_id = ?1",
                    [id.as_str()],
                    |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
                )
                .optional()?;
            let Some((number, key, stored)) = found else {
                return Ok(false);
            };
            garbage_object::add(c, &key, true, stored || remote)?;
            c.execute("DELETE FROM clip WHERE id = ?1", [number])?;
            Ok(true)
        })
        .await
    }
}

#[cfg(test)]
mod tests;

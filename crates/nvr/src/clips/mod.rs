//! Clips: ranges of a channel as files of their own, kept until somebody deletes them.
//!
//! An operation only writes down what is wanted; the files are made by the jobs.

mod job;

use std::time::Duration;

use oriel_api::{
    Caller, Change, Clip, ClipCreate, ClipId, ClipList, ClipRef, ClipShare, ClipStatus, ClipUpdate,
    Empty, Error, ErrorCode, Page, Permission, Range, Result, ShareLink, Timestamp,
};
use oriel_bucket::ObjectKey;
use oriel_store::{ClipRow, NewClip};
use tracing::info;

pub(crate) use job::ClipJob;

use crate::{Nvr, address, jobs::JobId, listing, made::key_of, random, sign::Purpose};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// Clips that may wait to be made.
const WAITING: usize = 500;
/// While it is not complete, nobody is told that it is.
const ALMOST: f64 = 0.99;

fn has_file(row: &ClipRow) -> bool {
    row.local || row.stored.is_some()
}

fn none() -> Error {
    Error::not_found("There is no such clip.")
}

impl Nvr {
    /// The clip, when the caller has this right on its channel.
    async fn clip_row(
        &self,
        caller: &Caller,
        permission: Permission,
        id: &ClipId,
    ) -> Result<ClipRow> {
        let row = self.store.clip(id.clone()).await?.ok_or_else(none)?;
        if caller.sees(permission, &row.channel) {
            Ok(row)
        } else {
            Err(none())
        }
    }

    /// How far a clip is, 0 to 1.
    fn clip_progress(&self, row: &ClipRow) -> f64 {
        match row.status {
            ClipStatus::Finished | ClipStatus::Partial => 1.0,
            ClipStatus::Failed => 0.0,
            ClipStatus::InProgress if row.range.end > row.created => {
                job::passed(row, self.clock_now()).min(ALMOST)
            }
            ClipStatus::InProgress => {
                let file = self.jobs.fraction(&JobId::Clip(row.id.clone()));
                file.unwrap_or(0.0).min(ALMOST)
            }
        }
    }

    /// A clip as callers see it.
    async fn clip_view(&self, row: &ClipRow) -> Result<Clip> {
        let url = if has_file(row) {
            let key = key_of(&row.object_key)?;
            Some(self.object_url(&key, Purpose::Object.lifetime()).await?)
        } else {
            None
        };
        Ok(Clip {
            clip_id: row.id.clone(),
            channel_id: row.channel.clone(),
            name: row.name.clone(),
            time_start: row.range.start,
            time_end: row.range.end,
            status: row.status,
            progress: self.clip_progress(row),
            exact: row.exact,
            with_audio: row.with_audio,
            gaps: row.gaps.clone(),
            reason: row.reason.clone(),
            media_start: row.media.map(|m| m.start),
            media_end: row.media.map(|m| m.end),
            bytes: row.bytes,
            sha256: row.sha256.map(listing::hex),
            stored: row.stored.is_some(),
            created: row.created,
            url,
        })
    }

    /// Tells viewers what a clip is now, and gives it.
    async fn clip_pushed(&self, row: &ClipRow) -> Result<Clip> {
        let clip = self.clip_view(row).await?;
        self.push(Change::Clip {
            clip: Box::new(clip.clone()),
        });
        Ok(clip)
    }

    /// Tells viewers how far a clip is.
    pub(crate) async fn tell_clip(&self, id: ClipId) -> Result<()> {
        if let Some(row) = self.store.clip(id).await? {
            self.clip_pushed(&row).await?;
        }
        Ok(())
    }

    pub(crate) async fn list_clips(&self, caller: &Caller, input: ClipList) -> Result<Page<Clip>> {
        let channels = match input.channel_id {
            Some(id) => Some(vec![self.channel_row(&id).await?.id]),
            None => {
                self.seen_channels(caller, Permission::RecordingsView)
                    .await?
            }
        };
        let selection = listing::selection(channels, input.limit, input.after.as_deref())?;
        let page = self.store.clips(selection).await?;
        let next = listing::next(&page, |r| (r.created, r.number));
        let mut items = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            items.push(self.clip_view(row).await?);
        }
        Ok(Page { items, next })
    }

    pub(crate) async fn create_clip(&self, input: ClipCreate) -> Result<Clip> {
        let range = Range::checked(input.start, input.end)?;
        let now = self.clock_now();
        if range.end.ms() - range.start.ms() > DAY_MS {
            return Err(Error::invalid("A clip is 24 hours long at most."));
        }
        if range.end.ms() > now.ms().saturating_add(DAY_MS) {
            return Err(Error::invalid(
                "The end of a clip is at most 24 hours from now.",
            ));
        }
        if range.start.ms() < 0 {
            return Err(Error::invalid("A clip begins after 1970."));
        }
        let channel = self.channel_row(&input.channel_id).await?;
        let name = match &input.name {
            Some(name) => address::name(name)?,
            None => listing::named(&channel.name, range.start).await?,
        };
        if self.store.clips_open().await?.len() >= WAITING {
            return Err(Error::conflict(
                "Too many clips are being made. Wait until some are finished, or delete some.",
            ));
        }
        let id = ClipId::from_random(random::bytes()?);
        let key = ObjectKey::clip(&channel.id, id.as_str()).map_err(Error::internal)?;
        let row = self
            .store
            .clip_insert(NewClip {
                id,
                channel: channel.id,
                name,
                range,
                exact: input.exact.unwrap_or(false),
                with_audio: input.with_audio.unwrap_or(true),
                object_key: key.to_string(),
                at: now,
            })
            .await?;
        info!(clip = %row.id, channel = %row.channel, "a clip is wanted");
        let clip = self.clip_pushed(&row).await?;
        self.jobs.wake.notify_one();
        Ok(clip)
    }

    pub(crate) async fn get_clip(&self, caller: &Caller, input: ClipRef) -> Result<Clip> {
        let row = self
            .clip_row(caller, Permission::RecordingsView, &input.id)
            .await?;
        self.clip_view(&row).await
    }

    pub(crate) async fn update_clip(&self, caller: &Caller, input: ClipUpdate) -> Result<Clip> {
        self.clip_row(caller, Permission::ClipsCreate, &input.id)
            .await?;
        let name = address::name(&input.name)?;
        let row = self.store.clip_rename(input.id, name).await?;
        self.clip_pushed(&row).await
    }

    pub(crate) async fn delete_clip(&self, caller: &Caller, input: ClipRef) -> Result<Empty> {
        let row = self
            .clip_row(caller, Permission::ClipsCreate, &input.id)
            .await?;
        let _stopped = self.jobs.stop(JobId::Clip(input.id.clone())).await;
        // One that was being made may have been joined in the bucket just now.
        let joined = row.status == ClipStatus::InProgress && self.has_remote();
        if !self.store.clip_delete(input.id.clone(), joined).await? {
            return Err(none());
        }
        info!(clip = %input.id, "a clip was deleted");
        self.push(Change::ClipRemoved { id: input.id });
        self.tell_left(&row.channel).await;
        self.garbage.notify_one();
        Ok(Empty {})
    }

    pub(crate) async fn cancel_clip(&self, caller: &Caller, input: ClipRef) -> Result<Clip> {
        let row = self
            .clip_row(caller, Permission::ClipsCreate, &input.id)
            .await?;
        if row.status != ClipStatus::InProgress {
            return Err(Error::conflict("This clip is not being made any more."));
        }
        let row = self.store.clip_cancel(input.id, self.clock_now()).await?;
        self.jobs.hurry(JobId::Clip(row.id.clone()));
        self.clip_pushed(&row).await
    }

    pub(crate) async fn retry_clip(&self, caller: &Caller, input: ClipRef) -> Result<Clip> {
        self.clip_row(caller, Permission::ClipsCreate, &input.id)
            .await?;
        let (again, row) = self.store.clip_again(input.id).await?;
        if !again && row.status == ClipStatus::Finished {
            return Err(Error::conflict("This clip is complete."));
        }
        self.jobs.hurry(JobId::Clip(row.id.clone()));
        self.clip_pushed(&row).await
    }

    pub(crate) async fn share_clip(&self, caller: &Caller, input: ClipShare) -> Result<ShareLink> {
        let row = self
            .clip_row(caller, Permission::RecordingsExport, &input.id)
            .await?;
        let hours = match input.hours.unwrap_or(24) {
            n @ 1..=168 => n,
            _ => return Err(Error::invalid("A link works for 1 to 168 hours.")),
        };
        if !has_file(&row) {
            return Err(Error::new(
                ErrorCode::PreconditionFailed,
                "This clip is not made yet.",
            ));
        }
        let ttl = Duration::from_secs(u64::from(hours) * 3600);
        let url = self.share_url(&key_of(&row.object_key)?, ttl).await?;
        let expires = Timestamp::from_ms(self.clock_now().ms() + i64::from(hours) * 3_600_000);
        Ok(ShareLink { url, expires })
    }
}

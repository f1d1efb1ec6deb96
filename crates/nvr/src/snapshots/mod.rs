//! Snapshots: one frame as JPEG. The entry comes first, then the picture: sent by the caller, or
//! taken by the recorder.

mod expiry;
mod take;

use oriel_api::{
    Caller, Change, ChannelSnapshots, Empty, Error, ErrorCode, Page, Permission, Result, Snapshot,
    SnapshotCreate, SnapshotId, SnapshotList, SnapshotRef, SnapshotSource, SnapshotStatus,
};
use oriel_bucket::BucketError;
use oriel_store::{NewSnapshot, Selection, SnapshotRow};

pub(crate) use expiry::spawn;

use crate::{
    Nvr, listing,
    made::{key_of, place_failed},
    random,
    sign::Purpose,
};

/// Largest picture.
const LARGEST: usize = 8 * 1024 * 1024;
/// A caller's clock may be ahead by this.
const AHEAD_MS: i64 = 60_000;

fn none() -> Error {
    Error::not_found("There is no such snapshot.")
}

/// Whether bytes begin as a JPEG does.
fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

impl Nvr {
    async fn snapshot_row(
        &self,
        caller: &Caller,
        permission: Permission,
        id: &SnapshotId,
    ) -> Result<SnapshotRow> {
        let row = self.store.snapshot(id.clone()).await?.ok_or_else(none)?;
        if caller.sees(permission, &row.channel) {
            Ok(row)
        } else {
            Err(none())
        }
    }

    /// A snapshot as callers see it.
    async fn snapshot_view(&self, row: &SnapshotRow) -> Result<Snapshot> {
        let url = match row.status {
            SnapshotStatus::Stored => {
                let key = key_of(&row.object_key)?;
                Some(self.object_url(&key, Purpose::Object.lifetime()).await?)
            }
            SnapshotStatus::Pending | SnapshotStatus::Failed => None,
        };
        Ok(Snapshot {
            snapshot_id: row.id.clone(),
            channel_id: row.channel.clone(),
            taken: row.taken,
            source: row.source,
            status: row.status,
            reason: row.reason.clone(),
            bytes: row.bytes,
            upload_url: None,
            upload_headers: Default::default(),
            url,
        })
    }

    /// Tells viewers what a snapshot is now, and gives it.
    async fn snapshot_pushed(&self, row: &SnapshotRow) -> Result<Snapshot> {
        let snapshot = self.snapshot_view(row).await?;
        self.push(Change::Snapshot {
            snapshot: Box::new(snapshot.clone()),
        });
        Ok(snapshot)
    }

    async fn snapshot_page(&self, selection: Selection) -> Result<Page<Snapshot>> {
        let page = self.store.snapshots(selection).await?;
        let next = listing::next(&page, |r| (r.taken, r.number));
        let mut items = Vec::with_capacity(page.rows.len());
        for row in &page.rows {
            items.push(self.snapshot_view(row).await?);
        }
        Ok(Page { items, next })
    }

    pub(crate) async fn list_snapshots(
        &self,
        caller: &Caller,
        input: SnapshotList,
    ) -> Result<Page<Snapshot>> {
        let channels = self
            .seen_channels(caller, Permission::RecordingsView)
            .await?;
        let selection = listing::selection(channels, input.limit, input.after.as_deref())?;
        self.snapshot_page(selection).await
    }

    pub(crate) async fn list_channel_snapshots(
        &self,
        input: ChannelSnapshots,
    ) -> Result<Page<Snapshot>> {
        let channel = self.channel_row(&input.id).await?.id;
        let channels = Some(vec![channel]);
        let selection = listing::selection(channels, input.limit, input.after.as_deref())?;
        self.snapshot_page(selection).await
    }

    pub(crate) async fn create_snapshot(&self, input: SnapshotCreate) -> Result<Snapshot> {
        let channel = self.channel_row(&input.id).await?;
        let now = self.clock_now();
        let taken = match (input.source, input.taken) {
            (SnapshotSource::Client, Some(taken)) => {
                if taken.ms() < 0 || taken.ms() > now.ms().saturating_add(AHEAD_MS) {
                    return Err(Error::invalid(
                        "A snapshot shows a moment after 1970 and not in the future.",
                    ));
                }
                taken
            }
            (SnapshotSource::Agent, Some(_)) => {
                return Err(Error::invalid(
                    "The recorder takes a snapshot of this moment; leave out when.",
                ));
            }
            (_, None) => now,
        };
        if input.source == SnapshotSource::Agent && channel.camera.is_none() {
            return Err(Error::new(
                ErrorCode::PreconditionFailed,
                "This channel has no camera any more.",
            ));
        }
        let row = self
            .store
            .snapshot_insert(NewSnapshot {
                id: SnapshotId::from_random(random::bytes()?),
                channel: channel.id,
                taken,
                source: input.source,
                at: now,
            })
            .await?;
        let mut snapshot = self.snapshot_pushed(&row).await?;
        match (input.source, channel.camera) {
            (SnapshotSource::Agent, Some(camera)) => self.take_snapshot(row, camera).await,
            _ => {
                let (url, headers) = self.object_put_url(&key_of(&row.object_key)?);
                snapshot.upload_url = Some(url);
                snapshot.upload_headers = headers;
                Ok(snapshot)
            }
        }
    }

    pub(crate) async fn get_snapshot(
        &self,
        caller: &Caller,
        input: SnapshotRef,
    ) -> Result<Snapshot> {
        let row = self
            .snapshot_row(caller, Permission::RecordingsView, &input.id)
            .await?;
        self.snapshot_view(&row).await
    }

    pub(crate) async fn confirm_snapshot(
        &self,
        caller: &Caller,
        input: SnapshotRef,
    ) -> Result<Snapshot> {
        let row = self
            .snapshot_row(caller, Permission::SnapshotsCreate, &input.id)
            .await?;
        match (row.status, row.source) {
            (SnapshotStatus::Stored, _) => return self.snapshot_view(&row).await,
            (SnapshotStatus::Failed, _) => {
                let reason = row.reason.unwrap_or_default();
                return Err(Error::conflict(format!("This snapshot failed: {reason}")));
            }
            (SnapshotStatus::Pending, SnapshotSource::Agent) => {
                return Err(Error::conflict("The recorder takes this snapshot itself."));
            }
            (SnapshotStatus::Pending, SnapshotSource::Client) => {}
        }
        let key = key_of(&row.object_key)?;
        let object = match self.local_place(&key)?.get(&key, None).await {
            Err(BucketError::NotFound) => {
                return Err(Error::new(
                    ErrorCode::PreconditionFailed,
                    "The picture has not arrived. Send it to upload_url, then confirm.",
                ));
            }
            other => other.map_err(place_failed)?,
        };
        let bytes = match object.bytes(LARGEST).await {
            Err(BucketError::Invalid(_)) => {
                return self
                    .refuse_picture(&row, "The picture has more than 8 MiB.")
                    .await;
            }
            other => other.map_err(place_failed)?,
        };
        if !is_jpeg(&bytes) {
            return self
                .refuse_picture(&row, "The picture is not a JPEG.")
                .await;
        }
        self.keep_snapshot(&row.id, &bytes).await
    }

    async fn refuse_picture(&self, row: &SnapshotRow, reason: &str) -> Result<Snapshot> {
        self.fail_snapshot(&row.id, reason).await?;
        Err(Error::invalid(reason))
    }

    /// A pending snapshot gets no picture.
    async fn fail_snapshot(&self, id: &SnapshotId, reason: &str) -> Result<Snapshot> {
        let row = self
            .store
            .snapshot_failed(id.clone(), reason.to_owned())
            .await?;
        self.garbage.notify_one();
        self.snapshot_pushed(&row).await
    }

    /// The picture of a pending snapshot, these bytes, is in its place.
    async fn keep_snapshot(&self, id: &SnapshotId, bytes: &[u8]) -> Result<Snapshot> {
        use sha2::{Digest, Sha256};
        let sum: [u8; 32] = Sha256::digest(bytes).into();
        let row = self
            .store
            .snapshot_stored(id.clone(), bytes.len() as u64, sum)
            .await?;
        self.snapshot_pushed(&row).await
    }

    pub(crate) async fn delete_snapshot(
        &self,
        caller: &Caller,
        input: SnapshotRef,
    ) -> Result<Empty> {
        let row = self
            .snapshot_row(caller, Permission::SnapshotsCreate, &input.id)
            .await?;
        if !self.store.snapshot_delete(input.id.clone()).await? {
            return Err(none());
        }
        self.push(Change::SnapshotRemoved { id: input.id });
        self.tell_left(&row.channel).await;
        self.garbage.notify_one();
        Ok(Empty {})
    }
}

//! Operations on channels.

use oriel_api::{
    Caller, Change, Channel, ChannelCreate, ChannelId, ChannelList, ChannelRef, ChannelUpdate,
    Empty, Error, Page, Permission, Result,
};
use oriel_store::{ChannelChange, NewChannel};
use tracing::warn;

use crate::{Nvr, address, random};

/// Seconds per segment as given: 0 goes back to the recorder's setting.
fn segment_seconds(given: u32) -> Result<Option<u32>> {
    match given {
        0 => Ok(None),
        5..=600 => Ok(Some(given)),
        _ => Err(Error::invalid("A segment has 5 to 600 seconds.")),
    }
}

/// A number as given; 0 takes it away.
fn optional(
    given: u32,
    range: std::ops::RangeInclusive<u32>,
    wrong: &'static str,
) -> Result<Option<u32>> {
    match given {
        0 => Ok(None),
        n if range.contains(&n) => Ok(Some(n)),
        _ => Err(Error::invalid(wrong)),
    }
}

impl Nvr {
    pub(crate) async fn list_channels(
        &self,
        caller: &Caller,
        _: ChannelList,
    ) -> Result<Page<Channel>> {
        let rows = self.store.channels().await?;
        let seen = rows
            .into_iter()
            .filter(|row| caller.sees(Permission::LiveView, &row.id));
        Ok(Page::all(seen.map(|r| self.channel_view(r)).collect()))
    }

    pub(crate) async fn get_channel(&self, input: ChannelRef) -> Result<Channel> {
        Ok(self.channel_view(self.channel_row(&input.id).await?))
    }

    pub(crate) async fn create_channel(&self, input: ChannelCreate) -> Result<Channel> {
        let name = input.name.as_deref().map(address::name).transpose()?;
        let _editing = self.editing.lock().await;
        let row = self
            .store
            .channel_insert(NewChannel {
                id: ChannelId::from_random(random::bytes()?),
                camera: input.camera_id.clone(),
                name,
                at: self.clock_now(),
            })
            .await?;
        self.reapply(&row.id).await;
        Ok(self.channel_pushed(self.channel_view(row)))
    }

    pub(crate) async fn update_channel(&self, input: ChannelUpdate) -> Result<Channel> {
        let change = ChannelChange {
            name: input.name.as_deref().map(address::name).transpose()?,
            record_mode: input.record_mode,
            engine: input.engine,
            audio: input.audio,
            segment_seconds: input.segment_seconds.map(segment_seconds).transpose()?,
            segment_mb: input
                .segment_mb
                .map(|n| optional(n, 1..=4096, "A segment has 1 to 4096 MB."))
                .transpose()?,
            upload: input.upload,
            retention_days: input
                .retention_days
                .map(|n| optional(n, 1..=3650, "Footage is kept for 1 to 3650 days."))
                .transpose()?,
            quota_mb: input
                .quota_mb
                .map(|n| optional(n, 1..=u32::MAX, ""))
                .transpose()?,
        };
        let _editing = self.editing.lock().await;
        let row = self
            .store
            .channel_update(input.id, change, self.clock_now())
            .await?;
        self.uploads.settings_changed();
        self.reapply(&row.id).await;
        Ok(self.channel_pushed(self.channel_view(row)))
    }

    pub(crate) async fn delete_channel(&self, input: ChannelRef) -> Result<Empty> {
        let links = self.links()?;
        let _editing = self.editing.lock().await;
        let row = self.channel_row(&input.id).await?;
        if let Some(camera) = &row.camera {
            links.agent.remove(camera).await?;
        }
        self.store
            .channel_remove(input.id.clone(), false, self.clock_now())
            .await?;
        links.worker.channel_removed(&input.id);
        // A clip that waited for its footage is made of what there is.
        self.jobs.wake.notify_one();
        if let Some(camera) = &row.camera {
            self.states().removed(camera);
            let camera = self.camera_row(camera).await?;
            self.push(Change::Camera {
                camera: Box::new(self.camera_view(&camera)),
            });
        }
        self.push_channel(&input.id).await;
        Ok(Empty {})
    }

    /// Gives the channel's camera to the agent anew.
    async fn reapply(&self, channel: &ChannelId) {
        let applied = async {
            let row = self.channel_row(channel).await?;
            match row.camera {
                Some(camera) => self.apply(&self.camera_row(&camera).await?).await,
                None => Ok(()),
            }
        };
        if let Err(error) = applied.await {
            warn!(%channel, %error, "the agent did not take a change");
        }
    }

    fn channel_pushed(&self, channel: Channel) -> Channel {
        self.push(Change::Channel {
            channel: Box::new(channel.clone()),
        });
        channel
    }

    /// Tells viewers what a channel is now, or that it is gone.
    pub(crate) async fn push_channel(&self, id: &ChannelId) {
        match self.store.channel(id.clone()).await {
            Ok(Some(row)) => {
                self.channel_pushed(self.channel_view(row));
            }
            Ok(None) => self.push(Change::ChannelRemoved { id: id.clone() }),
            Err(error) => warn!(channel = %id, %error, "viewers were not told of a channel"),
        }
    }
}

//! What the agent and the worker report.

use async_trait::async_trait;
use oriel_api::{
    CameraId, Change, ChannelId, EventKind, Quality, Reason, ReasonCode, Result, Timestamp,
    link::{NvrLink, RunId, RunStarted, SegmentClosed, StreamStatus},
};
use oriel_store::Inserted;

use crate::{Nvr, states::Note};

#[async_trait]
impl NvrLink for Nvr {
    async fn run_started(&self, run: RunStarted) -> Result<RunId> {
        let channel = run.channel.clone();
        let id = self.store.run_start(run).await?;
        self.states().touch_channel(&channel);
        self.news.notify_one();
        Ok(id)
    }

    async fn run_ended(
        &self,
        run: RunId,
        end: Timestamp,
        reason: Reason,
        drift_ppm: Option<f64>,
    ) -> Result<()> {
        let clock_step = reason.code == ReasonCode::ClockStep;
        let channel = self
            .store
            .run_end(run, end, reason.clone(), drift_ppm)
            .await?;
        if let Some(channel) = channel {
            if clock_step {
                self.write_event(EventKind::ClockStep, Some(channel.clone()), Some(reason))
                    .await?;
            }
            self.states().touch_channel(&channel);
            self.news.notify_one();
        }
        Ok(())
    }

    async fn segment_closed(&self, segment: SegmentClosed) -> Result<()> {
        let (channel_id, start, end) = (segment.channel.clone(), segment.start, segment.end);
        let adopted = segment.run.is_none();
        match self.store.recording_insert(segment).await? {
            Inserted::Added => {
                self.uploads.wake();
                if adopted && self.states().recovered(&channel_id) {
                    self.write_event(EventKind::Recovered, Some(channel_id.clone()), None)
                        .await?;
                }
                self.jobs.wake.notify_one();
                self.push(Change::Recorded {
                    channel_id,
                    start,
                    end,
                });
            }
            Inserted::Known => {}
            Inserted::Unwanted => self.garbage.notify_one(),
        }
        Ok(())
    }

    async fn local_segments(
        &self,
        channel: &ChannelId,
        after: Timestamp,
        limit: usize,
    ) -> Result<Vec<Timestamp>> {
        Ok(self
            .store
            .local_starts(channel.clone(), after, limit)
            .await?)
    }

    async fn recordings_place(&self, mark: Option<&str>) -> Result<bool> {
        self.is_known_place(mark).await
    }

    async fn segment_missing(&self, channel: &ChannelId, start: Timestamp) -> Result<()> {
        self.store.recording_missing(channel.clone(), start).await?;
        Ok(())
    }

    fn stream_changed(&self, camera: &CameraId, quality: Quality, status: StreamStatus) {
        let notes = self
            .states()
            .stream(camera, quality, status, self.clock_now());
        for note in notes {
            self.note(note);
        }
        self.news.notify_one();
    }

    fn storage_changed(&self, channel: &ChannelId, error: Option<String>) {
        let note: Option<Note> = self.states().storage(channel, error, self.clock_now());
        if let Some(note) = note {
            self.note(note);
        }
        self.news.notify_one();
    }
}

//! Every operation, each one line: the work is in the module of its noun.

use oriel_api::*;
use tracing::error;

use crate::Nvr;

impl Operations for Nvr {
    async fn audit(&self, entry: AuditEntry) {
        if let Err(cause) = self.store.audit_insert(entry).await {
            error!(%cause, "the audit log could not be written");
        }
    }

    fn now(&self) -> Timestamp {
        self.clock_now()
    }

    async fn health(&self, _: &Caller, _: Empty) -> Result<Health> {
        Ok(self.readiness())
    }

    async fn camera_list(&self, caller: &Caller, _: CameraList) -> Result<Page<Camera>> {
        self.list_cameras(caller).await
    }
    async fn camera_create(&self, _: &Caller, input: CameraCreate) -> Result<Camera> {
        self.create_camera(input).await
    }
    async fn camera_probe(&self, _: &Caller, input: CameraProbe) -> Result<ProbeReport> {
        self.probe_camera(input).await
    }
    async fn camera_get(&self, _: &Caller, input: CameraRef) -> Result<Camera> {
        self.get_camera(input).await
    }
    async fn camera_update(&self, _: &Caller, input: CameraUpdate) -> Result<Camera> {
        self.update_camera(input).await
    }
    async fn camera_delete(&self, caller: &Caller, input: CameraDelete) -> Result<Empty> {
        self.delete_camera(caller, input).await
    }

    async fn channel_list(&self, caller: &Caller, input: ChannelList) -> Result<Page<Channel>> {
        self.list_channels(caller, input).await
    }
    async fn channel_create(&self, _: &Caller, input: ChannelCreate) -> Result<Channel> {
        self.create_channel(input).await
    }
    async fn channel_get(&self, _: &Caller, input: ChannelRef) -> Result<Channel> {
        self.get_channel(input).await
    }
    async fn channel_update(&self, _: &Caller, input: ChannelUpdate) -> Result<Channel> {
        self.update_channel(input).await
    }
    async fn channel_delete(&self, _: &Caller, input: ChannelRef) -> Result<Empty> {
        self.delete_channel(input).await
    }

    async fn stream_token(&self, _: &Caller, input: StreamTokenRequest) -> Result<StreamToken> {
        self.make_stream_token(input).await
    }
    async fn event_token(&self, caller: &Caller, _: EventTokenRequest) -> Result<EventToken> {
        self.make_event_token(caller)
    }

    async fn segment_list(&self, _: &Caller, input: SegmentQuery) -> Result<Page<Segment>> {
        self.list_segments(input).await
    }
    async fn channel_recordings(
        &self,
        _: &Caller,
        input: RecordingQuery,
    ) -> Result<Page<Recording>> {
        self.list_recordings(input).await
    }
    async fn timeline(&self, _: &Caller, input: TimelineQuery) -> Result<Timeline> {
        self.overview(input).await
    }
    async fn recording_days(&self, caller: &Caller, input: DaysQuery) -> Result<Days> {
        self.days(caller, input).await
    }

    async fn protection_list(&self, _: &Caller, input: ProtectionList) -> Result<Page<Protection>> {
        self.list_protections(input).await
    }
    async fn protection_create(&self, _: &Caller, input: ProtectionCreate) -> Result<Protection> {
        self.create_protection(input).await
    }
    async fn protection_delete(&self, _: &Caller, input: ProtectionRef) -> Result<Empty> {
        self.delete_protection(input).await
    }

    async fn clip_list(&self, caller: &Caller, input: ClipList) -> Result<Page<Clip>> {
        self.list_clips(caller, input).await
    }
    async fn clip_create(&self, _: &Caller, input: ClipCreate) -> Result<Clip> {
        self.create_clip(input).await
    }
    async fn clip_get(&self, caller: &Caller, input: ClipRef) -> Result<Clip> {
        self.get_clip(caller, input).await
    }
    async fn clip_update(&self, caller: &Caller, input: ClipUpdate) -> Result<Clip> {
        self.update_clip(caller, input).await
    }
    async fn clip_delete(&self, caller: &Caller, input: ClipRef) -> Result<Empty> {
        self.delete_clip(caller, input).await
    }
    async fn clip_cancel(&self, caller: &Caller, input: ClipRef) -> Result<Clip> {
        self.cancel_clip(caller, input).await
    }
    async fn clip_retry(&self, caller: &Caller, input: ClipRef) -> Result<Clip> {
        self.retry_clip(caller, input).await
    }
    async fn clip_share(&self, caller: &Caller, input: ClipShare) -> Result<ShareLink> {
        self.share_clip(caller, input).await
    }

    async fn snapshot_list(&self, caller: &Caller, input: SnapshotList) -> Result<Page<Snapshot>> {
        self.list_snapshots(caller, input).await
    }
    async fn channel_snapshots(
        &self,
        _: &Caller,
        input: ChannelSnapshots,
    ) -> Result<Page<Snapshot>> {
        self.list_channel_snapshots(input).await
    }
    async fn snapshot_create(&self, _: &Caller, input: SnapshotCreate) -> Result<Snapshot> {
        self.create_snapshot(input).await
    }
    async fn snapshot_get(&self, caller: &Caller, input: SnapshotRef) -> Result<Snapshot> {
        self.get_snapshot(caller, input).await
    }
    async fn snapshot_confirm(&self, caller: &Caller, input: SnapshotRef) -> Result<Snapshot> {
        self.confirm_snapshot(caller, input).await
    }
    async fn snapshot_delete(&self, caller: &Caller, input: SnapshotRef) -> Result<Empty> {
        self.delete_snapshot(caller, input).await
    }

    async fn export_list(&self, caller: &Caller, input: ExportList) -> Result<Page<Export>> {
        self.list_exports(caller, input).await
    }
    async fn export_create(&self, caller: &Caller, input: ExportCreate) -> Result<Export> {
        self.create_export(caller, input).await
    }
    async fn export_get(&self, caller: &Caller, input: ExportRef) -> Result<Export> {
        self.get_export(caller, input).await
    }
    async fn export_cancel(&self, caller: &Caller, input: ExportRef) -> Result<Export> {
        self.cancel_export(caller, input).await
    }
    async fn export_retry(&self, caller: &Caller, input: ExportRef) -> Result<Export> {
        self.retry_export(caller, input).await
    }
    async fn export_delete(&self, caller: &Caller, input: ExportRef) -> Result<Empty> {
        self.delete_export(caller, input).await
    }

    async fn event_create(&self, _: &Caller, input: EventCreate) -> Result<Event> {
        self.create_event(input).await
    }
    async fn event_list(&self, caller: &Caller, input: EventQuery) -> Result<Page<Event>> {
        self.list_events(caller, input).await
    }

    async fn demo_list(&self, _: &Caller, _: Empty) -> Result<Page<DemoCamera>> {
        self.list_demo().await
    }
    async fn demo_add(&self, _: &Caller, _: Empty) -> Result<Page<Camera>> {
        self.add_demo().await
    }

    async fn storage_get(&self, _: &Caller, _: Empty) -> Result<Storage> {
        self.storage().await
    }
    async fn storage_update(&self, _: &Caller, input: StorageUpdate) -> Result<Storage> {
        self.update_storage(input).await
    }
    async fn storage_test(&self, _: &Caller, input: StorageTest) -> Result<StorageTestReport> {
        self.test_storage(input).await
    }
    async fn storage_retry(&self, _: &Caller, input: Empty) -> Result<Storage> {
        self.retry_storage(input).await
    }
    async fn place_update(&self, _: &Caller, input: PlaceUpdate) -> Result<Storage> {
        self.update_place(input).await
    }
    async fn storage_forecast(&self, _: &Caller, input: ForecastQuery) -> Result<Forecast> {
        self.forecast(input).await
    }

    async fn system_get(&self, _: &Caller, _: Empty) -> Result<SystemInfo> {
        self.facts().await
    }
    async fn settings_get(&self, _: &Caller, _: Empty) -> Result<Settings> {
        Ok(self.settings())
    }
    async fn settings_update(&self, _: &Caller, input: SettingsUpdate) -> Result<Settings> {
        self.update_settings(input).await
    }
}

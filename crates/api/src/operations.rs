//! The table of operations. One row gives a method of the trait that the nvr implements, a row
//! of data for REST and OpenAPI, and an arm of `dispatch`.

use crate::dispatch::target;
use crate::*;

macro_rules! operations {
    ($( $(#[doc = $doc:literal])+ $name:ident: $method:ident $path:literal, $permission:ident, $input:ty => $output:ty; )*) => {
        /// Every operation as a method. The nvr implements it; a missing one fails to compile.
        pub trait Operations: Send + Sync {
            /// Writes one line of the audit log.
            fn audit(&self, entry: AuditEntry) -> impl Future<Output = ()> + Send;
            /// Wall clock, so that tests can hold it still.
            fn now(&self) -> Timestamp;
            $(
                $(#[doc = $doc])+
                fn $name(&self, caller: &Caller, input: $input) -> impl Future<Output = Result<$output>> + Send;
            )*
        }

        /// The table as data.
        pub static OPERATIONS: &[Operation] = &[$(
            Operation {
                name: stringify!($name),
                method: Method::$method,
                path: $path,
                permission: Permission::$permission,
                doc: concat!($($doc),+).trim_ascii(),
                input: |g| g.subschema_for::<$input>(),
                output: |g| g.subschema_for::<$output>(),
            },
        )*];

        /// Runs an operation by name: decode, authorise, run, audit, encode.
        pub async fn dispatch<O: Operations>(
            operations: &O,
            caller: &Caller,
            name: &str,
            input: serde_json::Value,
        ) -> Result<serde_json::Value> {
            let row = operation(name).ok_or_else(|| Error::not_found("There is no such operation."))?;
            let mut touched = String::new();
            let result = match name {
                $(
                    stringify!($name) => match accept::<$input>(row, caller, input) {
                        Ok(accepted) => {
                            touched = target(&accepted.scope);
                            // Boxed: the compiler would not follow the largest of all of them.
                            Box::pin(operations.$name(caller, accepted.input)).await
                                .and_then(|out| serde_json::to_value(out).map_err(Error::internal))
                        }
                        Err(e) => Err(e),
                    },
                )*
                _ => Err(Error::not_found("There is no such operation.")),
            };
            let refused = matches!(&result, Err(e) if e.code == ErrorCode::PermissionDenied);
            if !row.method.is_read() || refused {
                operations.audit(AuditEntry {
                    at: operations.now(),
                    caller: caller.name().to_owned(),
                    operation: row.name,
                    target: touched,
                    ok: result.is_ok(),
                }).await;
            }
            result
        }
    };
}

operations! {
    /// Whether the recorder is ready, and what is wrong if not.
    health: Get "/health", Public, Empty => Health;

    /// Cameras, by name.
    camera_list: Get "/cameras", LiveView, CameraList => Page<Camera>;
    /// Adds a camera and its channel, and starts recording it.
    camera_create: Post "/cameras", CamerasManage, CameraCreate => Camera;
    /// What is at an address: tracks, codecs, size, rate, warnings. Saves nothing.
    camera_probe: Post "/cameras/probe", CamerasManage, CameraProbe => ProbeReport;
    /// One camera.
    camera_get: Get "/cameras/{id}", LiveView, CameraRef => Camera;
    /// Changes a camera's name, address or credentials.
    camera_update: Patch "/cameras/{id}", CamerasManage, CameraUpdate => Camera;
    /// Removes a camera and its channel. Footage already recorded stays unless asked otherwise.
    camera_delete: Delete "/cameras/{id}", CamerasManage, CameraDelete => Empty;

    /// Channels, by name.
    channel_list: Get "/channels", LiveView, ChannelList => Page<Channel>;
    /// Registers a camera that has no channel.
    channel_create: Post "/channels", CamerasManage, ChannelCreate => Channel;
    /// One channel.
    channel_get: Get "/channels/{id}", LiveView, ChannelRef => Channel;
    /// Changes how a channel records.
    channel_update: Patch "/channels/{id}", CamerasManage, ChannelUpdate => Channel;
    /// Removes a channel: recording stops, footage already recorded stays.
    channel_delete: Delete "/channels/{id}", CamerasManage, ChannelRef => Empty;

    /// A short-lived signed address of the channel's live stream.
    stream_token: Post "/channels/{id}/stream-token", LiveView, StreamTokenRequest => StreamToken;
    /// A short-lived signed address of the stream of changes.
    event_token: Post "/events/stream-token", LiveView, EventTokenRequest => EventToken;

    /// Segments of a camera in a window, oldest first, with signed URLs; the one being written is the last.
    segment_list: Get "/recordings/segments", RecordingsView, SegmentQuery => Page<Segment>;
    /// The same rows by channel.
    channel_recordings: Get "/channels/{id}/recordings", RecordingsView, RecordingQuery => Page<Recording>;
    /// What a window holds: stretches of footage, and gaps with their causes.
    timeline: Get "/channels/{id}/timeline", RecordingsView, TimelineQuery => Timeline;
    /// Days on which any channel has footage, in the viewer's own time zone.
    recording_days: Get "/recordings/days", RecordingsView, DaysQuery => Days;

    /// Ranges of a channel that no rule deletes.
    protection_list: Get "/channels/{id}/protections", RecordingsView, ProtectionList => Page<Protection>;
    /// Protects a range of a channel from being deleted by any rule.
    protection_create: Post "/channels/{id}/protections", RecordingsDelete, ProtectionCreate => Protection;
    /// Lifts a protection.
    protection_delete: Delete "/channels/{id}/protections/{protection}", RecordingsDelete, ProtectionRef => Empty;

    /// Clips, newest first.
    clip_list: Get "/clips", RecordingsView, ClipList => Page<Clip>;
    /// Makes a clip; the end may lie in the future. Answers at once.
    clip_create: Post "/clips", ClipsCreate, ClipCreate => Clip;
    /// One clip by its id.
    clip_get: Get "/clips/{id}", RecordingsView, ClipRef => Clip;
    /// Renames a clip.
    clip_update: Patch "/clips/{id}", ClipsCreate, ClipUpdate => Clip;
    /// Deletes a clip, also one that is being made.
    clip_delete: Delete "/clips/{id}", ClipsCreate, ClipRef => Empty;
    /// Stops waiting for footage: the clip is made of what there is.
    clip_cancel: Post "/clips/{id}/cancel", ClipsCreate, ClipRef => Clip;
    /// Tries again to make a clip that failed or has holes.
    clip_retry: Post "/clips/{id}/retry", ClipsCreate, ClipRef => Clip;
    /// A link to a clip that ends by itself.
    clip_share: Post "/clips/{id}/share", RecordingsExport, ClipShare => ShareLink;

    /// Snapshots of all channels, newest first.
    snapshot_list: Get "/snapshots", RecordingsView, SnapshotList => Page<Snapshot>;
    /// Snapshots of a channel, newest first.
    channel_snapshots: Get "/channels/{id}/snapshots", RecordingsView, ChannelSnapshots => Page<Snapshot>;
    /// Takes a snapshot: an entry first, then the picture.
    snapshot_create: Post "/channels/{id}/snapshots", SnapshotsCreate, SnapshotCreate => Snapshot;
    /// One snapshot.
    snapshot_get: Get "/snapshots/{id}", RecordingsView, SnapshotRef => Snapshot;
    /// Says that a client's picture was sent.
    snapshot_confirm: Post "/snapshots/{id}/confirm", SnapshotsCreate, SnapshotRef => Snapshot;
    /// Deletes a snapshot.
    snapshot_delete: Delete "/snapshots/{id}", SnapshotsCreate, SnapshotRef => Empty;

    /// Exports, newest first.
    export_list: Get "/recordings/export", RecordingsExport, ExportList => Page<Export>;
    /// Makes files of a range of several cameras. Answers at once.
    export_create: Post "/recordings/export", RecordingsExport, ExportCreate => Export;
    /// One export.
    export_get: Get "/recordings/export/{id}", RecordingsExport, ExportRef => Export;
    /// Stops an export.
    export_cancel: Post "/recordings/export/{id}/cancel", RecordingsExport, ExportRef => Export;
    /// Tries again what an export could not make.
    export_retry: Post "/recordings/export/{id}/retry", RecordingsExport, ExportRef => Export;
    /// Deletes an export and its files.
    export_delete: Delete "/recordings/export/{id}", RecordingsExport, ExportRef => Empty;

    /// Marks a moment of a channel.
    event_create: Post "/channels/{id}/events", RecordingsView, EventCreate => Event;
    /// What happened, newest first.
    event_list: Get "/events", LiveView, EventQuery => Page<Event>;

    /// Demonstration cameras this recorder was started with.
    demo_list: Get "/demo", CamerasManage, Empty => Page<DemoCamera>;
    /// Adds the demonstration cameras.
    demo_add: Post "/demo", CamerasManage, Empty => Page<Camera>;

    /// Where footage goes, how long it stays, and how that stands.
    storage_get: Get "/storage", SystemManage, Empty => Storage;
    /// Changes where footage goes and how long it stays.
    storage_update: Patch "/storage", SystemManage, StorageUpdate => Storage;
    /// Tries a bucket or folder step by step, before or after it is saved. Sets CORS where it can.
    storage_test: Post "/storage/test", SystemManage, StorageTest => StorageTestReport;
    /// Starts uploads again that have stopped or wait.
    storage_retry: Post "/storage/retry", SystemManage, Empty => Storage;
    /// Moves one kind of files to another folder.
    place_update: Post "/storage/places", SystemManage, PlaceUpdate => Storage;
    /// How many days will be held with rules that are thought about, from measured bit rates.
    storage_forecast: Post "/storage/forecast", SystemManage, ForecastQuery => Forecast;

    /// Version, folders, disk, engines and where secrets are kept.
    system_get: Get "/system", SystemManage, Empty => SystemInfo;
    /// What the owner has set for the recorder.
    settings_get: Get "/settings", SystemManage, Empty => Settings;
    /// Changes settings.
    settings_update: Patch "/settings", SystemManage, SettingsUpdate => Settings;
}

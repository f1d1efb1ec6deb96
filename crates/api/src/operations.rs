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
                            operations.$name(caller, accepted.input).await
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

    /// What happened, newest first.
    event_list: Get "/events", LiveView, EventQuery => Page<Event>;

    /// Demonstration cameras this recorder was started with.
    demo_list: Get "/demo", CamerasManage, Empty => Page<DemoCamera>;
    /// Adds the demonstration cameras.
    demo_add: Post "/demo", CamerasManage, Empty => Page<Camera>;

    /// Version, folders, disk, engines and where secrets are kept.
    system_get: Get "/system", SystemManage, Empty => SystemInfo;
    /// What the owner has set for the recorder.
    settings_get: Get "/settings", SystemManage, Empty => Settings;
    /// Changes settings.
    settings_update: Patch "/settings", SystemManage, SettingsUpdate => Settings;
}

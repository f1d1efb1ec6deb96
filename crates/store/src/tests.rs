//! Tests of the whole: opening, upgrading, refusing, plans, and size.

use std::sync::atomic::{AtomicU8, Ordering};

use oriel_api::{
    CameraId, ChannelId, Quality, StreamProfile, Timestamp,
    link::{RunId, RunStarted, SegmentClosed},
};

use crate::{NewCamera, Store};

mod opening;
mod plans;
mod schema;
mod size;

/// A store in a folder that goes with it.
pub(crate) struct Temporary {
    pub(crate) store: Store,
    folder: tempfile::TempDir,
    counter: AtomicU8,
}

pub(crate) fn camera_id(n: u8) -> CameraId {
    CameraId::from_random([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, n / 32, n])
}

impl Temporary {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Store::open(folder.path().join("oriel.db")).await.unwrap(),
            folder,
            counter: AtomicU8::new(0),
        }
    }

    /// Closes and opens it again.
    pub(crate) async fn reopened(self) -> Self {
        self.store.close().await;
        Self {
            store: Store::open(self.folder.path().join("oriel.db"))
                .await
                .unwrap(),
            ..self
        }
    }

    fn next(&self) -> u8 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn channel_id(&self) -> ChannelId {
        let n = self.next();
        ChannelId::from_random([2, 2, 2, 2, 2, 2, 2, 2, 2, 2, n / 32, n])
    }

    pub(crate) fn new_camera(&self, name: &str, url: &str) -> NewCamera {
        NewCamera {
            id: camera_id(self.next()),
            channel: self.channel_id(),
            name: name.into(),
            profiles: vec![StreamProfile {
                quality: Quality::High,
                url: url.into(),
                video: None,
                audio: None,
            }],
            snapshot_url: None,
            at: Timestamp::from_ms(0),
        }
    }

    pub(crate) async fn camera(&self, name: &str, url: &str) -> (CameraId, ChannelId) {
        let new = self.new_camera(name, url);
        let ids = (new.id.clone(), new.channel.clone());
        self.store.camera_insert(new).await.unwrap();
        ids
    }

    pub(crate) async fn run(&self, channel: &ChannelId, start: i64) -> RunId {
        self.store
            .run_start(RunStarted {
                channel: channel.clone(),
                start: Timestamp::from_ms(start),
                codecs: "avc1.64001f,mp4a.40.2".into(),
                width: 1920,
                height: 1080,
            })
            .await
            .unwrap()
    }

    pub(crate) fn closed(&self, channel: &ChannelId, start: i64, end: i64) -> SegmentClosed {
        SegmentClosed {
            channel: channel.clone(),
            run: None,
            start: Timestamp::from_ms(start),
            end: Timestamp::from_ms(end),
            bytes: 1000,
            codecs: "avc1.64001f,mp4a.40.2".into(),
            continues: false,
            sha256: None,
        }
    }

    pub(crate) async fn segment(&self, channel: &ChannelId, start: i64, end: i64) {
        self.segment_of(channel, None, start, end, false).await;
    }

    pub(crate) async fn segment_of(
        &self,
        channel: &ChannelId,
        run: Option<RunId>,
        start: i64,
        end: i64,
        continues: bool,
    ) {
        let segment = SegmentClosed {
            run,
            continues,
            ..self.closed(channel, start, end)
        };
        self.store.recording_insert(segment).await.unwrap();
    }
}

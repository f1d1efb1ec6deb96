//! Retention step by step: what goes, in which order, what stays, and who is told.

use std::sync::atomic::Ordering;

use oriel_api::{
    CameraId, ChannelId, DiskLevel, ErrorCode, EventKind, HealthStatus, StorageSettings, Timestamp,
    link::{DiskFault, DiskSight, NvrLink, SegmentClosed},
};
use oriel_store::{ChannelChange, EventSelection};
use serde_json::json;

use super::fakes::{NOON, Recorder};
use crate::retention::Retention;

const DAY: i64 = 24 * 3_600_000;
const MB: u64 = 1_000_000;
const GB: u64 = 1000 * MB;
/// Of the tests' disk: 100 GB with a reserve of 5 GB, which is aimed at with an eighth more.
const AIM: u64 = 5 * GB + 5 * GB / 8;

struct Scene {
    r: Recorder,
    retention: Retention,
    settings: StorageSettings,
}

impl Scene {
    async fn new(free: u64) -> Self {
        let r = Recorder::unstarted().await;
        r.worker.frees.store(GB, Ordering::SeqCst);
        let scene = Self {
            retention: Retention::new(r.nvr.clone()),
            r,
            settings: StorageSettings {
                reserve_mb: Some(5000),
                ..StorageSettings::default()
            },
        };
        scene.disk(free);
        scene
    }

    fn disk(&self, free: u64) {
        *self.r.worker.sight.lock().unwrap() = Some(DiskSight {
            space: Some((free, 100 * GB)),
            floor: GB,
            stopped: false,
            fault: None,
        });
    }

    fn free(&self) -> u64 {
        let sight = self.r.worker.sight.lock().unwrap().clone();
        sight.unwrap().space.unwrap().0
    }

    async fn channel(&self, name: &str) -> ChannelId {
        self.camera(name).await.1
    }

    async fn camera(&self, name: &str) -> (CameraId, ChannelId) {
        self.r.camera(name, &format!("rtsp://{name}/")).await
    }

    /// A segment of 1 GB that begins so many hours before now and lasts an hour.
    async fn segment(&self, channel: &ChannelId, hours_ago: i64) {
        let start = NOON - hours_ago * 3_600_000;
        self.r
            .nvr
            .segment_closed(SegmentClosed {
                channel: channel.clone(),
                run: None,
                start: Timestamp::from_ms(start),
                end: Timestamp::from_ms(start + 3_600_000),
                bytes: GB,
                codecs: "avc1.64001f".into(),
                continues: false,
                sha256: None,
            })
            .await
            .unwrap();
    }

    async fn round(&mut self) {
        let settings = self.settings.clone();
        self.retention.round_by(settings).await.unwrap();
    }

    async fn rule(&self, channel: &ChannelId, change: ChannelChange) {
        let store = self.r.nvr.store();
        store
            .channel_update(channel.clone(), change, Timestamp::from_ms(NOON))
            .await
            .unwrap();
    }

    /// Hours of the segments that are left.
    async fn left(&self, channel: &ChannelId) -> Vec<i64> {
        let store = self.r.nvr.store();
        let starts = store
            .local_starts(channel.clone(), Timestamp::from_ms(i64::MIN), 1000)
            .await
            .unwrap();
        starts.iter().map(|s| (NOON - s.ms()) / 3_600_000).collect()
    }

    async fn events(&self, kind: EventKind) -> Vec<Option<String>> {
        // What was noted is written by a task that does not run here.
        let mut notes = self.r.nvr.notes_out.lock().await;
        self.r.nvr.drain(&mut notes).await;
        let page = self.r.nvr.store().events(EventSelection {
            limit: 100,
            ..EventSelection::default()
        });
        let rows = page.await.unwrap().rows;
        rows.into_iter()
            .rev()
            .filter(|row| row.event.kind == kind)
            .map(|row| row.event.reason.map(|r| r.message))
            .collect()
    }

    async fn health(&self) -> HealthStatus {
        let health = self.r.ok("health", json!({})).await;
        serde_json::from_value(health["status"].clone()).unwrap()
    }
}

#[tokio::test]
async fn age_goes_by_the_channel_and_then_by_the_recorder() {
    let mut s = Scene::new(50 * GB).await;
    let (own, other) = (s.channel("own").await, s.channel("other").await);
    for hours in [100, 73, 72, 49, 48, 2] {
        s.segment(&own, hours).await;
        s.segment(&other, hours).await;
    }
    let two_days = ChannelChange {
        retention_days: Some(Some(2)),
        ..ChannelChange::default()
    };
    s.rule(&own, two_days).await;
    s.round().await;
    assert_eq!(s.left(&own).await, [48, 2], "what ended two days ago goes");
    assert_eq!(s.left(&other).await, [100, 73, 72, 49, 48, 2]);
    s.settings.retention_days = Some(3);
    s.round().await;
    assert_eq!(s.left(&other).await, [72, 49, 48, 2]);
    assert_eq!(s.r.worker.deleted.lock().unwrap().len(), 6);
    assert!(s.events(EventKind::DeletedEarly).await.is_empty());
}

#[tokio::test]
async fn a_quota_takes_the_oldest_and_keeps_the_newest() {
    let mut s = Scene::new(50 * GB).await;
    let channel = s.channel("door").await;
    for hours in 1..=6 {
        s.segment(&channel, hours).await;
    }
    let quota = |mb| ChannelChange {
        quota_mb: Some(Some(mb)),
        ..ChannelChange::default()
    };
    s.rule(&channel, quota(3500)).await;
    s.round().await;
    assert_eq!(s.left(&channel).await, [3, 2, 1]);
    s.rule(&channel, quota(1)).await;
    s.round().await;
    assert_eq!(s.left(&channel).await, [1]);
}

#[tokio::test]
async fn a_full_disk_loses_the_oldest_of_all_channels_first() {
    let mut s = Scene::new(AIM - 2 * GB - 1).await;
    let (door, yard) = (s.channel("door").await, s.channel("yard").await);
    for hours in [9, 7, 5] {
        s.segment(&door, hours).await;
        s.segment(&yard, hours - 1).await;
    }
    s.round().await;
    assert_eq!(s.left(&door).await, [5]);
    assert_eq!(s.left(&yard).await, [6, 4]);
    assert_eq!(s.free(), AIM + GB - 1);
    // Space is the only rule: nothing went before its time, and the disk is as it should be.
    assert!(s.events(EventKind::DeletedEarly).await.is_empty());
    s.round().await;
    assert_eq!(s.r.nvr.disk_now().level, DiskLevel::Ok);
    assert_eq!(s.health().await, HealthStatus::Ready);
}

#[tokio::test]
async fn what_goes_before_its_time_is_said_once() {
    let mut s = Scene::new(4 * GB).await;
    let door = s.channel("door").await;
    for hours in (1..=9).rev() {
        s.segment(&door, hours).await;
    }
    s.settings.retention_days = Some(1);
    s.round().await;
    assert_eq!(s.left(&door).await.len(), 7);
    let told = s.events(EventKind::DeletedEarly).await;
    assert_eq!(told.len(), 1);
    let message = told[0].as_ref().unwrap();
    assert!(
        message.contains("2.0 GB") && message.contains("2 segments"),
        "{message}"
    );
    let levels = s.events(EventKind::DiskLevel).await;
    assert!(levels.len() == 1 && levels[0].as_ref().unwrap().contains("reserve"));
    s.disk(4 * GB);
    s.retention = Retention::new(s.r.nvr.clone());
    s.round().await;
    s.disk(4 * GB);
    s.round().await;
    assert_eq!(
        s.events(EventKind::DiskLevel).await.len(),
        1,
        "no new level"
    );
    assert_eq!(
        s.events(EventKind::DeletedEarly).await.len(),
        2,
        "gathered until it is due again"
    );
}

#[tokio::test]
async fn when_nothing_may_go_the_recorder_is_degraded_and_recovers() {
    let mut s = Scene::new(3 * GB).await;
    let door = s.channel("door").await;
    for hours in [5, 4, 3] {
        s.segment(&door, hours).await;
    }
    let range = |from: i64, to: i64| {
        json!({ "id": door, "start": Timestamp::from_ms(NOON - from * 3_600_000),
            "end": Timestamp::from_ms(NOON - to * 3_600_000), "note": " break-in " })
    };
    let made = s.r.ok("protection_create", range(5, 2)).await;
    assert_eq!(made["note"], "break-in");
    s.round().await;
    assert_eq!(s.left(&door).await, [5, 4, 3]);
    let state = s.r.nvr.disk_now();
    assert_eq!(state.level, DiskLevel::Deleting);
    assert!(
        state.message.contains("lift protections"),
        "{}",
        state.message
    );
    assert_eq!(s.health().await, HealthStatus::Degraded);

    let list = s.r.ok("protection_list", json!({ "id": door })).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let of = json!({ "id": door, "protection": made["id"] });
    s.r.ok("protection_delete", of.clone()).await;
    let error = s.r.refused("protection_delete", of).await;
    assert_eq!(error.code, ErrorCode::NotFound);
    s.round().await;
    assert_eq!(s.left(&door).await, [3], "the newest stays");
    assert_eq!(s.r.nvr.disk_now().level, DiskLevel::Deleting);
    s.disk(50 * GB);
    s.round().await;
    assert_eq!(s.r.nvr.disk_now().level, DiskLevel::Ok);
    assert_eq!(s.health().await, HealthStatus::Ready);
    let levels = s.events(EventKind::DiskLevel).await;
    assert!(levels.len() == 2 && levels[1].is_none(), "{levels:?}");
}

#[tokio::test]
async fn a_disk_that_stops_or_is_away_is_a_red_state_and_loses_no_row() {
    let mut s = Scene::new(GB / 2).await;
    let door = s.channel("door").await;
    s.segment(&door, 100).await;
    s.settings.retention_days = Some(1);
    for (fault, level) in [
        (DiskFault::Missing, DiskLevel::Missing),
        (DiskFault::ReadOnly, DiskLevel::ReadOnly),
    ] {
        let sight = DiskSight {
            fault: Some((fault, "Connect the disk.".into())),
            ..DiskSight::default()
        };
        *s.r.worker.sight.lock().unwrap() = Some(sight);
        s.round().await;
        let state = s.r.nvr.disk_now();
        assert_eq!(
            (state.level, state.message.as_str()),
            (level, "Connect the disk.")
        );
        assert_eq!(s.health().await, HealthStatus::Degraded);
        assert_eq!(s.left(&door).await, [100]);
    }
    s.disk(GB / 2);
    s.r.worker.refuses_deletion.store(true, Ordering::SeqCst);
    s.round().await;
    assert_eq!(s.r.nvr.disk_now().level, DiskLevel::Stopped);
    assert_eq!(s.health().await, HealthStatus::Degraded);
    s.r.worker.refuses_deletion.store(false, Ordering::SeqCst);
    s.disk(60 * GB);
    s.round().await;
    assert_eq!(s.r.nvr.disk_now().level, DiskLevel::Ok);
    s.r.nvr.sweep().await.unwrap();
    assert_eq!(s.r.worker.deleted.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn files_that_cannot_be_deleted_cost_no_more_rows() {
    let mut s = Scene::new(3 * GB).await;
    let door = s.channel("door").await;
    for hours in (1..=20).rev() {
        s.segment(&door, hours).await;
    }
    s.r.worker.refuses_deletion.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        s.round().await;
    }
    assert_eq!(s.left(&door).await.len(), 17, "three were tried, once");
    assert_eq!(s.health().await, HealthStatus::Degraded);
}

#[tokio::test]
async fn one_file_that_cannot_be_deleted_does_not_let_the_disk_fill() {
    let mut s = Scene::new(3 * GB).await;
    let door = s.channel("door").await;
    for hours in (1..=20).rev() {
        s.segment(&door, hours).await;
    }
    let oldest = Timestamp::from_ms(NOON - 20 * 3_600_000);
    *s.r.worker.stuck.lock().unwrap() = Some(oldest);
    let deleted = |s: &Scene| s.r.worker.deleted.lock().unwrap().len();
    s.round().await;
    assert_eq!((s.left(&door).await.len(), deleted(&s)), (17, 2));
    // It fills again, and the file is still there.
    s.disk(2 * GB);
    s.round().await;
    assert_eq!((s.left(&door).await.len(), deleted(&s)), (16, 3));
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_does_not_delete_everything() {
    let mut s = Scene::new(50 * GB).await;
    let door = s.channel("door").await;
    s.segment(&door, 1).await;
    s.settings.retention_days = Some(7);
    s.round().await;
    s.r.pass(3650 * DAY);
    s.round().await;
    s.round().await;
    assert_eq!(s.left(&door).await, [1]);
    s.r.pass(-3650 * DAY);
    s.round().await;
    assert_eq!(s.left(&door).await, [1]);
    s.settings.retention_days = Some(1);
    s.segment(&door, 48).await;
    s.round().await;
    assert_eq!(
        s.left(&door).await,
        [1],
        "and is trusted again when it is back"
    );
}

#[tokio::test]
async fn protections_are_checked_at_the_door() {
    let s = Scene::new(50 * GB).await;
    let door = s.channel("door").await;
    let create = |start: i64, end: i64, note: String| {
        json!({ "id": door, "start": Timestamp::from_ms(start),
            "end": Timestamp::from_ms(end), "note": note })
    };
    for wrong in [
        create(5, 5, String::new()),
        create(5, 4, String::new()),
        create(0, 33 * DAY, String::new()),
        create(0, 5, "x".repeat(201)),
        create(0, 5, "a\nb".into()),
    ] {
        let error = s.r.refused("protection_create", wrong).await;
        assert_eq!(error.code, ErrorCode::InvalidArgument);
    }
    let unknown = json!({ "id": "aaaaaaaaaaaa", "protection": "1" });
    assert_eq!(
        s.r.refused("protection_delete", unknown).await.code,
        ErrorCode::NotFound
    );
}

#[tokio::test]
async fn the_forecast_measures_what_was_recorded_and_thinks_along() {
    let s = Scene::new(AIM + 90 * GB).await;
    let door = s.channel("door").await;
    // Ten hours of 1 GB, with holes between.
    for n in 0..10 {
        s.segment(&door, 2 + 2 * n).await;
    }
    let ask = |input| s.r.ok("storage_forecast", input);
    let seen = ask(json!({})).await;
    let channel = &seen["channels"][0];
    assert_eq!(channel["bytes"], 10 * GB);
    assert_eq!(channel["bytes_per_day"], 24 * GB);
    // 90 GB and the 10 that are there.
    assert_eq!(channel["days"], 100.0 / 24.0);
    assert_eq!(channel["limit"], "space");
    assert_eq!(seen["days"], channel["days"]);
    let seen = ask(json!({ "retention_days": 3 })).await;
    assert_eq!(
        (&seen["days"], &seen["channels"][0]["limit"]),
        (&json!(3.0), &json!("age"))
    );
    let rule = json!({ "channel_id": door, "quota_mb": 24_000 });
    let seen = ask(json!({ "retention_days": 3, "channels": [rule] })).await;
    assert_eq!(
        (&seen["days"], &seen["channels"][0]["limit"]),
        (&json!(1.0), &json!("quota"))
    );
    // The reserve of 52 GB and its eighth leave 42.125 GB.
    let seen = ask(json!({ "reserve_mb": 52_000 })).await;
    let days = seen["days"].as_f64().unwrap();
    let room = (AIM + 90 * GB + 10 * GB) as f64 - 58.5 * GB as f64;
    assert!((days - room / GB as f64 / 24.0).abs() < 1e-9, "{days}");
}

#[tokio::test]
async fn what_was_lost_stays_said_until_its_age_is_over() {
    let mut s = Scene::new(50 * GB).await;
    let (camera, door) = s.camera("door").await;
    for hours in [100, 50, 2] {
        s.segment(&door, hours).await;
    }
    let store = s.r.nvr.store().clone();
    let lost = Timestamp::from_ms(NOON - 100 * 3_600_000);
    assert!(store.recording_missing(door.clone(), lost).await.unwrap());
    let listed = async || {
        let query = json!({ "camera_id": camera, "start": lost, "end": Timestamp::from_ms(NOON) });
        let page = s.r.ok("segment_list", query).await;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(listed().await, 3);
    s.retention.round_by(s.settings.clone()).await.unwrap();
    assert_eq!(listed().await, 3);
    s.settings.retention_days = Some(4);
    let mut later = Retention::new(s.r.nvr.clone());
    later.round_by(s.settings.clone()).await.unwrap();
    assert_eq!(listed().await, 2);
}

#[tokio::test]
async fn a_folder_without_the_known_mark_is_not_taken() {
    let s = Scene::new(50 * GB).await;
    let r = &s.r.nvr;
    let door = s.channel("door").await;
    assert!(
        r.recordings_place(None).await.unwrap(),
        "nothing is known yet"
    );
    assert!(r.recordings_place(Some("aaaaaaaaaaaa")).await.unwrap());
    assert!(r.recordings_place(Some("aaaaaaaaaaaa")).await.unwrap());
    for other in [None, Some(""), Some("bbbbbbbbbbbb")] {
        assert!(!r.recordings_place(other).await.unwrap(), "{other:?}");
    }
    s.segment(&door, 1).await;
    // Somebody says that the next folder is to be taken.
    let mut place = r.store().places().await.unwrap().remove(0);
    assert_eq!(
        (place.root.as_str(), place.mark.as_deref()),
        ("", Some("aaaaaaaaaaaa"))
    );
    place.mark = Some(String::new());
    r.store().place_set(place).await.unwrap();
    assert!(r.recordings_place(None).await.unwrap());
    assert!(r.recordings_place(Some("bbbbbbbbbbbb")).await.unwrap());
    assert!(!r.recordings_place(None).await.unwrap());
}

#[tokio::test]
async fn footage_without_a_known_mark_is_not_looked_for_in_an_empty_folder() {
    let s = Scene::new(50 * GB).await;
    let door = s.channel("door").await;
    s.segment(&door, 1).await;
    assert!(!s.r.nvr.recordings_place(None).await.unwrap());
    assert!(s.r.nvr.recordings_place(Some("")).await.unwrap());
    assert!(
        s.r.nvr
            .recordings_place(Some("aaaaaaaaaaaa"))
            .await
            .unwrap()
    );
}

//! Clips from their request to their file: with footage to come, with holes, with trouble.

use oriel_api::{
    Caller, Change, ChannelId, Clip, ClipStatus, Error, ErrorCode, Gap, Grant, Permission,
    Timestamp,
    link::{NvrLink, OpenSegment, SegmentClosed},
};
use serde_json::{Value, json};

use super::{
    assembler::Answer,
    fakes::{NOON, Recorder, change, until},
};

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// A recorder with places and a camera whose footage of the last `n` half minutes is known.
pub(super) async fn recorded(n: i64) -> (Recorder, ChannelId) {
    let r = Recorder::new().await.with_places().await;
    let (_, channel) = r.camera("Door", "rtsp://door/1").await;
    footage(&r, &channel, n).await;
    (r, channel)
}

pub(super) async fn footage(r: &Recorder, channel: &ChannelId, n: i64) {
    for i in 0..n {
        close(r, channel, NOON - (n - i) * 30_000).await;
    }
}

/// A segment of half a minute is closed.
async fn close(r: &Recorder, channel: &ChannelId, start: i64) {
    let segment = SegmentClosed {
        channel: channel.clone(),
        run: None,
        start: at(start),
        end: at(start + 30_000),
        bytes: 1000,
        codecs: "avc1.64001f".into(),
        continues: true,
        sha256: None,
    };
    r.nvr.segment_closed(segment).await.unwrap();
}

fn order(channel: &ChannelId, start: i64, end: i64) -> Value {
    json!({ "channel_id": channel, "start": at(start), "end": at(end) })
}

async fn create(r: &Recorder, channel: &ChannelId, start: i64, end: i64) -> Clip {
    let out = r.ok("clip_create", order(channel, start, end)).await;
    serde_json::from_value(out).unwrap()
}

async fn get(r: &Recorder, clip: &Clip) -> Clip {
    let out = r.ok("clip_get", json!({ "id": clip.clip_id })).await;
    serde_json::from_value(out).unwrap()
}

async fn comes_to(r: &Recorder, clip: &Clip, status: ClipStatus) -> Clip {
    until(&format!("the clip is {status:?}"), || async {
        get(r, clip).await.status == status
    })
    .await;
    get(r, clip).await
}

fn file(r: &Recorder, clip: &Clip) -> std::path::PathBuf {
    let name = format!("clips/{}/{}.mp4", clip.channel_id, clip.clip_id);
    r.folder.path().join(name)
}

#[tokio::test]
async fn a_clip_is_answered_at_once_and_made_of_the_segments_of_its_time() {
    let (r, channel) = recorded(4).await;
    r.pass(10_000);
    let mut changes = r.nvr.subscribe();
    let clip = create(&r, &channel, NOON - 80_000, NOON - 40_000).await;
    assert_eq!(clip.status, ClipStatus::InProgress);
    assert_eq!((clip.progress, clip.url.is_none()), (0.0, true));
    assert!(clip.name.starts_with("Door 2026-11-2"), "{}", clip.name);
    let done = comes_to(&r, &clip, ClipStatus::Finished).await;
    assert_eq!((done.progress, done.bytes), (1.0, Some(5)));
    assert_eq!(done.sha256.as_deref(), Some("09".repeat(32).as_str()));
    assert_eq!(done.media_start, Some(at(NOON - 80_000)));
    let url = done.url.unwrap();
    let path = format!("/api/objects/clips/{channel}/{}.mp4?exp=", clip.clip_id);
    assert!(url.starts_with(&path), "{url}");
    let orders = r.assembler.orders();
    assert_eq!(orders.len(), 1);
    let starts: Vec<_> = orders[0].pieces.iter().map(|p| p.start.ms()).collect();
    assert_eq!(starts, [NOON - 90_000, NOON - 60_000]);
    assert!(
        orders[0]
            .pieces
            .iter()
            .all(|p| p.local && p.object_key.is_none())
    );
    assert!(file(&r, &clip).exists());
    let told = change(
        &mut changes,
        |c| matches!(c, Change::Clip { clip } if clip.status == ClipStatus::Finished),
    )
    .await;
    assert!(matches!(told, Change::Clip { clip } if clip.url.is_some()));
}

#[tokio::test]
async fn what_cannot_be_a_clip_is_refused_in_words() {
    let (r, channel) = recorded(1).await;
    const DAY: i64 = 24 * 3_600_000;
    for (start, end, word) in [
        (NOON, NOON, "later than the start"),
        (NOON, NOON - 1, "later than the start"),
        (NOON - 2 * DAY, NOON - DAY + 1, "24 hours long"),
        (NOON + 1, NOON + DAY + 1, "24 hours from now"),
        (-1, 1000, "1970"),
    ] {
        let error = r.refused("clip_create", order(&channel, start, end)).await;
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(error.message.contains(word), "{}", error.message);
    }
    let mut named = order(&channel, NOON - 1000, NOON);
    for bad in ["", " ", "a\u{0}", &"x".repeat(81)] {
        named["name"] = json!(bad);
        let error = r.refused("clip_create", named.clone()).await;
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{bad:?}");
    }
    named["name"] = json!("  Parcel \u{1f4e6} ");
    assert_eq!(r.ok("clip_create", named).await["name"], "Parcel \u{1f4e6}");
}

#[tokio::test]
async fn a_clip_without_footage_fails_with_a_reason_and_can_be_tried_again() {
    let (r, channel) = recorded(2).await;
    r.pass(10_000);
    let clip = create(&r, &channel, NOON - 900_000, NOON - 800_000).await;
    let failed = comes_to(&r, &clip, ClipStatus::Failed).await;
    assert!(
        failed
            .reason
            .unwrap()
            .starts_with("There is no footage of this time")
    );
    assert_eq!((failed.url, failed.progress), (None, 0.0));
    assert!(r.assembler.orders().is_empty());
    let error = r.refused("clip_share", json!({ "id": clip.clip_id })).await;
    assert_eq!(error.code, ErrorCode::PreconditionFailed);
    // It was adopted after all.
    close(&r, &channel, NOON - 900_000).await;
    r.ok("clip_retry", json!({ "id": clip.clip_id })).await;
    let partial = comes_to(&r, &clip, ClipStatus::Partial).await;
    assert_eq!(partial.gaps.len(), 1);
    assert_eq!(partial.gaps[0].start, at(NOON - 870_000));
    assert_eq!(partial.gaps[0].end, at(NOON - 800_000));
}

#[tokio::test]
async fn an_end_in_the_future_is_waited_for_until_its_segment_is_closed() {
    let (r, channel) = recorded(2).await;
    let open = OpenSegment {
        channel: channel.clone(),
        start: at(NOON),
        end: at(NOON + 1000),
        bytes: 10,
        codecs: "avc1.64001f".into(),
        continues: true,
        sha256: None,
    };
    r.worker.open.lock().unwrap().push(open.clone());
    let mut changes = r.nvr.subscribe();
    let clip = create(&r, &channel, NOON - 20_000, NOON + 20_000).await;
    assert_eq!(clip.progress, 0.5);
    r.pass(10_000);
    let told = change(
        &mut changes,
        |c| matches!(c, Change::Clip { clip } if clip.progress > 0.5),
    )
    .await;
    assert!(matches!(told, Change::Clip { clip } if clip.progress == 0.75));
    // Its time is over, but what is written still reaches into it.
    r.pass(14_000);
    change(
        &mut changes,
        |c| matches!(c, Change::Clip { clip } if clip.progress == 0.99),
    )
    .await;
    assert_eq!(get(&r, &clip).await.status, ClipStatus::InProgress);
    assert!(r.assembler.orders().is_empty());
    r.worker.open.lock().unwrap().clear();
    close(&r, &channel, NOON).await;
    let done = comes_to(&r, &clip, ClipStatus::Finished).await;
    assert_eq!(done.media_end, Some(at(NOON + 20_000)));
    assert_eq!(r.assembler.orders()[0].pieces.len(), 2);
}

#[tokio::test]
async fn a_stream_that_stands_is_not_waited_for() {
    let (r, channel) = recorded(2).await;
    let clip = create(&r, &channel, NOON - 30_000, NOON + 60_000).await;
    r.pass(63_000);
    let done = comes_to(&r, &clip, ClipStatus::Partial).await;
    assert_eq!(done.gaps.len(), 1);
    assert_eq!(
        (done.gaps[0].start, done.gaps[0].end),
        (at(NOON), at(NOON + 60_000))
    );
}

#[tokio::test]
async fn an_outage_that_goes_on_behind_the_clip_has_its_cause() {
    let (r, channel) = recorded(0).await;
    close(&r, &channel, NOON - 90_000).await;
    r.pass(10_000);
    // Oriel started at noon, behind the clip's end.
    let clip = create(&r, &channel, NOON - 90_000, NOON - 30_000).await;
    let done = comes_to(&r, &clip, ClipStatus::Partial).await;
    assert_eq!(done.gaps.len(), 1);
    let gap = &done.gaps[0];
    assert_eq!((gap.start, gap.end), (at(NOON - 60_000), at(NOON - 30_000)));
    let code = gap.reason.as_ref().map(|r| r.code);
    assert_eq!(code, Some(oriel_api::ReasonCode::NotRunning));
}

#[tokio::test]
async fn cancelled_it_is_made_of_what_there_is() {
    let (r, channel) = recorded(2).await;
    let clip = create(&r, &channel, NOON - 30_000, NOON + 3_600_000).await;
    let id = json!({ "id": clip.clip_id });
    r.ok("clip_cancel", id.clone()).await;
    r.pass(3000);
    let done = comes_to(&r, &clip, ClipStatus::Partial).await;
    assert_eq!(r.assembler.orders()[0].range.end, at(NOON));
    let gap = done.gaps.last().unwrap();
    assert_eq!((gap.start, gap.end), (at(NOON), at(NOON + 3_600_000)));
    assert_eq!(
        gap.reason.as_ref().unwrap().message,
        "It was ended before its time."
    );
    assert_eq!(r.refused("clip_cancel", id).await.code, ErrorCode::Conflict);
}

#[tokio::test]
async fn trouble_is_told_and_tried_again_and_a_worker_s_refusal_ends_it() {
    let (r, channel) = recorded(2).await;
    r.pass(10_000);
    let away = Error::new(ErrorCode::StorageUnavailable, "The disk is not there.");
    r.assembler.next(Answer::Fails(away));
    let mut changes = r.nvr.subscribe();
    let clip = create(&r, &channel, NOON - 30_000, NOON).await;
    let told = change(
        &mut changes,
        |c| matches!(c, Change::Clip { clip } if clip.reason.is_some()),
    )
    .await;
    let Change::Clip { clip: waiting } = told else {
        panic!()
    };
    assert_eq!(waiting.status, ClipStatus::InProgress);
    assert_eq!(waiting.reason.as_deref(), Some("The disk is not there."));
    let done = comes_to(&r, &clip, ClipStatus::Finished).await;
    assert_eq!(done.reason, None);
    assert_eq!(r.assembler.orders().len(), 2);
    for (error, word) in [
        (Error::not_found("x"), "gone from the disk"),
        (Error::invalid("Two codecs in one range."), "Two codecs"),
    ] {
        r.assembler.next(Answer::Fails(error));
        let clip = create(&r, &channel, NOON - 30_000, NOON).await;
        let failed = comes_to(&r, &clip, ClipStatus::Failed).await;
        assert!(failed.reason.unwrap().contains(word));
    }
}

#[tokio::test]
async fn holes_only_the_worker_saw_make_it_partial_and_a_second_try_replaces_the_file() {
    let (r, channel) = recorded(2).await;
    r.pass(10_000);
    r.assembler.next(Answer::Holes(vec![Gap {
        start: at(NOON - 20_000),
        end: at(NOON - 10_000),
        reason: None,
    }]));
    let clip = create(&r, &channel, NOON - 30_000, NOON).await;
    let id = json!({ "id": clip.clip_id });
    let partial = comes_to(&r, &clip, ClipStatus::Partial).await;
    assert_eq!(partial.gaps.len(), 1);
    r.assembler.next(Answer::Waits);
    let again = r.ok("clip_retry", id.clone()).await;
    assert_eq!(again["status"], "in_progress");
    assert!(again["url"].is_string(), "what there is stays within reach");
    r.assembler.release();
    comes_to(&r, &clip, ClipStatus::Finished).await;
    assert_eq!(r.refused("clip_retry", id).await.code, ErrorCode::Conflict);
}

#[tokio::test]
async fn one_that_the_bucket_joined_is_not_looked_for_here() {
    let (r, channel) = recorded(2).await;
    r.pass(10_000);
    r.assembler.next(Answer::Remote);
    let clip = create(&r, &channel, NOON - 30_000, NOON).await;
    let done = comes_to(&r, &clip, ClipStatus::Finished).await;
    assert!(done.stored && done.url.is_some() && done.sha256.is_none());
    assert!(!file(&r, &clip).exists());
}

#[tokio::test]
async fn deleted_while_it_is_made_nothing_is_left_of_it() {
    let (r, channel) = recorded(2).await;
    r.pass(10_000);
    r.assembler.next(Answer::Waits);
    let clip = create(&r, &channel, NOON - 30_000, NOON).await;
    until("it is being made", || async {
        r.assembler.orders().len() == 1
    })
    .await;
    assert_eq!(get(&r, &clip).await.progress, 0.5);
    r.ok("clip_delete", json!({ "id": clip.clip_id })).await;
    let error = r.refused("clip_get", json!({ "id": clip.clip_id })).await;
    assert_eq!(error.code, ErrorCode::NotFound);
    until("the garbage is gone", || async {
        r.nvr
            .store()
            .garbage_objects(0, 9)
            .await
            .unwrap()
            .is_empty()
    })
    .await;
    assert!(!file(&r, &clip).exists());
    // A finished one goes with its file.
    let clip = create(&r, &channel, NOON - 30_000, NOON).await;
    comes_to(&r, &clip, ClipStatus::Finished).await;
    assert!(file(&r, &clip).exists());
    r.ok("clip_delete", json!({ "id": clip.clip_id })).await;
    until("the file is gone", || async { !file(&r, &clip).exists() }).await;
    assert_eq!(r.assembler.orders().len(), 2);
}

#[tokio::test]
async fn two_at_a_time_and_all_in_the_end() {
    let (r, channel) = recorded(2).await;
    r.pass(10_000);
    for _ in 0..5 {
        r.assembler.next(Answer::Waits);
    }
    let mut clips = Vec::new();
    for _ in 0..5 {
        clips.push(create(&r, &channel, NOON - 30_000, NOON).await);
    }
    until("two are being made", || async {
        r.assembler.orders().len() == 2
    })
    .await;
    r.assembler.release();
    for clip in &clips {
        comes_to(&r, clip, ClipStatus::Finished).await;
    }
    let most = r
        .assembler
        .most_at_once
        .load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(most, 2);
    // Newest first, in pages.
    let page = r.ok("clip_list", json!({ "limit": 3 })).await;
    let rest = r
        .ok("clip_list", json!({ "limit": 3, "after": page["next"] }))
        .await;
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|c| c["clip_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let seen = [ids(&page), ids(&rest)].concat();
    let expected: Vec<_> = clips.iter().rev().map(|c| c.clip_id.to_string()).collect();
    assert_eq!(seen, expected);
    assert!(rest["next"].is_null());
}

#[tokio::test]
async fn a_restart_goes_on_where_a_crash_broke_off() {
    let (r, channel) = recorded(2).await;
    r.pass(10_000);
    r.assembler.next(Answer::Waits);
    let made = create(&r, &channel, NOON - 30_000, NOON).await;
    until("it is being made", || async {
        r.assembler.orders().len() == 1
    })
    .await;
    let waiting = create(&r, &channel, NOON, NOON + 60_000).await;
    let r = r.restarted(true).await.with_places().await;
    comes_to(&r, &made, ClipStatus::Finished).await;
    r.pass(60_000);
    comes_to(&r, &waiting, ClipStatus::Failed).await;
}

#[tokio::test]
async fn a_clip_outlives_its_camera() {
    let (r, channel) = recorded(2).await;
    r.pass(10_000);
    let clip = create(&r, &channel, NOON - 30_000, NOON + 3_600_000).await;
    let page = r.ok("camera_list", json!({})).await;
    let camera = page["items"][0]["id"].clone();
    r.ok(
        "camera_delete",
        json!({ "id": camera, "delete_recordings": true }),
    )
    .await;
    r.pass(3000);
    // Made of what there was, and only then the footage goes.
    let done = comes_to(&r, &clip, ClipStatus::Partial).await;
    assert!(file(&r, &done).exists());
    until("the footage is gone", || async {
        r.worker.deleted.lock().unwrap().len() == 2
    })
    .await;
    let listed = r.ok("channel_list", json!({})).await;
    assert_eq!(listed["items"][0]["id"], channel.as_str());
    let mut changes = r.nvr.subscribe();
    r.ok("clip_delete", json!({ "id": clip.clip_id })).await;
    change(&mut changes, |c| matches!(c, Change::ChannelRemoved { .. })).await;
    let listed = r.ok("channel_list", json!({})).await;
    assert!(listed["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn renamed_shared_and_only_for_who_may_see_its_channel() {
    let (r, channel) = recorded(2).await;
    let (_, yard) = r.camera("Yard", "rtsp://yard/1").await;
    r.pass(10_000);
    let clip = create(&r, &channel, NOON - 30_000, NOON).await;
    comes_to(&r, &clip, ClipStatus::Finished).await;
    let id = json!({ "id": clip.clip_id });
    let renamed = r
        .ok(
            "clip_update",
            json!({ "id": clip.clip_id, "name": " Thief " }),
        )
        .await;
    assert_eq!(renamed["name"], "Thief");
    let link = r
        .ok("clip_share", json!({ "id": clip.clip_id, "hours": 2 }))
        .await;
    let expires: Timestamp = serde_json::from_value(link["expires"].clone()).unwrap();
    assert_eq!(expires.ms(), r.now() + 7_200_000);
    let url = link["url"].as_str().unwrap();
    let ends = format!("exp={}&sig=", expires.ms() / 1000);
    assert!(url.contains(&ends), "{url}");
    for hours in [0, 169] {
        let input = json!({ "id": clip.clip_id, "hours": hours });
        let error = r.refused("clip_share", input).await;
        assert_eq!(error.code, ErrorCode::InvalidArgument);
    }
    let all = [
        Permission::RecordingsView,
        Permission::ClipsCreate,
        Permission::RecordingsExport,
    ];
    let grants = all.map(|permission| Grant {
        permission,
        channel: Some(yard.clone()),
    });
    let somebody = Caller::with_grants("somebody", grants.to_vec());
    let list = r.call_as(&somebody, "clip_list", json!({})).await.unwrap();
    assert!(list["items"].as_array().unwrap().is_empty());
    for name in [
        "clip_get",
        "clip_delete",
        "clip_cancel",
        "clip_retry",
        "clip_share",
    ] {
        let error = r.call_as(&somebody, name, id.clone()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{name}");
    }
    let input = json!({ "id": clip.clip_id, "name": "Mine" });
    let error = r
        .call_as(&somebody, "clip_update", input)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

//! Walks and deletions over real rows.

use oriel_api::{Range, ReasonCode};

use super::*;
use crate::{ProtectionRow, tests::Temporary};

const SEGMENT: i64 = 30_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

async fn filled(count: i64) -> (Temporary, ChannelId) {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    for n in 0..count {
        t.segment(&channel, n * SEGMENT, (n + 1) * SEGMENT).await;
    }
    (t, channel)
}

fn everything(channel: &ChannelId, which: Which) -> Walk {
    Walk {
        channel: channel.clone(),
        which,
        after: at(i64::MIN),
        before: at(i64::MAX),
        end_by: at(i64::MAX),
        limit: 1000,
    }
}

const LOCAL_ALL: Which = Which::Local { waiting: true };
const LOCAL_FREE: Which = Which::Local { waiting: false };

async fn walk_starts(t: &Temporary, walk: Walk) -> Vec<i64> {
    let found = t.store.deletable(walk).await.unwrap();
    found.rows.iter().map(|r| r.start.ms() / SEGMENT).collect()
}

async fn ids(t: &Temporary, channel: &ChannelId, which: Which) -> Vec<i64> {
    let found = t.store.deletable(everything(channel, which)).await.unwrap();
    found.rows.iter().map(|r| r.id).collect()
}

async fn execute(t: &Temporary, sql: &'static str) {
    t.store
        .write(move |c| {
            c.execute_batch(sql)?;
            Ok(())
        })
        .await
        .unwrap();
}

/// Marks segments as being in the bucket.
async fn store_some(t: &Temporary, from: i64, to: i64) {
    t.store
        .write(move |c| {
            c.execute(
                "UPDATE recording SET state = 2, stored_ms = end_ms,
                   object_key = 'recordings/' || start_ms WHERE start_ms >= ?1 AND start_ms < ?2",
                (from * SEGMENT, to * SEGMENT),
            )?;
            Ok(())
        })
        .await
        .unwrap();
}

async fn protect(t: &Temporary, channel: &ChannelId, start: i64, end: i64) -> i64 {
    let new = ProtectionRow {
        id: 0,
        start: at(start),
        end: at(end),
        note: "because".into(),
        created: at(0),
    };
    let made = t.store.protection_insert(channel.clone(), new).await;
    made.unwrap().unwrap().id
}

#[tokio::test]
async fn walks_keep_to_their_bounds_and_go_on_where_they_stopped() {
    let (t, channel) = filled(10).await;
    let mut walk = everything(&channel, LOCAL_ALL);
    walk.end_by = at(4 * SEGMENT);
    assert_eq!(walk_starts(&t, walk).await, [0, 1, 2, 3]);
    let mut walk = everything(&channel, LOCAL_ALL);
    walk.before = at(9 * SEGMENT);
    walk.limit = 4;
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = t.store.deletable(walk.clone()).await.unwrap();
        seen.extend(page.rows.iter().map(|r| r.start.ms() / SEGMENT));
        pages += 1;
        match page.next {
            Some(next) => walk.after = next,
            None => break,
        }
    }
    assert_eq!(seen, (0..9).collect::<Vec<_>>());
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn locked_ranges_are_passed_over_and_still_hold_at_the_deletion() {
    let (t, channel) = filled(12).await;
    // From the middle of 2 to the middle of 4, from the end of 6 (a bound is outside) to 8.
    let first = protect(&t, &channel, 75_000, 135_000).await;
    protect(&t, &channel, 7 * SEGMENT, 8 * SEGMENT).await;
    execute(
        &t,
        "INSERT INTO clip (public_id, channel, name, start_ms, end_ms, exact, with_audio, status,
           object_key, created_ms)
         VALUES ('aaaaaaaaaaaa', 1, 'c', 270000, 300000, 0, 1, 'in_progress', 'clips/a', 0),
           ('aaaaaaaaaaab', 1, 'c', 0, 30000, 0, 1, 'finished', 'clips/b', 0);",
    )
    .await;
    let free = [0, 1, 5, 6, 8, 10, 11];
    assert_eq!(walk_starts(&t, everything(&channel, LOCAL_ALL)).await, free);
    let chosen = ids(&t, &channel, LOCAL_ALL).await;
    protect(&t, &channel, 0, 1).await;
    let gone = t.store.retire(chosen, true).await.unwrap();
    let starts: Vec<_> = gone.iter().map(|r| r.start.ms() / SEGMENT).collect();
    assert_eq!(starts, free[1..], "the one locked meanwhile stays");
    assert!(
        t.store
            .protection_delete(channel.clone(), first)
            .await
            .unwrap()
    );
    assert_eq!(
        walk_starts(&t, everything(&channel, LOCAL_ALL)).await,
        [2, 3, 4]
    );
}

#[tokio::test]
async fn an_open_export_locks_the_channels_of_its_parts() {
    let (t, channel) = filled(3).await;
    let name = channel.to_string();
    t.store
        .write(move |c| {
            c.execute(
                "INSERT INTO export (id, public_id, start_ms, end_ms, format, with_audio, status,
                   manifest_key, created_ms)
                 VALUES (1, 'aaaaaaaaaaaa', 30000, 60000, 'mp4', 1, 'queued', 'exports/m', 0)",
                [],
            )?;
            c.execute(
                "INSERT INTO export_part (export, camera, channel, name, file, status, object_key)
                 VALUES (1, 'aaaaaaaaaaaa', ?1, 'n', 'f', 'queued', 'exports/a')",
                [name],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(
        walk_starts(&t, everything(&channel, LOCAL_ALL)).await,
        [0, 2]
    );
    execute(&t, "UPDATE export SET status = 'finished'").await;
    assert_eq!(
        walk_starts(&t, everything(&channel, LOCAL_ALL)).await,
        [0, 1, 2]
    );
}

#[tokio::test]
async fn what_waits_for_its_upload_is_left_unless_told() {
    let (t, channel) = filled(4).await;
    execute(
        &t,
        "INSERT INTO upload (at_ms, object_key, bytes, recording)
         SELECT start_ms, 'recordings/' || start_ms, bytes, id FROM recording WHERE start_ms < 60000",
    )
    .await;
    assert_eq!(
        walk_starts(&t, everything(&channel, LOCAL_FREE)).await,
        [2, 3]
    );
    let all = ids(&t, &channel, LOCAL_ALL).await;
    let gone = t.store.retire(all.clone(), false).await.unwrap();
    assert_eq!(gone.len(), 2, "it was queued since");
    let gone = t.store.retire(all, true).await.unwrap();
    assert!(gone.len() == 2 && gone.iter().all(|r| r.waiting && !r.stored));
    let left: i64 = t
        .store
        .read(|c| Ok(c.query_row("SELECT count(*) FROM upload", [], |r| r.get(0))?))
        .await
        .unwrap();
    assert_eq!(left, 0, "the queue lets go of them");
}

#[tokio::test]
async fn a_stored_segment_loses_one_copy_at_a_time() {
    let (t, channel) = filled(4).await;
    store_some(&t, 0, 2).await;
    let copies = ids(&t, &channel, Which::Copies).await;
    assert_eq!(copies.len(), 2);
    let gone = t.store.retire(copies.clone(), false).await.unwrap();
    assert!(gone.iter().all(|r| r.stored));
    let row = t.store.recording(channel.clone(), at(0)).await.unwrap();
    assert!(!row.unwrap().local, "the row stays");
    let files = t.store.garbage_files(0, 9).await.unwrap();
    assert!(files.len() == 2 && files.iter().all(|f| f.object_key.is_none()));
    assert!(t.store.retire(copies, false).await.unwrap().is_empty());

    // In the bucket: 0 and 1 go whole, 2 and 3 keep their local copies.
    store_some(&t, 2, 4).await;
    let stored = ids(&t, &channel, Which::Stored).await;
    assert_eq!(t.store.retire_stored(stored).await.unwrap(), 4);
    let held = t.store.held().await.unwrap();
    assert_eq!((held[0].local_count, held[0].stored_bytes), (2, 0));
    assert_eq!(held[0].oldest, Some(at(2 * SEGMENT)));
    // One row of garbage each for the four: of 0 and 1 both the file and the object.
    let objects = t.store.garbage_stored(0, 9).await.unwrap();
    assert_eq!(objects.len(), 4);
    assert_eq!(objects.iter().filter(|o| o.local).count(), 2);
    let files: Vec<_> = files.iter().map(|f| f.id).collect();
    t.store.garbage_files_gone(files).await.unwrap();
    assert!(t.store.garbage_files(0, 9).await.unwrap().is_empty());
    let objects: Vec<_> = objects
        .into_iter()
        .map(|o| (o.id, o.object_key.unwrap()))
        .collect();
    let wrong = vec![(objects[0].0, "recordings/other".to_owned())];
    t.store.garbage_stored_gone(wrong).await.unwrap();
    assert_eq!(t.store.garbage_stored(0, 9).await.unwrap().len(), 4);
    t.store.garbage_stored_gone(objects).await.unwrap();
    assert!(t.store.garbage_stored(0, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn copies_go_by_the_time_of_their_upload() {
    let (t, channel) = filled(6).await;
    store_some(&t, 0, 4).await;
    protect(&t, &channel, SEGMENT, 2 * SEGMENT).await;
    let from = (at(i64::MIN), 0);
    let by = at(3 * SEGMENT);
    let (ids, next) = t.store.aged_copies(by, from, 2).await.unwrap();
    assert_eq!(ids.len(), 1, "the second is locked");
    let (more, next) = t.store.aged_copies(by, next.unwrap(), 2).await.unwrap();
    assert_eq!((more.len(), next), (1, None));
}

#[tokio::test]
async fn a_hole_made_by_a_rule_says_so_and_is_one_row() {
    let (t, channel) = filled(30).await;
    protect(&t, &channel, 10 * SEGMENT, 12 * SEGMENT).await;
    let mut walk = everything(&channel, LOCAL_ALL);
    walk.before = at(20 * SEGMENT);
    walk.limit = 4;
    while let Some(found) = Some(t.store.deletable(walk.clone()).await.unwrap())
        && !found.rows.is_empty()
    {
        let ids = found.rows.iter().map(|r| r.id).collect();
        t.store.retire(ids, false).await.unwrap();
    }
    let stretches = || {
        t.store.read(|c| {
            Ok(
                c.prepare("SELECT start_ms / 30000, end_ms / 30000 FROM deletion ORDER BY 1")?
                    .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
                    .collect::<Result<Vec<(i64, i64)>, _>>()?,
            )
        })
    };
    assert_eq!(stretches().await.unwrap(), [(0, 10), (12, 20)]);
    let window = Range {
        start: at(0),
        end: at(30 * SEGMENT),
    };
    let line = t
        .store
        .timeline(channel.clone(), window, at(30 * SEGMENT), Vec::new())
        .await
        .unwrap();
    assert_eq!(line.gaps.len(), 2);
    for gap in line.gaps {
        assert_eq!(gap.reason.unwrap().code, ReasonCode::Deleted);
    }
    execute(&t, "DELETE FROM protection").await;
    let mut walk = everything(&channel, LOCAL_ALL);
    walk.before = at(20 * SEGMENT);
    let found = t.store.deletable(walk).await.unwrap();
    let ids = found.rows.iter().map(|r| r.id).collect();
    t.store.retire(ids, false).await.unwrap();
    assert_eq!(stretches().await.unwrap(), [(0, 20)]);
}

#[tokio::test]
async fn what_is_garbage_is_not_adopted_again() {
    let (t, channel) = filled(2).await;
    let all = ids(&t, &channel, LOCAL_ALL).await;
    t.store.retire(all, false).await.unwrap();
    let found = t.closed(&channel, 0, SEGMENT);
    let insert = |s| t.store.recording_insert(s);
    assert_eq!(
        insert(found.clone()).await.unwrap(),
        crate::Inserted::Unwanted
    );
    // A run that writes a file of that name has made a new one.
    let run = t.run(&channel, 0).await;
    let mut new = found;
    new.run = Some(run);
    assert_eq!(insert(new).await.unwrap(), crate::Inserted::Added);
    assert_eq!(t.store.garbage_files(0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn rows_without_bytes_go_with_their_age() {
    let (t, channel) = filled(3).await;
    for n in 0..2 {
        t.store
            .recording_missing(channel.clone(), at(n * SEGMENT))
            .await
            .unwrap();
    }
    let forget = |by| t.store.retire_missing(channel.clone(), at(by), 10);
    assert_eq!(forget(SEGMENT).await.unwrap(), 1);
    assert_eq!(forget(10 * SEGMENT).await.unwrap(), 1);
    let held = t.store.held().await.unwrap();
    assert_eq!(held[0].local_count, 1);
}

#[tokio::test]
async fn snapshots_leave_the_bucket_and_go_when_nothing_is_left() {
    let (t, _) = filled(0).await;
    execute(
        &t,
        "INSERT INTO snapshot (public_id, channel, taken_ms, source, status, object_key, local,
           stored_ms, created_ms)
         VALUES ('aaaaaaaaaaaa', 1, 1, 'agent', 'stored', 'snapshots/a', 1, 5, 1),
           ('aaaaaaaaaaab', 1, 2, 'agent', 'stored', 'snapshots/b', 0, 5, 1),
           ('aaaaaaaaaaac', 1, 3, 'agent', 'stored', 'snapshots/c', 0, 5, 1),
           ('aaaaaaaaaaad', 1, 1, 'agent', 'stored', 'snapshots/d', 1, NULL, 1);",
    )
    .await;
    let (count, gone) = t.store.retire_snapshots(at(2), 10).await.unwrap();
    assert_eq!(count, 2);
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].1, "aaaaaaaaaaab");
    let objects = t.store.garbage_objects(0, 9).await.unwrap();
    assert!(objects.len() == 2 && objects.iter().all(|o| o.remote && !o.local));
}

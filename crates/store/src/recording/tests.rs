//! Rows of segments: inserted once, listed, and lost.

use super::*;
use crate::tests::Temporary;

fn window(start: i64, end: i64) -> Range {
    Range {
        start: Timestamp::from_ms(start),
        end: Timestamp::from_ms(end),
    }
}

fn starts(page: &RecordingPage) -> Vec<i64> {
    page.rows.iter().map(|r| r.start.ms()).collect()
}

#[tokio::test]
async fn a_window_holds_what_reaches_into_it_page_by_page() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    for n in 0..10 {
        t.segment(&channel, n * 30_000, (n + 1) * 30_000).await;
    }
    let list = |range, after, limit| {
        let (store, channel) = (t.store.clone(), channel.clone());
        async move {
            store
                .recordings(channel, range, after, limit)
                .await
                .unwrap()
        }
    };
    let all = list(window(45_000, 120_001), None, 100).await;
    assert_eq!(starts(&all), [30_000, 60_000, 90_000, 120_000]);
    assert!(!all.more);
    let first = list(window(45_000, 120_001), None, 2).await;
    assert_eq!((starts(&first), first.more), (vec![30_000, 60_000], true));
    let rest = list(window(45_000, 120_001), Some(first.rows[1].start), 2).await;
    assert_eq!((starts(&rest), rest.more), (vec![90_000, 120_000], false));
    // Half open: what ends at the start or starts at the end is outside.
    assert_eq!(
        starts(&list(window(60_000, 90_000), None, 9).await),
        [60_000]
    );
    assert_eq!(
        list(window(i64::MIN, i64::MAX), None, 100).await.rows.len(),
        10
    );
}

#[tokio::test]
async fn a_very_long_segment_and_overlapping_ones_are_found() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    t.segment(&channel, 0, 7_200_000).await;
    let list = |range| {
        let (store, channel) = (t.store.clone(), channel.clone());
        async move { store.recordings(channel, range, None, 9).await.unwrap() }
    };
    assert_eq!(starts(&list(window(7_000_000, 7_100_000)).await), [0]);
    t.segment(&channel, 8_000_000, 8_060_000).await;
    t.segment(&channel, 8_010_000, 8_020_000).await;
    assert_eq!(
        starts(&list(window(8_040_000, 8_050_000)).await),
        [8_000_000]
    );
}

#[tokio::test]
async fn a_segment_is_added_once_and_a_missing_file_may_come_back() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    let at = Timestamp::from_ms;
    let mut segment = t.closed(&channel, 0, 30_000);
    let insert = |s: &SegmentClosed| t.store.recording_insert(s.clone());
    assert_eq!(insert(&segment).await.unwrap(), Inserted::Added);
    segment.bytes = 1;
    assert_eq!(insert(&segment).await.unwrap(), Inserted::Known);
    let row = t
        .store
        .recording(channel.clone(), at(0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.bytes, row.state), (1000, SegmentState::Local));
    assert!(
        t.store
            .recording(channel.clone(), at(1))
            .await
            .unwrap()
            .is_none()
    );

    assert!(
        t.store
            .recording_missing(channel.clone(), at(0))
            .await
            .unwrap()
    );
    assert!(
        !t.store
            .recording_missing(channel.clone(), at(1))
            .await
            .unwrap()
    );
    let local = t
        .store
        .local_starts(channel.clone(), at(-1), 9)
        .await
        .unwrap();
    assert!(local.is_empty());
    assert_eq!(insert(&segment).await.unwrap(), Inserted::Added);
    let row = t
        .store
        .recording(channel.clone(), at(0))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.bytes, row.state, row.local),
        (1, SegmentState::Local, true)
    );

    segment.channel = t.channel_id();
    assert!(matches!(
        insert(&segment).await,
        Err(StoreError::NoSuch("channel"))
    ));
}

#[tokio::test]
async fn a_segment_closed_after_its_footage_was_deleted_becomes_garbage() {
    let t = Temporary::new().await;
    let (camera, channel) = t.camera("Door", "rtsp://door/1").await;
    t.store
        .camera_remove(camera, true, Timestamp::from_ms(1))
        .await
        .unwrap();
    let late = t.closed(&channel, 0, 30_000);
    let came = t.store.recording_insert(late).await.unwrap();
    assert_eq!(came, Inserted::Unwanted);
    let garbage = t.store.garbage_files(0, 9).await.unwrap();
    assert_eq!((garbage.len(), &garbage[0].channel), (1, &channel));
}

#[tokio::test]
async fn local_files_are_listed_in_order_after_a_start() {
    let t = Temporary::new().await;
    let (_, channel) = t.camera("Door", "rtsp://door/1").await;
    for n in [3, 1, 2, 0] {
        t.segment(&channel, n * 1000, n * 1000 + 1000).await;
    }
    let at = Timestamp::from_ms;
    let starts = t.store.local_starts(channel, at(0), 2).await.unwrap();
    assert_eq!(starts, [at(1000), at(2000)]);
}

#[tokio::test]
async fn days_count_what_reaches_into_them_but_not_what_is_missing() {
    let t = Temporary::new().await;
    let (_, door) = t.camera("Door", "rtsp://door/1").await;
    let (_, yard) = t.camera("Yard", "rtsp://yard/1").await;
    t.segment(&door, 900, 1100).await;
    t.segment(&yard, 3500, 3600).await;
    t.store
        .recording_missing(yard.clone(), Timestamp::from_ms(3500))
        .await
        .unwrap();
    let days = (0..4).map(|d| window(d * 1000, d * 1000 + 1000)).collect();
    let found = t.store.footage_in(vec![door, yard], days).await.unwrap();
    assert_eq!(found, [true, true, false, false]);
}

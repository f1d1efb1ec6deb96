//! Lines of footage and holes with their causes.

use super::*;
use crate::{ChannelChange, NewEvent, tests::Temporary};
use oriel_api::EventKind;

const MIN: i64 = 60_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn because(code: ReasonCode) -> Reason {
    Reason {
        code,
        message: "because".into(),
    }
}

struct Line {
    t: Temporary,
    channel: ChannelId,
}

impl Line {
    async fn new() -> Self {
        let t = Temporary::new().await;
        let (_, channel) = t.camera("Door", "rtsp://door/1").await;
        Self { t, channel }
    }

    async fn run(&self, start: i64, end: i64, reason: Option<ReasonCode>) {
        let run = self.t.run(&self.channel, start).await;
        let mut from = start;
        while from < end {
            let to = (from + 30_000).min(end);
            self.t
                .segment_of(&self.channel, Some(run), from, to, from > start)
                .await;
            from = to;
        }
        if let Some(code) = reason {
            self.t
                .store
                .run_end(run, at(end), because(code), None)
                .await
                .unwrap();
        }
    }

    async fn event(&self, ms: i64, kind: EventKind, code: Option<ReasonCode>) {
        let event = NewEvent {
            at: at(ms),
            kind,
            channel: code.map(|_| self.channel.clone()),
            reason: code.map(because),
        };
        self.t.store.event_insert(event).await.unwrap();
    }

    async fn see(&self, start: i64, end: i64, now: i64) -> Timeline {
        self.see_open(start, end, now, None).await
    }

    async fn see_open(&self, start: i64, end: i64, now: i64, open: Option<(i64, i64)>) -> Timeline {
        let open = open.map(|(start, end)| OpenSegment {
            channel: self.channel.clone(),
            start: at(start),
            end: at(end),
            bytes: 1,
            codecs: "avc1".into(),
            continues: true,
            sha256: None,
        });
        let window = Range {
            start: at(start),
            end: at(end),
        };
        self.t
            .store
            .timeline(
                self.channel.clone(),
                window,
                at(now),
                open.into_iter().collect(),
            )
            .await
            .unwrap()
    }
}

fn stretches(line: &Timeline) -> Vec<(i64, i64)> {
    line.stretches
        .iter()
        .map(|s| (s.start.ms(), s.end.ms()))
        .collect()
}

fn gaps(line: &Timeline) -> Vec<(i64, i64, Option<ReasonCode>)> {
    line.gaps
        .iter()
        .map(|g| (g.start.ms(), g.end.ms(), g.reason.as_ref().map(|r| r.code)))
        .collect()
}

#[tokio::test]
async fn segments_join_and_a_hole_has_the_reason_its_run_ended_with() {
    let l = Line::new().await;
    l.run(0, 5 * MIN, Some(ReasonCode::Stalled)).await;
    l.run(7 * MIN, 10 * MIN, None).await;
    let line = l.see(0, 20 * MIN, 10 * MIN + 2000).await;
    assert_eq!(stretches(&line), [(0, 5 * MIN), (7 * MIN, 10 * MIN)]);
    assert_eq!(
        gaps(&line),
        [(5 * MIN, 7 * MIN, Some(ReasonCode::Stalled))],
        "the fresh end is no hole"
    );
    assert_eq!((line.first, line.last), (Some(at(0)), Some(at(10 * MIN))));
    let inside = l.see(6 * MIN, 8 * MIN, 60 * MIN).await;
    assert_eq!(stretches(&inside), [(7 * MIN, 8 * MIN)]);
    assert_eq!(
        gaps(&inside),
        [(6 * MIN, 7 * MIN, Some(ReasonCode::Stalled))]
    );
    let within = l.see(MIN, 2 * MIN, 60 * MIN).await;
    assert_eq!(stretches(&within), [(MIN, 2 * MIN)]);
    assert!(within.gaps.is_empty());
}

#[tokio::test]
async fn a_second_apart_joins_a_run_may_be_further_apart_and_more_is_a_hole() {
    let l = Line::new().await;
    l.t.segment(&l.channel, 0, 10_000).await;
    l.t.segment(&l.channel, 11_000, 20_000).await;
    l.t.segment(&l.channel, 21_001, 30_000).await;
    l.t.segment_of(&l.channel, None, 36_000, 40_000, true).await;
    let line = l.see(0, 40_000, 41_000).await;
    assert_eq!(stretches(&line), [(0, 20_000), (21_001, 40_000)]);
    assert_eq!(gaps(&line), [(20_000, 21_001, None)]);
}

#[tokio::test]
async fn a_crash_shows_as_not_running_also_when_the_tail_was_adopted() {
    let l = Line::new().await;
    l.run(0, 5 * MIN, None).await;
    l.t.segment(&l.channel, 5 * MIN, 5 * MIN + 10_000).await;
    l.t.store.runs_abandon().await.unwrap();
    l.event(9 * MIN, EventKind::Started, None).await;
    l.run(10 * MIN, 12 * MIN, None).await;
    let line = l.see(0, 12 * MIN, 12 * MIN).await;
    assert_eq!(
        gaps(&line),
        [(5 * MIN + 10_000, 10 * MIN, Some(ReasonCode::NotRunning))]
    );
}

#[tokio::test]
async fn an_adopted_tail_has_the_reason_of_the_run_it_belonged_to() {
    let l = Line::new().await;
    l.run(0, 5 * MIN, Some(ReasonCode::Ended)).await;
    l.t.segment(&l.channel, 5 * MIN, 5 * MIN + 10_000).await;
    l.run(10 * MIN, 12 * MIN, None).await;
    let line = l.see(0, 12 * MIN, 12 * MIN).await;
    assert_eq!(gaps(&line)[0].2, Some(ReasonCode::Ended));
}

#[tokio::test]
async fn a_camera_that_never_came_has_the_reason_of_its_loss() {
    let l = Line::new().await;
    l.event(1000, EventKind::Disconnected, Some(ReasonCode::AuthRefused))
        .await;
    let line = l.see(-MIN, 10 * MIN, 5 * MIN).await;
    assert!(line.stretches.is_empty());
    // From the channel's making to now.
    assert_eq!(gaps(&line), [(0, 5 * MIN, Some(ReasonCode::AuthRefused))]);
    assert_eq!((line.first, line.last), (None, None));
}

#[tokio::test]
async fn switched_off_is_said_to_be_off_also_after_a_restart() {
    let l = Line::new().await;
    l.run(0, 5 * MIN, Some(ReasonCode::NotRunning)).await;
    let change = ChannelChange {
        record_mode: Some(RecordMode::Off),
        ..Default::default()
    };
    l.t.store
        .channel_update(l.channel.clone(), change, at(5 * MIN + 500))
        .await
        .unwrap();
    l.event(6 * MIN, EventKind::Started, None).await;
    let line = l.see(0, 30 * MIN, 20 * MIN).await;
    assert_eq!(gaps(&line), [(5 * MIN, 20 * MIN, Some(ReasonCode::Off))]);
}

#[tokio::test]
async fn a_lost_file_is_a_hole_that_says_so() {
    let l = Line::new().await;
    l.run(0, 5 * MIN, None).await;
    l.t.store
        .recording_missing(l.channel.clone(), at(2 * MIN))
        .await
        .unwrap();
    let line = l.see(0, 5 * MIN, 5 * MIN).await;
    assert_eq!(
        gaps(&line),
        [(
            2 * MIN,
            2 * MIN + 30_000,
            Some(ReasonCode::StorageUnavailable)
        )]
    );
}

#[tokio::test]
async fn a_lost_file_is_a_hole_also_when_segments_are_short() {
    let l = Line::new().await;
    let run = l.t.run(&l.channel, 0).await;
    for n in 0..3 {
        let (start, end) = (n * 5000, (n + 1) * 5000);
        l.t.segment_of(&l.channel, Some(run), start, end, n > 0)
            .await;
    }
    l.t.store
        .recording_missing(l.channel.clone(), at(5000))
        .await
        .unwrap();
    let line = l.see(0, 15_000, 15_000).await;
    assert_eq!(
        gaps(&line),
        [(5000, 10_000, Some(ReasonCode::StorageUnavailable))]
    );
}

#[tokio::test]
async fn the_segment_being_written_belongs_to_the_line() {
    let l = Line::new().await;
    l.run(0, 5 * MIN, None).await;
    let open = Some((5 * MIN, 5 * MIN + 9000));
    let line = l.see_open(0, 10 * MIN, 5 * MIN + 10_000, open).await;
    assert_eq!(stretches(&line), [(0, 5 * MIN + 9000)]);
    assert!(line.gaps.is_empty());
    assert_eq!(line.last, Some(at(5 * MIN + 9000)));
    // Closed meanwhile: it is there as a row too.
    l.t.segment(&l.channel, 5 * MIN, 5 * MIN + 9500).await;
    let line = l.see_open(0, 10 * MIN, 5 * MIN + 10_000, open).await;
    assert_eq!(stretches(&line), [(0, 5 * MIN + 9500)]);
}

#[tokio::test]
async fn time_to_come_and_time_after_the_camera_was_removed_are_no_holes() {
    let l = Line::new().await;
    l.run(0, 5 * MIN, Some(ReasonCode::Ended)).await;
    let line = l.see(10 * MIN, 20 * MIN, 5 * MIN + 1000).await;
    assert!(line.stretches.is_empty() && line.gaps.is_empty());
    l.t.store
        .channel_remove(l.channel.clone(), false, at(6 * MIN))
        .await
        .unwrap();
    let line = l.see(0, 20 * MIN, 20 * MIN).await;
    assert_eq!(gaps(&line), [(5 * MIN, 6 * MIN, Some(ReasonCode::Ended))]);
}

//! Queries are answered from covering indexes.

use rusqlite::types::Null;

use super::Temporary;
use crate::{clip, export, garbage, recording, retention, snapshot, timeline, upload::filling};

/// The plan of a statement, one line each.
async fn plan(t: &Temporary, sql: &str) -> Vec<String> {
    let sql = sql.to_owned();
    t.store
        .read(move |c| {
            let mut s = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let nulls = vec![Null; s.parameter_count()];
            Ok(
                s.query_map(rusqlite::params_from_iter(nulls), |r| r.get(3))?
                    .collect::<Result<_, _>>()?,
            )
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn what_must_be_fast_reads_the_covering_index_alone() {
    let t = Temporary::new().await;
    for sql in [
        recording::LIST,
        recording::LOCAL,
        recording::INSIDE,
        recording::BEFORE,
        timeline::ROWS,
    ] {
        let lines = plan(&t, sql).await;
        assert!(
            lines[0].starts_with("SEARCH recording USING COVERING INDEX recording_list (channel=?"),
            "{sql}\n{lines:#?}"
        );
        assert!(
            lines
                .iter()
                .all(|l| !l.contains("SCAN") && !l.contains("TEMP B-TREE")),
            "{sql}\n{lines:#?}"
        );
    }
}

#[tokio::test]
async fn events_are_listed_without_sorting() {
    let t = Temporary::new().await;
    let lines = plan(
        &t,
        "SELECT event.id FROM channel JOIN event ON event.channel = channel.id
         WHERE channel.public_id = ?1 AND (event.at_ms, event.id) < (?2, ?3)
         ORDER BY event.at_ms DESC, event.id DESC LIMIT ?4",
    )
    .await;
    assert!(
        lines.iter().any(|l| l.contains("event_by_channel")),
        "{lines:#?}"
    );
    assert!(
        lines.iter().all(|l| !l.contains("TEMP B-TREE")),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn clips_snapshots_and_exports_are_listed_without_sorting() {
    let t = Temporary::new().await;
    for (sql, index) in [
        (clip::LISTED.all(), "clip_by_time"),
        (clip::LISTED.of_channel(), "clip_by_channel"),
        (snapshot::LISTED.all(), "snapshot_by_time"),
        (snapshot::LISTED.of_channel(), "snapshot_by_channel"),
        (export::LIST.to_owned(), "export_by_time"),
    ] {
        let lines = plan(&t, &sql).await;
        assert!(lines.iter().any(|l| l.contains(index)), "{sql}\n{lines:#?}");
        assert!(
            lines.iter().all(|l| !l.contains("TEMP B-TREE")),
            "{sql}\n{lines:#?}"
        );
    }
}

/// Every line of a plan that finds rows, searched in this index alone.
async fn searches(t: &Temporary, sql: &'static str, index: &str, covering: bool) {
    let lines = plan(t, sql).await;
    let kind = if covering { "COVERING INDEX" } else { "INDEX" };
    let wanted = format!("USING {kind} {index} (");
    assert!(
        lines.iter().any(|l| l.contains(&wanted)),
        "{sql}\n{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .all(|l| !l.contains("SCAN recording") && !l.contains("TEMP B-TREE")),
        "{sql}\n{lines:#?}"
    );
}

#[tokio::test]
async fn retention_walks_partial_indexes_alone() {
    let t = Temporary::new().await;
    searches(&t, retention::LOCAL, "recording_local", true).await;
    searches(&t, retention::COPIES, "recording_copy", true).await;
    searches(&t, retention::STORED, "recording_stored", true).await;
    searches(&t, retention::AGED_COPIES, "recording_copy_age", false).await;
    searches(&t, retention::HELD, "recording_local", true).await;
    searches(&t, retention::MEASURED, "recording_list", true).await;
    searches(&t, retention::MISSING, "recording_missing", false).await;
    searches(&t, retention::AGED_SNAPSHOTS, "snapshot_stored", false).await;
    for sql in [garbage::FILES, garbage::STORED] {
        let lines = plan(&t, sql).await;
        assert!(
            lines[0].starts_with("SEARCH garbage USING INDEX garbage_"),
            "{lines:#?}"
        );
    }
}

#[tokio::test]
async fn short_transactions_of_the_writer_read_no_table() {
    let t = Temporary::new().await;
    searches(&t, garbage::PURGE, "recording_start", false).await;
    searches(&t, filling::REDIRECTED, "recording_copy_age", false).await;
    searches(&t, filling::UNQUEUED, "recording_local", true).await;
}

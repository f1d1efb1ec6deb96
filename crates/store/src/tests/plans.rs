//! Queries are answered from covering indexes.

use rusqlite::types::Null;

use super::Temporary;
use crate::{recording, timeline};

/// The plan of a statement, one line each.
async fn plan(t: &Temporary, sql: &'static str) -> Vec<String> {
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

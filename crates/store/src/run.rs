//! Table `run`: uninterrupted connections, and why each ended.

use oriel_api::{
    ChannelId, Reason, Timestamp,
    link::{RunId, RunStarted},
};
use rusqlite::{Connection, OptionalExtension};

use crate::{Result, Store, StoreError, channel, codec, text};

/// Why a run ended, if that is known.
pub(crate) fn end_reason(connection: &Connection, run: i64) -> Result<Option<Reason>> {
    let (code, message): (Option<String>, Option<String>) = connection
        .prepare_cached("SELECT end_reason, end_message FROM run WHERE id = ?1")?
        .query_row([run], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(match code {
        Some(code) => Some(Reason {
            code: text::parse(&code)?,
            message: message.unwrap_or_default(),
        }),
        None => None,
    })
}

impl Store {
    /// Notes the start of a run and gives its number.
    pub async fn run_start(&self, run: RunStarted) -> Result<RunId> {
        self.write(move |c| {
            let channel = match channel::key(c, &run.channel)? {
                Some((id, false)) => id,
                _ => return Err(StoreError::NoSuch("channel")),
            };
            let codec = codec::intern(c, &run.codecs)?;
            c.execute(
                "INSERT INTO run (channel, start_ms, codec, width, height)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                (channel, run.start.ms(), codec, run.width, run.height),
            )?;
            Ok(c.last_insert_rowid())
        })
        .await
    }

    /// Notes the end of a run and gives its channel; `None` when that is gone already.
    pub async fn run_end(
        &self,
        run: RunId,
        end: Timestamp,
        reason: Reason,
        drift_ppm: Option<f64>,
    ) -> Result<Option<ChannelId>> {
        self.write(move |c| {
            c.execute(
                "UPDATE run SET end_ms = ?2, end_reason = ?3, end_message = ?4, drift_ppm = ?5
                 WHERE id = ?1",
                (
                    run,
                    end.ms(),
                    text::word(&reason.code)?,
                    &reason.message,
                    drift_ppm.filter(|d| d.is_finite()),
                ),
            )?;
            let channel: Option<String> = c
                .prepare_cached(
                    "SELECT channel.public_id FROM run JOIN channel ON channel.id = run.channel
                     WHERE run.id = ?1",
                )?
                .query_row([run], |r| r.get(0))
                .optional()?;
            channel.as_deref().map(text::id).transpose()
        })
        .await
    }

    /// Ends the runs that a crash left open, at the end of their footage and without a reason.
    /// Gives how many there were.
    pub async fn runs_abandon(&self) -> Result<usize> {
        self.write(|c| {
            Ok(c.execute(
                "UPDATE run SET end_ms = coalesce(
                   (SELECT max(end_ms) FROM recording WHERE recording.run = run.id), start_ms)
                 WHERE end_ms IS NULL",
                [],
            )?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Temporary;
    use oriel_api::ReasonCode;

    #[tokio::test]
    async fn a_run_left_open_by_a_crash_ends_with_its_footage() {
        let t = Temporary::new().await;
        let (_, channel) = t.camera("Door", "rtsp://door/1").await;
        let run = t.run(&channel, 1000).await;
        t.segment_of(&channel, Some(run), 1000, 31_000, false).await;
        let closed = t.run(&channel, 40_000).await;
        let reason = Reason {
            code: ReasonCode::Stalled,
            message: "No frame for 5 s.".into(),
        };
        t.store
            .run_end(
                closed,
                Timestamp::from_ms(50_000),
                reason.clone(),
                Some(f64::NAN),
            )
            .await
            .unwrap();
        assert_eq!(t.store.runs_abandon().await.unwrap(), 1);
        let (end, kept) = t
            .store
            .read(move |c| {
                let end: i64 =
                    c.query_row("SELECT end_ms FROM run WHERE id = ?1", [run], |r| r.get(0))?;
                Ok((end, (end_reason(c, run)?, end_reason(c, closed)?)))
            })
            .await
            .unwrap();
        assert_eq!(end, 31_000);
        assert_eq!(kept, (None, Some(reason)));
    }

    #[tokio::test]
    async fn a_run_of_an_unknown_channel_is_refused() {
        let t = Temporary::new().await;
        let run = RunStarted {
            channel: t.channel_id(),
            start: Timestamp::from_ms(0),
            codecs: "avc1.64001f".into(),
            width: 1,
            height: 1,
        };
        assert!(matches!(
            t.store.run_start(run).await,
            Err(StoreError::NoSuch("channel"))
        ));
    }
}

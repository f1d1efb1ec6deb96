//! Answers stay right in large tables, and are taken from indexes alone.

use oriel_api::{ChannelId, Range, Timestamp};

use super::Temporary;

const DAY: i64 = 24 * 3600 * 1000;
const SEGMENT: i64 = 30_000;
const CHANNELS: i64 = 16;

/// Cameras that recorded for so many days, with a hole of ten minutes at noon of each.
async fn filled(days: i64) -> (Temporary, Vec<ChannelId>) {
    let t = Temporary::new().await;
    let mut channels = Vec::new();
    for n in 0..CHANNELS {
        let (_, channel) = t
            .camera(&format!("Camera {n}"), &format!("rtsp://host{n}/1"))
            .await;
        channels.push(channel);
    }
    t.store
        .write(move |c| {
            c.execute("INSERT INTO codec VALUES (1, 'avc1.64001f')", [])?;
            // In the order of recording: channels take turns.
            c.execute(
                "WITH RECURSIVE t(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM t WHERE n + 1 < ?1)
                 INSERT INTO recording (channel, start_ms, end_ms, bytes, codec, continues, local,
                   state)
                 SELECT channel.id, n * 30000 + channel.id, (n + 1) * 30000 + channel.id, 1000000,
                   1, 1, 1, 0
                 FROM t CROSS JOIN channel WHERE n % 2880 NOT BETWEEN 1440 AND 1459",
                [days * DAY / SEGMENT],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    (t, channels)
}

fn day(n: i64) -> Range {
    Range {
        start: Timestamp::from_ms(n * DAY),
        end: Timestamp::from_ms((n + 1) * DAY),
    }
}

async fn look(t: &Temporary, channels: &[ChannelId], days: i64) {
    let now = Timestamp::from_ms(days * DAY + 3_600_000);
    let n = days / 2;
    for (i, channel) in channels.iter().enumerate() {
        let line = t
            .store
            .timeline(channel.clone(), day(n), now, Vec::new())
            .await
            .unwrap();
        assert_eq!(line.stretches.len(), 2);
        let hole: Vec<_> = line
            .gaps
            .iter()
            .map(|g| g.end.ms() - g.start.ms())
            .collect();
        assert_eq!(hole, [600_000]);
        let key = i as i64 + 1;
        assert_eq!(line.first, Some(Timestamp::from_ms(key)));
        assert_eq!(line.last, Some(Timestamp::from_ms(days * DAY + key)));
        let page = t
            .store
            .recordings(channel.clone(), day(n), None, 5000)
            .await
            .unwrap();
        // One reaches over from the day before.
        assert_eq!((page.rows.len(), page.more), (2861, false));
    }
    let mut month: Vec<_> = (days - 28..days + 3).map(day).collect();
    month.retain(|r| r.start.ms() >= 0);
    let found = t
        .store
        .footage_in(channels.to_vec(), month.clone())
        .await
        .unwrap();
    for (range, found) in month.iter().zip(found) {
        // The last segment reaches a few milliseconds into the day after.
        assert_eq!(found, range.start.ms() <= days * DAY);
    }
}

#[tokio::test]
async fn answers_are_right_among_many_rows() {
    let (t, channels) = filled(4).await;
    look(&t, &channels, 4).await;
}

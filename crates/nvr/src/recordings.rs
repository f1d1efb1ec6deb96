//! Operations on footage, and where a segment's bytes are.

use jiff::{civil::Date, tz::TimeZone};
use oriel_api::{
    Caller, CameraId, ChannelId, Days, DaysQuery, Error, Page, Permission, Range, Recording,
    RecordingQuery, Result, Segment, SegmentQuery, SegmentState, Timeline, TimelineQuery,
    Timestamp, link::OpenSegment,
};
use oriel_store::RecordingRow;

use crate::{Nvr, objects::StoredObject, sign::Purpose};

fn limit(given: Option<u32>) -> Result<u32> {
    match given.unwrap_or(1000) {
        n @ 1..=5000 => Ok(n),
        _ => Err(Error::invalid("The limit is 1 to 5000.")),
    }
}

fn after(given: Option<&str>) -> Result<Option<Timestamp>> {
    given
        .map(|text| text.parse().map(Timestamp::from_ms))
        .transpose()
        .map_err(|_| Error::invalid("The field after is not one that a page gave."))
}

/// Reads a segment's file name: digits and `.mp4`, nothing else.
fn start_of(name: &str) -> Option<Timestamp> {
    let digits = name.strip_suffix(".mp4")?;
    let plain = (1..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    plain.then(|| digits.parse().ok().map(Timestamp::from_ms))?
}

/// A segment that a caller may read, and where its bytes are.
#[derive(Clone, Debug)]
pub struct SegmentLocation {
    /// Whose it is.
    pub channel: ChannelId,
    /// First frame; also the file name.
    pub start: Timestamp,
    /// Where it stands.
    pub state: SegmentState,
    /// Whether there should be a local file.
    pub local: bool,
    /// The same bytes in the bucket, once they are there.
    pub stored: Option<StoredObject>,
}

/// A page of segments in order of start, also those without a row, and whether there are more.
struct Found {
    rows: Vec<RecordingRow>,
    next: Option<String>,
}

/// Whether there is something to be played, here or in the bucket.
fn has_bytes(local: bool, state: SegmentState) -> bool {
    local || state == SegmentState::Stored
}

/// As a row will say it once there is one.
fn unlisted(open: OpenSegment) -> RecordingRow {
    RecordingRow {
        id: 0,
        start: open.start,
        end: open.end,
        bytes: open.bytes,
        state: SegmentState::Open,
        codecs: open.codecs,
        continues: open.continues,
        run: None,
        local: true,
        object_key: None,
    }
}

impl Nvr {
    async fn found(
        &self,
        channel: &ChannelId,
        start: Timestamp,
        end: Timestamp,
        asked_limit: Option<u32>,
        asked_after: Option<&str>,
    ) -> Result<Found> {
        let window = Range::checked(start, end)?;
        let (limit, after) = (limit(asked_limit)?, after(asked_after)?);
        // Before the rows: one that gets its row in between is then in both, never in neither,
        // because the worker tells of it until its row is written.
        let open = self.open_segments(channel);
        let page = self
            .store
            .recordings(channel.clone(), window, after, limit)
            .await?;
        let mut rows = page.rows;
        // Where rows go on after this page, later ones belong to the next.
        let until = rows.last().map(|r| r.start).filter(|_| page.more);
        let open: Vec<_> = open
            .into_iter()
            .filter(|o| {
                o.start < end
                    && o.end > start
                    && after.is_none_or(|a| o.start > a)
                    && until.is_none_or(|u| o.start < u)
                    && !rows.iter().any(|r| r.start == o.start)
            })
            .collect();
        rows.extend(open.into_iter().map(unlisted));
        rows.sort_by_key(|r| r.start);
        let more = page.more || rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows
            .last()
            .filter(|_| more)
            .map(|r| r.start.ms().to_string());
        Ok(Found { rows, next })
    }

    pub(crate) fn open_segments(&self, channel: &ChannelId) -> Vec<OpenSegment> {
        let links = self.links().ok();
        links.map_or_else(Vec::new, |l| l.worker.open_segments(channel))
    }

    /// Signed URL of a segment. `owner` is the camera's id, or the channel's when no camera is
    /// left.
    fn segment_url(&self, owner: &str, start: Timestamp, now: Timestamp) -> String {
        let path = format!("/api/recordings/segment/{owner}/{}.mp4", start.ms());
        let purpose = Purpose::Media;
        let query = self
            .signer
            .sign("GET", &path, purpose, purpose.lifetime(), now);
        format!("{path}?{query}")
    }

    pub(crate) async fn list_segments(&self, input: SegmentQuery) -> Result<Page<Segment>> {
        let Some(channel) = self.footage_of(&input.camera_id).await?.0 else {
            Range::checked(input.start, input.end)?;
            return Ok(Page::all(Vec::new()));
        };
        let found = self
            .found(
                &channel,
                input.start,
                input.end,
                input.limit,
                input.after.as_deref(),
            )
            .await?;
        let now = self.clock_now();
        let url = |start| self.segment_url(input.camera_id.as_str(), start, now);
        let items: Vec<_> = found
            .rows
            .into_iter()
            .map(|row| Segment {
                id: match row.state {
                    SegmentState::Open => String::new(),
                    _ => row.id.to_string(),
                },
                camera_id: input.camera_id.clone(),
                name: format!("{}.mp4", row.start.ms()),
                start: row.start,
                end: row.end,
                bytes: row.bytes,
                state: row.state,
                codecs: row.codecs,
                continues: row.continues,
                run: row.run,
                local: row.local,
                url: has_bytes(row.local, row.state).then(|| url(row.start)),
            })
            .collect();
        Ok(Page {
            items,
            next: found.next,
        })
    }

    pub(crate) async fn list_recordings(&self, input: RecordingQuery) -> Result<Page<Recording>> {
        let channel = self.channel_row(&input.id).await?;
        let found = self
            .found(
                &input.id,
                input.start,
                input.end,
                input.limit,
                input.after.as_deref(),
            )
            .await?;
        let now = self.clock_now();
        let owner = channel
            .camera
            .as_ref()
            .map_or(input.id.as_str(), CameraId::as_str);
        let items: Vec<_> = found
            .rows
            .into_iter()
            .map(|row| Recording {
                channel_id: input.id.clone(),
                time_start: row.start,
                time_end: row.end,
                s3_path: row.object_key,
                status: row.state,
                url: has_bytes(row.local, row.state)
                    .then(|| self.segment_url(owner, row.start, now)),
            })
            .collect();
        Ok(Page {
            items,
            next: found.next,
        })
    }

    pub(crate) async fn overview(&self, input: TimelineQuery) -> Result<Timeline> {
        let window = Range::checked(input.start, input.end)?;
        let now = self.clock_now();
        let open = self.open_segments(&input.id);
        let mut timeline = self
            .store
            .timeline(input.id.clone(), window, now, open)
            .await?;
        // A hole that goes on and has no cause on record: what the camera says now.
        if let Some(gap) = timeline.gaps.last_mut()
            && gap.reason.is_none()
            && gap.end >= now.min(window.end)
            && now < window.end
            && let Some(camera) = self.channel_row(&input.id).await?.camera
        {
            let status = self.states().status(&camera, oriel_api::Quality::High);
            gap.reason = status.and_then(|s| s.reason);
        }
        Ok(timeline)
    }

    pub(crate) async fn days(&self, caller: &Caller, input: DaysQuery) -> Result<Days> {
        let channels: Vec<_> = self.store.channels().await?;
        let channels = channels
            .into_iter()
            .map(|c| c.id)
            .filter(|id| caller.sees(Permission::RecordingsView, id))
            .collect();
        // Time zones may be read from the disk.
        let days = tokio::task::spawn_blocking(move || month(&input.zone, &input.month))
            .await
            .map_err(Error::internal)??;
        let ranges = days.iter().map(|(_, range)| *range).collect();
        let found = self.store.footage_in(channels, ranges).await?;
        let days = days.into_iter().zip(found);
        Ok(Days {
            days: days
                .filter_map(|((day, _), has)| has.then_some(day))
                .collect(),
        })
    }

    /// Where a segment's bytes are. `owner` is the `{camera_id}` of the path, a camera's id or
    /// that of a channel without a camera; `name` is checked to be `<digits>.mp4`. Who opens it
    /// with a signature passes [`Caller::owner`]; what a caller may not see does not exist for it.
    pub async fn segment_location(
        &self,
        caller: &Caller,
        owner: &str,
        name: &str,
    ) -> Result<SegmentLocation> {
        let none = || Error::not_found("There is no such segment.");
        let start = start_of(name).ok_or_else(none)?;
        let camera = owner.parse::<CameraId>().map_err(|_| none())?;
        let channel = match self.store.camera(camera).await? {
            Some(row) => row.channel,
            None => owner.parse::<ChannelId>().ok(),
        };
        let channel = channel.ok_or_else(none)?;
        if self.store.channel(channel.clone()).await?.is_none()
            || !caller.sees(Permission::RecordingsView, &channel)
        {
            return Err(none());
        }
        let is_open = || {
            let open = self.open_segments(&channel);
            open.iter().any(|open| open.start == start)
        };
        // Asked again after the rows, for one that is begun in between; one that is closed stays
        // among these until it has its row.
        let open = || SegmentLocation {
            channel: channel.clone(),
            start,
            state: SegmentState::Open,
            local: true,
            stored: None,
        };
        if is_open() {
            return Ok(open());
        }
        let row = match self.store.recording(channel.clone(), start).await? {
            Some(row) => row,
            None if is_open() => return Ok(open()),
            None => return Err(none()),
        };
        let stored = row
            .object_key
            .filter(|_| row.state == SegmentState::Stored)
            .and_then(|key| self.stored_segment(&key, start, row.bytes));
        Ok(SegmentLocation {
            channel,
            start,
            state: row.state,
            local: row.local,
            stored,
        })
    }
}

/// The days of a month in a zone, each with its moments.
fn month(zone: &str, month: &str) -> Result<Vec<(String, Range)>> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+');
    let unknown = || Error::invalid("There is no such time zone.");
    if zone.is_empty() || zone.len() > 64 || !zone.bytes().all(plain) {
        return Err(unknown());
    }
    let zone = TimeZone::get(zone).map_err(|_| unknown())?;
    let wrong = || Error::invalid("A month is written like 2026-11.");
    if month.len() != 7 || !month.is_ascii() {
        return Err(wrong());
    }
    let first: Date = format!("{month}-01").parse().map_err(|_| wrong())?;
    let moment = |date: Date| -> Result<Timestamp> {
        let start = date
            .to_zoned(zone.clone())
            .and_then(|z| z.start_of_day())
            .map_err(|_| wrong())?;
        Ok(Timestamp::from_ms(start.timestamp().as_millisecond()))
    };
    let mut days = Vec::new();
    let mut day = first;
    while day.month() == first.month() {
        let next = day.tomorrow().map_err(|_| wrong())?;
        let (start, end) = (moment(day)?, moment(next)?);
        // A zone that moved over the date line skipped a day.
        if start < end {
            days.push((day.to_string(), Range { start, end }));
        }
        day = next;
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_number_is_a_segment() {
        assert_eq!(start_of("17.mp4"), Some(Timestamp::from_ms(17)));
        assert_eq!(start_of("0.mp4"), Some(Timestamp::from_ms(0)));
        for bad in [
            "",
            ".mp4",
            "17",
            "17.mp4.part",
            "-1.mp4",
            "+1.mp4",
            "017.mp4",
            "../17.mp4",
            "..%2f17.mp4",
            "c:17.mp4",
            "1 7.mp4",
            "17.MP4",
            "17.mp4/",
            "17.mp4\0",
            "9999999999999999.mp4",
            "٣.mp4",
            "1_7.mp4",
            "0x1.mp4",
        ] {
            assert_eq!(start_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_month_has_its_days_also_when_clocks_change() {
        let march = month("Europe/Zagreb", "2026-03").unwrap();
        assert_eq!(march.len(), 31);
        let length = |n: usize| march[n].1.end.ms() - march[n].1.start.ms();
        assert_eq!(length(27), 24 * 3_600_000);
        assert_eq!(length(28), 23 * 3_600_000);
        assert_eq!(march[28].0, "2026-03-29");
        let february = month("UTC", "2028-02").unwrap();
        assert_eq!(february.len(), 29);
        // Samoa skipped the last but one day of 2011.
        assert_eq!(month("Pacific/Apia", "2011-12").unwrap().len(), 30);
    }

    #[test]
    fn rubbish_is_no_month_and_no_zone() {
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "2026-00",
            "26-11-01",
            "９９９９-1",
        ] {
            assert!(month("UTC", bad).is_err(), "{bad}");
        }
        for bad in [
            "",
            "../../etc/passwd",
            "Mars/Base",
            "UTC\0",
            "/etc/localtime",
        ] {
            assert!(month(bad, "2026-11").is_err(), "{bad}");
        }
        assert!(month("UTC", "9999-12").is_err());
    }
}

//! The manifest of an export: what its files are, so that they can be believed without Oriel,
//! and found again when the database is lost.

use jiff::tz::TimeZone;
use oriel_api::{Error, ExportStatus, Gap, Range, Result, Timestamp};
use oriel_bucket::ObjectKey;
use oriel_store::{ExportPartRow, ExportRow};
use serde::{Deserialize, Serialize};

use crate::{Nvr, listing::hex, made::place_failed};

/// A moment in UTC and in the time zone of the recorder.
#[derive(Deserialize, Serialize)]
pub(super) struct Moment {
    pub(super) utc: Timestamp,
    pub(super) local: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Span {
    pub(super) start: Moment,
    pub(super) end: Moment,
}

#[derive(Deserialize, Serialize)]
pub(super) struct File {
    pub(super) camera_id: String,
    pub(super) camera: String,
    pub(super) channel_id: String,
    pub(super) status: ExportStatus,
    /// Absent when the file was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    /// First to last frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) footage: Option<Span>,
    pub(super) gaps: Vec<Gap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Manifest {
    pub(super) oriel_version: String,
    pub(super) export_id: String,
    pub(super) created: Moment,
    pub(super) time_zone: String,
    pub(super) asked_for: Span,
    pub(super) with_audio: bool,
    pub(super) files: Vec<File>,
}

fn moment(at: Timestamp, zone: &TimeZone) -> Result<Moment> {
    let local = jiff::Timestamp::from_millisecond(at.ms())
        .map_err(Error::internal)?
        .to_zoned(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
        .to_string();
    Ok(Moment { utc: at, local })
}

fn span(range: Range, zone: &TimeZone) -> Result<Span> {
    Ok(Span {
        start: moment(range.start, zone)?,
        end: moment(range.end, zone)?,
    })
}

fn file(part: &ExportPartRow, zone: &TimeZone) -> Result<File> {
    let made = part.bytes.is_some();
    Ok(File {
        camera_id: part.camera.to_string(),
        camera: part.name.clone(),
        channel_id: part.channel.to_string(),
        status: part.status,
        file: made.then(|| part.file.clone()),
        bytes: part.bytes,
        sha256: part.sha256.map(hex),
        footage: part.media.map(|m| span(m, zone)).transpose()?,
        gaps: part.gaps.clone(),
        reason: part.reason.clone(),
    })
}

pub(super) fn manifest(row: &ExportRow, version: &str, zone: &TimeZone) -> Result<Vec<u8>> {
    let manifest = Manifest {
        oriel_version: version.into(),
        export_id: row.id.to_string(),
        created: moment(row.created, zone)?,
        time_zone: zone.iana_name().unwrap_or("unknown").into(),
        asked_for: span(row.range, zone)?,
        with_audio: row.with_audio,
        files: row
            .parts
            .iter()
            .map(|p| file(p, zone))
            .collect::<Result<_>>()?,
    };
    serde_json::to_vec_pretty(&manifest).map_err(Error::internal)
}

impl Nvr {
    /// Writes the manifest into its place. Gives its size.
    pub(super) async fn write_manifest(&self, row: &ExportRow) -> Result<u64> {
        let key = ObjectKey::parse(row.manifest_key.clone()).map_err(Error::internal)?;
        let (row, version) = (row.clone(), self.options.version.clone());
        // The zone may be read from the disk.
        let bytes =
            tokio::task::spawn_blocking(move || manifest(&row, &version, &TimeZone::system()))
                .await
                .map_err(Error::internal)??;
        let place = self.local_place(&key)?;
        let stored = place
            .put_bytes(&key, bytes, Some("application/json"))
            .await
            .map_err(place_failed)?;
        Ok(stored.size)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use oriel_api::{ExportFormat, ExportId};

    /// An export that has just got its files.
    pub(crate) fn sample() -> ExportRow {
        let at = Timestamp::from_ms;
        let range = Range {
            start: at(1_795_262_400_000),
            end: at(1_795_262_460_000),
        };
        let part = ExportPartRow {
            number: 1,
            camera: "aaaaaaaaaaaa".parse().unwrap(),
            channel: "bbbbbbbbbbbb".parse().unwrap(),
            name: "Front \"door\"".into(),
            file: "front-door.mp4".into(),
            status: ExportStatus::Partial,
            reason: None,
            gaps: vec![Gap {
                start: range.start,
                end: at(1_795_262_401_500),
                reason: None,
            }],
            media: Some(range),
            bytes: Some(7),
            sha256: Some([0xab; 32]),
            object_key: "exports/aaaaaaaaaaaa/front-door.mp4".into(),
            local: true,
            stored: None,
        };
        ExportRow {
            number: 1,
            id: ExportId::from_random([0; 12]),
            range,
            format: ExportFormat::Mp4,
            with_audio: true,
            status: ExportStatus::Running,
            reason: None,
            manifest_key: "exports/aaaaaaaaaaaa/manifest.json".into(),
            manifest_bytes: None,
            created: at(0),
            parts: vec![part],
        }
    }

    #[test]
    fn it_names_both_times_the_gaps_and_the_sums() {
        let row = sample();
        let zone = TimeZone::get("Europe/Zagreb").unwrap();
        let text = manifest(&row, "1.2.3", &zone).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(json["time_zone"], "Europe/Zagreb");
        assert_eq!(json["oriel_version"], "1.2.3");
        let start = &json["asked_for"]["start"];
        assert_eq!(start["utc"], "2026-11-21T12:00:00.000Z");
        assert_eq!(start["local"], "2026-11-21T13:00:00.000+01:00");
        let file = &json["files"][0];
        assert_eq!(file["camera"], "Front \"door\"");
        assert_eq!(file["sha256"], "ab".repeat(32));
        assert_eq!(file["gaps"][0]["end"], "2026-11-21T12:00:01.500Z");
        assert_eq!(file["footage"]["end"]["utc"], "2026-11-21T12:01:00.000Z");
    }
}

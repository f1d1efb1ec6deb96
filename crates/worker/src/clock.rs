//! From ticks of a track to the wall clock.

use oriel_api::Timestamp;

/// The wall clock at a time of a run.
pub(crate) fn wall(anchor: Timestamp, ticks: i64, timescale: u32) -> Timestamp {
    let ms = oriel_media::rescale(ticks, timescale, 1000);
    Timestamp::from_ms(anchor.ms().saturating_add(ms))
}

//! One run: frames of one connection handed to the worker, with anchor, drift and stats.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use oriel_api::{ChannelId, Quality, Reason, ReasonCode, StreamStats, Timestamp};
use oriel_camera::{Measure, Received};
use oriel_media::{
    Format, TrackKind,
    format::VIDEO_TIMESCALE,
    ingest::{Ingest, RunOpen, RunSink},
    rescale,
};
use tracing::info;

use crate::{
    clock::wall_at,
    drift::Drift,
    lateness::{LIMIT, Lateness},
};

/// Where a run's frames go and what is known about it.
pub(crate) struct Run {
    ingest: Arc<dyn Ingest>,
    channel: ChannelId,
    quality: Quality,
    format: Arc<Format>,
    open: Option<Open>,
    record: bool,
    measure: Measure,
    last_video: Instant,
    last_dts: i64,
}

struct Open {
    sink: Box<dyn RunSink>,
    record: bool,
    /// Time of the connection that is this run's zero, in video ticks.
    zero: i64,
    /// Wall-clock time of that zero, as the run was opened with.
    anchor: Timestamp,
    began: Instant,
    /// Wall-clock time at `began`.
    wall: Timestamp,
    drift: Drift,
    lateness: Lateness,
}

impl Open {
    /// Wall-clock time of a moment of the connection, by this run's account.
    fn time_of(&self, dts: i64) -> Timestamp {
        let ms = rescale(dts.saturating_sub(self.zero), VIDEO_TIMESCALE, 1000);
        Timestamp::from_ms(self.anchor.ms().saturating_add(ms))
    }

    /// Why the run's times are wrong: whose clock it was.
    fn correction_reason(&self, at: Instant, wall: Timestamp) -> Reason {
        let steady = at.saturating_duration_since(self.began).as_millis();
        let steady = i64::try_from(steady).unwrap_or(i64::MAX);
        let moved = wall.ms().saturating_sub(self.wall.ms()).abs_diff(steady);
        if moved > LIMIT.unsigned_abs() / 2 {
            Reason {
                code: ReasonCode::ClockStep,
                message: "The clock of this computer was corrected; a new run starts.".to_owned(),
            }
        } else {
            Reason {
                code: ReasonCode::Ended,
                message: "The camera's clock went wrong and was corrected; a new run starts."
                    .to_owned(),
            }
        }
    }
}

impl Run {
    pub(crate) fn new(
        ingest: Arc<dyn Ingest>,
        channel: ChannelId,
        quality: Quality,
        format: Arc<Format>,
        record: bool,
    ) -> Self {
        Self {
            ingest,
            channel,
            quality,
            format,
            open: None,
            record,
            measure: Measure::default(),
            last_video: Instant::now(),
            last_dts: 0,
        }
    }

    /// Whether frames are to reach the disk; takes effect at the next key frame.
    pub(crate) fn set_record(&mut self, record: bool) {
        self.record = record;
    }

    /// Takes a frame.
    pub(crate) fn frame(&mut self, received: Received) {
        let wall = wall_at(received.at);
        self.frame_at(received, wall);
    }

    /// Takes a frame that arrived at `wall`.
    fn frame_at(&mut self, received: Received, wall: Timestamp) {
        let Received { mut frame, at } = received;
        self.measure.frame(&frame, at);
        let video = frame.track == TrackKind::Video;
        if video {
            self.last_video = Instant::now();
            self.last_dts = frame.dts;
            if frame.key {
                self.turn(frame.dts, at, wall);
            }
        }
        let Some(open) = &mut self.open else { return };
        if video {
            let media = (frame.dts - open.zero) as f64 / f64::from(VIDEO_TIMESCALE);
            let arrived = at.saturating_duration_since(open.began).as_secs_f64();
            open.drift.frame(media, arrived);
            let late = wall.ms().saturating_sub(open.time_of(frame.dts).ms());
            open.lateness.frame(late, at);
        }
        frame.dts -= rescale(
            open.zero,
            VIDEO_TIMESCALE,
            self.format.timescale(frame.track),
        );
        if frame.dts >= 0 {
            open.sink.push(frame);
        }
    }

    /// Begins a run at this key frame when there is none or it may not go on.
    fn turn(&mut self, zero: i64, at: Instant, wall: Timestamp) {
        let (anchor, reason) = match &self.open {
            None => (wall, None),
            Some(open) => {
                let correction = open.lateness.correction();
                let now = open.time_of(zero);
                let anchor = Timestamp::from_ms(now.ms().saturating_add(correction.unwrap_or(0)));
                let reason = if correction.is_some() {
                    open.correction_reason(at, wall)
                } else if open.record != self.record {
                    Reason {
                        code: ReasonCode::Off,
                        message: "Recording was switched.".to_owned(),
                    }
                } else {
                    return;
                };
                (anchor, Some(reason))
            }
        };
        if let Some(reason) = reason {
            info!(channel = %self.channel, %reason.message, "the run ends at a key frame");
            self.close(reason);
        }
        let sink = self.ingest.open(RunOpen {
            channel: self.channel.clone(),
            quality: self.quality,
            record: self.record,
            format: self.format.clone(),
            anchor,
        });
        self.open = Some(Open {
            sink,
            record: self.record,
            zero,
            anchor,
            began: at,
            wall,
            drift: Drift::new(),
            lateness: Lateness::new(at),
        });
    }

    /// Ends the run, if one is open.
    pub(crate) fn close(&mut self, reason: Reason) {
        if let Some(open) = self.open.take() {
            let drift = open.drift.ppm();
            open.sink.close(reason, drift);
        }
    }

    /// Time since the last video frame.
    pub(crate) fn silent_for(&self) -> Duration {
        self.last_video.elapsed()
    }

    pub(crate) fn measure(&self) -> &Measure {
        &self.measure
    }

    /// Time of the last video frame in ticks of the connection.
    pub(crate) fn now(&self) -> i64 {
        self.last_dts
    }

    /// What was measured. `lost` are frames lost before they came here.
    pub(crate) fn stats(&self, reconnects: u64, lost: u64) -> StreamStats {
        let round = |x: f64| (x * 10.0).round() / 10.0;
        StreamStats {
            frame_rate: round(self.measure.frame_rate()),
            kbps: round(self.measure.kbps()),
            key_interval: self.measure.key_interval().map(round),
            last_frame_at: Some(wall_at(self.last_video)),
            reconnects,
            dropped: lost + self.open.as_ref().map_or(0, |o| o.sink.dropped()),
            drift_ppm: self.open.as_ref().and_then(|o| o.drift.ppm()),
        }
    }
}

#[cfg(test)]
mod tests;

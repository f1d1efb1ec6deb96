//! What a stream does, measured as its frames pass: rates and key frame distances.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use oriel_media::{Frame, TrackKind, format::VIDEO_TIMESCALE};

/// Rates are over so much of the past.
const WINDOW: Duration = Duration::from_secs(4);
/// Bounds memory whatever the frame rate.
const MOST: usize = 2048;

/// Measures one stream.
#[derive(Debug, Default)]
pub struct Measure {
    recent: VecDeque<(Instant, usize, bool)>,
    last_key: Option<i64>,
    intervals: VecDeque<f64>,
}

impl Measure {
    /// Counts a frame that arrived.
    pub fn frame(&mut self, frame: &Frame, at: Instant) {
        let video = frame.track == TrackKind::Video;
        self.recent.push_back((at, frame.data.len(), video));
        while self.recent.len() > MOST
            || self
                .recent
                .front()
                .is_some_and(|(t, ..)| at.saturating_duration_since(*t) > WINDOW)
        {
            self.recent.pop_front();
        }
        if video && frame.key {
            if let Some(last) = self.last_key {
                let ticks = frame.dts.saturating_sub(last);
                self.intervals
                    .push_back(ticks as f64 / f64::from(VIDEO_TIMESCALE));
                if self.intervals.len() > 8 {
                    self.intervals.pop_front();
                }
            }
            self.last_key = Some(frame.dts);
        }
    }

    /// Video frames per second.
    pub fn frame_rate(&self) -> f64 {
        let mut times = self.recent.iter().filter(|(.., v)| *v).map(|(t, ..)| *t);
        let (Some(first), count) = (times.next(), times.clone().count()) else {
            return 0.0;
        };
        match times.next_back() {
            Some(last) if last > first => count as f64 / (last - first).as_secs_f64(),
            _ => 0.0,
        }
    }

    /// Kilobits per second of all tracks.
    pub fn kbps(&self) -> f64 {
        let (Some((first, ..)), Some((last, ..))) = (self.recent.front(), self.recent.back())
        else {
            return 0.0;
        };
        let seconds = last.saturating_duration_since(*first).as_secs_f64();
        if seconds <= 0.0 {
            return 0.0;
        }
        let bytes: usize = self.recent.iter().skip(1).map(|(_, n, _)| n).sum();
        bytes as f64 * 8.0 / 1000.0 / seconds
    }

    /// Seconds between the last two key frames.
    pub fn key_interval(&self) -> Option<f64> {
        self.intervals.back().copied()
    }

    /// Key frame distances seen, the last eight at most.
    pub fn key_intervals(&self) -> impl Iterator<Item = f64> + '_ {
        self.intervals.iter().copied()
    }

    /// Seconds from the last key frame to a time in ticks.
    pub fn since_key(&self, now: i64) -> f64 {
        let ticks = self.last_key.map_or(0, |key| now.saturating_sub(key));
        ticks as f64 / f64::from(VIDEO_TIMESCALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn rates_of_a_regular_stream() {
        let mut m = Measure::default();
        let start = Instant::now();
        for i in 0..250i64 {
            let frame = Frame {
                track: TrackKind::Video,
                key: i % 50 == 0,
                dts: i * 3600,
                cts_offset: 0,
                duration: 0,
                data: Bytes::from(vec![0; 5000]),
            };
            m.frame(
                &frame,
                start + Duration::from_millis(40) * u32::try_from(i).unwrap(),
            );
        }
        assert!((m.frame_rate() - 25.0).abs() < 0.1, "{}", m.frame_rate());
        assert!((m.kbps() - 1000.0).abs() < 5.0, "{}", m.kbps());
        assert_eq!(m.key_interval(), Some(2.0));
    }

    #[test]
    fn nothing_yet() {
        let m = Measure::default();
        assert_eq!(
            (m.frame_rate(), m.kbps(), m.key_interval()),
            (0.0, 0.0, None)
        );
    }
}

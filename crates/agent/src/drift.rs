//! How fast a camera's clock runs against ours, from frame times and times of arrival.
//!
//! Networks only ever delay, so the quickest frame of each stretch of time shows the offset of
//! the clocks, and the slope of those offsets is the drift.

/// Length of a stretch at first, in seconds.
const STRETCH: f64 = 5.0;
/// Stretches kept; when full, pairs are merged and the stretch doubles.
const MOST: usize = 64;
/// Less than this says nothing, in seconds.
const SHORTEST_RUN: f64 = 60.0;
/// More than this is not drift but a broken clock, in parts per million.
const WILDEST: f64 = 50_000.0;

/// Estimates drift over one run. Memory and work are constant.
#[derive(Debug)]
pub(crate) struct Drift {
    stretch: f64,
    best: Vec<Point>,
    current: Option<Point>,
    until: f64,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: f64,
    delay: f64,
}

impl Drift {
    pub(crate) fn new() -> Self {
        Self {
            stretch: STRETCH,
            best: Vec::new(),
            current: None,
            until: STRETCH,
        }
    }

    /// Takes a frame: its own time and its time of arrival, both in seconds since the run began.
    pub(crate) fn frame(&mut self, media: f64, arrived: f64) {
        if arrived >= self.until {
            if let Some(point) = self.current.take() {
                self.best.push(point);
            }
            if self.best.len() >= MOST {
                self.best = self
                    .best
                    .chunks(2)
                    .filter_map(|pair| {
                        pair.iter()
                            .copied()
                            .min_by(|a, b| a.delay.total_cmp(&b.delay))
                    })
                    .collect();
                self.stretch *= 2.0;
            }
            self.until = arrived + self.stretch;
        }
        let delay = arrived - media;
        if self.current.is_none_or(|c| delay < c.delay) {
            self.current = Some(Point { at: arrived, delay });
        }
    }

    /// Parts per million by which the camera's clock runs fast; `None` while the run is short.
    pub(crate) fn ppm(&self) -> Option<f64> {
        // The first stretch holds the burst of the start.
        let points = self.best.get(1..)?;
        let (first, last) = (points.first()?, points.last()?);
        if last.at - first.at < SHORTEST_RUN {
            return None;
        }
        // The median of all slopes (Theil-Sen) does not care about a few bad stretches.
        let mut slopes: Vec<f64> = points
            .iter()
            .enumerate()
            .flat_map(|(i, a)| points[i + 1..].iter().map(move |b| (a, b)))
            .filter(|(a, b)| b.at > a.at)
            .map(|(a, b)| (b.delay - a.delay) / (b.at - a.at))
            .collect();
        slopes.sort_by(f64::total_cmp);
        let slope = slopes.get(slopes.len() / 2)?;
        let ppm = -slope * 1e6;
        (ppm.abs() <= WILDEST).then_some((ppm * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: u32, ppm: f64, noise: impl Fn(u32) -> f64) -> Option<f64> {
        let mut drift = Drift::new();
        for i in 0..seconds * 15 {
            let real = f64::from(i) / 15.0;
            drift.frame(real * (1.0 + ppm / 1e6), real + noise(i));
        }
        drift.ppm()
    }

    #[test]
    fn drift_is_found_under_jitter() {
        // Most frames come late by up to 200 ms, now and then one does not.
        let jitter = |i: u32| f64::from(i.wrapping_mul(2_654_435_761) >> 24) / 255.0 * 0.2;
        for ppm in [-120.0, 0.0, 80.0] {
            let found = run(1800, ppm, jitter).unwrap();
            assert!((found - ppm).abs() < 15.0, "{found} for {ppm}");
        }
    }

    #[test]
    fn a_slow_hour_in_the_middle_does_not_fool_it() {
        let found = run(7200, 50.0, |i| {
            if (30_000..60_000).contains(&i) {
                1.5
            } else {
                0.01
            }
        });
        assert!((found.unwrap() - 50.0).abs() < 20.0, "{found:?}");
    }

    #[test]
    fn short_runs_say_nothing() {
        assert_eq!(run(50, 100.0, |_| 0.0), None);
    }
}

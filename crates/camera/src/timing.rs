//! Times that can be trusted, made from a camera's RTP times and the time of arrival.
//!
//! RTP times stand still on some cameras, jump on others, and run backwards with B-frames. What
//! comes out of here never decreases and never strays far from the clock of this computer.

use std::time::{Duration, Instant};

/// A time may run ahead of or behind its arrival by so much: bursts at the start, slow networks.
const SLACK: Duration = Duration::from_secs(10);
/// On top of the slack, clocks of cameras drift: parts per thousand of the time since start.
const DRIFT_PER_MILLE: i64 = 1;
/// A step back of less than this is frames out of order; more is a jump.
const REORDER: Duration = Duration::from_secs(2);
/// Steps back within this many frames that mean B-frames.
const REORDER_WINDOW: u64 = 100;
/// Jumps within [`JUMP_WINDOW`] that end a run.
const JUMPS: usize = 5;
/// See [`JUMPS`].
const JUMP_WINDOW: Duration = Duration::from_secs(60);

/// Why times cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimingFault {
    /// Presentation order differs from decode order.
    Reordered,
    /// They jump again and again.
    Erratic,
}

/// Follows the times of one track.
#[derive(Debug)]
pub struct Timeline {
    rate: i64,
    shift: i64,
    last: Option<Last>,
    started: Option<(i64, Instant)>,
    frames: u64,
    step_back_at: Option<u64>,
    jumps: Vec<Instant>,
    bad: u64,
}

#[derive(Debug)]
struct Last {
    source: i64,
    out: i64,
    received: Instant,
}

impl Timeline {
    /// A track with so many ticks per second, whose source time `zero` is its time 0.
    pub fn new(rate: u32, zero: i64) -> Self {
        Self {
            rate: i64::from(rate),
            shift: zero.saturating_neg(),
            last: None,
            started: None,
            frames: 0,
            step_back_at: None,
            jumps: Vec::new(),
            bad: 0,
        }
    }

    /// The time of a frame in ticks from the start of the run.
    pub fn place(&mut self, source: i64, received: Instant) -> Result<i64, TimingFault> {
        self.frames += 1;
        let mut out = source.saturating_add(self.shift);
        if let Some(last) = &self.last {
            let step = source.saturating_sub(last.source);
            let elapsed = self.ticks(received.saturating_duration_since(last.received));
            if step == 0 {
                self.bad += 1;
                out = last.out.saturating_add(elapsed.max(1));
            } else if step < 0 && step > -self.ticks(REORDER) {
                if self
                    .step_back_at
                    .is_some_and(|at| self.frames - at <= REORDER_WINDOW)
                {
                    return Err(TimingFault::Reordered);
                }
                self.step_back_at = Some(self.frames);
                self.bad += 1;
                // Keeps its place and the times of the frames after it.
                let out = last.out.saturating_add(1);
                self.last = Some(Last {
                    source: last.source,
                    out,
                    received,
                });
                return Ok(out);
            } else if out <= last.out || self.strays(out, received) {
                self.bad += 1;
                self.jumps
                    .retain(|at| received.saturating_duration_since(*at) < JUMP_WINDOW);
                self.jumps.push(received);
                if self.jumps.len() > JUMPS {
                    return Err(TimingFault::Erratic);
                }
                // A camera that falls behind and stays behind is caught up in one step; closing
                // only the distance to the last frame would make every frame after it stray.
                let next = last.out.saturating_add(elapsed.max(1));
                out = next.max(self.arrival(received));
            }
            self.shift = out.saturating_sub(source);
        }
        self.started.get_or_insert((out, received));
        self.last = Some(Last {
            source,
            out,
            received,
        });
        Ok(out)
    }

    /// Frames whose times had to be replaced.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// Whether so many times were bad that a person should know.
    pub fn is_bad(&self) -> bool {
        self.bad > 10 && self.bad * 10 > self.frames
    }

    /// The time a frame would have that took as long to arrive as the first one.
    fn arrival(&self, received: Instant) -> i64 {
        self.started.map_or(i64::MIN, |(first, at)| {
            first.saturating_add(self.ticks(received.saturating_duration_since(at)))
        })
    }

    fn strays(&self, out: i64, received: Instant) -> bool {
        let Some((first, at)) = self.started else {
            return false;
        };
        let elapsed = self.ticks(received.saturating_duration_since(at));
        let allowed = self.ticks(SLACK) + elapsed / 1000 * DRIFT_PER_MILLE;
        out.saturating_sub(first)
            .saturating_sub(elapsed)
            .saturating_abs()
            > allowed
    }

    fn ticks(&self, d: Duration) -> i64 {
        let micros = i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        micros.saturating_mul(self.rate) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(40);

    fn feed(
        line: &mut Timeline,
        sources: impl IntoIterator<Item = i64>,
        start: Instant,
    ) -> Vec<Result<i64, TimingFault>> {
        sources
            .into_iter()
            .zip(0u32..)
            .map(|(s, i)| line.place(s, start + STEP * i))
            .collect()
    }

    #[test]
    fn good_times_pass_unchanged() {
        let mut line = Timeline::new(90_000, 1_000);
        let out = feed(
            &mut line,
            (0..500).map(|i| 1_000 + i * 3600),
            Instant::now(),
        );
        assert!(out.iter().zip(0..).all(|(o, i)| *o == Ok(i * 3600)));
        assert_eq!(line.bad(), 0);
    }

    #[test]
    fn standing_times_follow_the_arrival() {
        let mut line = Timeline::new(90_000, 7);
        let out = feed(&mut line, std::iter::repeat_n(7, 100), Instant::now());
        assert!(out.iter().zip(0..).all(|(o, i)| *o == Ok(i * 3600)));
        assert!(line.is_bad());
    }

    #[test]
    fn a_jump_is_closed_and_the_times_go_on() {
        for jump in [90_000 * 3600, -90_000 * 3600] {
            let mut line = Timeline::new(90_000, 0);
            let out = feed(
                &mut line,
                (0..100).map(|i| i * 3600 + if i >= 50 { jump } else { 0 }),
                Instant::now(),
            );
            assert!(
                out.iter().zip(0..).all(|(o, i)| *o == Ok(i * 3600)),
                "{out:?}"
            );
            assert_eq!(line.bad(), 1);
        }
    }

    #[test]
    fn endless_jumping_ends_the_run() {
        let mut line = Timeline::new(90_000, 0);
        let out = feed(
            &mut line,
            (0..40).map(|i| i * 3600 + if i % 2 == 0 { 0 } else { 90_000 * 7200 }),
            Instant::now(),
        );
        assert!(out.contains(&Err(TimingFault::Erratic)));
    }

    #[test]
    fn b_frames_are_noticed_and_one_hiccup_is_not_taken_for_them() {
        let mut line = Timeline::new(90_000, 0);
        // Decode order I P B B P B B with display times.
        let pattern = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8];
        let out = feed(&mut line, pattern.map(|n| n * 3600), Instant::now());
        assert!(out.contains(&Err(TimingFault::Reordered)));

        let mut line = Timeline::new(90_000, 0);
        let out = feed(
            &mut line,
            [0, 2, 1, 3, 4, 5].map(|n| n * 3600),
            Instant::now(),
        );
        assert_eq!(out, [0, 7200, 7201, 10800, 14400, 18000].map(Ok));
    }

    #[test]
    fn a_camera_that_stays_behind_is_caught_up_once() {
        let mut line = Timeline::new(90_000, 0);
        let start = Instant::now();
        for i in 0..2000u32 {
            // From frame 100 on everything arrives eleven seconds late.
            let late = if i < 100 {
                Duration::ZERO
            } else {
                Duration::from_secs(11)
            };
            assert!(
                line.place(i64::from(i) * 3600, start + STEP * i + late)
                    .is_ok()
            );
        }
        assert_eq!(line.bad(), 1);
    }

    #[test]
    fn times_at_half_speed_are_pulled_back() {
        let mut line = Timeline::new(90_000, 0);
        let start = Instant::now();
        for i in 0..2000u32 {
            let received = start + STEP * i;
            match line.place(i64::from(i) * 1800, received) {
                Ok(out) => {
                    let behind = i64::from(i) * 3600 - out;
                    assert!(behind < 90_000 * 11, "{behind}");
                }
                Err(fault) => return assert_eq!(fault, TimingFault::Erratic),
            }
        }
    }

    #[test]
    fn extreme_numbers_do_not_overflow() {
        let mut line = Timeline::new(u32::MAX, i64::MIN);
        let now = Instant::now();
        for source in [i64::MAX, i64::MIN, 0, i64::MAX, -1] {
            if let Ok(out) = line.place(source, now) {
                let _ = out.checked_add(1);
            }
        }
    }
}

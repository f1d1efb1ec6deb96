//! Times of RTP packets from the camera's own clock.
//!
//! rtpbin derives a packet's time from when it arrived, smoothed. With B-frames RTP times go to
//! and fro and the smoothing bends them by tens of milliseconds. Here the camera's clock gives
//! the distance between packets and rtpbin's time only the start, and a slow pull that keeps a
//! drifting camera clock in step.

use gstreamer as gst;
use gstreamer::prelude::*;

/// More than this away from rtpbin's time, the camera's clock has jumped: anchor again.
const JUMP_NS: i64 = 1_000_000_000;
/// The first packet of a stream came this long after the time it was given.
const LATE_NS: i64 = 150_000_000;
/// Pull towards rtpbin's time, as a share of the time that passed: 100 parts per million.
const PULL: i64 = 10_000;

/// Replaces the times of what leaves a pad of rtspsrc.
pub fn follow_camera_clock(pad: &gst::Pad, clock_rate: u32) {
    let clock = std::sync::Mutex::new(CameraClock::new(clock_rate));
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let now = pad
            .parent_element()
            .and_then(|element| element.current_running_time())
            .and_then(|time| i64::try_from(time.nseconds()).ok());
        if let Some(buffer) = info.buffer_mut()
            && let Some(pts) = buffer.pts().and_then(|t| i64::try_from(t.nseconds()).ok())
            && let Some(rtp) = rtp_time(buffer)
        {
            let time = clock
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .time(rtp, pts, now);
            let time = gst::ClockTime::from_nseconds(u64::try_from(time).unwrap_or(0));
            buffer.make_mut().set_pts(time);
        }
        gst::PadProbeReturn::Ok
    });
}

/// RFC 3550 section 5.1.
fn rtp_time(buffer: &gst::BufferRef) -> Option<u32> {
    let mut head = [0u8; 8];
    buffer.copy_to_slice(0, &mut head).ok()?;
    (head[0] >> 6 == 2).then(|| u32::from_be_bytes([head[4], head[5], head[6], head[7]]))
}

struct CameraClock {
    rate: i64,
    /// RTP time of the last packet, and the time given to it.
    last: Option<(u32, i64)>,
    /// Time the pull has seen pass.
    newest: i64,
    /// Part of a tick that was lost to rounding, in 1/rate ns.
    rest: i64,
}

impl CameraClock {
    fn new(rate: u32) -> Self {
        Self {
            rate: i64::from(rate.max(1)),
            last: None,
            newest: i64::MIN,
            rest: 0,
        }
    }

    /// The time of a packet, nanoseconds, from its RTP time, rtpbin's time and the clock.
    fn time(&mut self, rtp: u32, received: i64, now: Option<i64>) -> i64 {
        let Some((last_rtp, last)) = self.last else {
            // Over TCP rtspsrc gives the first packet of every stream the time of the very first
            // packet, so audio that begins late would begin at the wrong place.
            let late = now.filter(|now| now - received > LATE_NS);
            return self.anchor(rtp, late.unwrap_or(received));
        };
        // Signed: B-frames go back.
        let step = i64::from(rtp.wrapping_sub(last_rtp) as i32);
        let scaled = step * 1_000_000_000 + self.rest;
        let mut time = last + scaled.div_euclid(self.rate);
        self.rest = scaled.rem_euclid(self.rate);
        let off = received - time;
        if off.abs() > JUMP_NS {
            return self.anchor(rtp, received);
        }
        let passed = time - self.newest;
        if passed > 0 {
            let most = passed / PULL;
            time += off.clamp(-most, most);
            self.newest = time;
        }
        self.last = Some((rtp, time));
        time
    }

    fn anchor(&mut self, rtp: u32, received: i64) -> i64 {
        self.last = Some((rtp, received));
        self.newest = received;
        self.rest = 0;
        received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn keeps_the_camera_spacing_under_jitter_and_b_frames() {
        let mut clock = CameraClock::new(90_000);
        let start = u32::MAX - 9_000;
        let frames = [0u32, 3, 1, 2, 6, 4, 5, 9, 7, 8];
        let times: Vec<i64> = frames
            .iter()
            .enumerate()
            .map(|(i, n)| {
                let jitter = if i % 2 == 0 { 30 } else { -20 };
                let received = i as i64 * 66 * MS + if i == 0 { 0 } else { jitter * MS };
                clock.time(start.wrapping_add(n * 6000), received, None)
            })
            .collect();
        for (n, time) in frames.iter().zip(times) {
            let exact = i64::from(*n) * 6000 * 1_000_000_000 / 90_000;
            assert!((time - exact).abs() < MS, "{n}: {time} is not {exact}");
        }
    }

    #[test]
    fn a_stream_that_begins_late_begins_when_it_came() {
        let mut clock = CameraClock::new(8000);
        assert_eq!(clock.time(0, 40 * MS, Some(3000 * MS)), 3000 * MS);
        let next = clock.time(160, 3010 * MS, Some(3020 * MS));
        assert!((next - 3020 * MS).abs() < MS / 10, "{next}");
        let mut prompt = CameraClock::new(8000);
        assert_eq!(prompt.time(0, 40 * MS, Some(60 * MS)), 40 * MS);
    }

    #[test]
    fn follows_drift_and_anchors_again_after_a_jump() {
        let mut clock = CameraClock::new(90_000);
        let mut worst = 0;
        // The camera is 50 ppm fast for an hour.
        for i in 0..54_000i64 {
            let received = i * 66_666_667;
            let rtp = (i as f64 * 6000.0 * 1.000_05) as u32;
            worst = worst.max((clock.time(rtp, received, None) - received).abs());
        }
        assert!(worst < 2 * MS, "{worst}");
        let received = 54_000 * 66_666_667;
        assert_eq!(clock.time(5, received, None), received);
    }
}

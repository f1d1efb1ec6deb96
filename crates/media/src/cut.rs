//! When a recording goes on in a new file.
//!
//! Not here: clocks and files.

use oriel_api::ChannelId;

/// Cuts at the first key frame at or after a wall-clock boundary: multiples of the length since
/// 1970 plus an offset that is fixed per channel, so that many channels do not rotate at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutter {
    /// Milliseconds from boundary to boundary, above 0.
    pub length_ms: i64,
    /// Milliseconds all boundaries are shifted by, `0..length_ms`.
    pub offset_ms: i64,
}

impl Cutter {
    /// For a channel. A length below 1 s counts as 1 s.
    pub fn new(length_ms: i64, channel: &ChannelId) -> Self {
        let length_ms = length_ms.max(1000);
        // FNV-1a: stable over versions and platforms, unlike the standard hasher.
        let hash = channel
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
                (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
            });
        Self {
            length_ms,
            offset_ms: ((hash >> 1) as i64).rem_euclid(length_ms),
        }
    }

    /// The first boundary after this moment, milliseconds since 1970 UTC.
    pub fn boundary_after(&self, ms: i64) -> i64 {
        let length = self.length_ms.max(1);
        let since = ms.saturating_sub(self.offset_ms).rem_euclid(length);
        ms.saturating_sub(since).saturating_add(length)
    }

    /// Whether a file that began at `start_ms` ends before the video frame captured at `frame_ms`.
    pub fn cuts(&self, start_ms: i64, frame_ms: i64, key: bool) -> bool {
        key && frame_ms >= self.boundary_after(start_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_shifted_multiples() {
        let c = Cutter {
            length_ms: 30_000,
            offset_ms: 7_000,
        };
        assert_eq!(c.boundary_after(0), 7_000);
        assert_eq!(c.boundary_after(6_999), 7_000);
        assert_eq!(c.boundary_after(7_000), 37_000);
        assert_eq!(c.boundary_after(-23_000), 7_000);
        assert_eq!(c.boundary_after(-23_001), -23_000);
    }

    #[test]
    fn only_a_key_frame_at_or_after_the_boundary_cuts() {
        let c = Cutter {
            length_ms: 30_000,
            offset_ms: 0,
        };
        assert!(!c.cuts(1_000, 29_999, true));
        assert!(!c.cuts(1_000, 30_000, false));
        assert!(c.cuts(1_000, 30_000, true));
        assert!(c.cuts(1_000, 95_000, true));
        assert!(!c.cuts(30_000, 30_000, true), "a file is never empty");
        assert!(!c.cuts(30_000, 10_000, true), "a clock set back");
    }

    #[test]
    fn channels_are_spread_and_stay_where_they_are() {
        let offsets: Vec<_> = (0..64u8)
            .map(|i| Cutter::new(30_000, &ChannelId::from_random([i; 12])).offset_ms)
            .collect();
        assert!(offsets.iter().all(|o| (0..30_000_i64).contains(o)));
        for third in 0..3 {
            let range = third * 10_000..(third + 1) * 10_000;
            assert!(offsets.iter().filter(|&&o| range.contains(&o)).count() >= 4);
        }
        let id = ChannelId::from_random(*b"abcdefghijkl");
        assert_eq!(Cutter::new(30_000, &id), Cutter::new(30_000, &id));
        assert_eq!(Cutter::new(5, &id).length_ms, 1000);
    }
}

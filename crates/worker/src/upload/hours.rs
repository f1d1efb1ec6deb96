//! The hours in which uploads run.

/// Minute of the day in this computer's time zone.
pub(super) fn minute_now() -> u16 {
    let now = jiff::Zoned::now();
    now.hour().unsigned_abs() as u16 * 60 + now.minute().unsigned_abs() as u16
}

/// Whether a minute of the day lies within `from..to`, which may reach over midnight. The same
/// minute twice is the whole day.
pub(super) fn is_open((from, to): (u16, u16), minute: u16) -> bool {
    if from < to {
        (from..to).contains(&minute)
    } else {
        from == to || minute >= from || minute < to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_within_a_day_and_over_midnight() {
        let day = (8 * 60, 18 * 60);
        assert!(is_open(day, 480) && is_open(day, 1079));
        assert!(!is_open(day, 479) && !is_open(day, 1080));
        let night = (22 * 60, 6 * 60);
        assert!(is_open(night, 1320) && is_open(night, 0) && is_open(night, 359));
        assert!(!is_open(night, 360) && !is_open(night, 1319));
        assert!(is_open((0, 0), 700));
        assert!(minute_now() < 24 * 60);
    }
}

//! How many days of footage will be held.
//!
//! A channel's bytes a day are measured over what it recorded in the last days, gaps left out:
//! what is promised must hold when the camera works all day.

use std::time::Duration;

use oriel_api::{
    ChannelForecast, ChannelId, Error, Forecast, ForecastLimit, ForecastQuery, Result, Timestamp,
};

use crate::{Nvr, disk};

/// What is measured.
const MEASURED_MS: i64 = 3 * DAY_MS;
/// With less footage nothing is said.
const LEAST_MS: u64 = 600_000;
/// The disk may take this long to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Channels a query may name.
const CHANNELS: usize = 1000;
const DAY_MS: i64 = 24 * 3_600_000;

/// One channel's rules and rate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Demand {
    /// Bytes a day; `None` when it does not record or nothing is measured.
    rate: Option<f64>,
    days: Option<u32>,
    quota: Option<u64>,
}

impl Demand {
    /// Days that its own rules hold, and which rule.
    fn ruled(&self) -> Option<(f64, ForecastLimit)> {
        let rate = self.rate?;
        let age = self.days.map(|d| (f64::from(d), ForecastLimit::Age));
        let quota = self.quota.map(|q| (q as f64 / rate, ForecastLimit::Quota));
        match (age, quota) {
            (Some(a), Some(q)) => Some(if q.0 < a.0 { q } else { a }),
            (a, q) => a.or(q),
        }
    }
}

/// Days that fit into so many bytes when the oldest of all goes first: the same for every channel
/// whose own rules do not end it sooner. `None` when the rules alone fit.
fn fitting(demands: &[Demand], bytes: f64) -> Option<f64> {
    let mut rated: Vec<(f64, f64)> = demands
        .iter()
        .filter_map(|d| Some((d.rate?, d.ruled().map_or(f64::INFINITY, |r| r.0))))
        .collect();
    rated.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut left = bytes;
    let mut rate: f64 = rated.iter().map(|r| r.0).sum();
    for (own, days) in rated {
        // All that are left grow to the next one's end.
        if rate * days > left {
            return Some((left / rate).max(0.0));
        }
        left -= own * days;
        rate -= own;
    }
    None
}

/// Days and what ends them, in the order of the demands.
fn forecast(demands: &[Demand], bytes: Option<u64>) -> Vec<Option<(f64, ForecastLimit)>> {
    let space = bytes.and_then(|b| fitting(demands, b as f64));
    demands
        .iter()
        .map(|d| {
            d.rate?;
            match (d.ruled(), space) {
                (Some(ruled), Some(space)) if space < ruled.0 => {
                    Some((space, ForecastLimit::Space))
                }
                (Some(ruled), _) => Some(ruled),
                (None, Some(space)) => Some((space, ForecastLimit::Space)),
                (None, None) => None,
            }
        })
        .collect()
}

/// A setting as asked: absent is as saved, 0 takes it away.
fn asked(asked: Option<u32>, saved: Option<u32>) -> Option<u32> {
    match asked {
        None => saved,
        Some(0) => None,
        Some(n) => Some(n),
    }
}

impl Nvr {
    pub(crate) async fn forecast(&self, input: ForecastQuery) -> Result<Forecast> {
        if input.channels.len() > CHANNELS {
            return Err(Error::invalid("At most 1000 channels."));
        }
        let worker = self.links()?.worker;
        let sight = tokio::time::timeout(PATIENCE, worker.disk())
            .await
            .unwrap_or_default();
        let settings = self.storage_settings();
        let now = self.clock_now();
        let held = self.store.held().await?;
        let since = Timestamp::from_ms(now.ms() - MEASURED_MS);
        let measured = self.store.measured(since).await?;
        let rate = |channel: &ChannelId| {
            let (_, bytes, ms) = measured.iter().find(|m| m.0 == *channel)?;
            (*ms >= LEAST_MS && *bytes > 0).then(|| *bytes as f64 / *ms as f64 * DAY_MS as f64)
        };
        let everywhere = asked(input.retention_days, settings.retention_days);
        let demands: Vec<_> = held
            .iter()
            .map(|h| {
                let rule = input.channels.iter().find(|r| r.channel_id == h.channel);
                let days = asked(rule.and_then(|r| r.retention_days), h.retention_days);
                let quota = asked(rule.and_then(|r| r.quota_mb), h.quota_mb);
                Demand {
                    rate: rate(&h.channel).filter(|_| h.records),
                    days: days.or(everywhere),
                    quota: quota.map(|mb| u64::from(mb) * 1_000_000),
                }
            })
            .collect();
        let footage: u64 = held.iter().map(|h| h.local_bytes).sum();
        let chosen = asked(input.reserve_mb, settings.reserve_mb);
        let reserve = disk::reserve(chosen, &sight, footage);
        let room = sight.space.map(|(free, _)| {
            free.saturating_add(footage)
                .saturating_sub(disk::aim(reserve))
        });
        let channels: Vec<_> = held
            .into_iter()
            .zip(demands.iter().zip(forecast(&demands, room)))
            .filter(|(h, (d, _))| h.records || h.local_bytes > 0 || d.rate.is_some())
            .map(|(h, (demand, days))| ChannelForecast {
                channel_id: h.channel,
                bytes: h.local_bytes,
                oldest: h.oldest,
                bytes_per_day: demand.rate.map(|r| r as u64),
                days: days.map(|d| d.0),
                limit: days.map(|d| d.1),
            })
            .collect();
        let days = channels.iter().filter_map(|c| c.days).reduce(f64::min);
        Ok(Forecast { channels, days })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: f64 = 1e9;

    fn demand(gb_a_day: f64, days: Option<u32>, quota_gb: Option<u64>) -> Demand {
        Demand {
            rate: Some(gb_a_day * GB),
            days,
            quota: quota_gb.map(|g| g * 1_000_000_000),
        }
    }

    fn days(demands: &[Demand], gb: u64) -> Vec<Option<(f64, ForecastLimit)>> {
        forecast(demands, Some(gb * 1_000_000_000))
    }

    #[test]
    fn space_is_shared_by_the_rates() {
        use ForecastLimit::Space;
        let all = [demand(10.0, None, None), demand(30.0, None, None)];
        assert_eq!(days(&all, 400), [Some((10.0, Space)), Some((10.0, Space))]);
    }

    #[test]
    fn what_a_rule_gives_back_is_for_the_others() {
        use ForecastLimit::{Age, Quota, Space};
        let all = [
            demand(10.0, Some(2), None),
            demand(10.0, None, Some(50)),
            demand(20.0, None, None),
        ];
        // 20 GB and 50 GB are theirs, 430 GB are left for 20 GB a day.
        assert_eq!(
            days(&all, 500),
            [Some((2.0, Age)), Some((5.0, Quota)), Some((21.5, Space))]
        );
        // 100 GB: 2 days of the first, and 30 GB a day of the others for the remaining 80.
        let short = days(&all, 100);
        assert_eq!(short[0], Some((2.0, Age)));
        assert_eq!(short[1], Some((80.0 / 30.0, Space)));
        assert_eq!(short[2], short[1]);
        // 40 GB are one day of all.
        assert_eq!(days(&all, 40), [Some((1.0, Space)); 3]);
    }

    #[test]
    fn the_least_rule_counts_and_without_space_only_rules_do() {
        use ForecastLimit::{Age, Quota};
        let all = [
            demand(10.0, Some(7), Some(50)),
            demand(10.0, Some(3), Some(50)),
        ];
        assert_eq!(days(&all, 80), [Some((5.0, Quota)), Some((3.0, Age))]);
        assert_eq!(forecast(&all, None), days(&all, 1000));
        assert_eq!(forecast(&[demand(1.0, None, None)], None), [None]);
        assert_eq!(days(&[demand(1.0, None, None)], 0)[0].unwrap().0, 0.0);
        let unknown = Demand {
            rate: None,
            days: Some(3),
            quota: None,
        };
        assert_eq!(days(&[unknown], 10), [None]);
    }
}

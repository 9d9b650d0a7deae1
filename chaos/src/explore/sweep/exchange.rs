//! The outcome of each requested key.

use std::collections::BTreeMap;

use dske_report::statistics::{self, Estimate, wilson};
use serde::Serialize;

use crate::judge::Facts;
use crate::world::observer::record::{Call, CallKind, Outcome};

/// A key on its way from master to slave. Times are microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// When the master asked, since the run began.
    pub(super) from_us: u64,
    /// How long its call took, if it got a key.
    pub(super) establish_us: Option<u64>,
    /// How long the slave's call took, if it got the key.
    pub(super) fetch_us: Option<u64>,
}

impl Exchange {
    /// How long it took from the master's call to the slave's key, if the key arrived.
    pub(super) fn both_us(self) -> Option<u64> {
        Some(self.establish_us? + self.fetch_us?)
    }

    /// When the slave had the key.
    pub(super) fn arrived_us(self) -> Option<u64> {
        Some(self.from_us + self.both_us()?)
    }
}

/// Every exchange of a run in which slaves ask at once, in order of the calls.
pub(super) fn exchanges(facts: &Facts<'_>) -> Vec<Exchange> {
    let took = |call: &Call| {
        let keys = matches!(call.outcome, Outcome::Keys(_));
        keys.then(|| call.until_us - call.from_us)
    };
    let mut exchanges: BTreeMap<u32, Exchange> = BTreeMap::new();
    for call in facts.calls(CallKind::Master) {
        let exchange = exchanges.entry(call.id).or_default();
        exchange.from_us = call.from_us;
        exchange.establish_us = took(call);
    }
    for call in facts.calls(CallKind::Slave) {
        exchanges.entry(call.id).or_default().fetch_us = took(call);
    }
    exchanges.into_values().collect()
}

/// A rate with its 95 % confidence interval (Wilson), between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rate {
    /// Number of trials.
    pub tried: u64,
    /// Number of successes.
    pub succeeded: u64,
    /// `succeeded` of `tried`.
    pub rate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Rate {
    pub(super) fn of(succeeded: u64, tried: u64) -> Self {
        // Without a trial everything is possible.
        let nothing = Estimate {
            value: 0.0,
            low: 0.0,
            high: 1.0,
        };
        let Estimate { value, low, high } = wilson(succeeded, tried).unwrap_or(nothing);
        Self {
            tried,
            succeeded,
            rate: value,
            low,
            high,
        }
    }

    pub(super) fn count(outcomes: impl Iterator<Item = bool>) -> Self {
        let (mut tried, mut succeeded) = (0, 0);
        for outcome in outcomes {
            tried += 1;
            succeeded += u64::from(outcome);
        }
        Self::of(succeeded, tried)
    }
}

/// A quantile in milliseconds, by nearest rank: always a value that was measured. Zero without values.
pub(super) fn quantile_ms(values_us: &mut [u64], quantile: f64) -> f64 {
    values_us.sort_unstable();
    statistics::quantile(values_us, quantile).unwrap_or_default() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let mut values: Vec<u64> = (1..=100).rev().map(|i| i * 1000).collect();
        assert_eq!(quantile_ms(&mut values, 0.5), 50.0);
        assert_eq!(quantile_ms(&mut values, 0.99), 99.0);
        assert_eq!(quantile_ms(&mut values, 1.0), 100.0);
        assert_eq!(quantile_ms(&mut [7_000], 0.01), 7.0);
        assert_eq!(quantile_ms(&mut [], 0.5), 0.0);
    }

    #[test]
    fn a_rate_has_an_interval_around_it() {
        let rate = Rate::count((0..20).map(|i| i < 19));
        assert_eq!((rate.tried, rate.succeeded), (20, 19));
        assert!(rate.low < 0.95 && rate.rate == 0.95 && 0.95 < rate.high && rate.high < 1.0);
        let nothing = Rate::of(0, 0);
        assert_eq!((nothing.rate, nothing.low, nothing.high), (0.0, 0.0, 1.0));
    }
}

//! How long something took: percentiles, and the bars of a chart.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest latency that is told from longer ones: no call takes an hour.
const LATENCY_MAX: Duration = Duration::from_secs(60 * 60);

/// A histogram of microseconds, exact to three digits.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX.as_micros() as u64, 3)
        .expect("one to an hour of microseconds with three digits is what the library takes")
}

/// How long something took, in microseconds, exact to three digits. All fields are zero if nothing was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// How many were measured.
    pub count: u64,
    /// Their mean.
    pub mean_us: f64,
    /// 50 % took no longer.
    pub p50_us: u64,
    /// 90 % took no longer.
    pub p90_us: u64,
    /// 99 % took no longer.
    pub p99_us: u64,
    /// 99.9 % took no longer.
    pub p99_9_us: u64,
    /// 99.99 % took no longer.
    pub p99_99_us: u64,
    /// The longest.
    pub max_us: u64,
    /// Their distribution, for charts: bars that are exact to two digits, without the empty ones.
    pub buckets: Vec<Bucket>,
}

/// One bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The longest latency that falls into it.
    pub up_to_us: u64,
    /// How many do.
    pub count: u64,
}

impl Latencies {
    /// The percentiles of a histogram of microseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile).min(histogram.max());
        Self {
            count: histogram.len(),
            mean_us: histogram.mean(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            p99_99_us: at(0.9999),
            max_us: histogram.max(),
            buckets: buckets(histogram),
        }
    }
}

/// Two digits are more than a chart can show, and take a tenth of the room of three.
fn buckets(histogram: &Histogram<u64>) -> Vec<Bucket> {
    let coarse = Histogram::new_with_bounds(histogram.low(), histogram.high(), 2);
    let mut coarse: Histogram<u64> =
        coarse.expect("bounds that work for three digits work for two");
    coarse
        .add(histogram)
        .expect("both histograms have the same bounds");
    let recorded = coarse.iter_recorded();
    recorded
        .map(|bucket| Bucket {
            up_to_us: bucket.value_iterated_to(),
            count: bucket.count_at_value(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut histogram = histogram();
        for us in 1..=100_000 {
            histogram.saturating_record(us);
        }
        let latencies = Latencies::of(&histogram);
        assert_eq!(latencies.count, 100_000);
        for (found, expected) in [
            (latencies.mean_us, 50_000.5),
            (latencies.p50_us as f64, 50_000.0),
            (latencies.p90_us as f64, 90_000.0),
            (latencies.p99_us as f64, 99_000.0),
            (latencies.p99_9_us as f64, 99_900.0),
            (latencies.p99_99_us as f64, 99_990.0),
            (latencies.max_us as f64, 100_000.0),
        ] {
            assert!((found / expected - 1.0).abs() < 0.001, "{found} {expected}");
        }
        assert!(latencies.p99_99_us <= latencies.max_us);
    }

    #[test]
    fn bars_hold_every_latency_and_are_narrow() {
        let mut histogram = histogram();
        for us in [5, 5, 1_000, 1_003, 2_000_000, u64::MAX] {
            histogram.saturating_record(us);
        }
        let bars = buckets(&histogram);
        let counts: Vec<u64> = bars.iter().map(|bar| bar.count).collect();
        assert_eq!(counts, [2, 2, 1, 1]);
        for (bar, us) in bars
            .iter()
            .zip([5.0, 1_003.0, 2_000_000.0, 3_600_000_000.0])
        {
            let excess = bar.up_to_us as f64 / us;
            assert!((1.0..1.01).contains(&excess), "{bar:?}");
        }
    }

    #[test]
    fn nothing_measured_is_all_zeros() {
        assert_eq!(Latencies::of(&histogram()), Latencies::default());
    }
}

//! What came of a load.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use dske::http::metrics::process::PROFILE;
use dske::protocol::NodeName;
use dske::topology::Role;

use super::Load;
use super::tally::{self, Tally};

/// What came of a load. `docs/bench.md` explains each field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// What was asked for.
    pub load: Load,
    /// Whether it was stopped before its time.
    pub interrupted: bool,
    /// How long was measured, in seconds.
    pub elapsed_s: f64,
    /// Operations that ended within that time, and did what they should. Each is two calls.
    pub operations: u64,
    /// Keys that both sides got in these operations.
    pub keys: u64,
    /// The same for each second.
    pub keys_per_s: f64,
    /// Mbit of key for each second.
    pub mbit_per_s: f64,
    /// Of Get key, as the master.
    pub get_key: Latencies,
    /// Of Get key with key IDs, as the slave.
    pub get_key_with_ids: Latencies,
    /// Of both calls together.
    pub both: Latencies,
    /// Operations that failed, by kind.
    pub errors: BTreeMap<String, u64>,
    /// What the first error of each kind said.
    pub first_errors: BTreeMap<String, String>,
    /// Operations in which the two sides did not get the same keys, as many and as long as asked for. They are among
    /// the errors.
    pub mismatches: u64,
    /// What the nodes used meanwhile, hubs first.
    pub nodes: Vec<NodeFigures>,
    /// CPU time that this process used meanwhile, in seconds.
    pub generator_cpu_s: f64,
    /// How this program was built: `release`, or `debug`.
    pub generator_profile: String,
}

/// How long something took, in microseconds, exact to three digits. All are zero if nothing was measured.
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
    /// How they are distributed, for charts: to two digits, empty ones left out.
    pub buckets: Vec<Bucket>,
}

/// One bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The longest latency that belongs to it.
    pub up_to_us: u64,
    /// How many do.
    pub count: u64,
}

/// What one node used. What it did not tell is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFigures {
    /// Its name.
    pub name: NodeName,
    /// Hub or client.
    pub role: Role,
    /// CPU time of its process, in seconds.
    pub cpu_s: Option<f64>,
    /// Resident memory of its process in the end.
    pub rss_bytes: Option<u64>,
    /// At a client: pre-shared random data used up with all hubs, for requests and responses.
    pub psrd_bytes: Option<u64>,
    /// How it was built: `release`, or `debug`.
    pub profile: Option<String>,
}

impl LoadReport {
    /// Operations that failed.
    #[must_use]
    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }

    /// CPU time for each key in microseconds, of all nodes of a role that told. Nothing if none told, or without keys.
    #[must_use]
    pub fn cpu_us_per_key(&self, role: Role) -> Option<f64> {
        let nodes = self.nodes.iter().filter(|node| node.role == role);
        let told: Vec<f64> = nodes.filter_map(|node| node.cpu_s).collect();
        let total: f64 = told.iter().sum();
        (!told.is_empty() && self.keys > 0).then(|| total * 1e6 / self.keys as f64)
    }
}

/// What a report is made of.
pub(super) struct Measured<'a> {
    pub(super) load: &'a Load,
    pub(super) interrupted: bool,
    pub(super) window: Duration,
    pub(super) tally: &'a Tally,
    pub(super) nodes: Vec<NodeFigures>,
    pub(super) own_cpu_s: f64,
}

pub(super) fn make(measured: Measured<'_>) -> LoadReport {
    let Measured { load, tally, .. } = measured;
    let elapsed_s = measured.window.as_secs_f64();
    let keys_per_s = tally.keys() as f64 / elapsed_s;
    let errors = tally.errors();
    let counts = errors.iter().map(|(kind, of)| (kind.clone(), of.count));
    LoadReport {
        load: load.clone(),
        interrupted: measured.interrupted,
        elapsed_s,
        operations: tally.operations(),
        keys: tally.keys(),
        keys_per_s,
        mbit_per_s: keys_per_s * load.size_bits as f64 / 1e6,
        get_key: Latencies::of(&tally.latency(tally::Latency::GetKey)),
        get_key_with_ids: Latencies::of(&tally.latency(tally::Latency::GetKeyWithIds)),
        both: Latencies::of(&tally.latency(tally::Latency::Both)),
        errors: counts.collect(),
        mismatches: tally.mismatches(),
        first_errors: errors
            .into_iter()
            .map(|(kind, of)| (kind, of.first))
            .collect(),
        nodes: measured.nodes,
        generator_cpu_s: measured.own_cpu_s,
        generator_profile: PROFILE.to_owned(),
    }
}

impl Latencies {
    /// Of a histogram of microseconds.
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

/// Two digits are more than a chart can show, and a tenth of what three take.
fn buckets(histogram: &Histogram<u64>) -> Vec<Bucket> {
    let coarse = Histogram::new_with_bounds(histogram.low(), histogram.high(), 2);
    let mut coarse: Histogram<u64> = coarse.expect("bounds that did for three digits");
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
        let mut histogram = tally::histogram();
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
        let mut histogram = tally::histogram();
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
        assert_eq!(Latencies::of(&tally::histogram()), Latencies::default());
    }
}

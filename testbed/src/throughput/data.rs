//! The measured data, as `throughput.json` holds it. The page shows nothing else.

use std::collections::BTreeMap;

use dske::topology::Role;
use dske_report::statistics::Spread;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::plan::Part;
use crate::latencies::{Bucket, Latencies};
use crate::load::LoadReport;
use crate::measure::Provenance;

/// Everything that a sweep measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Where, when and how it was measured.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Every condition that was measured, in the order of the plan.
    pub measured: Vec<Measured>,
    /// Memory of a hub that holds many shares.
    pub memory: Vec<Held>,
    /// Where the CPU time of a key goes.
    pub profiles: Vec<Profile>,
    /// The parts that could not be measured, and why.
    pub left_out: Vec<LeftOut>,
}

/// One condition, and its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The part that it belongs to.
    pub part: Part,
    /// The condition.
    pub condition: Condition,
    /// Each time that it was measured, in order.
    pub runs: Vec<Run>,
}

/// A condition measured once. Latencies are of both calls together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// How long the measurement took, in seconds.
    pub elapsed_s: f64,
    /// Keys that both sides got, and that were the same.
    pub keys: u64,
    /// Keys for each second.
    pub keys_per_s: f64,
    /// Mbit of key for each second.
    pub mbit_per_s: f64,
    /// Median latency, in milliseconds.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p99_9_ms: f64,
    /// The longest latency.
    pub max_ms: f64,
    /// Operations that failed.
    pub errors: u64,
    /// The message of the first error.
    pub first_error: Option<String>,
    /// CPU time of all hubs for each key, in microseconds.
    pub hubs_cpu_us_per_key: Option<f64>,
    /// CPU time of both clients for each key, in microseconds.
    pub clients_cpu_us_per_key: Option<f64>,
    /// CPU time of the load generator for each key, in microseconds.
    pub generator_cpu_us_per_key: Option<f64>,
    /// PSRD used up for each key, over all hubs.
    pub psrd_bytes_per_key: Option<f64>,
    /// Resident memory of the largest hub.
    pub hub_rss_bytes: Option<u64>,
    /// The distribution of latencies, kept for [`Part::Latency`] only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<Bucket>,
}

impl Measured {
    /// A figure over all runs that gave any keys.
    #[must_use]
    pub fn spread(&self, figure: fn(&Run) -> f64) -> Option<Spread> {
        let runs = self.runs.iter().filter(|run| run.keys > 0);
        Spread::of(runs.map(figure))
    }

    /// The ratio of a figure to the same figure of another condition, over runs that were made one after the other. Pairs
    /// in which one run gave no keys have no ratio.
    #[must_use]
    pub fn ratio_to(&self, other: &Self, figure: fn(&Run) -> f64) -> Option<Spread> {
        let pairs = self.runs.iter().zip(&other.runs);
        let pairs = pairs.filter(|(a, b)| a.keys > 0 && b.keys > 0);
        Spread::of(pairs.map(|(a, b)| figure(a) / figure(b)))
    }
}

impl Run {
    /// A run that gave `keys` keys within `elapsed_s`.
    #[must_use]
    pub fn new(keys: u64, elapsed_s: f64, size_bits: usize, latencies: &Latencies) -> Self {
        let keys_per_s = keys as f64 / elapsed_s.max(f64::MIN_POSITIVE);
        let ms = |us: u64| us as f64 / 1e3;
        Self {
            elapsed_s,
            keys,
            keys_per_s,
            mbit_per_s: keys_per_s * size_bits as f64 / 1e6,
            p50_ms: ms(latencies.p50_us),
            p90_ms: ms(latencies.p90_us),
            p99_ms: ms(latencies.p99_us),
            p99_9_ms: ms(latencies.p99_9_us),
            max_ms: ms(latencies.max_us),
            buckets: latencies.buckets.clone(),
            ..Self::default()
        }
    }
}

impl From<&LoadReport> for Run {
    fn from(report: &LoadReport) -> Self {
        let per_key = |value: f64| (report.keys > 0).then(|| value / report.keys as f64);
        let psrd: Option<u64> = {
            let told = report.nodes.iter().filter_map(|node| node.psrd_bytes);
            told.reduce(|a, b| a + b)
        };
        let hubs = report.nodes.iter().filter(|node| node.role == Role::Hub);
        Self {
            errors: report.errors_total(),
            first_error: report.first_errors.values().next().cloned(),
            hubs_cpu_us_per_key: report.cpu_us_per_key(Role::Hub),
            clients_cpu_us_per_key: report.cpu_us_per_key(Role::Client),
            generator_cpu_us_per_key: per_key(report.generator_cpu_s * 1e6),
            psrd_bytes_per_key: psrd.and_then(|bytes| per_key(bytes as f64)),
            hub_rss_bytes: hubs.filter_map(|node| node.rss_bytes).max(),
            ..Self::new(
                report.keys,
                report.elapsed_s,
                report.load.size_bits,
                &report.both,
            )
        }
    }
}

/// Memory of a hub that holds so many shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Shares held, of keys of 256 bits.
    pub shares: u64,
    /// Resident memory of its process.
    pub rss_bytes: u64,
}

/// Where the CPU time of a key goes under one condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The load under which it was taken.
    pub condition: Condition,
    /// Samples of all nodes.
    pub samples: u64,
    /// Whether `perf` could look into the kernel.
    pub kernel_seen: bool,
    /// The CPU time of each role.
    pub roles: Vec<RoleProfile>,
}

/// CPU time of the nodes that have one role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoleProfile {
    /// `hubs` (all of them), `initiator` or `responder`.
    pub role: String,
    /// Microseconds for each key, by category.
    pub us_per_key: BTreeMap<String, f64>,
    /// The functions that took most of it.
    pub functions: Vec<Function>,
}

/// The time in a function itself, without the functions that it calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The category that its time counts as.
    pub category: String,
    /// Microseconds for each key.
    pub us_per_key: f64,
}

/// A part that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The part.
    pub part: Part,
    /// Why.
    pub reason: String,
}

impl Throughput {
    /// The conditions of one part.
    pub fn of(&self, part: Part) -> impl Iterator<Item = &Measured> {
        self.measured.iter().filter(move |m| m.part == part)
    }
}

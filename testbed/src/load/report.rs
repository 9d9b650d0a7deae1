//! What a load measured.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use dske::http::metrics::process::PROFILE;
use dske::protocol::NodeName;
use dske::topology::Role;

use super::Load;
use super::tally::{self, Tally};
use crate::latencies::Latencies;

/// What a load measured. `docs/bench.md` explains each field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// The load.
    pub load: Load,
    /// Whether it was stopped before its time.
    pub interrupted: bool,
    /// How long the measurement took, in seconds.
    pub elapsed_s: f64,
    /// Operations that succeeded and ended within that time. Each is two calls.
    pub operations: u64,
    /// Keys that both sides got in these operations.
    pub keys: u64,
    /// The same, per second.
    pub keys_per_s: f64,
    /// Mbit of keys per second.
    pub mbit_per_s: f64,
    /// Latencies of Get key, as the master.
    pub get_key: Latencies,
    /// Latencies of Get key with key IDs, as the slave.
    pub get_key_with_ids: Latencies,
    /// Latencies of both calls together.
    pub both: Latencies,
    /// Operations that failed, by kind.
    pub errors: BTreeMap<String, u64>,
    /// What the first error of each kind said.
    pub first_errors: BTreeMap<String, String>,
    /// Operations in which the two sides got different keys, or keys of another number or size than asked for. The errors
    /// include them.
    pub mismatches: u64,
    /// What each node used during the measurement, hubs first.
    pub nodes: Vec<NodeFigures>,
    /// CPU time that this process used during the measurement, in seconds.
    pub generator_cpu_s: f64,
    /// How this program was built: `release`, or `debug`.
    pub generator_profile: String,
}

/// What one node used. Figures that it did not tell are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeFigures {
    /// Its name.
    pub name: NodeName,
    /// Hub or client.
    pub role: Role,
    /// CPU time of its process, in seconds.
    pub cpu_s: Option<f64>,
    /// Resident memory of its process at the end, in bytes.
    pub rss_bytes: Option<u64>,
    /// At a client: bytes of pre-shared random data used up with all hubs, for requests and responses.
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

    /// CPU time per key in microseconds, of all nodes of a role that told theirs. `None` if none did, or without keys.
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

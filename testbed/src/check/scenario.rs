//! The loads under which both builds are compared.

use std::time::Duration;

use crate::load::{Arrivals, Load, Pair};
use dske::topology::Topology;

pub(super) struct Scenario {
    pub(super) name: &'static str,
    concurrency: usize,
    keys_per_call: usize,
    size_bits: usize,
}

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "1 key, 32 at a time",
        concurrency: 32,
        keys_per_call: 1,
        size_bits: 256,
    },
    Scenario {
        name: "1 key, 1 at a time",
        concurrency: 1,
        keys_per_call: 1,
        size_bits: 256,
    },
    Scenario {
        name: "128 keys, 8 at a time",
        concurrency: 8,
        keys_per_call: 128,
        size_bits: 256,
    },
    Scenario {
        name: "1 key of 1 Mbit, 4 at a time",
        concurrency: 4,
        keys_per_call: 1,
        size_bits: BULK_BITS,
    },
];

/// The largest key that nodes accept: 128 KiB.
const BULK_BITS: usize = 1 << 20;

/// The example topology, with keys of 1 Mbit, blocks of PSRD that such keys fit into, and room for all shares. It uses only
/// settings that older revisions know, too.
pub(super) fn topology() -> String {
    let example = include_str!("../../../topology.toml");
    let block_bytes = 1 << 20;
    format!(
        "shares_per_hub_max = 10_000_000\n{example}\n[keys]\nmax_bits = {BULK_BITS}\n\n[psrd]\nblock_bytes = {block_bytes}\nlow_water_bytes = {}\n",
        block_bytes / 2
    )
}

impl Scenario {
    pub(super) fn load(&self, topology: &Topology, duration: Duration) -> Load {
        Load {
            pairs: Pair::ring(topology),
            arrivals: Arrivals::Closed {
                concurrency: self.concurrency,
            },
            size_bits: self.size_bits,
            keys_per_call: self.keys_per_call,
            // The system counts CPU time from the start of the load, so the window has to begin there, too.
            warm_up: Duration::ZERO,
            duration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_within_the_topology() {
        let topology = Topology::parse("t", &topology()).unwrap();
        for scenario in &SCENARIOS {
            let load = scenario.load(&topology, Duration::from_secs(1));
            assert_eq!(load.pairs.len(), 5);
            assert!(
                load.size_bits <= topology.keys.max_bits,
                "{}",
                scenario.name
            );
            assert!(load.keys_per_call <= topology.keys.per_request_max);
        }
    }
}

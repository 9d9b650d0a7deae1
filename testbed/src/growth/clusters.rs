//! The time for a key, against hubs and clients.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use dske::topology::Topology;

use super::data::ClusterPoint;
use super::{BASE_HUBS, GrowthError};
use crate::load::Pair;
use crate::local::LocalCluster;
use crate::process::ProcessCluster;
use crate::throughput::closed_loop::{self, both_calls};
use crate::throughput::condition::Subject;
use crate::{Cluster, KeyRequest};

/// K, for every N.
const THRESHOLD: u8 = 3;

/// Operations in flight: one. Messages of several would share exchanges, and the fewer clients there are, the more of them
/// would do so.
const CONCURRENCY: usize = 1;

/// 256-bit keys, one in a call.
const KEY_BITS: usize = 256;

/// Bytes of a block of PSRD: so small that 200 clients with 10 pools each fit into memory.
const BLOCK_BYTES: usize = 64 << 10;

/// Seed of the actors.
const SEED: u64 = 1;

#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) subject: Subject,
    pub(super) hubs: u8,
    pub(super) clients: usize,
}

impl Size {
    fn topology(self) -> String {
        let nodes = |what: &str, count: usize| {
            let nodes = (1..=count).map(|i| format!("{{ name = \"{what}-{i}\" }}"));
            nodes.collect::<Vec<_>>().join(", ")
        };
        format!(
            "threshold = {THRESHOLD}
shares_per_hub_max = 10_000_000
hubs = [{}]
clients = [{}]
[psrd]
block_bytes = {BLOCK_BYTES}
low_water_bytes = {BLOCK_BYTES}
",
            nodes("hub", self.hubs.into()),
            nodes("client", self.clients)
        )
    }
}

/// Starts a cluster, and measures it repeatedly. `times` are the repetitions and the duration of each.
pub(super) async fn measure(
    size: Size,
    dske: &Path,
    times: (usize, Duration),
    progress: &impl Fn(&str),
) -> Result<Vec<ClusterPoint>, GrowthError> {
    let text = size.topology();
    let points = match size.subject {
        Subject::Processes => {
            let cluster = ProcessCluster::start(dske, &text).await?;
            measure_cluster(&cluster, size, times).await
        }
        _ => {
            let cluster = LocalCluster::start(Topology::parse("growth", &text)?, SEED);
            measure_cluster(&cluster, size, times).await
        }
    };
    for point in &points {
        progress(&format!(
            "{} hubs, {} clients, {:?}: {:.0} µs a key, {} failed",
            size.hubs, size.clients, size.subject, point.us_per_key, point.failed
        ));
    }
    Ok(points)
}

async fn measure_cluster(
    cluster: &impl Cluster,
    size: Size,
    (repetitions, duration): (usize, Duration),
) -> Vec<ClusterPoint> {
    let saes: Vec<_> = cluster.topology().saes.keys().cloned().collect();
    let slaves = saes.iter().cycle().skip(1).cloned();
    let pairs: Vec<Pair> = saes
        .iter()
        .cloned()
        .zip(slaves)
        .map(|(master, slave)| Pair { master, slave })
        .collect();
    let request = KeyRequest {
        number: Some(1),
        size_bits: Some(KEY_BITS),
        also: Vec::new(),
    };
    // Once with each pair, so that all clients have registered and have PSRD. What fails now fails again, and counts then.
    for pair in &pairs {
        let _ = both_calls(cluster, pair, &request).await;
    }
    let next = Cell::new(0);
    let operation = async || {
        let i = next.replace(next.get() + 1);
        both_calls(cluster, &pairs[i % pairs.len()], &request).await
    };
    let mut points = Vec::new();
    for _ in 0..repetitions {
        let times = (duration / 5, duration);
        let run = closed_loop::run(CONCURRENCY, (1, KEY_BITS), times, &operation).await;
        points.push(ClusterPoint {
            subject: size.subject,
            hubs: size.hubs,
            clients: size.clients,
            us_per_key: 1e6 / run.keys_per_s,
            failed: run.errors,
        });
    }
    points
}

/// What the page says about the clusters.
pub(super) fn words() -> String {
    format!(
        "One 256-bit key in each operation, one operation at a time, so that no two share messages; K = {THRESHOLD}, and N = {BASE_HUBS} \
         where the number of clients varies"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::Plan;

    #[test]
    fn every_topology_is_accepted() {
        let sizes = |hubs: u8, clients| Size {
            subject: Subject::Actors,
            hubs,
            clients,
        };
        let hubs = Plan::FULL.hubs.iter().map(|&n| sizes(n, 2));
        let clients = Plan::FULL.clients.iter().map(|&n| sizes(BASE_HUBS, n));
        for size in hubs.chain(clients) {
            let topology = Topology::parse("t", &size.topology()).unwrap();
            assert_eq!(topology.clients.len(), size.clients);
        }
    }
}

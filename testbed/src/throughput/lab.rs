//! Starts clusters and bare routes, and measures them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use dske::protocol::{NodeName, SaeId};
use dske::topology::{Topology, TopologyError};
use tokio::time::{Instant, sleep};

use super::bare::Bare;
use super::closed_loop;
use super::condition::{Condition, Subject, Trouble};
use super::data::Run;
use super::plan::SIZE_BITS_MAX;
use crate::load::{self, Arrivals, Load, LoadError, Pair};
use crate::local::LocalCluster;
use crate::process::{ProcessCluster, StartError};
use crate::{CallError, Cluster, KeyRequest};

/// How late everything arrives at a slow hub, in milliseconds.
pub const SLOW_BY_MS: u64 = 1_000;

/// How long clients may take to fill their pools after the start. What is missing then is delivered during the measurement.
const PROVISIONED_WITHIN: Duration = Duration::from_secs(20);

/// Most operations of an open loop in flight: one that is due beyond them counts as failed.
const IN_FLIGHT_MAX: usize = 1024;

/// Seed of the actors in this process.
const SEED: u64 = 1;

/// The SAE that gets new keys, at the client of the same name.
pub(super) const MASTER: &str = "carol";

/// The SAE that gets the same keys.
const SLAVE: &str = "celia";

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A cluster does not start.
    #[error("a cluster cannot be started: {0}")]
    Start(#[from] StartError),
    /// A topology is refused.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The load cannot be put on the cluster.
    #[error("no load could be put on the cluster: {0}")]
    Load(#[from] LoadError),
    /// The bare route does not start.
    #[error("the bare route cannot be served: {0}")]
    Bare(io::Error),
    /// A node does not report its status.
    #[error("{node} does not report its status: {error}")]
    Status {
        /// The node.
        node: NodeName,
        /// Why the call failed.
        error: CallError,
    },
    /// A node's memory cannot be read.
    #[error("the memory of {node} cannot be read from the system: {error}")]
    Memory {
        /// The node.
        node: NodeName,
        /// What the system reports.
        error: io::Error,
    },
}

/// The programs that are started.
pub struct Programs {
    /// The `dske` command, built for release.
    pub dske: PathBuf,
    /// A program that serves the [bare route](super::bare).
    pub bare: PathBuf,
}

/// What a condition needs running. Conditions that need the same share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    subject: Subject,
    hubs: u8,
    threshold: u8,
    trouble: Trouble,
}

impl Kind {
    fn of(condition: &Condition) -> Self {
        Self {
            subject: condition.subject,
            hubs: condition.hubs,
            threshold: condition.threshold,
            trouble: condition.trouble,
        }
    }
}

/// Something that answers calls.
enum Running {
    Processes(ProcessCluster),
    Actors(Box<LocalCluster>),
    Bare(Bare),
}

/// Everything that one experiment needs, running until this is dropped.
pub(super) struct Lab(BTreeMap<Kind, Running>);

impl Lab {
    pub(super) async fn start(
        programs: &Programs,
        conditions: &[Condition],
    ) -> Result<Self, LabError> {
        let mut running = BTreeMap::new();
        for kind in conditions.iter().map(Kind::of) {
            if let Entry::Vacant(vacant) = running.entry(kind) {
                vacant.insert(start(programs, kind).await?);
            }
        }
        Ok(Self(running))
    }

    /// Measures a condition once. It must be one of those that the lab was started with.
    pub(super) async fn measure(
        &self,
        condition: &Condition,
        times: (Duration, Duration),
    ) -> Result<Run, LabError> {
        match &self.0[&Kind::of(condition)] {
            Running::Processes(cluster) => {
                let load = load_of(condition, times);
                Ok(Run::from(&load::run(cluster.topology(), &load).await?))
            }
            Running::Actors(cluster) => Ok(measure_actors(cluster, condition, times).await),
            Running::Bare(bare) => Ok(bare.measure(condition, times).await),
        }
    }
}

async fn start(programs: &Programs, kind: Kind) -> Result<Running, LabError> {
    let text = topology(kind.hubs, kind.threshold);
    Ok(match kind.subject {
        Subject::BareRoute => Running::Bare(Bare::start(&programs.bare).map_err(LabError::Bare)?),
        Subject::Actors => {
            let topology = Topology::parse("actors", &text)?;
            Running::Actors(Box::new(LocalCluster::start(topology, SEED)))
        }
        Subject::Processes => {
            let cluster = match kind.trouble {
                Trouble::Slow => ProcessCluster::start_with_proxy(&programs.dske, &text).await?,
                Trouble::None | Trouble::Stopped => {
                    ProcessCluster::start(&programs.dske, &text).await?
                }
            };
            wait_until_provisioned(&cluster).await;
            // Trouble begins when the cluster is healthy: all nodes up and all pools full.
            match kind.trouble {
                Trouble::None => {}
                Trouble::Stopped => cluster.kill(&cluster.topology().hubs[0].name),
                Trouble::Slow => cluster.slow_down(SLOW_BY_MS),
            }
            Running::Processes(cluster)
        }
    })
}

/// Waits until every pool of every client holds a whole block.
pub(super) async fn wait_until_provisioned(cluster: &ProcessCluster) {
    let deadline = Instant::now() + PROVISIONED_WITHIN;
    for client in &cluster.topology().clients {
        let is_full = async || {
            let status = cluster.client_status(&client.name).await.ok();
            status.is_some_and(|status| {
                let mut links = status.hubs.iter().map(|hub| &hub.link);
                links.all(|link| link.up_bytes_left.min(link.down_bytes_left) >= BLOCK_BYTES)
            })
        };
        while !is_full().await && Instant::now() < deadline {
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// N hubs and two clients. A block of PSRD holds the largest key several times.
pub(super) fn topology(hubs: u8, threshold: u8) -> String {
    let hubs: Vec<String> = (1..=hubs)
        .map(|x| format!("{{ name = \"hub-{x}\" }}"))
        .collect();
    format!(
        "threshold = {threshold}
shares_per_hub_max = 10_000_000
hubs = [{}]
clients = [{{ name = \"{MASTER}\" }}, {{ name = \"{SLAVE}\" }}]
[psrd]
block_bytes = {BLOCK_BYTES}
low_water_bytes = {BLOCK_BYTES}
[keys]
max_bits = {SIZE_BITS_MAX}
",
        hubs.join(", ")
    )
}

/// Bytes of a block of PSRD. A pool that has fewer bytes left is refilled.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// The one pair of SAEs, so that one client only establishes and the other only fetches.
pub(super) fn pair() -> Pair {
    let sae = |name: &str| name.parse::<SaeId>().expect("letters only");
    Pair {
        master: sae(MASTER),
        slave: sae(SLAVE),
    }
}

pub(super) fn load_of(condition: &Condition, (warm_up, duration): (Duration, Duration)) -> Load {
    let arrivals = match (condition.concurrency, condition.per_second) {
        (Some(concurrency), _) => Arrivals::Closed { concurrency },
        (None, per_second) => Arrivals::Open {
            per_second: per_second.unwrap_or_default(),
            in_flight_max: IN_FLIGHT_MAX,
        },
    };
    Load {
        pairs: vec![pair()],
        arrivals,
        size_bits: condition.size_bits,
        keys_per_call: condition.keys_per_call,
        warm_up,
        duration,
    }
}

async fn measure_actors(
    cluster: &LocalCluster,
    condition: &Condition,
    times: (Duration, Duration),
) -> Run {
    let pair = pair();
    let request = KeyRequest {
        number: Some(condition.keys_per_call),
        size_bits: Some(condition.size_bits),
        also: Vec::new(),
    };
    let both = async || closed_loop::both_calls(cluster, &pair, &request).await;
    let concurrency = condition.concurrency.unwrap_or(1);
    let keys = (condition.keys_per_call, condition.size_bits);
    closed_loop::run(concurrency, keys, times, both).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Extent;

    #[test]
    fn the_topology_of_every_condition_is_accepted() {
        for experiment in Extent::Full.experiments() {
            for condition in experiment.conditions {
                let text = topology(condition.hubs, condition.threshold);
                let topology = Topology::parse("t", &text).unwrap();
                assert_eq!(topology.hubs.len(), usize::from(condition.hubs));
                assert!(topology.keys.max_bits >= condition.size_bits);
                assert!(topology.saes.contains_key(&pair().master));
            }
        }
    }
}

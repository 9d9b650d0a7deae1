//! Checks a load before it is put on a cluster: its numbers, and whether the cluster runs and is the one of the topology.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use serde::Deserialize;

use dske::http::etsi::Status;
use dske::http::etsi_client::{CallError, EtsiClient};
use dske::http::paths::CLIENT_STATUS;
use dske::protocol::{NodeName, SaeId};
use dske::topology::Topology;
use dske::topology::range::{OutOfRange, within};

use super::{Arrivals, Load, Pair};
use crate::over_http::{HttpClients, HttpNodes};

/// Most operations at the same time. Each keeps a connection, and far fewer already show what a cluster can do.
pub const CONCURRENCY_MAX: usize = 4096;

/// Operations per second of an open loop. The bounds are far below and far above what any machine does.
pub const PER_SECOND: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Longest measurement, a day: one that was forgotten comes to an end.
pub const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Shortest time that is measured. In less, no operation could end.
pub const DURATION_MIN: Duration = Duration::from_millis(1);

/// Files that this process has open besides the connections of operations.
const OTHER_FILES: usize = 32;

/// Why no load was put on the cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// No pair of SAEs is to get keys.
    #[error(
        "there is no pair of SAEs: the topology has one client only; name a pair of SAEs with --pair"
    )]
    NoPair,
    /// A pair of one SAE.
    #[error("{0} is paired with itself; a pair is two SAEs")]
    PairedWithItself(SaeId),
    /// There is no such SAE.
    #[error("there is no SAE {sae} in the topology; there are {known}")]
    UnknownSae {
        /// The ID.
        sae: SaeId,
        /// The IDs there are.
        known: String,
    },
    /// A number that is outside of its bounds.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The system does not let this process have so many connections.
    #[error(
        "{wanted} connections are more than this process may open ({limit}); raise the limit with `ulimit -n`, or ask for fewer at the same time"
    )]
    OpenFiles {
        /// Connections that may be needed.
        wanted: usize,
        /// Files that may be open.
        limit: u64,
    },
    /// A caller cannot prove who it is.
    #[error("{0}")]
    NotProved(String),
    /// A client that is needed does not answer.
    #[error("{node} at {address} does not answer: {reason}; start the nodes with `dske start`")]
    NotRunning {
        /// The node.
        node: String,
        /// Its address.
        address: String,
        /// What came instead.
        reason: String,
    },
    /// The running nodes are not those of the topology.
    #[error(
        "{address} is not {node} of this topology: {reason}; is it the topology that the nodes were started with?"
    )]
    AnotherTopology {
        /// The node that should be there.
        node: String,
        /// Its address.
        address: String,
        /// How it differs.
        reason: String,
    },
    /// The load was stopped during the warm-up.
    #[error("it was stopped before anything was measured")]
    StoppedEarly,
}

impl LoadError {
    /// Whether the caller asked for something that cannot be.
    #[must_use]
    pub fn is_bad_use(&self) -> bool {
        match self {
            Self::NoPair
            | Self::PairedWithItself(_)
            | Self::UnknownSae { .. }
            | Self::OutOfRange(_)
            | Self::OpenFiles { .. } => true,
            Self::NotProved(_)
            | Self::NotRunning { .. }
            | Self::AnotherTopology { .. }
            | Self::StoppedEarly => false,
        }
    }
}

/// A pair of SAEs, and their KMEs.
pub(super) struct Route {
    pub(super) pair: Pair,
    pub(super) master_kme: EtsiClient,
    pub(super) slave_kme: EtsiClient,
}

/// Checks a load, and the clients that it is for.
pub(super) async fn check(
    topology: &Topology,
    load: &Load,
    http: HttpClients,
) -> Result<Vec<Route>, LoadError> {
    check_numbers(load)?;
    let homes = homes(topology, &load.pairs)?;
    check_open_files(load.at_once())?;
    let kmes = Kmes(HttpNodes::new(Rc::new(topology.clone()), http));
    for home in homes.values() {
        kmes.check_client(home).await?;
    }
    let mut routes = Vec::with_capacity(load.pairs.len());
    for pair in &load.pairs {
        let (master, slave) = (homes[&pair.master], homes[&pair.slave]);
        let of = |sae, home| {
            kmes.0
                .kme(sae)
                .map_err(|error| kmes.complaint(home, &error))
        };
        let route = Route {
            pair: pair.clone(),
            master_kme: of(&pair.master, master)?,
            slave_kme: of(&pair.slave, slave)?,
        };
        let status = route.master_kme.status(&pair.master, &pair.slave).await;
        let status = status.map_err(|error| kmes.complaint(master, &error))?;
        check_keys(&status, load)?;
        routes.push(route);
    }
    Ok(routes)
}

fn check_numbers(load: &Load) -> Result<(), LoadError> {
    match load.arrivals {
        Arrivals::Closed { concurrency } => {
            within("the concurrency", concurrency, 1..=CONCURRENCY_MAX)?;
        }
        Arrivals::Open {
            per_second,
            in_flight_max,
        } => {
            // NaN is in no range.
            within("the rate per second", per_second, PER_SECOND)?;
            within("the number in flight", in_flight_max, 1..=CONCURRENCY_MAX)?;
        }
    }
    let seconds = |time: Duration| time.as_secs_f64();
    let (duration, warm_up) = (seconds(load.duration), seconds(load.warm_up));
    let allowed = seconds(DURATION_MIN)..=seconds(TIME_MAX);
    within("the duration in seconds", duration, allowed)?;
    within("the warm-up in seconds", warm_up, 0.0..=seconds(TIME_MAX))?;
    Ok(())
}

/// Every SAE of the pairs, with its client.
fn homes<'a>(
    topology: &'a Topology,
    pairs: &'a [Pair],
) -> Result<BTreeMap<&'a SaeId, &'a NodeName>, LoadError> {
    if pairs.is_empty() {
        return Err(LoadError::NoPair);
    }
    if let Some(pair) = pairs.iter().find(|pair| pair.master == pair.slave) {
        return Err(LoadError::PairedWithItself(pair.master.clone()));
    }
    let saes = pairs.iter().flat_map(|pair| [&pair.master, &pair.slave]);
    let home = |sae| match topology.saes.get(sae) {
        Some(home) => Ok((sae, home)),
        None => {
            let known: Vec<&str> = topology.saes.keys().map(SaeId::as_str).collect();
            Err(LoadError::UnknownSae {
                sae: sae.clone(),
                known: known.join(", "),
            })
        }
    };
    saes.map(home).collect()
}

fn check_open_files(connections: usize) -> Result<(), LoadError> {
    // Where the system sets no limit, there is none.
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let wanted = connections + OTHER_FILES;
    match u64::try_from(wanted) {
        Ok(files) if files <= limit => Ok(()),
        _ => Err(LoadError::OpenFiles { wanted, limit }),
    }
}

/// Checks what is asked of a KME against what its own status allows.
fn check_keys(status: &Status, load: &Load) -> Result<(), LoadError> {
    let bits = status.min_key_size..=status.max_key_size;
    within("the size of a key in bits", load.size_bits, bits)?;
    if !load.size_bits.is_multiple_of(8) {
        return Err(LoadError::OutOfRange(OutOfRange {
            what: "the size of a key in bits".to_owned(),
            allowed: "a multiple of 8".to_owned(),
            value: load.size_bits.to_string(),
        }));
    }
    let number = 1..=status.max_key_per_request;
    within("the number of keys in a call", load.keys_per_call, number)?;
    Ok(())
}

/// What a client's status has to tell. It is little, so that nodes of another version can be measured.
#[derive(Deserialize)]
struct Who {
    name: NodeName,
    hubs: Vec<WhichHub>,
}

#[derive(Deserialize)]
struct WhichHub {
    name: NodeName,
}

/// The clients of a topology, over HTTP.
struct Kmes(HttpNodes);

impl Kmes {
    /// Whether the client at an address is the one of the topology, with the same hubs.
    async fn check_client(&self, name: &NodeName) -> Result<(), LoadError> {
        let status = match self.0.node(name) {
            Ok(node) => node.get::<Who>(CLIENT_STATUS, None).await,
            Err(error) => Err(error),
        };
        let status = status.map_err(|error| self.complaint(name, &error))?;
        if status.name != *name {
            return Err(self.another(name, format!("it is {}", client(&status.name))));
        }
        let names = |hubs: Vec<&NodeName>| -> String {
            let names: Vec<&str> = hubs.into_iter().map(NodeName::as_str).collect();
            names.join(", ")
        };
        let running = names(status.hubs.iter().map(|hub| &hub.name).collect());
        let expected = names(self.0.topology().hubs.iter().map(|hub| &hub.name).collect());
        if running != expected {
            let reason = format!("its hubs are {running}, not {expected}");
            return Err(self.another(name, reason));
        }
        Ok(())
    }

    fn complaint(&self, name: &NodeName, error: &CallError) -> LoadError {
        match error {
            CallError::NotMade(reason) => LoadError::NotProved(reason.clone()),
            CallError::Unknown(reason) => LoadError::NotRunning {
                node: client(name),
                address: self.0.origin(name).to_owned(),
                reason: reason.clone(),
            },
            CallError::Refused { .. } => self.another(name, error.to_string()),
        }
    }

    fn another(&self, name: &NodeName, reason: String) -> LoadError {
        LoadError::AnotherTopology {
            node: client(name),
            address: self.0.origin(name).to_owned(),
            reason,
        }
    }
}

/// For messages.
fn client(name: &NodeName) -> String {
    format!("client {name}")
}

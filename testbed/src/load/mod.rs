//! A load generator: pairs of SAEs get keys from a running cluster, and the generator measures what that took.
//!
//! In one operation two SAEs get the same keys: the master gets new keys, the slave gets them by their IDs, and the
//! generator compares both. `docs/bench.md` explains the figures.
//!
//! | module | what it holds |
//! |---|---|
//! | [`check`] | checks a load before it starts, and whether the cluster is there |
//! | `arrivals` | when operations begin: closed loop, open loop |
//! | `operation` | one operation: two calls, and the comparison of their answers |
//! | `failure` | how an operation can fail |
//! | `tally` | what is counted within the measured time |
//! | `nodes` | what the nodes report before and after |
//! | [`report`] | what was measured |
//!
//! The generator often shares the machine with the nodes, so it has to be cheap: it has one thread, a second one in the
//! open loop that only keeps time, and connections that stay open.

mod arrivals;
pub mod check;
mod failure;
mod nodes;
mod operation;
pub mod report;
mod tally;

use std::future::{Future, pending};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use dske::http::metrics::process::cpu_s;
use dske::protocol::SaeId;
use dske::topology::{NodeAddress, Topology};

use crate::over_http::HttpClients;

pub use check::LoadError;
pub use report::LoadReport;

/// The load to put on a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The SAEs that get keys with each other. Operations go through the pairs in turn.
    pub pairs: Vec<Pair>,
    /// When operations begin.
    pub arrivals: Arrivals,
    /// Bits of each key.
    pub size_bits: usize,
    /// Keys in one call.
    pub keys_per_call: usize,
    /// How long the load runs before anything is counted.
    #[serde(rename = "warm_up_s", with = "seconds")]
    pub warm_up: Duration,
    /// How long to measure.
    #[serde(rename = "duration_s", with = "seconds")]
    pub duration: Duration,
}

impl Load {
    /// Most operations at the same time, and so most connections to one client.
    #[must_use]
    pub fn at_once(&self) -> usize {
        match self.arrivals {
            Arrivals::Closed { concurrency } => concurrency,
            Arrivals::Open { in_flight_max, .. } => in_flight_max,
        }
    }
}

/// An HTTP client for a load on plain HTTP.
#[must_use]
pub fn plain_client(connections: usize) -> awc::Client {
    let connector = awc::Connector::new()
        .limit(connections)
        .conn_keep_alive(KEEP_ALIVE)
        .conn_lifetime(LIFETIME);
    // An answer that is not the KME's own is an error.
    awc::Client::builder()
        .connector(connector)
        .disable_redirects()
        .finish()
}

/// A server closes connections that have been idle for five seconds. One that is nearly as old is not used again.
pub const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// A connection in use stays open for as long as any load takes.
pub const LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Two SAEs. The topology names their KMEs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Gets new keys.
    pub master: SaeId,
    /// Gets the same keys by their IDs.
    pub slave: SaeId,
}

impl Pair {
    /// Every client's first SAE as the master, with the next client's as the slave; the last client's with the first's.
    #[must_use]
    pub fn ring(topology: &Topology) -> Vec<Self> {
        let first_sae = |client: &NodeAddress| {
            let mut saes = topology.saes.iter();
            let sae = saes.find(|(_, home)| **home == client.name);
            sae.map(|(sae, _)| sae.clone())
        };
        let masters: Vec<SaeId> = topology.clients.iter().filter_map(first_sae).collect();
        let slaves = masters.iter().cycle().skip(1);
        let pairs = masters.iter().zip(slaves).map(|(master, slave)| Self {
            master: master.clone(),
            slave: slave.clone(),
        });
        pairs.filter(|pair| pair.master != pair.slave).collect()
    }
}

/// When operations begin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "loop", rename_all = "kebab-case")]
pub enum Arrivals {
    /// A fixed number at the same time. Each one that ends is followed by the next.
    Closed {
        /// Operations at the same time.
        concurrency: usize,
    },
    /// A fixed rate, evenly spaced, even if earlier operations have not ended.
    Open {
        /// Operations that begin each second.
        per_second: f64,
        /// Most operations in flight. One that is due beyond them is an error.
        in_flight_max: usize,
    },
}

/// Puts a load on a running cluster. Has to be called on a current-thread runtime, such as an actix system.
///
/// # Errors
/// If the load is out of bounds, or the cluster is not the one of the topology. Failures after the start are counted in the
/// report.
pub async fn run(topology: &Topology, load: &Load) -> Result<LoadReport, LoadError> {
    let http = plain_client(load.at_once()).into();
    run_until(topology, load, http, pending()).await
}

/// The same, called by these HTTP clients, and the measurement ends early when `stop` is ready.
///
/// # Errors
/// As [`run`], and if `stop` was ready before anything was measured.
pub async fn run_until(
    topology: &Topology,
    load: &Load,
    http: HttpClients,
    stop: impl Future<Output = ()>,
) -> Result<LoadReport, LoadError> {
    let routes = check::check(topology, load, http.clone()).await?;
    let mut stop = pin!(stop.fuse());
    let begin = Instant::now();
    let window = Rc::new(tally::Window::new(begin + load.warm_up, load.duration));
    let tally = Rc::new(tally::Tally::new(load, Rc::clone(&window)));
    let worker = Rc::new(operation::Worker::new(routes, load, Rc::clone(&tally)));
    let arrivals = arrivals::start(load.arrivals, begin, &worker, &window);

    let early = timeout_at(window.from(), &mut stop).await.is_ok();
    if early {
        window.close();
        arrivals.await;
        return Err(LoadError::StoppedEarly);
    }
    let before = tokio::task::spawn_local(nodes::look(topology.clone(), http.clone()));
    let own_before = cpu_s();
    let interrupted = timeout_at(window.until(), &mut stop).await.is_ok();
    window.close();
    let own_cpu_s = cpu_s() - own_before;
    let after = nodes::look(topology.clone(), http).await;
    arrivals.await;
    let before = before.await.unwrap_or_default();
    Ok(report::make(report::Measured {
        load,
        interrupted,
        window: window.length(),
        tally: &tally,
        nodes: nodes::compare(topology, &before, &after),
        own_cpu_s,
    }))
}

/// A duration as seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(clients: &str) -> Topology {
        let text = format!(
            "threshold = 2\nhubs = [{{name = \"a\"}}, {{name = \"b\"}}]\nclients = [{clients}]"
        );
        Topology::parse("t", &text).unwrap()
    }

    fn ring(clients: &str) -> Vec<String> {
        let pairs = Pair::ring(&topology(clients));
        let pairs = pairs.iter();
        pairs
            .map(|pair| format!("{}:{}", pair.master, pair.slave))
            .collect()
    }

    #[test]
    fn every_client_is_paired_with_the_next_one() {
        assert_eq!(
            ring("{name = \"c\"}, {name = \"d\", saes = [\"e1\", \"e2\"]}, {name = \"f\"}"),
            ["c:e1", "e1:f", "f:c"]
        );
        assert_eq!(ring("{name = \"c\"}, {name = \"d\"}"), ["c:d", "d:c"]);
        assert!(ring("{name = \"c\"}").is_empty());
    }

    #[test]
    fn a_load_is_the_same_after_it_was_written() {
        let load = Load {
            pairs: Pair::ring(&topology("{name = \"c\"}, {name = \"d\"}")),
            arrivals: Arrivals::Open {
                per_second: 0.5,
                in_flight_max: 7,
            },
            size_bits: 256,
            keys_per_call: 2,
            warm_up: Duration::from_millis(500),
            duration: Duration::from_secs(3),
        };
        let json = serde_json::to_value(&load).unwrap();
        assert_eq!(json["warm_up_s"], 0.5);
        assert_eq!(json["arrivals"]["loop"], "open");
        assert_eq!(serde_json::from_value::<Load>(json).unwrap(), load);
    }
}

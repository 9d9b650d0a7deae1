//! Nodes as operating-system processes on loopback ports, over real HTTP.
//!
//! | module | what it holds |
//! |---|---|
//! | `node` | the process of one node: its start, its log, its end |
//! | `ready` | when nodes that were started are ready |
//! | `ports` | free ports of this machine |
//!
//! [`NodeProcess`] serves the command `dske start`, too, which leaves its nodes running in the background.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use dske::protocol::NodeName;
use dske::topology::{Role, Topology, TopologyError};
use tokio::time::{Instant, sleep};

use crate::Cluster;
use crate::delay::SlowProxy;
use crate::over_http::{HttpNodes, OverHttp};

mod node;
mod ports;
mod ready;

#[cfg(feature = "measure")]
pub(crate) use node::ChildGuard;
pub use node::{Lifetime, NodeCommand, NodeProcess, SpawnError};
pub use ports::free_ports;
pub use ready::{NotReady, WhyNotReady, wait_until_ready};

/// How long so many nodes may take to become ready that are started together: they share the cores of one machine.
#[must_use]
pub fn ready_within(nodes: usize) -> Duration {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    Duration::from_secs(20) + Duration::from_secs(2).saturating_mul(nodes)
}

/// How long a node may take to end after it was told to. Then it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks at a node that is to end.
const POLL: Duration = Duration::from_millis(20);

/// The topology file of all nodes but a hub behind a proxy.
const TOPOLOGY: &str = "topology.toml";

/// The topology file of a hub behind a proxy. It has the address at which the hub itself listens.
const TOPOLOGY_BEHIND: &str = "topology-behind.toml";

/// Why a cluster of processes could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system refuses something that the cluster needs.
    #[error("{what}: {error}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The topology cannot be used.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The topology is not TOML.
    #[error("the topology is not TOML: {0}")]
    Toml(#[from] toml::de::Error),
    /// A node cannot be started.
    #[error("{node} cannot be started by {}: {error}", .program.display())]
    Spawn {
        /// The node.
        node: NodeName,
        /// The program that was to run it.
        program: PathBuf,
        /// Why.
        error: SpawnError,
    },
    /// Nodes did not become ready.
    #[error("not ready: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotReady(Vec<NotReady>),
}

/// A cluster of processes. They are ended when it is dropped.
pub struct ProcessCluster {
    program: PathBuf,
    folder: tempfile::TempDir,
    nodes: HttpNodes,
    running: RefCell<BTreeMap<NodeName, NodeProcess>>,
    behind: Option<Behind>,
}

/// A hub behind a proxy.
struct Behind {
    hub: NodeName,
    proxy: SlowProxy,
}

impl ProcessCluster {
    /// Starts `binary` (the `dske` command) once for each node of a topology, on free loopback ports in place of
    /// those in its text, and waits until all are ready. Has to be called on a running actix system.
    ///
    /// # Errors
    /// If a node cannot be started, or does not become ready.
    pub async fn start(binary: &Path, topology: &str) -> Result<Self, StartError> {
        Self::start_with(binary, topology, false).await
    }

    /// The same, with the first hub behind a proxy, so that it can be [slowed down](Self::slow_down).
    ///
    /// # Errors
    /// If a node cannot be started, or does not become ready.
    pub async fn start_with_proxy(binary: &Path, topology: &str) -> Result<Self, StartError> {
        Self::start_with(binary, topology, true).await
    }

    async fn start_with(
        binary: &Path,
        topology: &str,
        has_proxy: bool,
    ) -> Result<Self, StartError> {
        let mut table: toml::Table = topology.parse()?;
        let nodes = number_of_nodes(&table);
        // One more for the hub behind the proxy.
        let base_port = free_ports(nodes + 1).map_err(failed("finding free ports"))?;
        let port = toml::Value::Integer(base_port.into());
        table.insert("base_port".to_owned(), port);
        let folder = tempfile::tempdir().map_err(failed("making a folder"))?;
        let file = folder.path().join(TOPOLOGY);
        write_topology(&file, &table)?;
        let topology = Rc::new(Topology::read(&file)?);
        let behind = match topology.hubs.first() {
            Some(hub) if has_proxy => {
                let last_port = base_port + u16::try_from(nodes).unwrap_or_default();
                let [front, back] = [base_port, last_port]
                    .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
                set_address_of_first_hub(&mut table, back);
                write_topology(&folder.path().join(TOPOLOGY_BEHIND), &table)?;
                let proxy = SlowProxy::start(front, back).map_err(failed("starting a proxy"))?;
                let hub = hub.name.clone();
                Some(Behind { hub, proxy })
            }
            _ => None,
        };
        let cluster = Self {
            program: binary.to_owned(),
            folder,
            nodes: HttpNodes::new(topology, awc::Client::default()),
            running: RefCell::default(),
            behind,
        };
        let started = cluster.topology().nodes();
        let started = started.map(|(role, node)| cluster.spawn(role, &node.name));
        cluster.run(started.collect::<Result<_, _>>()?).await?;
        Ok(cluster)
    }

    /// From now on everything that is sent to the hub behind the proxy arrives this much later. Without a proxy, nothing
    /// changes.
    pub fn slow_down(&self, by_ms: u64) {
        if let Some(behind) = &self.behind {
            behind.proxy.set_delay_ms(by_ms);
        }
    }

    /// The process of a node, if it runs.
    #[must_use]
    pub fn process_id(&self, name: &NodeName) -> Option<u32> {
        self.running.borrow().get(name).map(NodeProcess::id)
    }

    /// The processes of all nodes that run.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        self.running
            .borrow()
            .values()
            .map(NodeProcess::id)
            .collect()
    }

    /// Ends a node at once, without a chance to finish anything.
    pub fn kill(&self, name: &NodeName) {
        self.running.borrow_mut().remove(name);
    }

    fn spawn(&self, role: Role, name: &NodeName) -> Result<NodeProcess, StartError> {
        let is_behind = self.behind.as_ref().is_some_and(|b| b.hub == *name);
        let topology = if is_behind { TOPOLOGY_BEHIND } else { TOPOLOGY };
        let folder = self.folder.path();
        let node = NodeProcess::spawn(&NodeCommand {
            program: &self.program,
            topology: &folder.join(topology),
            role,
            name,
            log: &folder.join(format!("{name}.log")),
            lifetime: Lifetime::Owned,
        });
        node.map_err(|error| StartError::Spawn {
            node: name.clone(),
            program: self.program.clone(),
            error,
        })
    }

    /// Keeps nodes that were started, once they are ready.
    async fn run(&self, started: Vec<NodeProcess>) -> Result<(), StartError> {
        let within = ready_within(started.len());
        let ready = wait_until_ready(started, &self.nodes, within, |_| {}).await;
        let ready = ready.map_err(StartError::NotReady)?.into_iter();
        let named = ready.map(|node| (node.name().clone(), node));
        self.running.borrow_mut().extend(named);
        Ok(())
    }

    fn has_ended(&self, name: &NodeName) -> bool {
        let mut running = self.running.borrow_mut();
        let node = running.get_mut(name);
        node.is_none_or(|node| node.exit_status().is_some())
    }
}

impl OverHttp for ProcessCluster {
    fn nodes(&self) -> &HttpNodes {
        &self.nodes
    }

    async fn stop_hub(&self, hub: &NodeName) {
        self.nodes.stop(Role::Hub, hub).await;
        let deadline = Instant::now() + STOP_WITHIN;
        while !self.has_ended(hub) && Instant::now() < deadline {
            sleep(POLL).await;
        }
        self.kill(hub);
    }

    async fn start_hub(&self, hub: &NodeName) {
        let hub = self
            .spawn(Role::Hub, hub)
            .expect("it could be started before");
        self.run(vec![hub]).await.expect("it became ready before");
    }
}

fn number_of_nodes(topology: &toml::Table) -> usize {
    let nodes = ["hubs", "clients"].map(|kind| {
        let nodes = topology.get(kind).and_then(toml::Value::as_array);
        nodes.map_or(0, Vec::len)
    });
    nodes.iter().sum()
}

fn write_topology(file: &Path, table: &toml::Table) -> Result<(), StartError> {
    std::fs::write(file, table.to_string()).map_err(failed("writing the topology"))
}

fn set_address_of_first_hub(table: &mut toml::Table, address: SocketAddr) {
    let hubs = table.get_mut("hubs").and_then(toml::Value::as_array_mut);
    let first = hubs.and_then(|hubs| hubs.first_mut());
    if let Some(hub) = first.and_then(toml::Value::as_table_mut) {
        let address = toml::Value::String(address.to_string());
        hub.insert("address".to_owned(), address);
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> StartError {
    move |error| StartError::Io { what, error }
}

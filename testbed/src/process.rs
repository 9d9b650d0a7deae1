//! A cluster of operating-system processes on loopback ports, over real HTTP.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dske::http::etsi::{KeyContainer, Status};
use dske::http::paths;
use dske::node::client::ClientStatus;
use dske::protocol::hub::HubStatus;
use dske::protocol::{KeyId, NodeName, SaeId};
use dske::topology::{Topology, TopologyError};
use tokio::time::{Instant, sleep};

use crate::cluster::home_of;
use crate::delay::SlowProxy;
use crate::{CallError, Cluster, EtsiClient, KeyRequest};

/// How long a node may take to answer after its start.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// How long a node may take to end after it was told to, before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How often a node is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(20);

/// The topology file of all nodes but a hub behind a proxy.
const TOPOLOGY: &str = "topology.toml";

/// The topology file of a hub behind a proxy: it has the address at which the hub listens itself.
const TOPOLOGY_BEHIND: &str = "topology-behind.toml";

/// Lines of a log that are shown when a node fails.
const LOG_LINES: usize = 5;

/// For how long the allocator of a node keeps what was freed, in milliseconds.
///
/// Shares stay for ten seconds after they were fetched: memory that comes and goes with the load would be given back,
/// and cleared by the system for each new share.
const MEMORY_KEPT_MS: &str = "60000";

/// What the process of a node is started with, unless the environment says otherwise. `mimalloc` reads it before `main`.
#[must_use]
pub fn node_environment() -> Vec<(&'static str, &'static str)> {
    let ours = [("MIMALLOC_PURGE_DELAY", MEMORY_KEPT_MS)];
    let is_unset = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
    ours.into_iter().filter(is_unset).collect()
}

/// Why a cluster of processes could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Files or processes cannot be made.
    #[error("{what}: {error}")]
    Io {
        /// What was to be done.
        what: String,
        /// What the system says.
        error: io::Error,
    },
    /// The topology cannot be used.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The topology is no TOML.
    #[error("the topology is no TOML: {0}")]
    Toml(#[from] toml::de::Error),
    /// A node ended by itself.
    #[error("{node} ended with {status}; its log ends with: {log}")]
    Ended {
        /// The node.
        node: NodeName,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// A node does not answer.
    #[error("{node} did not answer within {READY_WITHIN:?}; its log ends with: {log}")]
    NotReady {
        /// The node.
        node: NodeName,
        /// The last lines of its log.
        log: String,
    },
}

/// A cluster of processes. They are ended when it is dropped.
pub struct ProcessCluster {
    topology: Topology,
    binary: PathBuf,
    folder: tempfile::TempDir,
    http: awc::Client,
    nodes: RefCell<BTreeMap<NodeName, Node>>,
    behind: Option<Behind>,
}

/// A hub behind a proxy.
struct Behind {
    hub: NodeName,
    proxy: SlowProxy,
}

/// A child process that never outlives its owner.
pub(crate) struct Node(pub(crate) Child);

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already, which is just as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
        let count = ["hubs", "clients"].map(|kind| {
            table
                .get(kind)
                .and_then(|k| k.as_array())
                .map_or(0, Vec::len)
        });
        // One more for the hub behind the proxy.
        let nodes = count.iter().sum::<usize>();
        let base_port = free_ports(nodes + 1).map_err(|e| failed("finding free ports", e))?;
        table.insert(
            "base_port".to_owned(),
            toml::Value::Integer(base_port.into()),
        );
        let folder = tempfile::tempdir().map_err(|e| failed("making a folder", e))?;
        let file = folder.path().join(TOPOLOGY);
        write_topology(&file, &table)?;
        let topology = Topology::read(&file)?;
        let behind = match topology.hubs.first() {
            Some(hub) if has_proxy => {
                let last_port = base_port + u16::try_from(nodes).unwrap_or_default();
                let [front, back] = [base_port, last_port]
                    .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
                set_address_of_first_hub(&mut table, back);
                write_topology(&folder.path().join(TOPOLOGY_BEHIND), &table)?;
                let proxy = SlowProxy::start(front, back);
                let proxy = proxy.map_err(|e| failed("starting a proxy", e))?;
                Some(Behind {
                    hub: hub.name.clone(),
                    proxy,
                })
            }
            _ => None,
        };
        let cluster = Self {
            topology,
            binary: binary.to_owned(),
            folder,
            http: awc::Client::default(),
            nodes: RefCell::default(),
            behind,
        };
        let nodes = cluster
            .topology
            .hubs
            .iter()
            .chain(&cluster.topology.clients);
        for node in nodes.clone() {
            cluster.spawn(&node.name)?;
        }
        for node in nodes {
            cluster.wait_until_ready(&node.name).await?;
        }
        Ok(cluster)
    }

    /// From now on everything that is sent to the hub behind the proxy arrives so much later. Without a proxy nothing does.
    pub fn slow_down(&self, by_ms: u64) {
        if let Some(behind) = &self.behind {
            behind.proxy.set_delay_ms(by_ms);
        }
    }

    /// The process of a node that runs.
    #[must_use]
    pub fn process_id(&self, name: &NodeName) -> Option<u32> {
        self.nodes.borrow().get(name).map(|node| node.0.id())
    }

    /// Ends a node at once, without a chance to finish anything.
    pub fn kill(&self, name: &NodeName) {
        self.nodes.borrow_mut().remove(name);
    }

    /// The processes of all nodes that run.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        let nodes = self.nodes.borrow();
        nodes.values().map(|node| node.0.id()).collect()
    }

    fn is_hub(&self, name: &NodeName) -> bool {
        self.topology.hubs.iter().any(|hub| hub.name == *name)
    }

    fn log(&self, name: &NodeName) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn spawn(&self, name: &NodeName) -> Result<(), StartError> {
        let open = || {
            File::options()
                .create(true)
                .append(true)
                .open(self.log(name))
        };
        let log = || open().map_err(|e| failed("opening a log", e));
        let role = if self.is_hub(name) { "hub" } else { "client" };
        let is_behind = self.behind.as_ref().is_some_and(|b| b.hub == *name);
        let topology = if is_behind { TOPOLOGY_BEHIND } else { TOPOLOGY };
        let child = Command::new(&self.binary)
            .arg("--topology")
            .arg(self.folder.path().join(topology))
            .args([role, name.as_str()])
            .envs(node_environment())
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .spawn()
            .map_err(|e| failed(&format!("starting {}", self.binary.display()), e))?;
        self.nodes.borrow_mut().insert(name.clone(), Node(child));
        Ok(())
    }

    async fn wait_until_ready(&self, name: &NodeName) -> Result<(), StartError> {
        let deadline = Instant::now() + READY_WITHIN;
        let path = if self.is_hub(name) {
            paths::HUB_STATUS
        } else {
            paths::CLIENT_STATUS
        };
        loop {
            let status: Result<serde_json::Value, _> = self.node(name).get(path, None).await;
            if status.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.exit_status(name) {
                let (node, log) = (name.clone(), self.end_of_log(name));
                return Err(StartError::Ended { node, status, log });
            }
            if Instant::now() > deadline {
                let (node, log) = (name.clone(), self.end_of_log(name));
                return Err(StartError::NotReady { node, log });
            }
            sleep(POLL).await;
        }
    }

    fn exit_status(&self, name: &NodeName) -> Option<ExitStatus> {
        self.nodes.borrow_mut().get_mut(name)?.0.try_wait().ok()?
    }

    fn end_of_log(&self, name: &NodeName) -> String {
        let log = std::fs::read_to_string(self.log(name)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join(" | ")
    }

    async fn stop(&self, name: &NodeName) {
        let path = if self.is_hub(name) {
            paths::HUB_STOP
        } else {
            paths::CLIENT_STOP
        };
        let address = self.topology.address(name).unwrap_or_default();
        // If it does not answer, it is killed below.
        let _ = self
            .http
            .post(format!("http://{address}{path}"))
            .send()
            .await;
        let deadline = Instant::now() + STOP_WITHIN;
        while self.exit_status(name).is_none() && Instant::now() < deadline {
            sleep(POLL).await;
        }
        self.nodes.borrow_mut().remove(name);
    }

    fn node(&self, name: &NodeName) -> EtsiClient {
        let address = self.topology.address(name).unwrap_or_default();
        let deadline = Duration::from_millis(self.topology.timing.call_deadline_ms);
        EtsiClient::new(
            self.http.clone(),
            address,
            deadline + Duration::from_secs(1),
        )
    }

    fn home(&self, sae: &SaeId) -> Result<EtsiClient, CallError> {
        home_of(&self.topology, sae).map(|home| self.node(home))
    }
}

fn write_topology(file: &Path, table: &toml::Table) -> Result<(), StartError> {
    std::fs::write(file, table.to_string()).map_err(|e| failed("writing the topology", e))
}

fn set_address_of_first_hub(table: &mut toml::Table, address: SocketAddr) {
    let hubs = table.get_mut("hubs").and_then(toml::Value::as_array_mut);
    let first = hubs.and_then(|hubs| hubs.first_mut());
    if let Some(hub) = first.and_then(toml::Value::as_table_mut) {
        let address = toml::Value::String(address.to_string());
        hub.insert("address".to_owned(), address);
    }
}

fn failed(what: &str, error: io::Error) -> StartError {
    StartError::Io {
        what: what.to_owned(),
        error,
    }
}

/// Ports that are handed out: below those that systems commonly give to outgoing connections (from 32,768 on Linux),
/// any of which could take a port between the look at it and its use.
const PORTS: Range<u16> = 10_000..30_000;

/// Where this process looks next, counted from the first of [`PORTS`].
static NEXT_PORT: AtomicU32 = AtomicU32::new(0);

/// The first of `count` consecutive loopback ports that are free at the moment. No two calls in one process get the
/// same ports, and processes begin to look at different places.
///
/// # Errors
/// If there are none.
pub fn free_ports(count: usize) -> io::Result<u16> {
    let size = u32::from(PORTS.end - PORTS.start);
    let step = u32::try_from(count.max(1)).unwrap_or(size);
    let offset = std::process::id().wrapping_mul(101);
    for _ in 0..size / step {
        let at = NEXT_PORT.fetch_add(step, Ordering::Relaxed);
        let first = u32::from(PORTS.start) + offset.wrapping_add(at) % size;
        let mut ports = first..first + step;
        let free = |port: u32| {
            let port = u16::try_from(port).ok().filter(|port| PORTS.contains(port));
            port.is_some_and(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        };
        if ports.all(free) {
            return Ok(u16::try_from(first).unwrap_or(PORTS.start));
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("there are no {count} consecutive free ports"),
    ))
}

impl Cluster for ProcessCluster {
    fn topology(&self) -> &Topology {
        &self.topology
    }

    async fn status(&self, caller: &SaeId, slave: &SaeId) -> Result<Status, CallError> {
        self.home(caller)?.status(caller, slave).await
    }

    async fn get_key(
        &self,
        caller: &SaeId,
        slave: &SaeId,
        request: &KeyRequest,
    ) -> Result<KeyContainer, CallError> {
        self.home(caller)?.get_key(caller, slave, request).await
    }

    async fn get_key_with_ids(
        &self,
        caller: &SaeId,
        master: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<KeyContainer, CallError> {
        self.home(caller)?
            .get_key_with_ids(caller, master, key_ids)
            .await
    }

    async fn hub_status(&self, hub: &NodeName) -> Result<HubStatus, CallError> {
        self.node(hub).get(paths::HUB_STATUS, None).await
    }

    async fn client_status(&self, client: &NodeName) -> Result<ClientStatus, CallError> {
        self.node(client).get(paths::CLIENT_STATUS, None).await
    }

    async fn stop_hub(&self, hub: &NodeName) {
        self.stop(hub).await;
    }

    async fn start_hub(&self, hub: &NodeName) {
        self.spawn(hub).expect("it could be started before");
        self.wait_until_ready(hub)
            .await
            .expect("it became ready before");
    }
}

//! Nodes that are reached over HTTP, whatever carries it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use dske::http::etsi::{KeyContainer, Status};
use dske::http::{client_routes, hub_routes};
use dske::node::client::ClientStatus;
use dske::protocol::hub::HubStatus;
use dske::protocol::{KeyId, NodeName, SaeId};
use dske::topology::{NodeAddress, Role, Topology};

use crate::cluster::home_of;
use crate::{CallError, Cluster, EtsiClient, KeyRequest};

/// How long a caller waits beyond a client's own deadline for a call.
const MARGIN: Duration = Duration::from_secs(1);

/// How long a caller waits for the answer to one call.
#[must_use]
pub fn answer_within(topology: &Topology) -> Duration {
    Duration::from_millis(topology.timing.call_deadline_ms) + MARGIN
}

/// The path of the management route that tells the status of a node.
#[must_use]
pub fn status_path(role: Role) -> &'static str {
    match role {
        Role::Hub => hub_routes::STATUS_PATH,
        Role::Client => client_routes::STATUS_PATH,
    }
}

/// The path of the management route that stops a node.
#[must_use]
pub fn stop_path(role: Role) -> &'static str {
    match role {
        Role::Hub => hub_routes::STOP_PATH,
        Role::Client => client_routes::STOP_PATH,
    }
}

/// The nodes of a topology, over HTTP.
pub struct HttpNodes {
    topology: Rc<Topology>,
    http: awc::Client,
    addresses: BTreeMap<NodeName, String>,
}

impl HttpNodes {
    /// Nodes that listen at the addresses of their topology.
    #[must_use]
    pub fn new(topology: Rc<Topology>, http: awc::Client) -> Self {
        Self::at(topology, http, |node| node.address.clone())
    }

    /// Nodes that listen elsewhere.
    #[must_use]
    pub fn at(
        topology: Rc<Topology>,
        http: awc::Client,
        address: impl Fn(&NodeAddress) -> String,
    ) -> Self {
        let nodes = topology.nodes();
        let addresses = nodes.map(|(_, node)| (node.name.clone(), address(node)));
        Self {
            addresses: addresses.collect(),
            http,
            topology,
        }
    }

    /// Their topology.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A node. Where the topology has none of this name, every call fails.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> EtsiClient {
        EtsiClient::new(
            self.http.clone(),
            self.address(name),
            answer_within(&self.topology),
        )
    }

    /// Where a node listens: `host:port`.
    #[must_use]
    pub fn address(&self, name: &NodeName) -> &str {
        self.addresses.get(name).map_or("", String::as_str)
    }

    /// Asks a node to stop. Whether it has heard shows when it ends.
    pub async fn stop(&self, role: Role, name: &NodeName) {
        let url = format!("http://{}{}", self.address(name), stop_path(role));
        let _ = self.http.post(url).send().await;
    }

    /// The KME that serves an SAE.
    fn home(&self, sae: &SaeId) -> Result<EtsiClient, CallError> {
        home_of(&self.topology, sae).map(|home| self.node(home))
    }
}

/// A cluster whose nodes are reached over HTTP: only how hubs are stopped and started differs from kind to kind.
#[allow(
    async_fn_in_trait,
    reason = "nodes are actors: nothing here is ever sent to another thread"
)]
pub trait OverHttp {
    /// Its nodes.
    fn nodes(&self) -> &HttpNodes;

    /// See [`Cluster::stop_hub`].
    async fn stop_hub(&self, hub: &NodeName);

    /// See [`Cluster::start_hub`].
    async fn start_hub(&self, hub: &NodeName);
}

impl<C: OverHttp> Cluster for C {
    fn topology(&self) -> &Topology {
        self.nodes().topology()
    }

    async fn status(&self, caller: &SaeId, slave: &SaeId) -> Result<Status, CallError> {
        let kme = self.nodes().home(caller)?;
        kme.status(caller, slave).await
    }

    async fn get_key(
        &self,
        caller: &SaeId,
        slave: &SaeId,
        request: &KeyRequest,
    ) -> Result<KeyContainer, CallError> {
        let kme = self.nodes().home(caller)?;
        kme.get_key(caller, slave, request).await
    }

    async fn get_key_with_ids(
        &self,
        caller: &SaeId,
        master: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<KeyContainer, CallError> {
        let kme = self.nodes().home(caller)?;
        kme.get_key_with_ids(caller, master, key_ids).await
    }

    async fn hub_status(&self, hub: &NodeName) -> Result<HubStatus, CallError> {
        let hub = self.nodes().node(hub);
        hub.get(hub_routes::STATUS_PATH, None).await
    }

    async fn client_status(&self, client: &NodeName) -> Result<ClientStatus, CallError> {
        let client = self.nodes().node(client);
        client.get(client_routes::STATUS_PATH, None).await
    }

    async fn stop_hub(&self, hub: &NodeName) {
        OverHttp::stop_hub(self, hub).await;
    }

    async fn start_hub(&self, hub: &NodeName) {
        OverHttp::start_hub(self, hub).await;
    }
}

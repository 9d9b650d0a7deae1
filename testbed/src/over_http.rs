//! Nodes that are reached over HTTP, whatever carries it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use dske::http::etsi::{KeyContainer, Status};
use dske::http::management::{RUN_HEADER, TOKEN_HEADER};
use dske::http::paths;
use dske::node::client::ClientStatus;
use dske::protocol::hub::HubStatus;
use dske::protocol::{KeyId, NodeName, SaeId};
use dske::topology::{NodeAddress, Role, Topology};

use serde::de::DeserializeOwned;

use crate::cluster::home_of;
use crate::files::token;
use crate::identity::RunId;
use crate::{CallError, Cluster, EtsiClient, KeyRequest};

/// How long a caller waits beyond a client's own deadline for a call.
const MARGIN: Duration = Duration::from_secs(1);

/// Largest status that is read, in bytes. The status of a node with 255 peers takes a small part of it.
const STATUS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a caller waits for the answer to one call.
#[must_use]
pub fn answer_within(topology: &Topology) -> Duration {
    Duration::from_millis(topology.timing.call_deadline_ms) + MARGIN
}

/// The path of the management route that tells the status of a node.
#[must_use]
pub fn status_path(role: Role) -> &'static str {
    match role {
        Role::Hub => paths::HUB_STATUS,
        Role::Client => paths::CLIENT_STATUS,
    }
}

/// The path of the management route that stops a node.
#[must_use]
pub fn stop_path(role: Role) -> &'static str {
    match role {
        Role::Hub => paths::HUB_STOP,
        Role::Client => paths::CLIENT_STOP,
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

    /// The status of a node, and the process that says it, as far as nodes of that version tell. `None` if the node does
    /// not answer within this time.
    pub async fn status<T: DeserializeOwned>(
        &self,
        role: Role,
        name: &NodeName,
        within: Duration,
    ) -> Option<(T, Option<RunId>)> {
        let url = format!("http://{}{}", self.address(name), status_path(role));
        let mut answer = self.http.get(url).timeout(within).send().await.ok()?;
        let run = answer.headers().get(RUN_HEADER);
        let run = run.and_then(|run| run.to_str().ok()?.parse().ok());
        let status = answer.json().limit(STATUS_BYTES_MAX);
        let status = tokio::time::timeout(within, status).await.ok()?.ok()?;
        Some((status, run))
    }

    /// Asks a node to stop, with its token. Whether it has heard shows when it ends.
    pub async fn stop(&self, role: Role, name: &NodeName) {
        let url = format!("http://{}{}", self.address(name), stop_path(role));
        let mut request = self.http.post(url);
        if let Some(token) = token(&self.topology, role, name) {
            request = request.insert_header((TOKEN_HEADER, token));
        }
        let _ = request.send().await;
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
        hub.get(paths::HUB_STATUS, None).await
    }

    async fn client_status(&self, client: &NodeName) -> Result<ClientStatus, CallError> {
        let client = self.nodes().node(client);
        client.get(paths::CLIENT_STATUS, None).await
    }

    async fn stop_hub(&self, hub: &NodeName) {
        OverHttp::stop_hub(self, hub).await;
    }

    async fn start_hub(&self, hub: &NodeName) {
        OverHttp::start_hub(self, hub).await;
    }
}

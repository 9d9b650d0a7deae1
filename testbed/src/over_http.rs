//! Nodes that are reached over HTTP, whatever carries it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use dske::http::etsi::{KeyContainer, Status};
use dske::http::management::{RUN_HEADER, TOKEN_HEADER};
use dske::http::paths;
use dske::http::peer::Identity;
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

/// An HTTP client for each who calls nodes.
#[derive(Clone)]
pub struct HttpClients(Rc<ClientOf>);

/// The HTTP client of one who calls, or why there is none.
type ClientOf = dyn Fn(&Identity) -> Result<awc::Client, String>;

impl HttpClients {
    /// A client that proves who calls, or why there is none.
    #[must_use]
    pub fn new(of: impl Fn(&Identity) -> Result<awc::Client, String> + 'static) -> Self {
        Self(Rc::new(of))
    }

    /// The client of one who calls.
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(&self, caller: &Identity) -> Result<awc::Client, String> {
        (self.0)(caller)
    }
}

impl From<awc::Client> for HttpClients {
    /// One client for all, on plain HTTP, where nobody proves who they are.
    fn from(client: awc::Client) -> Self {
        Self::new(move |_| Ok(client.clone()))
    }
}

/// The nodes of a topology, over HTTP.
pub struct HttpNodes {
    topology: Rc<Topology>,
    http: HttpClients,
    /// The origin of each.
    addresses: BTreeMap<NodeName, String>,
}

impl HttpNodes {
    /// Nodes that listen at the addresses of their topology.
    #[must_use]
    pub fn new(topology: Rc<Topology>, http: impl Into<HttpClients>) -> Self {
        let origins = Rc::clone(&topology);
        Self::at(topology, http, |node| {
            origins.origin(&node.name).expect("it is in the topology")
        })
    }

    /// Nodes that listen elsewhere: at these origins.
    #[must_use]
    pub fn at(
        topology: Rc<Topology>,
        http: impl Into<HttpClients>,
        origin: impl Fn(&NodeAddress) -> String,
    ) -> Self {
        let nodes = topology.nodes();
        let addresses = nodes.map(|(_, node)| (node.name.clone(), origin(node)));
        Self {
            addresses: addresses.collect(),
            http: http.into(),
            topology,
        }
    }

    /// Their topology.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A node, called by an operator. Where the topology has none of this name, every call fails.
    ///
    /// # Errors
    /// If the caller cannot prove who it is.
    pub fn node(&self, name: &NodeName) -> Result<EtsiClient, CallError> {
        self.called_by(&Identity::Operator, name)
    }

    /// The KME of an SAE, called by that SAE.
    ///
    /// # Errors
    /// If no client serves the SAE, or if the SAE cannot prove who it is.
    pub fn kme(&self, sae: &SaeId) -> Result<EtsiClient, CallError> {
        let home = home_of(&self.topology, sae)?;
        self.called_by(&Identity::Sae(sae.clone()), home)
    }

    fn called_by(&self, caller: &Identity, name: &NodeName) -> Result<EtsiClient, CallError> {
        let http = self.http.of(caller).map_err(CallError::NotMade)?;
        let within = answer_within(&self.topology);
        Ok(EtsiClient::new(http, self.origin(name), within))
    }

    /// How a node is called, and where: `http://host:port`, or `https` under TLS.
    #[must_use]
    pub fn origin(&self, name: &NodeName) -> &str {
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
        let url = format!("{}{}", self.origin(name), status_path(role));
        let http = self.http.of(&Identity::Operator).ok()?;
        let mut answer = http.get(url).timeout(within).send().await.ok()?;
        let run = answer.headers().get(RUN_HEADER);
        let run = run.and_then(|run| run.to_str().ok()?.parse().ok());
        let status = answer.json().limit(STATUS_BYTES_MAX);
        let status = tokio::time::timeout(within, status).await.ok()?.ok()?;
        Some((status, run))
    }

    /// Asks a node to stop, with its token. Whether it has heard shows when it ends.
    pub async fn stop(&self, role: Role, name: &NodeName) {
        let url = format!("{}{}", self.origin(name), stop_path(role));
        let Ok(http) = self.http.of(&Identity::Operator) else {
            return;
        };
        let mut request = http.post(url);
        if let Some(token) = token(&self.topology, role, name) {
            request = request.insert_header((TOKEN_HEADER, token));
        }
        let _ = request.send().await;
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
        let kme = self.nodes().kme(caller)?;
        kme.status(caller, slave).await
    }

    async fn get_key(
        &self,
        caller: &SaeId,
        slave: &SaeId,
        request: &KeyRequest,
    ) -> Result<KeyContainer, CallError> {
        let kme = self.nodes().kme(caller)?;
        kme.get_key(caller, slave, request).await
    }

    async fn get_key_with_ids(
        &self,
        caller: &SaeId,
        master: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<KeyContainer, CallError> {
        let kme = self.nodes().kme(caller)?;
        kme.get_key_with_ids(caller, master, key_ids).await
    }

    async fn hub_status(&self, hub: &NodeName) -> Result<HubStatus, CallError> {
        let hub = self.nodes().node(hub)?;
        hub.get(paths::HUB_STATUS, None).await
    }

    async fn client_status(&self, client: &NodeName) -> Result<ClientStatus, CallError> {
        let client = self.nodes().node(client)?;
        client.get(paths::CLIENT_STATUS, None).await
    }

    async fn stop_hub(&self, hub: &NodeName) {
        OverHttp::stop_hub(self, hub).await;
    }

    async fn start_hub(&self, hub: &NodeName) {
        OverHttp::start_hub(self, hub).await;
    }
}

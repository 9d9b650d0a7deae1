//! A cluster of actors in this process. Messages go from actor to actor, and are authenticated like those on a network.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use actix::{Actor, Addr};
use dske::http::error::{kme_body, kme_status};
use dske::http::etsi::{KeyContainer, Status};
use dske::node::client::{
    ClientNode, ClientStatus, GetClientStatus, GetKey, GetKeyWithIds, GetStatus, HubPeer, KmeError,
};
use dske::node::hub::{GetHubStatus, HubNode};
use dske::node::transport::Transport;
use dske::protocol::hub::{Hub, HubStatus};
use dske::protocol::{KeyId, NodeName, SaeId};
use dske::topology::Topology;
use rand::CryptoRng;

use crate::cluster::home_of;
use crate::seed::node_rng;
use crate::{CallError, Cluster, KeyRequest};

mod switch;

pub use switch::Switch;

/// Makes the generator of a node. It is given the node's name, and how often the node was started before.
type Generators = dyn Fn(&NodeName, u32) -> Box<dyn CryptoRng>;

/// A cluster of actors in this process. Has to be made and used on a running actix system or a tokio `LocalSet`.
pub struct LocalCluster {
    topology: Topology,
    generators: Box<Generators>,
    hubs: BTreeMap<NodeName, LocalHub>,
    clients: BTreeMap<NodeName, Addr<ClientNode>>,
}

/// A hub, and how often it was started.
#[derive(Default)]
struct LocalHub {
    switch: Switch,
    lives: Cell<u32>,
}

impl LocalCluster {
    /// Starts all nodes, with generators drawn from `seed`.
    #[must_use]
    pub fn start(topology: Topology, seed: u64) -> Self {
        let generators = move |node: &NodeName, life| -> Box<dyn CryptoRng> {
            Box::new(node_rng(seed, node.as_str(), life))
        };
        Self::start_tapped(topology, generators, |_, _, hub| hub)
    }

    /// Starts all nodes. `generators` makes the generator of a node, given its name and how often it was started before.
    /// `tap` is given each client with each hub and the way between them, and returns the way that the client takes.
    #[must_use]
    pub fn start_tapped(
        topology: Topology,
        generators: impl Fn(&NodeName, u32) -> Box<dyn CryptoRng> + 'static,
        tap: impl Fn(&NodeName, &NodeName, Rc<dyn Transport>) -> Rc<dyn Transport>,
    ) -> Self {
        let names = topology.hubs.iter().map(|hub| hub.name.clone());
        let mut cluster = Self {
            hubs: names.map(|name| (name, LocalHub::default())).collect(),
            clients: BTreeMap::new(),
            generators: Box::new(generators),
            topology,
        };
        for hub in cluster.hubs.keys() {
            cluster.switch_on(hub);
        }
        for node in &cluster.topology.clients {
            let client = &node.name;
            let config = cluster.topology.client(client);
            let config = config.expect("it is in its own topology");
            let reach = |hub: &HubPeer| {
                let local = cluster.hubs.get(&hub.name);
                let switch = local.map(|hub| hub.switch.clone()).unwrap_or_default();
                tap(client, &hub.name, Rc::new(switch))
            };
            let rng = (cluster.generators)(client, 0);
            let started = ClientNode::start(config, rng, reach);
            cluster.clients.insert(client.clone(), started);
        }
        cluster
    }

    fn switch_on(&self, name: &NodeName) {
        let (Some(local), Some(config)) = (self.hubs.get(name), self.topology.hub(name)) else {
            return;
        };
        let life = local.lives.replace(local.lives.get() + 1);
        let rng = (self.generators)(name, life);
        let hub = HubNode::new(Hub::new(config, rng)).start();
        local.switch.on(hub.into());
    }

    fn client_of(&self, sae: &SaeId) -> Result<&Addr<ClientNode>, CallError> {
        let home = home_of(&self.topology, sae)?;
        self.client(home)
    }

    fn client(&self, name: &NodeName) -> Result<&Addr<ClientNode>, CallError> {
        let client = self.clients.get(name);
        client.ok_or_else(|| CallError::Unknown(format!("there is no client {name}")))
    }
}

fn answer<T>(result: Result<Result<T, KmeError>, actix::MailboxError>) -> Result<T, CallError> {
    match result {
        Ok(Ok(value)) => Ok(value),
        // The same words as over HTTP.
        Ok(Err(error)) => Err(CallError::Refused {
            status: kme_status(&error),
            message: kme_body(&error).to_string(),
        }),
        Err(error) => Err(unknown(error)),
    }
}

fn unknown(error: impl std::fmt::Display) -> CallError {
    CallError::Unknown(error.to_string())
}

impl Cluster for LocalCluster {
    fn topology(&self) -> &Topology {
        &self.topology
    }

    async fn status(&self, caller: &SaeId, slave: &SaeId) -> Result<Status, CallError> {
        let message = GetStatus {
            caller: caller.clone(),
            slave_sae: slave.clone(),
        };
        answer(self.client_of(caller)?.send(message).await).map(Status::from)
    }

    async fn get_key(
        &self,
        caller: &SaeId,
        slave: &SaeId,
        request: &KeyRequest,
    ) -> Result<KeyContainer, CallError> {
        let slave_saes = std::iter::once(slave).chain(&request.also).cloned();
        let message = GetKey {
            caller: caller.clone(),
            slave_saes: slave_saes.collect(),
            number: request.number,
            size_bits: request.size_bits,
        };
        answer(self.client_of(caller)?.send(message).await).map(KeyContainer::from)
    }

    async fn get_key_with_ids(
        &self,
        caller: &SaeId,
        master: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<KeyContainer, CallError> {
        let message = GetKeyWithIds {
            caller: caller.clone(),
            master_sae: master.clone(),
            key_ids: key_ids.to_vec(),
        };
        answer(self.client_of(caller)?.send(message).await).map(KeyContainer::from)
    }

    async fn hub_status(&self, hub: &NodeName) -> Result<HubStatus, CallError> {
        let handle = self.hubs.get(hub).and_then(|hub| hub.switch.hub());
        let handle = handle.ok_or_else(|| unknown("the hub is stopped"))?;
        handle.status.send(GetHubStatus).await.map_err(unknown)
    }

    async fn client_status(&self, client: &NodeName) -> Result<ClientStatus, CallError> {
        self.client(client)?
            .send(GetClientStatus)
            .await
            .map_err(unknown)
    }

    async fn stop_hub(&self, hub: &NodeName) {
        if let Some(hub) = self.hubs.get(hub) {
            hub.switch.off();
        }
    }

    async fn start_hub(&self, hub: &NodeName) {
        self.switch_on(hub);
    }
}

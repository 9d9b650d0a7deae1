//! Hubs and clients as simulated hosts.

use std::cell::Cell;
use std::rc::Rc;

use actix::Actor;
use dske::http::management::Management;
use dske::http::transport::HttpTransport;
use dske::http::{client_routes, hub_routes};
use dske::node::client::{ClientNode, HubPeer};
use dske::node::hub::{HubHandle, HubNode};
use dske::node::transport::Transport;
use dske::protocol::NodeName;
use dske::protocol::hub::{Hub, HubConfig};
use dske::topology::Topology;
use rand::CryptoRng;

use crate::seed::node_rng;

use super::net::{PORT, http_client, serve};

/// Where the chaos harness gets between the nodes. By default, nothing does.
pub trait Hooks {
    /// Starts a hub. `life` counts its starts, from 0.
    fn start_hub(&self, config: HubConfig, rng: Box<dyn CryptoRng>, life: u32) -> HubHandle {
        let _ = life;
        HubHandle::from(HubNode::new(Hub::new(config, rng)).start())
    }

    /// How a client reaches a hub: `inner`, or something around it.
    fn transport(
        &self,
        client: &NodeName,
        hub: &NodeName,
        inner: Rc<dyn Transport>,
    ) -> Rc<dyn Transport> {
        let _ = (client, hub);
        inner
    }

    /// Is told that a client starts. `life` counts its starts, from 0.
    fn client_starts(&self, client: &NodeName, life: u32) {
        let _ = (client, life);
    }
}

/// Nothing between the nodes.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Hooks for Plain {}

/// Adds a host for each hub and client of a topology, under its name.
pub fn add_nodes(
    sim: &mut turmoil::Sim<'_>,
    topology: &Rc<Topology>,
    seed: u64,
    hooks: &Rc<dyn Hooks>,
) {
    for hub in &topology.hubs {
        let config = topology
            .hub(&hub.name)
            .expect("the hub is in its own topology");
        let hooks = Rc::clone(hooks);
        let lives = Cell::new(0);
        sim.host(hub.name.as_str(), move || {
            let life = lives.replace(lives.get() + 1);
            let (hooks, config) = (Rc::clone(&hooks), config.clone());
            async move {
                let name = config.name.clone();
                let rng = Box::new(node_rng(seed, config.name.as_str(), life));
                let handle = hooks.start_hub(config, rng, life);
                let nobody = Management::none();
                serve(name.as_str(), move |app| {
                    hub_routes::configure(app, &handle, &nobody)
                })
                .await?;
                Ok(())
            }
        });
    }
    for client in &topology.clients {
        let (topology, hooks) = (Rc::clone(topology), Rc::clone(hooks));
        let name = client.name.clone();
        let lives = Cell::new(0);
        sim.host(client.name.as_str(), move || {
            let life = lives.replace(lives.get() + 1);
            run_client(
                Rc::clone(&topology),
                Rc::clone(&hooks),
                name.clone(),
                seed,
                life,
            )
        });
    }
}

async fn run_client(
    topology: Rc<Topology>,
    hooks: Rc<dyn Hooks>,
    name: NodeName,
    seed: u64,
    life: u32,
) -> turmoil::Result {
    let config = topology
        .client(&name)
        .expect("the client is in its own topology");
    hooks.client_starts(&name, life);
    let timeout = config.timing.request_timeout;
    let reach = |hub: &HubPeer| {
        let address = format!("{}:{PORT}", hub.name);
        let inner = Rc::new(HttpTransport::new(http_client(timeout), &address));
        hooks.transport(&name, &hub.name, inner)
    };
    let rng = Box::new(node_rng(seed, name.as_str(), life));
    let node = ClientNode::start(config, rng, reach);
    let nobody = Management::none();
    serve(name.as_str(), move |app| {
        client_routes::configure(app, &node, &nobody);
    })
    .await?;
    Ok(())
}

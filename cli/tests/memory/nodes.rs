//! Nodes as users run them, over HTTP on real sockets, but all in this process: so that one allocator serves them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use actix::Actor;
use actix_rt::net::{TcpListener, TcpStream};
use actix_service::{Service, ServiceFactory};
use actix_web::web::ServiceConfig;
use dske::http::connections::CONNECTIONS_MAX;
use dske::http::management::Management;
use dske::http::server::{Security, Serving, service};
use dske::http::transport::HttpTransport;
use dske::http::{client_routes, hub_routes};
use dske::node::client::{ClientNode, HubPeer};
use dske::node::hub::{HubHandle, HubNode};
use dske::node::transport::Transport;
use dske::protocol::NodeName;
use dske::protocol::hub::Hub;
use dske::topology::Topology;
use dske_testbed::over_http::{HttpNodes, OverHttp};
use tokio::task::{JoinHandle, JoinSet};

use super::drawn::{Wanted, of_client, of_hub};
use super::liar::Liar;

/// All nodes of a topology, at their addresses.
pub(super) struct Nodes {
    http: HttpNodes,
    /// What the next calls ask for.
    pub(super) wanted: Arc<Mutex<Wanted>>,
    /// Whether the last hub hands out wrong shares.
    pub(super) is_last_lying: Rc<Cell<bool>>,
    running: RefCell<BTreeMap<NodeName, JoinHandle<()>>>,
}

impl Nodes {
    pub(super) async fn start(topology: &Topology) -> Self {
        let nodes = Self {
            http: HttpNodes::new(Rc::new(topology.clone()), awc::Client::default()),
            wanted: Arc::default(),
            is_last_lying: Rc::default(),
            running: RefCell::default(),
        };
        for (hub, seed) in topology.hubs.iter().zip(1..) {
            let config = topology.hub(&hub.name).unwrap();
            let state = Hub::new(config, Box::new(of_hub(seed)));
            let node = match topology.hubs.last() == Some(hub) {
                true => HubHandle::from(
                    Liar {
                        hub: state,
                        is_lying: Rc::clone(&nodes.is_last_lying),
                    }
                    .start(),
                ),
                false => HubHandle::from(HubNode::new(state).start()),
            };
            let routes = move |app: &mut ServiceConfig| {
                hub_routes::configure(app, &node, &Management::none());
            };
            nodes.serve(&hub.name, routes).await;
        }
        for (client, seed) in topology.clients.iter().zip(100..) {
            let config = topology.client(&client.name).unwrap();
            let http = awc::Client::builder()
                .timeout(config.timing.request_timeout)
                .finish();
            let reach = |hub: &HubPeer| -> Rc<dyn Transport> {
                let address = topology.address(&hub.name).unwrap();
                Rc::new(HttpTransport::new(http.clone(), address))
            };
            let wanted = Arc::clone(&nodes.wanted);
            let rng = of_client(seed, config.sharing, wanted);
            let node = ClientNode::start(config, Box::new(rng), reach);
            let routes = move |app: &mut ServiceConfig| {
                client_routes::configure(app, &node, &Management::none());
            };
            nodes.serve(&client.name, routes).await;
        }
        nodes
    }

    async fn serve(&self, name: &NodeName, routes: impl FnOnce(&mut ServiceConfig) + 'static) {
        let topology = self.http.topology();
        let listener = TcpListener::bind(topology.address(name).unwrap())
            .await
            .unwrap();
        let serving = Serving {
            names: topology.names_of(name),
            connections_max: CONNECTIONS_MAX,
            security: Security::Plain,
        };
        let handler = service::<TcpStream, _, _>(serving, routes, pending);
        let handler = Rc::new(handler.new_service(()).await.unwrap());
        let accept = async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, peer): (_, SocketAddr) = listener.accept().await.unwrap();
                let handler = Rc::clone(&handler);
                connections.spawn_local(async move {
                    let _ = handler.call((stream, peer)).await;
                });
            }
        };
        let running = tokio::task::spawn_local(accept);
        self.running.borrow_mut().insert(name.clone(), running);
    }

    /// Stops a node at once, with all its connections.
    pub(super) fn stop(&self, name: &NodeName) {
        self.running.borrow()[name].abort();
    }

    /// Stops all of them, and waits until they are gone.
    pub(super) async fn stop_all(self) {
        let Self { http, running, .. } = self;
        drop(http);
        for (_, node) in running.take() {
            node.abort();
            let _ = node.await;
        }
        // Actors and links end once nobody can reach them.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}

impl OverHttp for Nodes {
    fn nodes(&self) -> &HttpNodes {
        &self.http
    }

    async fn stop_hub(&self, hub: &NodeName) {
        self.stop(hub);
    }

    async fn start_hub(&self, _: &NodeName) {
        unimplemented!("no test starts a node again")
    }
}

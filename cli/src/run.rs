//! Runs one node in the foreground.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use actix_rt::net::TcpStream;
use actix_server::Server;
use actix_service::{ServiceFactoryExt, fn_service};
use actix_web::web::ServiceConfig;

use dske::crypto::generator::os_rng;
use dske::http::connections::CONNECTIONS_MAX;
use dske::http::management::{Management, Token};
use dske::http::peer::Identity;
use dske::http::server::{DispatchError, Security, Serving, service};
use dske::http::tls::Credentials;
use dske::http::transport::HttpTransport;
use dske::http::{client_routes, hub_routes};
use dske::node::client::{ClientNode, HubPeer};
use dske::node::hub::{HubHandle, HubNode};
use dske::node::transport::Transport;
use dske::protocol::NodeName;
use dske::protocol::hub::Hub;
use dske_testbed::identity::RunId;

use super::CliError;
use super::descriptors;
use super::nodes::{Node, Site};
use super::run_file::{RunFile, RunFileError, TokenFile};
use super::tls;

/// How long a node that is stopped waits for the requests that it is serving, in seconds.
const SHUTDOWN_S: u64 = 2;

/// Most connections that wait to be accepted: as many as Linux grants by default.
const BACKLOG: i32 = 4096;

/// Most connections of a client, to all hubs together. awc counts every request that has no answer yet: with its default
/// of 100, one hub that hangs would keep the others waiting.
const OWN_CONNECTIONS_MAX: usize = 4096;

pub(super) fn hub(site: &Site, node: Node) -> Result<(), CliError> {
    let config = site.topology.hub(&node.name).expect(IN_TOPOLOGY);
    serve(site, &node, move |app, operators, _| {
        let hub = HubNode::new(Hub::new(config.clone(), os_rng())).start();
        hub_routes::configure(app, &HubHandle::from(hub), operators);
    })
}

pub(super) fn client(site: &Site, node: Node) -> Result<(), CliError> {
    let topology = &site.topology;
    let config = topology.client(&node.name).expect(IN_TOPOLOGY);
    let origins = topology.hubs.iter().map(|hub| {
        let origin = topology.origin(&hub.name).expect(IN_TOPOLOGY);
        (hub.name.clone(), origin)
    });
    let origins: BTreeMap<NodeName, String> = origins.collect();
    serve(site, &node, move |app, operators, credentials| {
        let timeout = config.timing.request_timeout;
        let plain = http_client(timeout);
        let reach = |hub: &HubPeer| -> Rc<dyn Transport> {
            let origin = origins.get(&hub.name).expect(IN_TOPOLOGY);
            let http = match credentials {
                None => plain.clone(),
                Some(credentials) => tls_client(timeout, credentials, hub),
            };
            Rc::new(HttpTransport::new(http, origin))
        };
        let client = ClientNode::start(config.clone(), os_rng(), reach);
        client_routes::configure(app, &client, operators);
    })
}

const IN_TOPOLOGY: &str = "the node was found in the same topology";

/// What a node has on disk for as long as it runs.
struct Hold {
    run: RunId,
    token: Token,
    // Dropped in this order: whoever finds the node stopped finds no token.
    _token_file: TokenFile,
    _run_file: RunFile,
}

impl Hold {
    fn take(site: &Site, node: &Node) -> Result<Self, CliError> {
        let run = RunId {
            process: std::process::id(),
            cluster: site.id,
        };
        let unwritable = |path: &Path, reason| CliError::File {
            path: path.to_owned(),
            what: "the run state cannot be written; set log_dir in the topology to a folder that can",
            reason,
        };
        let run_file = RunFile::take(&node.run_file, &run, &site.file);
        let run_file = run_file.map_err(|error| match error {
            RunFileError::Taken(by) => CliError::AlreadyRuns {
                node: node.to_string(),
                file: node.run_file.clone(),
                by,
            },
            RunFileError::Io(reason) => unwritable(&node.run_file, reason),
        })?;
        let token = Token::draw(&mut os_rng());
        let token_file = TokenFile::write(node.token_file.clone(), token.text());
        let token_file = token_file.map_err(|reason| unwritable(&node.token_file, reason))?;
        Ok(Self {
            run,
            token,
            _token_file: token_file,
            _run_file: run_file,
        })
    }
}

fn http_client(request_timeout: Duration) -> awc::Client {
    awc::Client::builder()
        .timeout(request_timeout)
        .connector(
            awc::Connector::new()
                .timeout(request_timeout)
                .limit(OWN_CONNECTIONS_MAX),
        )
        .finish()
}

/// To one hub, which has to prove that it is that hub.
fn tls_client(
    request_timeout: Duration,
    credentials: &Arc<Credentials>,
    hub: &HubPeer,
) -> awc::Client {
    let expected = Identity::Hub(hub.name.clone());
    awc::Client::builder()
        .timeout(request_timeout)
        .connector(
            awc::Connector::new()
                .rustls_0_23(credentials.client_config(Some(&expected)))
                .timeout(request_timeout)
                .limit(OWN_CONNECTIONS_MAX),
        )
        .finish()
}

/// Takes the port before anything else is started, so that no node is left half started because its port is in use.
fn listen(address: &str) -> Result<TcpListener, CliError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        // The standard library lets 128 connections wait, which a burst of callers exceeds.
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(listener)
    });
    listener.map_err(|reason| CliError::Listen {
        address: address.to_owned(),
        reason,
    })
}

/// Serves until told to stop. `start` starts the node and adds its routes. It is called on the thread that will serve
/// them, so that a message between the node and its routes wakes no other thread.
fn serve(
    site: &Site,
    node: &Node,
    start: impl Fn(&mut ServiceConfig, &Management, Option<&Arc<Credentials>>) + Send + Clone + 'static,
) -> Result<(), CliError> {
    let (topology, identity) = (&site.topology, node.identity());
    let credentials = tls::credentials(topology, identity, Some(&node.address))?;
    let hold = Hold::take(site, node)?;
    let listener = listen(&node.address)?;
    let name = &node.name;
    let serving = Serving {
        names: site.topology.names_of(name),
        connections_max: CONNECTIONS_MAX.min(descriptors::for_connections()),
        security: credentials.clone().map_or(Security::Plain, Security::Tls),
    };
    let start = move |app: &mut ServiceConfig, operators: &Management| {
        start(app, operators, credentials.as_ref());
    };
    actix_rt::System::new().block_on(serve_in_system(name, &hold, listener, serving, start))
}

async fn serve_in_system(
    name: &NodeName,
    hold: &Hold,
    listener: TcpListener,
    serving: Serving,
    start: impl Fn(&mut ServiceConfig, &Management) + Send + Clone + 'static,
) -> Result<(), CliError> {
    let address = listener.local_addr().map_err(CliError::Server)?;
    let stop = Arc::new(tokio::sync::Notify::new());
    let operators = Management {
        run: hold.run.to_string(),
        token: Some(hold.token.clone()),
        on_stop: {
            let stop = Arc::clone(&stop);
            Arc::new(move || stop.notify_one())
        },
    };
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    if let Security::Tls(credentials) = &serving.security {
        actix_rt::spawn(tls::keep(Arc::clone(credentials)));
    }
    let accepted_max = descriptors::for_accepted(serving.connections_max);
    let server = builder
        // The node is one actor: there is one of it, and one thread.
        .workers(1)
        .shutdown_timeout(SHUTDOWN_S)
        // Beyond its maximum a node ends a connection for each new one. It goes on accepting while they end.
        .max_concurrent_connections(accepted_max)
        .listen(name.as_str(), listener, move || {
            let stopping = stopping.clone();
            let stopping = move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            };
            let (start, operators) = (start.clone(), operators.clone());
            let routes = move |app: &mut ServiceConfig| start(app, &operators);
            fn_service(accepted).and_then(service(serving.clone(), routes, stopping))
        })
        .map_err(CliError::Server)?
        .run();
    tracing::info!("{name} is listening on {address}");
    let handle = server.handle();
    actix_rt::spawn(async move {
        stop.notified().await;
        handle.stop(true).await;
    });
    server.await.map_err(CliError::Server)?;
    tracing::info!("{name} has stopped");
    Ok(())
}

/// A connection, with the address of its peer.
async fn accepted(stream: TcpStream) -> Result<(TcpStream, SocketAddr), DispatchError> {
    let peer = stream.peer_addr().map_err(DispatchError::Io)?;
    // An answer is not held back until the one before has been acknowledged.
    stream.set_nodelay(true).map_err(DispatchError::Io)?;
    Ok((stream, peer))
}

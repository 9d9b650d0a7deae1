//! Starts nodes in the background: one process for each node, hubs first.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use dske::topology::Topology;
use dske_testbed::over_http::HttpNodes;
use dske_testbed::println;
use dske_testbed::process::{
    Lifetime, NodeCommand, NodeProcess, NotReady, SpawnError, ready_within, wait_until_ready,
};

use super::CliError;
use super::condition::Condition;
use super::error::held;
use super::mgmt::Mgmt;
use super::nodes::{Node, Selection, Site, names};
use super::print::{BAD, FAINT, GOOD, spinner};
use super::run_file::RunState;
use super::tls;
use super::turn::take_turn;

/// How long to wait for a node that was just stopped to let go of its port, and for one that runs to answer.
const SETTLED_WITHIN: Duration = Duration::from_secs(3);

/// Between two looks at a node.
const POLL: Duration = Duration::from_millis(50);

pub(super) fn start(site: &Site, selection: &Selection<'_>) -> Result<(), CliError> {
    let nodes = selection.of(&site.topology)?;
    let _turn = take_turn(site)?;
    actix_rt::System::new().block_on(async {
        let mgmt = Mgmt::new(&site.topology)?;
        let nodes = stopped(nodes, site, &mgmt).await?;
        let nodes = startable(nodes, site, &mgmt, selection).await?;
        if nodes.is_empty() {
            return Ok(());
        }
        let program = std::env::current_exe().map_err(CliError::OwnProgram)?;
        let mut started = Vec::with_capacity(nodes.len());
        for node in &nodes {
            println!("Starting {node}");
            started.push(spawn(&program, &site.file, node)?);
        }
        wait(&site.topology, &nodes, started).await
    })
}

/// The nodes that are not running. The others are reported.
async fn stopped(nodes: Vec<Node>, site: &Site, mgmt: &Mgmt) -> Result<Vec<Node>, CliError> {
    let mut stopped = Vec::with_capacity(nodes.len());
    let mut in_the_way = Vec::new();
    for node in nodes {
        match settled(&node, site, mgmt).await? {
            Settled::Stopped => stopped.push(node),
            Settled::Works { pid } => {
                println!("Already running: {node} {FAINT}(process {pid}){FAINT:#}");
            }
            Settled::InTheWay(what) => in_the_way.push(what),
        }
    }
    match in_the_way.is_empty() {
        true => Ok(stopped),
        false => Err(CliError::NothingStarted(in_the_way)),
    }
}

/// What a node is, once that is clear.
enum Settled {
    Stopped,
    Works {
        pid: i32,
    },
    /// What prevents its start.
    InTheWay(String),
}

/// A process that was killed holds its run file a moment longer, and one that was started answers a moment later.
async fn settled(node: &Node, site: &Site, mgmt: &Mgmt) -> Result<Settled, CliError> {
    let deadline = Instant::now() + SETTLED_WITHIN;
    loop {
        match node.state(site)? {
            RunState::Stopped | RunState::Crashed => return Ok(Settled::Stopped),
            RunState::Foreign(by) => {
                let why = held(&node.run_file, &by);
                return Ok(Settled::InTheWay(format!("{node} cannot run: {why}")));
            }
            RunState::Runs { pid } => match Condition::of(node, site, mgmt).await? {
                Condition::Works(_) => return Ok(Settled::Works { pid }),
                condition if Instant::now() >= deadline => {
                    let (role, name) = (node.role.as_str(), &node.name);
                    return Ok(Settled::InTheWay(format!(
                        "{node} runs (process {pid}), but: {condition}; end it with `dske stop --{role} {name}`"
                    )));
                }
                _ => sleep(POLL).await,
            },
        }
    }
}

/// Leaves out the nodes whose address is on another machine, unless they were asked for by name, and waits until the ports
/// of the others are free. So nothing is started if not everything can be.
async fn startable(
    nodes: Vec<Node>,
    site: &Site,
    mgmt: &Mgmt,
    selection: &Selection<'_>,
) -> Result<Vec<Node>, CliError> {
    let deadline = Instant::now() + SETTLED_WITHIN;
    let spinner = spinner(String::new());
    let mut in_use = Vec::new();
    let mut local = Vec::with_capacity(nodes.len());
    for node in nodes {
        let waiting =
            || spinner.set_message(format!("waiting for port {} to be free", node.port()));
        match look_at_port(&node, deadline, waiting).await? {
            Port::Free => local.push(node),
            Port::InUse => {
                let by = match Condition::of(&node, site, mgmt).await? {
                    Condition::Another => "a node of another cluster",
                    Condition::Works(_) => "a node of this cluster whose run file is elsewhere",
                    _ => "another program",
                };
                in_use.push(format!(
                    "port {} of {} {} is used by {by}; stop it, or choose another base_port or address in the topology",
                    node.port(),
                    node.role.as_str(),
                    node.name
                ));
            }
            Port::Elsewhere if selection.is_everything() => {
                println!("Elsewhere: {node} belongs at {}", node.address);
            }
            Port::Elsewhere => {
                return Err(CliError::Elsewhere {
                    node: node.to_string(),
                    address: node.address,
                });
            }
        }
    }
    spinner.finish_and_clear();
    match in_use.is_empty() {
        true => Ok(local),
        false => Err(CliError::NothingStarted(in_use)),
    }
}

/// What is found at the address of a node before it is started.
enum Port {
    Free,
    InUse,
    /// The address is not one of this machine.
    Elsewhere,
}

async fn look_at_port(
    node: &Node,
    deadline: Instant,
    waiting: impl Fn(),
) -> Result<Port, CliError> {
    loop {
        let Err(reason) = TcpListener::bind(&node.address) else {
            return Ok(Port::Free);
        };
        match reason.kind() {
            io::ErrorKind::AddrNotAvailable => return Ok(Port::Elsewhere),
            io::ErrorKind::AddrInUse if Instant::now() < deadline => {
                waiting();
                sleep(POLL).await;
            }
            io::ErrorKind::AddrInUse => return Ok(Port::InUse),
            _ => {
                return Err(CliError::Listen {
                    address: node.address.clone(),
                    reason,
                });
            }
        }
    }
}

fn spawn(program: &Path, file: &Path, node: &Node) -> Result<NodeProcess, CliError> {
    let log = node.log.clone();
    let spawned = NodeProcess::spawn(&NodeCommand {
        program,
        topology: file,
        role: node.role,
        name: &node.name,
        log: &log,
        lifetime: Lifetime::Background,
    });
    spawned.map_err(|error| match error {
        SpawnError::Log(reason) => CliError::File {
            path: log,
            what: "the log cannot be written; set log_dir in the topology to a folder that can",
            reason,
        },
        SpawnError::Process(reason) => CliError::Spawn {
            node: node.to_string(),
            reason,
        },
    })
}

async fn wait(
    topology: &Topology,
    nodes: &[Node],
    started: Vec<NodeProcess>,
) -> Result<(), CliError> {
    let spinner = spinner(String::new());
    let running = HttpNodes::new(
        Rc::new(topology.clone()),
        tls::clients(topology, started.len()),
    );
    let within = ready_within(started.len());
    let result = wait_until_ready(started, &running, within, |waiting| {
        let waiting = waiting.iter().map(NodeProcess::name);
        spinner.set_message(format!("waiting for {}", names(waiting)));
    });
    let result = result.await;
    spinner.finish_and_clear();
    let failed = match result {
        Ok(ready) => {
            let total = ready.len();
            let nodes = if total == 1 { "node is" } else { "nodes are" };
            println!("{GOOD}{total} {nodes} ready{GOOD:#}");
            return Ok(());
        }
        Err(failed) => failed,
    };
    for NotReady {
        name,
        why,
        log,
        end_of_log,
    } in &failed
    {
        let node = nodes.iter().find(|node| node.name == *name);
        let node = node.map_or_else(|| name.to_string(), ToString::to_string);
        println!(
            "{BAD}Not ready{BAD:#}: {node}: {why}; the end of {}:",
            log.display()
        );
        for line in end_of_log {
            println!("    {line}");
        }
    }
    Err(CliError::NotReady(names(
        failed.iter().map(|failed| &failed.name),
    )))
}

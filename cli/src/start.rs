//! Starts nodes in the background: one process for each node, hubs first.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anstream::println;
use tokio::time::Instant;

use dske::topology::Topology;
use dske_testbed::over_http::HttpNodes;
use dske_testbed::process::{
    Lifetime, NodeCommand, NodeProcess, NotReady, READY_WITHIN, SpawnError, wait_until_ready,
};

use super::CliError;
use super::nodes::{Node, Selection, names};
use super::print::{BAD, FAINT, GOOD, spinner};
use super::run_file::RunState;

/// How long to wait for a port: a node that was just stopped may still hold it.
const PORT_FREE_WITHIN: Duration = Duration::from_secs(3);

/// Between two looks at a port.
const POLL: Duration = Duration::from_millis(50);

pub(super) fn start(
    file: &Path,
    topology: &Topology,
    selection: &Selection<'_>,
) -> Result<(), CliError> {
    let mut nodes = selection.of(topology)?;
    retain_stopped(&mut nodes)?;
    retain_local(&mut nodes, selection)?;
    if nodes.is_empty() {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(CliError::OwnProgram)?;
    let mut started = Vec::with_capacity(nodes.len());
    for node in &nodes {
        println!("Starting {node}");
        started.push(spawn(&program, file, node)?);
    }
    actix_rt::System::new().block_on(wait(topology, &nodes, started))
}

/// Leaves out the nodes that are already running, and reports them.
fn retain_stopped(nodes: &mut Vec<Node>) -> Result<(), CliError> {
    let mut stopped = Vec::with_capacity(nodes.len());
    for node in nodes.drain(..) {
        match node.state()? {
            RunState::Runs { pid } => {
                let pid = pid.map(|pid| format!(" {FAINT}(process {pid}){FAINT:#}"));
                println!("Already running: {node}{}", pid.unwrap_or_default());
            }
            RunState::Crashed | RunState::Stopped => stopped.push(node),
        }
    }
    *nodes = stopped;
    Ok(())
}

/// Leaves out the nodes whose address is on another machine, unless they were asked for by name, and waits until the ports
/// of the others are free. So nothing is started if not everything can be.
fn retain_local(nodes: &mut Vec<Node>, selection: &Selection<'_>) -> Result<(), CliError> {
    let deadline = Instant::now() + PORT_FREE_WITHIN;
    let spinner = spinner(String::new());
    let mut in_use = Vec::new();
    let mut local = Vec::with_capacity(nodes.len());
    for node in nodes.drain(..) {
        let waiting =
            || spinner.set_message(format!("waiting for port {} to be free", node.port()));
        match look_at_port(&node, deadline, waiting)? {
            Port::Free => local.push(node),
            Port::InUse => in_use.push(format!(
                "port {} of {} {} is used by another program",
                node.port(),
                node.role.as_str(),
                node.name
            )),
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
    *nodes = local;
    match in_use.is_empty() {
        true => Ok(()),
        false => Err(CliError::PortsInUse(in_use)),
    }
}

/// What is found at the address of a node before it is started.
enum Port {
    Free,
    InUse,
    /// The address is not one of this machine.
    Elsewhere,
}

fn look_at_port(node: &Node, deadline: Instant, waiting: impl Fn()) -> Result<Port, CliError> {
    loop {
        let Err(reason) = TcpListener::bind(&node.address) else {
            return Ok(Port::Free);
        };
        match reason.kind() {
            io::ErrorKind::AddrNotAvailable => return Ok(Port::Elsewhere),
            io::ErrorKind::AddrInUse if Instant::now() < deadline => {
                waiting();
                thread::sleep(POLL);
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
    let log = node.log();
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
    let running = HttpNodes::new(Rc::new(topology.clone()), awc::Client::default());
    let result = wait_until_ready(started, &running, READY_WITHIN, |waiting| {
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

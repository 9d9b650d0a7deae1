//! Starts nodes in the background: one process each, hubs first.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anstream::println;
use tokio::time::{Instant, sleep};

use dske::node::client::ClientStatus;
use dske::protocol::NodeName;
use dske::topology::{Role, Topology};

use super::CliError;
use super::mgmt::{Found, Mgmt};
use super::nodes::{Node, Selection, all, names};
use super::print::{BAD, FAINT, GOOD, spinner};
use super::run_file::{RunState, look};

/// A node that was just stopped may still be letting go of its port.
const PORT_FREE_WITHIN: Duration = Duration::from_secs(3);

/// How long a node may take to become ready. Ten of them on a slow machine share its cores.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Between two looks.
const POLL: Duration = Duration::from_millis(50);

/// Lines of a log that are shown when a node does not become ready.
const LOG_LINES: usize = 5;

/// Bytes of a log that are read for that.
const LOG_BYTES_MAX: u64 = 16 * 1024;

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
    let started = nodes
        .into_iter()
        .map(|node| {
            println!("Starting {node}");
            Started::spawn(node, file)
        })
        .collect::<Result<Vec<_>, _>>()?;
    actix_rt::System::new().block_on(wait_until_ready(topology, started))
}

/// Leaves out the nodes that run already, and says so.
fn retain_stopped(nodes: &mut Vec<Node>) -> Result<(), CliError> {
    let mut stopped = Vec::with_capacity(nodes.len());
    for node in nodes.drain(..) {
        match state_of(&node)? {
            RunState::Runs { pid } => {
                let pid = pid.map(|pid| format!(" {FAINT}(process {pid}){FAINT:#}"));
                println!("Already runs: {node}{}", pid.unwrap_or_default());
            }
            RunState::Crashed | RunState::Stopped => stopped.push(node),
        }
    }
    *nodes = stopped;
    Ok(())
}

pub(super) fn state_of(node: &Node) -> Result<RunState, CliError> {
    look(&node.run_file()).map_err(|reason| CliError::File {
        path: node.run_file(),
        what: "the run state cannot be read",
        reason,
    })
}

/// Leaves out the nodes that live on other machines, unless they were asked for by name, and waits until the ports of
/// the others are free: nothing is started that could not work.
fn retain_local(nodes: &mut Vec<Node>, selection: &Selection<'_>) -> Result<(), CliError> {
    let deadline = Instant::now() + PORT_FREE_WITHIN;
    let spinner = spinner(String::new());
    let mut in_use = Vec::new();
    let mut local = Vec::with_capacity(nodes.len());
    for node in nodes.drain(..) {
        loop {
            match TcpListener::bind(&node.address) {
                Ok(_) => {
                    local.push(node);
                    break;
                }
                Err(reason) if reason.kind() == io::ErrorKind::AddrNotAvailable => {
                    if !selection.is_everything() {
                        return Err(CliError::Elsewhere {
                            node: node.to_string(),
                            address: node.address,
                        });
                    }
                    println!("Elsewhere: {node} lives at {}", node.address);
                    break;
                }
                Err(reason) if reason.kind() != io::ErrorKind::AddrInUse => {
                    return Err(CliError::Listen {
                        address: node.address,
                        reason,
                    });
                }
                Err(_) if Instant::now() < deadline => {
                    spinner.set_message(format!("waiting for port {} to be free", node.port()));
                    thread::sleep(POLL);
                }
                Err(_) => {
                    in_use.push(format!(
                        "port {} of {} {} is used by another program",
                        node.port(),
                        node.role.as_str(),
                        node.name
                    ));
                    break;
                }
            }
        }
    }
    spinner.finish_and_clear();
    *nodes = local;
    if in_use.is_empty() {
        Ok(())
    } else {
        Err(CliError::PortsInUse(in_use))
    }
}

/// A node whose process was started.
struct Started {
    node: Node,
    child: Child,
    /// Where its log ended before.
    log_from: u64,
}

impl Started {
    fn spawn(node: Node, topology: &Path) -> Result<Self, CliError> {
        let path = node.log();
        let failed = |reason| CliError::File {
            path: path.clone(),
            what: "the log cannot be written; set log_dir in the topology to a folder that can",
            reason,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let log = File::options().create(true).append(true).open(&path);
        let log = log.map_err(failed)?;
        let log_from = log.metadata().map_err(failed)?.len();
        let error_log = log.try_clone().map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .arg("--topology")
            .arg(topology)
            .args([node.role.as_str(), node.name.as_str()])
            .envs(dske_testbed::process::node_environment())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(error_log);
        // In a process group of its own, so that Ctrl-C in the terminal does not reach it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        match command.spawn() {
            Ok(child) => Ok(Self {
                node,
                child,
                log_from,
            }),
            Err(reason) => Err(CliError::Spawn {
                node: node.to_string(),
                reason,
            }),
        }
    }

    fn end_of_log(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.node.log())?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(
                self.log_from.max(end.saturating_sub(LOG_BYTES_MAX)),
            ))?;
            let mut bytes = Vec::new();
            file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_else(|error| format!("(cannot be read: {error})"));
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LOG_LINES)..);
        last.unwrap_or_default()
            .iter()
            .map(|line| format!("\n    {line}"))
            .collect()
    }
}

async fn wait_until_ready(topology: &Topology, mut waiting: Vec<Started>) -> Result<(), CliError> {
    let mgmt = Mgmt::new();
    let total = waiting.len();
    let spinner = spinner(String::new());
    let deadline = Instant::now() + READY_WITHIN;
    let mut failed: Vec<(Started, String)> = Vec::new();
    while !waiting.is_empty() && Instant::now() < deadline {
        let still = waiting.iter().map(|started| &started.node.name);
        spinner.set_message(format!("waiting for {}", names(still)));
        let mut pending = Vec::with_capacity(waiting.len());
        for mut started in waiting {
            if let Ok(Some(status)) = started.child.try_wait() {
                failed.push((started, format!("its process ended ({status})")));
            } else if !is_ready(&mgmt, topology, &started.node).await {
                pending.push(started);
            }
        }
        waiting = pending;
        if !waiting.is_empty() {
            sleep(POLL).await;
        }
    }
    spinner.finish_and_clear();
    let late = waiting.into_iter();
    failed.extend(late.map(|started| {
        let why = format!("it was not ready within {} s", READY_WITHIN.as_secs());
        (started, why)
    }));
    if failed.is_empty() {
        let nodes = if total == 1 { "node is" } else { "nodes are" };
        println!("{GOOD}{total} {nodes} ready{GOOD:#}");
        return Ok(());
    }
    for (started, why) in &failed {
        println!(
            "{BAD}Not ready{BAD:#}: {}: {why}; the end of {}:{}",
            started.node,
            started.node.log().display(),
            started.end_of_log()
        );
    }
    let failed = failed.iter().map(|(started, _)| &started.node.name);
    Err(CliError::NotReady(names(failed)))
}

/// A hub is ready when it answers; a client when it also has PSRD of every hub that answers.
async fn is_ready(mgmt: &Mgmt, topology: &Topology, node: &Node) -> bool {
    let Found::Node(status) = mgmt.status(node).await else {
        return false;
    };
    if node.role == Role::Hub {
        return true;
    }
    let Ok(status) = serde_json::from_value::<ClientStatus>(status) else {
        return false;
    };
    let is_provisioned = |hub: &NodeName| {
        let mut peers = status.hubs.iter();
        peers.any(|peer| peer.name == *hub && peer.link.registered && peer.link.up_bytes_left > 0)
    };
    for hub in all(topology).iter().filter(|node| node.role == Role::Hub) {
        if !is_provisioned(&hub.name) && matches!(mgmt.status(hub).await, Found::Node(_)) {
            return false;
        }
    }
    true
}

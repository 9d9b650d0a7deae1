//! Stops nodes, in reverse order of their start.

use std::time::Duration;

use anstream::println;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use dske::topology::Topology;

use super::CliError;
use super::mgmt::{Found, Mgmt};
use super::nodes::{Node, Selection, names};
use super::print::{BAD, spinner};
use super::run_file::RunState;

/// How long a node may take to end after it was told to: it finishes the requests that it has begun to serve.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How long the system may take to end a process that was killed.
const KILL_WITHIN: Duration = Duration::from_secs(2);

/// Between two looks at the nodes.
const POLL: Duration = Duration::from_millis(20);

pub(super) fn stop(topology: &Topology, selection: &Selection<'_>) -> Result<(), CliError> {
    let mut nodes = selection.of(topology)?;
    nodes.reverse();
    actix_rt::System::new().block_on(async {
        let mgmt = Mgmt::new();
        let mut stopping = Vec::new();
        for node in nodes {
            if is_running(&mgmt, &node).await? {
                println!("Stopping {node}");
                mgmt.stop(&node).await;
                stopping.push(node);
            } else {
                println!("Not running: {node}");
            }
        }
        let left = wait_until_gone(&mgmt, stopping, STOP_WITHIN).await?;
        let (killed, unreachable) = kill(left)?;
        let mut left = wait_until_gone(&mgmt, killed, KILL_WITHIN).await?;
        left.extend(unreachable);
        if left.is_empty() {
            Ok(())
        } else {
            Err(CliError::NotStopped(names(&left)))
        }
    })
}

/// Its run file tells; or its answer does, if it runs on another machine or keeps its run state elsewhere.
async fn is_running(mgmt: &Mgmt, node: &Node) -> Result<bool, CliError> {
    Ok(matches!(node.state()?, RunState::Runs { .. })
        || matches!(mgmt.status(node).await, Found::Node(_)))
}

/// Returns those that are still running.
async fn wait_until_gone(
    mgmt: &Mgmt,
    mut nodes: Vec<Node>,
    within: Duration,
) -> Result<Vec<Node>, CliError> {
    let deadline = Instant::now() + within;
    let spinner = spinner(String::new());
    while !nodes.is_empty() && Instant::now() < deadline {
        let left = nodes.iter().map(|node| &node.name);
        spinner.set_message(format!("waiting for {}", names(left)));
        let mut running = Vec::with_capacity(nodes.len());
        for node in nodes {
            if is_running(mgmt, &node).await? {
                running.push(node);
            }
        }
        nodes = running;
        if !nodes.is_empty() {
            sleep(POLL).await;
        }
    }
    spinner.finish_and_clear();
    Ok(nodes)
}

/// Kills the nodes that did not stop when asked. Returns those that were killed, and those that cannot be.
fn kill(nodes: Vec<Node>) -> Result<(Vec<Node>, Vec<Node>), CliError> {
    let (mut killed, mut unreachable) = (Vec::new(), Vec::new());
    for node in nodes {
        // The lock on its run file shows that the process ID is still the node's.
        let pid = match node.state()? {
            RunState::Runs { pid } => pid.and_then(Pid::from_raw),
            RunState::Crashed | RunState::Stopped => None,
        };
        match pid.map(|pid| kill_process(pid, Signal::KILL)) {
            Some(Ok(())) => {
                println!(
                    "{BAD}Killed{BAD:#}: {node} did not stop within {} s",
                    STOP_WITHIN.as_secs()
                );
                killed.push(node);
            }
            Some(Err(_)) | None => unreachable.push(node),
        }
    }
    Ok((killed, unreachable))
}

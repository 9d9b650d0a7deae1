//! Stops nodes, in reverse order of their start.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use dske_testbed::println;

use super::CliError;
use super::condition::Condition;
use super::mgmt::Mgmt;
use super::nodes::{Node, Selection, Site, names};
use super::print::{BAD, spinner};
use super::run_file::{RunState, signal};
use super::turn::take_turn;

/// How long a node may take to end after it was told to: it finishes the requests that it has begun to serve.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How long the system may take to end a process that was killed. A busy machine takes its time. The wait ends with the process.
const KILL_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks at the nodes.
const POLL: Duration = Duration::from_millis(20);

pub(super) fn stop(site: &Site, selection: &Selection<'_>) -> Result<(), CliError> {
    let mut nodes = selection.of(&site.topology)?;
    let _turn = take_turn(site)?;
    if selection.is_everything() {
        nodes.extend(site.strays()?);
    }
    nodes.reverse();
    actix_rt::System::new().block_on(async {
        let mgmt = Mgmt::new(&site.topology)?;
        let mut stopping = Vec::new();
        for node in nodes {
            match why_not_running(&mgmt, &node, site).await? {
                None => {
                    println!("Stopping {node}");
                    tell(&mgmt, &node, site).await?;
                    stopping.push(node);
                }
                Some(Condition::Stopped) => println!("Not running: {node}"),
                Some(why) => println!("Not running: {node}: {why}"),
            }
        }
        let left = wait_until_gone(&mgmt, site, stopping, STOP_WITHIN).await?;
        kill(site, &left)?;
        let left = wait_until_gone(&mgmt, site, left, KILL_WITHIN).await?;
        if left.is_empty() {
            Ok(())
        } else {
            Err(CliError::NotStopped(names(
                left.iter().map(|node| &node.name),
            )))
        }
    })
}

/// `None` if the node runs. Its run file tells; or its answer does, if it runs on another machine or keeps its run state
/// elsewhere.
async fn why_not_running(
    mgmt: &Mgmt,
    node: &Node,
    site: &Site,
) -> Result<Option<Condition>, CliError> {
    if matches!(node.state(site)?, RunState::Runs { .. }) {
        return Ok(None);
    }
    let condition = Condition::of(node, site, mgmt).await?;
    Ok(match condition.runs() {
        true => None,
        false => Some(condition),
    })
}

async fn tell(mgmt: &Mgmt, node: &Node, site: &Site) -> Result<(), CliError> {
    match node.address.is_empty() {
        // Nobody knows where it listens.
        true => send(node, site, Signal::TERM).map(|_| ()),
        false => {
            mgmt.stop(node).await;
            Ok(())
        }
    }
}

/// Returns those that are still running.
async fn wait_until_gone(
    mgmt: &Mgmt,
    site: &Site,
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
            if why_not_running(mgmt, &node, site).await?.is_none() {
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

/// Kills the nodes that did not stop when asked, as far as they run here.
fn kill(site: &Site, nodes: &[Node]) -> Result<(), CliError> {
    for node in nodes {
        if send(node, site, Signal::KILL)? {
            println!(
                "{BAD}Killed{BAD:#}: {node} did not stop within {} s",
                STOP_WITHIN.as_secs()
            );
        }
    }
    Ok(())
}

/// Sends a signal to the process of a node. Whether there is one here.
fn send(node: &Node, site: &Site, what: Signal) -> Result<bool, CliError> {
    signal(&node.run_file, &site.id, what).map_err(|reason| CliError::File {
        path: node.run_file.clone(),
        what: "the process that it names cannot be signalled",
        reason,
    })
}

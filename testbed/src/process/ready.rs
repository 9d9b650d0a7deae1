//! When nodes that were started are ready.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use dske::protocol::NodeName;
use dske::topology::Role;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::node::NodeProcess;
use crate::identity::RunId;
use crate::over_http::HttpNodes;

/// Between two looks at the nodes.
const POLL: Duration = Duration::from_millis(20);

/// How long a node may take to answer one look. It is on the same machine, or near.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A node that did not become ready.
#[derive(Debug)]
pub struct NotReady {
    /// Its name.
    pub name: NodeName,
    /// What happened instead.
    pub why: WhyNotReady,
    /// Its log.
    pub log: PathBuf,
    /// The last lines of its log.
    pub end_of_log: Vec<String>,
}

/// What happened to a node that did not become ready.
#[derive(Debug, Clone, Copy)]
pub enum WhyNotReady {
    /// Its process ended.
    Ended(ExitStatus),
    /// It took longer than this.
    Late(Duration),
}

impl fmt::Display for WhyNotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => write!(f, "its process ended ({status})"),
            Self::Late(within) => write!(f, "it was not ready within {} s", within.as_secs()),
        }
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = self.end_of_log.join(" | ");
        write!(f, "{}: {}; its log ends with: {log}", self.name, self.why)
    }
}

impl NotReady {
    fn new(node: &NodeProcess, why: WhyNotReady) -> Self {
        Self {
            name: node.name().clone(),
            why,
            log: node.log().to_owned(),
            end_of_log: node.end_of_log(),
        }
    }
}

/// Waits until all of these nodes are ready, at most for `within`. `waiting_for` is told before each look which ones are
/// not ready yet.
///
/// A hub is ready when it answers. A client is ready when it also has PSRD of every hub that was started with it, and of
/// every other hub that answers.
///
/// # Errors
/// The nodes that did not become ready. Those that did are dropped, too.
pub async fn wait_until_ready(
    started: Vec<NodeProcess>,
    nodes: &HttpNodes,
    within: Duration,
    waiting_for: impl Fn(&[NodeProcess]),
) -> Result<Vec<NodeProcess>, Vec<NotReady>> {
    let deadline = Instant::now() + within;
    let (mut waiting, mut ready, mut failed) = (started, Vec::new(), Vec::new());
    while !waiting.is_empty() && Instant::now() < deadline {
        waiting_for(&waiting);
        let started: Vec<NodeName> = waiting.iter().chain(&ready).filter_map(hub_name).collect();
        let mut pending = Vec::with_capacity(waiting.len());
        for mut node in waiting {
            if let Some(status) = node.exit_status() {
                failed.push(NotReady::new(&node, WhyNotReady::Ended(status)));
            } else if is_ready(nodes, &node, &started).await {
                ready.push(node);
            } else {
                pending.push(node);
            }
        }
        waiting = pending;
        if !waiting.is_empty() {
            sleep(POLL).await;
        }
    }
    let late = WhyNotReady::Late(within);
    failed.extend(waiting.iter().map(|node| NotReady::new(node, late)));
    match failed.is_empty() {
        true => Ok(ready),
        false => Err(failed),
    }
}

/// What a status has to tell: little, so that nodes of another version can be waited for.
#[derive(Deserialize)]
struct Readiness {
    name: NodeName,
    #[serde(default)]
    hubs: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    name: NodeName,
    registered: bool,
    up_bytes_left: usize,
}

fn hub_name(node: &NodeProcess) -> Option<NodeName> {
    (node.role() == Role::Hub).then(|| node.name().clone())
}

/// `started`: the hubs that were started with the node and have not ended.
async fn is_ready(nodes: &HttpNodes, node: &NodeProcess, started: &[NodeName]) -> bool {
    let Some((status, run)) = answer(nodes, node.role(), node.name()).await else {
        return false;
    };
    // Another process may hold the port, and this one is about to end.
    if run.is_some_and(|run| run.process != node.id()) {
        return false;
    }
    if node.role() == Role::Hub {
        return true;
    }
    let is_provisioned = |hub: &NodeName| {
        let mut links = status.hubs.iter();
        links.any(|link| link.name == *hub && link.registered && link.up_bytes_left > 0)
    };
    for hub in &nodes.topology().hubs {
        if !is_provisioned(&hub.name)
            && (started.contains(&hub.name) || answer(nodes, Role::Hub, &hub.name).await.is_some())
        {
            return false;
        }
    }
    true
}

/// The status of a node, and the process that says it. `None` if it does not answer, or if another node answers in its
/// place.
async fn answer(
    nodes: &HttpNodes,
    role: Role,
    name: &NodeName,
) -> Option<(Readiness, Option<RunId>)> {
    let answer = nodes.status::<Readiness>(role, name, ANSWER_WITHIN).await;
    answer.filter(|(status, _)| status.name == *name)
}

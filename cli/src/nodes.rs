//! The nodes that a command is about.

use std::fmt;
use std::path::PathBuf;

use dske::protocol::NodeName;
use dske::topology::{NodeAddress, Role, Topology};

use super::CliError;
use super::run_file::{RunState, look};

/// A node of the topology. Shown as `hub hank on port 8100`.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) role: Role,
    pub(super) name: NodeName,
    pub(super) address: String,
    log_dir: PathBuf,
}

impl Node {
    fn new(topology: &Topology, role: Role, node: &NodeAddress) -> Self {
        Self {
            role,
            name: node.name.clone(),
            address: node.address.clone(),
            log_dir: topology.log_dir.clone(),
        }
    }

    pub(super) fn port(&self) -> &str {
        self.address.rsplit_once(':').map_or("", |(_, port)| port)
    }

    /// The file that it writes to when it runs in the background.
    pub(super) fn log(&self) -> PathBuf {
        self.file("log")
    }

    /// The file of its run state.
    pub(super) fn run_file(&self) -> PathBuf {
        self.file("run")
    }

    /// Whether it runs, by its run file.
    ///
    /// # Errors
    /// If its run file cannot be read.
    pub(super) fn state(&self) -> Result<RunState, CliError> {
        let path = self.run_file();
        look(&path).map_err(|reason| CliError::File {
            path,
            what: "the run state cannot be read",
            reason,
        })
    }

    fn file(&self, extension: &str) -> PathBuf {
        let name = format!("{}-{}.{extension}", self.role.as_str(), self.name);
        self.log_dir.join(name)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, port) = (self.role.as_str(), self.port());
        write!(f, "{role} {} on port {port}", self.name)
    }
}

/// The nodes that `--hub` and `--client` name. If they name none, all nodes are meant.
pub(super) struct Selection<'a> {
    pub(super) hubs: &'a [NodeName],
    pub(super) clients: &'a [NodeName],
}

impl Selection<'_> {
    pub(super) fn is_everything(&self) -> bool {
        self.hubs.is_empty() && self.clients.is_empty()
    }

    /// The nodes, hubs first, then clients, in topology order.
    ///
    /// # Errors
    /// If there is no node of one of the names.
    pub(super) fn of(&self, topology: &Topology) -> Result<Vec<Node>, CliError> {
        for (role, names) in [(Role::Hub, self.hubs), (Role::Client, self.clients)] {
            for name in names {
                find(topology, role, name)?;
            }
        }
        let chosen = |node: &Node| match node.role {
            Role::Hub => self.hubs.contains(&node.name),
            Role::Client => self.clients.contains(&node.name),
        };
        let mut nodes = all(topology);
        nodes.retain(|node| self.is_everything() || chosen(node));
        Ok(nodes)
    }
}

/// All nodes, hubs first.
pub(super) fn all(topology: &Topology) -> Vec<Node> {
    let nodes = topology.nodes();
    nodes
        .map(|(role, node)| Node::new(topology, role, node))
        .collect()
}

/// A node by its name.
///
/// # Errors
/// If there is none. The error lists the names that there are.
pub(super) fn find(topology: &Topology, role: Role, name: &NodeName) -> Result<Node, CliError> {
    let nodes = match role {
        Role::Hub => &topology.hubs,
        Role::Client => &topology.clients,
    };
    match nodes.iter().find(|node| node.name == *name) {
        Some(node) => Ok(Node::new(topology, role, node)),
        None => Err(CliError::UnknownNode {
            role: role.as_str(),
            name: name.clone(),
            known: names(nodes.iter().map(|node| &node.name)),
        }),
    }
}

/// Names in one line, for a message.
pub(super) fn names<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    names.join(", ")
}

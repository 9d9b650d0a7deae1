//! The nodes that a command is about.

use std::fmt;
use std::path::{Path, PathBuf};

use dske::http::peer::Identity;
use dske::protocol::NodeName;
use dske::topology::{NodeAddress, Role, Topology, TopologyError};
use dske_testbed::files::NodeFile;
use dske_testbed::identity::ClusterId;

use super::CliError;
use super::run_file::{RunState, look};

/// A cluster as a command knows it: a topology file, and what it says.
pub(super) struct Site {
    pub(super) file: PathBuf,
    pub(super) topology: Topology,
    pub(super) id: ClusterId,
}

impl Site {
    /// Reads and checks the topology file.
    pub(super) fn read(file: &Path) -> Result<Self, TopologyError> {
        let topology = Topology::read(file)?;
        Ok(Self {
            id: ClusterId::of(file, &topology),
            file: file.to_owned(),
            topology,
        })
    }

    /// The nodes of this cluster that run here although the topology does not name them any more.
    ///
    /// # Errors
    /// If the folder of the run files cannot be read.
    pub(super) fn strays(&self) -> Result<Vec<Node>, CliError> {
        let folder = &self.topology.log_dir;
        // No node has run here yet.
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Ok(Vec::new());
        };
        let mut strays = Vec::new();
        for entry in entries.flatten() {
            let file = entry.file_name();
            let named = file.to_str().and_then(|file| file.strip_suffix(".run"));
            let named = named.and_then(|file| file.split_once('-'));
            let Some((role, name)) = named else { continue };
            let mut roles = [Role::Hub, Role::Client].into_iter();
            let role = roles.find(|known| known.as_str() == role);
            let (Some(role), Ok(name)) = (role, name.parse::<NodeName>()) else {
                continue;
            };
            if find(&self.topology, role, &name).is_ok() {
                continue;
            }
            let stray = Node::at(&self.topology, role, name, String::new());
            if matches!(stray.state(self)?, RunState::Runs { .. }) {
                strays.push(stray);
            }
        }
        strays.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(strays)
    }
}

/// A node of the topology. Shown as `hub hank on port 8100`.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) role: Role,
    pub(super) name: NodeName,
    /// Empty if the topology does not name it any more.
    pub(super) address: String,
    /// The file that it writes to when it runs in the background.
    pub(super) log: PathBuf,
    /// The file of its run state.
    pub(super) run_file: PathBuf,
    /// The file of the token with which it can be stopped.
    pub(super) token_file: PathBuf,
}

impl Node {
    fn new(topology: &Topology, role: Role, node: &NodeAddress) -> Self {
        Self::at(topology, role, node.name.clone(), node.address.clone())
    }

    fn at(topology: &Topology, role: Role, name: NodeName, address: String) -> Self {
        let file = |file: NodeFile| file.path(topology, role, &name);
        Self {
            log: file(NodeFile::Log),
            run_file: file(NodeFile::Run),
            token_file: file(NodeFile::Token),
            role,
            name,
            address,
        }
    }

    /// The party that it is.
    pub(super) fn identity(&self) -> Identity {
        match self.role {
            Role::Hub => Identity::Hub(self.name.clone()),
            Role::Client => Identity::Client(self.name.clone()),
        }
    }

    pub(super) fn port(&self) -> &str {
        self.address.rsplit_once(':').map_or("", |(_, port)| port)
    }

    /// Whether it runs, by its run file.
    ///
    /// # Errors
    /// If its run file cannot be read.
    pub(super) fn state(&self, site: &Site) -> Result<RunState, CliError> {
        look(&self.run_file, &site.id).map_err(|reason| CliError::File {
            path: self.run_file.clone(),
            what: "the run state cannot be read; is the node another user's?",
            reason,
        })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role.as_str(), self.name)?;
        match self.port() {
            "" => f.write_str(", which is not in the topology"),
            port => write!(f, " on port {port}"),
        }
    }
}

/// The nodes that `--hub` and `--client` name. If they name none, all nodes are meant.
pub(super) struct Selection<'a> {
    pub(super) hubs: Vec<&'a NodeName>,
    pub(super) clients: Vec<&'a NodeName>,
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
        for (role, names) in [(Role::Hub, &self.hubs), (Role::Client, &self.clients)] {
            for name in names {
                find(topology, role, name)?;
            }
        }
        let chosen = |node: &Node| match node.role {
            Role::Hub => self.hubs.contains(&&node.name),
            Role::Client => self.clients.contains(&&node.name),
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

//! Whose node a process is. Files and answers of nodes say it, so that nobody takes the node of another cluster for their
//! own.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use dske::topology::Topology;
use sha2::{Digest, Sha256};

/// The identity of a cluster: where its topology file is, and which nodes that names.
///
/// Either is enough. The file stays the same when it is edited while nodes run; a copy of it on another machine names the
/// same nodes.
#[derive(Debug, Clone, Copy)]
pub struct ClusterId {
    file: u64,
    nodes: u64,
}

impl ClusterId {
    /// The cluster that a topology file describes.
    #[must_use]
    pub fn of(file: &Path, topology: &Topology) -> Self {
        let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let path = path.canonicalize().unwrap_or(path);
        let nodes = topology.nodes().map(|(role, node)| {
            let role = role.as_str();
            format!("{role} {} {}\n", node.name, node.address)
        });
        Self {
            file: hash(path.as_os_str().as_encoded_bytes()),
            nodes: hash(nodes.collect::<String>().as_bytes()),
        }
    }

    /// Whether both are the same cluster.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.file == other.file || self.nodes == other.nodes
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.file, self.nodes)
    }
}

/// The text is not what a node says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not the identity of a node")]
pub struct NoIdentity;

impl FromStr for ClusterId {
    type Err = NoIdentity;

    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let (file, nodes) = text.split_once('-').ok_or(NoIdentity)?;
        let number = |text| u64::from_str_radix(text, 16).map_err(|_| NoIdentity);
        Ok(Self {
            file: number(file)?,
            nodes: number(nodes)?,
        })
    }
}

/// A node as a process: which one, and of which cluster. Shown as in the header
/// [`RUN_HEADER`](dske::http::management::RUN_HEADER).
#[derive(Debug, Clone, Copy)]
pub struct RunId {
    /// Its process.
    pub process: u32,
    /// Its cluster.
    pub cluster: ClusterId,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.process, self.cluster)
    }
}

impl FromStr for RunId {
    type Err = NoIdentity;

    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let (process, cluster) = text.split_once(' ').ok_or(NoIdentity)?;
        Ok(Self {
            process: process.parse().map_err(|_| NoIdentity)?,
            cluster: cluster.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPOLOGY: &str = include_str!("../../topology.toml");

    fn id(file: &str, text: &str) -> ClusterId {
        let topology = Topology::parse(file, text).unwrap();
        ClusterId::of(Path::new(file), &topology)
    }

    #[test]
    fn a_cluster_is_known_by_its_file_and_by_its_nodes() {
        let edited = TOPOLOGY.replace("base_port = 8100", "base_port = 9100");
        let own = id("a.toml", TOPOLOGY);
        assert!(own.is_same(&id("./a.toml", TOPOLOGY)));
        assert!(own.is_same(&id("a.toml", &edited)), "edited");
        assert!(own.is_same(&id("b.toml", TOPOLOGY)), "copied");
        assert!(!own.is_same(&id("b.toml", &edited)), "another");
    }

    #[test]
    fn an_identity_is_read_as_it_is_shown() {
        let run = RunId {
            process: 17,
            cluster: id("a.toml", TOPOLOGY),
        };
        let read: RunId = run.to_string().parse().unwrap();
        assert_eq!(read.to_string(), run.to_string());
        for text in ["", "17", "17 x", "x 1-1", "17 1", "-1 1-1"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}

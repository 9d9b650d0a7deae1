//! The files of a node, all in the `log_dir` of its topology.

use std::path::{Path, PathBuf};

use dske::protocol::NodeName;
use dske::topology::{Role, Topology};

/// The environment variable that names the file a node logs to.
pub const LOG_FILE_VARIABLE: &str = "DSKE_LOG_FILE";

/// A file of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeFile {
    /// What it writes when it runs in the background.
    Log,
    /// Its run state.
    Run,
    /// What proves to it that a caller may stop it.
    Token,
}

impl NodeFile {
    /// Where it is.
    #[must_use]
    pub fn path(self, topology: &Topology, role: Role, name: &NodeName) -> PathBuf {
        let name = format!("{}-{name}.{}", role.as_str(), self.ending());
        topology.log_dir.join(name)
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Run => "run",
            Self::Token => "token",
        }
    }
}

/// What a full log is renamed to.
#[must_use]
pub fn older_log(log: &Path) -> PathBuf {
    let mut path = log.to_owned().into_os_string();
    path.push(".1");
    path.into()
}

/// What proves to a node that a caller may stop it, if this user may read it.
#[must_use]
pub fn token(topology: &Topology, role: Role, name: &NodeName) -> Option<String> {
    let path = NodeFile::Token.path(topology, role, name);
    std::fs::read_to_string(path).ok()
}

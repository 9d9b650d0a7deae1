//! How it is with a node: what its run file says, and who answers at its address, put together.

use std::fmt;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::PathBuf;

use serde_json::Value;

use super::CliError;
use super::error::held;
use super::mgmt::{Found, Mgmt};
use super::nodes::{Node, Site};
use super::run_file::{Holder, RunState};

/// How it is with a node. Shown as the reason why it does not work.
#[derive(Debug)]
pub(super) enum Condition {
    /// It answers, with this status.
    Works(Value),
    /// Its process runs, and nobody listens at its address.
    Busy { pid: i32 },
    /// Its process runs, and does not answer.
    Hangs { pid: i32 },
    /// Something at its address, which is on another machine, does not answer.
    Silent,
    /// Its process ended without being told to.
    Crashed { log: PathBuf },
    /// It does not run.
    Stopped,
    /// It does not run, and its run file is in use.
    Foreign { run_file: PathBuf, by: Holder },
    /// A node of another cluster is at its address.
    Another,
    /// Another program is at its address.
    OtherProgram { answers: bool },
}

impl Condition {
    /// Looks at a node.
    ///
    /// # Errors
    /// If its run file cannot be read.
    pub(super) async fn of(node: &Node, site: &Site, mgmt: &Mgmt) -> Result<Self, CliError> {
        let found = match node.address.as_str() {
            "" => Found::Nobody,
            _ => mgmt.status(node).await,
        };
        let is_local = || is_of_this_machine(&node.address);
        Ok(match (found, node.state(site)?) {
            (Found::Node(status, run), _) => {
                let is_ours = run.is_none_or(|run| run.cluster.is_same(&site.id));
                match is_ours || !is_local() {
                    true => Self::Works(status),
                    false => Self::Another,
                }
            }
            (Found::Other, _) => Self::OtherProgram { answers: true },
            (Found::Nobody, RunState::Runs { pid }) => Self::Busy { pid },
            (Found::Silence, RunState::Runs { pid }) => Self::Hangs { pid },
            (Found::Silence, _) if is_local() => Self::OtherProgram { answers: false },
            (Found::Silence, _) => Self::Silent,
            (Found::Nobody, RunState::Foreign(by)) => Self::Foreign {
                run_file: node.run_file.clone(),
                by,
            },
            (Found::Nobody, RunState::Crashed) => Self::Crashed {
                log: node.log.clone(),
            },
            (Found::Nobody, RunState::Stopped) => Self::Stopped,
        })
    }

    /// Whether there is a process of this node, or may be.
    pub(super) fn runs(&self) -> bool {
        matches!(self, Self::Works(_)) || self.is_silent()
    }

    /// Whether it runs, or may, and does not answer.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Hangs { .. } | Self::Silent)
    }

    /// The status, if the node told it.
    pub(super) fn status(&self) -> Option<&Value> {
        match self {
            Self::Works(status) => Some(status),
            _ => None,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works(_) => f.write_str("works"),
            Self::Busy { pid } => write!(f, "starting or stopping (process {pid})"),
            Self::Hangs { pid } => write!(f, "does not answer (process {pid})"),
            Self::Silent => f.write_str("does not answer"),
            Self::Crashed { log } => write!(f, "crashed; see {}", log.display()),
            Self::Stopped => f.write_str("not running"),
            Self::Foreign { run_file, by } => {
                write!(f, "its run file is in use: {}", held(run_file, by))
            }
            Self::Another => f.write_str("a node of another cluster uses its port"),
            Self::OtherProgram { answers: true } => f.write_str("another program uses its port"),
            Self::OtherProgram { answers: false } => {
                f.write_str("another program uses its port, and does not answer")
            }
        }
    }
}

/// Whether programs of this machine can listen at the address.
pub(super) fn is_of_this_machine(address: &str) -> bool {
    let Ok(mut addresses) = address.to_socket_addrs() else {
        return false;
    };
    addresses.any(|mut address| {
        // Any port: only whether the host is this one is asked.
        address.set_port(0);
        let bound = TcpListener::bind(address);
        !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
    })
}

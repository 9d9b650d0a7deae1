//! Why a command failed.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use dske::http::etsi_client::CallError;
use dske::protocol::{NodeName, SaeId};
use dske::topology::TopologyError;
use dske_testbed::load::LoadError;

/// Why a command failed: what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The topology cannot be used.
    #[error("{0}")]
    Topology(#[from] TopologyError),
    /// There is no node with this name.
    #[error("there is no {role} {name} in the topology; there are {known}")]
    UnknownNode {
        /// `hub` or `client`.
        role: &'static str,
        /// The name.
        name: NodeName,
        /// The names there are.
        known: String,
    },
    /// There is no SAE with this ID.
    #[error("there is no SAE {sae} in the topology; there are {known}")]
    UnknownSae {
        /// The ID.
        sae: SaeId,
        /// The IDs there are.
        known: String,
    },
    /// `--hub` or `--client` with a command that is not about single nodes.
    #[error("--hub and --client go with start, stop and status only")]
    SelectionUnused,
    /// An option with an ETSI call that does not take it.
    #[error("{option} does not go with {call}")]
    OptionUnused {
        /// The option.
        option: &'static str,
        /// The call.
        call: &'static str,
    },
    /// The node's address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; is another program using the port?")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        reason: io::Error,
    },
    /// The server ended badly.
    #[error("the server failed: {0}")]
    Server(io::Error),
    /// The node is already running.
    #[error("{node} is already running{}; stop it first", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    AlreadyRuns {
        /// The node.
        node: String,
        /// Its process.
        pid: Option<i32>,
    },
    /// A file or folder cannot be used.
    #[error("{}: {what}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was to be done with it, and what to do.
        what: &'static str,
        /// What the system says.
        reason: io::Error,
    },
    /// The file of this very program, which runs the nodes, cannot be found.
    #[error("cannot find the file of this program, which runs the nodes: {0}")]
    OwnProgram(io::Error),
    /// A process cannot be started.
    #[error("cannot start a process for {node}: {reason}")]
    Spawn {
        /// The node.
        node: String,
        /// What the system says.
        reason: io::Error,
    },
    /// Ports that other programs use. Nothing was started.
    #[error(
        "nothing was started: {}; stop what uses it, or choose another base_port or address in the topology",
        .0.join("; ")
    )]
    PortsInUse(Vec<String>),
    /// A node lives elsewhere.
    #[error("{node} lives at {address}, which is not an address of this machine; start it there")]
    Elsewhere {
        /// The node.
        node: String,
        /// Its address.
        address: String,
    },
    /// Nodes that did not become ready. They were named before.
    #[error("not ready: {0}; `dske stop` stops what runs")]
    NotReady(String),
    /// Nodes that do not run. They were named before.
    #[error("not running: {0}; start with `dske start`")]
    NotRunning(String),
    /// Nodes that could not be stopped.
    #[error("still running: {0}; stop them where they were started")]
    NotStopped(String),
    /// An ETSI call was not answered as it should be.
    #[error("{what}: {error}{}", hint(.error))]
    Call {
        /// Who was asked for what.
        what: String,
        /// What came back.
        error: CallError,
    },
    /// Two sides got different keys.
    #[error("key values differ between {master} and {slave}")]
    KeysDiffer {
        /// The master.
        master: SaeId,
        /// The slave.
        slave: SaeId,
    },
    /// A YAML topology cannot be converted.
    #[error("{}{}: {message}", .file.display(), .line.map(|line| format!(":{line}")).unwrap_or_default())]
    Convert {
        /// The file.
        file: PathBuf,
        /// The line, from 1, if it is about one.
        line: Option<u64>,
        /// What is wrong.
        message: String,
    },
    /// No load can be put on the cluster.
    #[error("{0}")]
    Load(#[from] LoadError),
    /// Keys that were not the same on both sides, or not those asked for.
    #[error(
        "in {0} operations the keys were not the same on both sides, or not as many or as long as asked for"
    )]
    WrongKeys(u64),
    /// Not one operation went well.
    #[error("nothing was measured: {}", match .0 {
        0 => "no operation ended in time; measure for longer with --duration, or see `dske status`".to_owned(),
        failed => format!("all {failed} operations failed; see above, and `dske status`"),
    })]
    NothingMeasured(u64),
    /// Some operations failed.
    #[error(
        "{failed} of {all} operations failed; with --allow-errors that is no failure of the command"
    )]
    OperationsFailed {
        /// Those that failed.
        failed: u64,
        /// All of them.
        all: u64,
    },
    /// The demonstration did not go as it always should.
    #[error("the demonstration failed: {0}")]
    Demo(String),
}

impl CliError {
    /// 2 for bad use, 1 for everything else.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Load(error) if error.is_bad_use() => ExitCode::from(2),
            Self::Topology(_)
            | Self::UnknownNode { .. }
            | Self::UnknownSae { .. }
            | Self::SelectionUnused
            | Self::OptionUnused { .. }
            | Self::Convert { .. } => ExitCode::from(2),
            Self::Listen { .. }
            | Self::Server(_)
            | Self::AlreadyRuns { .. }
            | Self::File { .. }
            | Self::OwnProgram(_)
            | Self::Spawn { .. }
            | Self::PortsInUse(_)
            | Self::Elsewhere { .. }
            | Self::NotReady(_)
            | Self::NotRunning(_)
            | Self::NotStopped(_)
            | Self::Call { .. }
            | Self::KeysDiffer { .. }
            | Self::Load(_)
            | Self::WrongKeys(_)
            | Self::NothingMeasured(_)
            | Self::OperationsFailed { .. }
            | Self::Demo(_) => ExitCode::FAILURE,
        }
    }
}

fn hint(error: &CallError) -> &'static str {
    match error {
        CallError::Unknown(_) => "; does it run? `dske status` tells",
        CallError::Refused { .. } => "",
    }
}

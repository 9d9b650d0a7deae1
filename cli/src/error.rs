//! Why a command failed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dske::http::etsi_client::CallError;
use dske::http::tls::TlsError;
use dske::protocol::{NodeName, SaeId};
use dske::topology::TopologyError;
use dske_testbed::load::LoadError;

use super::run_file::Holder;

/// Why a command failed: what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The topology cannot be used.
    #[error("{0}")]
    Topology(#[from] TopologyError),
    /// A certificate, a key or a list of them cannot be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// Certificates cannot be made.
    #[error("certificates cannot be made: {0}")]
    Pki(#[from] rcgen::Error),
    /// The topology has no section `[tls]`.
    #[error("the topology has no section [tls]; `dske pki init` makes certificates and adds it")]
    NoTls,
    /// The topology names another folder of certificates.
    #[error(
        "the topology has its certificates in {}, not in {}; use --out with that folder, or change [tls]",
        .named.display(), .out.display()
    )]
    OtherFolder {
        /// The folder that the topology names.
        named: PathBuf,
        /// The folder that was asked for.
        out: PathBuf,
    },
    /// The topology does not name this party.
    #[error("the topology names no {0}, so that it needs no certificate")]
    UnknownParty(String),
    /// Certificates have expired or are about to, or are missing.
    #[error("certificates are missing, or end soon; `dske pki issue` makes another")]
    CertificatesEnd,
    /// A file holds no certificate or list in PEM.
    #[error("{} is not what it should be: it holds nothing in PEM", .0.display())]
    NoPem(PathBuf),
    /// A file that a command would write is there already.
    #[error("{} is there already: nothing was changed; name another folder with --out, or remove it first", .0.display())]
    Exists(PathBuf),
    /// The topology has no node with this name.
    #[error("there is no {role} {name} in the topology; there are {known}")]
    UnknownNode {
        /// `hub` or `client`.
        role: &'static str,
        /// The name.
        name: NodeName,
        /// The names that there are.
        known: String,
    },
    /// The topology has no SAE with this ID.
    #[error("there is no SAE {sae} in the topology; there are {known}")]
    UnknownSae {
        /// The ID.
        sae: SaeId,
        /// The IDs that there are.
        known: String,
    },
    /// `--hub` or `--client` with a command that does not take them.
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
    /// The server ended with an error.
    #[error("the server failed: {0}")]
    Server(io::Error),
    /// The run file of the node is in use: the node is running already, or another one has the same file.
    #[error("{node} is already running: {}", held(.file, .by))]
    AlreadyRuns {
        /// The node.
        node: String,
        /// Its run file.
        file: PathBuf,
        /// Who holds it.
        by: Holder,
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
    /// What stands in the way of some nodes. Nothing was started.
    #[error("nothing was started: {}", first(.0))]
    NothingStarted(Vec<String>),
    /// The address of a node is on another machine.
    #[error("{node} belongs at {address}, which is not an address of this machine; start it there")]
    Elsewhere {
        /// The node.
        node: String,
        /// Its address.
        address: String,
    },
    /// Nodes that did not become ready. The reasons were printed before.
    #[error("not ready: {0}; `dske stop` stops the nodes that are running")]
    NotReady(String),
    /// Nodes that do not work. The reasons were printed before.
    #[error("{}", unwell(.not_running, .silent))]
    Unwell {
        /// Those that are not running.
        not_running: String,
        /// Those that run, or may, and do not answer.
        silent: String,
    },
    /// Keys that were given and could not be printed.
    #[error(
        "standard output cannot be written: {reason}; the keys with these IDs were given out, and are lost here: {key_ids}"
    )]
    KeysLost {
        /// What the system says.
        reason: io::Error,
        /// The keys.
        key_ids: String,
    },
    /// Nodes that could not be stopped.
    #[error("still running: {0}; stop them where they were started")]
    NotStopped(String),
    /// An ETSI call failed.
    #[error("{what}: {error}{}", hint(.error))]
    Call {
        /// What was asked of which node.
        what: String,
        /// What came back.
        error: CallError,
    },
    /// Master and slave got different keys.
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
    /// Keys that differ between the two sides, or that are not those asked for.
    #[error(
        "in {0} operations, the keys differed between the two sides, or their number or size was not the one asked for"
    )]
    WrongKeys(u64),
    /// Not one operation succeeded.
    #[error("nothing was measured: {}", match .0 {
        0 => "no operation ended in time; measure for longer with --duration, or see `dske status`".to_owned(),
        failed => format!("all {failed} operations failed; see above, and `dske status`"),
    })]
    NothingMeasured(u64),
    /// Some operations failed.
    #[error(
        "{failed} of {all} operations failed; with --allow-errors the command succeeds all the same"
    )]
    OperationsFailed {
        /// How many failed.
        failed: u64,
        /// How many there were.
        all: u64,
    },
    /// The demonstration did not go as it should.
    #[error("the demonstration failed: {0}")]
    Demo(String),
}

impl CliError {
    /// 2 for bad usage, 1 for everything else.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Load(error) if error.is_bad_use() => ExitCode::from(2),
            Self::Topology(_)
            | Self::UnknownNode { .. }
            | Self::UnknownSae { .. }
            | Self::UnknownParty(_)
            | Self::SelectionUnused
            | Self::OptionUnused { .. }
            | Self::Convert { .. } => ExitCode::from(2),
            Self::Listen { .. }
            | Self::Server(_)
            | Self::AlreadyRuns { .. }
            | Self::File { .. }
            | Self::Tls(_)
            | Self::Pki(_)
            | Self::NoTls
            | Self::OtherFolder { .. }
            | Self::CertificatesEnd
            | Self::NoPem(_)
            | Self::Exists(_)
            | Self::OwnProgram(_)
            | Self::Spawn { .. }
            | Self::NothingStarted(_)
            | Self::Elsewhere { .. }
            | Self::NotReady(_)
            | Self::Unwell { .. }
            | Self::KeysLost { .. }
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

/// Reasons that are listed of many: the others are mostly the same.
const REASONS_MAX: usize = 3;

fn first(reasons: &[String]) -> String {
    let shown: Vec<&str> = reasons
        .iter()
        .take(REASONS_MAX)
        .map(String::as_str)
        .collect();
    let more = match reasons.len().saturating_sub(REASONS_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    shown.join("; ") + &more
}

fn unwell(not_running: &str, silent: &str) -> String {
    let mut parts = Vec::new();
    if !not_running.is_empty() {
        parts.push(format!(
            "not running: {not_running}; start with `dske start`"
        ));
    }
    if !silent.is_empty() {
        parts.push(format!(
            "no answer from: {silent}; see its log, or end it with `dske stop`"
        ));
    }
    parts.join("; ")
}

/// Who holds a run file, and what to do.
pub(super) fn held(file: &Path, by: &Holder) -> String {
    let process = by.pid.map(|pid| format!("process {pid}"));
    let process = process.unwrap_or_else(|| "another process".to_owned());
    let file = file.display();
    match &by.topology {
        Some(topology) => format!(
            "{process} holds {file} and runs a node of {}; stop it first, or set another log_dir in one of the topologies",
            topology.display()
        ),
        None => {
            format!("{process} holds {file}; stop it first, or set another log_dir in the topology")
        }
    }
}

fn hint(error: &CallError) -> &'static str {
    match error {
        CallError::Unknown(_) => "; is the node running? `dske status` tells",
        CallError::Refused { .. } | CallError::NotMade(_) => "",
    }
}

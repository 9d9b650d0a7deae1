//! The `dske` command line.

mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::protocol::NodeName;
use crate::topology::{NodeAddress, Topology, TopologyError};

const EXAMPLES: &str = "\
Examples:
  dske hub hank                       run hub hank of topology.toml in the foreground
  dske client carol                   run client carol
  dske --topology lab.toml hub hank   with another topology

SAEs call a client over ETSI GS QKD 014, for example:
  curl -H 'Authorization: carol' http://127.0.0.1:8105/api/v1/keys/celia/enc_keys";

/// Distributed Symmetric Key Establishment: clients agree on keys through security hubs.
#[derive(Debug, Parser)]
#[command(name = "dske", version, after_help = EXAMPLES)]
struct Cli {
    /// Topology file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "topology.toml"
    )]
    topology: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one hub in the foreground, until Ctrl-C, SIGTERM or its stop route.
    Hub {
        /// Its name in the topology.
        name: NodeName,
    },
    /// Run one client (KME) in the foreground, until Ctrl-C, SIGTERM or its stop route.
    Client {
        /// Its name in the topology.
        name: NodeName,
    },
}

/// Why a command failed. One line, which says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
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
    /// The node's address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; is another program using the port?")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The server ended badly.
    #[error("the server failed: {0}")]
    Server(std::io::Error),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("DSKE_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,dske=info")),
        )
        .init();
    match execute(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                CliError::Topology(_) | CliError::UnknownNode { .. } => ExitCode::from(2),
                CliError::Listen { .. } | CliError::Server(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn execute(cli: &Cli) -> Result<(), CliError> {
    let topology = Topology::read(&cli.topology)?;
    match &cli.command {
        Command::Hub { name } => {
            let config = topology.hub(name);
            let config = config.ok_or_else(|| unknown("hub", name, &topology.hubs))?;
            run::hub(&topology, config)
        }
        Command::Client { name } => {
            let config = topology.client(name);
            let config = config.ok_or_else(|| unknown("client", name, &topology.clients))?;
            run::client(&topology, config)
        }
    }
}

fn unknown(role: &'static str, name: &NodeName, known: &[NodeAddress]) -> CliError {
    let known: Vec<&str> = known.iter().map(|node| node.name.as_str()).collect();
    CliError::UnknownNode {
        role,
        name: name.clone(),
        known: known.join(", "),
    }
}

//! The command `dske`.
//!
//! | module | what it does |
//! |---|---|
//! | `run` | runs one node in the foreground: `hub`, `client` |
//! | `start`, `stop`, `status` | manages nodes in the background |
//! | `etsi_qkd` | calls clients as an SAE would |
//! | `bench` | puts a load on a running cluster, and measures it |
//! | `demo` | shows a cluster at work, in one process |
//! | `convert` | converts a topology of dske-python |
//! | `nodes` | the nodes that a command is about |
//! | `mgmt` | calls the management routes of nodes |
//! | `run_file` | the run state of a node, which is right even after a crash |
//! | `print` | colours, tables and progress |

mod bench;
mod convert;
mod demo;
mod descriptors;
mod error;
mod etsi_qkd;
mod mgmt;
mod nodes;
mod print;
mod run;
mod run_file;
mod start;
mod status;
mod stop;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use dske::protocol::{KeyId, NodeName, SaeId};
use dske::topology::{Role, Topology};

use error::CliError;
use nodes::Selection;

/// The system's allocator gives large buffers back after each use, and the system has to clear every page of them again.
/// With keys of 1 Mbit, that would cost more than the protocol.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLES: &str = "\
Examples:
  dske demo                                        a first look: no files, no ports, two seconds
  dske start                                       start all nodes of topology.toml in the background
  dske status                                      show the state of all nodes
  dske etsi-qkd carol celia get-key-pair           get a key for SAE carol and SAE celia
  dske bench                                       measure keys per second and latency
  dske stop --hub hank                             stop one hub; the others still suffice for keys
  dske stop                                        stop all nodes
  dske --topology lab.toml hub hank                run one hub of another topology in the foreground

SAEs call a client over ETSI GS QKD 014, for example:
  curl -H 'Authorization: carol' http://127.0.0.1:8105/api/v1/keys/celia/enc_keys

Exit code: 0 on success, 1 on failure, 2 for bad usage or a bad topology file.";

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
    /// Restrict start, stop and status to this client; may be repeated.
    #[arg(
        long = "client",
        id = "only_client",
        global = true,
        value_name = "NAME"
    )]
    clients: Vec<NodeName>,
    /// Restrict start, stop and status to this hub; may be repeated.
    #[arg(long = "hub", id = "only_hub", global = true, value_name = "NAME")]
    hubs: Vec<NodeName>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start nodes in the background, hubs first, and wait until they are ready.
    Start,
    /// Stop nodes, in reverse order, and wait until they are gone.
    Stop,
    /// Show the state of nodes; exit code 1 if one is not running.
    Status {
        /// Print what the management routes return, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Call clients over ETSI GS QKD 014, as SAEs would.
    EtsiQkd(EtsiQkd),
    /// Measure how many keys per second a running cluster sets up, and how long they take.
    Bench(bench::Bench),
    /// Show a cluster at work, with hubs that fail; it needs no files and no ports.
    Demo,
    /// Check a topology file, or convert one.
    Topology {
        #[command(subcommand)]
        command: TopologyCommand,
    },
    /// Run one hub in the foreground, until Ctrl-C, SIGTERM or a call to its stop route.
    Hub {
        /// Its name in the topology.
        name: NodeName,
    },
    /// Run one client (KME) in the foreground, until Ctrl-C, SIGTERM or a call to its stop route.
    Client {
        /// Its name in the topology.
        name: NodeName,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        #[arg(value_parser = ["bash", "zsh", "fish"])]
        shell: String,
    },
}

#[derive(Debug, Subcommand)]
enum TopologyCommand {
    /// Print what the topology file describes, or what is wrong with it.
    Check,
    /// Convert a topology of dske-python (YAML) to a topology file (TOML).
    Convert {
        /// The YAML file.
        yaml: PathBuf,
        /// Write to this file, which must not exist yet, instead of standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct EtsiQkd {
    /// The master SAE, which asks for new keys.
    master: SaeId,
    /// The slave SAE, which gets the same keys by their IDs.
    slave: SaeId,
    /// Bits of each key [default: what the topology says].
    #[arg(long, global = true, value_name = "BITS")]
    size: Option<usize>,
    /// Number of keys [default: 1].
    #[arg(long, global = true, value_name = "N")]
    number: Option<usize>,
    /// A further slave SAE for the same keys; may be repeated.
    #[arg(long, global = true, value_name = "SAE")]
    also: Vec<SaeId>,
    #[command(subcommand)]
    call: EtsiCall,
}

#[derive(Debug, Subcommand)]
enum EtsiCall {
    /// Get status, as the master.
    Status,
    /// Get key, as the master.
    GetKey,
    /// Get key with key IDs, as the slave.
    GetKeyWithKeyIds {
        /// The keys' IDs.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<KeyId>,
    },
    /// Get keys as the master, then the same keys as each slave, and compare them.
    GetKeyPair,
}

fn main() -> ExitCode {
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
            print::error(&error);
            error.exit_code()
        }
    }
}

fn execute(cli: &Cli) -> Result<(), CliError> {
    let selection = Selection {
        hubs: &cli.hubs,
        clients: &cli.clients,
    };
    let manages = matches!(
        cli.command,
        Command::Start | Command::Stop | Command::Status { .. }
    );
    if !manages && !selection.is_everything() {
        return Err(CliError::SelectionUnused);
    }
    // Read only by the commands that need it: the demonstration and a conversion need none.
    let topology = || Topology::read(&cli.topology);
    match &cli.command {
        Command::Start => start::start(&cli.topology, &topology()?, &selection),
        Command::Stop => stop::stop(&topology()?, &selection),
        Command::Status { json } => status::status(&topology()?, &selection, *json),
        Command::EtsiQkd(call) => etsi_qkd::call(&topology()?, call),
        Command::Bench(options) => bench::bench(&topology()?, options),
        Command::Demo => demo::demo(),
        Command::Topology { command } => match command {
            TopologyCommand::Check => {
                print::summary(&cli.topology, &topology()?);
                Ok(())
            }
            TopologyCommand::Convert { yaml, out } => convert::convert(yaml, out.as_deref()),
        },
        Command::Hub { name } => {
            let topology = topology()?;
            run::hub(&topology, nodes::find(&topology, Role::Hub, name)?)
        }
        Command::Client { name } => {
            let topology = topology()?;
            run::client(&topology, nodes::find(&topology, Role::Client, name)?)
        }
        Command::Completions { shell } => {
            completions(shell);
            Ok(())
        }
    }
}

fn completions(shell: &str) {
    let shell = match shell {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        _ => Shell::Fish,
    };
    clap_complete::generate(shell, &mut Cli::command(), "dske", &mut std::io::stdout());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_may_stand_before_or_after_the_command() {
        for line in [
            "dske --topology x.toml --hub hank start",
            "dske start --topology x.toml --hub hank",
            "dske --hub hank start --topology x.toml",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.topology, PathBuf::from("x.toml"), "{line}");
            assert_eq!(cli.hubs, ["hank".parse().unwrap()], "{line}");
        }
        for line in [
            "dske etsi-qkd carol celia --size 128 get-key",
            "dske etsi-qkd carol celia get-key --size 128",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Command::EtsiQkd(call) = cli.command else {
                panic!("{line}")
            };
            assert_eq!(call.size, Some(128), "{line}");
        }
    }
}

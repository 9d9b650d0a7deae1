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
//! | `condition` | how it is with a node |
//! | `turn` | keeps `start` and `stop` apart |
//! | `log` | the log of a node |
//! | `mgmt` | calls the management routes of nodes |
//! | `run_file` | the run state of a node, which is right even after a crash |
//! | `pki` | a CA for tests |
//! | `tls` | certificates of nodes, and of those who call them |
//! | `print` | colours, tables and progress |

mod bench;
mod condition;
mod convert;
mod demo;
mod descriptors;
mod error;
mod etsi_qkd;
mod log;
mod mgmt;
mod nodes;
mod pki;
mod print;
mod run;
mod run_file;
mod start;
mod status;
mod stop;
mod tls;
mod turn;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use dske::protocol::{KeyId, NodeName, SaeId};
use dske::topology::{Role, TopologyError};

use error::CliError;
use nodes::{Selection, Site};

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
    #[command(flatten)]
    only: Only,
    #[command(subcommand)]
    command: Command,
}

/// These options may stand before or after the command, and appear only in the help of the commands that take them.
#[derive(Debug, Args)]
struct Only {
    /// Restrict start, stop and status to this client; may be repeated.
    #[arg(long = "client", id = "only_client", value_name = "NAME")]
    clients: Vec<NodeName>,
    /// Restrict start, stop and status to this hub; may be repeated.
    #[arg(long = "hub", id = "only_hub", value_name = "NAME")]
    hubs: Vec<NodeName>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start nodes in the background, hubs first, and wait until they are ready.
    Start(Only),
    /// Stop nodes, in reverse order, and wait until they are gone.
    Stop(Only),
    /// Show the state of nodes; exit code 1 if one is not running.
    Status {
        #[command(flatten)]
        only: Only,
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
    /// Make certificates for a test, and look after them: nodes with [tls] in their topology know everybody by certificate.
    Pki {
        #[command(subcommand)]
        command: pki::Pki,
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
    #[command(flatten)]
    keys: Keys,
    #[command(subcommand)]
    call: EtsiCall,
}

/// What is asked of Get key. May stand before or after the call.
#[derive(Debug, Args)]
struct Keys {
    /// Bits of each key [default: what the topology says].
    #[arg(long, value_name = "BITS")]
    size: Option<usize>,
    /// Number of keys [default: 1].
    #[arg(long, value_name = "N")]
    number: Option<usize>,
    /// A further slave SAE for the same keys; may be repeated.
    #[arg(long, value_name = "SAE")]
    also: Vec<SaeId>,
}

#[derive(Debug, Subcommand)]
enum EtsiCall {
    /// Get status, as the master.
    Status,
    /// Get key, as the master.
    GetKey(Keys),
    /// Get key with key IDs, as the slave.
    GetKeyWithKeyIds {
        /// The keys' IDs.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<KeyId>,
    },
    /// Get keys as the master, then the same keys as each slave, and compare them.
    GetKeyPair(Keys),
}

fn main() -> ExitCode {
    let code = match execute(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::error(&error);
            error.exit_code()
        }
    };
    dske_testbed::print::end(code)
}

fn execute(cli: &Cli) -> Result<(), CliError> {
    let before = &cli.only;
    if !before.selects().is_everything()
        && !matches!(
            cli.command,
            Command::Start(_) | Command::Stop(_) | Command::Status { .. }
        )
    {
        return Err(CliError::SelectionUnused);
    }
    // Read only by the commands that need it: the demonstration and a conversion need none.
    let site = || Site::read(&cli.topology);
    match &cli.command {
        Command::Start(only) => start::start(&site()?, &before.and(only)),
        Command::Stop(only) => stop::stop(&site()?, &before.and(only)),
        Command::Status { only, json } => status::status(&site()?, &before.and(only), *json),
        Command::EtsiQkd(call) => etsi_qkd::call(&site()?.topology, call),
        Command::Bench(options) => bench::bench(&site()?.topology, options),
        Command::Demo => demo::demo(),
        Command::Topology { command } => match command {
            TopologyCommand::Check => {
                print::summary(&cli.topology, &site()?.topology);
                Ok(())
            }
            TopologyCommand::Convert { yaml, out } => convert::convert(yaml, out.as_deref()),
        },
        Command::Pki { command } => pki::pki(&cli.topology, command),
        Command::Hub { name } => run_node(&site, Role::Hub, name),
        Command::Client { name } => run_node(&site, Role::Client, name),
        Command::Completions { shell } => {
            completions(shell);
            Ok(())
        }
    }
}

fn run_node(
    site: &dyn Fn() -> Result<Site, TopologyError>,
    role: Role,
    name: &NodeName,
) -> Result<(), CliError> {
    // First of all, so that whatever goes wrong is in the log.
    let log = log::Log::start().map_err(|(path, reason)| CliError::File {
        path,
        what: "the log cannot be written; DSKE_LOG_FILE names it",
        reason,
    })?;
    let site = site()?;
    let node = nodes::find(&site.topology, role, name)?;
    let result = match role {
        Role::Hub => run::hub(&site, node),
        Role::Client => run::client(&site, node),
    };
    log.flush();
    result
}

impl Only {
    fn selects(&self) -> Selection<'_> {
        Selection {
            hubs: self.hubs.iter().collect(),
            clients: self.clients.iter().collect(),
        }
    }

    /// What stands before the command, and what stands after it.
    fn and<'a>(&'a self, other: &'a Self) -> Selection<'a> {
        Selection {
            hubs: self.hubs.iter().chain(&other.hubs).collect(),
            clients: self.clients.iter().chain(&other.clients).collect(),
        }
    }
}

fn completions(shell: &str) {
    let shell = match shell {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        _ => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dske", &mut script);
    dske_testbed::print!("{}", String::from_utf8_lossy(&script));
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
            let Command::Start(only) = &cli.command else {
                panic!("{line}")
            };
            let selection = cli.only.and(only);
            assert_eq!(selection.hubs, [&"hank".parse().unwrap()], "{line}");
        }
        for line in [
            "dske etsi-qkd carol celia --size 128 get-key",
            "dske etsi-qkd carol celia get-key --size 128",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Command::EtsiQkd(call) = cli.command else {
                panic!("{line}")
            };
            let EtsiCall::GetKey(after) = &call.call else {
                panic!("{line}")
            };
            assert_eq!(call.keys.size.or(after.size), Some(128), "{line}");
        }
    }
}

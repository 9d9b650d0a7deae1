//! Puts a load on a running cluster, and prints what was measured.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use dske::protocol::SaeId;
use dske::topology::Topology;
use dske_testbed::load::{Arrivals, Load, LoadReport, Pair, run_until};
use dske_testbed::{eprintln, print, println};

use super::CliError;
use super::print::{BAD, spinner};
use super::tls;

mod table;

const EXAMPLES: &str = "\
Examples:
  dske bench                                       32 concurrent operations of one key each, for ten seconds
  dske bench --concurrency 1                       one operation at a time: the latency without other load
  dske bench --number 128                          128 keys in each call
  dske bench --size 65536 --pair carol:celia       large keys for one pair of SAEs
  dske bench --rate 1000 --duration 60             start 1,000 operations per second, for a minute
  dske bench --json - 2>/dev/null | jq .keys_per_s

An operation is Get key as the master and Get key with key IDs as the slave; both must get the same keys.
docs/bench.md explains every figure. Ctrl-C ends the measurement early.

Exit code: 0 if every operation succeeded, 1 if one failed or nothing could be measured, 2 for bad usage.";

/// Options of `dske bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bench {
    /// A pair of SAEs that get keys; may be repeated [default: every client's first SAE with that of the next client].
    #[arg(long = "pair", value_name = "MASTER:SLAVE", value_parser = pair)]
    pairs: Vec<Pair>,
    /// Closed loop: the number of concurrent operations; each one that ends is followed by the next.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 32,
        allow_negative_numbers = true
    )]
    concurrency: usize,
    /// Open loop: the number of operations started each second, even if earlier ones have not ended.
    #[arg(
        long,
        value_name = "PER_S",
        conflicts_with = "concurrency",
        allow_negative_numbers = true
    )]
    rate: Option<f64>,
    /// With --rate: the most operations in flight; one that is due beyond them counts as an error.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        requires = "rate",
        allow_negative_numbers = true
    )]
    in_flight_max: usize,
    /// Bits of each key [default: what the topology says].
    #[arg(long, value_name = "BITS", allow_negative_numbers = true)]
    size: Option<usize>,
    /// Keys in each call.
    #[arg(
        long,
        value_name = "KEYS",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    number: usize,
    /// How long the load runs before anything is counted.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, allow_negative_numbers = true)]
    warm_up: Duration,
    /// How long to measure.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, allow_negative_numbers = true)]
    duration: Duration,
    /// Write all measurements to this file as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Exit with 0 even if operations failed, as long as some succeeded and no keys were wrong.
    #[arg(long)]
    allow_errors: bool,
}

fn pair(text: &str) -> Result<Pair, String> {
    let (master, slave) = text
        .split_once(':')
        .ok_or("a pair is two SAEs, such as carol:celia")?;
    let sae = |name: &str| -> Result<SaeId, String> {
        let sae = name.parse();
        sae.map_err(|e: dske::protocol::names::NameError| format!("{name:?}: {e}"))
    };
    Ok(Pair {
        master: sae(master)?,
        slave: sae(slave)?,
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "it must be a number of seconds, such as 10 or 0.5")?;
    Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())
}

pub(super) fn bench(topology: &Topology, options: &Bench) -> Result<(), CliError> {
    let load = options.load(topology);
    // Opened before the run, so that no measurement is lost because its file cannot be written.
    let json = options.json.as_deref().map(Json::open).transpose()?;
    let report = measure(topology, &load)?;
    let shown = table::show(&report);
    match &json {
        // Standard output may be piped: it must hold JSON alone.
        Some(Json::Stdout) => eprintln!("{}", shown.trim_end()),
        Some(Json::File(..)) | None => print!("{shown}"),
    }
    if let Some(warning) = table::warning(&report) {
        eprintln!("{BAD}warning{BAD:#}: {warning}");
    }
    if let Some(json) = json {
        json.write(&report)?;
    }
    verdict(&report, options.allow_errors)
}

fn measure(topology: &Topology, load: &Load) -> Result<LoadReport, CliError> {
    let total = load.warm_up + load.duration;
    let spinner = spinner(format!(
        "measuring, {} s; Ctrl-C ends it early",
        total.as_secs_f64()
    ));
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("Stopping; waiting for the operations in flight");
        } else {
            // Ctrl-C cannot be noticed here: the measurement goes on until its time is over.
            std::future::pending().await
        }
    };
    let http = tls::clients(topology, load.at_once());
    let report = actix_rt::System::new().block_on(run_until(topology, load, http, interrupt));
    spinner.finish_and_clear();
    Ok(report?)
}

/// Wrong keys are never tolerated, and a run without a single success has measured nothing.
fn verdict(report: &LoadReport, allow_errors: bool) -> Result<(), CliError> {
    let failed = report.errors_total();
    if report.mismatches > 0 {
        Err(CliError::WrongKeys(report.mismatches))
    } else if report.both.count == 0 {
        Err(CliError::NothingMeasured(failed))
    } else if failed > 0 && !allow_errors {
        Err(CliError::OperationsFailed {
            failed,
            all: failed + report.both.count,
        })
    } else {
        Ok(())
    }
}

impl Bench {
    fn load(&self, topology: &Topology) -> Load {
        let pairs = match self.pairs.as_slice() {
            [] => Pair::ring(topology),
            pairs => pairs.to_vec(),
        };
        let arrivals = match self.rate {
            Some(per_second) => Arrivals::Open {
                per_second,
                in_flight_max: self.in_flight_max,
            },
            None => Arrivals::Closed {
                concurrency: self.concurrency,
            },
        };
        Load {
            pairs,
            arrivals,
            size_bits: self.size.unwrap_or(topology.keys.default_bits),
            keys_per_call: self.number,
            warm_up: self.warm_up,
            duration: self.duration,
        }
    }
}

/// Where the report is written to.
enum Json {
    Stdout,
    File(PathBuf, File),
}

impl Json {
    fn open(path: &Path) -> Result<Self, CliError> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        // An older report is kept until there is a new one to replace it with.
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|reason| unwritable(path, reason))?;
        Ok(Self::File(path.to_owned(), file))
    }

    fn write(self, report: &LoadReport) -> Result<(), CliError> {
        let json = serde_json::to_string_pretty(report).map_err(std::io::Error::from);
        let (path, written) = match self {
            Self::Stdout => {
                let shown = json.map(|json| println!("{json}"));
                (PathBuf::from("standard output"), shown)
            }
            Self::File(path, mut file) => {
                let written = json.and_then(|json| {
                    // A device or a pipe has no length.
                    if file.metadata()?.is_file() {
                        file.set_len(0)?;
                    }
                    writeln!(file, "{json}")
                });
                (path, written)
            }
        };
        written.map_err(|reason| unwritable(&path, reason))
    }
}

fn unwritable(path: &Path, reason: std::io::Error) -> CliError {
    CliError::File {
        path: path.to_owned(),
        what: "cannot be written; name another file with --json",
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_two_saes() {
        let carol_celia = pair("carol:celia").unwrap();
        assert_eq!(carol_celia.master, "carol".parse().unwrap());
        assert_eq!(carol_celia.slave, "celia".parse().unwrap());
        for text in ["carol", "", ":", "carol:", "carol:c d", "a:b:c"] {
            assert!(pair(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_a_number_of_seconds() {
        assert_eq!(seconds("0.25").unwrap(), Duration::from_millis(250));
        for text in ["", "-1", "NaN", "inf", "1e300", "1s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}

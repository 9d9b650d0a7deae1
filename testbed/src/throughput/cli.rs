//! The command: `cargo bench --bench throughput`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use dske_report::check_writable;

use super::lab::Programs;
use super::plan::Part;
use super::report::write;
use super::{Sweep, bare, run};
use crate::eprintln;
use crate::measure::cli::{Common, command, finish};

/// Measures clusters of real processes, and writes throughput.html, throughput.json and CSV files.
#[derive(Debug, Parser)]
#[command(name = "throughput", disable_version_flag = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// Measure these parts only
    #[arg(long, value_name = "PART", num_args = 1..)]
    only: Vec<Part>,
}

/// The command, with the path of the `dske` command that it measures.
#[must_use]
pub fn main(dske: &Path) -> ExitCode {
    let mut args = std::env::args_os();
    if args.nth(1).is_some_and(|first| first == bare::ARGUMENT) {
        return match bare::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => finish(Err(error)),
        };
    }
    // Clap ends the process with 2 where options cannot be understood.
    finish(measure(Options::parse(), dske))
}

fn measure(options: Options, dske: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let Options { common, only } = options;
    check_writable(&common.out)?;
    let this = std::env::current_exe();
    let sweep = Sweep {
        extent: common.extent(),
        parts: if only.is_empty() {
            Part::value_variants().to_vec()
        } else {
            only
        },
        command: command("throughput", std::env::args_os().skip(1)),
        programs: Programs {
            dske: dske.to_owned(),
            bare: this.map_err(|error| format!("this program cannot find itself: {error}"))?,
        },
    };
    let data = actix_rt::System::new().block_on(run(&sweep, |line| eprintln!("{line}")))?;
    Ok(write(&common.out, &data)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(["throughput"].iter().chain(args))
    }

    #[test]
    fn parts_are_chosen_by_name_and_the_flag_of_cargo_is_ignored() {
        let options = parse(&["--quick", "--only", "limit", "key-size", "--bench"]).unwrap();
        assert_eq!(options.only, [Part::Limit, Part::KeySize]);
        assert!(parse(&["--bench"]).unwrap().only.is_empty());
    }

    #[test]
    fn an_unknown_part_is_refused_with_the_known_ones() {
        let error = parse(&["--only", "speed"]).unwrap_err().to_string();
        for part in Part::value_variants() {
            assert!(error.contains(&part.name()), "{error}");
        }
        assert!(parse(&["--fast"]).is_err());
    }
}

//! The command: `cargo bench --bench throughput`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use super::lab::{LabError, Programs};
use super::plan::{Extent, Part};
use super::report::write;
use super::{Sweep, bare, run};
use dske_report::{ReportError, check_writable};

/// Measures what a cluster of real processes does, and writes throughput.html, throughput.json and CSV files.
#[derive(Debug, Parser)]
#[command(name = "throughput", disable_version_flag = true)]
struct Options {
    /// A minute in place of six: enough to see that everything works, not for figures
    #[arg(long)]
    quick: bool,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Measure these parts only
    #[arg(long, value_name = "PART", num_args = 1..)]
    only: Vec<Part>,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("this program cannot find itself: {0}")]
    Itself(std::io::Error),
}

/// The command, with the `dske` command that it measures.
#[must_use]
pub fn main(dske: &Path) -> ExitCode {
    let mut args = std::env::args_os();
    if args.nth(1).is_some_and(|first| first == bare::ARGUMENT) {
        return match bare::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        };
    }
    // Clap ends the process with 2 where options cannot be understood.
    let options = Options::parse();
    match measure(&options, dske) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn measure(options: &Options, dske: &Path) -> Result<(), Failure> {
    check_writable(&options.out)?;
    let sweep = Sweep {
        extent: if options.quick {
            Extent::Quick
        } else {
            Extent::Full
        },
        parts: match options.only.as_slice() {
            [] => Part::ALL.to_vec(),
            some => some.to_vec(),
        },
        command: command(std::env::args_os().skip(1)),
        programs: Programs {
            dske: dske.to_owned(),
            bare: std::env::current_exe().map_err(Failure::Itself)?,
        },
    };
    let data = actix_rt::System::new().block_on(run(&sweep, |line| eprintln!("{line}")))?;
    println!("report: {}", write(&options.out, &data)?.display());
    Ok(())
}

/// What to type to measure the same again.
fn command(args: impl Iterator<Item = OsString>) -> String {
    let args: Vec<String> = args
        .map(|arg| arg.to_string_lossy().into_owned())
        .filter(|arg| arg != "--bench")
        .collect();
    let all = ["cargo bench --bench throughput", "--"].map(str::to_owned);
    let all = all.into_iter().take(if args.is_empty() { 1 } else { 2 });
    all.chain(args).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(["throughput"].iter().chain(args))
    }

    #[test]
    fn parts_are_chosen_by_name_and_what_cargo_adds_is_passed_over() {
        let options = parse(&["--quick", "--only", "limit", "key-size", "--bench"]).unwrap();
        assert!(options.quick);
        assert_eq!(options.only, [Part::Limit, Part::KeySize]);
        assert!(parse(&["--bench"]).unwrap().only.is_empty());
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_there_is() {
        let error = parse(&["--only", "speed"]).unwrap_err().to_string();
        for part in Part::ALL {
            assert!(error.contains(&part.name()), "{error}");
        }
        assert!(parse(&["--fast"]).is_err());
    }

    #[test]
    fn the_command_in_the_report_measures_the_same() {
        let of = |args: &[&str]| command(args.iter().map(OsString::from));
        assert_eq!(of(&["--bench"]), "cargo bench --bench throughput");
        assert_eq!(
            of(&["--quick", "--bench"]),
            "cargo bench --bench throughput -- --quick"
        );
    }
}

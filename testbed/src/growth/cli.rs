//! The command: `cargo bench --bench growth`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use super::report::write;
use super::{Extent, GrowthError, run};
use dske_report::{ReportError, check_writable};

/// Measures what more hubs, clients, shares and PSRD cost, and writes growth.html, growth.json and CSV files.
#[derive(Debug, Parser)]
#[command(name = "growth", disable_version_flag = true)]
struct Options {
    /// Seconds in place of minutes: enough to see that everything works, not for figures
    #[arg(long)]
    quick: bool,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Growth(#[from] GrowthError),
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// The command, with the `dske` command that it measures.
#[must_use]
pub fn main(dske: &Path) -> ExitCode {
    // Clap ends the process with 2 where options cannot be understood.
    match measure(&Options::parse(), dske) {
        Ok(page) => {
            println!("report: {}", page.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options, dske: &Path) -> Result<PathBuf, Failure> {
    check_writable(&options.out)?;
    let (extent, command) = if options.quick {
        (Extent::Quick, "cargo bench --bench growth -- --quick")
    } else {
        (Extent::Full, "cargo bench --bench growth")
    };
    let growth = run(extent, command, dske, |line| eprintln!("{line}"));
    let growth = actix_rt::System::new().block_on(growth)?;
    Ok(write(&options.out, &growth)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_adds_is_passed_over_and_what_is_not_there_is_refused() {
        let parse = |args: &[&str]| Options::try_parse_from(["growth"].iter().chain(args));
        assert!(parse(&["--quick", "--bench"]).unwrap().quick);
        assert!(!parse(&["--bench"]).unwrap().quick);
        assert!(parse(&["--fast"]).is_err());
    }
}

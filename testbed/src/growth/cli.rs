//! The command: `cargo bench --bench growth`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use dske_report::check_writable;

use super::report::write;
use super::run;
use crate::eprintln;
use crate::measure::cli::{Common, command, finish};

/// Measures the cost of more hubs, clients, shares and PSRD, and writes growth.html, growth.json and CSV files.
#[derive(Debug, Parser)]
#[command(name = "growth", disable_version_flag = true)]
struct Options {
    #[command(flatten)]
    common: Common,
}

/// The command, with the path of the `dske` command that it measures.
#[must_use]
pub fn main(dske: &Path) -> ExitCode {
    // Clap ends the process with 2 where options cannot be understood.
    finish(measure(&Options::parse().common, dske))
}

fn measure(options: &Common, dske: &Path) -> Result<PathBuf, Box<dyn Error>> {
    check_writable(&options.out)?;
    let command = command("growth", std::env::args_os().skip(1));
    let growth = run(options.extent(), &command, dske, |line| eprintln!("{line}"));
    let growth = actix_rt::System::new().block_on(growth)?;
    Ok(write(&options.out, &growth)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Extent;

    #[test]
    fn the_flag_of_cargo_is_ignored_and_an_unknown_one_is_refused() {
        let parse = |args: &[&str]| Options::try_parse_from(["growth"].iter().chain(args));
        let extent = |args: &[&str]| parse(args).unwrap().common.extent();
        assert_eq!(extent(&["--quick", "--bench"]), Extent::Quick);
        assert_eq!(extent(&["--bench"]), Extent::Full);
        assert!(parse(&["--fast"]).is_err());
        let help = parse(&["--help"]).unwrap_err().to_string();
        assert!(help.starts_with("Measures the cost of more hubs"), "{help}");
    }
}

//! The options of both commands, and how the commands end.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use super::Extent;
use crate::{eprintln, println};

/// The options of every measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Take about a tenth of the time: enough to see that everything works, not for figures to quote
    #[arg(long)]
    quick: bool,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(crate) out: PathBuf,
    /// The flag that cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

impl Common {
    pub(crate) fn extent(&self) -> Extent {
        if self.quick {
            Extent::Quick
        } else {
            Extent::Full
        }
    }
}

/// The command line that measures the same again.
pub(crate) fn command(bench: &str, args: impl Iterator<Item = OsString>) -> String {
    let args: Vec<String> = args
        .map(|arg| arg.to_string_lossy().into_owned())
        .filter(|arg| arg != "--bench")
        .collect();
    let separator = if args.is_empty() { "" } else { " -- " };
    format!("cargo bench --bench {bench}{separator}{}", args.join(" "))
}

/// Reports where the page is, or why there is none.
pub(crate) fn finish(result: Result<PathBuf, impl Display>) -> ExitCode {
    match result {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_in_the_report_measures_the_same() {
        let of = |args: &[&str]| command("growth", args.iter().map(OsString::from));
        assert_eq!(of(&["--bench"]), "cargo bench --bench growth");
        assert_eq!(
            of(&["--quick", "--bench"]),
            "cargo bench --bench growth -- --quick"
        );
    }
}

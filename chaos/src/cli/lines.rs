//! `cargo chaos lines`.

use std::path::{Path, PathBuf};

use clap::Args;
use dske_report::check_writable;
use dske_report::text::{counted, percent};
use dske_testbed::println;

use super::CliError;
use crate::lines::judge;
use crate::tell::report::write_lines;

#[derive(Debug, Args)]
pub(super) struct LinesArgs {
    /// What `cargo llvm-cov --lcov` wrote while campaigns ran.
    #[arg(value_name = "LCOV")]
    lcov: PathBuf,
    /// Where `lines.html` and `lines.json` go.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

impl LinesArgs {
    /// Judges the lines, and prints those that nobody gave a reason for. Returns whether there are none.
    pub(super) fn run(&self) -> Result<bool, CliError> {
        check_writable(&self.out)?;
        let lines = judge(&self.lcov, Path::new("."))?;
        for (room, part) in &lines.rooms {
            let share = percent(part.reached, part.lines);
            println!("{room:12} {:>6} {share:>8}", part.lines);
        }
        let total = lines.total();
        let share = percent(total.reached, total.lines);
        println!("{:12} {:>6} {share:>8}", "all", total.lines);
        for one in lines.unexplained() {
            let not_reached = counted(one.lines.len() as u64, "line");
            println!(
                "NO REASON: src/{} {}: {not_reached}",
                one.file, one.function
            );
        }
        for reason in &lines.outdated {
            println!("OUT OF DATE: {reason} is reached, or does not exist");
        }
        println!("report: {}", write_lines(&self.out, &lines)?.display());
        Ok(lines.unexplained().next().is_none() && lines.outdated.is_empty())
    }
}

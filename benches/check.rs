//! Compares the current build with a revision: `cargo bench --bench check -- REV`. Explained in `docs/bench.md`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use dske_testbed::check::ratio::ROUNDS_MIN;
use dske_testbed::check::{CheckError, Options, compare};
use dske_testbed::{eprintln, println};

/// Compare the current build with a revision, side by side: ratios of keys a second, median latency, and CPU time for
/// each key, with 95 % confidence intervals.
///
/// Exit code: 0 if nothing is worse by more than the tolerance, 1 if something is worse or the comparison failed, 2 for bad
/// use.
#[derive(Debug, Parser)]
#[command(name = "bench-check", bin_name = "cargo bench --bench check --")]
struct Args {
    /// The revision, as git names it: a commit, a branch, a tag, HEAD~3. The default is the last commit.
    #[arg(default_value = "HEAD")]
    revision: String,
    /// Rounds for each scenario; each round measures both builds twice.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(i64::from(ROUNDS_MIN)..=1000))]
    rounds: u32,
    /// How long a build is measured at a time.
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = window)]
    window: Duration,
    /// How much worse a figure may be, in per cent.
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=100))]
    tolerance: u32,
    /// The flag that cargo passes to all benchmarks.
    #[arg(long, hide = true)]
    bench: bool,
}

fn window(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "it must be a number of seconds, such as 0.5")?;
    match (0.05..=60.0).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err("it must be 0.05 to 60 seconds".to_owned()),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let options = Options {
        revision: args.revision,
        root: Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        // This variable names a folder inside the target folder.
        target: Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(""),
        rounds: args.rounds,
        window: args.window,
    };
    let tolerance = f64::from(args.tolerance) / 100.0;
    match actix_rt::System::new().block_on(compare(&options)) {
        Ok(comparison) => {
            println!("{comparison}");
            if comparison.is_worse(tolerance) {
                eprintln!("error: worse by more than {} %", args.tolerance);
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                CheckError::Build(error) if error.is_bad_use() => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

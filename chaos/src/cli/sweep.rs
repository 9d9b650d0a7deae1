//! `cargo chaos sweep`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use dske_report::{ReportError, check_writable, replace};
use dske_testbed::{eprintln, println};

use super::{CliError, Ending, jobs, progress};
use crate::campaign::schedule;
use crate::explore::interrupt;
use crate::explore::sweep::{Broken, Options, Part, Violation, sweep};
use crate::outcome::panics;
use crate::plan::stream::SEED_MAX;
use crate::tell::report;

/// How much is swept, and where it goes.
#[derive(Debug, Clone, Args)]
pub(super) struct SweepArgs {
    /// Only these parts: map, collusion, latency, wan, recovery, psrd, cost.
    #[arg(value_name = "PART")]
    parts: Vec<String>,
    /// Keys, or runs, for each point of a figure.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Decides all that is drawn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=SEED_MAX))]
    seed: u64,
    /// Runs at the same time [default: one for each core].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where `sweep.html`, `sweep.json` and the directory `sweep` of CSV files go.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

/// Sweeps, and writes the report.
pub(super) fn run(args: &SweepArgs) -> Result<Ending, CliError> {
    let options = Options {
        samples: args.samples,
        seed: args.seed,
        jobs: jobs(args.jobs),
        parts: parts(&args.parts)?,
    };
    report::sweep::check_writable(&args.out)?;
    panics::capture();
    let started = tokio::time::Instant::now();
    interrupt::watch();
    let progress = progress("runs");
    let (mut result, broken) = sweep(&options, |part, done, of| {
        progress.set_prefix(part.name());
        progress.set_length(of as u64);
        progress.set_position(done as u64);
        if done == of && !std::io::stderr().is_terminal() {
            eprintln!("{}: {of} runs", part.name());
        }
    });
    progress.finish_and_clear();
    result.wall_seconds = started.elapsed().as_secs_f64();
    result.command = command(args);
    for broken in &broken {
        result.violations.push(violation(broken, &args.out)?);
    }
    let written = report::sweep::write(&args.out, &result)?;
    for violation in &result.violations {
        println!(
            "BROKEN: {} in part {}, at {}.{:03} s: {}\nREPLAY: cargo chaos replay {} --trace",
            violation.invariant,
            violation.part,
            violation.at_ms / 1000,
            violation.at_ms % 1000,
            violation.detail,
            violation.file
        );
    }
    for line in report::sweep::summary(&result) {
        println!("- {line}");
    }
    println!("report: {}", written.display());
    Ok(Ending::of(result.violations.is_empty()))
}

fn parts(names: &[String]) -> Result<Vec<Part>, CliError> {
    let named = names.iter().map(|name| {
        Part::named(name).ok_or_else(|| CliError::UnknownPart {
            name: name.clone(),
            known: Part::names(),
        })
    });
    let asked: Vec<Part> = named.collect::<Result<_, _>>()?;
    let all = Part::ALL.iter().copied();
    Ok(all
        .filter(|part| asked.is_empty() || asked.contains(part))
        .collect())
}

/// Saves a run that broke something as a schedule, which replays like any campaign.
fn violation(broken: &Broken, out: &Path) -> Result<Violation, ReportError> {
    let Broken { plan, violation } = broken;
    let about = format!(
        "Breaks {}: a run of part {} of the sweep.",
        violation.invariant(),
        plan.campaign
    );
    let directory = out.join("failures");
    let file = directory.join(format!("{}-{}.toml", plan.campaign, plan.seed));
    let file = match schedule::write(plan, &about, &[violation.detail()]) {
        Ok(text) => {
            check_writable(&directory)?;
            replace(&file, &text)?;
            file.display().to_string()
        }
        Err(_) => String::new(),
    };
    Ok(Violation {
        part: plan.campaign.clone(),
        seed: plan.seed,
        invariant: violation.invariant().to_owned(),
        at_ms: violation.at_ms,
        detail: violation.detail(),
        file,
    })
}

/// The command that gives the same numbers, but for where they go and how many runs are made at the same time.
fn command(args: &SweepArgs) -> String {
    let mut command = format!("cargo chaos sweep --samples {}", args.samples);
    command += &format!(" --seed {}", args.seed);
    for part in &args.parts {
        command += &format!(" {part}");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::shrink::testing;

    #[test]
    fn a_run_that_breaks_something_is_saved_as_a_schedule() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut plan = crate::campaign::load("calm").unwrap().plan(1);
        plan.campaign = "sweep-wan-cities".to_owned();
        plan.cluster.link_latency_ms = vec![vec![(1, 2), (3, 4)], vec![(5, 6)]];
        let broken = Broken {
            plan: plan.clone(),
            violation: testing::violation(1_234),
        };
        let violation = violation(&broken, dir.path()).unwrap();
        let name = format!("failures/sweep-wan-cities-{}.toml", plan.seed);
        assert_eq!(violation.file, dir.path().join(name).display().to_string());
        let campaign = crate::campaign::load(&violation.file).unwrap();
        assert_eq!(campaign.plan(0), plan);
        assert!(campaign.about.starts_with("Breaks agreement"));
    }

    #[test]
    fn parts_come_in_the_order_of_the_report_and_each_once() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(parts(&[]).unwrap(), Part::ALL);
        let asked = parts(&names(&["cost", "map", "cost"])).unwrap();
        assert_eq!(asked, [Part::Map, Part::Cost]);
        assert!(parts(&names(&["mop"])).is_err());
    }
}

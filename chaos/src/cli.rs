//! The `cargo chaos` command line.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use dske::harness::Canary;

use crate::campaign::{self, Campaign, CampaignError};
use crate::plan::stream::SEED_MAX;
use crate::report::{self, ReportError};
use crate::run::{RunOptions, run};
use crate::runner::{capture_panics, run_seeds};
use crate::selftest;
use crate::summarize::{boundary, merge_boundary, summarize};
use crate::summary::{CampaignSummary, Resilience};
use crate::table;

const EXAMPLES: &str = "\
Examples:
  cargo chaos                                    run all campaigns, write reports/index.html
  cargo chaos list                               what each campaign does
  cargo chaos run storm --seeds 200              more seeds of one campaign
  cargo chaos run my/own.toml --out my/reports   a campaign of your own
  cargo chaos replay storm --seed 17 --trace     the timeline of one run
  cargo chaos selftest                           are bugs seen that are planted on purpose?

Exit code: 0 if all invariants held, 1 if one broke, 2 for bad use or a bad campaign file.";

/// Runs campaigns of faults and lying hubs against simulated DSKE clusters, judges them, and writes a report.
#[derive(Debug, Parser)]
#[command(name = "cargo chaos", bin_name = "cargo chaos", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    sweep: Sweep,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the campaigns.
    List,
    /// Run campaigns by name, or from files.
    Run {
        /// Names, or paths of files that end in .toml.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        sweep: Sweep,
    },
    /// Plant bugs in the nodes on purpose, one at a time, and show which invariant sees each.
    Selftest {
        /// Only these bugs.
        #[arg(value_name = "CANARY")]
        names: Vec<String>,
        /// Runs that a bug may take to be seen.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        runs: u64,
        /// Runs at the same time [default: one for each core].
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
        jobs: Option<u16>,
        /// Where `selftest.json` goes.
        #[arg(long, value_name = "DIR", default_value = "reports")]
        out: PathBuf,
    },
    /// Run one seed of a campaign again, and show what happens.
    Replay {
        /// Name, or path of a file that ends in .toml.
        name: String,
        /// The seed.
        #[arg(long, value_parser = clap::value_parser!(u64).range(..=SEED_MAX))]
        seed: u64,
        /// Show every message, not only calls, faults, lies and the verdict.
        #[arg(long)]
        trace: bool,
    },
}

#[derive(Debug, Clone, Args)]
struct Sweep {
    /// Seeds of each campaign [default: what the campaign says; 1 with --seed].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seeds: Option<u64>,
    /// First seed [default: 1].
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=SEED_MAX - 1_000_000))]
    seed: Option<u64>,
    /// Runs at the same time [default: one for each core].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{name}: there is no such canary; there are {}", .known.join(", "))]
    UnknownCanary {
        name: String,
        known: Vec<&'static str>,
    },
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => sweep(campaign::names().map(str::to_owned).collect(), &cli.sweep),
        Some(Command::List) => list(),
        Some(Command::Run {
            names,
            sweep: options,
        }) => sweep(names, &options),
        Some(Command::Selftest {
            names,
            runs,
            jobs,
            out,
        }) => self_test(&names, runs, jobs, &out),
        Some(Command::Replay { name, seed, trace }) => replay(&name, seed, trace),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn list() -> Result<bool, CliError> {
    for name in campaign::names() {
        let campaign = campaign::load(name)?;
        println!("{name} ({} seeds)", campaign.seeds.get_ref());
        println!("    {}", campaign.about);
    }
    Ok(true)
}

fn sweep(names: Vec<String>, options: &Sweep) -> Result<bool, CliError> {
    let campaigns = names
        .iter()
        .map(|name| campaign::load(name))
        .collect::<Result<Vec<_>, _>>()?;
    // Before anything runs: minutes of work must not be lost to a wrong path.
    report::check_writable(&options.out)?;
    capture_panics();
    let started = tokio::time::Instant::now();
    let mut resilience = Resilience {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: command(&names, options),
        ..Resilience::default()
    };
    let mut points = Vec::new();
    for campaign in &campaigns {
        let (summary, boundary) = run_campaign(campaign, options);
        table::print_violations(&summary);
        points.extend(boundary);
        resilience.campaigns.push(summary);
    }
    resilience.boundary = merge_boundary(points);
    resilience.wall_seconds = started.elapsed().as_secs_f64();
    table::print(&resilience);
    report::write(&options.out, &resilience)?;
    println!("report: {}", options.out.join("index.html").display());
    Ok(resilience.campaigns.iter().all(CampaignSummary::holds))
}

fn run_campaign(
    campaign: &Campaign,
    options: &Sweep,
) -> (CampaignSummary, Vec<crate::summary::BoundaryPoint>) {
    let first = options.seed.unwrap_or(1);
    let default = if options.seed.is_some() {
        1
    } else {
        *campaign.seeds.get_ref()
    };
    let seeds: Vec<u64> = (first..)
        .take(options.seeds.unwrap_or(default) as usize)
        .collect();
    let jobs = options.jobs.map_or_else(cores, usize::from);
    let progress = progress(&campaign.name, seeds.len() as u64, "seeds");
    let started = tokio::time::Instant::now();
    let (mut keys, mut broken) = (0, 0);
    let run = |plan: &crate::plan::Plan| run(plan, RunOptions::default());
    let outcomes = run_seeds(campaign, &seeds, jobs, run, |outcome| {
        keys += outcome.keys_fetched;
        broken += outcome.violations.len();
        progress.set_message(format!("{keys} keys, {broken} violations"));
        progress.inc(1);
    });
    progress.finish_and_clear();
    let summary = summarize(campaign, &outcomes, started.elapsed().as_secs_f64());
    if !std::io::stderr().is_terminal() {
        eprintln!(
            "{}: {} seeds, {} keys, {} violations",
            summary.name,
            summary.seeds,
            summary.keys_fetched,
            summary.violations.len()
        );
    }
    (summary, boundary(&outcomes))
}

fn self_test(
    names: &[String],
    runs_max: u64,
    jobs: Option<u16>,
    out: &std::path::Path,
) -> Result<bool, CliError> {
    let canaries = canaries(names)?;
    let campaigns = selftest::campaigns()?;
    report::check_writable(out)?;
    capture_panics();
    let jobs = jobs.map_or_else(cores, usize::from);
    let progress = progress("selftest", canaries.len() as u64, "canaries");
    println!("{}", table::canary_head());
    let mut all = Vec::with_capacity(canaries.len());
    for canary in canaries {
        progress.set_message(canary.name());
        let hunted = selftest::hunt(canary, &campaigns, runs_max, jobs);
        progress.suspend(|| println!("{}", table::canary(&hunted)));
        progress.inc(1);
        all.push(hunted);
    }
    progress.finish_and_clear();
    println!("{}", table::canary_verdict(&all));
    report::write_json(&out.join("selftest.json"), &all)?;
    Ok(all.iter().all(|hunted| hunted.caught.is_some()))
}

/// The canaries with these names; all of them if there is none.
fn canaries(names: &[String]) -> Result<Vec<Canary>, CliError> {
    if names.is_empty() {
        return Ok(Canary::ALL.to_vec());
    }
    let named = names.iter().map(|name| {
        let mut all = Canary::ALL.iter();
        let known = all.find(|canary| canary.name() == name);
        known.copied().ok_or_else(|| CliError::UnknownCanary {
            name: name.clone(),
            known: Canary::ALL.iter().map(|canary| canary.name()).collect(),
        })
    });
    named.collect()
}

fn replay(name: &str, seed: u64, trace: bool) -> Result<bool, CliError> {
    let campaign = campaign::load(name)?;
    capture_panics();
    let run = |plan: &crate::plan::Plan| {
        run(
            plan,
            RunOptions {
                keep_trace: true,
                ..RunOptions::default()
            },
        )
    };
    let outcomes = run_seeds(&campaign, &[seed], 1, run, |_| {});
    print!("{}", table::plan(&campaign.plan(seed)));
    for outcome in &outcomes {
        let wanted = |line: &&String| trace || table::is_essential(line);
        outcome
            .trace
            .iter()
            .filter(wanted)
            .for_each(|line| println!("{line}"));
    }
    let summary = summarize(&campaign, &outcomes, 0.0);
    table::print_violations(&summary);
    println!("{}", table::verdict(&summary));
    println!("digest {}", summary.digest);
    Ok(summary.holds())
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn command(names: &[String], options: &Sweep) -> String {
    let mut command = "cargo chaos".to_owned();
    if !names.iter().map(String::as_str).eq(campaign::names()) {
        command += &format!(" run {}", names.join(" "));
    }
    for (flag, value) in [("seeds", options.seeds), ("seed", options.seed)] {
        command += &value
            .map(|value| format!(" --{flag} {value}"))
            .unwrap_or_default();
    }
    command
}

fn progress(name: &str, length: u64, unit: &str) -> ProgressBar {
    let progress = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let template =
        format!("{{prefix:20}} [{{bar:30}}] {{pos}}/{{len}} {unit}, {{msg}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template);
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    progress.set_prefix(name.to_owned());
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_command_in_the_report_repeats_the_sweep() {
        let sweep = Sweep {
            seeds: Some(5),
            seed: Some(7),
            jobs: Some(2),
            out: PathBuf::from("x"),
        };
        assert_eq!(
            command(&["storm".to_owned()], &sweep),
            "cargo chaos run storm --seeds 5 --seed 7"
        );
        let all: Vec<String> = campaign::names().map(str::to_owned).collect();
        let sweep = Sweep {
            seeds: None,
            seed: None,
            ..sweep
        };
        assert_eq!(command(&all, &sweep), "cargo chaos");
    }
}

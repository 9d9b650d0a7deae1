//! The `cargo chaos` command line.

pub mod failures;
mod histories;
mod lines;
mod replay;
mod self_test;
mod shrinking;
mod soak;
mod sweep;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use dske_report::text::counted;
use dske_report::{ReportError, check_writable};
use dske_testbed::{eprintln, println};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::campaign::{self, Campaign, CampaignError, Plans, SeedError};
use crate::cli::failures::Failures;
use crate::cli::histories::Histories;
use crate::explore::interrupt;
use crate::explore::run::run;
use crate::explore::runner::run_seeds;
use crate::lines::LinesError;
use crate::outcome::{RunOutcome, panics};
use crate::plan::Plan;
use crate::plan::canary::UnknownCanary;
use crate::plan::stream::SEED_MAX;
use crate::summarize::{boundary, merge_boundary, summarize, violations};
use crate::summary::{CampaignSummary, Resilience};
use crate::tell::report;
use crate::tell::table;

const EXAMPLES: &str = "\
Examples:
  cargo chaos                                    run all campaigns, write reports/index.html
  cargo chaos list                               what each campaign does
  cargo chaos run storm --seeds 200              more seeds of one campaign
  cargo chaos run my/own.toml --out my/reports   a campaign of your own
  cargo chaos replay storm --seed 17 --trace     every message of one run
  cargo chaos replay storm --seed 17 --html x.html   the same as a page that draws it
  cargo chaos sweep                              how far things go: writes reports/sweep.html
  cargo chaos selftest                           are bugs seen that are planted on purpose?
  cargo chaos shrink storm --seed 17             reduce a run that breaks something
  cargo chaos soak --minutes 60                  search for what breaks for an hour

What breaks is shrunk to a schedule in reports/failures, which runs and replays like any campaign file. Beside it is a page
that shows it.

Ctrl-C and SIGTERM end run, sweep and soak in order: the runs that have begun are finished, and what was found is reported.

Exit code: 0 if all invariants held, 1 if one broke, 2 for bad use or a bad campaign file, 130 if nothing broke before an
interrupt.";

/// Runs campaigns of faults and lying hubs against simulated DSKE clusters, judges them, and writes a report.
#[derive(Debug, Parser)]
#[command(name = "cargo chaos", bin_name = "cargo chaos", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
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
        run: RunArgs,
    },
    /// Change one thing at a time and measure: where keys stop arriving, how long they take, what they cost.
    Sweep {
        #[command(flatten)]
        sweep: sweep::SweepArgs,
    },
    /// Plant bugs in the nodes on purpose, one at a time, and show which invariant sees each.
    Selftest(self_test::SelfTest),
    /// Show which lines of the nodes the campaigns reach, and why not the others. `just lines` makes the file.
    Lines(lines::LinesArgs),
    /// Draw runs for as long as you like: fresh seeds, and mutations of runs that came near something rare.
    Soak(soak::SoakArgs),
    /// Run one seed of a campaign again, and show what happens.
    Replay {
        /// Name, or path of a file that ends in .toml.
        name: String,
        /// The seed. A schedule has its own.
        #[arg(long, value_parser = clap::value_parser!(u64).range(..=SEED_MAX))]
        seed: Option<u64>,
        #[command(flatten)]
        show: replay::Show,
    },
    /// Run one seed, and reduce it to a small schedule for each invariant that breaks.
    Shrink {
        /// Name, or path of a file that ends in .toml.
        name: String,
        /// The seed. A schedule has its own.
        #[arg(long, value_parser = clap::value_parser!(u64).range(..=SEED_MAX))]
        seed: Option<u64>,
        /// Runs at the same time [default: one for each core].
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
        jobs: Option<u16>,
        /// Schedules go to the directory `failures` below it.
        #[arg(long, value_name = "DIR", default_value = "reports")]
        out: PathBuf,
    },
}

#[derive(Debug, Clone, Args)]
struct RunArgs {
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
    /// Do not reduce what breaks to small schedules.
    #[arg(long)]
    no_shrink: bool,
    /// A campaign that did not reach what it has to is a failure, too.
    #[arg(long)]
    strict: bool,
    /// Write the history of the calls of each run, for checkers of your own (docs/histories.md).
    #[arg(long, value_name = "DIR")]
    histories: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Campaign(#[from] CampaignError),
    #[error(transparent)]
    Seed(#[from] SeedError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{}: is a directory; name the file that the page is to be written to", .0.display())]
    PageIsDirectory(PathBuf),
    #[error(
        "{name}: is a negative control: it breaks {breaks} on purpose, and a soak would find nothing else; leave it out"
    )]
    Control { name: String, breaks: String },
    #[error(transparent)]
    Lines(#[from] LinesError),
    #[error(transparent)]
    UnknownCanary(#[from] UnknownCanary),
    #[error("{name}: there is no such part of a sweep; there are {}", .known.join(", "))]
    UnknownPart {
        name: String,
        known: Vec<&'static str>,
    },
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => run_all(campaign::names().map(str::to_owned).collect(), &cli.run),
        Some(Command::List) => list().map(Ending::of),
        Some(Command::Run {
            names,
            run: options,
        }) => run_all(names, &options),
        Some(Command::Sweep { sweep }) => sweep::run(&sweep),
        Some(Command::Selftest(options)) => options.run().map(Ending::of),
        Some(Command::Lines(args)) => args.run().map(Ending::of),
        Some(Command::Soak(args)) => soak::run_soak(&args),
        Some(Command::Replay { name, seed, show }) => {
            replay::replay(&name, seed, &show).map(Ending::of)
        }
        Some(Command::Shrink {
            name,
            seed,
            jobs,
            out,
        }) => shrink(&name, seed, jobs, &out).map(Ending::of),
    };
    let code = match result {
        Ok(Ending::Held) => ExitCode::SUCCESS,
        Ok(Ending::Broke) => ExitCode::FAILURE,
        Ok(Ending::Interrupted) => ExitCode::from(interrupt::EXIT_CODE),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    };
    dske_testbed::print::end(code)
}

/// How a command ended.
enum Ending {
    /// All is well.
    Held,
    /// Something broke.
    Broke,
    /// Nothing broke, but not all was looked at.
    Interrupted,
}

impl Ending {
    fn of(holds: bool) -> Self {
        match holds {
            false => Self::Broke,
            true if interrupt::asked() => Self::Interrupted,
            true => Self::Held,
        }
    }
}

fn list() -> Result<bool, CliError> {
    for name in campaign::names() {
        let campaign = campaign::load(name)?;
        println!("{name} ({})", counted(campaign.seeds, "seed"));
        println!("    {}", campaign.about);
    }
    Ok(true)
}

fn run_all(names: Vec<String>, options: &RunArgs) -> Result<Ending, CliError> {
    let campaigns = names
        .iter()
        .map(|name| campaign::load(name))
        .collect::<Result<Vec<_>, _>>()?;
    // Before anything runs: minutes of work must not be lost to a wrong path.
    check_writable(&options.out)?;
    let histories = Histories::below(options.histories.as_deref())?;
    let mut failures = match options.no_shrink {
        true => None,
        false => Some(Failures::below(&options.out)?),
    };
    panics::capture();
    interrupt::watch();
    let started = tokio::time::Instant::now();
    let mut resilience = Resilience {
        version: campaign::VERSION.to_owned(),
        command: command(&names, options),
        ..Resilience::default()
    };
    let mut points = Vec::new();
    for campaign in &campaigns {
        let (mut summary, outcomes) = run_campaign(campaign, options, &histories);
        histories.written()?;
        if outcomes.is_empty() {
            break;
        }
        if let Some(failures) = failures.as_mut().filter(|_| is_to_be_shrunk(campaign)) {
            let jobs = jobs(options.jobs);
            let violations = &mut summary.violations;
            shrinking::first_of_each(campaign, &outcomes, violations, jobs, failures)?;
        }
        table::print_violations(&summary);
        points.extend(boundary(&outcomes));
        resilience.campaigns.push(summary);
    }
    resilience.boundary = merge_boundary(points);
    resilience.wall_seconds = started.elapsed().as_secs_f64();
    resilience.is_interrupted = interrupt::asked();
    report::write(&options.out, &resilience)?;
    table::print(&resilience);
    println!("report: {}", options.out.join("index.html").display());
    // What was not begun cannot have been reached.
    let strict = options.strict && !resilience.is_interrupted;
    let mut good = resilience.campaigns.iter().all(CampaignSummary::holds);
    for campaign in resilience.campaigns.iter().filter(|_| strict) {
        let weaknesses = campaign.weaknesses();
        if !weaknesses.is_empty() {
            println!(
                "--strict: {} is weak: {}",
                campaign.name,
                weaknesses.join(", ")
            );
            good = false;
        }
    }
    Ok(Ending::of(good))
}

/// A negative control breaks on purpose, and a schedule has been shrunk already, or somebody has made it as it is.
fn is_to_be_shrunk(campaign: &Campaign) -> bool {
    campaign.expect.breaks.is_none() && matches!(campaign.plans, Plans::Drawn(_))
}

fn run_campaign(
    campaign: &Campaign,
    options: &RunArgs,
    histories: &Histories,
) -> (CampaignSummary, Vec<RunOutcome>) {
    let seeds = campaign.seeds_to_run(options.seed, options.seeds);
    let progress = progress("seeds");
    progress.set_prefix(campaign.name.clone());
    progress.set_length(seeds.len() as u64);
    let started = tokio::time::Instant::now();
    let (mut keys, mut broken) = (0, 0);
    let run = |plan: &Plan| histories.run(campaign, plan);
    let outcomes = run_seeds(campaign, &seeds, jobs(options.jobs), run, |outcome| {
        keys += outcome.keys_fetched;
        broken += outcome.violations.len();
        progress.set_message(format!(
            "{}, {}",
            counted(keys, "key"),
            counted(broken as u64, "violation")
        ));
        progress.inc(1);
    });
    progress.finish_and_clear();
    let summary = summarize(campaign, &outcomes, started.elapsed().as_secs_f64());
    if !std::io::stderr().is_terminal() {
        eprintln!(
            "{}: {}, {}, {}",
            summary.name,
            counted(summary.seeds, "seed"),
            counted(summary.keys_fetched, "key"),
            counted(summary.violations.len() as u64, "violation")
        );
    }
    (summary, outcomes)
}

fn shrink(
    name: &str,
    seed: Option<u64>,
    at_once: Option<u16>,
    out: &Path,
) -> Result<bool, CliError> {
    let campaign = campaign::load(name)?;
    let seed = campaign.one_seed(seed)?;
    let mut failures = Failures::below(out)?;
    panics::capture();
    let outcomes = run_seeds(&campaign, &[seed], 1, run, |_| {});
    let mut broken: Vec<_> = outcomes
        .iter()
        .flat_map(|outcome| violations(&campaign, outcome))
        .collect();
    shrinking::first_of_each(
        &campaign,
        &outcomes,
        &mut broken,
        jobs(at_once),
        &mut failures,
    )?;
    table::print_list(&campaign.name, &broken);
    if broken.is_empty() {
        println!("nothing breaks in campaign {}, seed {seed}", campaign.name);
    }
    Ok(broken.is_empty())
}

fn jobs(asked: Option<u16>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    asked.map_or_else(cores, usize::from)
}

fn command(names: &[String], options: &RunArgs) -> String {
    let mut command = "cargo chaos".to_owned();
    if !names.iter().map(String::as_str).eq(campaign::names()) {
        command += &format!(" run {}", names.join(" "));
    }
    for (flag, value) in [("seeds", options.seeds), ("seed", options.seed)] {
        command += &value
            .map(|value| format!(" --{flag} {value}"))
            .unwrap_or_default();
    }
    for (flag, given) in [("no-shrink", options.no_shrink), ("strict", options.strict)] {
        if given {
            command += &format!(" --{flag}");
        }
    }
    command
}

/// A bar that counts `what`.
fn progress(what: &str) -> ProgressBar {
    let progress = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template =
        format!("{{prefix:20}} [{{bar:30}}] {{pos}}/{{len}} {what}, {{msg}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template);
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
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
    fn the_command_in_the_report_repeats_what_ran() {
        let args = RunArgs {
            seeds: Some(5),
            seed: Some(7),
            jobs: Some(2),
            out: PathBuf::from("x"),
            no_shrink: true,
            strict: false,
            histories: None,
        };
        assert_eq!(
            command(&["storm".to_owned()], &args),
            "cargo chaos run storm --seeds 5 --seed 7 --no-shrink"
        );
        let all: Vec<String> = campaign::names().map(str::to_owned).collect();
        let args = RunArgs {
            seeds: None,
            seed: None,
            no_shrink: false,
            strict: false,
            ..args
        };
        assert_eq!(command(&all, &args), "cargo chaos");
    }
}

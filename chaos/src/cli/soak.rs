//! `cargo chaos soak`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{ArgGroup, Args};
use dske_report::text::counted;
use dske_report::{check_writable, write_json};
use dske_testbed::{eprintln, print, println};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::time::Instant;

use super::{CliError, Ending, jobs, progress, shrinking};
use crate::campaign::file::ExpectSection;
use crate::campaign::{self, Campaign, Plans, quoted};
use crate::cli::failures::{Failures, SaveError, invariants};
use crate::explore::interrupt;
use crate::explore::run::run;
use crate::explore::soak::save::Rarities;
use crate::explore::soak::statistics::Statistics;
use crate::explore::soak::{Broken, Origin, SoakOptions, Soaked, soak};
use crate::outcome::{RunViolation, panics};
use crate::plan::Plan;
use crate::plan::stream::SEED_MAX;
use crate::summary::Violation;
use crate::tell::table;

/// A week.
const MINUTES_MAX: u64 = 7 * 24 * 60;

/// A soak ends by itself only if it has a length.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("length").args(["minutes", "runs"]).multiple(true).required(true))]
pub(super) struct SoakArgs {
    /// Campaigns to draw from, by name or file [default: all that come with the command, but the negative controls].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How long to draw runs. What breaks is shrunk after that.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MINUTES_MAX))]
    minutes: Option<u64>,
    /// Runs at most.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    runs: Option<u64>,
    /// Decides what is drawn [default: another one each time].
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=SEED_MAX))]
    seed: Option<u64>,
    /// Runs at the same time, 32 at most [default: one for each core].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where `soak.json`, `soak/` and `failures/` go.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

/// A run that broke something, and was saved.
struct Found {
    /// What drew it; or for a mutation, which no seed draws, the file that holds it.
    campaign: Campaign,
    plan: Plan,
    /// What broke, and how it is told, in the same order.
    broken: Vec<RunViolation>,
    violations: Vec<Violation>,
}

/// Draws runs until the time is over, shrinks what broke, and says what was seen.
pub(super) fn run_soak(args: &SoakArgs) -> Result<Ending, CliError> {
    let campaigns = campaigns(&args.names)?;
    check_writable(&args.out)?;
    let mut failures = Failures::below(&args.out)?;
    let rarities = Rarities::below(&args.out)?;
    let seed = args.seed.unwrap_or_else(another_seed);
    println!("soak seed {seed}: {}", command(args, seed));
    panics::capture();
    interrupt::watch();
    let started = Instant::now();
    let mut found = Vec::new();
    let soaked = draw(args, seed, &campaigns, started, |broken| {
        found.push(save_whole(&campaigns, broken, &mut failures)?);
        Ok(())
    })?;
    let wall_seconds = started.elapsed().as_secs_f64();
    shrink(&mut found, jobs(args.jobs), &mut failures)?;
    let is_interrupted = interrupt::asked();
    let mut statistics = Statistics {
        version: campaign::VERSION.to_owned(),
        command: command(args, seed),
        seed,
        is_interrupted,
        ..Statistics::of(&soaked)
    }
    .after(wall_seconds);
    rarities.save(&soaked.tally, &mut statistics)?;
    let broken = found.iter().flat_map(|found| found.violations.clone());
    statistics.violations.extend(broken);
    let file = args.out.join("soak.json");
    write_json(&file, &statistics)?;
    for found in found {
        table::print_list(&found.campaign.name, &found.violations);
    }
    if is_interrupted {
        println!("interrupted: this is what was found until then");
    }
    print!("{statistics}");
    println!("all of it: {}", file.display());
    Ok(Ending::of(statistics.violations_total == 0))
}

/// Negative controls are meant to break.
fn campaigns(names: &[String]) -> Result<Vec<Campaign>, CliError> {
    let all: Vec<String> = match names {
        [] => campaign::names().map(str::to_owned).collect(),
        names => names.to_vec(),
    };
    let mut campaigns = Vec::new();
    for name in all {
        let campaign = campaign::load(&name)?;
        match &campaign.expect.breaks {
            None => campaigns.push(campaign),
            Some(_) if names.is_empty() => {}
            Some(breaks) => {
                return Err(CliError::Control {
                    name,
                    breaks: breaks.get_ref().clone(),
                });
            }
        }
    }
    Ok(campaigns)
}

fn draw(
    args: &SoakArgs,
    seed: u64,
    campaigns: &[Campaign],
    started: Instant,
    mut found: impl FnMut(&Broken) -> Result<(), CliError>,
) -> Result<Soaked, CliError> {
    let length = args
        .minutes
        .map(|minutes| Duration::from_secs(60 * minutes));
    // A disk that is full must not cost what was found so far.
    let failed = AtomicBool::new(false);
    let over = || {
        interrupt::asked()
            || failed.load(Ordering::Relaxed)
            || length.is_some_and(|length| started.elapsed() >= length)
    };
    let bar = progress("");
    bar.set_style(
        indicatif::ProgressStyle::with_template("{prefix} {elapsed_precise} {msg}")
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()),
    );
    bar.set_prefix("soak");
    let options = SoakOptions {
        seed,
        jobs: jobs(args.jobs),
        runs_max: args.runs,
    };
    let mut result = Ok(());
    let soaked = soak(campaigns, options, &run, &over, |tally, broken| {
        bar.set_message(format!(
            "{}, {}, {}, {}",
            counted(tally.runs(), "run"),
            counted(tally.keys_fetched, "key"),
            counted(tally.situations().len() as u64, "situation"),
            counted(tally.violations, "violation")
        ));
        if let (Some(broken), Ok(())) = (broken, &result) {
            result = bar.suspend(|| found(broken));
            failed.store(result.is_err(), Ordering::Relaxed);
        }
    });
    bar.finish_and_clear();
    result.map(|()| soaked)
}

/// Saves the plan of a run that broke something at once, so that nothing that happens later can lose it.
fn save_whole(
    campaigns: &[Campaign],
    broken: &Broken,
    failures: &mut Failures,
) -> Result<Found, CliError> {
    let (plan, violations) = (&broken.plan, &broken.violations);
    let mut campaign = match broken.origin {
        Origin::Fresh(place) => campaigns[place].clone(),
        Origin::Mutated => Campaign {
            name: format!("{}-mutated", plan.campaign),
            source: String::new(),
            about: String::new(),
            seeds: 1,
            plans: Plans::Fixed(Box::new(plan.clone())),
            expect: ExpectSection::default(),
        },
    };
    let what = invariants(violations);
    match failures.save_whole(&campaign.name, plan, violations) {
        Ok(file) => {
            eprintln!("run {}: {what} broke: {file}", broken.number);
            if broken.origin == Origin::Mutated {
                campaign.source = file;
            }
        }
        // A run that large can only be drawn again, by the soak's seed.
        Err(SaveError::TooLarge(why)) => {
            eprintln!("run {}: {what} broke; {why}", broken.number);
        }
        Err(SaveError::Write(error)) => return Err(error.into()),
    }
    let replay = campaign.replay_command(plan.seed);
    let violations = violations.iter().map(|violation| Violation {
        seed: plan.seed,
        invariant: violation.invariant().to_owned(),
        at_ms: violation.at_ms,
        detail: violation.detail(),
        replay: replay.clone(),
        shrunk: None,
    });
    Ok(Found {
        violations: violations.collect(),
        broken: broken.violations.clone(),
        plan: plan.clone(),
        campaign,
    })
}

/// Shrinks the first failure of each invariant, until there is an interrupt.
fn shrink(found: &mut [Found], jobs: usize, failures: &mut Failures) -> Result<(), CliError> {
    let mut met = BTreeSet::new();
    for Found {
        campaign,
        plan,
        broken,
        violations,
    } in found
    {
        for (wanted, violation) in broken.iter().zip(violations) {
            if !interrupt::asked() && met.insert(violation.invariant.clone()) {
                violation.shrunk =
                    shrinking::one(campaign, plan, wanted, jobs, failures, &interrupt::asked)?;
            }
        }
    }
    Ok(())
}

fn another_seed() -> u64 {
    // Below 2^32 it is short enough to type. Without a generator of the system any seed will do.
    SysRng.try_next_u32().map_or(1, u64::from)
}

fn command(args: &SoakArgs, seed: u64) -> String {
    let mut command = "cargo chaos soak".to_owned();
    for name in &args.names {
        command += &format!(" {}", quoted(name));
    }
    for (flag, value) in [("minutes", args.minutes), ("runs", args.runs)] {
        command += &value
            .map(|value| format!(" --{flag} {value}"))
            .unwrap_or_default();
    }
    command + &format!(" --seed {seed}")
}

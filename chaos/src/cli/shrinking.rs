//! Shrinks what broke, and says where what is left of it can be found.

use std::io::IsTerminal;

use super::{CliError, progress};
use crate::campaign::Campaign;
use crate::cli::failures::{Failures, SaveError};
use crate::explore::run::{RunOptions, run};
use crate::explore::shrink::{RUNS_MAX, breaks_again, shrink};
use crate::outcome::RunViolation;
use crate::plan::Plan;
use crate::summary::{Size, Violation};

/// Shrinks the first failure of each invariant among the violations, which are in order of seed.
pub(super) fn first_of_each(
    campaign: &Campaign,
    violations: &mut [Violation],
    jobs: usize,
    failures: &mut Failures,
) -> Result<(), CliError> {
    let mut met = std::collections::BTreeSet::new();
    for violation in violations {
        if met.insert(violation.invariant.clone()) {
            let plan = campaign.plan(violation.seed);
            one(campaign, &plan, violation, jobs, failures, &|| false)?;
        }
    }
    Ok(())
}

/// Shrinks a run for one invariant that it broke. When `stop` says so, what was reached by then is saved.
pub(super) fn one(
    campaign: &Campaign,
    plan: &Plan,
    violation: &mut Violation,
    jobs: usize,
    failures: &mut Failures,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), CliError> {
    let wanted = RunViolation {
        invariant: violation.invariant.clone(),
        at_ms: violation.at_ms,
        detail: violation.detail.clone(),
    };
    let (name, seed, invariant) = (&campaign.name, violation.seed, &violation.invariant);
    // Said at once: shrinking takes minutes, and may be interrupted.
    eprintln!("{name}: {invariant} broke in seed {seed}; shrinking that run");
    let breaks = |plan: &Plan| {
        if stop() {
            return None;
        }
        breaks_again(plan, &wanted, &|plan: &Plan| {
            run(plan, RunOptions::default())
        })
    };
    let bar = progress("runs at most");
    bar.set_length(RUNS_MAX.into());
    bar.set_prefix(format!("{name} {seed}"));
    let mut shrunk = shrink(plan, &wanted, &breaks, jobs, RUNS_MAX, |progress| {
        let size = Size::of(progress.plan);
        bar.set_position(progress.runs.into());
        bar.set_message(format!(
            "{} faults, {} liars, {} calls",
            size.faults, size.liars, size.calls
        ));
    });
    bar.finish_and_clear();
    // What was not tried any more may be reduced still.
    shrunk.is_minimal &= !stop();
    match failures.save(campaign, plan, &shrunk, &shrunk.trace()) {
        Ok(saved) => {
            if !std::io::stderr().is_terminal() {
                eprintln!("{name}: {saved}");
            }
            violation.shrunk = Some(saved);
        }
        // The run itself can still be replayed.
        Err(SaveError::TooLarge(why)) => eprintln!("{name}: not saved: {why}"),
        Err(SaveError::Write(error)) => return Err(error.into()),
    }
    Ok(())
}

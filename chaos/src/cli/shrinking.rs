//! Shrinks what broke, and says where what is left of it can be found.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use dske_testbed::eprintln;

use super::{CliError, progress};
use crate::campaign::Campaign;
use crate::cli::failures::{Failures, SaveError};
use crate::explore::interrupt;
use crate::explore::run::run;
use crate::explore::shrink::{RUNS_MAX, breaks_again, shrink};
use crate::outcome::{RunOutcome, RunViolation};
use crate::plan::Plan;
use crate::summary::{ShrunkFile, Size, Violation};
use crate::tell::view::told;

/// Shrinks the first failure of each invariant among the violations of a summary, which are in order of seed.
pub(super) fn first_of_each(
    campaign: &Campaign,
    outcomes: &[RunOutcome],
    violations: &mut [Violation],
    jobs: usize,
    failures: &mut Failures,
) -> Result<(), CliError> {
    let mut met = BTreeSet::new();
    for violation in violations {
        // Each can still be replayed.
        if interrupt::asked() || !met.insert(violation.invariant.clone()) {
            continue;
        }
        let outcomes = outcomes
            .iter()
            .filter(|outcome| outcome.seed == violation.seed);
        let mut broken = outcomes.flat_map(|outcome| &outcome.violations);
        if let Some(wanted) = broken.find(|broken| broken.invariant() == violation.invariant) {
            let plan = campaign.plan(violation.seed);
            violation.shrunk = one(campaign, &plan, wanted, jobs, failures, &interrupt::asked)?;
        }
    }
    Ok(())
}

/// Shrinks a run for one invariant that it broke, and saves what is left, if a file can hold it. When `stop` says so, what
/// was reached by then is saved.
pub(super) fn one(
    campaign: &Campaign,
    plan: &Plan,
    wanted: &RunViolation,
    jobs: usize,
    failures: &mut Failures,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<ShrunkFile>, CliError> {
    let kind = wanted.violation.kind();
    let (name, seed, invariant) = (&campaign.name, plan.seed, kind.name());
    // Said at once: shrinking takes minutes, and may be interrupted.
    eprintln!("{name}: {invariant} broke in seed {seed}; shrinking that run");
    let breaks = |plan: &Plan| {
        if stop() {
            return None;
        }
        breaks_again(plan, &kind, &run)
    };
    let bar = progress("runs at most");
    bar.set_length(RUNS_MAX.into());
    bar.set_prefix(format!("{name} {seed}"));
    let mut shrunk = shrink(plan, wanted, &breaks, jobs, RUNS_MAX, |progress| {
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
    match failures.save(campaign, plan, &shrunk, &told(&shrunk.plan).1) {
        Ok(saved) => {
            if !std::io::stderr().is_terminal() {
                eprintln!("{name}: {saved}");
            }
            Ok(Some(saved))
        }
        // The run itself can still be replayed.
        Err(SaveError::TooLarge(why)) => {
            eprintln!("{name}: not saved: {why}");
            Ok(None)
        }
        Err(SaveError::Write(error)) => Err(error.into()),
    }
}

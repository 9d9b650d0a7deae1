//! One run: a plan becomes a simulated cluster, and ends as an outcome.

use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use super::runner::panicked;
use crate::judge::{ALL, Facts};
use crate::outcome::{self, RunOutcome};
use crate::plan::Plan;
use crate::view;
use crate::world::observer::Observer;
use crate::world::run::simulate;

/// What a run is to keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Keep what happened, for people and tools to read.
    pub keep_trace: bool,
}

/// Runs a plan to its end and judges it. Needs a fresh thread: libraries keep state in thread-locals.
///
/// # Panics
/// If the simulator fails, which is a bug of the harness.
#[must_use]
pub fn run(plan: &Plan, options: RunOptions) -> RunOutcome {
    dske::harness::begin(plan.canary);
    let plan = Rc::new(plan.clone());
    let observer = Observer::new(Rc::clone(&plan), options.keep_trace);
    let simulate_and_judge = || {
        simulate(&plan, &observer);
        judge(&Facts::new(&observer.seen()))
    };
    if !options.keep_trace {
        return simulate_and_judge();
    }
    // What led to a panic is what somebody wants to read.
    let result = panic::catch_unwind(AssertUnwindSafe(simulate_and_judge));
    let mut outcome = result.unwrap_or_else(|cause| panicked(&plan, cause.as_ref()));
    let seen = observer.seen();
    outcome.trace = Some(view::of(&Facts::new(&seen), &outcome.violations));
    outcome
}

/// Runs a plan to its end, judges it, and looks at what was seen for something that the outcome does not hold.
///
/// # Panics
/// As [`run`].
pub fn run_and_look<T>(plan: &Plan, look: impl FnOnce(&Facts<'_>) -> T) -> (RunOutcome, T) {
    dske::harness::begin(plan.canary);
    let plan = Rc::new(plan.clone());
    let observer = Observer::new(Rc::clone(&plan), false);
    simulate(&plan, &observer);
    let seen = observer.seen();
    let facts = Facts::new(&seen);
    (judge(&facts), look(&facts))
}

fn judge(facts: &Facts<'_>) -> RunOutcome {
    let verdicts = ALL.map(|(name, check)| (name, check(facts)));
    outcome::of(facts, &verdicts)
}

/// What the observer of a run sees. Needs a fresh thread, like [`run`].
#[cfg(test)]
pub(crate) fn observe(plan: &Plan) -> Observer {
    dske::harness::begin(plan.canary);
    let plan = Rc::new(plan.clone());
    let observer = Observer::new(Rc::clone(&plan), true);
    simulate(&plan, &observer);
    observer
}

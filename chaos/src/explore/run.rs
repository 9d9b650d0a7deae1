//! One run: a plan becomes a simulated cluster, and ends as an outcome.

use crate::judge::Facts;
use crate::outcome::{RunOutcome, RunViolation, panics};
use crate::plan::Plan;
use crate::world::observer::Observer;
use crate::world::run::simulate;

/// Runs a plan to its end and judges it. Needs a fresh thread: libraries keep state in thread-locals.
///
/// # Panics
/// If the simulator fails, which is a bug of the harness.
#[must_use]
pub fn run(plan: &Plan) -> RunOutcome {
    run_and_look(plan, |_| ()).0
}

/// Runs a plan to its end, judges it, and looks at what was seen for something that the outcome does not hold.
///
/// # Panics
/// As [`run`].
pub fn run_and_look<T>(plan: &Plan, look: impl FnOnce(&Facts<'_>) -> T) -> (RunOutcome, T) {
    let observer = Observer::new(plan, false);
    simulate(&observer);
    let seen = observer.seen();
    let facts = Facts::new(&seen);
    (RunOutcome::of(&facts), look(&facts))
}

/// Runs a plan as far as it goes, judges it, and tells what was seen and what broke. It tells a run that panicked, too: the
/// events before a panic are what a reader wants to see.
pub fn run_and_tell<T>(
    plan: &Plan,
    tell: impl FnOnce(&Facts<'_>, &[RunViolation]) -> T,
) -> (RunOutcome, T) {
    let observer = Observer::new(plan, true);
    let judged = panics::catch(|| {
        simulate(&observer);
        RunOutcome::of(&Facts::new(&observer.seen()))
    });
    let outcome = judged.unwrap_or_else(|panic| RunOutcome::panicked(plan, panic));
    let told = tell(&Facts::new(&observer.seen()), &outcome.violations);
    (outcome, told)
}

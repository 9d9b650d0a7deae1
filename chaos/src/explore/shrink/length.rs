//! A shorter run.

use super::numbers::lower;
use super::search::Search;
use crate::plan::Plan;
use crate::plan::limits::FIRST_CALL_MS;

/// Steps by which a run becomes shorter.
const GRAIN_MS: u64 = 100;

/// Takes away all that begins after the violation, which can hardly be its cause, and as much of the run as that leaves
/// empty.
pub(super) fn after_the_violation(search: &mut Search<'_>) {
    let at_ms = search.breaks_at_ms();
    search.take_first(3, |plan, i| {
        plan.calls.retain(|call| call.at_ms <= at_ms);
        plan.faults.retain(|fault| fault.at_ms <= at_ms);
        plan.liars.retain(|liar| liar.from_ms <= at_ms);
        match i {
            0 => {
                heal_at(plan, at_ms.min(plan.heal_at_ms));
                plan.end_ms = plan.shortest_end_ms();
            }
            1 => plan.end_ms = plan.shortest_end_ms(),
            _ => {}
        }
    });
}

/// Begins, heals and ends as early as it can without cutting anything short.
pub(super) fn at_once(search: &mut Search<'_>) {
    search.take_first(1, |plan, _| begin_after(plan, 0));
    search.take_first(1, |plan, _| {
        let last_ms = |plan: &Plan| {
            let faults = plan.faults.iter().map(|fault| fault.until_ms);
            faults
                .chain(plan.liars.iter().map(|liar| liar.until_ms))
                .max()
        };
        plan.heal_at_ms = last_ms(plan).unwrap_or(0);
        plan.end_ms = plan.shortest_end_ms();
    });
}

/// Begins, heals and ends earlier.
pub(super) fn all(search: &mut Search<'_>) {
    at_once(search);
    lower(search, |plan| Some(idle_ms(plan)), begin_after, 0, GRAIN_MS);
    lower(search, |plan| Some(plan.heal_at_ms), heal_at, 0, GRAIN_MS);
    search.take_first(1, |plan, _| plan.end_ms = plan.shortest_end_ms());
}

/// For how long nothing happens that could not have happened at once.
fn idle_ms(plan: &Plan) -> u64 {
    let calls = plan
        .calls
        .iter()
        .map(|call| call.at_ms.saturating_sub(FIRST_CALL_MS));
    let faults = plan.faults.iter().map(|fault| fault.at_ms);
    let liars = plan.liars.iter().map(|liar| liar.from_ms);
    calls.chain(faults).chain(liars).min().unwrap_or(0)
}

/// Moves everything together, so that nothing happens for `ms`.
fn begin_after(plan: &mut Plan, ms: u64) {
    let by_ms = idle_ms(plan) - ms;
    for call in &mut plan.calls {
        call.at_ms -= by_ms;
    }
    for fault in &mut plan.faults {
        fault.at_ms -= by_ms;
        fault.until_ms -= by_ms;
    }
    for liar in &mut plan.liars {
        liar.from_ms -= by_ms;
        liar.until_ms -= by_ms;
    }
    plan.heal_at_ms = plan.heal_at_ms.saturating_sub(by_ms);
    plan.end_ms = plan.shortest_end_ms();
}

/// Heals at `ms`, with all that lasts longer cut short, and what begins later left out.
fn heal_at(plan: &mut Plan, ms: u64) {
    plan.heal_at_ms = ms;
    plan.faults.retain(|fault| fault.at_ms < ms);
    plan.liars.retain(|liar| liar.from_ms < ms);
    for fault in &mut plan.faults {
        fault.until_ms = fault.until_ms.min(ms);
    }
    for liar in &mut plan.liars {
        liar.until_ms = liar.until_ms.min(ms);
    }
}

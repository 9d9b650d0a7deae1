//! Other faults, and faults at other times.

use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use super::{one_of, place_in};
use crate::campaign::draw_faults::some_of;
use crate::campaign::value::Range;
use crate::plan::{FaultKind, Plan, PlannedFault};

/// How far a fault is shifted at most.
const SHIFT_MS: u64 = 2_000;

/// How long a new one lasts.
const DURATION_MS: Range = Range {
    from: 10,
    to: 5_000,
};

/// Delay of a new slow link or hub, in milliseconds.
const DELAY_MS: Range = Range { from: 5, to: 900 };

/// Messages a second of a new attack.
const PER_SECOND: Range = Range { from: 2, to: 60 };

/// Messages that a new lossy link loses.
const LOSS_PERCENT: Range = Range { from: 1, to: 80 };

/// Another time for one fault.
pub(super) fn shift(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    if let Some(place) = place_in(&plan.faults, rng) {
        let planned = &mut plan.faults[place];
        let by_ms = rng.random_range(0..=2 * SHIFT_MS);
        let duration_ms = planned.until_ms - planned.at_ms;
        planned.at_ms = (planned.at_ms + by_ms).saturating_sub(SHIFT_MS);
        planned.until_ms = planned.at_ms + duration_ms;
    }
}

/// A fault that lasts longer, or not as long.
pub(super) fn stretch(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    if let Some(place) = place_in(&plan.faults, rng) {
        let planned = &mut plan.faults[place];
        planned.until_ms = planned.at_ms + DURATION_MS.draw_wide(rng);
    }
}

/// A fault that begins just when another begins or ends, or when a call is made.
pub(super) fn align(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let moment_ms = match rng.random_range(0..3) {
        0 => one_of(&plan.faults, rng).map(|other| other.at_ms),
        1 => one_of(&plan.faults, rng).map(|other| other.until_ms),
        _ => one_of(&plan.calls, rng).map(|call| call.at_ms),
    };
    let (Some(place), Some(moment_ms)) = (place_in(&plan.faults, rng), moment_ms) else {
        return;
    };
    let planned = &mut plan.faults[place];
    let duration_ms = planned.until_ms - planned.at_ms;
    // While the messages of a call are under way, or just before.
    let nearby_ms = rng.random_range(0..=60);
    planned.at_ms = (moment_ms + nearby_ms).saturating_sub(10);
    planned.until_ms = planned.at_ms + duration_ms;
}

/// A new one of any kind.
pub(super) fn add(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let kind = FaultKind::ALL[rng.random_range(0..FaultKind::ALL.len())];
    let (hubs, clients) = (
        usize::from(plan.cluster.hubs),
        usize::from(plan.cluster.clients),
    );
    let clients = some_of(clients, rng.random_range(1..=clients), rng);
    let hubs = some_of(hubs, rng.random_range(1..=hubs), rng);
    let mut fault = kind.among(clients, hubs, 1);
    if let Some((unit, strength)) = fault.strength_mut() {
        let range = match unit {
            "loss_percent" => LOSS_PERCENT,
            unit if unit.ends_with("_ms") => DELAY_MS,
            _ => PER_SECOND,
        };
        *strength = range.draw_wide(rng);
    }
    let at_ms = rng.random_range(0..plan.heal_at_ms.max(1));
    plan.faults.push(PlannedFault {
        at_ms,
        until_ms: at_ms + DURATION_MS.draw_wide(rng),
        fault,
    });
}

/// The same fault, at the same time, at another hub: what fails together finds more than what fails alone.
pub(super) fn spread(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let Some(planned) = one_of(&plan.faults, rng).cloned() else {
        return;
    };
    let hub = rng.random_range(0..usize::from(plan.cluster.hubs));
    let mut clients = planned.fault.clients();
    if clients.is_empty() {
        clients.push(rng.random_range(0..usize::from(plan.cluster.clients)));
    }
    let mut fault = planned.fault.kind().among(clients, vec![hub], 1);
    let mut old = planned.fault.clone();
    if let (Some((_, new)), Some((_, old))) = (fault.strength_mut(), old.strength_mut()) {
        *new = *old;
    }
    plan.faults.push(PlannedFault { fault, ..planned });
}

/// The same fault once more, soon after it is over.
pub(super) fn again(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    if let Some(planned) = one_of(&plan.faults, rng).cloned() {
        let at_ms = planned.until_ms + rng.random_range(1..=500);
        let until_ms = at_ms + (planned.until_ms - planned.at_ms);
        plan.faults.push(PlannedFault {
            at_ms,
            until_ms,
            ..planned
        });
    }
}

/// Up to half of them go.
pub(super) fn drop_some(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    for _ in 0..rng.random_range(1..=plan.faults.len().div_ceil(2).max(1)) {
        if let Some(place) = place_in(&plan.faults, rng) {
            plan.faults.remove(place);
        }
    }
}

/// The faults of another plan in a span of time, instead of what there is then.
pub(super) fn splice(plan: &mut Plan, other: &Plan, rng: &mut ChaCha12Rng) {
    let from_ms = rng.random_range(0..plan.heal_at_ms.max(1));
    let until_ms = from_ms + rng.random_range(1_000..=10_000);
    let inside = |planned: &PlannedFault| (from_ms..until_ms).contains(&planned.at_ms);
    plan.faults.retain(|planned| !inside(planned));
    let taken = other.faults.iter().filter(|planned| inside(planned));
    plan.faults.extend(taken.cloned());
}

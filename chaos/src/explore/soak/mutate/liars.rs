//! Other liars, and other lies.

use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use super::{one_of, place_in};
use crate::campaign::draw_faults::some_lies;
use crate::plan::{Liar, Lie, Plan};

/// One more hub lies, or one lies at another time as well.
pub(super) fn add(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    let from_ms = rng.random_range(0..plan.heal_at_ms.max(1));
    let until_ms = from_ms + rng.random_range(100..=plan.heal_at_ms.max(100));
    plan.liars.push(Liar {
        hub: rng.random_range(0..usize::from(plan.cluster.hubs)),
        from_ms,
        until_ms,
        lies: lies(rng),
        rate_percent: rng.random_range(1..=100),
    });
}

/// One of them tells other lies, at another rate.
pub(super) fn tell_otherwise(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    if let Some(place) = place_in(&plan.liars, rng) {
        let liar = &mut plan.liars[place];
        if rng.random_range(0..2) == 0 {
            liar.lies = lies(rng);
        } else {
            liar.rate_percent = rng.random_range(1..=100);
        }
    }
}

/// One of them is honest.
pub(super) fn drop_one(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    if let Some(place) = place_in(&plan.liars, rng) {
        plan.liars.remove(place);
    }
}

/// A liar of another plan.
pub(super) fn splice(plan: &mut Plan, other: &Plan, rng: &mut ChaCha12Rng) {
    plan.liars.extend(one_of(&other.liars, rng).cloned());
}

/// Any of those that fewer than K hubs can tell: they are never enough to forge a key, but to frame others.
fn lies(rng: &mut ChaCha12Rng) -> Vec<Lie> {
    let mut all = Lie::alone();
    all.push(Lie::FrameTogether);
    some_lies(&all, rng)
}

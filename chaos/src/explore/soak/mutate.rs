//! Changes to a plan: the neighbours of a run that came near something rare.
//!
//! | module | what it changes |
//! |---|---|
//! | `faults` | when faults happen, whom they hit, which there are |
//! | `liars` | who lies, when, and how |
//! | `calls` | what is asked for, and when |
//! | `cluster` | sizes, latencies, time-outs, PSRD |
//! | `repair` | makes a valid plan of what came out |
//!
//! The invariants judge a mutated run as any other. So fewer than K hubs lie or pool what they hold, and numbers keep
//! within what the campaign `swarm` draws: outside, calls may fail for good reasons that no invariant excuses.

mod calls;
mod cluster;
mod faults;
mod liars;
mod repair;

use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use super::SEED_LIMIT;
use crate::plan::Plan;

/// Most changes that are made to a plan. Few, because whatever made it rare should survive.
const CHANGES_MAX: u32 = 4;

/// A change. Some need another plan, to take something from.
type Change = fn(&mut Plan, &Plan, &mut ChaCha12Rng);

/// All changes. One that is listed twice is made twice as often.
const CHANGES: [Change; 20] = [
    faults::shift,
    faults::stretch,
    faults::align,
    faults::align,
    faults::add,
    faults::add,
    faults::spread,
    faults::again,
    faults::drop_some,
    faults::splice,
    liars::add,
    liars::tell_otherwise,
    liars::drop_one,
    liars::splice,
    calls::burst,
    calls::ask_otherwise,
    cluster::resize,
    cluster::retime,
    cluster::refill_otherwise,
    other_luck,
];

/// A neighbour of `plan`, with parts of `other`. It has no flaw.
pub(super) fn mutate(plan: &Plan, other: &Plan, rng: &mut ChaCha12Rng) -> Plan {
    let mut changed = plan.clone();
    for _ in 0..rng.random_range(1..=CHANGES_MAX) {
        let change = CHANGES[rng.random_range(0..CHANGES.len())];
        change(&mut changed, other, rng);
        repair::repair(&mut changed);
    }
    let flaw = changed.check();
    debug_assert_eq!(flaw, Ok(()), "the repair has forgotten something");
    // The plan itself has no flaw.
    if flaw.is_ok() { changed } else { plan.clone() }
}

/// The same plan, with other latencies, shares and lies drawn during the run.
fn other_luck(plan: &mut Plan, _: &Plan, rng: &mut ChaCha12Rng) {
    plan.seed = rng.random_range(0..SEED_LIMIT);
}

/// One of a list, if it has any.
fn one_of<'a, T>(list: &'a [T], rng: &mut ChaCha12Rng) -> Option<&'a T> {
    let place = rng.random_range(0..list.len().max(1));
    list.get(place)
}

/// The place of one of a list, if it has any.
fn place_in<T>(list: &[T], rng: &mut ChaCha12Rng) -> Option<usize> {
    (!list.is_empty()).then(|| rng.random_range(0..list.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;
    use crate::campaign::load;

    #[test]
    fn whatever_comes_out_is_a_plan_that_promises_something() {
        let mut rng = ChaCha12Rng::seed_from_u64(7);
        let campaigns = ["storm", "swarm", "drought", "byzantine-framing", "calm"];
        let plans: Vec<Plan> = campaigns
            .iter()
            .flat_map(|name| (1..6).map(|seed| load(name).unwrap().plan(seed)))
            .collect();
        let mut different = 0;
        for round in 0..400 {
            let (plan, other) = (&plans[round % plans.len()], &plans[round / 3 % plans.len()]);
            // Mutants of mutants, as in a long soak.
            let mut mutant = plan.clone();
            for _ in 0..4 {
                mutant = mutate(&mutant, other, &mut rng);
                assert_eq!(mutant.check(), Ok(()));
                assert!(mutant.lying_hubs().len() < usize::from(mutant.cluster.threshold));
                assert!(mutant.cluster.coalition < mutant.cluster.threshold);
            }
            different += usize::from(mutant != *plan);
        }
        assert!(different > 380, "{different} of 400 differ");
    }

    #[test]
    fn every_change_changes_something_sooner_or_later() {
        let mut rng = ChaCha12Rng::seed_from_u64(8);
        let (storm, swarm) = (load("storm").unwrap(), load("swarm").unwrap());
        let changed: BTreeSet<usize> = (0..CHANGES.len())
            .filter(|&index| {
                (1..40).any(|seed| {
                    let plan = storm.plan(seed);
                    let mut mutant = plan.clone();
                    CHANGES[index](&mut mutant, &swarm.plan(seed), &mut rng);
                    mutant != plan
                })
            })
            .collect();
        assert_eq!(changed.len(), CHANGES.len(), "{changed:?}");
    }

    #[test]
    fn the_same_generator_makes_the_same_mutant() {
        let plan = load("storm").unwrap().plan(3);
        let mutant = || mutate(&plan, &plan, &mut ChaCha12Rng::seed_from_u64(9));
        assert_eq!(mutant(), mutant());
    }
}

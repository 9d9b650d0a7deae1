//! How long it takes until keys arrive again after all hubs were out of reach: cut off, or down.

use rand::RngExt;
use serde::Serialize;

use super::exchange::{Exchange, exchanges};
use super::lab::Lab;
use super::setup::{MASTER, SLAVE, Setup, ask};
use crate::plan::stream::stream;
use crate::plan::{Fault, Plan, PlannedFault};

/// N and K.
pub(crate) const CLUSTER: (u8, u8) = (5, 3);

/// What happens to all hubs: nothing passes between them and the clients, or they go down and come back without PSRD.
const TROUBLES: [&str; 2] = ["partition", "restart"];

/// How long it lasts.
const LENGTHS_MS: [u64; 5] = [100, 300, 1_000, 3_000, 10_000];

/// When it begins.
const BEGINS_MS: u64 = 2_000;

/// Asked for so often while it lasts: there is load, as there would be.
const EVERY_MS: u64 = 100;

/// Asked for so often once it is over: as fine as the result.
const EVERY_AFTER_MS: u64 = 20;

/// How long after its end keys are asked for.
const AFTER_MS: u64 = 4_000;

/// The links' own rhythm: once in this time they look after themselves. Where in it the trouble ends is drawn.
const RHYTHM_MS: u64 = 1_000;

/// A key that takes no longer than this is as quick as ever: twice what the slowest takes on a healthy network, where
/// four ways of at most 8 ms are to be gone.
pub(crate) const QUICK_MS: u64 = 100;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// `partition`, or `restart`.
    pub trouble: String,
    /// How long it lasted.
    pub lasted_ms: u64,
    /// From its end until a slave has a key again.
    pub first_key_ms: f64,
    /// From its end until the first call from which on all succeed. Zero if all do that begin after its end.
    pub all_succeed_ms: f64,
    /// From its end until the first call from which on all are as quick as ever.
    pub all_quick_ms: f64,
    /// Keys asked for since it began.
    pub tried: u64,
    /// Those that both sides got.
    pub succeeded: u64,
}

pub(super) fn measure(lab: &mut Lab<'_>) -> Vec<Point> {
    let mut setup = Setup::new(lab, "healed");
    let mut plans = Vec::new();
    for trouble in TROUBLES {
        for length_ms in LENGTHS_MS {
            for _ in 0..lab.samples() {
                let plan = setup.plan(CLUSTER.0, CLUSTER.1);
                plans.push(plan_of(plan, trouble, length_ms));
            }
        }
    }
    let found = lab.run(&plans, |facts| point(&facts.seen.plan, &exchanges(facts)));
    found.into_iter().flatten().flatten().collect()
}

fn plan_of(mut plan: Plan, trouble: &str, length_ms: u64) -> Plan {
    let mut rng = stream(&plan.campaign, plan.seed, "rhythm");
    let begins_ms = BEGINS_MS + rng.random_range(0..RHYTHM_MS);
    let heals_ms = begins_ms + length_ms;
    let hubs = 0..usize::from(plan.cluster.hubs);
    let faults = match trouble {
        "restart" => hubs.map(|hub| Fault::CrashHub { hub }).collect(),
        _ => vec![Fault::Partition {
            clients: vec![MASTER, SLAVE],
            hubs: hubs.collect(),
        }],
    };
    let planned = faults.into_iter().map(|fault| PlannedFault {
        at_ms: begins_ms,
        until_ms: heals_ms,
        fault,
    });
    plan.faults = planned.collect();
    let during = length_ms / EVERY_MS;
    ask(&mut plan, during as usize, begins_ms, EVERY_MS);
    let after = AFTER_MS / EVERY_AFTER_MS;
    ask(&mut plan, after as usize, heals_ms, EVERY_AFTER_MS);
    plan.heal_at_ms = heals_ms;
    plan.end_ms = plan.shortest_end_ms();
    plan
}

/// Nothing if no key ever arrived: then an invariant is broken.
fn point(plan: &Plan, keys: &[Exchange]) -> Option<Point> {
    let trouble = plan.faults.first()?;
    let heals_us = trouble.until_ms * 1000;
    let since_ms = |us: u64| us.saturating_sub(heals_us) as f64 / 1000.0;
    let arrived = keys.iter().filter_map(|key| key.arrived_us());
    let first_us = arrived.filter(|us| *us >= heals_us).min()?;
    let after: Vec<&Exchange> = keys.iter().filter(|key| key.from_us >= heals_us).collect();
    // The call after the last bad one.
    let good_from = |is_bad: fn(&Exchange) -> bool| {
        let next = after
            .iter()
            .rposition(|key| is_bad(key))
            .map_or(0, |i| i + 1);
        after.get(next).map(|key| since_ms(key.from_us))
    };
    Some(Point {
        trouble: match trouble.fault {
            Fault::CrashHub { .. } => "restart".to_owned(),
            _ => "partition".to_owned(),
        },
        lasted_ms: trouble.until_ms - trouble.at_ms,
        first_key_ms: since_ms(first_us),
        all_succeed_ms: good_from(|key| key.fetch_us.is_none())?,
        all_quick_ms: good_from(|key| key.both_us().is_none_or(|us| us > QUICK_MS * 1000))?,
        tried: keys.len() as u64,
        succeeded: keys.iter().filter(|key| key.fetch_us.is_some()).count() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::load;

    fn plan() -> Plan {
        let mut plan = load("calm").unwrap().plan(1);
        plan.calls.clear();
        plan_of(plan, "partition", 1_000)
    }

    fn key(from_ms: u64, took_ms: Option<u64>) -> Exchange {
        Exchange {
            from_us: from_ms * 1000,
            establish_us: took_ms.map(|_| 0),
            fetch_us: took_ms.map(|ms| ms * 1000),
        }
    }

    #[test]
    fn recovery_is_counted_from_the_end_of_the_trouble() {
        let plan = plan();
        let heals_ms = plan.heal_at_ms;
        let keys = [
            key(heals_ms - 900, Some(1_100)),
            key(heals_ms, Some(300)),
            key(heals_ms + 20, None),
            key(heals_ms + 40, Some(150)),
            key(heals_ms + 60, Some(30)),
            key(heals_ms + 80, Some(30)),
        ];
        let point = point(&plan, &keys).unwrap();
        assert_eq!(
            (point.trouble.as_str(), point.lasted_ms),
            ("partition", 1_000)
        );
        assert_eq!(point.first_key_ms, 90.0, "the quickest, not the first");
        assert_eq!(point.all_succeed_ms, 40.0);
        assert_eq!(point.all_quick_ms, 60.0);
        assert_eq!((point.tried, point.succeeded), (6, 5));
    }

    #[test]
    fn where_nothing_fails_all_succeed_at_once_and_where_all_fail_there_is_no_point() {
        let plan = plan();
        let heals_ms = plan.heal_at_ms;
        let quick = point(&plan, &[key(heals_ms, Some(30))]).unwrap();
        assert_eq!((quick.all_succeed_ms, quick.all_quick_ms), (0.0, 0.0));
        assert_eq!(point(&plan, &[key(heals_ms, None)]), None);
        assert_eq!(point(&plan, &[key(heals_ms - 10, Some(5))]), None);
    }
}

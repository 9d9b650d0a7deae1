//! How long a key takes, by slow hubs and by loss, with more or less patience for the hubs beyond the K-th.

use serde::Serialize;

use super::exchange::{Exchange, Rate, exchanges, quantile_ms};
use super::lab::Lab;
use super::setup::{MASTER, SLAVE, Setup, ask, close, shuffled_hubs, throughout};
use crate::plan::{Fault, Plan};

/// N and K.
pub(crate) const CLUSTER: (u8, u8) = (5, 3);

/// How late a slow hub is: more than the grace period, less than the time-out of a request.
pub(crate) const SLOW_MS: u64 = 300;

/// Messages that every link loses, in percent.
const LOSS_PERCENT: [u64; 7] = [0, 1, 2, 5, 10, 20, 30];

/// What the master waits for once K hubs have its shares: nothing, the other hubs for the grace period, or all of them.
pub(crate) const PATIENCE: [(&str, u64); 3] = [
    ("return-at-k", 0),
    ("grace", 200),
    // Until the deadline of the call.
    ("wait-for-all", 2_000),
];

/// A 99th percentile needs more keys than a rate does.
const KEYS_A_SAMPLE: usize = 5;

/// Keys of a run at most. Each run draws anew which hubs are slow.
const KEYS_MAX: usize = 50;

/// Keys under the same conditions. Times are those of keys that arrived, in simulated milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// `slow-hubs`, or `loss-percent`.
    pub trouble: String,
    /// How many hubs are slow, or how much is lost.
    pub amount: u64,
    /// What the master waits for.
    pub patience: String,
    /// The grace period that makes it wait so.
    pub grace_ms: u64,
    /// Keys that both sides got, of those that were asked for.
    #[serde(flatten)]
    pub arrived: Rate,
    /// Median of the master's call.
    pub establish_p50_ms: f64,
    /// 99th percentile of the master's call.
    pub establish_p99_ms: f64,
    /// Median of the slave's call.
    pub fetch_p50_ms: f64,
    /// 99th percentile of the slave's call.
    pub fetch_p99_ms: f64,
}

pub(super) fn measure(lab: &mut Lab<'_>) -> Vec<Point> {
    let slow = (0..=u64::from(CLUSTER.0)).map(|hubs| ("slow-hubs", hubs));
    let loss = LOSS_PERCENT.map(|percent| ("loss-percent", percent));
    let conditions: Vec<_> = slow
        .chain(loss)
        .flat_map(|trouble| PATIENCE.map(|patience| (trouble, patience)))
        .collect();
    let mut setup = Setup::new(lab, "local");
    let keys = (KEYS_A_SAMPLE * lab.samples(), KEYS_MAX);
    let plan = |((trouble, amount), (_, grace_ms)): (_, (_, u64)), keys| {
        let mut plan = setup.plan(CLUSTER.0, CLUSTER.1);
        plan.cluster.grace_ms = grace_ms;
        match trouble {
            "slow-hubs" => slow_hubs(&mut plan, amount),
            _ => lossy_links(&mut plan, amount),
        }
        ask(&mut plan, keys, 3_000, 120);
        close(&mut plan);
        plan
    };
    let found = lab.run_each(&conditions, keys, plan, exchanges);
    let points = conditions.iter().zip(found);
    points
        .map(|(conditions, found)| point(*conditions, &found.concat()))
        .collect()
}

fn slow_hubs(plan: &mut Plan, number: u64) {
    let hubs = shuffled_hubs(plan);
    let slow = hubs.iter().take(number as usize);
    plan.faults = slow
        .map(|&hub| {
            throughout(Fault::SlowHub {
                hub,
                delay_ms: SLOW_MS,
            })
        })
        .collect();
}

pub(super) fn lossy_links(plan: &mut Plan, loss_percent: u64) {
    if loss_percent == 0 {
        return;
    }
    for client in [MASTER, SLAVE] {
        let lossy = |hub| {
            throughout(Fault::LossyLink {
                client,
                hub,
                loss_percent,
            })
        };
        plan.faults
            .extend((0..usize::from(plan.cluster.hubs)).map(lossy));
    }
}

fn point(
    ((trouble, amount), (patience, grace_ms)): ((&str, u64), (&str, u64)),
    keys: &[Exchange],
) -> Point {
    let arrived = Rate::count(keys.iter().map(|key| key.fetch_us.is_some()));
    let keys = keys.iter().filter(|key| key.fetch_us.is_some());
    let mut establish: Vec<u64> = keys.clone().filter_map(|key| key.establish_us).collect();
    let mut fetch: Vec<u64> = keys.filter_map(|key| key.fetch_us).collect();
    Point {
        trouble: trouble.to_owned(),
        amount,
        patience: patience.to_owned(),
        grace_ms,
        arrived,
        establish_p50_ms: quantile_ms(&mut establish, 0.5),
        establish_p99_ms: quantile_ms(&mut establish, 0.99),
        fetch_p50_ms: quantile_ms(&mut fetch, 0.5),
        fetch_p99_ms: quantile_ms(&mut fetch, 0.99),
    }
}

//! A plan with a bit of everything, for tests of the shrinker.

use crate::campaign::load;
use crate::judge::Violation;
use crate::outcome::RunViolation;
use crate::plan::{Fault, Liar, Lie, Plan, PlannedFault};
use crate::world::observer::record::CallKind;

/// 5 of 7 hubs, 3 clients, 200 calls and more, of which some ask for more than the least; 20 faults, 2 liars.
pub(crate) fn big() -> Plan {
    let mut plan = load("calm").unwrap().plan(1);
    plan.cluster.hubs = 7;
    plan.cluster.threshold = 5;
    plan.cluster.coalition = 4;
    for i in 0..20 {
        let hub = i % 7;
        let fault = match i % 4 {
            0 => Fault::Partition {
                clients: vec![2, 0, 1],
                hubs: vec![6, hub % 6],
            },
            1 => Fault::CrashHub { hub },
            2 => Fault::SlowHub { hub, delay_ms: 400 },
            _ => Fault::CrashClient { client: i % 3 },
        };
        plan.faults.push(PlannedFault {
            at_ms: 500 * i as u64,
            until_ms: 500 * i as u64 + 3_000,
            fault,
        });
    }
    for hub in [6, 1] {
        plan.liars.push(Liar {
            hub,
            from_ms: 0,
            until_ms: plan.heal_at_ms,
            lies: Lie::alone(),
            rate_percent: 80,
        });
    }
    plan.check().unwrap();
    plan
}

pub(crate) fn violation(at_ms: u64) -> RunViolation {
    RunViolation {
        at_ms,
        violation: Violation::KeysDiffer {
            key: "0a782fb5-3434-48fe-aa4d-14f41d46cf92".parse().unwrap(),
            first: (0, CallKind::Master),
            second: (1, CallKind::Slave),
        },
    }
}

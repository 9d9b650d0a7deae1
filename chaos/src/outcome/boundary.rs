//! Calls by the conditions under which they ran.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::judge::Facts;
use crate::plan::{Fault, Plan, PlannedFault};
use crate::world::observer::record::{CallKind, Outcome};

/// Calls that ran under the same conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BoundaryPoint {
    /// Hubs in the cluster (N).
    pub hubs: u8,
    /// Threshold (K).
    pub threshold: u8,
    /// Hubs that the client could not reach while the calls ran.
    pub down: u8,
    /// Hubs that lied.
    pub lying: u8,
    /// Pairs of master and slave call under these conditions.
    pub tried: u64,
    /// Pairs of which both sides got the key.
    pub succeeded: u64,
}

/// Exchanges by how many hubs were out of reach of one of the clients, and how many lied, at some time while they
/// ran or shortly before. Those during which PSRD was cut off or a client was down are left out: they say nothing
/// about hubs.
pub(super) fn of(facts: &Facts<'_>) -> Vec<BoundaryPoint> {
    let plan = &facts.seen.plan;
    let mut points: BTreeMap<(u8, u8), (u64, u64)> = BTreeMap::new();
    for master in facts.calls(CallKind::Master) {
        let Some(planned) = plan.calls.iter().find(|call| call.id == master.id) else {
            continue;
        };
        // The first slave, who is there in every call.
        let slave = facts.calls(CallKind::Slave).find(|slave| {
            slave.id == master.id && slave.sae.as_str() == plan.sae_name(planned.slave)
        });
        let exchange = Exchange {
            plan,
            clients: [planned.master, planned.slave].map(|sae| plan.client_of(sae)),
            from_ms: (master.from_us / 1000).saturating_sub(facts.settle_ms()),
            until_ms: slave.unwrap_or(master).until_us / 1000 + 1,
        };
        if exchange.says_nothing_about_hubs() {
            continue;
        }
        let point = points.entry(exchange.conditions()).or_default();
        point.0 += 1;
        point.1 += u64::from(slave.is_some_and(|slave| matches!(slave.outcome, Outcome::Keys(_))));
    }
    let points = points
        .into_iter()
        .map(|((down, lying), (tried, succeeded))| BoundaryPoint {
            hubs: plan.cluster.hubs,
            threshold: plan.cluster.threshold,
            down,
            lying,
            tried,
            succeeded,
        });
    points.collect()
}

/// A key on its way from master to slave.
struct Exchange<'a> {
    plan: &'a Plan,
    clients: [usize; 2],
    from_ms: u64,
    until_ms: u64,
}

impl Exchange<'_> {
    fn faults(&self) -> impl Iterator<Item = &Fault> {
        let during = |planned: &&PlannedFault| {
            planned.at_ms < self.until_ms && self.from_ms < planned.until_ms
        };
        self.plan
            .faults
            .iter()
            .filter(during)
            .map(|planned| &planned.fault)
    }

    fn says_nothing_about_hubs(&self) -> bool {
        self.faults().any(|fault| match fault {
            Fault::CutRefill { .. } | Fault::LoseDelivery { .. } => true,
            Fault::CrashClient { client } => self.clients.contains(client),
            _ => false,
        })
    }

    /// How many hubs were out of reach, and how many others lied.
    fn conditions(&self) -> (u8, u8) {
        let (mut down, mut lying) = (0, 0);
        for hub in 0..usize::from(self.plan.cluster.hubs) {
            let severs = |fault: &Fault| {
                let severs = |&client: &usize| fault.severs(client, hub, &self.plan.cluster);
                self.clients.iter().any(severs)
            };
            if self.faults().any(severs) {
                down += 1;
            } else if self.plan.is_lying(hub, self.from_ms, self.until_ms) {
                lying += 1;
            }
        }
        (down, lying)
    }
}

//! Plans of a sweep: one client asks for keys, the other one fetches them, and nothing goes wrong.
//! Each figure adds its own trouble.

use dske::protocol::initiator::KeySource;
use dske::protocol::limits::NodeLimits;
use rand::Rng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::lab::Lab;
use crate::plan::stream::{SEED_MAX, stream};
use crate::plan::{self, ClusterPlan, Fault, Liar, Lie, Plan, PlannedCall, PlannedFault};

/// The client that serves the master SAE, and the one that serves the slave.
pub(super) const MASTER: usize = 0;
/// See [`MASTER`].
pub(super) const SLAVE: usize = 1;

/// Bits of a key where its size does not matter: AES-256.
pub(super) const BITS: u32 = 256;

/// When hubs crash that are down for good: the nodes have found each other by then.
const CRASH_AT_MS: u64 = 500;

/// Makes the plans of one part, each with a seed of its own.
pub(super) struct Setup {
    campaign: String,
    seeds: ChaCha12Rng,
}

impl Setup {
    pub(super) fn new(lab: &Lab<'_>, figure: &str) -> Self {
        let campaign = format!("sweep-{}-{figure}", lab.part().name());
        let seeds = stream(&campaign, lab.seed(), "seeds");
        Self { campaign, seeds }
    }

    /// A healthy cluster on a local network that nobody asks for anything yet.
    pub(super) fn plan(&mut self, hubs: u8, threshold: u8) -> Plan {
        Plan {
            campaign: self.campaign.clone(),
            seed: self.seeds.next_u64() & SEED_MAX,
            cluster: ClusterPlan {
                hubs,
                threshold,
                clients: 2,
                saes_per_client: 1,
                latency_ms: (1, 8),
                link_latency_ms: Vec::new(),
                tick_ms: 2,
                psrd_block_bytes: 16_384,
                psrd_low_water_bytes: 4_096,
                request_timeout_ms: 500,
                call_deadline_ms: 2_000,
                grace_ms: 200,
                share_ttl_ms: 3_000,
                coalition: threshold - 1,
                key_source: KeySource::Generator,
                shares_per_hub_max: plan::shares_max(),
                share_bytes_per_hub_max: plan::share_bytes_max(),
                limits: NodeLimits::default(),
            },
            calls: Vec::new(),
            faults: Vec::new(),
            liars: Vec::new(),
            heal_at_ms: 0,
            recovery_ms: 3_000,
            end_ms: 0,
            canary: None,
        }
    }
}

/// Hubs of a plan in an order that its seed draws.
pub(super) fn shuffled_hubs(plan: &Plan) -> Vec<usize> {
    let mut hubs: Vec<usize> = (0..plan.cluster.hubs.into()).collect();
    hubs.shuffle(&mut stream(&plan.campaign, plan.seed, "hubs"));
    hubs
}

/// Asks for keys, one at a time.
pub(super) fn ask(plan: &mut Plan, keys: usize, from_ms: u64, every_ms: u64) {
    let times = (0..keys as u64).map(|i| from_ms + i * every_ms);
    let first = plan.calls.len() as u32;
    plan.calls.extend(
        times
            .zip(first..)
            .map(|(at_ms, id)| PlannedCall::plain(id, at_ms, (MASTER, SLAVE), BITS)),
    );
}

/// Sets the end: faults and lies last until all calls are over, and the run until all shares have expired.
pub(super) fn close(plan: &mut Plan) {
    let last_ms = plan.calls.last().map_or(0, |call| call.at_ms);
    plan.heal_at_ms = last_ms + 2 * plan.cluster.call_deadline_ms;
    for fault in &mut plan.faults {
        fault.until_ms = fault.until_ms.min(plan.heal_at_ms);
    }
    for liar in &mut plan.liars {
        liar.until_ms = plan.heal_at_ms;
    }
    plan.faults.sort_by_key(|fault| fault.at_ms);
    plan.end_ms = plan.shortest_end_ms();
}

/// A fault that lasts from the beginning of the run, or as soon as it makes sense, until [`close`] ends it.
pub(super) fn throughout(fault: Fault) -> PlannedFault {
    let at_ms = match fault {
        Fault::CrashHub { .. } => CRASH_AT_MS,
        _ => 0,
    };
    PlannedFault {
        at_ms,
        until_ms: u64::MAX,
        fault,
    }
}

/// A hub that tells one of these lies in every answer, until [`close`] ends it.
pub(super) fn liar(hub: usize, lies: &[Lie]) -> Liar {
    Liar {
        hub,
        from_ms: 0,
        until_ms: 0,
        lies: lies.to_vec(),
        rate_percent: 100,
    }
}

//! Makes a changed plan valid again.

use std::collections::BTreeSet;

use crate::campaign::draw::BLOCKS_TO_LOW_WATER;
use crate::plan::limits::{BITS, FIRST_CALL_MS, NUMBER, SAES_PER_CLIENT};
use crate::plan::{CLIENT_NAMES, HUB_NAMES, Plan, PlannedCall};

/// Faults at most: mutants of mutants would grow without bound, and so would their runs.
const FAULTS_MAX: usize = 60;

/// Periods of lying at most, of all hubs together.
const LIARS_MAX: usize = 20;

/// Brings every value within its limits and every list into order, and drops references to nodes that do not exist.
pub(super) fn repair(plan: &mut Plan) {
    cluster(plan);
    faults(plan);
    liars(plan);
    calls(plan);
    plan.end_ms = plan.shortest_end_ms();
}

fn cluster(plan: &mut Plan) {
    let cluster = &mut plan.cluster;
    cluster.hubs = cluster.hubs.clamp(1, HUB_NAMES.len() as u8);
    cluster.threshold = cluster.threshold.clamp(1, cluster.hubs);
    cluster.clients = cluster.clients.clamp(2, CLIENT_NAMES.len() as u8);
    let saes = *SAES_PER_CLIENT.end() as u8;
    cluster.saes_per_client = cluster.saes_per_client.clamp(1, saes);
    cluster.coalition = cluster.threshold - 1;
    let most = cluster.psrd_block_bytes * BLOCKS_TO_LOW_WATER;
    cluster.psrd_low_water_bytes = cluster.psrd_low_water_bytes.min(most);
}

fn faults(plan: &mut Plan) {
    let (hubs, clients) = (
        usize::from(plan.cluster.hubs),
        usize::from(plan.cluster.clients),
    );
    for planned in &mut plan.faults {
        planned.until_ms = planned.until_ms.min(plan.heal_at_ms);
        if let Some((of_clients, of_hubs)) = planned.fault.groups_mut() {
            of_clients.retain(|client| *client < clients);
            of_hubs.retain(|hub| *hub < hubs);
        }
    }
    plan.faults.retain(|planned| {
        let fault = &planned.fault;
        let mut copy = fault.clone();
        let is_of_nobody = copy
            .groups_mut()
            .is_some_and(|(c, h)| c.is_empty() || h.is_empty());
        planned.at_ms < planned.until_ms
            && !is_of_nobody
            && fault.hubs().iter().all(|hub| *hub < hubs)
            && fault.clients().iter().all(|client| *client < clients)
    });
    plan.faults.truncate(FAULTS_MAX);
    plan.faults.sort_by_key(|planned| planned.at_ms);
}

/// Fewer than K hubs lie: with K of them the protocol promises nothing.
fn liars(plan: &mut Plan) {
    for liar in &mut plan.liars {
        liar.until_ms = liar.until_ms.min(plan.heal_at_ms);
    }
    let hubs = usize::from(plan.cluster.hubs);
    let mut lying = BTreeSet::new();
    plan.liars.retain(|liar| {
        let is_valid = liar.hub < hubs && liar.from_ms < liar.until_ms;
        let may_lie =
            lying.contains(&liar.hub) || lying.len() + 1 < usize::from(plan.cluster.threshold);
        if is_valid && may_lie {
            lying.insert(liar.hub);
        }
        is_valid && may_lie
    });
    plan.liars.truncate(LIARS_MAX);
    plan.liars.sort_by_key(|liar| liar.from_ms);
}

fn calls(plan: &mut Plan) {
    let saes = plan.saes();
    let cluster = &plan.cluster;
    plan.calls
        .retain(|call| call.master < saes && call.slave < saes);
    for call in &mut plan.calls {
        call.at_ms = call.at_ms.max(FIRST_CALL_MS);
        call.also = call.also.filter(|also| *also < saes);
        call.intruder = call.intruder.filter(|intruder| *intruder < saes);
        call.fetch_after_ms = call.fetch_after_ms.min(cluster.share_ttl_ms / 2);
        let keys_max = |call: &PlannedCall| cluster.keys_max(call.bits);
        while keys_max(call) == 0 && u64::from(call.bits) > *BITS.start() {
            call.bits = (call.bits / 2 / 8 * 8).max(*BITS.start() as u32);
        }
        call.number = call.number.clamp(1, keys_max(call).max(1));
        let most = *NUMBER.end() as u16 / call.number;
        call.together = call.together.clamp(1, most);
    }
    plan.calls.sort_by_key(|call| call.at_ms);
}

//! How much a client lets its SAEs have under way. `docs/protocol.md` §9.

use super::end::End;
use super::rules::Rules;
use crate::judge::Facts;
use crate::plan::{PlannedCall, share_bytes};
use crate::world::observer::record::Call;

/// What of so much is guaranteed to the SAE that calls: one half, in equal parts for all SAEs of its client.
#[must_use]
pub fn guaranteed(facts: &Facts<'_>, call: &Call, most: u64) -> u64 {
    most / 2 / facts.seen.plan.saes_of(call.client).len() as u64
}

/// Whether an SAE had more calls under way than is guaranteed to it. A fetch counts with the bytes of keys of default size:
/// here it counts with at least as many as its call for keys.
#[must_use]
pub fn may_be_busy(facts: &Facts<'_>, call: &Call, planned: &PlannedCall) -> bool {
    let calls = facts.seen.calls.iter().filter(|other| {
        other.sae == call.sae && other.from_us <= call.until_us && call.from_us <= other.until_us
    });
    let number = calls.count() as u64;
    let hubs = u64::from(facts.seen.plan.cluster.hubs);
    let each = 32 + u64::from(call.number) * share_bytes(planned.bits.max(256));
    let limits = facts.seen.plan.cluster.limits;
    number > guaranteed(facts, call, limits.calls_max as u64)
        || number * each * hubs > guaranteed(facts, call, limits.call_bytes_max as u64)
}

/// Whether links may have had no room for an exchange of a call, since its SAE had more under way than is guaranteed to it. Each
/// call has one exchange with each hub, which may go on in the background.
#[must_use]
pub fn may_fill_links(facts: &Facts<'_>, call: &Call) -> bool {
    let plan = &facts.seen.plan;
    let background_us = 2 * plan.cluster.call_deadline_ms * 1000;
    let calls = facts.seen.calls.iter().filter(|other| {
        other.sae == call.sae
            && other.from_us <= call.until_us
            && call.from_us <= other.until_us + background_us
    });
    let most = plan.cluster.limits.exchanges_max as u64;
    plan.has_narrow_links() && calls.count() as u64 > guaranteed(facts, call, most)
}

/// Whether so many calls of the only SAE of a client were under way that one more had to be refused. A call counts if it
/// had surely come before this one did, and had surely not ended.
#[must_use]
pub fn must_be_busy(facts: &Facts<'_>, call: &Call) -> bool {
    let plan = &facts.seen.plan;
    let limits = plan.cluster.limits;
    let way_us = Rules::of(plan).way_us;
    let under_way = facts.seen.calls.iter().filter(|other| {
        other.client == call.client
            && other.from_us + way_us <= call.from_us
            && call.from_us + way_us <= other.until_us
            && matches!(End::of(&other.outcome), Some(end) if end != End::Busy)
    });
    plan.saes_of(call.client).len() == 1 && under_way.count() >= limits.calls_max
}

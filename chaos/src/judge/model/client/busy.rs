//! How much a client lets its SAEs have under way. `docs/protocol.md` §9.

use crate::judge::Facts;
use crate::plan::{PlannedCall, share_bytes};
use crate::world::observer::record::Call;

/// Calls of a client in flight, at most.
const CALLS_MAX: u64 = 1_024;

/// Bytes of their shares, at most.
const CALL_BYTES_MAX: u64 = 256 << 20;

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
    number > guaranteed(facts, call, CALLS_MAX)
        || number * each * hubs > guaranteed(facts, call, CALL_BYTES_MAX)
}

//! Bounds: stores and pools stay within their limits, and drain.

use dske::protocol::limits::BLOCKS_MAX;

use super::{Facts, Verdict};

/// Checks it on every status that was polled, and on the last one of each hub.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let plan = &facts.seen.plan;
    let pool_max =
        BLOCKS_MAX * usize::try_from(plan.cluster.psrd_block_bytes).unwrap_or(usize::MAX);
    for (at_us, hub, status) in &facts.seen.hub_statuses {
        verdict.expect(status.shares_held <= status.shares_max, *at_us, || {
            format!(
                "hub {hub} holds {} shares, {} are allowed",
                status.shares_held, status.shares_max
            )
        });
        for peer in &status.peers {
            let largest = peer.up_bytes_left.max(peer.down_bytes_left);
            verdict.expect(largest <= pool_max, *at_us, || {
                format!(
                    "hub {hub} has {largest} bytes of PSRD for {}, {pool_max} are allowed",
                    peer.client
                )
            });
        }
    }
    for hub in 0..usize::from(plan.cluster.hubs) {
        let last = facts
            .seen
            .hub_statuses
            .iter()
            .rev()
            .find(|(_, h, _)| *h == hub);
        let drained = last.is_some_and(|(_, _, status)| status.shares_held == 0);
        verdict.expect(drained, plan.end_ms * 1000, || match last {
            Some((_, _, status)) => format!(
                "hub {hub} still holds {} shares after the time to live of all has passed",
                status.shares_held
            ),
            None => format!("hub {hub} was never heard of"),
        });
    }
    verdict
}

//! Bounds: stores and pools stay within their limits, and drain; at the end nothing is in flight any more.

use std::collections::BTreeMap;

use dske::node::client::ClientStatus;
use dske::protocol::limits::BLOCKS_MAX;

use super::{Facts, Verdict, Violation};

/// Checks every status that was polled, and the last one of each hub.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let plan = &facts.seen.plan;
    let pool_max =
        BLOCKS_MAX * usize::try_from(plan.cluster.psrd_block_bytes).unwrap_or(usize::MAX);
    let cluster = &plan.cluster;
    for (at_us, hub, status) in &facts.seen.hub_statuses {
        for (what, held, max) in [
            ("shares", status.shares_held, cluster.shares_per_hub_max),
            (
                "bytes of shares",
                status.share_bytes_held,
                cluster.share_bytes_per_hub_max,
            ),
        ] {
            verdict.expect(held as u64 <= max, *at_us, || Violation::StoreTooFull {
                hub: *hub,
                held,
                what,
                max,
            });
        }
        for peer in &status.peers {
            let largest = peer.up_bytes_left.max(peer.down_bytes_left);
            verdict.expect(largest <= pool_max, *at_us, || Violation::PoolTooFull {
                hub: *hub,
                bytes: largest,
                client: peer.client.clone(),
                max: pool_max,
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
            Some((_, _, status)) => Violation::NotDrained {
                hub,
                held: status.shares_held,
            },
            None => Violation::NeverHeardOf { hub },
        });
    }
    // The last status of each client's last life.
    let last: BTreeMap<usize, &ClientStatus> = facts
        .seen
        .client_statuses
        .iter()
        .map(|((client, _), status)| (*client, status))
        .collect();
    for (client, status) in last {
        let links = status.hubs.iter().map(|hub| hub.link.in_flight);
        for (what, number) in [
            ("calls", status.calls_in_flight),
            ("exchanges", links.sum()),
        ] {
            verdict.expect(number == 0, plan.end_ms * 1000, || {
                Violation::StillInFlight {
                    client,
                    number,
                    what,
                }
            });
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scene;
    use super::*;

    #[test]
    fn stores_within_their_limits_that_drain_are_right() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        scene.poll(0, 2_000, |status| assert_eq!(status.shares_held, 2));
        scene.poll_all_drained();
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_full_store_is_right_and_one_share_more_is_seen() {
        for (more, breaks) in [(0, false), (1, true)] {
            let mut scene = Scene::new(|plan| plan.cluster.shares_per_hub_max = 70);
            // Whatever the hub says that it may hold.
            scene.poll(2, 2_000, |status| {
                (status.shares_held, status.shares_max) = (70 + more, 1_000);
            });
            scene.poll_all_drained();
            let verdict = scene.judge(check);
            if breaks {
                verdict.must_break("hub 2 holds 71 shares, 70 are allowed");
            } else {
                verdict.must_hold();
            }
        }
    }

    #[test]
    fn a_pool_above_its_limit_is_seen() {
        let mut scene = Scene::new(|_| {});
        let max = BLOCKS_MAX * usize::try_from(scene.see().plan.cluster.psrd_block_bytes).unwrap();
        scene.poll(1, 2_000, |status| status.peers[0].down_bytes_left = max);
        scene.poll_all_drained();
        scene.judge(check).must_hold();
        scene.poll(1, 2_000, |status| status.peers[0].up_bytes_left = max + 1);
        scene.poll_all_drained();
        scene.judge(check).must_break("bytes of PSRD for carol");
    }

    #[test]
    fn a_store_that_does_not_drain_is_seen() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        scene.poll_all_drained();
        let end_ms = scene.see().plan.end_ms;
        scene.poll(4, end_ms, |status| status.shares_held = 1);
        scene.judge(check).must_break("hub 4 still holds 1 shares");
    }

    #[test]
    fn what_is_still_in_flight_in_a_clients_last_life_is_seen() {
        let mut scene = Scene::new(|_| {});
        scene.poll_all_drained();
        let end_ms = scene.see().plan.end_ms;
        for life in [0, 1] {
            scene.polled(0, life, 0, end_ms, |_| 0);
        }
        let is_busy = |scene: &Scene, life: u32, calls: usize, exchanges: usize| {
            let mut seen = scene.see();
            let status = seen.client_statuses.get_mut(&(0, life)).unwrap();
            status.calls_in_flight = calls;
            status.hubs[2].link.in_flight = exchanges;
        };
        is_busy(&scene, 0, 1, 1);
        scene.judge(check).must_hold();
        is_busy(&scene, 1, 0, 2);
        let broken = scene.judge(check);
        broken.must_break("client 0 still has 2 exchanges in flight");
        is_busy(&scene, 1, 1, 0);
        let broken = scene.judge(check);
        broken.must_break("client 0 still has 1 calls in flight");
    }

    #[test]
    fn a_hub_that_was_never_heard_of_is_seen() {
        let mut scene = Scene::new(|_| {});
        scene.poll_all_drained();
        scene.see().hub_statuses.retain(|(_, hub, _)| *hub != 3);
        scene.judge(check).must_break("hub 3 was never heard of");
    }
}

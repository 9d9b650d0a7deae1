//! Fair: what one SAE does within the rules costs the others next to nothing.
//!
//! A hub has room for the shares of each master SAE, up to its guarantee, whatever others deposit. And while a greedy SAE
//! asks for keys that nobody fetches, the calls of all others succeed as they would without it.

use std::collections::{BTreeMap, VecDeque};

use dske::protocol::SaeId;
use dske::protocol::batch::{Operation, Reply, operations_of, replies_of};
use dske::protocol::message::DepositOutcome;

use super::excuse::excuse;
use super::facts::withdrawn;
use super::{Facts, Verdict, Violation};
use crate::plan::Fault;
use crate::world::observer::record::{Call, CallKind, Outcome, Seen};

/// Of so many calls of others, one may fail because of a greedy SAE.
const ONE_IN: u64 = 100;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    room(facts, &mut verdict);
    success(facts, &mut verdict);
    verdict
}

/// What a hub can hold of an SAE at most: all that it stored within the time to live.
#[derive(Default)]
struct Held {
    shares: VecDeque<(u64, u64)>,
    bytes: u64,
}

impl Held {
    fn add(&mut self, at_us: u64, bytes: u64) {
        self.shares.push_back((at_us, bytes));
        self.bytes += bytes;
    }

    fn forget_until(&mut self, us: u64) {
        while let Some((_, bytes)) = self.shares.pop_front_if(|(at_us, _)| *at_us <= us) {
            self.bytes -= bytes;
        }
    }
}

/// A hub that does not lie says that it is full only to an SAE whose guarantee is used up.
fn room(facts: &Facts<'_>, verdict: &mut Verdict) {
    let plan = &facts.seen.plan;
    let (lying, ttl_us) = (plan.lying_hubs(), plan.cluster.share_ttl_ms * 1000);
    let mut all: BTreeMap<(usize, SaeId), Held> = BTreeMap::new();
    for message in &facts.seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        if lying.contains(&message.hub) {
            continue;
        }
        // A key that was withdrawn takes a place for a while, so that it cannot be deposited.
        for name in withdrawn(to, response) {
            let held = all.entry((message.hub, name.master_sae)).or_default();
            held.add(message.at_us, 0);
        }
        let operations = operations_of(to).unwrap_or_default();
        for (operation, reply) in operations
            .into_iter()
            .zip(replies_of(to, response).into_iter().flatten())
        {
            let (Operation::Deposit(body), Reply::Deposit(reply)) = (operation, reply) else {
                continue;
            };
            let Some(guarantee) = plan.guarantee(body.master_sae.as_str()) else {
                continue;
            };
            let held = all
                .entry((message.hub, body.master_sae.clone()))
                .or_default();
            held.forget_until(message.at_us.saturating_sub(ttl_us));
            for (key, result) in body.keys.iter().zip(reply.keys) {
                let bytes = key.share.0.len() as u64;
                let shares = held.shares.len() as u64;
                let is_used_up =
                    shares + 1 > guarantee.shares || held.bytes + bytes > guarantee.bytes;
                let is_full = result.outcome == DepositOutcome::Full;
                verdict.expect(!is_full || is_used_up, message.at_us, || {
                    Violation::NoRoomForOwn {
                        hub: message.hub,
                        key: result.key_id,
                        sae: body.master_sae.clone(),
                        held: shares,
                        bytes: held.bytes,
                        guarantee,
                    }
                });
                if result.outcome == DepositOutcome::Stored {
                    held.add(message.at_us, bytes);
                }
            }
        }
    }
}

/// While an SAE is greedy, the calls of others succeed, as far as nothing else excuses them.
fn success(facts: &Facts<'_>, verdict: &mut Verdict) {
    let plan = &facts.seen.plan;
    let mut floods = plan.faults.iter();
    let during = |call: &&Call| {
        let from_ms = call.from_us / 1000;
        let is_greedy = |fault: &Fault| matches!(fault, Fault::GreedySae { .. });
        plan.faults_at(from_ms).any(is_greedy)
    };
    if !floods.any(|planned| matches!(planned.fault, Fault::GreedySae { .. })) {
        return;
    }
    let honest = |call: &&Call| matches!(call.kind, CallKind::Master | CallKind::Slave);
    let calls = facts.seen.calls.iter().filter(honest).filter(during);
    let (mut number, mut failed) = (0, Vec::new());
    for call in calls.filter(|call| excuse(facts, call).is_none()) {
        number += 1;
        if !matches!(call.outcome, Outcome::Keys(_)) {
            failed.push(call);
        }
    }
    let few = failed.len() as u64 * ONE_IN <= number;
    let first = failed.first();
    verdict.expect(few, first.map_or(0, |call| call.until_us), || {
        Violation::PaidByOthers {
            failed: failed.len() as u64,
            calls: number,
            first: first.map_or(0, |call| call.id),
            end: first.map_or_else(String::new, |call| call.outcome.line()),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, fault, refused};
    use super::*;
    use crate::plan::Plan;

    /// Room for so many shares in all, of which each of the three clients is guaranteed a sixth.
    fn room_for(shares: u64) -> impl FnOnce(&mut Plan) {
        move |plan| plan.cluster.shares_per_hub_max = shares
    }

    #[test]
    fn a_store_may_be_full_for_whoever_has_used_its_guarantee_up_and_for_nobody_else() {
        for (shares, is_right) in [(12, true), (17, true), (18, false)] {
            let mut scene = Scene::new(room_for(shares));
            // Two keys are held.
            scene.establish(0, 1_000);
            let body = scene.deposit_of_another_key(2);
            scene.deposit_answered(2, 2_000, &body, DepositOutcome::Full);
            let verdict = scene.judge(check);
            match is_right {
                true => verdict.must_hold(),
                false => verdict.must_break("hub 2 had no room for key"),
            }
        }
    }

    #[test]
    fn what_has_expired_is_not_held() {
        let mut scene = Scene::new(|plan| {
            plan.cluster.share_ttl_ms = 3_000;
            room_for(12)(plan);
        });
        scene.establish(0, 1_000);
        let body = scene.deposit_of_another_key(2);
        scene.deposit_answered(2, 4_100, &body, DepositOutcome::Full);
        scene.judge(check).must_break("no more than 0 shares");
    }

    /// A greedy SAE, a hundred calls by others of which so many fail, and one after the flood, which does.
    fn flooded(failed: u32) -> Scene {
        let greedy = Fault::GreedySae {
            client: SLAVE,
            per_second: 10,
        };
        let scene = Scene::new(|plan| plan.faults.push(fault(4_000, 9_000, greedy)));
        for id in 0..100 {
            let outcome = match id < failed {
                true => refused(),
                false => Outcome::Keys(Vec::new()),
            };
            scene.call(id, CallKind::Master, MASTER, (5_000, 5_100), outcome);
        }
        scene.call(100, CallKind::Master, MASTER, (9_000, 9_100), refused());
        scene
    }

    #[test]
    fn one_call_in_a_hundred_may_fail_while_an_sae_is_greedy() {
        flooded(0).judge(check).must_hold();
        flooded(1).judge(check).must_hold();
        flooded(2)
            .judge(check)
            .must_break("2 of 100 calls of other SAEs failed");
    }

    #[test]
    fn a_call_that_would_have_failed_anyway_does_not_count() {
        let scene = flooded(2);
        let hubs = 0..5;
        let crashes = hubs.map(|hub| fault(4_500, 4_600, Fault::CrashHub { hub }));
        let mut plan = Plan::clone(&scene.see().plan);
        plan.faults.extend(crashes);
        scene.see().plan = plan.into();
        scene.judge(check).must_hold();
    }
}

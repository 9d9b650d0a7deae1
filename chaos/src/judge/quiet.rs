//! Quiet: where nothing goes wrong, nothing is done twice and nothing runs short.
//!
//! A plan is calm if it has neither faults nor lies, and the network is much faster than anybody's patience. Then each link
//! registers once, every hub takes every share of each key that a master is given, hubs refuse nothing but what is too long
//! for one answer, and a pool is above its low-water mark a second after the last message.
//!
//! Beyond that, a client whose SAEs never ask for more at the same moment than the low-water mark covers finds PSRD whenever
//! it needs some, and tries nothing again but what was too long. That holds under load, too.

use std::collections::BTreeMap;

use dske::crypto::mac::MAC_KEY_BYTES;
use dske::protocol::{KeyId, Refusal};

use super::facts::refusals;
use super::{Facts, Verdict};
use crate::plan::{Plan, share_bytes};
use crate::world::observer::PoolsSeen;
use crate::world::observer::record::{Call, OutOfBand, Seen};

/// What is not as quiet as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the line of each variant says what its fields are"
)]
pub enum Unquiet {
    #[error("client {client} registered {times} times at hub {hub}, although nothing went wrong")]
    Registered {
        client: usize,
        hub: usize,
        times: u64,
    },
    #[error("{holders} of {hubs} hubs took a share of key {key}, although nothing went wrong")]
    HoldersMissing {
        key: KeyId,
        holders: usize,
        hubs: usize,
    },
    #[error(
        "client {client} sent hub {hub} a share of key {key} again, although nothing went wrong"
    )]
    SentAgain {
        client: usize,
        hub: usize,
        key: KeyId,
    },
    #[error("hub {hub} refused a message of client {client}, although nothing went wrong: {why}")]
    Refused {
        hub: usize,
        client: usize,
        why: String,
    },
    #[error("client {client} counts {times} attempts {what} at hub {hub}, {allowed} are explained")]
    Attempts {
        client: usize,
        hub: usize,
        what: &'static str,
        times: u64,
        allowed: u64,
    },
    #[error(
        "the {pool} pool of client {client} and hub {hub} has {left} bytes a second after the last message, and its low-water mark is {low_water}"
    )]
    PoolLow {
        client: usize,
        hub: usize,
        pool: &'static str,
        left: usize,
        low_water: u64,
    },
}

/// A link looks after itself once a second.
const UPKEEP_US: u64 = 1_000_000;

/// Ways through the network from the message that takes a pool below its low-water mark to the end of the refill: its
/// answer, connecting, and a block for each pool, once more where a refill is just ending.
const REFILL_WAYS: u64 = 14;

/// Beyond the ways, for what is no way: the ticks of the simulation.
const MARGIN_MS: u64 = 50;

/// Checks the invariant. It claims nothing of a plan that is not calm.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    if !is_calm(&facts.seen.plan) {
        return verdict;
    }
    registrations(facts, &mut verdict);
    holders(facts, &mut verdict);
    refused(facts, &mut verdict);
    retries(facts, &mut verdict);
    pools(facts, &mut verdict);
    verdict
}

/// Whether nothing is done to the nodes, and no request or call comes anywhere near its time-out.
fn is_calm(plan: &Plan) -> bool {
    let cluster = &plan.cluster;
    let links = cluster.link_latency_ms.iter().flatten();
    let way_ms = links.chain([&cluster.latency_ms]).map(|way| way.1).max();
    let refill_ms = REFILL_WAYS * way_ms.unwrap_or_default() + MARGIN_MS;
    plan.faults.is_empty()
        && plan.liars.is_empty()
        && refill_ms < cluster.request_timeout_ms
        && refill_ms < cluster.grace_ms
}

/// Each link registers once.
fn registrations(facts: &Facts<'_>, verdict: &mut Verdict) {
    let mut registered: BTreeMap<(usize, usize), (u64, u64)> =
        facts.links().map(|link| (link, (0, 0))).collect();
    for &(at_us, hub, client, what) in &facts.seen.out_of_band {
        if what == OutOfBand::Registered
            && let Some((times, last_us)) = registered.get_mut(&(client, hub))
        {
            (*times, *last_us) = (*times + 1, at_us);
        }
    }
    for ((client, hub), (times, last_us)) in registered {
        verdict.expect(times == 1, last_us, || {
            Unquiet::Registered { client, hub, times }.into()
        });
    }
}

/// Every hub takes every share of a key that a master is given, the first time that it is sent.
fn holders(facts: &Facts<'_>, verdict: &mut Verdict) {
    let hubs = usize::from(facts.seen.plan.cluster.hubs);
    for (key, at_us) in facts.established() {
        let holders = facts.accepted.get(&key).map_or(0, BTreeMap::len);
        verdict.expect(holders == hubs, at_us, || {
            Unquiet::HoldersMissing { key, holders, hubs }.into()
        });
    }
    let mut sent: BTreeMap<_, u64> = BTreeMap::new();
    for deposit in &facts.deposits {
        for key in &deposit.body.keys {
            let times = sent.entry((deposit.hub, key.key_id)).or_default();
            *times += 1;
            verdict.expect(*times == 1, deposit.at_us, || {
                Unquiet::SentAgain {
                    client: deposit.client,
                    hub: deposit.hub,
                    key: key.key_id,
                }
                .into()
            });
        }
    }
}

/// Hubs refuse nothing, but what is too long for one answer; nor do they say that their store is full.
fn refused(facts: &Facts<'_>, verdict: &mut Verdict) {
    for message in &facts.seen.messages {
        let (Seen::Said { to, response }, Some(client)) = (&message.what, message.client) else {
            continue;
        };
        let wrong = refusals(to, response).into_iter().find(|refusal| {
            let is_too_long = matches!(
                refusal,
                Refusal::TooMuchAtOnce | Refusal::OutOfLimits { .. }
            );
            let is_lack = *refusal == Refusal::PsrdExhausted;
            !is_too_long && (!is_lack || low_water_suffices(facts, client))
        });
        verdict.expect_none(wrong, message.at_us, |refusal| {
            Unquiet::Refused {
                hub: message.hub,
                client,
                why: refusal.to_string(),
            }
            .into()
        });
    }
}

/// Nothing is tried again but what was too long, and nobody finds too little PSRD.
fn retries(facts: &Facts<'_>, verdict: &mut Verdict) {
    let mut too_long: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for message in &facts.seen.messages {
        let (Seen::Heard { to, response }, Some(client)) = (&message.what, message.client) else {
            continue;
        };
        let again = refusals(to, response)
            .into_iter()
            .filter(Refusal::is_passing);
        *too_long.entry((client, message.hub)).or_default() += again.count() as u64;
    }
    for ((client, _), status) in &facts.seen.client_statuses {
        if !low_water_suffices(facts, *client) {
            continue;
        }
        for peer in &status.hubs {
            let hub = usize::from(peer.x.get()) - 1;
            let allowed = too_long.get(&(*client, hub)).copied().unwrap_or_default();
            for (what, times, allowed) in [
                ("beyond the first", peer.link.retries, allowed),
                ("that found no PSRD", peer.link.psrd_exhausted, 0),
            ] {
                verdict.expect(times <= allowed, facts.seen.plan.end_ms * 1000, || {
                    Unquiet::Attempts {
                        client: *client,
                        hub,
                        times,
                        what,
                        allowed,
                    }
                    .into()
                });
            }
        }
    }
}

/// A pool is above its low-water mark a second after the last message of its link.
fn pools(facts: &Facts<'_>, verdict: &mut Verdict) {
    let low_water = facts.seen.plan.cluster.psrd_low_water_bytes;
    let mut busy: BTreeMap<(usize, usize), Vec<u64>> = BTreeMap::new();
    for message in &facts.seen.messages {
        if let Some(client) = message.client {
            let times = busy.entry((client, message.hub)).or_default();
            times.push(message.at_us);
        }
    }
    for block in facts.seen.blocks.values() {
        let times = busy.entry((block.client, block.hub)).or_default();
        times.push(block.at_us);
    }
    for looked in &facts.seen.pools {
        let PoolsSeen { client, hub, .. } = *looked;
        let quiet_us = looked.asked_us.saturating_sub(UPKEEP_US)..=looked.at_us;
        let times = busy.get(&(client, hub));
        let was_used = times.is_some_and(|times| times.iter().any(|us| quiet_us.contains(us)));
        // A link that was never used may not have begun.
        if was_used || times.is_none() {
            continue;
        }
        for (pool, left) in [("up", looked.up_bytes), ("down", looked.down_bytes)] {
            verdict.expect(left as u64 >= low_water, looked.at_us, || {
                Unquiet::PoolLow {
                    client,
                    hub,
                    pool,
                    left,
                    low_water,
                }
                .into()
            });
        }
    }
}

/// Whether the SAEs of a client never ask, while a refill is on its way, for more than the low-water mark covers.
fn low_water_suffices(facts: &Facts<'_>, client: usize) -> bool {
    let plan = &facts.seen.plan;
    let refill_us = (REFILL_WAYS * plan.cluster.latency_ms.1 + MARGIN_MS) * 1000;
    let cost = |call: &Call| {
        let planned = plan.calls.iter().find(|planned| planned.id == call.id);
        let bits = planned.map_or(0, |planned| planned.bits);
        MAC_KEY_BYTES as u64 + u64::from(call.number) * share_bytes(bits)
    };
    let calls = facts.seen.calls.iter().filter(|call| call.client == client);
    let mut calls: Vec<(u64, u64)> = calls.map(|call| (call.from_us, cost(call))).collect();
    calls.sort_unstable();
    let fits = |first: usize| {
        let (from_us, _) = calls[first];
        let during = calls[first..]
            .iter()
            .take_while(|(us, _)| *us <= from_us + refill_us);
        during.map(|(_, cost)| cost).sum::<u64>() <= plan.cluster.psrd_low_water_bytes
    };
    (0..calls.len()).all(fits)
}

#[cfg(test)]
mod tests {
    use dske::protocol::Response;

    use super::super::testing::{MASTER, SLAVE, Scene, fault};
    use super::*;
    use crate::plan::Fault;

    /// A run in which all have registered, and two keys have gone their way.
    fn quiet_run(change: impl FnOnce(&mut Plan)) -> Scene {
        let mut scene = Scene::new(change);
        for client in 0..3 {
            for hub in 0..5 {
                let registered = (10_000, hub, client, OutOfBand::Registered);
                scene.see().out_of_band.push(registered);
            }
            scene.polled(client, 0, 0, 20_000, |_| 0);
        }
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        scene
    }

    fn refusal(scene: &Scene, refusal: &Refusal) {
        let response = Response {
            status: refusal.status(),
            signature: None,
            body: serde_json::to_vec(refusal).unwrap().into(),
        };
        let to = scene.last_sent(SLAVE, 3);
        let (said, heard) = (to.clone(), response.clone());
        let said = Seen::Said { to: said, response };
        scene.message(SLAVE, 3, 2_100, said);
        let response = heard;
        scene.message(SLAVE, 3, 2_101, Seen::Heard { to, response });
    }

    fn retried(scene: &Scene, times: u64) {
        let mut seen = scene.see();
        let status = seen.client_statuses.get_mut(&(SLAVE, 0)).unwrap();
        status.hubs[3].link.retries = times;
    }

    fn pools(scene: &Scene, asked_ms: u64, up_bytes: usize, down_bytes: usize) {
        scene.see().pools.push(PoolsSeen {
            asked_us: asked_ms * 1000,
            at_us: asked_ms * 1000 + 8_000,
            client: MASTER,
            hub: 1,
            up_bytes,
            down_bytes,
        });
    }

    #[test]
    fn a_run_in_which_all_goes_well_is_quiet() {
        let scene = quiet_run(|_| {});
        pools(&scene, 5_000, 4_096, 4_096);
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_second_registration_and_none_are_seen() {
        let scene = quiet_run(|_| {});
        let registered = (3_000_000, 3, MASTER, OutOfBand::Registered);
        scene.see().out_of_band.push(registered);
        let verdict = scene.judge(check);
        verdict.must_break("client 0 registered 2 times at hub 3");
        scene
            .see()
            .out_of_band
            .retain(|at| (at.1, at.2) != (3, MASTER));
        let verdict = scene.judge(check);
        verdict.must_break("client 0 registered 0 times at hub 3");
    }

    #[test]
    fn a_hub_that_did_not_take_its_share_is_seen() {
        let scene = quiet_run(|_| {});
        let said = |message: &crate::world::observer::record::Message| {
            message.hub == 4 && matches!(message.what, Seen::Said { .. })
        };
        scene.see().messages.retain(|message| !said(message));
        let broken = scene.judge(check).broken;
        assert_eq!(broken.len(), 2, "one for each key");
        let words = broken[0].violation.to_string();
        assert!(words.starts_with("4 of 5 hubs took a share"), "{words}");
    }

    #[test]
    fn a_share_that_is_sent_again_is_seen() {
        let mut scene = quiet_run(|_| {});
        let mut body = scene.last_deposit(2);
        body.keys.truncate(1);
        scene.deposit_again(2, 2_500, &body);
        let verdict = scene.judge(check);
        verdict.must_break("client 0 sent hub 2 a share of key");
    }

    #[test]
    fn a_refusal_is_seen_unless_the_answer_would_be_too_long() {
        let scene = quiet_run(|_| {});
        refusal(&scene, &Refusal::TooMuchAtOnce);
        scene.judge(check).must_hold();
        refusal(&scene, &Refusal::BadMac);
        let verdict = scene.judge(check);
        verdict.must_break("hub 3 refused a message of client 1");
    }

    #[test]
    fn psrd_may_run_short_only_where_the_low_water_mark_is_too_low_for_the_load() {
        for (low_water, is_right) in [(4_096, false), (100, true)] {
            let scene = quiet_run(|plan| plan.cluster.psrd_low_water_bytes = low_water);
            refusal(&scene, &Refusal::PsrdExhausted);
            let verdict = scene.judge(check);
            if is_right {
                verdict.must_hold();
            } else {
                verdict.must_break("no PSRD left to answer with");
            }
        }
    }

    #[test]
    fn attempts_beyond_the_first_are_seen_unless_something_was_too_long() {
        let scene = quiet_run(|_| {});
        retried(&scene, 1);
        let verdict = scene.judge(check);
        verdict.must_break("client 1 counts 1 attempts beyond the first at hub 3, 0 are explained");
        refusal(&scene, &Refusal::TooMuchAtOnce);
        scene.judge(check).must_hold();
        retried(&scene, 2);
        scene.judge(check).must_break("counts 2 attempts");
    }

    #[test]
    fn attempts_without_psrd_are_seen() {
        let scene = quiet_run(|_| {});
        let status = |seen: &mut crate::world::observer::Observation| {
            let status = seen.client_statuses.get_mut(&(MASTER, 0)).unwrap();
            status.hubs[0].link.psrd_exhausted = 1;
        };
        status(&mut scene.see());
        let verdict = scene.judge(check);
        verdict.must_break("client 0 counts 1 attempts that found no PSRD at hub 0");
    }

    #[test]
    fn a_pool_that_stays_low_is_seen_and_one_that_is_in_use_is_not() {
        let scene = quiet_run(|_| {});
        pools(&scene, 1_900, 4_095, 4_096);
        scene.judge(check).must_hold();
        // The last message was heard at 1.003 s.
        pools(&scene, 2_004, 4_096, 4_095);
        let verdict = scene.judge(check);
        verdict.must_break("the down pool of client 0 and hub 1 has 4095 bytes");
    }

    #[test]
    fn nothing_is_claimed_where_something_may_go_wrong() {
        let flood = Fault::Flood {
            hub: 0,
            per_second: 1,
        };
        let scene = Scene::new(|plan| plan.faults.push(fault(1_000, 2_000, flood)));
        assert_eq!(scene.judge(check), Verdict::default());
        // 14 ways take longer than the grace period.
        let scene = Scene::new(|plan| plan.cluster.latency_ms.1 = 11);
        assert_eq!(scene.judge(check), Verdict::default());
    }
}

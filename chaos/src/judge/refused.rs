//! Refused as specified: a call that is wrong is refused at once, with the status and the words of the standard, and nothing
//! is done for it. `docs/etsi-qkd-014.md`.
//!
//! A message names no call. So that nothing was done shows in that each share and each fetch that leaves a client is one
//! that a call had asked for which was not to be refused.

use std::collections::{BTreeMap, BTreeSet};

use dske::protocol::batch::{Operation, operations_of};
use dske::protocol::message::{DepositBody, Encrypted, FetchQuery};
use dske::protocol::{KeyId, SaeId};

use super::{Facts, Verdict, Violation};
use crate::plan::{Mistake, PlannedCall};
use crate::world::observer::record::{Call, CallKind, Outcome, Seen};

/// Beyond the way there and back, and before that to connect: the ticks of the simulation.
const MARGIN_MS: u64 = 50;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for call in &facts.seen.calls {
        if let CallKind::Mistaken(mistake) = call.kind
            && let Some(refusal) = mistake.refusal()
        {
            refused(facts, call, mistake, refusal, &mut verdict);
        }
    }
    asked_for(facts, &mut verdict);
    verdict
}

/// A client that is up refuses the call, and asks no hub before.
fn refused(
    facts: &Facts<'_>,
    call: &Call,
    mistake: Mistake,
    (status, words): (u16, &'static str),
    verdict: &mut Verdict,
) {
    if facts.client_was_down(call) {
        return;
    }
    let is_right = match &call.outcome {
        Outcome::Refused(got, message) => *got == status && message.contains(words),
        Outcome::Keys(_) | Outcome::Status(_) | Outcome::Unknown(_) => false,
    };
    verdict.expect(is_right, call.until_us, || Violation::NotRefused {
        call: call.id,
        sae: call.sae.clone(),
        mistake,
        status,
        words,
        end: call.outcome.line(),
    });
    let (within_ms, after_ms) = (
        4 * facts.seen.plan.cluster.latency_ms.1 + MARGIN_MS,
        (call.until_us - call.from_us) / 1000,
    );
    verdict.expect(after_ms <= within_ms, call.until_us, || {
        Violation::RefusedLate {
            call: call.id,
            sae: call.sae.clone(),
            mistake,
            within_ms,
            after_ms,
        }
    });
}

/// Each share and each fetch that leaves an honest client was asked for.
fn asked_for(facts: &Facts<'_>, verdict: &mut Verdict) {
    let seen = facts.seen;
    let asked = Asked::of(facts);
    let mut deposited: BTreeSet<(usize, KeyId)> = BTreeSet::new();
    for message in &seen.messages {
        let (Seen::Sent(request), Some(client)) = (&message.what, message.client) else {
            continue;
        };
        if !seen.plan.is_honest(client) {
            continue;
        }
        for operation in operations_of(request).unwrap_or_default() {
            let (what, key, sae, is_asked) = match &operation {
                Operation::Deposit(body) => {
                    let Some(first) = body.keys.first() else {
                        continue;
                    };
                    // What is sent to the other hubs, or again, was asked for in the same call.
                    if !deposited.insert((client, first.key_id)) {
                        continue;
                    }
                    let is_asked = asked.has_key(client, message.at_us, body);
                    ("share", first.key_id, &body.master_sae, is_asked)
                }
                Operation::Fetch(query) => {
                    let Some(&first) = query.key_ids.first() else {
                        continue;
                    };
                    let is_asked = asked.has_fetch(client, message.at_us, query);
                    ("fetch", first, &query.slave_sae, is_asked)
                }
                Operation::Withdraw(_) => continue,
            };
            verdict.expect(is_asked, message.at_us, || Violation::AskedByNobody {
                client,
                hub: message.hub,
                what,
                key,
                sae: sae.clone(),
            });
        }
    }
}

/// The calls that were not to be refused, by who made them, and what they asked for.
struct Asked<'a> {
    planned: BTreeMap<u32, &'a PlannedCall>,
    for_keys: BTreeMap<&'a SaeId, Vec<&'a Call>>,
    /// By the first key that a fetch may name: any of them, since it may be made in parts.
    to_fetch: BTreeMap<(&'a SaeId, KeyId), Vec<&'a Call>>,
}

impl<'a> Asked<'a> {
    fn of(facts: &'a Facts<'_>) -> Self {
        let planned = facts.seen.plan.calls.iter().map(|call| (call.id, call));
        let (mut for_keys, mut to_fetch) = (BTreeMap::new(), BTreeMap::new());
        for call in &facts.seen.calls {
            if call.kind.establishes() {
                let calls: &mut Vec<&Call> = for_keys.entry(&call.sae).or_default();
                calls.push(call);
            }
            if call.kind.fetches() {
                for &key in &call.key_ids {
                    let calls: &mut Vec<&Call> = to_fetch.entry((&call.sae, key)).or_default();
                    calls.push(call);
                }
            }
        }
        Self {
            planned: planned.collect(),
            for_keys,
            to_fetch,
        }
    }

    /// Whether a call was under way that had asked for keys like these. What a greedy SAE asks for is not planned.
    fn has_key(&self, client: usize, at_us: u64, body: &DepositBody<Encrypted>) -> bool {
        let calls = self.for_keys.get(&body.master_sae);
        calls.into_iter().flatten().any(|call| {
            let planned = self.planned.get(&call.id);
            let has_size = |planned: &&PlannedCall| planned.bits as usize == body.size * 8;
            call.client == client
                && (call.from_us..=call.until_us).contains(&at_us)
                && usize::from(call.number) == body.keys.len()
                && body.slave_saes.first() == Some(&call.other)
                && (call.kind == CallKind::Greedy || planned.is_some_and(has_size))
        })
    }

    fn has_fetch(&self, client: usize, at_us: u64, query: &FetchQuery) -> bool {
        let first = query.key_ids.first();
        let calls = first.and_then(|&first| self.to_fetch.get(&(&query.slave_sae, first)));
        calls.into_iter().flatten().any(|call| {
            call.client == client
                && call.from_us <= at_us
                && call.other == query.master_sae
                && query.key_ids.iter().all(|key| call.key_ids.contains(key))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, fault, unknown};
    use super::*;
    use crate::plan::Fault;

    const ODD: CallKind = CallKind::Mistaken(Mistake::SizeNoBytes);

    /// A run whose first call asks for keys as large as those of a scene.
    fn plain() -> Scene {
        Scene::new(|plan| plan.calls[0].bits = 128)
    }

    fn said(status: u16, message: &str) -> Outcome {
        Outcome::Refused(status, message.to_owned())
    }

    fn right() -> Outcome {
        said(400, "size shall be a multiple of 8")
    }

    #[test]
    fn a_refusal_at_once_in_the_right_words_is_right() {
        let mut scene = plain();
        scene.call(0, ODD, MASTER, (1_000, 1_000 + 4 * 8 + MARGIN_MS), right());
        let keys = scene.establish(0, 2_000);
        scene.fetch(0, 3_000, &keys);
        let verdict = scene.judge(check);
        verdict.must_hold();
        // The refusal and its time, the shares, and the fetch at five hubs.
        assert_eq!(verdict.evaluated, 2 + 1 + 5);
    }

    #[test]
    fn another_status_other_words_keys_and_no_answer_are_seen() {
        let mut scene = plain();
        let keys = scene.establish(0, 1_000);
        for outcome in [
            said(503, "size shall be a multiple of 8"),
            said(400, "no"),
            Outcome::Keys(keys),
            unknown(),
        ] {
            let scene = plain();
            scene.call(0, ODD, MASTER, (1_000, 1_004), outcome);
            scene
                .judge(check)
                .must_break("had to be refused with status 400");
        }
    }

    #[test]
    fn a_refusal_that_took_the_time_to_ask_somebody_is_seen() {
        let scene = plain();
        scene.call(0, ODD, MASTER, (1_000, 1_001 + 4 * 8 + MARGIN_MS), right());
        scene.judge(check).must_break("within 82 ms");
    }

    #[test]
    fn a_client_that_was_down_need_not_answer_and_another_must() {
        for (client, holds) in [(MASTER, true), (SLAVE, false)] {
            let scene = Scene::new(|plan| {
                let crash = Fault::CrashClient { client };
                plan.faults.push(fault(900, 1_100, crash));
            });
            scene.call(0, ODD, MASTER, (1_000, 1_004), unknown());
            assert_eq!(scene.judge(check).broken.is_empty(), holds);
        }
    }

    #[test]
    fn shares_and_fetches_that_no_call_had_asked_for_are_seen() {
        let scene_without = |kind: CallKind| {
            let mut scene = plain();
            let keys = scene.establish(0, 1_000);
            scene.fetch(0, 2_000, &keys);
            scene.see().calls.retain(|call| call.kind != kind);
            scene.judge(check)
        };
        scene_without(CallKind::Master).must_break("a share of key");
        let broken = scene_without(CallKind::Slave).broken;
        assert_eq!(broken.len(), 5, "the fetch of each hub");
        // The master asked for something else, or later.
        for change in [
            |call: &mut Call| call.number = 1,
            |call: &mut Call| call.other = call.sae.clone(),
            |call: &mut Call| call.from_us += 1_000_000,
        ] {
            let mut scene = plain();
            scene.establish(0, 1_000);
            change(&mut scene.see().calls[0]);
            scene.judge(check).must_break("which no call had asked for");
        }
    }
}

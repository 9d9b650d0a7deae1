//! Established: a master is given keys only if at least K hubs had told its client that they hold a share of all of
//! them.

use std::collections::BTreeMap;

use dske::protocol::KeyId;

use super::facts::stored;
use super::{Facts, Verdict, Violation};
use crate::world::observer::open;
use crate::world::observer::record::{Call, Seen};

/// Client and key → hub → when the client first heard from the hub that it holds the share.
type Heard = BTreeMap<(usize, KeyId), BTreeMap<usize, u64>>;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let threshold = usize::from(facts.seen.plan.cluster.threshold);
    let heard = heard(facts);
    let establishes = |call: &&Call| call.kind.establishes();
    for call in facts.seen.calls.iter().filter(establishes) {
        let Some(keys) = call.outcome.keys() else {
            continue;
        };
        let holds = |hub: &usize| {
            keys.iter().all(|key| {
                let hubs = heard.get(&(call.client, key.id));
                let at_us = hubs.and_then(|hubs| hubs.get(hub));
                at_us.is_some_and(|at_us| *at_us <= call.until_us)
            })
        };
        let hubs = (0..usize::from(facts.seen.plan.cluster.hubs)).filter(holds);
        let hubs: Vec<usize> = hubs.collect();
        verdict.expect(hubs.len() >= threshold, call.until_us, || {
            Violation::TooFewHold {
                client: call.client,
                keys: keys.len(),
                call: call.id,
                threshold,
                hubs: hubs.clone(),
            }
        });
    }
    verdict
}

/// What clients heard, as far as it is the hub's own word: an answer with a wrong MAC says nothing.
fn heard(facts: &Facts<'_>) -> Heard {
    let mut heard = Heard::new();
    for message in &facts.seen.messages {
        let (Seen::Heard { to, response }, Some(client)) = (&message.what, message.client) else {
            continue;
        };
        let stored = stored(to, response);
        if stored.is_empty() || !open::is_authentic(&facts.seen.blocks, to, response) {
            continue;
        }
        for key_id in stored {
            let hubs = heard.entry((client, key_id)).or_default();
            hubs.entry(message.hub).or_insert(message.at_us);
        }
    }
    heard
}

#[cfg(test)]
mod tests {
    use dske::protocol::Response;

    use super::super::testing::Scene;
    use super::*;

    /// The answers of some hubs to the master, changed.
    fn answers(scene: &Scene, hubs: &[usize], change: impl Fn(&mut u64, &mut Response)) {
        for message in &mut scene.see().messages {
            if let Seen::Heard { response, .. } = &mut message.what
                && hubs.contains(&message.hub)
            {
                change(&mut message.at_us, response);
            }
        }
    }

    fn replace(response: &mut Response, from: &str, to: &str) {
        let body = String::from_utf8(response.body.to_vec()).unwrap();
        assert!(body.contains(from), "{body}");
        response.body = body.replacen(from, to, 1).into();
    }

    #[test]
    fn keys_that_all_hubs_or_just_k_hold_may_be_given() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        let verdict = scene.judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 1);
        let silent = |message: &crate::world::observer::record::Message| message.hub >= 3;
        scene.see().messages.retain(|message| !silent(message));
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_time_out_that_counts_as_success_is_seen() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        let heard = |what: &Seen| matches!(what, Seen::Heard { .. });
        scene
            .see()
            .messages
            .retain(|message| message.hub < 2 || !heard(&message.what));
        scene.judge(check).must_break("and only [0, 1] had");
    }

    #[test]
    fn an_answer_that_comes_after_the_call_does_not_count() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        answers(&scene, &[1, 2, 3], |at_us, _| *at_us = 1_005_000);
        scene.judge(check).must_break("and only [0, 4] had");
    }

    #[test]
    fn a_hub_that_refused_one_of_the_keys_does_not_count() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        // Said by a hub that signs it: hub 2 with a full store.
        let refuse = keys[1].id;
        for hub in [2, 3, 4] {
            scene.answer_again(hub, |result| {
                if result.key_id == refuse {
                    result.outcome = dske::protocol::message::DepositOutcome::Full;
                }
            });
        }
        scene.judge(check).must_break("and only [0, 1] had");
    }

    #[test]
    fn an_answer_with_a_wrong_mac_does_not_count() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        answers(&scene, &[0, 3, 4], |_, response| {
            replace(response, "\"keys\":", "\"keys\": ");
        });
        scene.judge(check).must_break("and only [1, 2] had");
    }

    #[test]
    fn a_call_that_failed_claims_nothing() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        scene.see().messages.clear();
        scene.see().calls[0].outcome = super::super::testing::refused();
        assert_eq!(scene.judge(check), Verdict::default());
    }
}

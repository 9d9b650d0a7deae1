//! Margin: a hub that is in reach while its share is on the way is sent it, although K hubs would do.
//!
//! A share goes out until five attempts have failed (`docs/protocol.md` §5), in the background once the call is over. The
//! last attempt cannot begin before all pauses are over, and joins no request that has left before. So what is over by then,
//! and has settled, does not keep the share away.

use std::collections::BTreeMap;

use dske::protocol::KeyId;
use serde::Serialize;

use super::facts::deposit_results;
use super::{Facts, Verdict};
use crate::world::observer::record::{Call, Seen};

/// All pauses between the attempts of an exchange together: 50, 100, 200 and 400 ms.
const PAUSES_MS: u64 = 750;

/// Ways through the network that the last attempt takes: connecting, registering, a block for each pool, and asking.
const LAST_WAYS: u64 = 10;

/// A hub without its share, although it was in reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "hub {hub} was never made to answer for its share of key {key}, although client {client} had it in reach from {from_ms} to {until_ms} ms"
)]
#[expect(
    missing_docs,
    reason = "the line of the error says what its fields are"
)]
pub struct NotSent {
    pub client: usize,
    pub hub: usize,
    pub key: KeyId,
    pub from_ms: u64,
    pub until_ms: u64,
}

/// The shares of keys that masters were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Shares {
    /// One for each hub and key.
    pub expected: u64,
    /// Those that hubs have said that they hold.
    pub held: u64,
    /// What kept the others from their hubs → how many.
    pub missing: BTreeMap<String, u64>,
}

impl Shares {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.held += other.held;
        for (why, shares) in &other.missing {
            *self.missing.entry(why.clone()).or_default() += shares;
        }
    }
}

/// Checks every share of every key that a master was given.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    // What does not fit into a link is not sent.
    if facts.seen.plan.has_narrow_links() {
        return verdict;
    }
    let answered = answered(facts);
    each_share(facts, |call, key, hub| {
        let (from_ms, until_ms) = last_attempt_ms(facts, call);
        if obstacles(facts, call.client, hub, from_ms, until_ms)
            .next()
            .is_some()
        {
            return;
        }
        let is_answered = answered
            .get(&key)
            .is_some_and(|hubs| hubs.contains_key(&hub));
        verdict.expect(is_answered, call.until_us, || {
            NotSent {
                client: call.client,
                hub,
                key,
                from_ms,
                until_ms,
            }
            .into()
        });
    });
    verdict
}

/// Counts the shares that are held, and says of the others what kept them away.
#[must_use]
pub fn shares(facts: &Facts<'_>) -> Shares {
    let mut shares = Shares::default();
    let answered = answered(facts);
    let background_ms = 2 * facts.seen.plan.cluster.call_deadline_ms;
    each_share(facts, |call, key, hub| {
        shares.expected += 1;
        let accepted = facts.accepted.get(&key);
        if accepted.is_some_and(|hubs| hubs.contains_key(&hub)) {
            shares.held += 1;
            return;
        }
        let from_ms = call.from_us / 1000;
        let (earliest_ms, until_ms) = (
            from_ms.saturating_sub(facts.settle_ms()),
            from_ms + background_ms,
        );
        let is_answered = answered
            .get(&key)
            .is_some_and(|hubs| hubs.contains_key(&hub));
        let why = if is_answered {
            "refused"
        } else {
            let mut all = obstacles(facts, call.client, hub, earliest_ms, until_ms);
            all.next().unwrap_or("unexplained")
        };
        *shares.missing.entry(why.to_owned()).or_default() += 1;
    });
    shares
}

/// Each share of each key that a master was given.
fn each_share(facts: &Facts<'_>, mut share: impl FnMut(&Call, KeyId, usize)) {
    let hubs = usize::from(facts.seen.plan.cluster.hubs);
    for call in &facts.seen.calls {
        if !call.kind.establishes() {
            continue;
        }
        for key in call.outcome.keys().unwrap_or_default() {
            (0..hubs).for_each(|hub| share(call, key.id, hub));
        }
    }
}

/// From when until when a hub has to be in reach, so that the last attempt to send it a share succeeds at the latest.
fn last_attempt_ms(facts: &Facts<'_>, call: &Call) -> (u64, u64) {
    let cluster = &facts.seen.plan.cluster;
    let begins_ms = call.from_us / 1000 + PAUSES_MS;
    let from_ms = begins_ms.saturating_sub(facts.settle_ms());
    let attempts_ms = 5 * cluster.request_timeout_ms;
    let until_ms = begins_ms + attempts_ms + LAST_WAYS * cluster.latency_ms.1;
    (from_ms, until_ms)
}

/// The names of what may keep a hub from a client at any moment of `from_ms..until_ms`.
fn obstacles<'a>(
    facts: &'a Facts<'_>,
    client: usize,
    hub: usize,
    from_ms: u64,
    until_ms: u64,
) -> impl Iterator<Item = &'static str> + 'a {
    let plan = &facts.seen.plan;
    let during = move |from: u64, until: u64| from < until_ms && from_ms < until;
    let faults = plan.faults.iter().filter(move |planned| {
        during(planned.at_ms, planned.until_ms)
            && planned.fault.disturbs(client, hub, &plan.cluster)
    });
    let lies = plan.is_lying(hub, from_ms, until_ms).then_some("lying");
    faults
        .map(|planned| planned.fault.kind().name())
        .chain(lies)
}

/// Key → hub → when the hub first said anything of a share of it.
fn answered(facts: &Facts<'_>) -> BTreeMap<KeyId, BTreeMap<usize, u64>> {
    let mut answered: BTreeMap<KeyId, BTreeMap<usize, u64>> = BTreeMap::new();
    for message in &facts.seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        if message
            .client
            .is_some_and(|client| facts.seen.plan.is_honest(client))
        {
            for result in deposit_results(to, response) {
                let hubs = answered.entry(result.key_id).or_default();
                hubs.entry(message.hub).or_insert(message.at_us);
            }
        }
    }
    answered
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, Scene, fault, liar};
    use super::*;
    use crate::plan::{Fault, Plan, PlannedFault};
    use crate::world::observer::record::Message;

    /// A key is established at 5.000 s, and one hub is never heard. A request may take 500 ms, so that the hub has to be in
    /// reach from 4.750 s on.
    fn without_one(hub: usize, plan: impl FnOnce(&mut Plan)) -> Scene {
        let mut scene = Scene::new(plan);
        scene.establish(0, 5_000);
        let is_said =
            |message: &Message| message.hub == hub && matches!(message.what, Seen::Said { .. });
        scene.see().messages.retain(|message| !is_said(message));
        scene
    }

    fn held(hub: usize, from_ms: u64, until_ms: u64) -> PlannedFault {
        let client = MASTER;
        fault(from_ms, until_ms, Fault::Hold { client, hub })
    }

    fn shares_of(scene: &Scene) -> Shares {
        let seen = scene.see();
        shares(&Facts::new(&seen))
    }

    #[test]
    fn shares_at_all_hubs_are_right() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 5_000);
        let verdict = scene.judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 10, "two keys, five hubs");
        let all = Shares {
            expected: 10,
            held: 10,
            missing: BTreeMap::new(),
        };
        assert_eq!(shares_of(&scene), all);
    }

    #[test]
    fn a_hub_in_reach_that_was_sent_nothing_is_seen() {
        for plan in [
            Box::new(|_: &mut Plan| {}) as Box<dyn FnOnce(&mut Plan)>,
            Box::new(|plan| plan.faults.push(held(3, 3_000, 4_750))),
            Box::new(|plan| plan.faults.push(held(2, 3_000, 9_000))),
        ] {
            let broken = without_one(3, plan).judge(check).broken;
            assert_eq!(broken.len(), 2, "one for each key");
            let words = broken[0].violation.to_string();
            assert!(
                words.starts_with("hub 3 was never made to answer"),
                "{words}"
            );
        }
    }

    #[test]
    fn a_hub_that_was_out_of_reach_is_excused_and_the_reason_is_counted() {
        let scene = without_one(3, |plan| plan.faults.push(held(3, 3_000, 4_751)));
        scene.judge(check).must_hold();
        let shares = shares_of(&scene);
        assert_eq!((shares.expected, shares.held), (10, 8));
        assert_eq!(shares.missing, BTreeMap::from([("hold".to_owned(), 2)]));
        let scene = without_one(3, |plan| plan.liars.push(liar(3)));
        scene.judge(check).must_hold();
        let missing = shares_of(&scene).missing;
        assert_eq!(missing, BTreeMap::from([("lying".to_owned(), 2)]));
    }

    #[test]
    fn a_hub_that_refused_was_asked() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 5_000);
        scene.answer_again(3, |result| {
            result.outcome = dske::protocol::message::DepositOutcome::Full;
        });
        // What the hub said, as the client heard it.
        let heard = scene
            .see()
            .messages
            .iter()
            .find_map(|message| match &message.what {
                Seen::Heard { response, .. } if message.hub == 3 => Some(response.clone()),
                _ => None,
            });
        for message in &mut scene.see().messages {
            if let Seen::Said { response, .. } = &mut message.what
                && message.hub == 3
            {
                *response = heard.clone().unwrap();
            }
        }
        scene.judge(check).must_hold();
        let missing = shares_of(&scene).missing;
        assert_eq!(missing, BTreeMap::from([("refused".to_owned(), 2)]));
    }
}

//! Nothing for nobody: no message leaves for a call that has ended, but for what is specified to go on after it.
//!
//! | message | leaves while |
//! |---|---|
//! | a deposit of keys that the master was given | the background lasts, counted from the beginning of the call |
//! | a deposit of keys that the master was not given | the call lasts |
//! | a withdrawal | the background of a call that failed lasts |
//! | a fetch | the deadline of the call is not over: answers are checked after the key was delivered, too |

use std::collections::BTreeMap;

use dske::protocol::batch::{Operation, operations_of};
use dske::protocol::message::Withdrawal;
use dske::protocol::{KeyId, SaeId};

use super::facts::SentDeposit;
use super::{Facts, Verdict, Violation};
use crate::world::observer::record::{self, Call, Outcome, Seen};

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    deposits(facts, &mut verdict);
    fetches(facts, &mut verdict);
    verdict
}

/// What an SAE sees of its call is late by the way there and back, and the way before to connect.
fn slack_us(facts: &Facts<'_>) -> u64 {
    let cluster = &facts.seen.plan.cluster;
    (4 * cluster.latency_ms.1 + cluster.tick_ms) * 1000
}

fn deposits(facts: &Facts<'_>, verdict: &mut Verdict) {
    let plan = &facts.seen.plan;
    let background_us = 2 * plan.cluster.call_deadline_ms * 1000;
    let slack_us = slack_us(facts);
    let mut given: BTreeMap<KeyId, &Call> = BTreeMap::new();
    for call in facts
        .seen
        .calls
        .iter()
        .filter(|call| call.kind.establishes())
    {
        for key in call.outcome.keys().unwrap_or_default() {
            given.insert(key.id, call);
        }
    }
    let mut first_sent: BTreeMap<KeyId, &SentDeposit<'_>> = BTreeMap::new();
    for deposit in facts.deposits.iter().filter(|d| plan.is_honest(d.client)) {
        let Some(key) = deposit.body.keys.first() else {
            continue;
        };
        let first = *first_sent.entry(key.key_id).or_insert(deposit);
        let until_us = match given.get(&key.key_id) {
            Some(call) => Some(call.from_us + background_us),
            None => failed(facts, first).map(|call| call.until_us).max(),
        };
        // The run ended before the call.
        let Some(until_us) = until_us else { continue };
        expect_by(
            verdict,
            until_us + slack_us,
            deposit.at_us,
            Message {
                client: deposit.client,
                hub: deposit.hub,
                what: "share",
                key: key.key_id,
            },
        );
    }
    for (message, withdrawal) in withdrawals(facts) {
        let (Some(client), Some(&key)) = (message.client, withdrawal.key_ids.first()) else {
            continue;
        };
        let Some(first) = first_sent.get(&key) else {
            continue;
        };
        // A call whose SAE has gone may have been done, for nobody.
        let ended = failed(facts, first).map(|call| call.from_us).max();
        let Some(from_us) = ended else { continue };
        expect_by(
            verdict,
            from_us + background_us + slack_us,
            message.at_us,
            Message {
                client,
                hub: message.hub,
                what: "withdrawal",
                key,
            },
        );
    }
}

/// The withdrawals that honest clients sent, each with the message that it was in.
fn withdrawals<'a>(
    facts: &Facts<'a>,
) -> impl Iterator<Item = (&'a record::Message, Withdrawal)> + use<'a> {
    let seen = facts.seen;
    let honest = |message: &&record::Message| {
        let client = message.client;
        client.is_some_and(|client| seen.plan.is_honest(client))
    };
    let messages = seen.messages.iter().filter(honest);
    messages.flat_map(|message| {
        let operations = match &message.what {
            Seen::Sent(request) => operations_of(request).unwrap_or_default(),
            _ => Vec::new(),
        };
        let withdrawals = operations
            .into_iter()
            .filter_map(|operation| match operation {
                Operation::Withdraw(withdrawal) => Some(withdrawal),
                Operation::Deposit(_) | Operation::Fetch(_) => None,
            });
        withdrawals.map(move |withdrawal| (message, withdrawal))
    })
}

/// The calls that may have drawn keys which nobody was given. IDs of such keys are told to no SAE: it is one of the failed
/// calls that were under way at the client when the first share was sent.
fn failed<'a>(
    facts: &Facts<'a>,
    first: &SentDeposit<'_>,
) -> impl Iterator<Item = &'a Call> + use<'a> {
    let (client, at_us) = (first.client, first.at_us);
    facts.seen.calls.iter().filter(move |call| {
        call.kind.establishes()
            && call.client == client
            && !matches!(call.outcome, Outcome::Keys(_))
            && (call.from_us..=call.until_us).contains(&at_us)
    })
}

fn fetches(facts: &Facts<'_>, verdict: &mut Verdict) {
    let plan = &facts.seen.plan;
    let lasts_us = plan.cluster.call_deadline_ms * 1000 + slack_us(facts);
    let mut asked: BTreeMap<(&SaeId, KeyId), Vec<u64>> = BTreeMap::new();
    for call in facts.seen.calls.iter().filter(|call| call.kind.fetches()) {
        for &key in &call.key_ids {
            let asked = asked.entry((&call.sae, key)).or_default();
            asked.push(call.from_us);
        }
    }
    for message in &facts.seen.messages {
        let (Seen::Sent(request), Some(client)) = (&message.what, message.client) else {
            continue;
        };
        if !plan.is_honest(client) {
            continue;
        }
        for operation in operations_of(request).unwrap_or_default() {
            let Operation::Fetch(query) = operation else {
                continue;
            };
            let Some(&key) = query.key_ids.first() else {
                continue;
            };
            let asked = asked.get(&(&query.slave_sae, key)).into_iter().flatten();
            // A call that has not ended when the run ends is not recorded.
            let Some(from_us) = asked.filter(|from_us| **from_us <= message.at_us).max() else {
                continue;
            };
            expect_by(
                verdict,
                from_us + lasts_us,
                message.at_us,
                Message {
                    client,
                    hub: message.hub,
                    what: "fetch",
                    key,
                },
            );
        }
    }
}

struct Message {
    client: usize,
    hub: usize,
    what: &'static str,
    key: KeyId,
}

fn expect_by(verdict: &mut Verdict, until_us: u64, at_us: u64, message: Message) {
    verdict.expect(at_us <= until_us, at_us, || Violation::SentForNobody {
        client: message.client,
        hub: message.hub,
        what: message.what,
        key: message.key,
        late_ms: (at_us - until_us) / 1000,
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{MASTER, SLAVE, Scene, refused};
    use super::*;

    /// The deadline of 3,000 ms, and the slack: four ways of 8 ms and a tick.
    const DEADLINE_MS: u64 = 3_000 + 34;

    /// The background is twice as long as the deadline.
    const BACKGROUND_MS: u64 = 6_000 + 34;

    #[test]
    fn messages_of_calls_that_last_are_right() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        let verdict = scene.judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 10, "a deposit and a fetch for each hub");
    }

    #[test]
    fn late_shares_are_delivered_in_the_background_and_no_longer() {
        for (after_ms, is_right) in [(BACKGROUND_MS, true), (BACKGROUND_MS + 1, false)] {
            let mut scene = Scene::new(|_| {});
            scene.establish(0, 1_000);
            let body = scene.last_deposit(3);
            scene.deposit_again(3, 1_000 + after_ms, &body);
            match is_right {
                true => scene.judge(check).must_hold(),
                false => scene
                    .judge(check)
                    .must_break("client 0 sent hub 3 a share of key"),
            }
        }
    }

    #[test]
    fn of_a_call_that_failed_nothing_is_sent_any_more() {
        for (at_ms, is_right) in [(1_030, true), (1_100, false)] {
            let mut scene = Scene::new(|_| {});
            scene.establish(0, 1_000);
            let body = scene.last_deposit(3);
            scene.see().calls[0].outcome = refused();
            scene.deposit_again(3, at_ms, &body);
            assert_eq!(scene.judge(check).broken.is_empty(), is_right);
        }
    }

    #[test]
    fn a_fetch_leaves_before_the_deadline_or_not_at_all() {
        for (late_ms, is_right) in [(0, true), (1, false)] {
            let mut scene = Scene::new(|_| {});
            let keys = scene.establish(0, 1_000);
            scene.fetch(0, 2_000, &keys);
            let request = scene.last_sent(SLAVE, 4);
            let at_ms = 2_000 + DEADLINE_MS + late_ms;
            scene.message(SLAVE, 4, at_ms, Seen::Sent(request));
            match is_right {
                true => scene.judge(check).must_hold(),
                false => scene.judge(check).must_break("a fetch of key"),
            }
        }
    }

    #[test]
    fn a_call_that_failed_is_withdrawn_in_its_background() {
        for (after_ms, is_right) in [(BACKGROUND_MS, true), (BACKGROUND_MS + 1, false)] {
            let mut scene = Scene::new(|_| {});
            scene.establish(0, 1_000);
            let body = scene.last_deposit(3);
            scene.see().calls[0].outcome = refused();
            scene.withdraw(3, 1_000 + after_ms, &body);
            match is_right {
                true => scene.judge(check).must_hold(),
                false => scene.judge(check).must_break("a withdrawal of key"),
            }
        }
    }

    #[test]
    fn the_rogue_may_send_what_it_likes() {
        let mut scene = Scene::new(|_| {});
        scene.establish(0, 1_000);
        let request = scene.last_sent(MASTER, 1);
        scene.message(scene.rogue(), 1, 99_000, Seen::Sent(request));
        scene.judge(check).must_hold();
    }
}

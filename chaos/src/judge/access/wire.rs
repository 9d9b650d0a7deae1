//! What hubs that never lie take and hand out, as the wire shows it.
//!
//! A hub hands a share out only to a client that serves an SAE named in the key's deposit, and hands out what was
//! deposited there. It takes a deposit only from a client that serves the master, does not let another one of the same
//! key replace it, and refuses none because of what other masters deposit.

use std::collections::{BTreeMap, BTreeSet};

use dske::protocol::limits::KEYS_PER_MESSAGE_MAX;
use dske::protocol::message::{
    DepositOutcome, FetchAnswer, FetchQuery, FetchResult, FoundShare, Plain,
};
use dske::protocol::{KeyId, KeyName};

use super::super::excuse::was_down;
use super::super::facts::{SentDeposit, deposit_results, withdrawn};
use super::super::violation::Untakable;
use super::super::{Facts, Verdict, Violation};
use crate::world::observer::open;
use crate::world::observer::record::{Message, Seen};

/// The deposits of each key at each hub, in order of time.
type Deposits<'a> = BTreeMap<(usize, KeyId), Vec<&'a SentDeposit<'a>>>;

pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    let lying = facts.seen.plan.lying_hubs();
    let mut deposits = Deposits::new();
    for deposit in &facts.deposits {
        for key in &deposit.body.keys {
            let deposits = deposits.entry((deposit.hub, key.key_id)).or_default();
            deposits.push(deposit);
        }
    }
    let mut taken = Taken::default();
    for message in &facts.seen.messages {
        if lying.contains(&message.hub) {
            continue;
        }
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        for (query, reply) in open::fetched(&facts.seen.blocks, to, response) {
            for result in &reply.keys {
                handed_out(facts, &deposits, message, &query, result, verdict);
            }
        }
        for name in withdrawn(to, response) {
            taken.1.insert((message.hub, name));
        }
        for result in deposit_results(to, response) {
            let deposits = deposits.get(&(message.hub, result.key_id));
            let mut deposits = deposits.into_iter().flatten();
            let Some(deposit) = deposits.find(|deposit| deposit.request == to) else {
                continue;
            };
            match result.outcome {
                DepositOutcome::Stored => {
                    may_be_taken(facts, message, deposit, verdict);
                    taken.take(facts, message, result.key_id, deposit, verdict);
                }
                DepositOutcome::Conflict => {
                    taken.stands_in_the_way(message, result.key_id, deposit, verdict);
                }
                DepositOutcome::Full => {}
            }
        }
    }
}

/// A share that a hub hands out is what was deposited there, for an SAE of the client that gets it.
fn handed_out(
    facts: &Facts<'_>,
    deposits: &Deposits<'_>,
    message: &Message,
    query: &FetchQuery,
    result: &FetchResult<Plain>,
    verdict: &mut Verdict,
) {
    let FetchAnswer::Found(found) = &result.answer else {
        return;
    };
    let key_id = result.key_id;
    let before = deposits.get(&(message.hub, key_id)).into_iter().flatten();
    let mut before = before.filter(|deposit| deposit.at_us <= message.at_us);
    let deposit = before.find(|deposit| explains(deposit, key_id, found));
    let client = message.client.map(|c| facts.seen.plan.client_name(c));
    let client = client.unwrap_or("unknown");
    verdict.expect(deposit.is_some(), message.at_us, || {
        Violation::NeverDeposited {
            hub: message.hub,
            key: key_id,
            client,
        }
    });
    let Some(deposit) = deposit else { return };
    let named = deposit.body.slave_saes.contains(&query.slave_sae);
    let serves = message.client.is_some_and(|client| {
        let saes = facts.seen.plan.saes_of(client);
        saes.iter().any(|sae| sae == query.slave_sae.as_str())
    });
    verdict.expect(named && serves, message.at_us, || {
        let slaves = deposit.body.slave_saes.iter();
        let slaves = slaves.map(|sae| sae.as_str().to_owned()).collect();
        Violation::HandedToAnother {
            hub: message.hub,
            key: key_id,
            client,
            sae: query.slave_sae.clone(),
            slaves,
        }
    });
}

fn explains(deposit: &SentDeposit<'_>, key_id: KeyId, found: &FoundShare<Plain>) -> bool {
    let body = &deposit.body;
    let mut keys = body.keys.iter();
    body.master_sae == found.master_sae
        && body.slave_saes == found.slave_saes
        && body.size == found.size
        && keys.any(|key| {
            key.key_id == key_id && key.tag == found.tag && *key.share.0 == *found.share.0
        })
}

/// A hub takes shares only for a master that the client serves, and only of its own topology.
fn may_be_taken(
    facts: &Facts<'_>,
    message: &Message,
    deposit: &SentDeposit<'_>,
    verdict: &mut Verdict,
) {
    let (cluster, body) = (&facts.seen.plan.cluster, &deposit.body);
    let client = facts.seen.plan.client_name(deposit.client);
    let actual = (cluster.hubs, cluster.threshold, message.hub + 1);
    let claimed = (body.hubs, body.threshold, usize::from(body.x));
    let saes = facts.seen.plan.saes_of(deposit.client);
    let why = if saes.iter().all(|sae| sae != body.master_sae.as_str()) {
        Some(Untakable::ForeignMaster(body.master_sae.clone()))
    } else if claimed != actual {
        Some(Untakable::OtherTopology { claimed, actual })
    } else if body.keys.len() > KEYS_PER_MESSAGE_MAX {
        Some(Untakable::TooManyKeys(body.keys.len()))
    } else {
        None
    };
    verdict.expect_none(why, message.at_us, |why| Violation::WronglyTaken {
        hub: message.hub,
        client,
        why,
    });
}

/// Which deposit of each key each hub has taken, and when; and which keys were withdrawn there.
#[derive(Default)]
struct Taken<'a>(
    BTreeMap<(usize, KeyName), (u64, &'a SentDeposit<'a>)>,
    BTreeSet<(usize, KeyName)>,
);

impl<'a> Taken<'a> {
    fn take(
        &mut self,
        facts: &Facts<'_>,
        message: &Message,
        key_id: KeyId,
        deposit: &'a SentDeposit<'a>,
        verdict: &mut Verdict,
    ) {
        let place = place(message, key_id, deposit);
        let Some(&(at_us, first)) = self.0.get(&place) else {
            self.0.insert(place, (message.at_us, deposit));
            return;
        };
        if same(first, deposit, key_id) {
            return;
        }
        // Until then the hub still had the first one: a share lives for its time to live, or, once all have fetched
        // it, for the linger time, which is the deadline of a call.
        let cluster = &facts.seen.plan.cluster;
        let lives_us = 1000 * cluster.share_ttl_ms.min(cluster.call_deadline_ms);
        let forgotten = message.at_us >= at_us + lives_us
            || was_down(facts, message.hub, at_us / 1000, message.at_us / 1000 + 1);
        verdict.expect(forgotten, message.at_us, || Violation::ShareReplaced {
            hub: message.hub,
            key: key_id,
            client: deposit.client,
            first: first.client,
        });
        self.0.insert(place, (message.at_us, deposit));
    }

    /// What a hub refuses as a conflict, it refuses because it has taken another deposit of the same key before, or
    /// because the key was withdrawn.
    fn stands_in_the_way(
        &self,
        message: &Message,
        key_id: KeyId,
        deposit: &SentDeposit<'_>,
        verdict: &mut Verdict,
    ) {
        let place = place(message, key_id, deposit);
        let first = self.0.get(&place);
        let another = first.is_some_and(|(_, first)| !same(first, deposit, key_id));
        verdict.expect(another || self.1.contains(&place), message.at_us, || {
            Violation::FalseConflict {
                hub: message.hub,
                key: key_id,
                client: deposit.client,
                master: deposit.body.master_sae.clone(),
            }
        });
    }
}

/// Where a share lies: key IDs of different masters are different keys.
fn place(message: &Message, key_id: KeyId, deposit: &SentDeposit<'_>) -> (usize, KeyName) {
    let master_sae = deposit.body.master_sae.clone();
    (message.hub, KeyName { master_sae, key_id })
}

fn same(a: &SentDeposit<'_>, b: &SentDeposit<'_>, key_id: KeyId) -> bool {
    let share = |deposit: &SentDeposit<'_>| {
        let mut keys = deposit.body.keys.iter();
        let key = keys.find(|key| key.key_id == key_id);
        key.map(|key| (key.tag, key.share.0.to_vec()))
    };
    a.body.slave_saes == b.body.slave_saes && a.body.size == b.body.size && share(a) == share(b)
}

#[cfg(test)]
mod tests {
    use dske::protocol::message::DepositBody;

    use super::super::super::testing::{MASTER, SLAVE, Scene, fault, liar};
    use super::*;
    use crate::plan::{Fault, Plan};
    use crate::world::observer::record::Key;

    fn check_wire(facts: &Facts<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        check(facts, &mut verdict);
        verdict
    }

    fn exchanged(plan: impl FnOnce(&mut Plan)) -> (Scene, Vec<Key>) {
        let mut scene = Scene::new(plan);
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        (scene, keys)
    }

    /// What the master deposited at a hub last.
    fn deposited(scene: &Scene, hub: usize) -> DepositBody<Plain> {
        let request = scene.last_sent(MASTER, hub);
        let seen = scene.see();
        open::deposits(&seen.blocks, &request).next().unwrap()
    }

    #[test]
    fn what_was_deposited_may_be_handed_to_those_named() {
        let verdict = exchanged(|_| {}).0.judge(check_wire);
        verdict.must_hold();
        // Two keys at five hubs: taken, explained, and handed out.
        assert_eq!(verdict.evaluated, 2 * 5 * 3);
    }

    #[test]
    fn a_share_that_is_handed_to_another_client_is_seen() {
        let (scene, keys) = exchanged(|_| {});
        for message in &mut scene.see().messages {
            if message.client == Some(SLAVE) && message.hub == 2 {
                message.client = Some(3);
            }
        }
        let verdict = scene.judge(check_wire);
        assert_eq!(verdict.broken.len(), keys.len());
        let why = "to client mallory for SAE celia, but it was deposited for celia";
        assert!(
            verdict.broken[0].violation.to_string().contains(why),
            "{verdict:?}"
        );
    }

    #[test]
    fn a_share_that_was_deposited_for_others_is_seen() {
        let (mut scene, keys) = exchanged(|_| {});
        // The hub's own record of the slaves is not believed: the deposit decides.
        let mut body = deposited(&scene, 4);
        body.slave_saes = vec!["cindy".parse().unwrap()];
        scene.see().messages.retain(|message| message.hub != 4);
        scene.deposit_answered(4, 1_500, &body, DepositOutcome::Stored);
        scene.judge(check_wire).must_hold();
        scene.fetch(1, 2_500, &keys);
        assert!(
            !scene.judge(check_wire).broken.is_empty(),
            "hub 4 still has the first deposit, of which nothing was seen"
        );
    }

    #[test]
    fn a_share_that_was_never_deposited_is_seen_and_a_liar_may_hand_it_out() {
        for lies in [false, true] {
            let (scene, keys) = exchanged(|plan| {
                if lies {
                    plan.liars.push(liar(1));
                }
            });
            let deposit = |what: &Seen| match what {
                Seen::Sent(request) => open::has_deposit(request),
                _ => false,
            };
            scene
                .see()
                .messages
                .retain(|message| message.hub != 1 || !deposit(&message.what));
            let verdict = scene.judge(check_wire);
            let broken = if lies { 0 } else { keys.len() };
            assert_eq!(verdict.broken.len(), broken, "{verdict:?}");
        }
    }

    /// The hub takes another deposit, later, and says that it stores it.
    fn takes(scene: &Scene, at_ms: u64, hub: usize, change: impl Fn(&mut DepositBody<Plain>)) {
        let mut body = deposited(scene, hub);
        change(&mut body);
        scene.deposit_answered(hub, at_ms, &body, DepositOutcome::Stored);
    }

    fn other_share(body: &mut DepositBody<Plain>) {
        body.keys.truncate(1);
        body.keys[0].share.0[7] ^= 1;
    }

    #[test]
    fn the_same_deposit_may_be_taken_again_and_another_must_not() {
        let (scene, _) = exchanged(|_| {});
        takes(&scene, 2_500, 3, |_| {});
        scene.judge(check_wire).must_hold();
        takes(&scene, 2_600, 3, other_share);
        scene
            .judge(check_wire)
            .must_break("though it held another of client 0");
    }

    #[test]
    fn only_another_deposit_of_the_same_key_makes_a_conflict() {
        let refused = |change: &dyn Fn(&mut DepositBody<Plain>)| {
            let (scene, _) = exchanged(|_| {});
            let mut body = deposited(&scene, 3);
            body.keys.truncate(1);
            change(&mut body);
            scene.deposit_answered(3, 2_500, &body, DepositOutcome::Conflict);
            scene.judge(check_wire)
        };
        refused(&other_share).must_hold();
        let why = "as a conflict, but had taken no other for the master";
        refused(&|_| {}).must_break(why);
        refused(&|body| body.master_sae = "mallory".parse().unwrap()).must_break(why);
    }

    #[test]
    fn a_hub_that_has_forgotten_the_first_may_take_another() {
        let (scene, _) = exchanged(|_| {});
        takes(&scene, 1_002 + 3_000, 3, other_share);
        scene.judge(check_wire).must_hold();
        let (scene, _) = exchanged(|plan| {
            plan.faults
                .push(fault(1_500, 1_600, Fault::CrashHub { hub: 3 }));
        });
        takes(&scene, 2_600, 3, other_share);
        scene.judge(check_wire).must_hold();
        takes(&scene, 2_700, 3, |body| {
            body.keys[0].share.0[7] ^= 2;
        });
        scene.judge(check_wire).must_break("hub 3 took a share");
    }

    #[test]
    fn deposits_that_no_hub_may_take_are_seen() {
        let new_keys = |body: &mut DepositBody<Plain>| {
            for key in &mut body.keys {
                key.key_id = "0a782fb5-3434-48fe-aa4d-14f41d46cf92".parse().unwrap();
            }
            body.keys.truncate(1);
        };
        let judge = |change: &dyn Fn(&mut DepositBody<Plain>)| {
            let (scene, _) = exchanged(|_| {});
            takes(&scene, 2_500, 3, |body| {
                new_keys(body);
                change(body);
            });
            scene.judge(check_wire)
        };
        judge(&|_| {}).must_hold();
        judge(&|body| body.master_sae = "celia".parse().unwrap())
            .must_break("took shares of client carol for the master celia");
        judge(&|body| body.hubs = 6).must_break("with N, K, x = (6, 3, 4) instead of (5, 3, 4)");
        judge(&|body| body.threshold = 2).must_break("with N, K, x = (5, 2, 4)");
        judge(&|body| body.x = 5).must_break("with N, K, x = (5, 3, 5)");
    }

    #[test]
    fn a_key_that_was_withdrawn_may_be_refused_and_another_may_not() {
        for (withdrawn, is_right) in [(true, true), (false, false)] {
            let (mut scene, _) = exchanged(|_| {});
            let mut body = deposited(&scene, 3);
            if withdrawn {
                scene.withdraw(3, 2_500, &body);
            }
            body.keys.truncate(1);
            scene.deposit_answered(3, 3_000, &body, DepositOutcome::Conflict);
            match is_right {
                true => scene.judge(check_wire).must_hold(),
                false => scene.judge(check_wire).must_break("as a conflict"),
            }
        }
    }
}

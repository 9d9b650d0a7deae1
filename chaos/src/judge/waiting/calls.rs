//! The calls of masters at one client, and which of its hubs it may know to be slow.

use std::collections::BTreeMap;

use dske::protocol::KeyId;
use dske::protocol::message::DepositOutcome;

use super::super::Facts;
use super::super::facts::{SentDeposit, deposit_results};
use super::{MARGIN_US, PAUSES_US};
use crate::world::observer::open;
use crate::world::observer::record::{Call, Outcome, Seen};

/// A call of a master that was given keys.
pub(super) struct MasterCall<'a> {
    pub(super) call: &'a Call,
    answered: BTreeMap<usize, Answer>,
}

/// When a client heard what a hub says of the shares of a call, and whether it holds them all.
#[derive(Clone, Copy)]
struct Answer {
    at_us: u64,
    is_stored: bool,
}

impl MasterCall<'_> {
    /// When K hubs held the keys.
    pub(super) fn quorum_us(&self, threshold: usize) -> Option<u64> {
        let stored = self.answered.values().filter(|answer| answer.is_stored);
        let mut times: Vec<u64> = stored.map(|answer| answer.at_us).collect();
        times.sort_unstable();
        times.get(threshold - 1).copied()
    }

    /// The hubs that had not answered when the call ended.
    pub(super) fn silent(&self, hubs: usize) -> Vec<usize> {
        let has_answered = |hub: &usize| self.has_answered(*hub, self.call.until_us);
        (0..hubs).filter(|hub| !has_answered(hub)).collect()
    }

    /// When the last hub answered that did so before the end.
    pub(super) fn last_answer_us(&self) -> u64 {
        let times = self.answered.values().map(|answer| answer.at_us);
        let last = times.filter(|at_us| *at_us <= self.call.until_us).max();
        last.unwrap_or_default()
    }

    fn has_answered(&self, hub: usize, until_us: u64) -> bool {
        let answer = self.answered.get(&hub);
        answer.is_some_and(|answer| answer.at_us <= until_us)
    }
}

/// All calls of masters at a client.
pub(super) struct MasterCalls<'a> {
    given: Vec<MasterCall<'a>>,
    /// When those ended that were given none: nobody outside knows for whom they waited.
    failed_us: Vec<u64>,
    /// Hub → when it may have answered within the grace period of a call, and whether it surely has.
    in_time: BTreeMap<usize, Vec<(u64, bool)>>,
    /// When the client started: it forgets what it knew of its hubs.
    started_us: Vec<u64>,
    /// When the last lie is over. What a client makes of a lie, nobody outside sees.
    honest_us: u64,
    way_us: u64,
}

impl<'a> MasterCalls<'a> {
    pub(super) fn of(facts: &Facts<'a>, client: usize) -> Self {
        let cluster = &facts.seen.plan.cluster;
        let answers = answers(facts, client);
        let is_master = |call: &&Call| call.kind.establishes();
        let calls = facts.seen.calls.iter().filter(|call| call.client == client);
        let (mut given, mut failed_us, mut begun) = (Vec::new(), Vec::new(), BTreeMap::new());
        for call in calls.filter(is_master) {
            let Outcome::Keys(keys) = &call.outcome else {
                failed_us.push(call.until_us);
                continue;
            };
            begun.extend(keys.iter().map(|key| (key.id, call.from_us)));
            let answered = keys.first().and_then(|key| answers.get(&key.id)).cloned();
            let answered = answered.unwrap_or_default();
            given.push(MasterCall { call, answered });
        }
        let lies = facts.seen.plan.liars.iter();
        let grace_us = cluster.grace_ms * 1000;
        let way_us = 1000 * cluster.latency_ms.1;
        // Whose call is not known may have begun at any time. With keys from PSRD the shares leave later than it begins.
        let sent = first_sent(facts, client);
        let mut in_time: BTreeMap<usize, Vec<(u64, bool)>> = BTreeMap::new();
        for (key, hubs) in &answers {
            let (from_us, sent_us) = (begun.get(key).copied(), sent.get(key).copied());
            for (hub, answer) in hubs {
                let takes_us = |since_us: u64| answer.at_us.saturating_sub(since_us);
                let latest_us = grace_us + way_us + MARGIN_US;
                if from_us.is_none() || sent_us.is_none_or(|us| takes_us(us) <= latest_us) {
                    let is_sure = from_us.is_some_and(|us| takes_us(us) <= grace_us);
                    let times = in_time.entry(*hub).or_default();
                    times.push((answer.at_us, is_sure));
                }
            }
        }
        Self {
            given,
            failed_us,
            in_time,
            started_us: facts.starts(client).collect(),
            honest_us: lies
                .map(|liar| liar.until_ms.saturating_mul(1000))
                .max()
                .unwrap_or_default(),
            way_us,
        }
    }

    /// Those that were given keys, and that no lie can have touched.
    pub(super) fn given(&self) -> impl Iterator<Item = &MasterCall<'a>> {
        let given = self.given.iter();
        given.filter(|given| given.call.from_us >= self.honest_us)
    }

    /// Whether a hub surely was slow when a call began: an earlier one had ended without it, before its exchange can have
    /// failed, and it has not been in time since.
    pub(super) fn is_slow(&self, call: &MasterCall<'_>, hub: usize) -> bool {
        let begins_us = call.call.from_us + self.way_us + MARGIN_US;
        let started = self.started_us.iter().filter(|us| **us <= begins_us);
        let started_us = started.max().copied().unwrap_or_default();
        let started_us = started_us.max(self.honest_us);
        let earlier = self.given.iter().filter(|earlier| {
            earlier.call.from_us >= started_us
                && earlier.call.until_us <= call.call.from_us
                && earlier.call.until_us - earlier.call.from_us < PAUSES_US
                && !earlier.has_answered(hub, earlier.call.until_us)
        });
        let Some(since_us) = earlier.map(|earlier| earlier.call.until_us).max() else {
            return false;
        };
        let since_us = since_us.saturating_sub(self.way_us + MARGIN_US);
        let in_time = self.in_time.get(&hub).into_iter().flatten();
        !in_time
            .clone()
            .any(|(at_us, _)| (since_us..=begins_us).contains(at_us))
    }

    /// Whether a hub surely was not slow when a call began: no earlier one can have ended without it since it was in time.
    pub(super) fn is_prompt(&self, call: &MasterCall<'_>, hub: usize) -> bool {
        let begins_us = call.call.from_us + self.way_us + MARGIN_US;
        let in_time = self.in_time.get(&hub).into_iter().flatten();
        let sure = in_time.filter(|(at_us, is_sure)| *is_sure && *at_us < call.call.from_us);
        let since_us = sure.map(|(at_us, _)| *at_us).max().unwrap_or_default();
        if since_us < self.honest_us {
            return false;
        }
        // A call ends at its client up to a way before its SAE hears of it.
        let ends = |until_us: u64| {
            since_us <= until_us && until_us.saturating_sub(self.way_us + MARGIN_US) <= begins_us
        };
        let others = self
            .given
            .iter()
            .filter(|one| !std::ptr::eq(one.call, call.call));
        let mut given = others.filter(|one| ends(one.call.until_us));
        let left_us = |until_us: u64| until_us.saturating_sub(self.way_us + MARGIN_US);
        given.all(|one| one.has_answered(hub, left_us(one.call.until_us)))
            && !self.failed_us.iter().any(|until_us| ends(*until_us))
    }
}

/// Key → hub → what the client first heard of its share, and did not ask again. An answer that it could not accept, for example
/// because the block that it is signed with had not arrived yet, is none. Of a call's keys, all are asked for and answered
/// together.
fn answers(facts: &Facts<'_>, client: usize) -> BTreeMap<KeyId, BTreeMap<usize, Answer>> {
    let last_sent = last_sent(facts, client);
    let mut answers: BTreeMap<KeyId, BTreeMap<usize, Answer>> = BTreeMap::new();
    for message in &facts.seen.messages {
        let Seen::Heard { to, response } = &message.what else {
            continue;
        };
        let is_mine = message.client == Some(client);
        if !is_mine || !open::is_authentic(&facts.seen.blocks, to, response) {
            continue;
        }
        for result in deposit_results(to, response) {
            let sent_us = last_sent.get(&(message.hub, result.key_id));
            if sent_us.is_some_and(|sent_us| message.at_us < *sent_us) {
                continue;
            }
            let answer = Answer {
                at_us: message.at_us,
                is_stored: result.outcome == DepositOutcome::Stored,
            };
            let hubs = answers.entry(result.key_id).or_default();
            hubs.entry(message.hub).or_insert(answer);
        }
    }
    answers
}

/// When the first share of each key left the client.
fn first_sent(facts: &Facts<'_>, client: usize) -> BTreeMap<KeyId, u64> {
    let mut sent = BTreeMap::new();
    for deposit in facts
        .deposits
        .iter()
        .filter(|deposit| deposit.client == client)
    {
        for key in &deposit.body.keys {
            sent.entry(key.key_id).or_insert(deposit.at_us);
        }
    }
    sent
}

/// Hub and key → when its share last left the client.
fn last_sent(facts: &Facts<'_>, client: usize) -> BTreeMap<(usize, KeyId), u64> {
    let own = |deposit: &&SentDeposit<'_>| deposit.client == client;
    let sent = facts.deposits.iter().filter(own).flat_map(|deposit| {
        let keys = deposit.body.keys.iter();
        keys.map(|key| ((deposit.hub, key.key_id), deposit.at_us))
    });
    sent.collect()
}

//! Get key: compares how calls ended with how they can have ended.

use std::collections::BTreeSet;

use dske::protocol::KeyId;
use dske::protocol::message::{DepositBody, Encrypted};

use super::busy::{guaranteed, may_be_busy, must_be_busy};
use super::calls::{Asked, Calls};
use super::deposit;
use super::end::End;
use super::rules::Rules;
use super::way::{compare, selections};
use crate::judge::{Facts, Verdict, Violation};
use crate::world::observer::record::{Call, CallKind, Outcome};

type Deposited<'a> = Asked<'a, &'a DepositBody<Encrypted>>;

/// Checks a call of a master.
pub fn check(facts: &Facts<'_>, calls: &Calls<'_>, call: &Call, verdict: &mut Verdict) {
    let possible = match &call.outcome {
        Outcome::Status(_) | Outcome::Unknown(_) => return,
        // What it asked for is not recorded: it may have been too much.
        Outcome::Refused(..) if call.kind == CallKind::Greedy => return,
        _ if must_be_busy(facts, call) => BTreeSet::from([End::Busy]),
        Outcome::Refused(..) => ends_without_keys(facts, calls, call),
        Outcome::Keys(keys) => {
            let first = keys.first().map(|key| (call.client, key.id));
            let asked = first.and_then(|first| calls.deposits.get(&first));
            let given = keys.iter().map(|key| key.id);
            let all = asked.is_some_and(|asked| given.eq(key_ids(asked)));
            verdict.expect(all, call.until_us, || Violation::OtherKeysThanModel {
                call: call.id,
                kind: call.kind,
                client: call.client,
            });
            if let Some(asked) = asked {
                waits(facts, calls, call, asked, verdict);
            }
            asked.map_or_else(BTreeSet::new, |asked| ends(facts, calls, call, asked))
        }
    };
    compare(call, &possible, verdict);
}

/// A master waits for every hub until the grace period is over, but for those that may have kept an earlier call waiting.
fn waits(
    facts: &Facts<'_>,
    calls: &Calls<'_>,
    call: &Call,
    asked: &Deposited<'_>,
    verdict: &mut Verdict,
) {
    let rules = Rules::of(&facts.seen.plan);
    let key_ids: Vec<KeyId> = key_ids(asked).collect();
    // The clock of the simulation goes in ticks.
    let until_us = call.until_us + facts.seen.plan.cluster.tick_ms * 1000;
    // By then it may have given them up.
    if until_us >= given_up_us(facts, calls, call) {
        return;
    }
    for hub in deposit::left_out(&rules, &key_ids, until_us, &asked.heard) {
        let mut earlier = calls.deposits.iter().filter(|((client, _), other)| {
            *client == call.client && other.first_us <= call.until_us && other.what != asked.what
        });
        let kept_waiting = earlier.any(|(_, other)| {
            let grace_us = other.first_us + rules.grace_us;
            let mut answers = other.heard.iter().filter(|answer| answer.hub == hub);
            !answers.any(|answer| answer.at_us < grace_us)
        });
        verdict.expect(kept_waiting, call.until_us, || Violation::NotWaitedFor {
            call: call.id,
            client: call.client,
            hub,
        });
    }
}

fn key_ids<'a>(asked: &'a Deposited<'_>) -> impl Iterator<Item = KeyId> + 'a {
    asked.what.keys.iter().map(|key| key.key_id)
}

/// How the call can end that drew these keys.
fn ends(facts: &Facts<'_>, calls: &Calls<'_>, call: &Call, asked: &Deposited<'_>) -> BTreeSet<End> {
    let rules = Rules::of(&facts.seen.plan);
    let key_ids: Vec<KeyId> = key_ids(asked).collect();
    let times = (given_up_us(facts, calls, call), call.until_us);
    let selections = selections(&asked.heard).into_iter();
    selections
        .flat_map(|heard| deposit::ends(&rules, &key_ids, times, &heard))
        .collect()
}

/// How a call can end that was not given keys: as one for the keys that may have been drawn for it.
fn ends_without_keys(facts: &Facts<'_>, calls: &Calls<'_>, call: &Call) -> BTreeSet<End> {
    let mut possible = BTreeSet::new();
    let Some(planned) = facts.seen.plan.calls.iter().find(|p| p.id == call.id) else {
        return possible;
    };
    let masters = facts
        .seen
        .calls
        .iter()
        .filter(|other| other.kind.establishes());
    let given: BTreeSet<KeyId> = masters
        .flat_map(|other| other.outcome.keys().unwrap_or_default())
        .map(|key| key.id)
        .collect();
    let drawn = calls.deposits.iter().filter(|((client, key), asked)| {
        *client == call.client
            && !given.contains(key)
            && asked.what.master_sae == call.sae
            && asked.what.slave_saes.first() == Some(&call.other)
            && asked.what.keys.len() == usize::from(call.number)
            && asked.what.size == planned.bits as usize / 8
            && (call.from_us..=call.until_us).contains(&asked.first_us)
    });
    // It may be that none of them has left.
    if drawn.clone().next().is_none() && call.until_us >= given_up_us(facts, calls, call) {
        possible.insert(End::NotEstablished);
    }
    for (_, asked) in drawn {
        possible.extend(ends(facts, calls, call, asked));
    }
    if may_be_busy(facts, call, planned) {
        possible.insert(End::Busy);
    }
    possible
}

/// When a call gives hubs up at the earliest that have not said their last word: at once, where its SAE may have more under way
/// at a link than is guaranteed to it.
fn given_up_us(facts: &Facts<'_>, calls: &Calls<'_>, call: &Call) -> u64 {
    let rules = Rules::of(&facts.seen.plan);
    let limits = facts.seen.plan.cluster.limits;
    // Shares go out for twice the deadline.
    let since_us = call.from_us.saturating_sub(2 * rules.deadline_us);
    let under_way = calls.deposits.iter().filter(|((client, _), asked)| {
        *client == call.client
            && asked.what.master_sae == call.sae
            && (since_us..=call.until_us).contains(&asked.first_us)
    });
    let bytes =
        |asked: &Deposited<'_>| asked.what.keys.len() as u64 * (asked.what.size as u64 + 48);
    let bytes: u64 = under_way.map(|(_, asked)| bytes(asked)).sum();
    if bytes > guaranteed(facts, call, limits.exchange_bytes_max as u64) {
        call.from_us
    } else {
        call.from_us + rules.patience_us
    }
}

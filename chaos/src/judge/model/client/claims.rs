//! Which keys a client has handed out to an SAE, and has to remember. `docs/protocol.md` §8.

use dske::protocol::batch::Reply;
use dske::protocol::message::{FetchAnswer, FetchQuery};

use super::calls::{Asked, Calls};
use super::end::End;
use super::link::{Heard, life_at};
use super::rules::Rules;
use crate::judge::Facts;
use crate::world::observer::record::Call;

/// Whether keys are claimed when a call asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claimed {
    /// They are not.
    No,
    /// Nobody outside can tell.
    Perhaps,
    /// They are.
    Yes,
}

/// Whether one of the keys of a call was claimed by an earlier call of the same SAE.
#[must_use]
pub fn claimed(facts: &Facts<'_>, calls: &Calls<'_>, call: &Call) -> Claimed {
    let rules = &Rules::of(&facts.seen.plan);
    let earlier = facts.seen.calls.iter().enumerate().filter(|(_, other)| {
        other.kind.fetches()
            && (other.client, &other.sae, &other.other) == (call.client, &call.sae, &call.other)
            && other.from_us < call.from_us
            && other.key_ids.iter().any(|key| call.key_ids.contains(key))
    });
    let by = earlier.map(|(number, other)| {
        let parts = calls.fetches.get(&number).map_or(&[][..], Vec::as_slice);
        claimed_by(facts, rules, parts, other, call)
    });
    by.max().unwrap_or(Claimed::No)
}

fn claimed_by(
    facts: &Facts<'_>,
    rules: &Rules,
    parts: &[Asked<'_, &FetchQuery>],
    earlier: &Call,
    call: &Call,
) -> Claimed {
    let life = |at_us| life_at(facts.seen, call.client, at_us);
    let is_same_life = life(earlier.until_us) == life(call.from_us);
    let is_forgotten = call.from_us > earlier.until_us + rules.claim_us + rules.claim_slack_us;
    if !is_same_life || is_forgotten {
        return Claimed::No;
    }
    let all_handed_out = parts
        .iter()
        .filter_map(|asked| all_handed_out_us(rules, asked));
    let settled_us = all_handed_out.min().map(|us| us + rules.settled_claim_us);
    let claim_us = earlier.from_us + rules.claim_us;
    let least_us = settled_us.map_or(claim_us, |us| us.min(claim_us));
    let is_certain = life(earlier.from_us) == life(call.until_us) && call.until_us < least_us;
    match End::of(&earlier.outcome) {
        Some(End::Keys) if is_certain => Claimed::Yes,
        // Or its answer may have been lost.
        Some(End::Keys) | None => Claimed::Perhaps,
        // A call that fails gives its claims back.
        Some(_) => Claimed::No,
    }
}

/// When all hubs had handed out their shares of all keys.
fn all_handed_out_us(rules: &Rules, asked: &Asked<'_, &FetchQuery>) -> Option<u64> {
    let is_complete = |answer: &&&Heard| match &answer.reply {
        Some(Reply::Fetch(reply)) => {
            let found = |answer: &FetchAnswer<_>| matches!(answer, FetchAnswer::Found(_));
            reply.keys.iter().all(|result| found(&result.answer))
        }
        _ => false,
    };
    let mut complete = asked.heard.iter().filter(is_complete);
    complete.nth(rules.hubs - 1).map(|answer| answer.at_us)
}

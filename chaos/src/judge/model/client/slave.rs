//! Get key with key IDs: compares how calls ended with how they can have ended.

use std::collections::BTreeSet;

use dske::protocol::message::FetchQuery;

use super::blames::Blamed;
use super::busy::{may_be_busy, must_be_busy};
use super::calls::{Asked, Calls};
use super::claims::{Claimed, claimed};
use super::end::End;
use super::fetch;
use super::known::Known;
use super::rules::Rules;
use super::way::{Way, compare, selections};
use crate::judge::{Facts, Verdict, Violation};
use crate::world::observer::record::{Call, Key};

type Fetched<'a> = Asked<'a, &'a FetchQuery>;

/// Checks a call of a slave, and counts whom its client has to blame.
pub fn check(
    facts: &Facts<'_>,
    calls: &Calls<'_>,
    number: usize,
    blamed: &mut Blamed,
    verdict: &mut Verdict,
) {
    let call = &facts.seen.calls[number];
    let parts = calls.fetches.get(&number).map_or(&[][..], Vec::as_slice);
    let ways: Vec<Vec<Way>> = parts.iter().map(|asked| ways(facts, call, asked)).collect();
    let possible = ends(facts, calls, call, parts, &ways);
    let is_possible = compare(call, &possible, verdict);
    for (asked, ways) in parts.iter().zip(&ways) {
        // Where the keys are asked for in parts, it is not told how each part ended.
        let end = End::of(&call.outcome).filter(|_| is_possible && parts.len() == 1);
        let as_seen = ways.iter().filter(|way| Some(way.end) == end);
        blamed.add(facts, call, asked, as_seen);
    }
    let delivered = call.outcome.keys().filter(|_| is_possible);
    let right = delivered.is_none_or(|keys| are_right(facts, parts, call, keys));
    verdict.expect(right, call.until_us, || Violation::OtherKeysThanModel {
        call: call.id,
        kind: call.kind,
        client: call.client,
    });
}

fn ends(
    facts: &Facts<'_>,
    calls: &Calls<'_>,
    call: &Call,
    parts: &[Fetched<'_>],
    ways: &[Vec<Way>],
) -> BTreeSet<End> {
    let mut possible = BTreeSet::new();
    let claimed = claimed(facts, calls, call);
    if claimed > Claimed::No {
        possible.insert(End::HandedOut);
    }
    if must_be_busy(facts, call) {
        return BTreeSet::from([End::Busy]);
    }
    let mut planned = facts.seen.plan.calls.iter();
    if planned.any(|planned| planned.id == call.id && may_be_busy(facts, call, planned)) {
        possible.insert(End::Busy);
    }
    if claimed < Claimed::Yes {
        possible.extend(match ways {
            [] => {
                let rules = Rules::of(&facts.seen.plan);
                let has_time = call.until_us >= call.from_us + rules.patience_us;
                has_time.then_some(End::Unavailable).into_iter().collect()
            }
            [whole] => {
                let rules = Rules::of(&facts.seen.plan);
                let in_time = |way: &&Way| call.until_us <= way.over_us + rules.way_us;
                whole.iter().filter(in_time).map(|way| way.end).collect()
            }
            [whole, in_parts @ ..] => ends_in_parts(call, parts, whole, in_parts),
        });
    }
    possible
}

fn ends_of(ways: &[Way]) -> BTreeSet<End> {
    ways.iter().map(|way| way.end).collect()
}

/// How a call ends whose keys were asked for in parts, one after the other: with all keys, or as its last part. They are only
/// asked for in parts after a hub has refused to answer for all of them, and that has failed.
fn ends_in_parts(
    call: &Call,
    parts: &[Fetched<'_>],
    whole: &[Way],
    in_parts: &[Vec<Way>],
) -> BTreeSet<End> {
    let is_refused = parts[0]
        .heard
        .iter()
        .any(|answer| answer.refuses_as_too_long());
    let has_failed = whole.iter().any(|way| way.end != End::Keys);
    let asked: usize = parts[1..].iter().map(|part| part.what.key_ids.len()).sum();
    let is_complete = asked == call.key_ids.len();
    let (last, before) = in_parts.split_last().expect("there is one part at least");
    let before_are_had = before.iter().all(|ways| ends_of(ways).contains(&End::Keys));
    if !is_refused || !has_failed || !before_are_had {
        return BTreeSet::new();
    }
    let mut ends = ends_of(last);
    if !is_complete && ends.remove(&End::Keys) {
        // The next part was not even asked for.
        ends.insert(End::Unavailable);
    }
    ends
}

/// The ways in which a fetch can end, whichever answers it may have accepted.
fn ways(facts: &Facts<'_>, call: &Call, asked: &Fetched<'_>) -> Vec<Way> {
    let mut ways = Vec::new();
    let times = (call.from_us, call.until_us);
    for needed in needed(facts, call) {
        for heard in selections(&asked.heard) {
            ways.extend(fetch::ways(facts, asked.what, times, needed, &heard));
        }
    }
    ways
}

/// How many shares may have to agree: that depends on how long the client has run. `docs/protocol.md` §8.
fn needed(facts: &Facts<'_>, call: &Call) -> BTreeSet<usize> {
    let rules = Rules::of(&facts.seen.plan);
    let starts = facts.seen.client_starts.iter();
    let starts: Vec<u64> = starts
        .filter(|((client, _), _)| *client == call.client)
        .map(|(_, &at_us)| at_us)
        .filter(|&at_us| at_us <= call.until_us)
        .collect();
    let before = starts.iter().filter(|&&at_us| at_us <= call.from_us).max();
    let during = starts.iter().filter(|&&at_us| at_us > call.from_us);
    let mut needed = BTreeSet::new();
    for start_us in before.into_iter().chain(during) {
        let sure_us = start_us + rules.claim_us;
        if call.from_us < sure_us {
            needed.insert(rules.needed_after_start());
        }
        if sure_us <= call.until_us {
            needed.insert(rules.threshold);
        }
    }
    needed
}

/// Whether the keys are those that the answers determine.
fn are_right(facts: &Facts<'_>, parts: &[Fetched<'_>], call: &Call, keys: &[Key]) -> bool {
    let rules = Rules::of(&facts.seen.plan);
    let ids = call.key_ids.iter().copied();
    let known = parts.iter().rev().map(|asked| {
        let heard: Vec<_> = asked
            .heard
            .iter()
            .copied()
            .filter(|h| h.at_us <= call.until_us)
            .collect();
        Known::from(&rules, asked.what, &heard)
    });
    let known: Vec<Known<'_>> = known.collect();
    keys.iter().map(|key| key.id).eq(ids)
        && keys.iter().all(|key| {
            let values = known
                .iter()
                .map(|known| known.values(&rules, facts, key.id));
            let mut values = values.filter(|values| !values.is_empty());
            values
                .next()
                .is_some_and(|values| values.iter().any(|value| *value == *key.bytes))
        })
}

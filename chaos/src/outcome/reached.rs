//! What a run reached: what the nodes count themselves, added to what the harness has counted.

use std::collections::BTreeMap;

use dske::protocol::batch::{Operation, operations_of};

use crate::judge::Facts;
use crate::judge::facts::deposit_results;
use crate::judge::model::client::rivals::orders;
use crate::plan::reached::{Branch, Reached};
use crate::world::observer::record::{CallKind, Outcome, Seen};

/// Fault, lie or rare branch → how often.
pub(super) fn of(facts: &Facts<'_>) -> BTreeMap<String, u64> {
    let mut reached = facts.seen.reached.clone();
    let mut add = |what: Reached<'_>, count: u64| {
        if count > 0 {
            *reached.entry(what.to_string()).or_default() += count;
        }
    };
    for (mark, count) in dske::harness::marks() {
        add(Reached::Mark(mark), count);
    }
    for status in facts.seen.client_statuses.values() {
        let counters = &status.counters;
        add(Reached::Branch(Branch::LateShare), counters.late_shares);
        add(
            Reached::Branch(Branch::ErrorCorrection),
            counters.error_corrections,
        );
        add(
            Reached::Branch(Branch::SubsetSearch),
            counters.subset_searches,
        );
        add(Reached::Branch(Branch::TwoKeysFit), counters.alarms);
        for hub in &status.hubs {
            add(Reached::Branch(Branch::Refill), hub.link.refills);
            add(
                Reached::Branch(Branch::Reregistration),
                hub.link.registrations.saturating_sub(1),
            );
            add(Reached::Branch(Branch::Retry), hub.link.retries);
            add(
                Reached::Branch(Branch::PsrdExhausted),
                hub.link.psrd_exhausted,
            );
            add(
                Reached::Branch(Branch::UnverifiedAnswer),
                hub.link.unverified,
            );
            add(Reached::Branch(Branch::Blame), hub.blame.values().sum());
        }
    }
    // Without an alarm nobody saw two keys that fit.
    let mut statuses = facts.seen.client_statuses.values();
    if statuses.any(|status| status.counters.alarms > 0) {
        for (rivals, count) in orders(facts) {
            add(Reached::Rivals(rivals), count);
        }
    }
    add(
        Reached::Branch(Branch::ShareIsPad),
        shares_that_are_pads(facts),
    );
    for message in &facts.seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        for result in deposit_results(to, response) {
            add(Reached::Deposit(result.outcome), 1);
        }
    }
    for (_, _, status) in last_statuses(facts) {
        for (what, count) in &status.refused {
            add(Reached::Refused(what), *count);
        }
    }
    for call in &facts.seen.calls {
        match (call.kind, &call.outcome) {
            (CallKind::Intruder, Outcome::Refused(status, _)) => add(Reached::Intruder(*status), 1),
            (CallKind::SlaveAgain, Outcome::Refused(status, _)) => {
                add(Reached::SecondFetch(*status), 1)
            }
            (CallKind::SlaveRetry, Outcome::Keys(_)) => {
                add(Reached::Branch(Branch::RetryServed), 1)
            }
            (CallKind::Mistaken(mistake), Outcome::Refused(..)) => {
                add(Reached::Mistake(mistake), 1)
            }
            // Not what the nodes count: they count intruders too, who have to be refused.
            (CallKind::Master | CallKind::Slave, Outcome::Refused(..)) => {
                add(Reached::Branch(Branch::CallFailed), 1)
            }
            (CallKind::Greedy, Outcome::Keys(_)) => add(Reached::GreedyGiven, 1),
            (CallKind::Greedy, Outcome::Refused(status, _)) => {
                add(Reached::GreedyRefused(*status), 1)
            }
            (_, Outcome::Unknown(_)) => add(Reached::CallWithoutAnswer, 1),
            _ => {}
        }
        let took_us = call.until_us - call.from_us;
        let at_deadline = took_us >= facts.seen.plan.cluster.call_deadline_ms * 1000;
        add(
            Reached::Branch(Branch::CallAtDeadline),
            u64::from(at_deadline),
        );
    }
    reached
}

/// Keys made of PSRD, as the wire shows them: deposits in which a share under its pad is zero.
fn shares_that_are_pads(facts: &Facts<'_>) -> u64 {
    let sent = facts.seen.messages.iter().filter_map(|message| {
        let Seen::Sent(request) = &message.what else {
            return None;
        };
        operations_of(request)
    });
    let is_pad = |operation: &Operation| match operation {
        Operation::Fetch(_) | Operation::Withdraw(_) => false,
        Operation::Deposit(body) => {
            let mut keys = body.keys.iter();
            keys.any(|key| key.share.0.iter().all(|byte| *byte == 0))
        }
    };
    sent.flatten().filter(is_pad).count() as u64
}

fn last_statuses<'a>(
    facts: &Facts<'a>,
) -> impl Iterator<Item = &'a (u64, usize, dske::protocol::hub::HubStatus)> {
    let seen = facts.seen;
    (0..usize::from(seen.plan.cluster.hubs))
        .filter_map(move |hub| seen.hub_statuses.iter().rev().find(|(_, h, _)| *h == hub))
}

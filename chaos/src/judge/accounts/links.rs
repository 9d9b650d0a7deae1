//! What a client counts of its links.

use std::collections::BTreeMap;

use dske::protocol::limits::ATTEMPTS_MAX;

use super::super::{Facts, Verdict};
use super::{Seen, Span, compare, lives};
use crate::judge::facts::deposit_results;
use crate::world::observer::open::is_authentic;
use crate::world::observer::record::{self, CallKind, Node, Provisioned};

pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    for (client, span, status) in lives(facts) {
        for peer in &status.hubs {
            let hub = usize::from(peer.x.get()) - 1;
            let heard =
                |is_it: fn(&Provisioned) -> bool| provided(facts, span, (client, hub), is_it);
            for (what, counted, seen) in [
                (
                    "registrations",
                    peer.link.registrations,
                    heard(|what| *what == Provisioned::Registered),
                ),
                (
                    "refills",
                    peer.link.refills,
                    heard(|what| matches!(what, Provisioned::Block(..))),
                ),
                (
                    "retries",
                    peer.link.retries,
                    retries(facts, span, (client, hub)),
                ),
            ] {
                let what = format!("{what} at hub {hub}");
                compare(
                    verdict,
                    span.answered_us,
                    Node::Client(client),
                    &what,
                    counted,
                    seen,
                );
            }
        }
        let counted = status.counters.late_shares;
        let seen = late_shares(facts, span, client);
        compare(
            verdict,
            span.answered_us,
            Node::Client(client),
            "late shares",
            counted,
            seen,
        );
    }
}

/// How often the client heard something of the hub outside of the protocol.
fn provided(
    facts: &Facts<'_>,
    span: Span,
    link: (usize, usize),
    is_it: impl Fn(&Provisioned) -> bool,
) -> Seen {
    let mut seen = Seen::default();
    for provision in &facts.seen.provisions {
        if (provision.client, provision.hub) == link
            && is_it(&provision.what)
            && let Some(is_certain) = span.holds(provision.at_us)
        {
            seen.add(1, is_certain);
        }
    }
    seen
}

/// Attempts beyond the first: at least one for each deposit that was sent again. Attempts that never left are not seen, but no
/// exchange has more than so many.
fn retries(facts: &Facts<'_>, span: Span, (client, hub): (usize, usize)) -> Seen {
    let mut seen = Seen::default();
    let mut sent = BTreeMap::new();
    for deposit in &facts.deposits {
        if (deposit.client, deposit.hub) != (client, hub) {
            continue;
        }
        let first = deposit.body.keys.first().map(|key| key.key_id);
        let times: &mut u64 = sent.entry(first).or_default();
        if let Some(is_certain) = span.holds(deposit.at_us) {
            seen.least += u64::from(is_certain && *times > 0);
            *times += 1;
        }
    }
    let calls = facts.seen.calls.iter().filter(|call| {
        call.client == client && span.holds_all(call.from_us, call.until_us).is_some()
    });
    // A call of a master deposits, and withdraws what it could not establish. With keys from PSRD it reserves some before. A
    // call of a slave fetches, in parts where need be.
    let exchanges = calls.map(|call| match call.kind {
        CallKind::Master | CallKind::Greedy => 3,
        kind if kind.fetches() => 1 + u64::from(call.number),
        _ => 0,
    });
    seen.most = u64::from(ATTEMPTS_MAX - 1) * exchanges.sum::<u64>();
    seen
}

/// Answers to deposits that the client heard after the call that they belong to. It was over at the latest when the SAE heard
/// of it, and not before K hubs had answered. An answer may come too late even for the background, and a client that has
/// registered anew meanwhile cannot verify it.
fn late_shares(facts: &Facts<'_>, span: Span, client: usize) -> Seen {
    let plan = &facts.seen.plan;
    let threshold = usize::from(plan.cluster.threshold);
    let background_us = 2_000 * plan.cluster.call_deadline_ms;
    let request_us = 1_000 * plan.cluster.request_timeout_ms;
    let lying = plan.lying_hubs();
    let is_void = |hub: usize, at_us: u64| {
        let mut registered = facts.seen.provisions.iter().filter(|heard| {
            (heard.client, heard.hub) == (client, hub) && heard.what == Provisioned::Registered
        });
        lying.contains(&hub)
            || registered
                .any(|heard| (at_us.saturating_sub(request_us)..=at_us).contains(&heard.at_us))
    };
    let mut answered: BTreeMap<_, BTreeMap<usize, u64>> = BTreeMap::new();
    for message in &facts.seen.messages {
        let record::Seen::Heard { to, response } = &message.what else {
            continue;
        };
        // What belongs to another request, or was changed, is no answer.
        if message.client == Some(client) && is_authentic(&facts.seen.blocks, to, response) {
            for result in deposit_results(to, response) {
                let hubs = answered.entry(result.key_id).or_default();
                hubs.entry(message.hub).or_insert(message.at_us);
            }
        }
    }
    let mut seen = Seen::default();
    for call in facts.seen.calls.iter().filter(|call| call.client == client) {
        let keys = call.outcome.keys().unwrap_or_default();
        let is_master = call.kind.establishes();
        let Some(hubs) = keys
            .first()
            .filter(|_| is_master)
            .and_then(|key| answered.get(&key.id))
        else {
            continue;
        };
        let mut times: Vec<(u64, usize)> = hubs.iter().map(|(hub, us)| (*us, *hub)).collect();
        times.sort_unstable();
        for (at_us, hub) in times.split_off(threshold.min(times.len())) {
            if let Some(is_certain) = span.holds(at_us) {
                let is_late = at_us > call.until_us && at_us < call.from_us + background_us;
                seen.add(1, is_certain && is_late && !is_void(hub, at_us));
            }
        }
    }
    seen
}

//! What a hub counts of the messages that it answered.

use std::collections::BTreeMap;

use dske::protocol::Refusal;
use dske::protocol::batch::{Reply, replies_of};
use dske::protocol::hub::HubStatus;

use super::super::{Facts, Verdict};
use super::{POLL_US, Seen, Span, compare};
use crate::judge::facts::refusals;
use crate::world::observer::record::{self, Node, NoteKind};

/// Checks the last status in each life of each hub that never lies: one that does says other things than its state machine
/// did.
pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    let lying = facts.seen.plan.lying_hubs();
    let hubs = 0..usize::from(facts.seen.plan.cluster.hubs);
    for hub in hubs.filter(|hub| !lying.contains(hub)) {
        for (span, status) in lives(facts, hub) {
            compare_all(facts, hub, span, status, verdict);
        }
    }
}

/// The lives of a hub of which there is a status, and the last one of each.
fn lives<'a>(facts: &Facts<'a>, hub: usize) -> impl Iterator<Item = (Span, &'a HubStatus)> {
    let seen = facts.seen;
    let starts = seen.notes.iter().filter_map(move |note| match note.what {
        NoteKind::Start { node, .. } if node == Node::Hub(hub) => Some(note.at_us),
        _ => None,
    });
    let starts: Vec<u64> = [0].into_iter().chain(starts).collect();
    let ends: Vec<u64> = starts.iter().copied().skip(1).chain([u64::MAX]).collect();
    starts
        .into_iter()
        .zip(ends)
        .filter_map(move |(start_us, end_us)| {
            let mut statuses = seen.hub_statuses.iter().rev();
            let (at_us, _, status) = statuses
                .find(|(at_us, one, _)| *one == hub && (start_us..end_us).contains(at_us))?;
            let span = Span {
                start_us,
                asked_us: at_us.saturating_sub(POLL_US),
                answered_us: *at_us,
            };
            Some((span, status))
        })
}

fn compare_all(
    facts: &Facts<'_>,
    hub: usize,
    span: Span,
    status: &HubStatus,
    verdict: &mut Verdict,
) {
    let (served, refused) = tally(facts, span, hub);
    for (what, counted, seen) in [
        ("served", &status.served, served),
        ("refused", &status.refused, refused),
    ] {
        let mut kinds: Vec<&str> = counted.keys().map(String::as_str).collect();
        kinds.extend(seen.keys());
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            let counted = counted.get(kind).copied().unwrap_or_default();
            let seen = seen.get(kind).copied().unwrap_or_default();
            let what = format!("{what} as {kind}");
            compare(
                verdict,
                span.answered_us,
                Node::Hub(hub),
                &what,
                counted,
                seen,
            );
        }
    }
}

/// What the hub's answers say: operations served, and what was refused, by kind.
fn tally(
    facts: &Facts<'_>,
    span: Span,
    hub: usize,
) -> (BTreeMap<&'static str, Seen>, BTreeMap<&'static str, Seen>) {
    let (mut served, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for message in facts
        .seen
        .messages
        .iter()
        .filter(|message| message.hub == hub)
    {
        let record::Seen::Said { to, response } = &message.what else {
            continue;
        };
        let Some(is_certain) = span.holds(message.at_us) else {
            continue;
        };
        for reply in replies_of(to, response).into_iter().flatten() {
            let kind = match reply {
                Reply::Deposit(_) => "deposit",
                Reply::Fetch(_) => "fetch",
                Reply::Withdraw => "withdraw",
                Reply::Refused(_) => continue,
            };
            let seen: &mut Seen = served.entry(kind).or_default();
            seen.add(1, is_certain);
        }
        for kind in refusals(to, response).iter().map(Refusal::kind) {
            let seen: &mut Seen = refused.entry(kind).or_default();
            seen.add(1, is_certain);
        }
    }
    (served, refused)
}

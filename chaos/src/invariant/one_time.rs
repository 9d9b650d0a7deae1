//! One time: no byte of PSRD serves two messages, ever, across crashes and restarts; and no hub accepts a message
//! twice.

use std::collections::{BTreeMap, BTreeSet};

use dske::protocol::signature::Signature;
use dske::psrd::BlockId;

use super::{Facts, Verdict};
use crate::observer::record::Seen;

/// Checks it.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for block in &facts.seen.blocks_twice {
        verdict.expect(false, 0, || format!("block {block} was delivered twice"));
    }
    bytes_are_used_once(facts, &mut verdict);
    requests_are_accepted_once(facts, &mut verdict);
    verdict
}

/// Looks where messages are made: requests that leave a client, responses that leave a hub.
fn bytes_are_used_once(facts: &Facts<'_>, verdict: &mut Verdict) {
    let mut messages = BTreeSet::new();
    let mut used: BTreeMap<BlockId, BTreeMap<u32, (u32, String)>> = BTreeMap::new();
    for message in &facts.seen.messages {
        let header = match &message.what {
            Seen::Sent(request) => &request.signature,
            Seen::Said { response, .. } => &response.signature,
            Seen::Arrived(_) | Seen::Heard { .. } => continue,
        };
        let Ok(signature) = Signature::from_header(header.as_deref()) else {
            continue;
        };
        // The same bytes again, from a hub that replays, are the same message.
        let name = signature.to_string();
        if !messages.insert(name.clone()) {
            continue;
        }
        for fragment in signature.allocation.fragments() {
            let spans = used.entry(fragment.block()).or_default();
            let before = spans.range(..fragment.end()).next_back();
            let overlap = before.filter(|(_, (end, _))| *end > fragment.start());
            let clash = overlap.map(|(start, (end, by))| (*start, *end, by.clone()));
            verdict.expect(clash.is_none(), message.at_us, || {
                let (start, end, by) = clash.unwrap_or_default();
                format!(
                    "bytes {}..{} of block {} serve the message {name}, and {start}..{end} served {by}",
                    fragment.start(),
                    fragment.end(),
                    fragment.block(),
                )
            });
            spans.insert(fragment.start(), (fragment.end(), name.clone()));
        }
    }
}

/// Looks where messages are accepted: a signed answer shows that the request passed.
fn requests_are_accepted_once(facts: &Facts<'_>, verdict: &mut Verdict) {
    let mut accepted = BTreeSet::new();
    for message in &facts.seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        let (Some(request), Some(_)) = (&to.signature, &response.signature) else {
            continue;
        };
        let first = accepted.insert((message.hub, request.clone()));
        verdict.expect(first, message.at_us, || {
            format!("hub {} accepted the request {request} twice", message.hub)
        });
    }
}

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

#[cfg(test)]
mod tests {
    use dske::protocol::Request;
    use dske::psrd::{Allocation, Fragment};

    use super::super::testing::{MASTER, SLAVE, Scene};
    use super::*;

    fn exchanged() -> Scene {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        scene
    }

    /// A message like `like`, with these bytes.
    fn with_bytes(like: &Request, block: BlockId, start: u32, size: u32) -> Request {
        let mut signature = Signature::from_header(like.signature.as_deref()).unwrap();
        let fragment = Fragment::new(block, start, size).unwrap();
        signature.allocation = Allocation::new(vec![fragment]).unwrap();
        Request {
            signature: Some(signature.to_string()),
            ..like.clone()
        }
    }

    #[test]
    fn fresh_bytes_for_every_message_are_right() {
        exchanged().judge(check).must_hold();
    }

    #[test]
    fn a_message_that_overlaps_another_by_one_byte_is_seen() {
        let scene = exchanged();
        let first = scene.last_sent(MASTER, 0);
        let allocation = Signature::from_header(first.signature.as_deref())
            .unwrap()
            .allocation;
        let used = allocation.fragments()[0];
        let beside = with_bytes(&first, used.block(), used.end(), 32);
        scene.message(MASTER, 0, 3_000, Seen::Sent(beside));
        scene.judge(check).must_hold();
        let last_byte = with_bytes(&first, used.block(), used.end() + 31, 32);
        scene.message(MASTER, 0, 3_000, Seen::Sent(last_byte));
        scene.judge(check).must_break("serve the message");
    }

    #[test]
    fn the_same_message_may_be_sent_again() {
        let scene = exchanged();
        let again = scene.last_sent(MASTER, 0);
        scene.message(MASTER, 0, 3_000, Seen::Sent(again));
        scene.judge(check).must_hold();
    }

    #[test]
    fn a_message_may_arrive_twice_but_must_not_be_accepted_twice() {
        let scene = exchanged();
        let to = scene.last_sent(SLAVE, 2);
        scene.message(SLAVE, 2, 3_000, Seen::Arrived(to.clone()));
        let said = |signature: Option<&str>| Seen::Said {
            to: to.clone(),
            response: dske::protocol::Response {
                status: 200,
                signature: signature.map(str::to_owned),
                body: Vec::new(),
            },
        };
        // Unsigned, as a hub refuses a replay.
        scene.message(SLAVE, 2, 3_000, said(None));
        scene.judge(check).must_hold();
        scene.message(SLAVE, 2, 3_001, said(Some("signed")));
        scene.judge(check).must_break("hub 2 accepted the request");
    }

    #[test]
    fn a_block_that_is_delivered_twice_is_seen() {
        let scene = exchanged();
        let block = *scene.see().blocks.keys().next().unwrap();
        scene.see().blocks_twice.push(block);
        scene.judge(check).must_break("was delivered twice");
    }
}

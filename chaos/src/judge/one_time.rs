//! One time: no byte of PSRD serves two messages, ever, across crashes and restarts; no client sends a request twice,
//! and no hub accepts one twice. The converse: a hub does not refuse an honest client's bytes as used up, unless it
//! has seen the very message before.

use std::collections::{BTreeMap, BTreeSet};

use dske::protocol::Refusal;
use dske::protocol::signature::Signature;
use dske::psrd::{BlockId, Fragment, SPANS_MAX};

use super::model::spans::Spans;
use super::{Facts, Verdict, Violation};
use crate::world::observer::record::{Message, Seen};

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    for block in &facts.seen.blocks_twice {
        verdict.expect(false, 0, || Violation::BlockTwice { block: *block });
    }
    bytes_are_used_once(facts, &mut verdict);
    requests_are_sent_once(facts, &mut verdict);
    requests_are_accepted_once(facts, &mut verdict);
    bytes_are_not_used_up_by_others(facts, &mut verdict);
    verdict
}

/// Which bytes of each block have served which message.
#[derive(Default)]
struct Served(BTreeMap<BlockId, BTreeMap<u32, (u32, String)>>);

impl Served {
    /// Takes the bytes of a fragment for a message; says which bytes of it had served another, and which.
    fn take(&mut self, fragment: &Fragment, message: &str) -> Option<(u32, u32, String)> {
        let spans = self.0.entry(fragment.block()).or_default();
        let before = spans.range(..fragment.end()).next_back();
        let overlap = before.filter(|(_, (end, _))| *end > fragment.start());
        let clash = overlap.map(|(start, (end, by))| (*start, *end, by.clone()));
        spans.insert(fragment.start(), (fragment.end(), message.to_owned()));
        clash
    }
}

/// Looks where messages are made: requests that leave an honest client, and responses that leave a hub.
fn bytes_are_used_once(facts: &Facts<'_>, verdict: &mut Verdict) {
    let mut messages = BTreeSet::new();
    let mut served = Served::default();
    for message in &facts.seen.messages {
        let header = match &message.what {
            Seen::Sent(request) if is_from_honest(facts, message) => &request.signature,
            Seen::Said { response, .. } => &response.signature,
            Seen::Sent(_) | Seen::Arrived(_) | Seen::Heard { .. } => continue,
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
            let clash = served.take(fragment, &name);
            verdict.expect_none(clash, message.at_us, |(start, end, by)| {
                Violation::BytesServeTwo {
                    block: fragment.block(),
                    bytes: (fragment.start(), fragment.end()),
                    message: name.clone(),
                    before: (start, end),
                    by,
                }
            });
        }
    }
}

/// Whether the bytes of a request count as used because its hub had accepted too many others that left gaps. Only with fewer
/// gaps than is usual a message that is late, and still waited for, can lie in one.
fn lies_in_a_gap_given_up(facts: &Facts<'_>, index: usize, signature: &str) -> bool {
    let (seen, spans_max) = (facts.seen, facts.seen.plan.cluster.limits.spans_max);
    let signature = Signature::from_header(Some(signature)).ok();
    let Some(signature) = signature.filter(|_| spans_max < SPANS_MAX) else {
        return false;
    };
    let hub = seen.messages[index].hub;
    let mut used: BTreeMap<BlockId, Spans> = BTreeMap::new();
    for message in seen.messages.iter().take(index).filter(|m| m.hub == hub) {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        let accepted = Signature::from_header(to.signature.as_deref()).ok();
        let accepted = accepted.filter(|_| response.signature.is_some());
        for fragment in accepted.iter().flat_map(|a| a.allocation.fragments()) {
            let spans = used.entry(fragment.block()).or_default();
            spans.add(fragment.start(), fragment.end(), spans_max);
        }
    }
    signature.allocation.fragments().iter().any(|fragment| {
        let spans = used.get(&fragment.block());
        spans.is_some_and(|spans| spans.overlaps(fragment.start(), fragment.end()))
    })
}

fn is_from_honest(facts: &Facts<'_>, message: &Message) -> bool {
    let plan = &facts.seen.plan;
    message.client.is_some_and(|client| plan.is_honest(client))
}

/// A request that is tried again is another message, with fresh PSRD: the fate of the first one is unknown.
fn requests_are_sent_once(facts: &Facts<'_>, verdict: &mut Verdict) {
    let mut sent = BTreeSet::new();
    for message in &facts.seen.messages {
        let Seen::Sent(request) = &message.what else {
            continue;
        };
        let (Some(client), Some(signature)) = (message.client, &request.signature) else {
            continue;
        };
        if !facts.seen.plan.is_honest(client) {
            continue;
        }
        let first = sent.insert((client, signature));
        verdict.expect(first, message.at_us, || Violation::SentTwice {
            client,
            request: signature.clone(),
        });
    }
}

/// Looks where messages are accepted: a signed answer shows that the request passed. Here the rules hold for the
/// requests of anybody.
fn requests_are_accepted_once(facts: &Facts<'_>, verdict: &mut Verdict) {
    let mut accepted: BTreeMap<usize, Served> = BTreeMap::new();
    for message in &facts.seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        let (Some(request), Some(_)) = (&to.signature, &response.signature) else {
            continue;
        };
        let Ok(signature) = Signature::from_header(Some(request)) else {
            continue;
        };
        let served = accepted.entry(message.hub).or_default();
        let fragments = signature.allocation.fragments().iter();
        let clashes: Vec<_> = fragments
            .filter_map(|fragment| served.take(fragment, request))
            .collect();
        verdict.expect(clashes.is_empty(), message.at_us, || {
            let by = clashes.first().map(|(_, _, by)| by.as_str());
            let by = by.unwrap_or_default();
            if by == request {
                Violation::AcceptedTwice {
                    hub: message.hub,
                    request: request.clone(),
                }
            } else {
                Violation::AcceptedUsedBytes {
                    hub: message.hub,
                    request: request.clone(),
                    by: by.to_owned(),
                }
            }
        });
    }
}

/// Looks where an honest client's request is refused for its bytes: nobody but that client can use them up, and that
/// it has not is what [`bytes_are_used_once`] shows. The exception is a message that somebody replays so fast that
/// the copy is accepted first.
fn bytes_are_not_used_up_by_others(facts: &Facts<'_>, verdict: &mut Verdict) {
    let lying = facts.seen.plan.lying_hubs();
    for (index, message) in facts.seen.messages.iter().enumerate() {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        let signature = to.signature.as_deref().unwrap_or_default();
        let sent = facts.sent.get(&(message.hub, signature));
        let mut sent = sent.into_iter().flatten();
        let is_honest =
            sent.any(|sent| sent.request == to && facts.seen.plan.is_honest(sent.client));
        if !is_honest || lying.contains(&message.hub) {
            continue;
        }
        let refused = response.status != 200
            && matches!(
                serde_json::from_slice(&response.body),
                Ok(Refusal::BadAllocation { .. })
            );
        let excused = || {
            let arrived = facts.seen.messages.iter().take(index);
            let arrived = arrived.filter(|earlier| {
                let same = matches!(&earlier.what, Seen::Arrived(request) if request == to);
                same && earlier.hub == message.hub
            });
            // Its own arrival is one of them.
            arrived.count() > 1 || lies_in_a_gap_given_up(facts, index, signature)
        };
        verdict.expect(!refused || excused(), message.at_us, || {
            Violation::RefusedFreshBytes {
                hub: message.hub,
                request: signature.to_owned(),
                client: message.client,
            }
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
    fn a_request_that_leaves_its_client_twice_is_seen() {
        let scene = exchanged();
        let again = scene.last_sent(MASTER, 0);
        scene.message(MASTER, 0, 3_000, Seen::Sent(again));
        scene.judge(check).must_break("client 0 sent the request");
    }

    #[test]
    fn a_client_that_keeps_to_no_rules_may_send_what_it_likes_and_no_hub_may_accept_it() {
        let scene = exchanged();
        let rogue = scene.rogue();
        let first = scene.last_sent(MASTER, 0);
        scene.message(rogue, 0, 3_000, Seen::Sent(first.clone()));
        scene.message(rogue, 0, 3_001, Seen::Sent(first.clone()));
        scene.judge(check).must_hold();
        let allocation = Signature::from_header(first.signature.as_deref())
            .unwrap()
            .allocation;
        let used = allocation.fragments()[0];
        let to = with_bytes(&first, used.block(), used.end() - 1, 32);
        let response = answer(200, Some("signed"), "");
        scene.message(rogue, 0, 3_002, Seen::Said { to, response });
        scene
            .judge(check)
            .must_break("some bytes of which had served");
    }

    fn answer(status: u16, signature: Option<&str>, body: &str) -> dske::protocol::Response {
        dske::protocol::Response {
            status,
            signature: signature.map(str::to_owned),
            body: body.as_bytes().to_vec().into(),
        }
    }

    /// A request of the slave's client arrives so many times, and is then refused for its bytes.
    fn refused_after(arrivals: u64) -> Scene {
        let scene = exchanged();
        let to = scene.last_sent(SLAVE, 2);
        let mine = |message: &Message| {
            message.client == Some(SLAVE)
                && message.hub == 2
                && !matches!(message.what, Seen::Sent(_))
        };
        scene.see().messages.retain(|message| !mine(message));
        for arrival in 0..arrivals {
            let arrived = Seen::Arrived(to.clone());
            scene.message(SLAVE, 2, 3_000 + arrival, arrived);
        }
        let body = r#"{"code":"bad-allocation","reason":"used"}"#;
        let response = answer(409, None, body);
        scene.message(SLAVE, 2, 3_100, Seen::Said { to, response });
        scene
    }

    #[test]
    fn bytes_that_somebody_else_used_up_are_seen() {
        refused_after(1)
            .judge(check)
            .must_break("hub 2 refused the request");
    }

    #[test]
    fn a_message_that_the_hub_has_seen_before_may_be_refused() {
        refused_after(2).judge(check).must_hold();
    }

    #[test]
    fn a_forged_message_under_the_same_header_is_no_excuse() {
        let scene = refused_after(1);
        let mut forged = scene.last_sent(SLAVE, 2);
        forged.target.push('0');
        let at = scene.see().messages.len() - 1;
        scene.message(SLAVE, 2, 2_999, Seen::Arrived(forged));
        let moved = scene.see().messages.pop().unwrap();
        scene.see().messages.insert(at, moved);
        scene.judge(check).must_break("hub 2 refused the request");
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
                body: Vec::new().into(),
            },
        };
        // Unsigned, as a hub refuses a replay.
        scene.message(SLAVE, 2, 3_000, said(None));
        scene.judge(check).must_hold();
        // Counted once where it is accepted, though the hub signs two answers.
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

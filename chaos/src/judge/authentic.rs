//! Authentic: no message is accepted that its sender did not make. A hub never signs an answer to a request that
//! somebody else made up or changed, and a client counts every answer with a wrong MAC as unverified.

use std::collections::BTreeMap;

use super::{Facts, Verdict, Violation};
use crate::world::observer::open;
use crate::world::observer::record::Seen;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    hubs_accept_what_clients_made(facts, &mut verdict);
    clients_count_what_hubs_did_not_make(facts, &mut verdict);
    verdict
}

/// A hub that lies may sign what it likes.
fn hubs_accept_what_clients_made(facts: &Facts<'_>, verdict: &mut Verdict) {
    let seen = facts.seen;
    let lying = seen.plan.lying_hubs();
    for message in &seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        if lying.contains(&message.hub) {
            continue;
        }
        // Made by the client that it names, byte by byte.
        let header = to.signature.as_deref().unwrap_or_default();
        let mut sent = facts.sent.get(&(message.hub, header)).into_iter().flatten();
        let was_sent = sent.any(|sent| Some(sent.client) == message.client && sent.request == to);
        let accepted = response.signature.is_some();
        if was_sent && !accepted {
            // Refused, for whatever reason: says nothing.
            continue;
        }
        verdict.expect(was_sent || !accepted, message.at_us, || {
            let mut made_up = seen.attacks.iter().filter(|attack| attack.is_made_up());
            let by_outsider =
                made_up.any(|attack| attack.hub == message.hub && attack.request == *to);
            Violation::ForgeryAccepted {
                hub: message.hub,
                request: header.to_owned(),
                target: to.target.clone(),
                by_outsider,
                status: response.status,
            }
        });
    }
}

/// In each life of a client, for each hub: as far as a later status of the same life was polled.
fn clients_count_what_hubs_did_not_make(facts: &Facts<'_>, verdict: &mut Verdict) {
    let seen = facts.seen;
    let mut wrong: BTreeMap<(usize, u32, usize), (u64, u64)> = BTreeMap::new();
    for message in &seen.messages {
        let (Seen::Heard { to, response }, Some(client)) = (&message.what, message.client) else {
            continue;
        };
        let Some(life) = life_at(facts, client, message.at_us) else {
            continue;
        };
        let polled = seen.client_polls.get(&(client, life));
        if polled.is_none_or(|at_us| *at_us <= message.at_us)
            || open::is_authentic(&seen.blocks, to, response)
        {
            continue;
        }
        let wrong = wrong.entry((client, life, message.hub)).or_default();
        *wrong = (wrong.0 + 1, message.at_us);
    }
    for ((client, life, hub), (heard, last_us)) in wrong {
        let status = seen.client_statuses.get(&(client, life));
        let peer = status.and_then(|status| {
            let mut hubs = status.hubs.iter();
            hubs.find(|peer| usize::from(peer.x.get()) == hub + 1)
        });
        let counted = peer.map_or(0, |peer| peer.link.unverified);
        verdict.expect(counted >= heard, last_us, || Violation::WrongMacAccepted {
            client,
            heard,
            hub,
            counted,
        });
    }
}

/// Which of a client's lives it was.
fn life_at(facts: &Facts<'_>, client: usize, at_us: u64) -> Option<u32> {
    let lives = facts
        .seen
        .client_starts
        .range((client, 0)..=(client, u32::MAX));
    let mut begun = lives.filter(|(_, started_us)| **started_us <= at_us);
    begun.next_back().map(|((_, life), _)| *life)
}

#[cfg(test)]
mod tests {
    use dske::protocol::{Request, Response};

    use super::super::testing::{MASTER, SLAVE, Scene, liar};
    use super::*;
    use crate::plan::Plan;
    use crate::plan::attack::FloodAttack;
    use crate::world::observer::record::{Attack, Tried};

    fn exchanged(plan: impl FnOnce(&mut Plan)) -> Scene {
        let mut scene = Scene::new(plan);
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        scene
    }

    /// A hub answers a request, signed or not.
    fn said(scene: &Scene, client: usize, to: &Request, signature: Option<&str>) {
        let response = Response {
            status: if signature.is_some() { 200 } else { 401 },
            signature: signature.map(str::to_owned),
            body: Vec::new().into(),
        };
        let to = to.clone();
        scene.message(client, 2, 3_000, Seen::Said { to, response });
    }

    fn changed(scene: &Scene) -> Request {
        let mut request = scene.last_sent(SLAVE, 2);
        request
            .target
            .push_str(",0a782fb5-3434-48fe-aa4d-14f41d46cf92");
        request
    }

    #[test]
    fn answers_to_what_clients_made_are_right() {
        let verdict = exchanged(|_| {}).judge(check);
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 10);
    }

    #[test]
    fn a_made_up_request_may_be_refused_and_must_not_be_answered() {
        let scene = exchanged(|_| {});
        let made_up = changed(&scene);
        scene.see().attacks.push(Attack {
            at_us: 2_999_000,
            hub: 2,
            what: Tried::Flood(FloodAttack::Forgery),
            request: made_up.clone(),
        });
        said(&scene, SLAVE, &made_up, None);
        scene.judge(check).must_hold();
        said(&scene, SLAVE, &made_up, Some("signed"));
        scene.judge(check).must_break("which an outsider made up");
    }

    #[test]
    fn one_digit_of_the_mac_makes_it_another_request() {
        let scene = exchanged(|_| {});
        let mut request = scene.last_sent(SLAVE, 2);
        let signature = request.signature.as_mut().unwrap();
        let digit = if signature.ends_with('0') { '1' } else { '0' };
        signature.pop();
        signature.push(digit);
        said(&scene, SLAVE, &request, Some("signed"));
        scene
            .judge(check)
            .must_break("which the client that it names did not send");
    }

    #[test]
    fn a_request_in_the_name_of_another_client_is_seen() {
        let scene = exchanged(|_| {});
        let rogue = scene.rogue();
        let request = changed(&scene);
        scene.message(rogue, 2, 2_999, Seen::Sent(request.clone()));
        said(&scene, SLAVE, &request, Some("signed"));
        scene
            .judge(check)
            .must_break("which the client that it names did not send");
    }

    #[test]
    fn a_lying_hub_may_sign_what_it_likes() {
        let scene = exchanged(|plan| plan.liars.push(liar(2)));
        said(&scene, SLAVE, &changed(&scene), Some("signed"));
        scene.judge(check).must_hold();
    }

    /// The slave's client lives from the beginning, heard a wrong MAC of hub 2 at 2.003 s, and is polled.
    fn forged(polled_ms: u64, counted: u64) -> Scene {
        let scene = exchanged(|plan| plan.liars.push(liar(2)));
        for message in &mut scene.see().messages {
            if let Seen::Heard { response, .. } = &mut message.what
                && (message.client, message.hub) == (Some(SLAVE), 2)
            {
                response.body = [&response.body[..], b" "].concat().into();
            }
        }
        scene.polled(
            SLAVE,
            0,
            0,
            polled_ms,
            |hub| {
                if hub == 2 { counted } else { 0 }
            },
        );
        scene
    }

    #[test]
    fn a_wrong_mac_that_is_counted_is_right_and_one_that_is_not_is_seen() {
        forged(3_000, 1).judge(check).must_hold();
        forged(3_000, 2).judge(check).must_hold();
        forged(3_000, 0)
            .judge(check)
            .must_break("client 1 heard 1 answers of hub 2 that it could not verify, and counts 0");
    }

    #[test]
    fn a_status_from_before_cannot_tell() {
        let verdict = forged(2_003, 0).judge(check);
        verdict.must_hold();
    }

    #[test]
    fn a_life_that_ended_before_its_next_status_cannot_tell_and_the_next_one_need_not() {
        let scene = forged(1_500, 0);
        scene.polled(SLAVE, 1, 2_500, 3_000, |_| 0);
        scene.judge(check).must_hold();
        // Another client's count is its own.
        scene.polled(MASTER, 0, 0, 3_000, |_| 0);
        scene.judge(check).must_hold();
    }
}

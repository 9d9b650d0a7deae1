//! A client: `docs/protocol.md` §3, §5 and §8. What hubs answered, as it arrived, determines how each call ends, with which
//! keys, which hubs are blamed for what, and how often, and when a link registers.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rules`] | what a client knows from its configuration |
//! | [`field`] | GF(2^8), interpolation, the key tag |
//! | [`link`] | what links sent, which answers they accept, when they register |
//! | [`calls`] | which messages belong to which call |
//! | [`end`], [`way`] | how a call ends, and how it can have ended |
//! | [`deposit`], [`master`] | how a call of a master can end; the comparison |
//! | [`known`], [`fetch`], [`slave`] | what answers tell of keys and of liars; how a call of a slave can end; the comparison |
//! | [`rivals`] | which of two keys that fit came first |
//! | [`claims`] | which keys were handed out before |
//! | [`busy`] | how much may be under way |
//! | [`blames`] | how often hubs are to be blamed; the comparison |
//!
//! Where more than one end is possible, the model says all of them; the modules say why. What is left open:
//!
//! - a call that its client never answered may have ended in any way;
//! - of a failed call of a master no key ID is known: the keys that its client deposited meanwhile, and that nobody was given,
//!   may be its;
//! - which hubs a client no longer waits for once K hold its keys: any that did not answer in time before may be one of them.

pub mod blames;
pub mod busy;
pub mod calls;
pub mod claims;
pub mod deposit;
pub mod end;
pub mod fetch;
pub mod field;
pub mod known;
pub mod link;
pub mod master;
pub mod rivals;
pub mod rules;
pub mod slave;
#[cfg(test)]
mod testing;
pub mod way;

use dske::protocol::KeyId;
use dske::protocol::limits::ATTEMPTS_MAX;

use super::super::{Facts, Verdict, Violation};
use blames::Blamed;
use calls::{Attempts, Calls};
use link::Links;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let links = Links::follow(facts.seen);
    for registration in &links.registrations {
        let &link::Registration {
            at_us, client, hub, ..
        } = registration;
        verdict.expect(registration.is_needed, at_us, || {
            Violation::NeedlessRegistration { client, hub }
        });
    }
    let calls = Calls::of(facts, &links);
    attempts(facts, &calls, &mut verdict);
    let mut blamed = Blamed::default();
    for (number, call) in facts.seen.calls.iter().enumerate() {
        if call.kind.fetches() {
            slave::check(facts, &calls, number, &mut blamed, &mut verdict);
        } else if call.kind.establishes() {
            master::check(facts, &calls, call, &mut verdict);
        }
    }
    blamed.compare(facts, &mut verdict);
    verdict
}

/// No exchange makes more attempts than it may.
fn attempts(facts: &Facts<'_>, calls: &Calls<'_>, verdict: &mut Verdict) {
    let mut check = |what, client: usize, key: KeyId, attempts: &Attempts| {
        for (&hub, &(number, at_us)) in attempts {
            verdict.expect(number <= ATTEMPTS_MAX, at_us, || {
                Violation::TooManyAttempts {
                    client,
                    hub,
                    what,
                    key,
                    attempts: number,
                }
            });
        }
    };
    for ((client, key), asked) in &calls.deposits {
        check("deposit", *client, *key, &asked.attempts);
    }
    for ((client, key), attempts) in &calls.withdrawals {
        check("withdrawal", *client, *key, attempts);
    }
    for (&call, parts) in &calls.fetches {
        for asked in parts {
            if let Some(&key) = asked.what.key_ids.first() {
                check("fetch", facts.seen.calls[call].client, key, &asked.attempts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{MASTER, SLAVE, Scene, falsified, refused, unknown};
    use super::*;
    use crate::world::observer::record::{CallKind, Key, Outcome, Provisioned, Seen};

    /// Keys that the slave fetched at 2.000 s.
    fn fetched() -> (Scene, Vec<Key>) {
        let mut scene = Scene::new(|_| {});
        for client in [MASTER, SLAVE] {
            scene.see().client_starts.insert((client, 0), 0);
        }
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        (scene, keys)
    }

    fn ends_otherwise(call: usize, outcome: Outcome) -> Scene {
        let (scene, _) = fetched();
        scene.see().calls[call].outcome = outcome;
        scene
    }

    fn says(status: u16, message: &str) -> Outcome {
        Outcome::Refused(status, message.to_owned())
    }

    #[test]
    fn what_a_client_does_without_faults_is_as_the_model_says() {
        fetched().0.judge(check).must_hold();
    }

    #[test]
    fn another_end_than_the_answers_make_is_seen() {
        for message in ["is not found", "what?"] {
            ends_otherwise(1, says(400, message))
                .judge(check)
                .must_break("had to end as the model says (keys)");
        }
        // Then nobody asked for them.
        ends_otherwise(1, says(400, "has been handed out"))
            .judge(check)
            .must_break("had to end as the model says (in no way, or sooner)");
        // Nor could its slave have keys that no master was given.
        let broken = ends_otherwise(0, refused()).judge(check).broken;
        let said = broken[0].violation.to_string();
        assert!(
            said.contains("call 0 (Master at client 0) had to end as the model says (keys)"),
            "{said}"
        );
        ends_otherwise(1, unknown()).judge(check).must_hold();
    }

    #[test]
    fn other_keys_than_the_shares_make_are_seen() {
        let (scene, keys) = fetched();
        scene.see().calls[1].outcome = Outcome::Keys(falsified(&keys));
        scene.judge(check).must_break("gave its SAE other keys");
        let (scene, keys) = fetched();
        scene.see().calls[0].outcome = Outcome::Keys(keys[..1].to_vec());
        let broken = scene.judge(check).broken;
        let said: Vec<String> = broken.iter().map(|b| b.violation.to_string()).collect();
        assert!(
            said[0].contains("other keys in call 0 (Master)"),
            "{said:?}"
        );
    }

    #[test]
    fn a_second_fetch_is_told_that_the_keys_were_handed_out() {
        let again = |message: &str, from_ms: u64| {
            let (scene, _) = fetched();
            let span = (from_ms, from_ms + 4);
            scene.call(0, CallKind::SlaveAgain, SLAVE, span, says(400, message));
            scene.judge(check)
        };
        again("has been handed out", 3_000).must_hold();
        again("is not found", 3_000).must_break("(handed out)");
        // All hubs had handed out their shares by 2.003 s: the claim is kept for 6 s, or some time longer.
        again("has been handed out", 7_998).must_hold();
        again("has been handed out", 9_000).must_hold();
        // Nobody asked the hubs.
        again("is not found", 9_000).must_break("(handed out)");
        again("has been handed out", 30_000).must_break("in no way");
    }

    #[test]
    fn a_fetch_that_failed_gives_its_claims_back() {
        let (scene, _) = fetched();
        scene.see().calls[1].outcome = unknown();
        let outcome = says(400, "has been handed out");
        scene.call(0, CallKind::SlaveAgain, SLAVE, (3_000, 3_004), outcome);
        scene.judge(check).must_hold();
        // Three hubs had been silent until the deadline.
        let heard = |what: &Seen| matches!(what, Seen::Heard { .. });
        scene
            .see()
            .messages
            .retain(|m| m.hub < 2 || m.client == Some(MASTER) || !heard(&m.what));
        scene.see().calls[1].until_us = 5_004_000;
        scene.see().calls[1].outcome = says(503, "cannot be put together");
        scene.see().calls[2].from_us = 6_000_000;
        scene.see().calls[2].until_us = 6_004_000;
        scene.judge(check).must_break("(in no way, or sooner)");
    }

    #[test]
    fn an_answer_that_cannot_be_accepted_does_not_count() {
        // The slave's client has registered again at three hubs meanwhile.
        let (scene, _) = fetched();
        let mut seen = scene.see();
        let place = seen.messages.iter().position(|m| m.client == Some(SLAVE));
        let mut provision = seen.provisions[0].clone();
        (provision.client, provision.after) = (SLAVE, place.unwrap());
        for hub in 0..3 {
            provision.hub = hub;
            provision.what = Provisioned::Registered;
            seen.provisions.push(provision.clone());
        }
        drop(seen);
        scene.judge(check).must_break("in no way");
    }

    #[test]
    fn a_hub_that_has_kept_no_call_waiting_is_waited_for() {
        let first_ends_at = |until_ms: u64| {
            let mut scene = Scene::new(|_| {});
            scene.establish(0, 1_000);
            scene.establish(1, 1_500);
            // Hub 4 answers neither call.
            let heard = |what: &Seen| matches!(what, Seen::Heard { .. });
            let mut seen = scene.see();
            seen.messages.retain(|m| m.hub != 4 || !heard(&m.what));
            seen.calls[0].until_us = until_ms * 1_000;
            drop(seen);
            scene.judge(check)
        };
        first_ends_at(1_004).must_break("keys in call 0 without waiting for hub 4");
        first_ends_at(1_210).must_hold();
        first_ends_at(1_300).must_break("call 0 (Master at client 0) had to end");
    }

    #[test]
    fn a_registration_without_a_loss_is_seen() {
        let registers = |lost: Option<Provisioned>| {
            let (scene, _) = fetched();
            let mut seen = scene.see();
            let mut provision = seen.provisions.last().unwrap().clone();
            provision.after = seen.messages.len();
            provision.at_us = 3_000_000;
            for what in lost.into_iter().chain([Provisioned::AsksToRegister]) {
                provision.what = what;
                seen.provisions.push(provision.clone());
            }
            drop(seen);
            scene.judge(check)
        };
        use dske::protocol::channel::PoolOwner::{Client, Hub};
        use dske::protocol::hub::OobError;
        registers(None).must_break("registered at hub 4 again, though nothing was lost");
        registers(Some(Provisioned::Unanswered(Some(Hub)))).must_hold();
        registers(Some(Provisioned::Unanswered(Some(Client)))).must_break("hub 4");
        let refused = |why| Some(Provisioned::Refused(Some(Client), why));
        registers(refused(OobError::StaleRegistration)).must_hold();
        let client = "celia".to_owned();
        registers(refused(OobError::UnknownClient { client })).must_break("hub 4");
    }

    #[test]
    fn a_hint_that_the_hub_has_forgotten_the_client_makes_it_register() {
        for (code, is_needed) in [
            ("unregistered", true),
            ("unknown-psrd", true),
            ("bad-mac", false),
        ] {
            let (scene, _) = fetched();
            let to = scene.last_sent(SLAVE, 4);
            let body = format!(r#"{{"code":"{code}","client":"celia","reason":"lost"}}"#);
            let response = dske::protocol::Response {
                status: 401,
                signature: None,
                body: body.into_bytes().into(),
            };
            scene.message(SLAVE, 4, 3_000, Seen::Heard { to, response });
            let mut seen = scene.see();
            let mut provision = seen.provisions.last().unwrap().clone();
            (provision.after, provision.at_us) = (seen.messages.len(), 3_000_000);
            (provision.client, provision.hub) = (SLAVE, 4);
            provision.what = Provisioned::AsksToRegister;
            seen.provisions.push(provision);
            drop(seen);
            assert_eq!(scene.judge(check).broken.is_empty(), is_needed, "{code}");
        }
    }

    #[test]
    fn a_sixth_attempt_is_seen() {
        let sent_again = |times: u64| {
            let (scene, _) = fetched();
            let request = scene.last_sent(SLAVE, 2);
            for again in 1..times {
                let mut request = request.clone();
                request.signature = Some(format!("another {again}"));
                scene.message(SLAVE, 2, 2_100 + again, Seen::Sent(request));
            }
            scene.judge(check)
        };
        sent_again(5).must_hold();
        sent_again(6).must_break("the same fetch of key");
    }

    #[test]
    fn blame_is_counted_as_often_as_the_client_met_it() {
        let counts = |number: u64, from_ms: u64| {
            let (scene, _) = fetched();
            scene.polled(SLAVE, 0, from_ms, 3_000, |_| 0);
            let mut seen = scene.see();
            let status = seen.client_statuses.get_mut(&(SLAVE, 0)).unwrap();
            if number > 0 {
                status.hubs[1]
                    .blame
                    .insert("wrong-share".to_owned(), number);
            }
            drop(seen);
            scene.judge(check)
        };
        counts(0, 0).must_hold();
        counts(1, 0).must_break("wrong-share 0 to 0 times, as often as it met that, and counts 1");
    }
}

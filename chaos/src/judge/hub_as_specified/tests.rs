//! Runs that are as specified, and runs that are not.

use dske::protocol::Refusal;
use dske::protocol::batch::{Encoding, Reply};
use dske::protocol::channel::{Bound, PoolOwner, Replies, seal_replies};
use dske::protocol::message::{DepositOutcome, FetchAnswer, FoundShare, Plain};
use dske::protocol::signature::Signature;
use dske::psrd::Spent;

use super::super::testing::Scene;
use super::*;
use crate::world::observer::open::{self, Blocks};
use crate::world::observer::record::Key;

/// Keys are established, and fetched.
fn exchanged() -> (Scene, Vec<Key>) {
    let mut scene = Scene::new(|_| {});
    let keys = scene.establish(0, 1_000);
    scene.fetch(0, 2_000, &keys);
    (scene, keys)
}

/// Changes the last answer of hub 2, signed as if the hub had said so.
fn said(scene: &Scene, change: impl FnOnce(Vec<Reply<Plain>>) -> Replies) {
    let mut seen = scene.see();
    let Observation { deals, blocks, .. } = &mut *seen;
    let mut deals = deals.iter_mut().rev().filter(|deal| deal.hub == 2);
    let last = deals.find_map(|deal| match (&deal.asked, &mut deal.answer) {
        (Asked::Message(to), Some(Answered::Message(response))) => Some((to, response)),
        _ => None,
    });
    let (to, response) = last.unwrap();
    let (signature, replies) = open::replies(blocks, to, response).unwrap();
    let bytes = blocks.of(&signature.allocation).unwrap();
    let bound = Bound {
        signature: Signature::from_header(to.signature.as_deref()).unwrap(),
        encoding: Encoding::of(to),
    };
    let spent = Spent::forge(signature.allocation, bytes);
    *response = seal_replies(spent, &bound, change(replies));
}

/// Changes the share of one key that hub 2 hands out.
fn found(scene: &Scene, key: usize, change: impl FnOnce(&mut FoundShare<Plain>)) {
    said(scene, |mut replies| {
        let Reply::Fetch(reply) = &mut replies[0] else {
            panic!("the last answer was to a fetch")
        };
        let FetchAnswer::Found(found) = &mut reply.keys[key].answer else {
            panic!("it was found")
        };
        change(found);
        Ok(replies)
    });
}

fn deal(scene: &Scene, at_ms: u64, asked: Asked, answer: Option<Answered>) {
    scene.see().deals.push(Deal {
        at_us: at_ms * 1000,
        hub: 2,
        asked,
        answer,
    });
}

#[test]
fn a_hub_that_does_what_it_has_to_is_right() {
    let (scene, _) = exchanged();
    for hub in 0..5 {
        scene.poll(hub, 2_500, |_| {});
    }
    scene.judge(check).must_hold();
}

#[test]
fn what_a_hub_counts_otherwise_is_seen() {
    let (scene, _) = exchanged();
    scene.poll(2, 2_500, |status| {
        *status.served.get_mut("fetch").unwrap() += 1;
    });
    scene.judge(check).must_break("fetch, served");
    let (scene, _) = exchanged();
    scene.poll(2, 2_500, |status| {
        status.refused.insert("bad-mac".to_owned(), 1);
    });
    scene.judge(check).must_break("bad-mac, refused");
}

#[test]
fn another_outcome_is_seen() {
    let mut scene = Scene::new(|_| {});
    scene.establish(0, 1_000);
    said(&scene, |mut replies| {
        if let Reply::Deposit(reply) = &mut replies[0] {
            reply.keys[1].outcome = DepositOutcome::Full;
        }
        Ok(replies)
    });
    scene.judge(check).must_break("Full, ]");
}

#[test]
fn another_code_is_seen() {
    let (scene, _) = exchanged();
    said(&scene, |_| Err(Refusal::TooMuchAtOnce));
    let broken = scene.judge(check);
    broken.must_break("and said 503 too-much-at-once, signed");
}

#[test]
fn a_lie_excuses_what_it_does_to_the_keys_that_it_is_about() {
    let corrupt = |found: &mut FoundShare<Plain>| found.share.0[3] ^= 1;
    let (scene, keys) = exchanged();
    found(&scene, 1, corrupt);
    scene
        .judge(check)
        .must_break("hub 2 had to answer 200, signed");
    for (lie, about, holds) in [
        (Lie::CorruptShare, &keys[..], true),
        (Lie::CorruptShare, &keys[..1], false),
        (Lie::WrongTag, &keys[..], false),
    ] {
        scene.see().lies.clear();
        scene.lie(2, lie, 2_001, about);
        let verdict = scene.judge(check);
        match holds {
            true => verdict.must_hold(),
            false => verdict.must_break("hub 2 had to answer 200, signed"),
        }
    }
    // Nothing else in the same answer.
    scene.see().lies.clear();
    scene.lie(2, Lie::CorruptShare, 2_001, &keys);
    found(&scene, 0, |found| found.x = 4);
    scene.judge(check).must_break("hub 2 had to answer");
}

#[test]
fn a_forged_mac_is_right_only_where_it_is_told() {
    let (scene, keys) = exchanged();
    for message in &mut scene.see().deals {
        if let Some(Answered::Message(response)) = &mut message.answer
            && message.hub == 2
            && message.at_us > 2_000_000
        {
            let signature = response.signature.as_mut().unwrap();
            let digit = if signature.ends_with('0') { '1' } else { '0' };
            signature.pop();
            signature.push(digit);
        }
    }
    scene.judge(check).must_break("with a wrong MAC");
    scene.lie(2, Lie::ForgeMac, 2_001, &keys);
    scene.judge(check).must_hold();
}

#[test]
fn a_hub_that_answers_others_has_to_answer() {
    let (scene, keys) = exchanged();
    if let Some(last) = scene
        .see()
        .deals
        .iter_mut()
        .rev()
        .find(|deal| deal.hub == 2)
    {
        last.answer = None;
    }
    scene.judge(check).must_hold();
    let request = RegistrationRequest {
        client: "nobody".parse().unwrap(),
        start: None,
    };
    let refused = || {
        let client = "nobody".to_owned();
        Answered::Registration(Err(OobError::UnknownClient { client }))
    };
    deal(&scene, 2_100, Asked::Registration(request), Some(refused()));
    scene.judge(check).must_break("and said nothing");
    scene.lie(2, Lie::Silent, 2_001, &keys);
    scene.judge(check).must_hold();
}

#[test]
fn an_answer_that_is_held_back_for_good_was_signed_all_the_same() {
    for (lie, holds) in [(Lie::Delay, true), (Lie::Silent, false)] {
        let (mut scene, keys) = exchanged();
        if let Some(last) = scene
            .see()
            .deals
            .iter_mut()
            .rev()
            .find(|deal| deal.hub == 2)
        {
            last.answer = None;
        }
        scene.lie(2, lie, 2_001, &keys);
        scene.fetch(1, 2_100, &keys);
        let verdict = scene.judge(check);
        assert_eq!(verdict.broken.is_empty(), holds, "{lie:?}: {verdict:?}");
    }
}

#[test]
fn who_is_registered_and_delivered_to_is_seen() {
    let registered = |client: &str| Registration {
        hub: "hilary".parse().unwrap(),
        x: dske::crypto::shamir::ShareIndex::new(3).unwrap(),
        registration: Uuid::from_u128(client.len() as u128),
    };
    for (client, why) in [("carol", None), ("nobody", Some("unknown-client"))] {
        let (scene, _) = exchanged();
        let request = RegistrationRequest {
            client: client.parse().unwrap(),
            start: None,
        };
        let answer = Answered::Registration(Ok(registered(client)));
        deal(&scene, 3_000, Asked::Registration(request), Some(answer));
        match why {
            None => scene.judge(check).must_hold(),
            Some(why) => scene.judge(check).must_break(why),
        }
    }
    let (scene, _) = exchanged();
    let request = PsrdRequest {
        client: "carol".parse().unwrap(),
        registration: Uuid::nil(),
        owner: PoolOwner::Hub,
        size: 16_384,
    };
    let answer = Answered::Delivery(Ok(BlockId::from(Uuid::nil())));
    deal(&scene, 3_000, Asked::Delivery(request), Some(answer));
    scene.judge(check).must_break("stale-registration");
}

#[test]
fn a_hub_that_has_started_again_knows_nobody() {
    let (scene, _) = exchanged();
    deal(&scene, 2_100, Asked::Start, None);
    let again = scene
        .see()
        .deals
        .iter()
        .rev()
        .find_map(|deal| match &deal.asked {
            Asked::Message(request) if deal.hub == 2 => Some(request.clone()),
            _ => None,
        });
    let refusal = Refusal::Unregistered {
        client: "celia".to_owned(),
    };
    let response = dske::protocol::channel::unsigned_refusal(&refusal);
    let answer = Some(Answered::Message(response));
    deal(&scene, 2_200, Asked::Message(again.unwrap()), answer);
    scene.judge(check).must_hold();
}

#[test]
fn what_a_hub_tells_of_itself_is_compared() {
    let (scene, _) = exchanged();
    scene.poll(2, 2_500, |status| {
        status.holdings[0].shares_held += 1;
        status.shares_held += 1;
    });
    let broken = scene.judge(check);
    broken.must_break("hub 2 tells of 3 shares of carol, and it has to be 2 to 2");
    let (scene, _) = exchanged();
    scene.poll(2, 2_500, |status| status.peers[1].down_bytes_left -= 1);
    scene.judge(check).must_break("bytes left of celia, down");
    // A second after its end, a share has to be gone: the linger time is three seconds.
    for (at_ms, holds) in [(6_000, true), (6_001, false)] {
        let (scene, _) = exchanged();
        scene.poll(2, at_ms, |_| {});
        let verdict = scene.judge(check);
        assert_eq!(verdict.broken.is_empty(), holds, "{at_ms}: {verdict:?}");
    }
}

#[test]
fn nothing_secret_is_in_the_evidence() {
    let (scene, _) = exchanged();
    found(&scene, 0, |found| found.x = 9);
    let verdict = scene.judge(check);
    let evidence = verdict.broken[0].violation.to_string();
    assert!(evidence.contains("N, K, x = 5, 3, 9"), "{evidence}");
    let shares = scene
        .last_deposit(2)
        .keys
        .into_iter()
        .map(|key| key.share.0);
    for share in shares {
        let hex = share[..4].iter().map(|byte| format!("{byte:02x}"));
        assert!(!evidence.contains(&hex.collect::<String>()));
    }
}

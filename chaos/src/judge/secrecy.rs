//! Secrecy: fewer than K hubs, even with the whole network traffic, learn nothing: every key of that length remains
//! equally likely.
//!
//! Shown by construction, not by statistics. For a key that was established, another key is drawn at random. Then
//! a world is built in which that other key was the one: a polynomial through the coalition's shares and the other
//! key, and PSRD for the honest hubs under which the production code makes exactly the same bytes of it. If the
//! coalition's shares determine the key, no such polynomial exists. If a byte of pad was used twice, no such PSRD
//! does. If anything but ciphertext went over the wire, then what the pads make of it is not a share of the key.
//!
//! It does not matter where keys come from. Where the first K shares are pads, the world has the other polynomial's
//! shares as the pads of the honest hubs, so that an initiator that interpolates its pads gets the other key.
//!
//! What this shows: nothing that went over the wire, and nothing that the coalition was sent, ties the key to anything. What
//! it does not show: that the initiator was as likely to draw the other polynomial as its own. It takes the polynomial as
//! given, and finds another one through the same shares, whatever the initiator does. Two equal coefficients, or one that
//! is made of the secret, have such a world too, though in truth no initiator with that bug could ever have drawn it.
//!
//! What the construction cannot show is checked beside it: that all polynomials of the run are uniform and do not depend on
//! each other (`coefficients`), and that no text gives secrets away (`texts`). And it covers the wire between clients and
//! hubs: how PSRD gets to both is out of band.
//!
//! | module | what it holds |
//! |---|---|
//! | `polynomial` | the polynomial of the other world |
//! | `psrd` | its PSRD |
//! | `coefficients` | what was drawn, seen by the eyes of the crate `dske_uniform` |
//! | `texts` | what nodes say |
//! | [`leak`] | why there is none |

mod coefficients;
pub mod leak;
mod polynomial;
mod psrd;
mod texts;

use std::collections::BTreeMap;

use dske::crypto::shamir::{Share, ShareIndex, interpolate};
use dske::protocol::KeyId;
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use super::{Facts, Verdict, Violation};
use crate::plan::stream::stream;
use crate::world::observer::record::Seen;
use leak::Leak;
use polynomial::other_polynomial;
use psrd::Psrd;

/// Keys that are tried in each run: the construction is expensive.
const KEYS: usize = 4;

/// Checks the invariant.
#[must_use]
pub fn check(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let plan = &facts.seen.plan;
    let mut rng = stream(&plan.campaign, plan.seed, "secrecy");
    let coalition = plan.coalition();
    let mut keys: Vec<KeyId> = facts.shares.keys().copied().collect();
    for _ in 0..KEYS.min(keys.len()) {
        let key_id = keys.swap_remove(rng.random_range(0..keys.len()));
        let at_us = plan.end_ms * 1000;
        let world = other_world(facts, key_id, &coalition, &mut rng);
        verdict.expect_ok(world, at_us, |why| Violation::KeyLeaks {
            coalition: coalition.clone(),
            key: key_id,
            why,
        });
    }
    texts::check(facts, &mut verdict);
    coefficients::check(facts, &mut verdict);
    verdict
}

/// Whether a text holds eight bytes of a key or share of the run.
#[must_use]
pub(crate) fn quotes_secret(facts: &Facts<'_>, text: &str) -> bool {
    texts::holds_secret(facts, text.as_bytes())
}

/// Builds the world in which another key was the one.
///
/// # Errors
/// Why there is none.
fn other_world(
    facts: &Facts<'_>,
    key_id: KeyId,
    coalition: &[usize],
    rng: &mut ChaCha12Rng,
) -> Result<(), Leak> {
    let shares = facts.shares.get(&key_id).ok_or(Leak::NeverShared)?;
    shares_were_encrypted(facts, shares, key_id)?;
    let points = other_polynomial(facts, shares, key_id, coalition, rng)?;
    let points: Vec<&Share> = points.iter().collect();
    let mut psrd = Psrd::new(facts);
    let honest = |hub: &usize| !coalition.contains(hub);
    let honest = (0..usize::from(facts.seen.plan.cluster.hubs)).filter(honest);
    let mut other_shares = BTreeMap::new();
    for hub in honest {
        let x = u8::try_from(hub + 1).expect("there are at most 16 hubs");
        let share = interpolate(&points, x)?;
        other_shares.insert(hub, share);
    }
    // Twice: a byte that a later message changes may have served an earlier one.
    for _ in 0..2 {
        for message in &facts.seen.messages {
            let Some(share) = other_shares.get(&message.hub) else {
                continue;
            };
            // A client that does not run the production code may name the key too: that is not its share.
            let honest = message.client.is_some_and(|c| facts.seen.plan.is_honest(c));
            match &message.what {
                Seen::Sent(request) if !honest => {
                    psrd.is_as_it_was(request.signature.as_deref())?;
                }
                Seen::Said { response, .. } if !honest => {
                    psrd.is_as_it_was(response.signature.as_deref())?;
                }
                Seen::Sent(request) => psrd.explain_request(request, key_id, share)?,
                Seen::Said { to, response } => {
                    psrd.explain_response(message.hub, to, response, key_id, share)?;
                }
                Seen::Arrived(_) | Seen::Heard { .. } => {}
            }
        }
    }
    Ok(())
}

/// What the pads make of the deposits has to be shares of one key with its tag. Any bytes can be explained by *some*
/// pad; only those that were made with the pads of this world are ciphertext.
fn shares_were_encrypted(
    facts: &Facts<'_>,
    shares: &BTreeMap<ShareIndex, Share>,
    key_id: KeyId,
) -> Result<(), Leak> {
    let threshold = usize::from(facts.seen.plan.cluster.threshold);
    let Some(secret) = facts.secret(key_id) else {
        // Fewer than K were sent: nothing to compare them with.
        return Ok(());
    };
    let points: Vec<&Share> = shares.values().take(threshold).collect();
    let fits = |share: &Share| interpolate(&points, share.x.get()).is_ok_and(|y| y == share.y);
    let tag = facts.tags.get(&key_id).ok_or(Leak::NoDeposit)?;
    if tag.fits(&secret) && shares.values().all(fits) {
        Ok(())
    } else {
        Err(Leak::BareDeposit)
    }
}

#[cfg(test)]
mod tests {
    use dske::protocol::batch::Encoding;
    use dske::protocol::channel::{Bound, seal_deposit, seal_replies};
    use dske::protocol::initiator::KeySource;
    use dske::protocol::message::{DepositBody, Encrypted, FetchReply, Plain};
    use dske::protocol::signature::Signature;
    use dske::psrd::Spent;

    use super::super::testing::{MASTER, SLAVE, Scene, liar};
    use super::*;
    use crate::plan::Plan;
    use crate::world::observer::Observation;
    use crate::world::observer::open::{self, Blocks};

    fn exchanged(plan: impl FnOnce(&mut Plan)) -> Scene {
        let mut scene = Scene::new(plan);
        for id in 0..2 {
            let keys = scene.establish(id, 1_000);
            scene.fetch(id, 2_000, &keys);
        }
        scene
    }

    /// The hubs that pool what they hold in the calm campaign are 0 and 1.
    const HONEST: usize = 4;

    #[test]
    fn fewer_than_k_hubs_with_the_whole_wire_know_nothing() {
        for source in [KeySource::Generator, KeySource::Psrd] {
            for coalition in 0..3 {
                let scene = exchanged(|plan| {
                    plan.cluster.coalition = coalition;
                    plan.cluster.key_source = source;
                });
                let verdict = scene.judge(check);
                verdict.must_hold();
                assert!(verdict.evaluated > 4);
            }
        }
        exchanged(|plan| plan.liars.push(liar(HONEST)))
            .judge(check)
            .must_hold();
    }

    #[test]
    fn k_hubs_know_every_key() {
        for source in [KeySource::Generator, KeySource::Psrd] {
            let scene = exchanged(|plan| {
                plan.cluster.coalition = 3;
                plan.cluster.key_source = source;
            });
            let verdict = scene.judge(check);
            assert_eq!(verdict.broken.len(), 4);
            let why = "3 shares are known, 3 determine the key";
            assert!(verdict.broken[0].violation.to_string().contains(why));
        }
    }

    #[test]
    fn a_share_that_is_its_pad_and_is_sent_again_under_a_fresh_one_tells_nothing() {
        let mut scene = Scene::new(|plan| plan.cluster.key_source = KeySource::Psrd);
        scene.establish(0, 1_000);
        // Hub 2 is the last of the K whose shares are pads, and the only honest one of them.
        let (_, body) = deposit(&scene, 2);
        scene.deposit_again(2, 1_500, &body);
        scene.judge(check).must_hold();
    }

    /// The deposit that the master sent to a hub, decrypted, with the PSRD that it used.
    fn deposit(scene: &Scene, hub: usize) -> (Spent, DepositBody<Plain>) {
        let request = scene.last_sent(MASTER, hub);
        let seen = scene.see();
        let body = open::deposits(&seen.blocks, &request).next().unwrap();
        let signature = Signature::from_header(request.signature.as_deref()).unwrap();
        let bytes = seen.blocks.of(&signature.allocation).unwrap();
        (Spent::forge(signature.allocation, bytes), body)
    }

    #[test]
    fn a_pad_that_serves_shares_of_two_keys_is_seen() {
        // The message may come before or after the one that it shares its pads with.
        for at in [0, usize::MAX] {
            let mut scene = Scene::new(|_| {});
            scene.establish(0, 1_000);
            let (spent, mut body) = deposit(&scene, HONEST);
            for key in &mut body.keys {
                key.key_id = KeyId::random(&mut scene.rng);
                key.share.0[0] ^= 1;
            }
            let (again, _) = seal_deposit(spent, &body);
            scene.message(MASTER, HONEST, 3_000, Seen::Sent(again));
            if at == 0 {
                let mut seen = scene.see();
                let last = seen.messages.pop().unwrap();
                seen.messages.insert(0, last);
            }
            let verdict = scene.judge(check);
            assert!(!verdict.broken.is_empty(), "at {at}");
            let why = "is the pad of a share and serves another message";
            assert!(
                verdict
                    .broken
                    .iter()
                    .all(|broken| broken.violation.to_string().contains(why))
            );
        }
    }

    #[test]
    fn a_pad_that_serves_an_answer_and_the_next_one_is_seen() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys[..1]);
        scene.fetch(1, 2_000, &keys[1..]);
        scene.judge(check).must_hold();
        // The answer about the second key, made again with the PSRD of the first one's.
        let (mut first, mut again) = (None, None);
        {
            let seen = scene.see();
            for message in &seen.messages {
                let Seen::Said { to, response } = &message.what else {
                    continue;
                };
                if message.hub != HONEST || message.client != Some(SLAVE) {
                    continue;
                }
                let (signature, replies) = open::replies(&seen.blocks, to, response).unwrap();
                let allocation = first.get_or_insert(signature.allocation).clone();
                let bytes = seen.blocks.of(&allocation).unwrap();
                let spent = Spent::forge(allocation, bytes);
                let bound = Bound {
                    signature: Signature::from_header(to.signature.as_deref()).unwrap(),
                    encoding: Encoding::of(to),
                };
                let response = seal_replies(spent, &bound, Ok(replies));
                again = Some((to.clone(), response));
            }
        }
        let (to, response) = again.unwrap();
        scene.message(SLAVE, HONEST, 3_000, Seen::Said { to, response });
        assert_eq!(scene.judge(check).broken.len(), 2);
    }

    #[test]
    fn a_deposit_in_plaintext_is_seen() {
        for hub in 0..5 {
            let mut scene = Scene::new(|_| {});
            scene.establish(0, 1_000);
            let (_, body) = deposit(&scene, hub);
            let bare = body
                .try_map(|share| Ok::<_, ()>(Encrypted(share.0.to_vec())))
                .unwrap();
            for message in &mut scene.see().messages {
                if let Seen::Sent(request) = &mut message.what
                    && message.hub == hub
                {
                    request.body = serde_json::to_vec(&bare).unwrap().into();
                }
            }
            let verdict = scene.judge(check);
            assert_eq!(verdict.broken.len(), 2, "hub {hub}");
            let why = "a deposit carries something else than a share under its pad";
            assert!(verdict.broken[0].violation.to_string().contains(why));
        }
    }

    #[test]
    fn an_answer_in_plaintext_is_seen() {
        let mut scene = Scene::new(|_| {});
        let keys = scene.establish(0, 1_000);
        scene.fetch(0, 2_000, &keys);
        {
            let mut seen = scene.see();
            let Observation {
                messages, blocks, ..
            } = &mut *seen;
            for message in messages {
                if message.hub != HONEST || message.client != Some(SLAVE) {
                    continue;
                }
                let Seen::Said { to, response } = &mut message.what else {
                    continue;
                };
                let (_, reply) = open::fetched(blocks, to, response).next().unwrap();
                let bare: FetchReply = reply
                    .try_map(|share| Ok::<_, ()>(Encrypted(share.0.to_vec())))
                    .unwrap();
                response.body = serde_json::to_vec(&bare).unwrap().into();
            }
        }
        let verdict = scene.judge(check);
        assert_eq!(verdict.broken.len(), 2);
        let why = "an answer carries something else than the share under its pad";
        assert!(verdict.broken[0].violation.to_string().contains(why));
    }
}

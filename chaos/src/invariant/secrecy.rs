//! Secrecy: what fewer than K hubs hold, plus the whole wire, is consistent with *every* key of that length.
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
//! The construction covers the wire between clients and hubs. What it cannot show is checked beside it: that no text
//! gives secrets away (`texts`), and that all coefficients could have been drawn (`coefficients`).

mod coefficients;
mod texts;

use std::collections::BTreeMap;
use std::iter;

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{Share, ShareIndex, interpolate};
use dske::protocol::batch::{Encoding, Operation, Reply};
use dske::protocol::channel::{Bound, seal_batch, seal_deposit, seal_fetch, seal_replies};
use dske::protocol::message::{FetchAnswer, Plain};
use dske::protocol::signature::Signature;
use dske::protocol::{KeyId, Request, Response};
use dske::psrd::{Allocation, BlockId, Spent};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt};

use super::{Facts, Verdict};
use crate::byzantine::forgers::fit;
use crate::observer::open::{self, Blocks};
use crate::observer::record::Seen;
use crate::plan::stream::stream;

/// Keys that are tried in each run: the construction is expensive.
const KEYS: usize = 4;

/// Checks it.
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
        verdict.expect(world.is_ok(), at_us, || {
            let why = world.err().unwrap_or_default();
            format!(
                "hubs {coalition:?} with the whole wire can rule out values of key {key_id}: {why}"
            )
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
) -> Result<(), String> {
    let shares = facts
        .shares
        .get(&key_id)
        .ok_or("the key was never shared")?;
    shares_were_encrypted(facts, shares, key_id)?;
    let points = other_polynomial(facts, shares, key_id, coalition, rng)?;
    let points: Vec<&Share> = points.iter().collect();
    let mut psrd = Psrd {
        facts,
        assigned: BTreeMap::new(),
    };
    let honest = |hub: &usize| !coalition.contains(hub);
    let honest = (0..usize::from(facts.seen.plan.cluster.hubs)).filter(honest);
    let mut other_shares = BTreeMap::new();
    for hub in honest {
        let x = u8::try_from(hub + 1).map_err(|_| "too many hubs")?;
        let share = interpolate(&points, x).map_err(|e| e.to_string())?;
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
) -> Result<(), String> {
    let threshold = usize::from(facts.seen.plan.cluster.threshold);
    let Some(secret) = facts.secret(key_id) else {
        // Fewer than K were sent: nothing to compare them with.
        return Ok(());
    };
    let points: Vec<&Share> = shares.values().take(threshold).collect();
    let fits = |share: &Share| interpolate(&points, share.x.get()).is_ok_and(|y| y == share.y);
    let tag = facts
        .tags
        .get(&key_id)
        .ok_or("no deposit of the key was seen")?;
    if tag.fits(&secret) && shares.values().all(fits) {
        Ok(())
    } else {
        Err("a deposit carries something else than a share under its pad".to_owned())
    }
}

/// K points of a polynomial through the coalition's shares, with another key at zero and the same tag.
fn other_polynomial(
    facts: &Facts<'_>,
    shares: &BTreeMap<ShareIndex, Share>,
    key_id: KeyId,
    coalition: &[usize],
    rng: &mut ChaCha12Rng,
) -> Result<Vec<Share>, String> {
    let plan = &facts.seen.plan;
    let threshold = usize::from(plan.cluster.threshold);
    let tag = facts
        .tags
        .get(&key_id)
        .ok_or("no deposit of the key was seen")?;
    let length = shares.values().next().map_or(0, |share| share.y.len());
    let mut other = Secret::zeros(length);
    rng.fill_bytes(&mut other);
    if facts
        .secret(key_id)
        .is_some_and(|secret| secret[TAG_SECRET_BYTES..] == other[TAG_SECRET_BYTES..])
    {
        // The same key by chance: any other will do.
        other[TAG_SECRET_BYTES] ^= 1;
    }
    fit(&mut other, tag);
    let index = |hub: usize| u8::try_from(hub + 1).ok().and_then(ShareIndex::new);
    let held = coalition
        .iter()
        .filter_map(|&hub| shares.get(&index(hub)?))
        .cloned();
    let mut points: Vec<Share> = held.collect();
    if points.len() >= threshold {
        return Err(format!(
            "{} shares are known, {threshold} determine the key",
            points.len()
        ));
    }
    // Where the coalition is smaller than K − 1, further shares are free.
    for x in (1..=plan.cluster.hubs).filter_map(ShareIndex::new) {
        if points.len() + 1 < threshold && !points.iter().any(|point| point.x == x) {
            let mut y = Secret::zeros(length);
            rng.fill_bytes(&mut y);
            points.push(Share { x, y });
        }
    }
    // Interpolation works with shares, which have no x = 0: the value at zero is moved to a free x instead.
    let free = (1..=u8::MAX)
        .filter_map(ShareIndex::new)
        .find(|x| !points.iter().any(|point| point.x == *x));
    let x = free.ok_or("no free x")?;
    let y = value_at(&points, &other, x)?;
    points.push(Share { x, y });
    Ok(points)
}

/// The value at `x` of the polynomial through `points` that is `at_zero` at zero.
fn value_at(points: &[Share], at_zero: &[u8], x: ShareIndex) -> Result<Secret, String> {
    use dske::crypto::gf256::{combine, inv, mul};
    // f(x) = f(0)·Π (x − xᵢ)/(−xᵢ) + Σ yᵢ · x/xᵢ · Π_{j≠i} (x − xⱼ)/(xᵢ − xⱼ); minus is plus in this field.
    let x = x.get();
    let weight = points
        .iter()
        .fold(1, |w, p| mul(w, mul(x ^ p.x.get(), inv(p.x.get()))));
    let rows = points.iter().map(|point| {
        let xi = point.x.get();
        let others = points.iter().filter(|other| other.x != point.x);
        let weight = others.fold(mul(x, inv(xi)), |w, other| {
            mul(w, mul(x ^ other.x.get(), inv(xi ^ other.x.get())))
        });
        (&*point.y, weight)
    });
    let mut value = Secret::zeros(at_zero.len());
    combine(&mut value, iter::once((at_zero, weight)).chain(rows));
    Ok(value)
}

/// The request that these operations make, in the encoding of another one.
fn seal_again(spent: Spent, like: &Request, operations: Vec<Operation<Plain>>) -> Request {
    let sealed = match (Encoding::of(like), operations.as_slice()) {
        (Encoding::Json, [Operation::Deposit(deposit)]) => seal_deposit(spent, deposit),
        (Encoding::Json, [Operation::Fetch(query)]) => seal_fetch(spent, query),
        (_, [first, ..]) => {
            let client = first.client().clone();
            seal_batch(spent, &client, operations)
        }
        // It was read, so that there is a share in it.
        (_, []) => return like.clone(),
    };
    sealed.0
}

/// The PSRD of the other world: what was delivered, but for the pads of the key's shares.
struct Psrd<'a> {
    facts: &'a Facts<'a>,
    assigned: BTreeMap<BlockId, BTreeMap<u32, u8>>,
}

impl Psrd<'_> {
    fn explain_request(
        &mut self,
        request: &Request,
        key_id: KeyId,
        share: &[u8],
    ) -> Result<(), String> {
        let Some((signature, mut operations)) = open::operations(&self.facts.seen.blocks, request)
        else {
            return self.is_as_it_was(request.signature.as_deref());
        };
        let mut at = MAC_KEY_BYTES;
        let mut touched = false;
        let deposits = operations
            .iter_mut()
            .filter_map(|operation| match operation {
                Operation::Deposit(deposit) => Some(deposit),
                Operation::Fetch(_) => None,
            });
        for key in deposits.flat_map(|deposit| &mut deposit.keys) {
            let length = key.share.0.len();
            if key.key_id == key_id {
                self.shift(&signature.allocation, at, &key.share.0, share)?;
                key.share = Plain(Secret::from(share.to_vec()));
                touched = true;
            }
            at += length;
        }
        if !touched {
            return self.is_as_it_was(request.signature.as_deref());
        }
        if seal_again(self.spent(&signature.allocation)?, request, operations) == *request {
            Ok(())
        } else {
            Err("a deposit with the other share does not give the same bytes".to_owned())
        }
    }

    fn explain_response(
        &mut self,
        hub: usize,
        to: &Request,
        response: &Response,
        key_id: KeyId,
        share: &[u8],
    ) -> Result<(), String> {
        let Some((signature, mut replies)) = open::replies(&self.facts.seen.blocks, to, response)
        else {
            return self.is_as_it_was(response.signature.as_deref());
        };
        let mut at = MAC_KEY_BYTES;
        let mut touched = false;
        let fetched = replies.iter_mut().filter_map(|reply| match reply {
            Reply::Fetch(reply) => Some(reply),
            Reply::Deposit(_) | Reply::Refused(_) => None,
        });
        for result in fetched.flat_map(|reply| &mut reply.keys) {
            let FetchAnswer::Found(found) = &mut result.answer else {
                continue;
            };
            let length = found.share.0.len();
            if result.key_id == key_id {
                if !self.is_share(hub, key_id, &found.share.0) {
                    return Err(
                        "an answer carries something else than the share under its pad".to_owned(),
                    );
                }
                self.shift(&signature.allocation, at, &found.share.0, share)?;
                found.share = Plain(Secret::from(share.to_vec()));
                touched = true;
            }
            at += length;
        }
        if !touched {
            return self.is_as_it_was(response.signature.as_deref());
        }
        let spent = self.spent(&signature.allocation)?;
        let to = Bound {
            signature: Signature::from_header(to.signature.as_deref())
                .map_err(|e| e.to_string())?,
            encoding: Encoding::of(to),
        };
        if seal_replies(spent, &to, Ok(replies)) == *response {
            Ok(())
        } else {
            Err("an answer with the other share does not give the same bytes".to_owned())
        }
    }

    /// Whether this is what was deposited at a hub. A liar may say what it likes.
    fn is_share(&self, hub: usize, key_id: KeyId, share: &[u8]) -> bool {
        let x = u8::try_from(hub + 1).ok().and_then(ShareIndex::new);
        let deposited = x.and_then(|x| self.facts.shares.get(&key_id)?.get(&x));
        self.facts.seen.plan.lying_hubs().contains(&hub)
            || deposited.is_some_and(|deposited| &*deposited.y == share)
    }

    /// A message that carries no share of the key must not depend on any byte that differs in the other world.
    fn is_as_it_was(&self, signature: Option<&str>) -> Result<(), String> {
        let Ok(signature) = Signature::from_header(signature) else {
            return Ok(());
        };
        for fragment in signature.allocation.fragments() {
            let assigned = self.assigned.get(&fragment.block());
            let mut used = assigned
                .into_iter()
                .flat_map(|bytes| bytes.range(fragment.start()..fragment.end()));
            if let Some((position, _)) = used.next() {
                return Err(format!(
                    "byte {position} of block {} is the pad of a share and serves another message",
                    fragment.block()
                ));
            }
        }
        Ok(())
    }

    /// Chooses the pad at `at` of an allocation so that the other share gives the same ciphertext.
    fn shift(
        &mut self,
        allocation: &Allocation,
        at: usize,
        share: &[u8],
        other: &[u8],
    ) -> Result<(), String> {
        let positions = allocation.fragments().iter().flat_map(|fragment| {
            (fragment.start()..fragment.end()).map(|position| (fragment.block(), position))
        });
        let pads = positions.skip(at).zip(share.iter().zip(other));
        for ((block, position), (share, other)) in pads {
            let bytes = self
                .facts
                .seen
                .blocks
                .bytes(block)
                .ok_or("a block was never delivered")?;
            let pad = bytes
                .get(position as usize)
                .ok_or("a fragment is outside its block")?
                ^ share
                ^ other;
            let before = self
                .assigned
                .entry(block)
                .or_default()
                .insert(position, pad);
            if before.is_some_and(|before| before != pad) {
                return Err(format!(
                    "byte {position} of block {block} is the pad of two shares"
                ));
            }
        }
        Ok(())
    }

    fn spent(&self, allocation: &Allocation) -> Result<Spent, String> {
        let mut bytes = self
            .facts
            .seen
            .blocks
            .of(allocation)
            .ok_or("a block was never delivered")?;
        let positions = allocation.fragments().iter().flat_map(|fragment| {
            (fragment.start()..fragment.end()).map(|position| (fragment.block(), position))
        });
        for (byte, (block, position)) in bytes.iter_mut().zip(positions) {
            if let Some(other) = self
                .assigned
                .get(&block)
                .and_then(|block| block.get(&position))
            {
                *byte = *other;
            }
        }
        Ok(Spent::forge(allocation.clone(), bytes))
    }
}

#[cfg(test)]
mod tests {
    use dske::protocol::initiator::KeySource;
    use dske::protocol::message::{DepositBody, Encrypted, FetchReply};

    use super::super::testing::{MASTER, SLAVE, Scene, liar};
    use super::*;
    use crate::observer::Observation;
    use crate::plan::Plan;

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
                assert_eq!(verdict.evaluated, 4);
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
            assert!(verdict.broken[0].detail.contains(why));
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
                    .all(|broken| broken.detail.contains(why))
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
            assert!(verdict.broken[0].detail.contains(why));
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
        assert!(verdict.broken[0].detail.contains(why));
    }
}

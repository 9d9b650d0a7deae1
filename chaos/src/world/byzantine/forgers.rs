//! Hubs that pool what they hold. With K of them, they know every key, and can make up another one with the same
//! tag: the negative control of the check for false keys. K of them can also agree on a key with a tag of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use dske::crypto::gf256::mul;
use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{Share, ShareIndex, Sharing, interpolate, split};
use dske::protocol::KeyId;
use dske::protocol::message::{DepositBody, FoundShare, Plain};
use rand::Rng;
use rand::rngs::ChaCha12Rng;

/// What the liars of a run have in common.
#[derive(Clone)]
pub struct Forgers(Rc<RefCell<Pool>>);

struct Pool {
    rng: ChaCha12Rng,
    members: Vec<usize>,
    sharing: Sharing,
    shares: BTreeMap<KeyId, Vec<Share>>,
    forged: BTreeMap<KeyId, Vec<Share>>,
    errors: BTreeMap<KeyId, Vec<u8>>,
    rivals: BTreeMap<KeyId, (KeyTag, Vec<Share>)>,
}

impl Forgers {
    /// The hubs `members` pool what they hold.
    #[must_use]
    pub fn new(members: Vec<usize>, sharing: Sharing, rng: ChaCha12Rng) -> Self {
        Self(Rc::new(RefCell::new(Pool {
            rng,
            members,
            sharing,
            shares: BTreeMap::new(),
            forged: BTreeMap::new(),
            errors: BTreeMap::new(),
            rivals: BTreeMap::new(),
        })))
    }

    pub(super) fn pool(&self, hub: usize, deposit: &DepositBody<Plain>) {
        let mut pool = self.0.borrow_mut();
        // Fewer than K can forge nothing: they need not remember.
        if !pool.members.contains(&hub)
            || pool.members.len() < usize::from(pool.sharing.threshold())
        {
            return;
        }
        for key in &deposit.keys {
            let Some(x) = ShareIndex::new(deposit.x) else {
                continue;
            };
            let share = Share {
                x,
                y: key.share.0.clone(),
            };
            let shares = pool.shares.entry(key.key_id).or_default();
            if !shares.iter().any(|known| known.x == x) {
                shares.push(share);
            }
        }
    }

    /// Adds to a share its part of an error that is zero at zero, where the key is, and at K − 2 honest hubs: with the
    /// shares of all liars that is another polynomial through the same key.
    pub(super) fn frame(&self, key_id: KeyId, found: &mut FoundShare<Plain>) -> bool {
        let mut pool = self.0.borrow_mut();
        let spared = pool.spared();
        let Pool { rng, errors, .. } = &mut *pool;
        let error = errors.entry(key_id).or_insert_with(|| {
            let mut error = vec![0; found.share.0.len()];
            rng.fill_bytes(&mut error);
            error
        });
        let zeros = std::iter::once(0).chain(spared);
        let factor = zeros.fold(1, |factor, x| mul(factor, found.x ^ x));
        for (y, error) in found.share.0.iter_mut().zip(error) {
            *y ^= mul(*error, factor);
        }
        factor != 0
    }

    /// Replaces a share by one of the forged key. Does nothing while fewer than K shares are known.
    pub(super) fn forge(&self, key_id: KeyId, found: &mut FoundShare<Plain>) -> bool {
        let mut pool = self.0.borrow_mut();
        if !pool.forged.contains_key(&key_id) {
            let Some(forged) = pool.forge(key_id, &found.tag) else {
                return false;
            };
            pool.forged.insert(key_id, forged);
        }
        let forged = pool.forged.get(&key_id);
        let share = forged.and_then(|shares| shares.iter().find(|share| share.x.get() == found.x));
        let Some(share) = share else { return false };
        found.share = Plain(share.y.clone());
        true
    }

    /// Replaces a share and its tag by those of a key that has nothing to do with the right one.
    pub(super) fn rival(&self, key_id: KeyId, found: &mut FoundShare<Plain>) -> bool {
        let mut pool = self.0.borrow_mut();
        let Pool {
            rng,
            rivals,
            sharing,
            ..
        } = &mut *pool;
        let (tag, shares) = rivals.entry(key_id).or_insert_with(|| {
            let mut secret = Secret::zeros(found.share.0.len());
            rng.fill_bytes(&mut secret);
            let (u, key) = secret.split_at(TAG_SECRET_BYTES);
            let tag = KeyTag::compute(u, key);
            (tag, split(&secret, *sharing, rng))
        });
        let Some(share) = shares.iter().find(|share| share.x.get() == found.x) else {
            return false;
        };
        (found.tag, found.share) = (*tag, Plain(share.y.clone()));
        true
    }
}

impl Pool {
    /// The x of the K − 2 honest hubs that are not framed.
    fn spared(&self) -> Vec<u8> {
        let honest = self.sharing.indices().map(ShareIndex::get);
        let honest = honest.filter(|x| !self.members.contains(&(usize::from(*x) - 1)));
        let spared = self.sharing.threshold().saturating_sub(2);
        honest.take(spared.into()).collect()
    }

    fn forge(&mut self, key_id: KeyId, tag: &KeyTag) -> Option<Vec<Share>> {
        let known = self.shares.get(&key_id)?;
        let threshold = usize::from(self.sharing.threshold());
        let points: Vec<&Share> = known.iter().take(threshold).collect();
        if points.len() < threshold {
            return None;
        }
        let secret = interpolate(&points, 0).ok()?;
        let mut forged = Secret::zeros(secret.len());
        self.rng.fill_bytes(&mut forged);
        fit(&mut forged, tag);
        Some(split(&forged, self.sharing, &mut self.rng))
    }
}

/// Chooses d so that Y = c ‖ d ‖ e ‖ S has this tag.
pub(crate) fn fit(secret: &mut [u8], tag: &KeyTag) {
    let (u, key) = secret.split_at_mut(TAG_SECRET_BYTES);
    u[16..32].fill(0);
    let without_d = bytes_of(&KeyTag::compute(u, key));
    let wanted = bytes_of(tag);
    for (d, (a, b)) in u[16..32].iter_mut().zip(without_d.iter().zip(wanted)) {
        *d = a ^ b;
    }
}

fn bytes_of(tag: &KeyTag) -> Vec<u8> {
    let digits = tag.to_string();
    let pairs = digits.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap_or(0);
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_can_be_made_to_fit_any_tag() {
        let tag = KeyTag::compute(&[7; TAG_SECRET_BYTES], b"one key");
        let mut other = vec![9; TAG_SECRET_BYTES + 7];
        assert!(!tag.fits(&other));
        fit(&mut other, &tag);
        assert!(tag.fits(&other));
    }
}

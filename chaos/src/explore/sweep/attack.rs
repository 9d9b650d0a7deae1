//! What hubs that collude do: they pool their PSRD, read the whole wire, and try to find a key.
//!
//! They know what any reader of the protocol knows. What they deposited and answered they can decrypt; for the other hubs
//! they have ciphertext only, which they take for the share itself, in case somebody forgot to encrypt. The public tag
//! tells them whether what they make of it is the key.

use std::collections::BTreeMap;

use dske::crypto::key_tag::{KeyTag, TAG_SECRET_BYTES};
use dske::crypto::secret::Secret;
use dske::crypto::shamir::{Share, ShareIndex, interpolate};
use dske::protocol::KeyId;
use dske::protocol::batch::{Operation, operations_of};
use dske::psrd::BlockId;

use crate::world::observer::open::{self, Blocks};
use crate::world::observer::record::Seen;
use crate::world::observer::{Observation, ObservedBlock};

/// What is known of one key.
#[derive(Default)]
struct Known {
    tag: Option<KeyTag>,
    /// Shares that could be decrypted.
    shares: BTreeMap<ShareIndex, Share>,
    /// What was sent to other hubs.
    ciphertexts: BTreeMap<ShareIndex, Share>,
}

/// The keys that these hubs believe to have found.
pub(super) fn attack(seen: &Observation, hubs: &[usize]) -> BTreeMap<KeyId, Secret> {
    let threshold = usize::from(seen.plan.cluster.threshold);
    let known = listen(seen, hubs);
    let found = known.into_iter().filter_map(|(key_id, known)| {
        let secret = known.guesses(threshold).find(|secret| {
            known
                .tag
                .is_some_and(|tag| secret.len() > TAG_SECRET_BYTES && tag.fits(secret))
        })?;
        let key = secret.get(TAG_SECRET_BYTES..)?;
        Some((key_id, Secret::from(key.to_vec())))
    });
    found.collect()
}

/// PSRD of the hubs that collude, and of no other.
struct Pooled<'a> {
    blocks: &'a BTreeMap<BlockId, ObservedBlock>,
    hubs: &'a [usize],
}

impl Blocks for Pooled<'_> {
    fn bytes(&self, id: BlockId) -> Option<&[u8]> {
        let block = self.blocks.get(&id)?;
        let is_theirs = self.hubs.contains(&block.hub);
        is_theirs.then_some(block.bytes.as_slice())
    }
}

fn listen(seen: &Observation, hubs: &[usize]) -> BTreeMap<KeyId, Known> {
    let pooled = Pooled {
        blocks: &seen.blocks,
        hubs,
    };
    let mut all: BTreeMap<KeyId, Known> = BTreeMap::new();
    for message in &seen.messages {
        let Seen::Sent(request) = &message.what else {
            continue;
        };
        for operation in operations_of(request).unwrap_or_default() {
            let Operation::Deposit(body) = operation else {
                continue;
            };
            let Some(x) = ShareIndex::new(body.x) else {
                continue;
            };
            for key in body.keys {
                let known = all.entry(key.key_id).or_default();
                known.tag = Some(key.tag);
                let y = Secret::from(key.share.0);
                known.ciphertexts.insert(x, Share { x, y });
            }
        }
        for body in open::deposits(&pooled, request) {
            let Some(x) = ShareIndex::new(body.x) else {
                continue;
            };
            for key in &body.keys {
                let known = all.entry(key.key_id).or_default();
                let y = key.share.0.clone();
                known.shares.insert(x, Share { x, y });
            }
        }
    }
    all
}

impl Known {
    /// What the secret may be: what all shares interpolate to; what K do, whichever; and what they do with ciphertext in
    /// the place of those that are missing.
    fn guesses(&self, threshold: usize) -> impl Iterator<Item = Secret> {
        let held: Vec<&Share> = self.shares.values().collect();
        let some: Vec<&Share> = held.iter().copied().take(threshold).collect();
        let others = self.ciphertexts.values();
        let others = others.filter(|share| !self.shares.contains_key(&share.x));
        let filled: Vec<&Share> = some.iter().copied().chain(others).take(threshold).collect();
        let sets = [held, some, filled].into_iter();
        sets.filter_map(|points| interpolate(&points, 0).ok())
    }
}

//! Reading encrypted messages with the recorded PSRD: the observer knows every block.

use std::collections::BTreeMap;

use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::shamir::{Share, ShareIndex};
use dske::protocol::message::{DepositBody, FetchReply, Plain};
use dske::protocol::signature::Signature;
use dske::protocol::{KeyId, Method, Request, Response, SaeId};
use dske::psrd::{Allocation, BlockId};
use zeroize::Zeroizing;

use super::record::Seen;
use super::{Observation, ObservedBlock};

/// Bytes of blocks by ID: those that were delivered, or others in their place.
pub trait Blocks {
    /// The bytes of a block.
    fn bytes(&self, id: BlockId) -> Option<&[u8]>;

    /// The bytes that an allocation names.
    fn of(&self, allocation: &Allocation) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        for fragment in allocation.fragments() {
            let block = self.bytes(fragment.block())?;
            let range = fragment.start() as usize..(fragment.start() + fragment.size()) as usize;
            bytes.extend_from_slice(block.get(range)?);
        }
        Some(bytes)
    }
}

impl Blocks for BTreeMap<BlockId, ObservedBlock> {
    fn bytes(&self, id: BlockId) -> Option<&[u8]> {
        self.get(&id).map(|block| block.bytes.as_slice())
    }
}

impl Blocks for BTreeMap<BlockId, Vec<u8>> {
    fn bytes(&self, id: BlockId) -> Option<&[u8]> {
        self.get(&id).map(Vec::as_slice)
    }
}

/// A deposit, decrypted.
#[must_use]
pub fn deposit(blocks: &impl Blocks, request: &Request) -> Option<(Signature, DepositBody<Plain>)> {
    if request.method != Method::Post {
        return None;
    }
    let signature = Signature::from_header(request.signature.as_deref()).ok()?;
    let body: DepositBody = serde_json::from_slice(&request.body).ok()?;
    let bytes = blocks.of(&signature.allocation)?;
    let mut pads = bytes.get(MAC_KEY_BYTES..)?;
    let body = body.try_map(|share| decrypt(&mut pads, &share.0).ok_or(()));
    Some((signature, body.ok()?))
}

/// The answer to a fetch, decrypted.
#[must_use]
pub fn fetch_reply(
    blocks: &impl Blocks,
    response: &Response,
) -> Option<(Signature, FetchReply<Plain>)> {
    if response.status != 200 {
        return None;
    }
    let signature = Signature::from_header(response.signature.as_deref()).ok()?;
    let body: FetchReply = serde_json::from_slice(&response.body).ok()?;
    let bytes = blocks.of(&signature.allocation)?;
    let mut pads = bytes.get(MAC_KEY_BYTES..)?;
    let body = body.try_map(|share| decrypt(&mut pads, &share.0).ok_or(()));
    Some((signature, body.ok()?))
}

fn decrypt(pads: &mut &[u8], share: &[u8]) -> Option<Plain> {
    let (pad, rest) = pads.split_at_checked(share.len())?;
    *pads = rest;
    let plain: Vec<u8> = share.iter().zip(pad).map(|(a, b)| a ^ b).collect();
    Some(Plain(Zeroizing::new(plain)))
}

/// What initiators drew, as they sent it.
#[derive(Default)]
pub struct Drawn {
    /// The shares of each key.
    pub shares: BTreeMap<KeyId, BTreeMap<ShareIndex, Share>>,
    /// The SAEs that may fetch each key.
    pub slaves: BTreeMap<KeyId, Vec<SaeId>>,
}

impl Observation {
    /// What initiators drew: their deposits, decrypted where they were sent.
    #[must_use]
    pub fn drawn(&self) -> Drawn {
        let mut drawn = Drawn::default();
        for message in &self.messages {
            let Seen::Sent(request) = &message.what else {
                continue;
            };
            let Some((_, body)) = deposit(&self.blocks, request) else {
                continue;
            };
            let Some(x) = ShareIndex::new(body.x) else {
                continue;
            };
            for key in body.keys {
                let share = Share { x, y: key.share.0 };
                drawn.shares.entry(key.key_id).or_default().insert(x, share);
                drawn
                    .slaves
                    .entry(key.key_id)
                    .or_insert_with(|| body.slave_saes.clone());
            }
        }
        drawn
    }
}

//! Reading encrypted messages with the recorded PSRD: the observer knows every block.

use std::collections::BTreeMap;

use dske::crypto::mac::{MAC_KEY_BYTES, MacKey};
use dske::protocol::message::{DepositBody, FetchReply, Plain};
use dske::protocol::signature::Signature;
use dske::protocol::{Method, Request, Response};
use dske::psrd::{Allocation, BlockId};
use zeroize::Zeroizing;

use super::ObservedBlock;

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

/// Whether a request carries the MAC that its PSRD gives it.
#[must_use]
pub fn is_signed(blocks: &impl Blocks, request: &Request) -> bool {
    let verified = || {
        let signature = Signature::from_header(request.signature.as_deref()).ok()?;
        let bytes = blocks.of(&signature.allocation)?;
        let key = MacKey::try_from(bytes.get(..MAC_KEY_BYTES)?).ok()?;
        let right = Signature::of_request(&key, signature.allocation.clone(), request);
        (right == signature).then_some(())
    };
    verified().is_some()
}

/// Whether a response carries the MAC that its PSRD gives it, as the answer to this request: what a client has to find
/// out before it believes a word of it.
#[must_use]
pub fn is_authentic(blocks: &impl Blocks, to: &Request, response: &Response) -> bool {
    let verified = || {
        let to = Signature::from_header(to.signature.as_deref()).ok()?;
        let signature = Signature::from_header(response.signature.as_deref()).ok()?;
        let bytes = blocks.of(&signature.allocation)?;
        let key = MacKey::try_from(bytes.get(..MAC_KEY_BYTES)?).ok()?;
        // Made again and compared here: how nodes compare tags is among what is being tested.
        let right = Signature::of_response(&key, signature.allocation.clone(), &to, response);
        (right == signature).then_some(())
    };
    verified().is_some()
}

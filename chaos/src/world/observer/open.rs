//! Reading encrypted messages with the recorded PSRD: the observer knows every block.

use std::collections::BTreeMap;

use dske::crypto::mac::{MAC_KEY_BYTES, MacKey};
use dske::crypto::secret::Secret;
use dske::protocol::batch::{Operation, Reply, operations_of, replies_of};
use dske::protocol::message::{DepositBody, Encrypted, FetchQuery, FetchReply, Plain};
use dske::protocol::signature::Signature;
use dske::protocol::{Request, Response};
use dske::psrd::{Allocation, BlockId};

use super::ObservedBlock;

/// Bytes of blocks by ID: those that were delivered, or others in their place.
pub trait Blocks {
    /// The bytes of a block.
    fn bytes(&self, id: BlockId) -> Option<&[u8]>;

    /// The bytes that an allocation names.
    fn of(&self, allocation: &Allocation) -> Option<Secret> {
        let mut bytes = Vec::new();
        for fragment in allocation.fragments() {
            let block = self.bytes(fragment.block())?;
            let range = fragment.start() as usize..(fragment.start() + fragment.size()) as usize;
            bytes.extend_from_slice(block.get(range)?);
        }
        Some(Secret::from(bytes))
    }
}

impl Blocks for BTreeMap<BlockId, ObservedBlock> {
    fn bytes(&self, id: BlockId) -> Option<&[u8]> {
        self.get(&id).map(|block| &*block.bytes)
    }
}

impl Blocks for BTreeMap<BlockId, Vec<u8>> {
    fn bytes(&self, id: BlockId) -> Option<&[u8]> {
        self.get(&id).map(Vec::as_slice)
    }
}

/// What a request wants, decrypted.
#[must_use]
pub fn operations(
    blocks: &impl Blocks,
    request: &Request,
) -> Option<(Signature, Vec<Operation<Plain>>)> {
    let signature = Signature::from_header(request.signature.as_deref()).ok()?;
    let operations = operations_of(request)?;
    let bytes = blocks.of(&signature.allocation)?;
    let mut pads = bytes.get(MAC_KEY_BYTES..)?;
    let operations = operations
        .into_iter()
        .map(|operation| operation.try_map(|share| decrypt(&mut pads, &share)));
    Some((signature, operations.collect::<Result<_, _>>().ok()?))
}

/// What a response answers, decrypted.
#[must_use]
pub fn replies(
    blocks: &impl Blocks,
    to: &Request,
    response: &Response,
) -> Option<(Signature, Vec<Reply<Plain>>)> {
    let signature = Signature::from_header(response.signature.as_deref()).ok()?;
    let replies = replies_of(to, response)?;
    let bytes = blocks.of(&signature.allocation)?;
    let mut pads = bytes.get(MAC_KEY_BYTES..)?;
    let replies = replies
        .into_iter()
        .map(|reply| reply.try_map(|share| decrypt(&mut pads, &share)));
    Some((signature, replies.collect::<Result<_, _>>().ok()?))
}

/// The deposits in a request, decrypted.
pub fn deposits(
    blocks: &impl Blocks,
    request: &Request,
) -> impl Iterator<Item = DepositBody<Plain>> {
    let operations = operations(blocks, request).map(|(_, operations)| operations);
    operations
        .into_iter()
        .flatten()
        .filter_map(|operation| match operation {
            Operation::Deposit(deposit) => Some(deposit),
            Operation::Fetch(_) | Operation::Withdraw(_) => None,
        })
}

/// Whether there are deposits in a request.
#[must_use]
pub fn has_deposit(request: &Request) -> bool {
    let operations = operations_of(request).unwrap_or_default();
    operations
        .iter()
        .any(|operation| matches!(operation, Operation::Deposit(_)))
}

/// The fetches in a request with what was answered, decrypted.
pub fn fetched(
    blocks: &impl Blocks,
    to: &Request,
    response: &Response,
) -> impl Iterator<Item = (FetchQuery, FetchReply<Plain>)> {
    let replies = replies(blocks, to, response).map(|(_, replies)| replies);
    let pairs = operations_of(to)
        .into_iter()
        .flatten()
        .zip(replies.into_iter().flatten());
    pairs.filter_map(|pair| match pair {
        (Operation::Fetch(query), Reply::Fetch(reply)) => Some((query, reply)),
        _ => None,
    })
}

fn decrypt(pads: &mut &[u8], Encrypted(share): &Encrypted) -> Result<Plain, ()> {
    let (pad, rest) = pads.split_at_checked(share.len()).ok_or(())?;
    *pads = rest;
    let plain: Vec<u8> = share.iter().zip(pad).map(|(a, b)| a ^ b).collect();
    Ok(Plain(Secret::from(plain)))
}

/// Whether a request carries the MAC that its PSRD gives it.
#[must_use]
pub fn is_signed(blocks: &impl Blocks, request: &Request) -> bool {
    let verified = || {
        let signature = Signature::from_header(request.signature.as_deref()).ok()?;
        let bytes = blocks.of(&signature.allocation)?;
        let key = MacKey::try_from(bytes.get(..MAC_KEY_BYTES)?).ok()?;
        // The parts of `docs/protocol.md` §4, put together here: which parts the nodes authenticate is under test.
        let right = key.tag(&[
            b"dske-request-1",
            request.method.as_str().as_bytes(),
            request.target.as_bytes(),
            signature.allocation.to_string().as_bytes(),
            &request.body,
        ]);
        (right == signature.tag).then_some(())
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
        // Computed and compared here, because the nodes' own comparison of tags is one of the things under test.
        let right = Signature::of_response(key, signature.allocation.clone(), &to, response);
        (right == signature).then_some(())
    };
    verified().is_some()
}

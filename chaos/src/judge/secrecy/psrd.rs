//! The PSRD of the other world: under it the production code makes exactly the bytes that were seen, of other shares.

use std::collections::BTreeMap;

use dske::crypto::mac::MAC_KEY_BYTES;
use dske::crypto::secret::Secret;
use dske::crypto::shamir::ShareIndex;
use dske::protocol::batch::{Encoding, Operation, Reply};
use dske::protocol::channel::{Bound, seal_batch, seal_deposit, seal_fetch, seal_replies};
use dske::protocol::message::{FetchAnswer, Plain};
use dske::protocol::signature::Signature;
use dske::protocol::{KeyId, Request, Response};
use dske::psrd::{Allocation, BlockId, Spent};

use super::leak::Leak;
use crate::judge::Facts;
use crate::world::observer::open::{self, Blocks};

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
pub(super) struct Psrd<'a> {
    facts: &'a Facts<'a>,
    assigned: BTreeMap<BlockId, BTreeMap<u32, u8>>,
}

impl<'a> Psrd<'a> {
    pub(super) fn new(facts: &'a Facts<'a>) -> Self {
        Self {
            facts,
            assigned: BTreeMap::new(),
        }
    }

    pub(super) fn explain_request(
        &mut self,
        request: &Request,
        key_id: KeyId,
        share: &[u8],
    ) -> Result<(), Leak> {
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
                Operation::Fetch(_) | Operation::Withdraw(_) => None,
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
            Err(Leak::OtherDeposit)
        }
    }

    pub(super) fn explain_response(
        &mut self,
        hub: usize,
        to: &Request,
        response: &Response,
        key_id: KeyId,
        share: &[u8],
    ) -> Result<(), Leak> {
        let Some((signature, mut replies)) = open::replies(&self.facts.seen.blocks, to, response)
        else {
            return self.is_as_it_was(response.signature.as_deref());
        };
        let mut at = MAC_KEY_BYTES;
        let mut touched = false;
        let fetched = replies.iter_mut().filter_map(|reply| match reply {
            Reply::Fetch(reply) => Some(reply),
            Reply::Deposit(_) | Reply::Refused(_) | Reply::Withdraw => None,
        });
        for result in fetched.flat_map(|reply| &mut reply.keys) {
            let FetchAnswer::Found(found) = &mut result.answer else {
                continue;
            };
            let length = found.share.0.len();
            if result.key_id == key_id {
                if !self.is_share(hub, key_id, &found.share.0) {
                    return Err(Leak::BareAnswer);
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
            signature: Signature::from_header(to.signature.as_deref())?,
            encoding: Encoding::of(to),
        };
        if seal_replies(spent, &to, Ok(replies)) == *response {
            Ok(())
        } else {
            Err(Leak::OtherAnswer)
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
    pub(super) fn is_as_it_was(&self, signature: Option<&str>) -> Result<(), Leak> {
        let Ok(signature) = Signature::from_header(signature) else {
            return Ok(());
        };
        for fragment in signature.allocation.fragments() {
            let assigned = self.assigned.get(&fragment.block());
            let mut used = assigned
                .into_iter()
                .flat_map(|bytes| bytes.range(fragment.start()..fragment.end()));
            if let Some((position, _)) = used.next() {
                return Err(Leak::PadServesMessage {
                    position: *position,
                    block: fragment.block(),
                });
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
    ) -> Result<(), Leak> {
        let positions = allocation.fragments().iter().flat_map(|fragment| {
            (fragment.start()..fragment.end()).map(|position| (fragment.block(), position))
        });
        let pads = positions.skip(at).zip(share.iter().zip(other));
        for ((block, position), (share, other)) in pads {
            let bytes = self.facts.seen.blocks.bytes(block).ok_or(Leak::NoBlock)?;
            let pad = bytes.get(position as usize).ok_or(Leak::OutsideBlock)? ^ share ^ other;
            let before = self
                .assigned
                .entry(block)
                .or_default()
                .insert(position, pad);
            if before.is_some_and(|before| before != pad) {
                return Err(Leak::PadOfTwo { position, block });
            }
        }
        Ok(())
    }

    fn spent(&self, allocation: &Allocation) -> Result<Spent, Leak> {
        let mut bytes = self.facts.seen.blocks.of(allocation).ok_or(Leak::NoBlock)?;
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

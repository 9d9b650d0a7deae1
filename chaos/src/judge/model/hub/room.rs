//! How much an answer may still carry: `docs/protocol.md` §4 and §9.

use dske::protocol::batch;
use dske::protocol::message::{FetchAnswer, FetchReply, Plain};

use super::Share;
use super::refusals::{OUT_OF_LIMITS, PSRD_EXHAUSTED, Refusal, TOO_MUCH_AT_ONCE};

/// Most bytes of a body.
const BODY_BYTES_MAX: u64 = 4 << 20;

/// What an answer may still carry.
pub(super) struct Room {
    /// Pads for shares.
    pad_bytes: u64,
    /// Bytes of the body, as §9 counts them.
    body_bytes: u64,
}

impl Room {
    /// For the answers to these operations, with so many bytes of PSRD for pads.
    pub(super) fn new(pad_bytes: u64, operations: &[batch::Operation<Plain>]) -> Self {
        let others = operations.iter().map(bytes_without_shares);
        Self {
            pad_bytes,
            body_bytes: BODY_BYTES_MAX.saturating_sub(others.sum()),
        }
    }

    /// Takes what a reply needs, or nothing.
    pub(super) fn take(&mut self, reply: &FetchReply<Share>) -> Result<(), Refusal> {
        let found = reply.keys.iter().filter_map(|key| match &key.answer {
            FetchAnswer::Found(found) => Some(found),
            FetchAnswer::NotFound | FetchAnswer::Forbidden => None,
        });
        let shares = found.clone().map(|found| found.share.len() as u64);
        let alone = shares.clone().map(|share| share.div_ceil(3) * 4 + 1_536);
        if 1_536 + alone.sum::<u64>() > BODY_BYTES_MAX {
            return Err(OUT_OF_LIMITS);
        }
        let names = found.map(|found| {
            let saes = found.slave_saes.iter().chain([&found.master_sae]);
            saes.map(|sae| sae.as_str().len() as u64).sum::<u64>()
        });
        let share_bytes: u64 = shares.sum();
        let body_bytes = 64 * reply.keys.len() as u64 + names.sum::<u64>() + share_bytes;
        let pad_bytes = self.pad_bytes.checked_sub(share_bytes);
        let pad_bytes = pad_bytes.ok_or(PSRD_EXHAUSTED)?;
        let body_bytes = self.body_bytes.checked_sub(body_bytes);
        self.body_bytes = body_bytes.ok_or(TOO_MUCH_AT_ONCE)?;
        self.pad_bytes = pad_bytes;
        Ok(())
    }
}

/// What an operation takes in the body of an answer, but for a fetch that is not refused.
fn bytes_without_shares(operation: &batch::Operation<Plain>) -> u64 {
    match operation {
        batch::Operation::Deposit(deposit) => 512 + 18 * deposit.keys.len() as u64,
        batch::Operation::Fetch(_) | batch::Operation::Withdraw(_) => 512,
    }
}

//! How much an answer may still carry. What does not fit is refused before it counts as handed out: the client would
//! throw away an answer that is longer than it reads.

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::protocol::batch::Operation;
use crate::protocol::limits::{BODY_BYTES_MAX, answer_bytes};
use crate::protocol::message::{FetchReply, Plain, ShareBytes};
use crate::protocol::refusal::{Refusal, within};

/// What is left for the answer to a message.
pub(super) struct Room {
    /// PSRD for the pads of shares.
    pad_bytes: usize,
    /// Bytes in the body.
    body_bytes: usize,
}

impl Room {
    /// For the answers to these operations, with so much PSRD for pads.
    pub(super) fn new(pad_bytes: usize, operations: &[Operation<Plain>]) -> Self {
        let others = operations.iter().map(bytes_without_shares);
        Self {
            pad_bytes,
            body_bytes: BODY_BYTES_MAX.saturating_sub(others.sum()),
        }
    }

    /// Takes what a reply needs, or nothing.
    pub(super) fn take(&mut self, reply: &FetchReply<Plain>) -> Result<(), Refusal> {
        // Asking again would not help. A reply that fits alone in JSON does so in a batch.
        let sizes = reply.shares().map(ShareBytes::byte_len);
        let alone = answer_bytes(sizes.map(|share| share.saturating_sub(TAG_SECRET_BYTES)));
        let what = "bytes of an answer (fewer keys at once make it shorter)";
        within(what, alone, 0, BODY_BYTES_MAX)?;
        let pad_bytes = self.pad_bytes.checked_sub(reply.share_bytes());
        let pad_bytes = pad_bytes.ok_or(Refusal::PsrdExhausted)?;
        let body_bytes = self.body_bytes.checked_sub(reply.binary_bytes_max());
        self.body_bytes = body_bytes.ok_or(Refusal::TooMuchAtOnce)?;
        self.pad_bytes = pad_bytes;
        Ok(())
    }
}

/// Most bytes that the reply to an operation takes in a batch, besides those of a fetch that is not refused.
fn bytes_without_shares(operation: &Operation<Plain>) -> usize {
    /// A refusal, whose names may be as long as any.
    const REFUSAL: usize = 512;
    /// A key ID with its length, and the outcome.
    const OUTCOME: usize = 18;
    match operation {
        Operation::Deposit(deposit) => REFUSAL + deposit.keys.len() * OUTCOME,
        Operation::Fetch(_) | Operation::Withdraw(_) => REFUSAL,
    }
}

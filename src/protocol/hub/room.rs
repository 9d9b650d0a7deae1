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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::secret::Secret;
    use crate::protocol::batch::{Reply, write_replies};
    use crate::protocol::limits::KEYS_PER_MESSAGE_MAX;
    use crate::protocol::message::{
        DepositBody, DepositOutcome, DepositReply, DepositResult, DepositedKey, Encrypted,
        FetchQuery, Withdrawal,
    };
    use crate::protocol::names::{KeyId, NAME_BYTES_MAX, NodeName, SaeId};

    fn key_id() -> KeyId {
        "bc490419-7d60-487f-adc1-4ddcc177c139".parse().unwrap()
    }

    fn longest_name() -> String {
        "n".repeat(NAME_BYTES_MAX)
    }

    fn client() -> NodeName {
        longest_name().parse().unwrap()
    }

    fn sae() -> SaeId {
        longest_name().parse().unwrap()
    }

    fn deposit(keys: usize) -> Operation<Plain> {
        let key = DepositedKey {
            key_id: key_id(),
            tag: "00".repeat(16).parse().unwrap(),
            share: Plain(Secret::zeros(1)),
        };
        Operation::Deposit(DepositBody {
            keys: vec![key; keys],
            client: client(),
            master_sae: sae(),
            slave_saes: vec![sae()],
            hubs: 3,
            threshold: 2,
            x: 1,
            size: 1,
        })
    }

    /// What a reply takes beside its shares, in a batch with another.
    fn written(reply: Reply<Encrypted>) -> usize {
        let both = write_replies(&[Reply::Withdraw, reply]).len();
        both - write_replies(&[Reply::Withdraw]).len()
    }

    #[test]
    fn every_operation_keeps_room_for_its_longest_reply_and_little_more() {
        /// More would be room that no answer ever takes.
        const SPARE: usize = 512;
        let fetch = Operation::Fetch(FetchQuery {
            client: client(),
            slave_sae: sae(),
            master_sae: sae(),
            key_ids: vec![key_id()],
        });
        let withdrawal = Operation::Withdraw(Withdrawal {
            client: client(),
            master_sae: sae(),
            key_ids: vec![key_id()],
        });
        let refusal = written(Reply::Refused(Refusal::ForeignSae {
            client: longest_name(),
            sae: longest_name(),
        }));
        for operation in [fetch, withdrawal, deposit(1)] {
            let kept = bytes_without_shares(&operation);
            assert!(
                (refusal..refusal + SPARE).contains(&kept),
                "{kept} {refusal}"
            );
        }
        for keys in [1, 2, KEYS_PER_MESSAGE_MAX] {
            let kept = bytes_without_shares(&deposit(keys));
            let result = DepositResult {
                key_id: key_id(),
                outcome: DepositOutcome::Full,
            };
            let reply = written(Reply::Deposit(DepositReply {
                keys: vec![result; keys],
            }));
            assert!(
                (reply..reply + SPARE).contains(&kept),
                "{keys} keys: {kept} {reply}"
            );
        }
    }
}

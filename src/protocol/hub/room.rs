//! How much an answer may still carry.

use crate::protocol::limits::REPLY_BYTES_MAX;
use crate::protocol::message::{FetchReply, Plain};
use crate::protocol::refusal::Refusal;

/// What is left for the answer to a message.
pub(super) struct Room {
    /// PSRD for the pads of shares.
    pad_bytes: usize,
    /// Bytes in the body. There is no limit for the first operation: whoever asks for one thing only gets it, however
    /// long it is.
    body_bytes: Option<usize>,
}

impl Room {
    /// For the first operation, with so much PSRD for pads.
    pub(super) fn with_pads(pad_bytes: usize) -> Self {
        Self {
            pad_bytes,
            body_bytes: None,
        }
    }

    /// From the second operation on, the body is limited, too.
    pub(super) fn limit_body(&mut self) {
        self.body_bytes.get_or_insert(REPLY_BYTES_MAX);
    }

    /// Takes what a reply needs, or nothing.
    pub(super) fn take(&mut self, reply: &FetchReply<Plain>) -> Result<(), Refusal> {
        let pad_bytes = self.pad_bytes.checked_sub(reply.share_bytes());
        let pad_bytes = pad_bytes.ok_or(Refusal::PsrdExhausted)?;
        if let Some(body_bytes) = &mut self.body_bytes {
            let left = body_bytes.checked_sub(reply.binary_bytes_max());
            *body_bytes = left.ok_or(Refusal::TooMuchAtOnce)?;
        }
        self.pad_bytes = pad_bytes;
        Ok(())
    }
}

//! Why there is no other world: how the coalition could tell the key from others.

use dske::crypto::shamir::SharingError;
use dske::protocol::signature::SignatureError;
use dske::psrd::BlockId;

/// Why no other world explains what was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the line of each variant says what it is")]
pub enum Leak {
    #[error("the key was never shared")]
    NeverShared,
    #[error("no deposit of the key was seen")]
    NoDeposit,
    #[error("{known} shares are known, {threshold} determine the key")]
    Determined { known: usize, threshold: usize },
    #[error("no free x")]
    NoFreeX,
    #[error(transparent)]
    Shares(#[from] SharingError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("a deposit carries something else than a share under its pad")]
    BareDeposit,
    #[error("an answer carries something else than the share under its pad")]
    BareAnswer,
    #[error("a deposit with the other share does not give the same bytes")]
    OtherDeposit,
    #[error("an answer with the other share does not give the same bytes")]
    OtherAnswer,
    #[error("byte {position} of block {block} is the pad of a share and serves another message")]
    PadServesMessage { position: u32, block: BlockId },
    #[error("byte {position} of block {block} is the pad of two shares")]
    PadOfTwo { position: u32, block: BlockId },
    #[error("a block was never delivered")]
    NoBlock,
    #[error("a fragment is outside its block")]
    OutsideBlock,
}

//! What a pool refuses.

use thiserror::Error;

use super::{BlockId, FRAGMENTS_MAX};

/// What a pool refuses, and why. A pool that refuses has not changed.
///
/// | whose fault | errors |
/// |---|---|
/// | the caller's, at the end that allocates | [`Duplicate`](Self::Duplicate), [`Full`](Self::Full), [`NothingWanted`](Self::NothingWanted) |
/// | nobody's: more PSRD or larger blocks are needed | [`Exhausted`](Self::Exhausted), [`TooManyFragments`](Self::TooManyFragments) |
/// | the peer's, or of somebody who replays or makes up messages | [`OutOfBounds`](Self::OutOfBounds), [`AlreadyUsed`](Self::AlreadyUsed) |
/// | nobody's for sure: one end has restarted, a message is very late, or somebody forges | [`UnknownBlock`](Self::UnknownBlock), [`Evicted`](Self::Evicted), [`Retired`](Self::Retired) |
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The pool has this block, or had it: its bytes may have been used.
    #[error("block {block} is or was in this pool already")]
    Duplicate {
        /// The block offered.
        block: BlockId,
    },
    /// The pool holds as many blocks, or as many bytes, as it may.
    #[error("the pool is full with {blocks} blocks of {bytes} bytes together")]
    Full {
        /// Blocks that it holds.
        blocks: usize,
        /// Bytes of these blocks, used or not.
        bytes: usize,
    },
    /// The caller asked for no bytes at all, which no allocation can express.
    #[error("cannot allocate 0 bytes")]
    NothingWanted,
    /// The pool has fewer bytes left than wanted: it needs another block.
    #[error("the pool has {left} bytes of pre-shared random data left, but {wanted} are wanted")]
    Exhausted {
        /// Bytes asked for.
        wanted: usize,
        /// Bytes left.
        left: usize,
    },
    /// The bytes wanted lie scattered over too many blocks: the blocks are too small.
    #[error("{wanted} bytes would take more than {FRAGMENTS_MAX} blocks: provision larger blocks")]
    TooManyFragments {
        /// Bytes asked for.
        wanted: usize,
    },
    /// The pool knows no such block. It may have known it once, if the block was used up long ago.
    #[error("block {block} is not in this pool")]
    UnknownBlock {
        /// The block named.
        block: BlockId,
    },
    /// The fragment reaches beyond the end of its block.
    #[error("{size} bytes at {start} lie outside block {block}, which has {len} bytes")]
    OutOfBounds {
        /// The block named.
        block: BlockId,
        /// First position of the fragment.
        start: u32,
        /// Its size in bytes.
        size: u32,
        /// Bytes of the block.
        len: usize,
    },
    /// Some byte of the fragment has been used: the message is a replay, or the peer uses bytes twice.
    #[error("{size} bytes at {start} of block {block} are used already, some or all of them")]
    AlreadyUsed {
        /// The block named.
        block: BlockId,
        /// First position of the fragment.
        start: u32,
        /// Its size in bytes.
        size: u32,
    },
    /// Too many messages with wrong MACs named the block, and its bytes were erased.
    #[error("block {block} is retired after too many wrong MACs")]
    Retired {
        /// The block named.
        block: BlockId,
    },
    /// The block had to make room for a newer one before all of its bytes had been used.
    #[error("block {block} was evicted to make room for a newer one")]
    Evicted {
        /// The block named.
        block: BlockId,
    },
}

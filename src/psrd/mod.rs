//! Pre-shared random data (PSRD): blocks, allocations, and the pools that spend each byte once.
//!
//! A client and a hub hold the same random [`Block`]s, delivered out of band. The blocks are kept in two pools, so that
//! the two ends never race for a byte: only the client allocates from one, and only the hub from the other. The end
//! that allocates holds the pool as a [`SpendingPool`], and the other end holds the same blocks as a [`ReceivingPool`].
//! Only the [`Allocation`] travels, which says which bytes of which blocks are used; the bytes never do.
//!
//! ```text
//!   allocator                                  receiver
//!   SpendingPool::allocate ── Allocation ──▶ ReceivingPool::peek     (the key to check the MAC with)
//!        │ bytes erased at once                   ├ MAC fits ──▶ consume    (all bytes, erased)
//!        ▼                                        └ MAC fails ─▶ mac_failed (nothing erased, one more try counted)
//!      Spent
//! ```
//!
//! Each byte is used once, ever: the allocator overwrites what it hands out and takes nothing back, and the receiver
//! refuses whatever overlaps something used. Both promises last as long as the pools do. Pools are volatile by design:
//! they die with the process, and are provisioned anew with fresh blocks.
//!
//! | file | idea |
//! |---|---|
//! | `block` | a block and its ID, as delivered out of band |
//! | `allocation` | which bytes a message uses, and how its header says so |
//! | `spending` | the end of a pool that allocates |
//! | `receiving` | the end of a pool that is told |
//! | `error` | what a pool refuses |
//! | `used` | which bytes of one block have been used |
//! | `remembered` | which blocks a pool no longer holds, and why |
//!
//! Pools hold secrets. Their bytes are overwritten when they are used and when they are dropped, and no `Debug` shows
//! them. What is *not* wiped: the network buffers of the HTTP libraries through which a block is delivered, and files.

#![deny(clippy::indexing_slicing)]

/// The conversions through which serde writes and reads a type as its text: `try_from = "String", into = "String"`.
macro_rules! serde_as_text {
    ($type:ty, $error:ty) => {
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

mod allocation;
mod block;
mod error;
mod receiving;
mod remembered;
mod spending;
mod used;

/// Most bytes of the blocks in one pool (128 MiB), used or not: memory. Of the largest blocks there are 16.
pub const POOL_BYTES_MAX: usize = 128 << 20;

const _: () = assert!(POOL_BYTES_MAX / BLOCK_BYTES_MAX == 16);

pub use allocation::{
    ALLOCATION_CHARS_MAX, Allocation, AllocationError, FRAGMENTS_MAX, Fragment, FragmentPart,
};
pub use block::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, Block, BlockError, BlockId};
pub use error::PoolError;
pub use receiving::{MAC_FAILURES_MAX, PoolLimits, ReceivingPool};
pub use remembered::REMEMBERED_MAX;
pub use spending::{SpendingPool, Spent};
pub use used::SPANS_MAX;

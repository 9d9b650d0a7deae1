//! Pre-shared random data (PSRD): blocks, allocations, and the pools that spend each byte once.
//!
//! A client and a hub hold the same random [`Block`]s, delivered out of band. They are kept in two pools, so that
//! the two ends never race for a byte: from one only the client allocates, from the other only the hub. The end
//! that allocates holds the pool as a [`SpendingPool`], the other end holds the same blocks as a [`ReceivingPool`].
//! Only the [`Allocation`] travels: which bytes of which blocks, never the bytes.
//!
//! ```text
//!   allocator                                  receiver
//!   SpendingPool::allocate ── Allocation ──▶ ReceivingPool::peek     (bytes to check the MAC with)
//!        │ bytes gone at once                     │ MAC fits ▶ consume   (bytes gone)
//!        ▼                                        └ MAC fails ▶ mac_failed (nothing gone, one more try counted)
//!      Spent
//! ```
//!
//! Each byte is used once, ever: the allocator overwrites what it hands out and takes nothing back, the receiver
//! refuses whatever overlaps something used. Both hold only for as long as the pools live: they are volatile by
//! design, die with the process, and are provisioned anew with fresh blocks.
//!
//! | file | idea |
//! |---|---|
//! | `block` | a block and its id, as delivered out of band |
//! | `allocation` | which bytes a message uses, and its text form in a header |
//! | `spending` | the end that allocates |
//! | `receiving` | the end that is told |
//! | `error` | what a pool refuses |
//! | `used` | which bytes of one block have been used |
//! | `remembered` | which blocks are gone, and why |
//!
//! Pools hold secrets: their bytes are overwritten when used and when dropped, and no `Debug` shows them. What is
//! *not* wiped: the text buffers of whoever delivers a block (JSON, HTTP, files).
#![deny(clippy::indexing_slicing)]

mod allocation;
mod block;
mod error;
mod receiving;
mod remembered;
mod spending;
mod used;

pub use allocation::{ALLOCATION_CHARS_MAX, Allocation, AllocationError, FRAGMENTS_MAX, Fragment};
pub use block::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, Block, BlockError, BlockId};
pub use error::PoolError;
pub use receiving::{MAC_FAILURES_MAX, ReceivingPool};
pub use spending::{SpendingPool, Spent};

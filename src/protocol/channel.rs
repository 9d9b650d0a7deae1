//! The two ends of the channel between a client and a hub: everything that spends PSRD.
//!
//! The channel has two pools, so that the two ends never race: *up*, from which only the client allocates, and *down*,
//! from which only the hub does. Each message spends one allocation, however many operations it carries. The first 32
//! bytes are the MAC key, and the pads of the shares follow in the order of the body. `docs/protocol.md` §3 and §4.
//!
//! A [`Response`](super::Response) can be opened only with the [`Sent`] of the request that it answers. Opening verifies
//! the MAC before it decrypts or consumes anything: what comes out of `open` and `open_*` has passed its check.
//!
//! | file | what it holds |
//! |---|---|
//! | `pools` | an end: its two pools, and the check of a MAC before PSRD is consumed |
//! | `pads` | what an allocation is used for: a MAC key and one-time pads |
//! | `client_end` | the client's end: seals requests, opens responses |
//! | `hub_end` | the hub's end: opens requests, seals responses |

mod client_end;
mod hub_end;
mod pads;
mod pools;

pub use client_end::{
    Malformed, OpenError, Sent, batch_cost, seal_batch, seal_deposit, seal_fetch, sign,
};
pub use hub_end::{Bound, Opened, Replies, Unverified, seal_replies, unsigned_refusal};
pub(super) use pads::{PadError, Pads};
pub use pools::{ChannelEnd, ClientEnd, ClientSide, HubEnd, HubSide, PoolOwner, Side};

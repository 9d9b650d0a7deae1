//! The nodes as actix actors. They are thin: each owns a state machine of [`crate::protocol`] and moves messages.
//!
//! | module | what it holds |
//! |---|---|
//! | [`hub`] | the hub's actor, and [`hub::HubHandle`], by which others reach it |
//! | [`transport`] | how a client reaches a hub; here, as an actor in the same process |
//! | [`link`] | the client's link to one hub: registration, refill, batches, time-outs, retries with fresh PSRD |
//! | [`client`] | the client's actor, the key management entity (KME) that SAEs talk to |
//! | `while_heard` | work that ends when nobody waits for its result any more |
//! | [`workload`] | how much is in flight, and when that is too much |
//! | [`handed_out`] | which keys an SAE has been given |

pub mod client;
pub mod handed_out;
pub mod hub;
pub mod link;
pub mod transport;
mod while_heard;
pub mod workload;

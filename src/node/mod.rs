//! The nodes as actix actors. Thin: each owns a state machine of [`crate::protocol`] and moves messages.
//!
//! | module | what it holds |
//! |---|---|
//! | [`hub`] | the hub's actor, and [`hub::HubHandle`], by which others reach it |
//! | [`transport`] | how a client reaches a hub: as an actor in the same process, or over HTTP |
//! | [`link`] | the client's link to one hub: registration, refill, time-outs, retries with fresh PSRD |
//! | [`client`] | the client's actor, the key management entity (KME) that SAEs talk to |
//! | [`workload`] | how much is under way, and when that is too much |
//! | [`handed_out`] | which keys an SAE has had |

pub mod client;
pub mod handed_out;
pub mod hub;
pub mod link;
pub mod transport;
pub mod workload;

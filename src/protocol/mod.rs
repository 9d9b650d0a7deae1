//! The protocol as *sans-IO* state machines: no async, no clock, no sockets.
//!
//! Time comes in as an argument (a [`Duration`](std::time::Duration) since the node started), randomness as a
//! generator, bytes as [`Request`] and [`Response`]. The driver of a machine carries its messages.
//!
//! In reading order:
//!
//! | module | what it holds | `docs/protocol.md` |
//! |---|---|---|
//! | [`names`] | node names, SAE IDs, key IDs | §2 |
//! | [`limits`] | every limit, with its reason | §9 |
//! | [`accounts`] | what is bounded and shared has an account for each of those who share it | §9 |
//! | [`wire`] | a request and a response as the network carries them | §4 |
//! | [`signature`] | the `DSKE-Signature` header and what it authenticates | §4 |
//! | [`message`] | the bodies | §5, §6 |
//! | [`batch`] | what a message says: one operation in JSON, or a batch in the binary encoding | §4 |
//! | [`refusal`] | what a hub refuses, and whose fault it is | §7 |
//! | [`reasons`] | why hubs did not do their part in a call | §5, §8 |
//! | [`channel`] | the two ends of a channel between client and hub: encrypt, authenticate, verify, decrypt | §3, §4 |
//! | [`store`] | the shares that a hub holds | §6 |
//! | [`hub`] | the hub | §6 |
//! | [`initiator`] | client A: establish keys | §5 |
//! | [`responder`] | client B: fetch keys, correct errors, blame | §8 |

#![deny(clippy::indexing_slicing)]

pub mod accounts;
pub mod batch;
pub mod channel;
pub mod hub;
pub mod initiator;
pub mod limits;
pub mod message;
pub mod names;
pub mod reasons;
pub mod refusal;
pub mod responder;
pub mod signature;
pub mod store;
pub mod wire;

pub use names::{KeyId, KeyName, NameError, NodeName, SaeId};
pub use refusal::Refusal;
pub use wire::{Method, Request, Response};

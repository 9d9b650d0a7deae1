//! The specification as code: plain, slow models of the nodes. From what reached a node they predict what it has to answer,
//! and an invariant compares the two in every run.
//!
//! A model shares no code with the nodes but the messages: it is read beside `docs/protocol.md`, not beside `src/protocol`.

pub mod client;
pub mod hub;
pub mod spans;

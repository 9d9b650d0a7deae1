//! One [`Cluster`] interface, three ways to run DSKE nodes.
//!
//! | module | how the nodes run |
//! |---|---|
//! | [`local`] | as actors in this process; messages between actors, no HTTP |
//! | [`process`] | as one operating-system process each; real HTTP on loopback |
//! | [`sim`] | in a deterministic simulation (turmoil); the same HTTP over simulated TCP |
//!
//! What all reports share, of this crate and of the chaos, is in [`report`].
//!
//! [`EtsiClient`], from `dske`, is an SAE's side of ETSI GS QKD 014, over whatever carries HTTP.

mod cluster;
pub mod local;
pub mod process;
pub mod report;
pub mod sim;

pub use cluster::Cluster;
pub use dske::http::etsi_client::{CallError, EtsiClient, KeyWish};

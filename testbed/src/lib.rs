//! One [`Cluster`] interface, three ways to run DSKE nodes.
//!
//! | module | how the nodes run |
//! |---|---|
//! | [`local`] | as actors in this process; messages between actors, no HTTP |
//! | [`process`] | as one operating-system process each; real HTTP on loopback |
//! | [`sim`] | in a deterministic simulation (turmoil); the same HTTP over simulated TCP |
//!
//! [`throughput`] measures what such clusters can do; what its report and those of the chaos share is in [`report`], and a
//! proxy that makes a node slow in [`delay`].
//! [`growth`] measures what more of everything costs.
//! [`check`] compares the current build with a revision, by the load generator of `dske`.
//!
//! [`EtsiClient`], from `dske`, is an SAE's side of ETSI GS QKD 014, over whatever carries HTTP.

#[cfg(feature = "measure")]
pub mod check;
mod cluster;
pub mod delay;
#[cfg(feature = "measure")]
pub mod growth;
pub mod latencies;
pub mod load;
pub mod local;
pub mod over_http;
pub mod process;
pub mod seed;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "measure")]
pub mod throughput;

pub use cluster::Cluster;
pub use dske::http::etsi_client::{CallError, EtsiClient, KeyRequest};

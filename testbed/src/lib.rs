//! One [`Cluster`] interface, three ways to run DSKE nodes.
//!
//! | module | how the nodes run |
//! |---|---|
//! | [`local`] | as actors in this process; messages between actors, no HTTP |
//! | [`process`] | as one operating-system process each; real HTTP on loopback |
//! | `sim` | in a deterministic simulation (turmoil); the same HTTP over simulated TCP |
//!
//! Around them:
//!
//! | module | what it holds | feature |
//! |---|---|---|
//! | [`over_http`] | what clusters whose nodes are reached over HTTP have in common | |
//! | [`load`] | the load generator of `dske bench` | |
//! | [`latencies`] | percentiles and histograms | |
//! | [`identity`], [`files`] | whose node a process is, and where it keeps its files | |
//! | [`delay`] | a proxy that makes a node slow | |
//! | [`print`](mod@print) | what commands print | |
//! | [`seed`] | generators of nodes that are run from a seed | |
//! | `throughput` | measures what clusters can do | `measure` |
//! | `growth` | measures what more hubs, clients and keys cost | `measure` |
//! | `measure` | what both of these share | `measure` |
//! | `check` | compares the current build with a revision | `measure` |
//!
//! Without features this crate holds what the command `dske` needs. The feature `sim` adds the simulation.
//!
//! [`EtsiClient`], from `dske`, is an SAE's side of ETSI GS QKD 014.

#[cfg(feature = "measure")]
pub mod check;
mod cluster;
pub mod delay;
pub mod files;
#[cfg(feature = "measure")]
pub mod growth;
pub mod identity;
pub mod latencies;
pub mod load;
pub mod local;
#[cfg(feature = "measure")]
pub mod measure;
pub mod over_http;
pub mod print;
pub mod process;
pub mod seed;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "measure")]
pub mod throughput;

pub use cluster::Cluster;
pub use dske::http::etsi::KeyRequest;
pub use dske::http::etsi_client::{CallError, EtsiClient};

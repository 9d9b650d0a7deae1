//! Nodes in a deterministic simulation (turmoil): the same actors, routes and bytes as in a real cluster.
//!
//! | module | what it holds |
//! |---|---|
//! | [`net`] | actix-web and awc over simulated TCP |
//! | [`world`] | every option of the simulator |
//! | [`network`] | faults of the network, which may overlap |
//! | [`nodes`] | hubs and clients as simulated hosts |
//! | [`cluster`] | the [`Cluster`](crate::Cluster) interface on top |
//!
//! Determinism rests on: one thread, hosts driven by simulated time only, generators seeded from (seed, node, life),
//! no map with random order, tokio's own randomness seeded by the simulator, and a fresh thread for each run, since
//! libraries keep state in thread-locals.

#[cfg(not(any(tokio_unstable, doc)))]
compile_error!(
    "the simulation needs RUSTFLAGS=\"--cfg tokio_unstable\". It is set in .cargo/config.toml, which an environment \
     variable RUSTFLAGS replaces as a whole: unset the variable, or add the flag to it."
);

pub mod cluster;
pub mod net;
pub mod network;
pub mod nodes;
pub mod world;

pub use cluster::{SimCluster, run};
pub use net::PORT;
pub use nodes::{Hooks, Plain, add_nodes};
pub use world::WorldOptions;

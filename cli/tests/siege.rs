//! A cluster of processes under siege: neighbours that take all they can within the rules, and strangers who waste what
//! nodes have. Meanwhile others go on getting keys.
//!
//! `DSKE_BINARY` names the command of another build, to see how that one holds out. What was measured is printed:
//! `cargo test -p dske-cli --test siege -- --nocapture`.
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "what was measured is for people")]

#[path = "siege/hold.rs"]
mod hold;
#[path = "siege/neighbours.rs"]
mod neighbours;
#[path = "siege/strangers.rs"]
mod strangers;

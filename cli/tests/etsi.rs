//! ETSI GS QKD 014 V1.1.1, clause by clause, against real processes.
//!
//! `docs/etsi-qkd-014.md` says which requirement is shown by which test. All tests but those of `small.rs` share one
//! cluster, with the limits and times of the example topology.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "etsi/errors.rs"]
mod errors;
#[path = "etsi/get_key.rs"]
mod get_key;
#[path = "etsi/get_key_with_ids.rs"]
mod get_key_with_ids;
#[path = "etsi/get_status.rs"]
mod get_status;
#[path = "etsi/multicast.rs"]
mod multicast;
#[path = "etsi/robustness.rs"]
mod robustness;
#[path = "etsi/shared.rs"]
mod shared;
#[path = "etsi/small.rs"]
mod small;
#[path = "etsi/transport.rs"]
mod transport;

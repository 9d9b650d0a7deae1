//! What is measured. The fields are those of `growth.json` and of the CSV files.

use serde::Serialize;

use crate::throughput::data::{Machine, Subject};

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Growth {
    /// Version of this crate.
    pub version: String,
    /// What to type to measure it again.
    pub command: String,
    /// When it began.
    pub started: String,
    /// Where.
    pub machine: Machine,
    /// How long it took, in seconds.
    pub wall_s: f64,
    /// Against the number of hubs.
    pub hubs: Vec<ClusterPoint>,
    /// Against the number of clients.
    pub clients: Vec<ClusterPoint>,
    /// Against the shares that a hub holds.
    pub shares: Vec<SharesPoint>,
    /// Against the size of a pool.
    pub pools: Vec<PoolPoint>,
}

/// A cluster, measured once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClusterPoint {
    /// How its nodes run.
    pub subject: Subject,
    /// N.
    pub hubs: u8,
    /// Clients, all of which establish and fetch.
    pub clients: usize,
    /// Time for each key that both sides got, in microseconds.
    pub us_per_key: f64,
    /// Operations that failed.
    pub failed: u64,
}

/// A store with so many shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SharesPoint {
    /// Shares held all the while.
    pub shares: usize,
    /// Time to hold one more, hand it out and erase it, in nanoseconds.
    pub ns_per_share: f64,
    /// Resident memory for each share; where they are too few to tell, nothing.
    pub bytes_per_share: Option<f64>,
}

/// Both ends of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PoolPoint {
    /// Bytes that it is filled with.
    pub pool_bytes: usize,
    /// In so many blocks.
    pub blocks: usize,
    /// Time to allocate what one message needs, in nanoseconds.
    pub ns_per_allocation: f64,
    /// Time to look it up and use it up at the other end, in nanoseconds.
    pub ns_per_receipt: f64,
    /// Resident memory of one end for each byte; where they are too few to tell, nothing.
    pub memory_per_byte: Option<f64>,
}

//! The measured data. The fields are those of `growth.json` and of the CSV files.

use serde::Serialize;

use crate::measure::Provenance;
use crate::throughput::condition::Subject;

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Growth {
    /// Where, when and how it was measured.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Time for a key against the number of hubs.
    pub hubs: Vec<ClusterPoint>,
    /// Time for a key against the number of clients.
    pub clients: Vec<ClusterPoint>,
    /// Time and memory against the shares that a hub holds.
    pub shares: Vec<SharesPoint>,
    /// Time and memory against the size of a pool.
    pub pools: Vec<PoolPoint>,
}

/// A cluster, measured once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClusterPoint {
    /// How its nodes run.
    pub subject: Subject,
    /// Hubs (N).
    pub hubs: u8,
    /// Clients, all of which establish and fetch.
    pub clients: usize,
    /// Time for each key that both sides got, in microseconds.
    pub us_per_key: f64,
    /// Operations that failed.
    pub failed: u64,
}

/// A store that holds so many shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SharesPoint {
    /// Shares held during the measurement.
    pub shares: usize,
    /// Time to store one more share, hand it out and erase it, in nanoseconds.
    pub ns_per_share: f64,
    /// Resident memory for each share; `None` where there are too few for a reliable figure.
    pub bytes_per_share: Option<f64>,
}

/// Both ends of a pool of this size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PoolPoint {
    /// Bytes in the full pool.
    pub pool_bytes: usize,
    /// Blocks in the full pool.
    pub blocks: usize,
    /// Time to allocate what one message needs, in nanoseconds.
    pub ns_per_allocation: f64,
    /// Time to look the allocation up and use it up at the other end, in nanoseconds.
    pub ns_per_receipt: f64,
    /// Resident memory of one end for each byte; `None` where there are too few bytes for a reliable figure.
    pub memory_per_byte: Option<f64>,
}

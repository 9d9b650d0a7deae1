//! What a link is told when it is built.

use std::time::Duration;

use uuid::Uuid;

use crate::protocol::limits::NodeLimits;
use crate::protocol::{NodeName, SaeId};

/// What a link is told when it is built.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// The client that it belongs to.
    pub client: NodeName,
    /// The client's start, which it tells the hub when it registers.
    pub start: Uuid,
    /// The SAEs whose calls it serves.
    pub saes: Vec<SaeId>,
    /// Bytes of a block of PSRD.
    pub block_bytes: usize,
    /// A pool with fewer bytes than this is refilled.
    pub low_water_bytes: usize,
    /// How long to wait for one response.
    pub request_timeout: Duration,
    /// How much it has in flight, and what it tolerates.
    pub limits: NodeLimits,
}

//! What a client tells about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crypto::robust::Work;
use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, canary};
use crate::protocol::responder::Blame;
use crate::protocol::{NodeName, SaeId};

use super::super::link::LinkStatus;

/// What a client tells about itself. No secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientStatus {
    /// Its name.
    pub name: NodeName,
    /// Milliseconds since its start.
    pub uptime_ms: u64,
    /// The SAEs that it serves.
    pub saes: Vec<SaeId>,
    /// Keys that it remembers as handed out.
    pub claims: usize,
    /// Calls of SAEs that have not ended.
    pub calls_in_flight: usize,
    /// Its hubs.
    pub hubs: Vec<HubPeerStatus>,
    /// Counters since the start.
    #[serde(flatten)]
    pub counters: Counters,
}

/// A hub in a [`ClientStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HubPeerStatus {
    /// The hub's name.
    pub name: NodeName,
    /// Its x coordinate.
    pub x: ShareIndex,
    /// How it was caught lying, and how often.
    pub blame: BTreeMap<String, u64>,
    /// The link to it.
    #[serde(flatten)]
    pub link: LinkStatus,
}

/// Counters of a client since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counters {
    /// Keys that master SAEs asked for.
    pub keys_requested: u64,
    /// Keys that master SAEs were given.
    pub keys_established: u64,
    /// Keys that slave SAEs were given.
    pub keys_fetched: u64,
    /// Calls by master SAEs that failed.
    pub establish_failures: u64,
    /// Calls by slave SAEs that failed.
    pub fetch_failures: u64,
    /// Shares that reached their hub after the call had returned.
    pub late_shares: u64,
    /// Keys for which wrong shares were located by error correction.
    pub error_corrections: u64,
    /// Keys for which subsets of the shares had to be searched, or the shares of hubs left out that were wrong about another
    /// key of the call.
    pub subset_searches: u64,
    /// Subsets of shares that were tried in searches, also where none was right.
    pub subsets_tried: u64,
    /// Bytes of shares that were put together for them.
    pub search_bytes: u64,
    /// Keys for which two different values both fitted.
    pub alarms: u64,
    #[serde(skip)]
    blamed: BTreeMap<ShareIndex, BTreeMap<String, u64>>,
}

impl Counters {
    /// How a hub was caught lying, and how often.
    pub(super) fn blame_of(&self, x: ShareIndex) -> BTreeMap<String, u64> {
        self.blamed.get(&x).cloned().unwrap_or_default()
    }

    pub(super) fn add_work(&mut self, work: Work) {
        self.subsets_tried += work.subsets as u64;
        self.search_bytes += work.bytes as u64;
    }

    pub(super) fn blame(&mut self, Blame { mut x, what }: Blame) {
        if canary(Canary::BlameNeighbour) {
            x = ShareIndex::new(x.get() % 3 + 1).unwrap_or(x);
        }
        let hub = self.blamed.entry(x).or_default();
        *hub.entry(what.kind().to_owned()).or_default() +=
            1 + u64::from(canary(Canary::BlamedTwice));
    }
}

//! What a client is told when it is built.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::crypto::shamir::{ShareIndex, Sharing};
use crate::protocol::initiator::KeySource;
use crate::protocol::limits::NodeLimits;
use crate::protocol::{NodeName, SaeId};

use super::super::handed_out::ClaimTimes;

/// Sizes and numbers of keys that a client hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// Size of a key when the SAE does not say, in bits.
    pub default_bits: usize,
    /// Smallest key, in bits.
    pub min_bits: usize,
    /// Largest key, in bits.
    pub max_bits: usize,
    /// Keys in one call at most.
    pub per_request_max: usize,
    /// Largest `stored_key_count` that is ever reported.
    pub stored_max: usize,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// One request to a hub.
    pub request_timeout: Duration,
    /// A call by an SAE.
    pub call_deadline: Duration,
    /// Waiting for the other hubs once K have a share.
    pub grace: Duration,
    /// Delivering late shares in the background, counted from the start of the call.
    pub background: Duration,
    /// How long a hub holds a share that nobody fetches.
    pub share_ttl: Duration,
    /// How long a hub hands a share to the same SAE again, after it first did.
    pub linger: Duration,
}

impl Timing {
    /// How long a client has to remember what it hands out.
    ///
    /// A key can be fetched as soon as its call has begun. From then on its shares go out for the background time, and each
    /// is held for its time to live. Whoever asks just before that is over has a hub answer within the deadline of a call.
    pub(super) fn claims(&self) -> ClaimTimes {
        ClaimTimes {
            share_life: self.background + self.share_ttl + self.call_deadline,
            repeats: self.linger + self.call_deadline,
        }
    }
}

/// A hub as a client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubPeer {
    /// Its x coordinate.
    pub x: ShareIndex,
    /// Its name.
    pub name: NodeName,
}

/// What a client is told when it is built.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Its name, which is also its KME ID.
    pub name: NodeName,
    /// Every SAE of the topology, with the client that serves it.
    pub saes: BTreeMap<SaeId, NodeName>,
    /// The hubs.
    pub hubs: Vec<HubPeer>,
    /// Threshold and number of hubs.
    pub sharing: Sharing,
    /// Sizes and numbers of keys.
    pub keys: KeyLimits,
    /// Where the randomness of keys comes from.
    pub key_source: KeySource,
    /// How long things may take.
    pub timing: Timing,
    /// Bytes of a block of PSRD.
    pub block_bytes: usize,
    /// A pool with fewer bytes than this is refilled.
    pub low_water_bytes: usize,
    /// How much it has in flight, how much it searches, and what it tolerates.
    pub limits: NodeLimits,
}

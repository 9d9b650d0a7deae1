//! What a hub tells about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crypto::shamir::ShareIndex;
use crate::protocol::names::NodeName;

/// What a hub tells about itself. No secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HubStatus {
    /// Its name.
    pub name: NodeName,
    /// Its x coordinate.
    pub x: ShareIndex,
    /// Milliseconds since its start.
    pub uptime_ms: u64,
    /// Shares held.
    pub shares_held: usize,
    /// Most shares that it holds.
    pub shares_max: usize,
    /// Bytes of the shares held.
    pub share_bytes_held: usize,
    /// Most bytes of shares that it holds.
    pub share_bytes_max: usize,
    /// What each client of the topology takes of that.
    pub holdings: Vec<Holding>,
    /// Registered clients.
    pub peers: Vec<PeerStatus>,
    /// Messages served since the start, by kind.
    pub served: BTreeMap<String, u64>,
    /// Messages refused since the start, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// What a client's SAEs take of the hub's room, in a [`HubStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Holding {
    /// The client's name.
    pub client: NodeName,
    /// Shares of its SAEs' keys.
    pub shares_held: usize,
    /// Shares for which there is room whatever other clients do.
    pub shares_guaranteed: usize,
    /// Bytes of the shares held.
    pub share_bytes_held: usize,
    /// Bytes of shares for which there is room whatever other clients do.
    pub share_bytes_guaranteed: usize,
}

/// A registered client in a [`HubStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerStatus {
    /// The client's name.
    pub client: NodeName,
    /// PSRD bytes left for the client's requests.
    pub up_bytes_left: usize,
    /// PSRD bytes left for the hub's responses.
    pub down_bytes_left: usize,
}

//! Registration and delivery of PSRD: calls outside of the protocol. In real life, what they do is done out of band.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::crypto::shamir::ShareIndex;
use crate::protocol::channel::PoolOwner;
use crate::protocol::names::NodeName;

/// Why a hub does not serve an out-of-band call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OobError {
    /// The client is not in the hub's topology.
    #[error("client {client} is not in this hub's topology")]
    UnknownClient {
        /// The name it gave.
        client: String,
    },
    /// The registration is not the current one: the hub has restarted, or the client registered again.
    #[error("this registration is no longer valid; register again")]
    StaleRegistration,
    /// The block size is not that of the hub's topology.
    #[error("a block of this hub has {block_bytes} bytes, not {size}; use the hub's topology")]
    BlockSize {
        /// The size asked for.
        size: usize,
        /// The size in the hub's topology.
        block_bytes: usize,
    },
    /// There is enough PSRD already.
    #[error("the pool takes no more: {reason}")]
    PoolFull {
        /// What the pool says.
        reason: String,
    },
}

/// A client's request for PSRD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PsrdRequest {
    /// The client.
    pub client: NodeName,
    /// The registration under which it asks.
    pub registration: Uuid,
    /// The pool that the block is for.
    pub owner: PoolOwner,
    /// Bytes of the block: those of the topology.
    pub size: usize,
}

/// A client's request to be registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RegistrationRequest {
    /// The client.
    pub client: NodeName,
    /// The client's start, drawn at random when it starts. A client that has restarted does not know what it handed to its
    /// SAEs before, so a hub hands a share out again only during the same start. Without it, each registration counts as a
    /// start of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Uuid>,
}

/// What a hub answers to a [`RegistrationRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The hub's name.
    pub hub: NodeName,
    /// The hub's x coordinate.
    pub x: ShareIndex,
    /// The registration, which the client names in every [`PsrdRequest`].
    pub registration: Uuid,
}

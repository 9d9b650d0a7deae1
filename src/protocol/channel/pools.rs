//! One end of a channel: a pool to spend from, and a pool that the peer spends from.

use std::marker::PhantomData;

use crate::crypto::mac::{MAC_KEY_BYTES, MacKey};
use crate::crypto::secret::Secret;
use crate::harness::{Canary, canary};
use crate::protocol::limits::BLOCKS_MAX;
use crate::protocol::signature::Signature;
use crate::psrd::{Block, PoolError, PoolLimits, ReceivingPool, SpendingPool};

use super::pads::mac_key;

/// Which end allocates from a pool.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PoolOwner {
    /// The *up* pool: the client allocates, for its requests.
    Client,
    /// The *down* pool: the hub allocates, for its responses.
    Hub,
}

/// Which side of the channel an end is on.
pub trait Side {
    /// The pool from which this side allocates.
    const OWNER: PoolOwner;
}

/// The client's side.
pub enum ClientSide {}

/// The hub's side.
pub enum HubSide {}

impl Side for ClientSide {
    const OWNER: PoolOwner = PoolOwner::Client;
}

impl Side for HubSide {
    const OWNER: PoolOwner = PoolOwner::Hub;
}

/// One end of the channel between a client and a hub. A new one has no PSRD.
pub struct ChannelEnd<S> {
    /// The pool from which this end allocates.
    pub(super) own: SpendingPool,
    /// The pool from which the peer allocates.
    pub(super) peers: ReceivingPool,
    side: PhantomData<S>,
}

/// The client's end of its channel to one hub.
pub type ClientEnd = ChannelEnd<ClientSide>;

/// A hub's end of its channel to one client.
pub type HubEnd = ChannelEnd<HubSide>;

/// Why PSRD that a message names does not serve. Nothing has been consumed.
pub(super) enum Unfit {
    /// The pool refuses the allocation.
    Allocation(PoolError),
    /// The MAC does not fit.
    Mac,
}

impl<S> Default for ChannelEnd<S> {
    fn default() -> Self {
        Self::new(PoolLimits::default())
    }
}

impl<S> ChannelEnd<S> {
    /// Without PSRD. The limits are those of the pool from which the peer allocates.
    #[must_use]
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            own: SpendingPool::new(BLOCKS_MAX),
            peers: ReceivingPool::new(BLOCKS_MAX, limits),
            side: PhantomData,
        }
    }
}

impl<S: Side> ChannelEnd<S> {
    /// Adds a block of delivered PSRD to one of the pools.
    ///
    /// # Errors
    /// If the pool is full or knows the block.
    pub fn add(&mut self, owner: PoolOwner, block: Block) -> Result<(), PoolError> {
        if canary(Canary::PoolsShared) && owner == PoolOwner::Client {
            self.add_to(PoolOwner::Hub, block.copy())?;
        }
        self.add_to(owner, block)
    }

    fn add_to(&mut self, owner: PoolOwner, block: Block) -> Result<(), PoolError> {
        if owner == S::OWNER {
            self.own.add(block)
        } else {
            self.peers.add(block)
        }
    }

    /// Bytes left in one of the pools, as far as this end can know.
    #[must_use]
    pub fn left(&self, owner: PoolOwner) -> usize {
        if owner == S::OWNER {
            self.own.left()
        } else {
            self.peers.left()
        }
    }

    /// Whether one of the pools has room for a block of so many bytes.
    ///
    /// # Errors
    /// [`PoolError::Full`].
    pub fn check_room(&self, owner: PoolOwner, bytes: usize) -> Result<(), PoolError> {
        if owner == S::OWNER {
            self.own.check_room(bytes)
        } else {
            self.peers.check_room(bytes)
        }
    }

    /// Takes the PSRD of a message out of the peer's pool if its MAC `fits`. Before that only the MAC key is looked at:
    /// anyone can name as much PSRD as there is.
    pub(super) fn verify(
        &mut self,
        signature: &Signature,
        fits: impl FnOnce(&MacKey) -> bool,
    ) -> Result<Secret, Unfit> {
        let allocation = &signature.allocation;
        let key = self.peers.peek(allocation, MAC_KEY_BYTES);
        let key = mac_key(&key.map_err(Unfit::Allocation)?).ok_or(Unfit::Mac)?;
        if !fits(&key) {
            self.peers.mac_failed(allocation);
            return Err(Unfit::Mac);
        }
        self.peers.consume(allocation).map_err(Unfit::Allocation)
    }
}

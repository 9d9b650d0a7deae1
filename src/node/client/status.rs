//! What a client tells about itself.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::mac::MAC_KEY_BYTES;
use crate::crypto::shamir::ShareIndex;
use crate::harness::{Canary, canary};
use crate::protocol::responder::Blame;
use crate::protocol::{NodeName, SaeId};

use super::super::link::{GetLinkStatus, LinkStatus};
use super::{Core, GetStatus, KmeError, KmeStatus};

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
    /// Keys for which subsets of the shares had to be searched.
    pub subset_searches: u64,
    /// Keys for which two different values both fitted.
    pub alarms: u64,
    #[serde(skip)]
    blamed: BTreeMap<ShareIndex, BTreeMap<String, u64>>,
}

impl Counters {
    pub(super) fn blame(&mut self, Blame { mut x, what }: Blame) {
        if canary(Canary::BlameNeighbour) {
            x = ShareIndex::new(x.get() % 3 + 1).unwrap_or(x);
        }
        let hub = self.blamed.entry(x).or_default();
        *hub.entry(what.kind().to_owned()).or_default() += 1;
    }
}

impl Core {
    pub(super) async fn client_status(self: Rc<Self>) -> ClientStatus {
        let mut hubs = Vec::with_capacity(self.config.hubs.len());
        for hub in &self.config.hubs {
            let link = self.link_status(hub.x).await;
            let blamed = &self.counters.borrow().blamed;
            hubs.push(HubPeerStatus {
                name: hub.name.clone(),
                x: hub.x,
                blame: blamed.get(&hub.x).cloned().unwrap_or_default(),
                link,
            });
        }
        let own = self.config.saes.iter();
        ClientStatus {
            name: self.config.name.clone(),
            uptime_ms: u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX),
            saes: own
                .filter(|(_, home)| **home == self.config.name)
                .map(|(sae, _)| sae.clone())
                .collect(),
            hubs,
            counters: self.counters.borrow().clone(),
        }
    }

    pub(super) async fn kme_status(
        self: Rc<Self>,
        message: GetStatus,
    ) -> Result<KmeStatus, KmeError> {
        self.check_caller(&message.caller)?;
        let target_kme = self.home_of(&message.slave_sae)?.clone();
        Ok(KmeStatus {
            source_kme: self.config.name.clone(),
            target_kme,
            master_sae: message.caller,
            slave_sae: message.slave_sae,
            keys: self.config.keys,
            stored_key_count: self.stored_key_count().await,
        })
    }

    /// Keys of default size that the PSRD at hand allows: what the hub with the K-th largest pool can carry.
    async fn stored_key_count(&self) -> usize {
        let cost = MAC_KEY_BYTES + TAG_SECRET_BYTES + self.config.keys.default_bits / 8;
        let mut by_hub = Vec::with_capacity(self.config.hubs.len());
        for hub in &self.config.hubs {
            by_hub.push(self.link_status(hub.x).await.up_bytes_left / cost);
        }
        by_hub.sort_unstable_by(|a, b| b.cmp(a));
        let threshold = usize::from(self.config.sharing.threshold());
        let count = by_hub.get(threshold - 1).copied().unwrap_or(0);
        count.min(self.config.keys.stored_max)
    }

    async fn link_status(&self, x: ShareIndex) -> LinkStatus {
        match self.links.get(&x) {
            Some(link) => link.send(GetLinkStatus).await.unwrap_or_default(),
            None => LinkStatus::default(),
        }
    }
}

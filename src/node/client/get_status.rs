//! Get status, and the management status: what a client reports.

use std::rc::Rc;

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::mac::MAC_KEY_BYTES;
use crate::harness::{Canary, canary};

use super::error::KmeError;
use super::kme::Kme;
use super::message::{GetStatus, KmeStatus};
use super::status::{ClientStatus, HubPeerStatus};

impl Kme {
    pub(super) async fn client_status(self: Rc<Self>) -> ClientStatus {
        let mut hubs = Vec::with_capacity(self.config.hubs.len());
        for hub in &self.config.hubs {
            let link = self.hubs.status(hub.x).await;
            hubs.push(HubPeerStatus {
                name: hub.name.clone(),
                x: hub.x,
                blame: self.counters.borrow().blame_of(hub.x),
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
            claims: self.handed_out.borrow().len(),
            calls_in_flight: self.calls_in_flight(),
            hubs,
            counters: self.counters.borrow().clone(),
        }
    }

    pub(super) async fn kme_status(
        self: Rc<Self>,
        message: GetStatus,
    ) -> Result<KmeStatus, KmeError> {
        self.config.check_caller(&message.caller)?;
        let target_kme = self.config.home_of(&message.slave_sae)?.clone();
        Ok(KmeStatus {
            source_kme: self.config.name.clone(),
            target_kme,
            master_sae: message.caller,
            slave_sae: message.slave_sae,
            keys: self.config.keys,
            stored_key_count: self.stored_key_count().await,
        })
    }

    /// Number of keys of default size that the PSRD at hand allows: what the hub with the K-th largest pool can carry.
    async fn stored_key_count(&self) -> usize {
        let cost = MAC_KEY_BYTES + TAG_SECRET_BYTES + self.config.keys.default_bits / 8;
        let mut by_hub = Vec::with_capacity(self.config.hubs.len());
        for hub in &self.config.hubs {
            by_hub.push(self.hubs.status(hub.x).await.up_bytes_left / cost);
        }
        by_hub.sort_unstable_by(|a, b| b.cmp(a));
        let threshold = match canary(Canary::StatusOfBest) {
            true => 1,
            false => usize::from(self.config.sharing.threshold()),
        };
        let count = by_hub.get(threshold - 1).copied().unwrap_or(0);
        count.min(self.config.keys.stored_max)
    }
}

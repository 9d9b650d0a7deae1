//! What a hub is told when it is built, and what it refuses because of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::shamir::{ShareIndex, Sharing};
use crate::harness::{Canary, canary};
use crate::protocol::limits::{KEY_BYTES_MAX, KEYS_PER_MESSAGE_MAX, NodeLimits, SLAVE_SAES_MAX};
use crate::protocol::message::{DepositBody, FetchQuery, Plain, Withdrawal};
use crate::protocol::names::{NodeName, SaeId};
use crate::protocol::refusal::{Refusal, within};
use crate::protocol::store::StoreLimits;

/// What a hub is told when it is built.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Its name.
    pub name: NodeName,
    /// Its x coordinate, which never changes.
    pub x: ShareIndex,
    /// Threshold and number of hubs.
    pub sharing: Sharing,
    /// The clients it knows, each with the SAEs that the client serves.
    pub clients: BTreeMap<NodeName, BTreeSet<SaeId>>,
    /// How many shares the hub holds, and how long.
    pub store: StoreLimits,
    /// Bytes of a block of PSRD. There is no other size.
    pub block_bytes: usize,
    /// What it tolerates and remembers.
    pub limits: NodeLimits,
}

impl HubConfig {
    /// Refuses a deposit of another topology, for an SAE of another client, or outside of the limits.
    pub(super) fn check_deposit(
        &self,
        client: &NodeName,
        deposit: &DepositBody<Plain>,
    ) -> Result<(), Refusal> {
        for (what, theirs, ours) in [
            ("hubs", deposit.hubs, self.sharing.shares()),
            ("threshold", deposit.threshold, self.sharing.threshold()),
            ("x", deposit.x, self.x.get()),
        ] {
            if theirs != ours {
                return Err(Refusal::TopologyMismatch {
                    what: what.to_owned(),
                    theirs,
                    ours,
                });
            }
        }
        self.check_served(client, &deposit.master_sae)?;
        check_number_of_keys(deposit.keys.len())?;
        within("slave SAEs", deposit.slave_saes.len(), 1, SLAVE_SAES_MAX)?;
        within("bytes of a key", deposit.size, 1, KEY_BYTES_MAX)?;
        let distinct: BTreeSet<_> = deposit.slave_saes.iter().collect();
        if distinct.len() != deposit.slave_saes.len() {
            return Err(Refusal::AuthenticMalformed {
                reason: "a slave SAE is named twice".to_owned(),
            });
        }
        let size = deposit.size + TAG_SECRET_BYTES;
        let mut shares = deposit.keys.iter().map(|key| key.share.0.len());
        shares.try_for_each(|share| within("bytes of a share", share, size, size))
    }

    /// Refuses a fetch for an SAE of another client, or outside of the limits.
    pub(super) fn check_fetch(&self, client: &NodeName, query: &FetchQuery) -> Result<(), Refusal> {
        self.check_served(client, &query.slave_sae)?;
        check_number_of_keys(query.key_ids.len())
    }

    /// Refuses a withdrawal for an SAE of another client, or outside of the limits.
    pub(super) fn check_withdrawal(
        &self,
        client: &NodeName,
        withdrawal: &Withdrawal,
    ) -> Result<(), Refusal> {
        self.check_served(client, &withdrawal.master_sae)?;
        check_number_of_keys(withdrawal.key_ids.len())
    }

    fn check_served(&self, client: &NodeName, sae: &SaeId) -> Result<(), Refusal> {
        let served = self.clients.get(client);
        if served.is_some_and(|saes| saes.contains(sae)) || canary(Canary::AnyoneMaySpeak) {
            return Ok(());
        }
        Err(foreign_sae(client, sae))
    }
}

pub(super) fn foreign_sae(client: &NodeName, sae: &SaeId) -> Refusal {
    if canary(Canary::WrongCode)
        && let Err(refusal) = check_number_of_keys(0)
    {
        return refusal;
    }
    Refusal::ForeignSae {
        client: client.to_string(),
        sae: sae.to_string(),
    }
}

fn check_number_of_keys(keys: usize) -> Result<(), Refusal> {
    within("keys in a message", keys, 1, KEYS_PER_MESSAGE_MAX)
}

//! What several checks need to know, worked out once from what was seen.

use std::collections::BTreeMap;

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::shamir::{Share, ShareIndex, interpolate};
use dske::protocol::message::{DepositOutcome, DepositReply};
use dske::protocol::{KeyId, Method, SaeId};
use zeroize::Zeroizing;

use crate::observer::Observation;
use crate::observer::record::{Call, CallKind, Seen};

/// What was seen, with conclusions.
pub struct Facts<'a> {
    /// What was seen.
    pub seen: &'a Observation,
    /// The shares of every key as their initiators sent them.
    pub shares: BTreeMap<KeyId, BTreeMap<ShareIndex, Share>>,
    /// The SAEs that may fetch each key, as its initiator named them.
    pub slaves: BTreeMap<KeyId, Vec<SaeId>>,
    /// Key → hub → when the hub first said that it holds a share.
    pub accepted: BTreeMap<KeyId, BTreeMap<usize, u64>>,
}

impl<'a> Facts<'a> {
    /// Works out the facts.
    #[must_use]
    pub fn new(seen: &'a Observation) -> Self {
        let drawn = seen.drawn();
        Self {
            shares: drawn.shares,
            slaves: drawn.slaves,
            accepted: accepted(seen),
            seen,
        }
    }

    /// The secret Y = u ‖ S that was drawn for a key, if K of its shares were sent.
    #[must_use]
    pub fn secret(&self, key_id: KeyId) -> Option<Zeroizing<Vec<u8>>> {
        let threshold = usize::from(self.seen.plan.cluster.threshold);
        let points: Vec<&Share> = self.shares.get(&key_id)?.values().take(threshold).collect();
        if points.len() < threshold {
            return None;
        }
        interpolate(&points, 0).ok()
    }

    /// The user key S that was drawn.
    #[must_use]
    pub fn key(&self, key_id: KeyId) -> Option<Zeroizing<Vec<u8>>> {
        let secret = self.secret(key_id)?;
        Some(Zeroizing::new(secret.get(TAG_SECRET_BYTES..)?.to_vec()))
    }

    /// Calls of one kind.
    pub fn calls(&self, kind: CallKind) -> impl Iterator<Item = &'a Call> {
        self.seen.calls.iter().filter(move |call| call.kind == kind)
    }

    /// The master's call that belongs to another.
    #[must_use]
    pub fn master_of(&self, call: &Call) -> Option<&'a Call> {
        self.calls(CallKind::Master)
            .find(|master| master.id == call.id)
    }

    /// How long before a call the network and the nodes have to be undisturbed, in milliseconds: a request that was
    /// lost has to time out first, and the next attempt may meet another one.
    #[must_use]
    pub fn settle_ms(&self) -> u64 {
        2 * self.seen.plan.cluster.request_timeout_ms
    }

    /// The hubs that were honest, up, and undisturbed for a client all the time, with time to settle before.
    #[must_use]
    pub fn good_hubs(&self, client: usize, from_us: u64, until_us: u64) -> Vec<usize> {
        let plan = &self.seen.plan;
        let from_ms = (from_us / 1000).saturating_sub(self.settle_ms());
        let until_ms = until_us / 1000 + 1;
        let good = |hub: &usize| {
            !plan.is_disturbed(client, *hub, from_ms, until_ms)
                && !plan.is_lying(*hub, from_ms, until_ms)
        };
        (0..usize::from(plan.cluster.hubs)).filter(good).collect()
    }
}

fn accepted(seen: &Observation) -> BTreeMap<KeyId, BTreeMap<usize, u64>> {
    let mut accepted: BTreeMap<KeyId, BTreeMap<usize, u64>> = BTreeMap::new();
    for message in &seen.messages {
        let Seen::Said { to, response } = &message.what else {
            continue;
        };
        if to.method != Method::Post || response.status != 200 {
            continue;
        }
        let Ok(reply) = serde_json::from_slice::<DepositReply>(&response.body) else {
            continue;
        };
        for key in reply.keys {
            if key.outcome == DepositOutcome::Stored {
                let hubs = accepted.entry(key.key_id).or_default();
                hubs.entry(message.hub).or_insert(message.at_us);
            }
        }
    }
    accepted
}

//! What is checked of a call before anything is drawn, claimed or spent. A call that has passed is a request of the
//! protocol.

use std::collections::BTreeSet;

use crate::harness::{Canary, canary};
use crate::protocol::initiator::EstablishRequest;
use crate::protocol::limits::{KEYS_PER_MESSAGE_MAX, SLAVE_SAES_MAX};
use crate::protocol::message::FetchQuery;
use crate::protocol::{KeyId, NodeName, SaeId};

use super::capacity::Capacity;
use super::config::ClientConfig;
use super::error::KmeError;
use super::message::{GetKey, GetKeyWithIds};

impl ClientConfig {
    /// Whether this client serves the SAE.
    pub(super) fn check_caller(&self, caller: &SaeId) -> Result<(), KmeError> {
        if self.saes.get(caller) == Some(&self.name) {
            Ok(())
        } else {
            Err(KmeError::UnknownCaller(caller.clone()))
        }
    }

    /// The client that serves an SAE.
    pub(super) fn home_of(&self, sae: &SaeId) -> Result<&NodeName, KmeError> {
        let home = self.saes.get(sae);
        home.ok_or_else(|| KmeError::UnknownSae(sae.clone()))
    }

    pub(super) fn check_get_key(
        &self,
        GetKey {
            caller,
            mut slave_saes,
            number,
            size_bits,
        }: GetKey,
    ) -> Result<EstablishRequest, KmeError> {
        self.check_caller(&caller)?;
        // Who is named twice is meant once.
        let mut seen = BTreeSet::new();
        slave_saes.retain(|sae| seen.insert(sae.clone()));
        check_range("slave SAEs", slave_saes.len(), 1, SLAVE_SAES_MAX)?;
        let looked_up = match canary(Canary::MemberUnchecked) {
            true => 1,
            false => slave_saes.len(),
        };
        for sae in slave_saes.iter().take(looked_up) {
            self.home_of(sae)?;
        }
        if canary(Canary::GroupMemberDropped) {
            slave_saes.truncate(1);
        }
        let limits = self.keys;
        let number = number.unwrap_or(1);
        check_range("number", number, 1, limits.per_request_max)?;
        let bits = size_bits.unwrap_or(limits.default_bits);
        // Before the range: clause 6.2 gives the words for whatever is no multiple of 8.
        if !bits.is_multiple_of(8) {
            return Err(KmeError::SizeNotMultipleOf8);
        }
        let longer = 8 * usize::from(canary(Canary::SizeLimitOff));
        check_range("size", bits, limits.min_bits, limits.max_bits + longer)?;
        let number_max = Capacity::new(self.block_bytes).keys_max(bits / 8);
        if number > number_max {
            return Err(KmeError::TooMuch {
                number,
                bits,
                number_max,
            });
        }
        Ok(EstablishRequest {
            client: self.name.clone(),
            master_sae: caller,
            slave_saes,
            size: bits / 8,
            number,
        })
    }

    pub(super) fn check_get_key_with_ids(
        &self,
        GetKeyWithIds {
            caller,
            master_sae,
            key_ids,
        }: GetKeyWithIds,
    ) -> Result<FetchQuery, KmeError> {
        self.check_caller(&caller)?;
        self.home_of(&master_sae)?;
        check_range("key IDs", key_ids.len(), 1, KEYS_PER_MESSAGE_MAX)?;
        check_distinct(&key_ids)?;
        Ok(FetchQuery {
            client: self.name.clone(),
            slave_sae: caller,
            master_sae,
            key_ids,
        })
    }
}

fn check_range(what: &'static str, got: usize, min: usize, max: usize) -> Result<(), KmeError> {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(KmeError::OutOfRange {
        what,
        min,
        max,
        got,
    })
}

fn check_distinct(key_ids: &[KeyId]) -> Result<(), KmeError> {
    let mut seen = BTreeSet::new();
    let mut is_twice = |key_id: &KeyId| !seen.insert(*key_id) && !canary(Canary::IdTwiceTaken);
    match key_ids.iter().find(|key_id| is_twice(key_id)) {
        Some(key_id) => Err(KmeError::KeyTwice(*key_id)),
        None => Ok(()),
    }
}

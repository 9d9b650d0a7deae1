//! How much of a hub's room the shares of each master SAE take, and may take.
//!
//! Half of the room is guaranteed, in equal parts to the clients, and each client's part in equal parts to its SAEs. The
//! other half is common: whoever needs more than its part borrows of it. So nobody can fill a hub for the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{Canary, canary};
use crate::protocol::accounts::Accounts;
use crate::protocol::names::{NodeName, SaeId};

use super::StoreLimits;

/// An account for each SAE, of shares and of their bytes.
pub(super) struct Holdings {
    numbers: BTreeMap<SaeId, usize>,
    shares: Accounts,
    bytes: Accounts,
}

/// What the shares of some SAEs take, and what is guaranteed to these SAEs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Shares held.
    pub shares: usize,
    /// Shares for which there is room whatever others do.
    pub shares_guaranteed: usize,
    /// Bytes of the shares held.
    pub bytes: usize,
    /// Bytes of shares for which there is room whatever others do.
    pub bytes_guaranteed: usize,
}

impl Holdings {
    pub(super) fn new(limits: &StoreLimits, clients: &BTreeMap<NodeName, BTreeSet<SaeId>>) -> Self {
        let parts = |max: usize| {
            let guaranteed = if canary(Canary::AccountsForgotten) {
                0
            } else {
                max / 2
            };
            let max = if canary(Canary::StoreUnbounded) {
                usize::MAX
            } else if canary(Canary::LendsNothing) {
                guaranteed
            } else {
                max
            };
            let of_client = guaranteed / clients.len().max(1);
            let of_sae = move |saes: &BTreeSet<SaeId>| of_client / saes.len().max(1);
            let saes = clients.values();
            let parts = saes.flat_map(|saes| saes.iter().map(move |_| of_sae(saes)));
            Accounts::new(max, parts)
        };
        Self {
            numbers: clients.values().flatten().cloned().zip(0..).collect(),
            shares: parts(limits.shares_max),
            bytes: parts(limits.bytes_max),
        }
    }

    /// The number of an SAE's account.
    pub(super) fn account(&self, sae: &SaeId) -> Option<usize> {
        self.numbers.get(sae).copied()
    }

    /// Takes room for one share of so many bytes, or none.
    pub(super) fn take(&mut self, account: usize, bytes: usize) -> bool {
        if !self.shares.take(account, 1) {
            return false;
        }
        let taken = self.bytes.take(account, bytes);
        if !taken {
            self.shares.give_back(account, 1);
        }
        taken
    }

    /// Gives back what was taken for one share.
    pub(super) fn give_back(&mut self, account: usize, bytes: usize) {
        self.shares.give_back(account, 1);
        self.bytes.give_back(account, bytes);
    }

    /// What the shares of these SAEs take together.
    pub(super) fn held<'a>(&self, saes: impl IntoIterator<Item = &'a SaeId>) -> Held {
        let accounts = saes.into_iter().filter_map(|sae| self.account(sae));
        accounts.fold(Held::default(), |held, account| Held {
            shares: held.shares + self.shares.used(account),
            shares_guaranteed: held.shares_guaranteed + self.shares.guarantee(account),
            bytes: held.bytes + self.bytes.used(account),
            bytes_guaranteed: held.bytes_guaranteed + self.bytes.guarantee(account),
        })
    }
}

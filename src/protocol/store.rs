//! The shares that a hub holds: bounded, each with a time to live, each handed to every named SAE once.
//!
//! To look a share up and to hand it out are two steps, since a request for several keys is one: see the hub.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::crypto::key_tag::KeyTag;

use super::message::{DepositOutcome, Plain};
use super::names::{KeyId, NodeName, SaeId};

/// A share with all that the hub knows about its key.
#[derive(Debug, Clone)]
pub struct HeldShare {
    /// The client that deposited it.
    pub depositor: NodeName,
    /// The SAE that asked for the key.
    pub master_sae: SaeId,
    /// The SAEs that may fetch it.
    pub slave_saes: Vec<SaeId>,
    /// Bytes of the user key.
    pub size: usize,
    /// The public tag.
    pub tag: KeyTag,
    /// The share.
    pub share: Plain,
}

impl HeldShare {
    /// Whether the same deposit was made again: every part equal, the share compared in constant time.
    fn same_as(&self, other: &Self) -> bool {
        self.depositor == other.depositor
            && self.master_sae == other.master_sae
            && self.slave_saes == other.slave_saes
            && self.size == other.size
            && self.tag == other.tag
            && bool::from(self.share.0.ct_eq(&other.share.0))
    }
}

struct Entry {
    held: HeldShare,
    expires: Duration,
    /// SAE → when it may no longer ask again.
    fetched: BTreeMap<SaeId, Duration>,
}

/// How long and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Shares at most.
    pub shares_max: usize,
    /// Time to live of a share that is not fetched.
    pub ttl: Duration,
    /// How long after its first fetch an SAE may ask again, since the answer may have been lost on its way.
    pub linger: Duration,
}

/// What the store says to a fetch.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// The share.
    Found(&'a HeldShare),
    /// Never seen, expired, fetched before, or of another master.
    NotFound,
    /// Held, but not for this SAE.
    Forbidden,
}

/// The shares that a hub holds.
pub struct ShareStore {
    limits: StoreLimits,
    entries: BTreeMap<KeyId, Entry>,
    /// The same entries by the time at which they are to be erased.
    by_expiry: BTreeSet<(Duration, KeyId)>,
}

impl ShareStore {
    /// An empty store.
    #[must_use]
    pub fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
        }
    }

    /// Number of shares held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no share is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Erases what has expired by `now`.
    pub fn expire(&mut self, now: Duration) {
        while let Some(&(expires, key_id)) = self.by_expiry.first() {
            if expires > now {
                break;
            }
            self.by_expiry.pop_first();
            self.entries.remove(&key_id);
        }
    }

    /// Holds a share.
    pub fn deposit(&mut self, now: Duration, key_id: KeyId, held: HeldShare) -> DepositOutcome {
        self.expire(now);
        match self.entries.get(&key_id) {
            Some(entry) if entry.held.same_as(&held) => return DepositOutcome::Stored,
            Some(_) => return DepositOutcome::Conflict,
            None if self.entries.len() >= self.limits.shares_max => return DepositOutcome::Full,
            None => {}
        }
        let expires = now + self.limits.ttl;
        self.by_expiry.insert((expires, key_id));
        self.entries.insert(
            key_id,
            Entry {
                held,
                expires,
                fetched: BTreeMap::new(),
            },
        );
        debug_assert_eq!(self.entries.len(), self.by_expiry.len());
        DepositOutcome::Stored
    }

    /// What there is for a slave SAE. Nothing is used up by looking.
    #[must_use]
    pub fn look_up(
        &self,
        now: Duration,
        key_id: KeyId,
        slave_sae: &SaeId,
        master_sae: &SaeId,
    ) -> Lookup<'_> {
        let Some(entry) = self.entries.get(&key_id).filter(|e| e.expires > now) else {
            return Lookup::NotFound;
        };
        if !entry.held.slave_saes.contains(slave_sae) {
            return Lookup::Forbidden;
        }
        let fetched_before = entry
            .fetched
            .get(slave_sae)
            .is_some_and(|&until| until < now);
        if entry.held.master_sae != *master_sae || fetched_before {
            return Lookup::NotFound;
        }
        Lookup::Found(&entry.held)
    }

    /// A slave SAE is being handed the share: it may ask again for the linger time. Once all named SAEs have had it,
    /// it is erased at the end of the last of these times.
    pub fn hand_out(&mut self, now: Duration, key_id: KeyId, slave_sae: &SaeId) {
        let Some(entry) = self.entries.get_mut(&key_id) else {
            return;
        };
        entry
            .fetched
            .entry(slave_sae.clone())
            .or_insert(now + self.limits.linger);
        if entry.fetched.len() == entry.held.slave_saes.len() {
            let last = entry.fetched.values().max().copied().unwrap_or(now);
            if last < entry.expires {
                self.by_expiry.remove(&(entry.expires, key_id));
                self.by_expiry.insert((last, key_id));
                entry.expires = last;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    const LIMITS: StoreLimits = StoreLimits {
        shares_max: 2,
        ttl: Duration::from_secs(60),
        linger: Duration::from_secs(5),
    };

    fn sae(name: &str) -> SaeId {
        name.parse().unwrap()
    }

    fn id(n: u8) -> KeyId {
        format!("00000000-0000-4000-8000-0000000000{n:02x}")
            .parse()
            .unwrap()
    }

    fn held(share: u8, slaves: &[&str]) -> HeldShare {
        HeldShare {
            depositor: "carol".parse().unwrap(),
            master_sae: sae("carol"),
            slave_saes: slaves.iter().map(|s| sae(s)).collect(),
            size: 1,
            tag: "00000000000000000000000000000000".parse().unwrap(),
            share: Plain(Zeroizing::new(vec![share])),
        }
    }

    /// As a hub does it for a single key: what is found is handed out.
    fn fetch<'a>(
        store: &'a mut ShareStore,
        now: Duration,
        key_id: KeyId,
        slave_sae: &SaeId,
        master_sae: &SaeId,
    ) -> Lookup<'a> {
        store.expire(now);
        if let Lookup::Found(_) = store.look_up(now, key_id, slave_sae, master_sae) {
            store.hand_out(now, key_id, slave_sae);
        }
        store.look_up(now, key_id, slave_sae, master_sae)
    }

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn the_same_deposit_again_is_answered_the_same_and_another_is_refused() {
        let mut store = ShareStore::new(LIMITS);
        assert_eq!(
            store.deposit(secs(0), id(1), held(7, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(
            store.deposit(secs(1), id(1), held(7, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(
            store.deposit(secs(1), id(1), held(8, &["b"])),
            DepositOutcome::Conflict
        );
        assert_eq!(
            store.deposit(secs(1), id(1), held(7, &["c"])),
            DepositOutcome::Conflict
        );
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn a_full_store_refuses_and_has_room_again_after_expiry() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), id(1), held(1, &["b"]));
        store.deposit(secs(1), id(2), held(1, &["b"]));
        assert_eq!(
            store.deposit(secs(2), id(3), held(1, &["b"])),
            DepositOutcome::Full
        );
        assert_eq!(
            store.deposit(secs(60), id(3), held(1, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn each_named_sae_fetches_once_within_the_linger_time() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), id(1), held(7, &["b", "c"]));
        let (a, b, c) = (sae("carol"), sae("b"), sae("c"));
        assert!(matches!(
            fetch(&mut store, secs(1), id(1), &b, &a),
            Lookup::Found(_)
        ));
        assert!(matches!(
            fetch(&mut store, secs(5), id(1), &b, &a),
            Lookup::Found(_)
        ));
        assert!(matches!(
            fetch(&mut store, secs(7), id(1), &b, &a),
            Lookup::NotFound
        ));
        // The other SAE is not affected, and after it the share goes.
        assert!(matches!(
            fetch(&mut store, secs(20), id(1), &c, &a),
            Lookup::Found(_)
        ));
        assert_eq!(store.len(), 1);
        store.expire(secs(25));
        assert!(store.is_empty());
    }

    #[test]
    fn strangers_and_wrong_masters_get_nothing_and_use_nothing_up() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), id(1), held(7, &["b"]));
        let (a, b, x) = (sae("carol"), sae("b"), sae("x"));
        assert!(matches!(
            fetch(&mut store, secs(1), id(1), &x, &a),
            Lookup::Forbidden
        ));
        assert!(matches!(
            fetch(&mut store, secs(1), id(1), &a, &a),
            Lookup::Forbidden
        ));
        assert!(matches!(
            fetch(&mut store, secs(1), id(1), &b, &x),
            Lookup::NotFound
        ));
        assert!(matches!(
            fetch(&mut store, secs(1), id(2), &b, &a),
            Lookup::NotFound
        ));
        assert!(matches!(
            fetch(&mut store, secs(50), id(1), &b, &a),
            Lookup::Found(_)
        ));
    }

    #[test]
    fn looking_uses_nothing_up() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), id(1), held(7, &["b"]));
        let (a, b) = (sae("carol"), sae("b"));
        for now in [1, 30, 59] {
            assert!(matches!(
                store.look_up(secs(now), id(1), &b, &a),
                Lookup::Found(_)
            ));
        }
        assert!(matches!(
            store.look_up(secs(60), id(1), &b, &a),
            Lookup::NotFound
        ));
    }

    #[test]
    fn a_share_that_nobody_fetches_expires() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), id(1), held(7, &["b"]));
        store.expire(secs(59));
        assert_eq!(store.len(), 1);
        store.expire(secs(60));
        assert!(store.is_empty());
    }
}

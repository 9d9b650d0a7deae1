//! The shares that a hub holds: bounded, each with a time to live, each handed to every named SAE once.
//!
//! To look a share up and to hand it out are two steps, since a request for several keys is one: see the hub.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::crypto::key_tag::KeyTag;
use crate::harness::{Canary, Mark, canary, reached};

use super::message::{DepositOutcome, Plain};
use super::names::{KeyId, KeyName, SaeId};

/// What all keys of a deposit have in common. One for all of them: a hub holds very many.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// The SAEs that may fetch.
    pub slave_saes: Vec<SaeId>,
    /// Bytes of each user key.
    pub size: usize,
}

/// A share with all that the hub knows about its key, besides its name.
#[derive(Debug, Clone)]
pub struct HeldShare {
    /// Who may fetch it, and the size of the key.
    pub terms: Arc<Terms>,
    /// The public tag.
    pub tag: KeyTag,
    /// The share.
    pub share: Plain,
}

impl HeldShare {
    /// Whether the same deposit was made again: every part equal, the share compared in constant time.
    fn same_as(&self, other: &Self) -> bool {
        self.terms == other.terms
            && self.tag == other.tag
            && bool::from(self.share.0.ct_eq(&other.share.0))
    }
}

struct Entry {
    held: HeldShare,
    expires: Time,
    /// Who has been handed it. Nobody has most of the time, and then it should take no room.
    fetched: Option<Box<Fetched>>,
}

/// SAEs, each with the time after which it may no longer ask again.
type Fetched = BTreeMap<SaeId, Time>;

/// A time in nanoseconds: half of what a `Duration` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Time(u64);

impl From<Duration> for Time {
    fn from(time: Duration) -> Self {
        Self(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }
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
    /// Never seen, expired, or fetched before.
    NotFound,
    /// Held, but not for this SAE.
    Forbidden,
}

/// The shares that a hub holds. What it costs to find, hold or erase one grows with the logarithm of their number.
pub struct ShareStore {
    limits: StoreLimits,
    /// By master SAE, then by key ID; no master is without a share.
    entries: BTreeMap<SaeId, BTreeMap<KeyId, Entry>>,
    /// The same entries by the time at which they are to be erased.
    by_expiry: BTreeSet<(Time, KeyName)>,
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
        self.by_expiry.len()
    }

    /// Whether no share is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_expiry.is_empty()
    }

    /// Erases what has expired by `now`.
    pub fn expire(&mut self, now: Duration) {
        while let Some((expires, key)) = self.by_expiry.first() {
            if *expires > now.into() || canary(Canary::ExpiryForgotten) {
                break;
            }
            self.erase(&key.clone());
        }
    }

    fn erase(&mut self, key: &KeyName) {
        let Some(of_master) = self.entries.get_mut(&key.master_sae) else {
            return;
        };
        let erased = of_master.remove(&key.key_id);
        if of_master.is_empty() {
            self.entries.remove(&key.master_sae);
        }
        if let Some(entry) = erased {
            self.by_expiry.remove(&(entry.expires, key.clone()));
            if entry.fetched.is_none() {
                reached(Mark::ShareExpired);
            }
        }
    }

    fn get(&self, key: &KeyName) -> Option<&Entry> {
        self.entries.get(&key.master_sae)?.get(&key.key_id)
    }

    /// Holds a share.
    pub fn deposit(&mut self, now: Duration, key: KeyName, held: HeldShare) -> DepositOutcome {
        self.expire(now);
        match self.get(&key) {
            Some(entry) if entry.held.same_as(&held) => {
                reached(Mark::DepositAgain);
                return DepositOutcome::Stored;
            }
            Some(_) if canary(Canary::ConflictOverwrites) => self.erase(&key),
            Some(_) => return DepositOutcome::Conflict,
            None if canary(Canary::KeyIdAlone) && self.holds_id(&key) => {
                return DepositOutcome::Conflict;
            }
            None if self.len() >= self.limits.shares_max => return DepositOutcome::Full,
            None => {}
        }
        let expires = Time::from(now + self.limits.ttl);
        let entry = Entry {
            held,
            expires,
            fetched: None,
        };
        let of_master = self.entries.entry(key.master_sae.clone()).or_default();
        of_master.insert(key.key_id, entry);
        self.by_expiry.insert((expires, key));
        DepositOutcome::Stored
    }

    fn holds_id(&self, key: &KeyName) -> bool {
        let mut masters = self.entries.values();
        masters.any(|of_master| of_master.contains_key(&key.key_id))
    }

    /// What there is for a slave SAE. Nothing is used up by looking.
    #[must_use]
    pub fn look_up(&self, now: Duration, key: &KeyName, slave_sae: &SaeId) -> Lookup<'_> {
        let now = Time::from(now);
        let Some(entry) = self.get(key).filter(|e| e.expires > now) else {
            reached(Mark::FetchOfForgotten);
            return Lookup::NotFound;
        };
        if !entry.held.terms.slave_saes.contains(slave_sae) && !canary(Canary::AnyoneMayFetch) {
            return Lookup::Forbidden;
        }
        match entry.fetched.as_ref().and_then(|f| f.get(slave_sae)) {
            Some(until) if *until < now => {
                reached(Mark::FetchTooLate);
                return Lookup::NotFound;
            }
            Some(_) => reached(Mark::FetchAgain),
            None => {}
        }
        Lookup::Found(&entry.held)
    }

    /// A slave SAE is being handed the share: it may ask again for the linger time. Once all named SAEs have had it,
    /// it is erased at the end of the last of these times.
    pub fn hand_out(&mut self, now: Duration, key: &KeyName, slave_sae: &SaeId) {
        let of_master = self.entries.get_mut(&key.master_sae);
        let Some(entry) = of_master.and_then(|of_master| of_master.get_mut(&key.key_id)) else {
            return;
        };
        let fetched = entry.fetched.get_or_insert_default();
        fetched
            .entry(slave_sae.clone())
            .or_insert(Time::from(now + self.limits.linger));
        if fetched.len() == entry.held.terms.slave_saes.len() {
            let last = fetched.values().max().copied().unwrap_or(now.into());
            if last < entry.expires {
                self.by_expiry.remove(&(entry.expires, key.clone()));
                self.by_expiry.insert((last, key.clone()));
                entry.expires = last;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::secret::Secret;

    const LIMITS: StoreLimits = StoreLimits {
        shares_max: 2,
        ttl: Duration::from_secs(60),
        linger: Duration::from_secs(5),
    };

    fn sae(name: &str) -> SaeId {
        name.parse().unwrap()
    }

    /// A key of carol's.
    fn key(n: u8) -> KeyName {
        let key_id = format!("00000000-0000-4000-8000-0000000000{n:02x}");
        KeyName {
            master_sae: sae("carol"),
            key_id: key_id.parse().unwrap(),
        }
    }

    fn held(share: u8, slaves: &[&str]) -> HeldShare {
        HeldShare {
            terms: Arc::new(Terms {
                slave_saes: slaves.iter().map(|s| sae(s)).collect(),
                size: 1,
            }),
            tag: "00000000000000000000000000000000".parse().unwrap(),
            share: Plain(Secret::from(vec![share])),
        }
    }

    /// As a hub does it for a single key: what is found is handed out.
    fn fetch<'a>(
        store: &'a mut ShareStore,
        now: Duration,
        key: &KeyName,
        slave_sae: &SaeId,
    ) -> Lookup<'a> {
        store.expire(now);
        if let Lookup::Found(_) = store.look_up(now, key, slave_sae) {
            store.hand_out(now, key, slave_sae);
        }
        store.look_up(now, key, slave_sae)
    }

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn the_same_deposit_again_is_answered_the_same_and_another_is_refused() {
        let mut store = ShareStore::new(LIMITS);
        assert_eq!(
            store.deposit(secs(0), key(1), held(7, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(
            store.deposit(secs(1), key(1), held(7, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(
            store.deposit(secs(1), key(1), held(8, &["b"])),
            DepositOutcome::Conflict
        );
        assert_eq!(
            store.deposit(secs(1), key(1), held(7, &["c"])),
            DepositOutcome::Conflict
        );
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn a_full_store_refuses_and_has_room_again_after_expiry() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), key(1), held(1, &["b"]));
        store.deposit(secs(1), key(2), held(1, &["b"]));
        assert_eq!(
            store.deposit(secs(2), key(3), held(1, &["b"])),
            DepositOutcome::Full
        );
        assert_eq!(
            store.deposit(secs(60), key(3), held(1, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn each_named_sae_fetches_once_within_the_linger_time() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), key(1), held(7, &["b", "c"]));
        let (b, c) = (sae("b"), sae("c"));
        assert!(matches!(
            fetch(&mut store, secs(1), &key(1), &b),
            Lookup::Found(_)
        ));
        assert!(matches!(
            fetch(&mut store, secs(5), &key(1), &b),
            Lookup::Found(_)
        ));
        assert!(matches!(
            fetch(&mut store, secs(7), &key(1), &b),
            Lookup::NotFound
        ));
        // The other SAE is not affected, and after it the share goes.
        assert!(matches!(
            fetch(&mut store, secs(20), &key(1), &c),
            Lookup::Found(_)
        ));
        assert_eq!(store.len(), 1);
        store.expire(secs(25));
        assert!(store.is_empty());
    }

    #[test]
    fn strangers_get_nothing_and_use_nothing_up() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), key(1), held(7, &["b"]));
        for stranger in ["x", "carol"] {
            assert!(matches!(
                fetch(&mut store, secs(1), &key(1), &sae(stranger)),
                Lookup::Forbidden
            ));
        }
        assert!(matches!(
            fetch(&mut store, secs(1), &key(2), &sae("b")),
            Lookup::NotFound
        ));
        assert!(matches!(
            fetch(&mut store, secs(50), &key(1), &sae("b")),
            Lookup::Found(_)
        ));
    }

    #[test]
    fn masters_do_not_get_in_each_others_way_under_the_same_key_id() {
        let mut store = ShareStore::new(LIMITS);
        let carols = key(1);
        let mallorys = KeyName {
            master_sae: sae("mallory"),
            ..key(1)
        };
        let b = sae("b");
        store.deposit(secs(0), mallorys.clone(), held(8, &["b"]));
        assert!(matches!(
            fetch(&mut store, secs(1), &carols, &b),
            Lookup::NotFound
        ));
        assert_eq!(
            store.deposit(secs(1), carols.clone(), held(7, &["b"])),
            DepositOutcome::Stored
        );
        for (key, share) in [(&mallorys, 8), (&carols, 7)] {
            let Lookup::Found(held) = fetch(&mut store, secs(2), key, &b) else {
                panic!("{key:?} is not found");
            };
            assert_eq!(*held.share.0, vec![share]);
        }
    }

    #[test]
    fn looking_uses_nothing_up() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), key(1), held(7, &["b"]));
        let b = sae("b");
        for now in [1, 30, 59] {
            assert!(matches!(
                store.look_up(secs(now), &key(1), &b),
                Lookup::Found(_)
            ));
        }
        assert!(matches!(
            store.look_up(secs(60), &key(1), &b),
            Lookup::NotFound
        ));
    }

    #[test]
    fn a_share_that_nobody_fetches_expires() {
        let mut store = ShareStore::new(LIMITS);
        store.deposit(secs(0), key(1), held(7, &["b"]));
        store.expire(secs(59));
        assert_eq!(store.len(), 1);
        store.expire(secs(60));
        assert!(store.is_empty());
    }
}

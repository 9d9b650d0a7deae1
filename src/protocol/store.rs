//! The shares that a hub holds: bounded, each with a time to live, each handed to every named SAE once.
//!
//! To look a share up and to hand it out are two steps, since a request for several keys is one: see the hub.

mod slots;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use subtle::ConstantTimeEq;

use crate::crypto::key_tag::KeyTag;
use crate::harness::{Canary, Mark, canary, reached};

use super::limits::{SHARE_BYTES_MAX, SHARES_MAX};
use super::message::{DepositOutcome, DepositedKey, Plain};
use super::names::{KeyId, SaeId};
use slots::{Queue, SlotIndex, Slots};

/// What all keys of a deposit have in common. One for all of them: a hub holds very many.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// The SAE that asked for the keys.
    pub master_sae: SaeId,
    /// The SAEs that may fetch.
    pub slave_saes: Vec<SaeId>,
    /// Bytes of each user key.
    pub size: usize,
}

/// A share with all that the hub knows about its key, besides its ID.
#[derive(Debug, Clone)]
pub struct HeldShare {
    /// Whose key it is, who may fetch it, and its size.
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
    key_id: KeyId,
    held: HeldShare,
    expires: Time,
    /// Who has been handed it, each with the time after which it may no longer ask again. Nobody has most of the time,
    /// and then it takes no room.
    fetched: Box<[(SaeId, Time)]>,
}

impl Entry {
    fn is_of(&self, master_sae: &SaeId, key_id: KeyId) -> bool {
        self.key_id == key_id && self.held.terms.master_sae == *master_sae
    }

    fn handed_out(&self, sae: &SaeId) -> Option<Time> {
        let of_sae = self
            .fetched
            .iter()
            .find(|(fetched_by, _)| fetched_by == sae);
        of_sae.map(|(_, until)| *until)
    }
}

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
    /// Bytes of shares at most. What belongs to a share takes some 150 bytes more, however long it is.
    pub bytes_max: usize,
    /// Time to live of a share that is not fetched.
    pub ttl: Duration,
    /// How long after its first fetch an SAE may ask again, since the answer may have been lost on its way.
    pub linger: Duration,
}

impl Default for StoreLimits {
    /// What a topology file sets unless it says otherwise: shares live for ten minutes, and for ten seconds after a fetch.
    fn default() -> Self {
        Self {
            shares_max: SHARES_MAX,
            bytes_max: SHARE_BYTES_MAX,
            ttl: Duration::from_secs(600),
            linger: Duration::from_secs(10),
        }
    }
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

/// The shares that a hub holds. What it costs to find, hold or erase one does not depend on how many there are.
///
/// Its times are those of one clock that never goes back: all shares live equally long, so they are erased in the order
/// in which they came, or were handed out.
pub struct ShareStore {
    limits: StoreLimits,
    slots: Slots<Entry>,
    by_name: HashTable<Place>,
    /// Clients choose key IDs: without a secret in it they could choose such as collide.
    hasher: RandomState,
    bytes: usize,
}

/// Where a share lies. The hash of its key ID is kept, so that to grow need not look at the shares. Masters that use the
/// same ID get in each other's way a little, and there are few of them.
struct Place {
    hash: u64,
    slot: SlotIndex,
}

impl ShareStore {
    /// An empty store.
    #[must_use]
    pub fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            slots: Slots::new(),
            by_name: HashTable::new(),
            hasher: RandomState::new(),
            bytes: 0,
        }
    }

    /// Number of shares held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether no share is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Bytes of the shares held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Erases what has expired by `now`.
    pub fn expire(&mut self, now: Duration) {
        let mut expired = Vec::new();
        for queue in [Queue::Waiting, Queue::Lingering] {
            while let Some((slot, entry)) = self.slots.first(queue) {
                if entry.expires > now.into() || canary(Canary::ExpiryForgotten) {
                    break;
                }
                if entry.fetched.is_empty() {
                    reached(Mark::ShareExpired);
                }
                expired.extend(self.slots.remove(slot).map(|entry| (slot, entry)));
            }
        }
        self.forget(&expired);
    }

    /// What has been taken out of its slot is not found there any more.
    fn forget(&mut self, taken: &[(SlotIndex, Entry)]) {
        let hashes = taken
            .iter()
            .map(|(_, entry)| self.hasher.hash_one(entry.key_id));
        // All hashes first, see `places`.
        for (hash, (slot, entry)) in hashes.collect::<Vec<u64>>().into_iter().zip(taken) {
            if let Ok(place) = self.by_name.find_entry(hash, |place| place.slot == *slot) {
                place.remove();
            }
            self.bytes -= entry.held.share.0.len();
        }
    }

    /// Where keys of a master are, each with its hash.
    ///
    /// In a large store what takes the time is to wait for memory. Of a step as short as each of these two, the processor
    /// has many under way, and waits for all of them together.
    fn places(
        &self,
        master_sae: &SaeId,
        key_ids: impl Iterator<Item = KeyId>,
    ) -> Vec<(u64, Option<SlotIndex>)> {
        let hashed = key_ids.map(|key_id| (self.hasher.hash_one(key_id), key_id));
        let hashed: Vec<(u64, KeyId)> = hashed.collect();
        let found = |(hash, key_id)| (hash, self.find(hash, master_sae, key_id));
        hashed.into_iter().map(found).collect()
    }

    fn find(&self, hash: u64, master_sae: &SaeId, key_id: KeyId) -> Option<SlotIndex> {
        let is_it = |place: &Place| {
            let entry = self.slots.get(place.slot);
            place.hash == hash && entry.is_some_and(|entry| entry.is_of(master_sae, key_id))
        };
        Some(self.by_name.find(hash, is_it)?.slot)
    }

    /// Holds shares, and says what became of each.
    pub fn deposit(
        &mut self,
        now: Duration,
        terms: &Arc<Terms>,
        keys: Vec<DepositedKey<Plain>>,
    ) -> Vec<DepositOutcome> {
        self.expire(now);
        let places = self.places(&terms.master_sae, keys.iter().map(|key| key.key_id));
        let deposits = keys.into_iter().zip(places).map(|(key, (hash, known))| {
            // What was not there may have come just now, in the same deposit.
            let known = known.or_else(|| self.find(hash, &terms.master_sae, key.key_id));
            let held = HeldShare {
                terms: Arc::clone(terms),
                tag: key.tag,
                share: key.share,
            };
            let entry = Entry {
                key_id: key.key_id,
                held,
                expires: Time::from(now + self.limits.ttl),
                fetched: Box::default(),
            };
            self.deposit_at(hash, known, entry)
        });
        deposits.collect()
    }

    fn deposit_at(&mut self, hash: u64, known: Option<SlotIndex>, entry: Entry) -> DepositOutcome {
        let held = known.and_then(|slot| Some((slot, &self.slots.get(slot)?.held)));
        match held {
            Some((_, held)) if held.same_as(&entry.held) => {
                reached(Mark::DepositAgain);
                return DepositOutcome::Stored;
            }
            Some((slot, _)) if canary(Canary::ConflictOverwrites) => {
                let overwritten = self.slots.remove(slot).map(|entry| (slot, entry));
                self.forget(overwritten.as_slice());
            }
            Some(_) => return DepositOutcome::Conflict,
            None if canary(Canary::KeyIdAlone) && self.holds_id(entry.key_id) => {
                return DepositOutcome::Conflict;
            }
            None if !self.has_room_for(&entry.held) => return DepositOutcome::Full,
            None => {}
        }
        self.bytes += entry.held.share.0.len();
        let slot = self.slots.push(Queue::Waiting, entry);
        self.by_name
            .insert_unique(hash, Place { hash, slot }, |place| place.hash);
        DepositOutcome::Stored
    }

    fn has_room_for(&self, held: &HeldShare) -> bool {
        self.len() < self.limits.shares_max
            && held.share.0.len() <= self.limits.bytes_max.saturating_sub(self.bytes)
    }

    fn holds_id(&self, key_id: KeyId) -> bool {
        let mut places = self.by_name.iter();
        places.any(|place| {
            self.slots
                .get(place.slot)
                .is_some_and(|e| e.key_id == key_id)
        })
    }

    /// What there is of a master's keys for a slave SAE, key by key. Nothing is used up by looking.
    #[must_use]
    pub fn look_up(
        &self,
        now: Duration,
        master_sae: &SaeId,
        key_ids: &[KeyId],
        slave_sae: &SaeId,
    ) -> Vec<Lookup<'_>> {
        let places = self.places(master_sae, key_ids.iter().copied());
        let entries = places.into_iter().map(|(_, slot)| self.slots.get(slot?));
        let lookups = entries.map(|entry| Self::look_at(entry, now.into(), slave_sae));
        lookups.collect()
    }

    fn look_at<'a>(entry: Option<&'a Entry>, now: Time, slave_sae: &SaeId) -> Lookup<'a> {
        let Some(entry) = entry.filter(|entry| entry.expires > now) else {
            reached(Mark::FetchOfForgotten);
            return Lookup::NotFound;
        };
        if !entry.held.terms.slave_saes.contains(slave_sae) && !canary(Canary::AnyoneMayFetch) {
            return Lookup::Forbidden;
        }
        match entry.handed_out(slave_sae) {
            Some(until) if until < now => {
                reached(Mark::FetchTooLate);
                return Lookup::NotFound;
            }
            Some(_) => reached(Mark::FetchAgain),
            None => {}
        }
        Lookup::Found(&entry.held)
    }

    /// A slave SAE is being handed the shares of a master's keys: it may ask again for the linger time. Once all named
    /// SAEs have had one, it is erased at the end of the last of these times.
    pub fn hand_out(
        &mut self,
        now: Duration,
        master_sae: &SaeId,
        key_ids: &[KeyId],
        slave_sae: &SaeId,
    ) {
        for (_, slot) in self.places(master_sae, key_ids.iter().copied()) {
            if let Some(slot) = slot {
                self.hand_out_at(slot, now, slave_sae);
            }
        }
    }

    fn hand_out_at(&mut self, slot: SlotIndex, now: Duration, slave_sae: &SaeId) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        if entry.handed_out(slave_sae).is_some() {
            return;
        }
        let until = Time::from(now + self.limits.linger);
        let mut fetched = Vec::with_capacity(entry.fetched.len() + 1);
        fetched.extend_from_slice(&entry.fetched);
        fetched.push((slave_sae.clone(), until));
        entry.fetched = fetched.into_boxed_slice();
        // The one that comes last may ask the longest.
        if entry.fetched.len() == entry.held.terms.slave_saes.len() && until < entry.expires {
            entry.expires = until;
            self.slots.requeue(slot, Queue::Lingering);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::secret::Secret;
    use crate::protocol::names::KeyName;

    const LIMITS: StoreLimits = StoreLimits {
        shares_max: 2,
        bytes_max: 100,
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

    fn id(n: u8) -> KeyId {
        key(n).key_id
    }

    fn held(share: u8, slaves: &[&str]) -> HeldShare {
        held_for("carol", share, slaves)
    }

    fn held_for(master: &str, share: u8, slaves: &[&str]) -> HeldShare {
        HeldShare {
            terms: Arc::new(Terms {
                master_sae: sae(master),
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
        if let Lookup::Found(_) = look_up(store, now, key, slave_sae) {
            store.hand_out(now, &key.master_sae, &[key.key_id], slave_sae);
        }
        look_up(store, now, key, slave_sae)
    }

    fn deposit(
        store: &mut ShareStore,
        now: Duration,
        key_id: KeyId,
        held: HeldShare,
    ) -> DepositOutcome {
        let HeldShare { terms, tag, share } = held;
        let key = DepositedKey { key_id, tag, share };
        store.deposit(now, &terms, vec![key])[0]
    }

    fn look_up<'a>(
        store: &'a ShareStore,
        now: Duration,
        key: &KeyName,
        slave_sae: &SaeId,
    ) -> Lookup<'a> {
        let lookups = store.look_up(now, &key.master_sae, &[key.key_id], slave_sae);
        lookups.into_iter().next().unwrap()
    }

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn the_same_deposit_again_is_answered_the_same_and_another_is_refused() {
        let mut store = ShareStore::new(LIMITS);
        assert_eq!(
            deposit(&mut store, secs(0), id(1), held(7, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(
            deposit(&mut store, secs(1), id(1), held(7, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(
            deposit(&mut store, secs(1), id(1), held(8, &["b"])),
            DepositOutcome::Conflict
        );
        assert_eq!(
            deposit(&mut store, secs(1), id(1), held(7, &["c"])),
            DepositOutcome::Conflict
        );
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn a_key_that_comes_twice_in_one_deposit_is_held_once() {
        let mut store = ShareStore::new(LIMITS);
        let HeldShare { terms, tag, .. } = held(0, &["b"]);
        let shares = [(1, 7), (1, 7), (1, 8), (2, 7), (3, 7)];
        let keys = shares.map(|(n, share)| DepositedKey {
            key_id: id(n),
            tag,
            share: held(share, &["b"]).share,
        });
        assert_eq!(
            store.deposit(secs(0), &terms, keys.into()),
            [
                DepositOutcome::Stored,
                DepositOutcome::Stored,
                DepositOutcome::Conflict,
                DepositOutcome::Stored,
                DepositOutcome::Full,
            ]
        );
        assert_eq!((store.len(), store.bytes()), (2, 2));
    }

    #[test]
    fn a_full_store_refuses_and_has_room_again_after_expiry() {
        let mut store = ShareStore::new(LIMITS);
        deposit(&mut store, secs(0), id(1), held(1, &["b"]));
        deposit(&mut store, secs(1), id(2), held(1, &["b"]));
        assert_eq!(
            deposit(&mut store, secs(2), id(3), held(1, &["b"])),
            DepositOutcome::Full
        );
        assert_eq!(
            deposit(&mut store, secs(60), id(3), held(1, &["b"])),
            DepositOutcome::Stored
        );
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn shares_are_bounded_by_their_bytes_too() {
        let mut store = ShareStore::new(LIMITS);
        let of_length = |length| HeldShare {
            share: Plain(Secret::zeros(length)),
            ..held(0, &["b"])
        };
        deposit(&mut store, secs(0), id(1), of_length(60));
        for (length, outcome) in [(41, DepositOutcome::Full), (40, DepositOutcome::Stored)] {
            assert_eq!(
                deposit(&mut store, secs(1), id(2), of_length(length)),
                outcome
            );
        }
        assert_eq!(store.bytes(), 100);
        store.expire(secs(60));
        assert_eq!(store.bytes(), 40);
    }

    #[test]
    fn each_named_sae_fetches_once_within_the_linger_time() {
        let mut store = ShareStore::new(LIMITS);
        deposit(&mut store, secs(0), id(1), held(7, &["b", "c"]));
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
        deposit(&mut store, secs(0), id(1), held(7, &["b"]));
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
        deposit(&mut store, secs(0), id(1), held_for("mallory", 8, &["b"]));
        assert!(matches!(
            fetch(&mut store, secs(1), &carols, &b),
            Lookup::NotFound
        ));
        assert_eq!(
            deposit(&mut store, secs(1), id(1), held(7, &["b"])),
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
        deposit(&mut store, secs(0), id(1), held(7, &["b"]));
        let b = sae("b");
        for now in [1, 30, 59] {
            assert!(matches!(
                look_up(&store, secs(now), &key(1), &b),
                Lookup::Found(_)
            ));
        }
        assert!(matches!(
            look_up(&store, secs(60), &key(1), &b),
            Lookup::NotFound
        ));
    }

    #[test]
    fn shares_are_erased_in_the_order_of_their_times_however_they_came_by_them() {
        let mut store = ShareStore::new(StoreLimits {
            shares_max: 10,
            ..LIMITS
        });
        for n in 0..6 {
            deposit(&mut store, secs(n.into()), id(n), held(n, &["b"]));
        }
        // Their times are 60 to 65. Two are fetched and go before; one goes not later than it would have.
        let fetches = [(10, 3), (20, 0), (59, 2)];
        let mut erased = Vec::new();
        for now in 6..=65 {
            let held = store.len();
            store.expire(secs(now));
            erased.extend((store.len()..held).map(|_| now));
            for (_, n) in fetches.iter().filter(|(at, _)| *at == now) {
                fetch(&mut store, secs(now), &key(*n), &sae("b"));
            }
        }
        assert_eq!(erased, [15, 25, 61, 62, 64, 65]);
    }

    #[test]
    fn a_share_that_nobody_fetches_expires() {
        let mut store = ShareStore::new(LIMITS);
        deposit(&mut store, secs(0), id(1), held(7, &["b"]));
        store.expire(secs(59));
        assert_eq!(store.len(), 1);
        store.expire(secs(60));
        assert!(store.is_empty());
    }
}

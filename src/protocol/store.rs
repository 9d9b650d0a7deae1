//! The shares that a hub holds: their number is bounded for each master SAE, each has a time to live, and each named SAE
//! is handed it once.
//!
//! To look a share up and to hand it out are two steps, since a request for several keys succeeds or fails as a whole: see
//! the hub.
//!
//! | file | what it holds |
//! |---|---|
//! | `entry` | a share with what belongs to it |
//! | `slots` | where entries lie, in the order in which they expire |
//! | `index` | which slot a key's share lies in |
//! | `holdings` | how much room each master SAE takes, and may take |

mod entry;
mod holdings;
mod index;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::harness::{Canary, Mark, canary, reached};

use super::limits::{SHARE_BYTES_MAX, SHARES_MAX};
use super::message::{DepositOutcome, DepositedKey, Plain};
use super::names::{KeyId, NodeName, SaeId};
pub use entry::{Asker, HeldShare, Terms};
use entry::{Entry, HandedOut, Time};
pub use holdings::Held;
use holdings::Holdings;
use index::Index;
use slots::{Queue, SlotIndex, Slots};

/// How many shares a hub holds, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// Most shares.
    pub shares_max: usize,
    /// Most bytes of shares. What belongs to a share takes some 150 bytes more, however long the share is.
    pub bytes_max: usize,
    /// Time to live of a share that is not fetched.
    pub ttl: Duration,
    /// How long after its first fetch an SAE may ask again, since the answer may have been lost on its way. Its client must
    /// not have restarted since: it would not know what it has handed to the SAE.
    pub linger: Duration,
    /// How long shares of a call that is over may still arrive: for so long a withdrawn key stays refused, though no
    /// longer than a share would live.
    pub background: Duration,
}

impl Default for StoreLimits {
    /// What a topology file sets unless it says otherwise: shares live for ten minutes, and for ten seconds after a fetch;
    /// what is late arrives within half a minute.
    fn default() -> Self {
        Self {
            shares_max: SHARES_MAX,
            bytes_max: SHARE_BYTES_MAX,
            ttl: Duration::from_secs(600),
            linger: Duration::from_secs(10),
            background: Duration::from_secs(30),
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

/// The shares that a hub holds. The cost of finding, holding or erasing one does not depend on how many there are.
///
/// All times come from one clock, which never goes back. All shares live equally long, so they are erased in the order in
/// which they came, or were handed out.
pub struct ShareStore {
    limits: StoreLimits,
    slots: Slots<Entry>,
    index: Index,
    holdings: Holdings,
    bytes: usize,
}

impl ShareStore {
    /// An empty store for the keys of these clients' SAEs.
    #[must_use]
    pub fn new(limits: StoreLimits, clients: &BTreeMap<NodeName, BTreeSet<SaeId>>) -> Self {
        Self {
            holdings: Holdings::new(&limits, clients),
            limits,
            slots: Slots::new(),
            index: Index::new(),
            bytes: 0,
        }
    }

    /// Number of shares held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no share is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the shares held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of an SAE's account. Nothing is held for an SAE that has none.
    #[must_use]
    pub fn account(&self, master_sae: &SaeId) -> Option<usize> {
        self.holdings.account(master_sae)
    }

    /// How much room the shares of these master SAEs take, and are guaranteed.
    pub fn held<'a>(&self, master_saes: impl IntoIterator<Item = &'a SaeId>) -> Held {
        self.holdings.held(master_saes)
    }

    /// Erases what has expired by `now`.
    pub fn expire(&mut self, now: Duration) {
        let mut expired = Vec::new();
        for queue in [Queue::Waiting, Queue::Lingering, Queue::Withdrawn] {
            while let Some((slot, entry)) = self.slots.first(queue) {
                if entry.expires > now.into() || canary(Canary::ExpiryForgotten) {
                    break;
                }
                if entry.fetched.is_empty() && !entry.held.is_withdrawn() {
                    reached(Mark::ShareExpired);
                }
                expired.extend(self.slots.remove(slot).map(|entry| (slot, entry)));
            }
        }
        self.forget(&expired);
    }

    /// Forgets entries that have been taken out of their slots.
    fn forget(&mut self, taken: &[(SlotIndex, Entry)]) {
        self.index.remove_all(taken);
        for (_, entry) in taken {
            let bytes = entry.held.share.0.len();
            self.holdings.give_back(entry.held.terms.account, bytes);
            self.bytes -= bytes;
        }
    }

    /// Holds shares, and says what became of each.
    pub fn deposit(
        &mut self,
        now: Duration,
        terms: &Arc<Terms>,
        keys: Vec<DepositedKey<Plain>>,
    ) -> Vec<DepositOutcome> {
        self.expire(now);
        let key_ids = keys.iter().map(|key| key.key_id);
        let places = self.index.find_all(&self.slots, &terms.master_sae, key_ids);
        let deposits = keys.into_iter().zip(places).map(|(key, (hash, known))| {
            // What was not there may have come just now, in the same deposit.
            let find = || {
                self.index
                    .find(&self.slots, hash, &terms.master_sae, key.key_id)
            };
            let known = known.or_else(find);
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

    /// Erases a master's keys, and refuses them for the background time: their shares may still be on their way.
    ///
    /// The refused key IDs take the place of shares. Where there is no room for one, it can be deposited again.
    pub fn withdraw(&mut self, now: Duration, master_sae: &SaeId, key_ids: &[KeyId]) {
        self.expire(now);
        let Some(account) = self.account(master_sae) else {
            return;
        };
        if canary(Canary::WithdrawalIgnored) {
            return;
        }
        let withdrawn = HeldShare::withdrawn(account, master_sae);
        let expires = Time::from(now + self.limits.background.min(self.limits.ttl));
        for &key_id in key_ids {
            let hash = self.index.hash(key_id);
            if let Some(slot) = self.index.find(&self.slots, hash, master_sae, key_id) {
                let erased = self.slots.remove(slot).map(|entry| (slot, entry));
                self.forget(erased.as_slice());
            }
            let entry = Entry {
                key_id,
                held: withdrawn.clone(),
                expires,
                fetched: Box::default(),
            };
            self.insert(hash, Queue::Withdrawn, entry);
        }
    }

    fn deposit_at(&mut self, hash: u64, known: Option<SlotIndex>, entry: Entry) -> DepositOutcome {
        let held = known.and_then(|slot| Some((slot, &self.slots.get(slot)?.held)));
        match held {
            Some((slot, held)) if held.same_as(&entry.held) => {
                reached(Mark::DepositAgain);
                if canary(Canary::RepeatRenews)
                    && let Some(held) = self.slots.get_mut(slot)
                    && held.fetched.is_empty()
                {
                    held.expires = entry.expires;
                    self.slots.requeue(slot, Queue::Waiting);
                }
                return DepositOutcome::Stored;
            }
            Some((slot, _)) if canary(Canary::ConflictOverwrites) => {
                let overwritten = self.slots.remove(slot).map(|entry| (slot, entry));
                self.forget(overwritten.as_slice());
            }
            Some(_) => return DepositOutcome::Conflict,
            None if canary(Canary::KeyIdAlone)
                && self.index.holds_id(&self.slots, entry.key_id) =>
            {
                return DepositOutcome::Conflict;
            }
            None => {}
        }
        match self.insert(hash, Queue::Waiting, entry) {
            true => DepositOutcome::Stored,
            false => DepositOutcome::Full,
        }
    }

    /// Holds an entry if there is room for it.
    fn insert(&mut self, hash: u64, queue: Queue, entry: Entry) -> bool {
        let bytes = entry.held.share.0.len();
        if !self.holdings.take(entry.held.terms.account, bytes) {
            return false;
        }
        self.bytes += bytes;
        let slot = self.slots.push(queue, entry);
        self.index.insert(hash, slot);
        true
    }

    /// What there is of a master's keys for who asks, key by key. Looking uses nothing up.
    #[must_use]
    pub fn look_up(
        &self,
        now: Duration,
        master_sae: &SaeId,
        key_ids: &[KeyId],
        asker: Asker<'_>,
    ) -> Vec<Lookup<'_>> {
        let key_ids = key_ids.iter().copied();
        let places = self.index.find_all(&self.slots, master_sae, key_ids);
        let entries = places.into_iter().map(|(_, slot)| self.slots.get(slot?));
        let lookups = entries.map(|entry| Self::look_at(entry, now.into(), asker));
        lookups.collect()
    }

    fn look_at<'a>(entry: Option<&'a Entry>, now: Time, asker: Asker<'_>) -> Lookup<'a> {
        let Some(entry) = entry.filter(|entry| entry.expires > now) else {
            reached(Mark::FetchOfForgotten);
            return Lookup::NotFound;
        };
        if entry.held.is_withdrawn() {
            return Lookup::NotFound;
        }
        let named = &entry.held.terms.slave_saes;
        let begins = |named: &SaeId| asker.sae.as_str().starts_with(named.as_str());
        let is_named =
            named.contains(asker.sae) || canary(Canary::PrefixIsNamed) && named.iter().any(begins);
        if !is_named && !canary(Canary::AnyoneMayFetch) {
            return Lookup::Forbidden;
        }
        match entry.handed_out(asker.sae) {
            Some(handed_out) if handed_out.until < now => {
                reached(Mark::FetchTooLate);
                return Lookup::NotFound;
            }
            Some(handed_out)
                if handed_out.start != asker.start && !canary(Canary::RepeatToAnyone) =>
            {
                reached(Mark::FetchAnew);
                return Lookup::NotFound;
            }
            Some(_) => reached(Mark::FetchAgain),
            None => {}
        }
        Lookup::Found(&entry.held)
    }

    /// Notes that a slave SAE is handed the shares of a master's keys: all were found for it. From now on it may ask again
    /// for the linger time.
    /// Once all named SAEs have been handed a share, the share is erased at the end of the last of these times.
    pub fn hand_out(
        &mut self,
        now: Duration,
        master_sae: &SaeId,
        key_ids: &[KeyId],
        asker: Asker<'_>,
    ) {
        let key_ids = key_ids.iter().copied();
        for (_, slot) in self.index.find_all(&self.slots, master_sae, key_ids) {
            if let Some(slot) = slot {
                self.hand_out_at(slot, now, asker);
            }
        }
    }

    fn hand_out_at(&mut self, slot: SlotIndex, now: Duration, asker: Asker<'_>) {
        let Some(entry) = self.slots.get_mut(slot) else {
            return;
        };
        if entry.handed_out(asker.sae).is_some() {
            return;
        }
        let until = Time::from(now + self.limits.linger);
        let mut fetched = Vec::with_capacity(entry.fetched.len() + 1);
        fetched.extend_from_slice(&entry.fetched);
        fetched.push(HandedOut {
            sae: asker.sae.clone(),
            start: asker.start,
            until,
        });
        entry.fetched = fetched.into_boxed_slice();
        // The SAE that comes last may ask again the longest.
        let all = entry.fetched.len() == entry.held.terms.slave_saes.len()
            || canary(Canary::ErasedAfterFirst);
        if all && until < entry.expires {
            entry.expires = until;
            self.slots.requeue(slot, Queue::Lingering);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DepositOutcome::{Conflict, Full, Stored};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::crypto::secret::Secret;

    const LIMITS: StoreLimits = StoreLimits {
        shares_max: 2,
        bytes_max: 100,
        ttl: Duration::from_secs(60),
        linger: Duration::from_secs(5),
        background: Duration::from_secs(20),
    };

    /// Starts of a client.
    const FIRST: Uuid = Uuid::from_u128(1);
    const SECOND: Uuid = Uuid::from_u128(2);

    #[derive(Debug, PartialEq, Eq)]
    enum Answer {
        /// A share that begins with this byte.
        Found(u8),
        NotFound,
        Forbidden,
    }
    use Answer::{Forbidden, Found, NotFound};

    /// A store. Times are in seconds, keys have numbers.
    struct Scene(ShareStore);

    fn scene() -> Scene {
        scene_with(LIMITS, &[&["carol"]])
    }

    /// With the SAEs of each client.
    fn scene_with(limits: StoreLimits, clients: &[&[&str]]) -> Scene {
        let names = (0..).map(|n| format!("client{n}").parse().unwrap());
        let saes = |saes: &&[&str]| saes.iter().map(|name| sae(name)).collect();
        let clients = names.zip(clients.iter().map(saes)).collect();
        Scene(ShareStore::new(limits, &clients))
    }

    fn sae(name: &str) -> SaeId {
        name.parse().unwrap()
    }

    fn id(n: u8) -> KeyId {
        let key_id = format!("00000000-0000-4000-8000-0000000000{n:02x}");
        key_id.parse().unwrap()
    }

    fn terms(master: &str, slaves: &[&str]) -> Terms {
        Terms {
            account: 0,
            master_sae: sae(master),
            slave_saes: slaves.iter().map(|s| sae(s)).collect(),
            size: 1,
        }
    }

    fn key(n: u8, share: Vec<u8>) -> DepositedKey<Plain> {
        DepositedKey {
            key_id: id(n),
            tag: "00".repeat(16).parse().unwrap(),
            share: Plain(Secret::from(share)),
        }
    }

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    impl Scene {
        /// Deposits a share of one byte for carol.
        fn deposit(&mut self, at_s: u64, n: u8, share: u8, slaves: &[&str]) -> DepositOutcome {
            self.deposit_for("carol", at_s, key(n, vec![share]), slaves)
        }

        fn deposit_for(
            &mut self,
            master: &str,
            at_s: u64,
            key: DepositedKey<Plain>,
            slaves: &[&str],
        ) -> DepositOutcome {
            let terms = Terms {
                account: self.0.account(&sae(master)).unwrap(),
                ..terms(master, slaves)
            };
            self.0.deposit(secs(at_s), &Arc::new(terms), vec![key])[0]
        }

        /// What there is of one of carol's keys.
        fn look_up(&self, at_s: u64, n: u8, slave: &str) -> Answer {
            self.look_up_of("carol", at_s, n, slave, FIRST)
        }

        fn look_up_of(&self, master: &str, at_s: u64, n: u8, slave: &str, start: Uuid) -> Answer {
            let asker = Asker {
                sae: &sae(slave),
                start,
            };
            let lookups = self.0.look_up(secs(at_s), &sae(master), &[id(n)], asker);
            match lookups[0] {
                Lookup::Found(held) => Found(held.share.0[0]),
                Lookup::NotFound => NotFound,
                Lookup::Forbidden => Forbidden,
            }
        }

        /// Does what a hub does for one of carol's keys: what is found is handed out.
        fn fetch(&mut self, at_s: u64, n: u8, slave: &str) -> Answer {
            self.0.expire(secs(at_s));
            if let Found(_) = self.look_up(at_s, n, slave) {
                let asker = Asker {
                    sae: &sae(slave),
                    start: FIRST,
                };
                self.0.hand_out(secs(at_s), &sae("carol"), &[id(n)], asker);
            }
            self.look_up(at_s, n, slave)
        }
    }

    #[test]
    fn the_same_deposit_again_is_answered_the_same_and_another_is_refused() {
        let mut scene = scene();
        assert_eq!(scene.deposit(0, 1, 7, &["b"]), Stored);
        assert_eq!(scene.deposit(1, 1, 7, &["b"]), Stored);
        assert_eq!(scene.deposit(1, 1, 8, &["b"]), Conflict);
        assert_eq!(scene.deposit(1, 1, 7, &["c"]), Conflict);
        assert_eq!(scene.0.len(), 1);
    }

    #[test]
    fn a_key_that_comes_twice_in_one_deposit_is_held_once() {
        let Scene(mut store) = scene();
        let keys = [(1, 7), (1, 7), (1, 8), (2, 7), (3, 7)].map(|(n, share)| key(n, vec![share]));
        let outcomes = store.deposit(secs(0), &Arc::new(terms("carol", &["b"])), keys.into());
        assert_eq!(outcomes, [Stored, Stored, Conflict, Stored, Full]);
        assert_eq!((store.len(), store.bytes()), (2, 2));
    }

    #[test]
    fn a_full_store_refuses_and_has_room_again_after_expiry() {
        let mut scene = scene();
        scene.deposit(0, 1, 1, &["b"]);
        scene.deposit(1, 2, 1, &["b"]);
        assert_eq!(scene.deposit(2, 3, 1, &["b"]), Full);
        assert_eq!(scene.deposit(60, 3, 1, &["b"]), Stored);
        assert_eq!(scene.0.len(), 2);
    }

    #[test]
    fn shares_are_bounded_by_their_bytes_too() {
        let mut scene = scene();
        scene.deposit_for("carol", 0, key(1, vec![0; 60]), &["b"]);
        for (length, outcome) in [(41, Full), (40, Stored)] {
            let key = key(2, vec![0; length]);
            assert_eq!(scene.deposit_for("carol", 1, key, &["b"]), outcome);
        }
        assert_eq!(scene.0.bytes(), 100);
        scene.0.expire(secs(60));
        assert_eq!(scene.0.bytes(), 40);
    }

    #[test]
    fn what_one_sae_holds_leaves_the_guaranteed_part_of_the_others() {
        // 40 shares: 20 are guaranteed, 10 to each client. Mallory shares the part of her client.
        let limits = StoreLimits {
            shares_max: 40,
            bytes_max: 1 << 20,
            ..LIMITS
        };
        let mut scene = scene_with(limits, &[&["mallory", "marvin"], &["carol"]]);
        let fill = |scene: &mut Scene, master: &str| {
            let keys = (0..100).map(|n| key(n, vec![7]));
            let outcomes = keys.map(|key| scene.deposit_for(master, 0, key, &["b"]));
            outcomes.filter(|outcome| *outcome == Stored).count()
        };
        assert_eq!(fill(&mut scene, "mallory"), 5 + 20);
        assert_eq!(fill(&mut scene, "carol"), 10);
        assert_eq!(fill(&mut scene, "marvin"), 5);
        assert_eq!(scene.0.len(), 40);
        let held = scene.0.held(&[sae("mallory"), sae("marvin")]);
        assert_eq!((held.shares, held.shares_guaranteed), (30, 10));
        // What expires is lent again.
        scene.0.expire(secs(60));
        assert_eq!(scene.0.held(&[sae("mallory")]).shares, 0);
        assert_eq!(fill(&mut scene, "carol"), 10 + 20);
    }

    #[test]
    fn bytes_are_guaranteed_too_and_a_share_that_is_refused_takes_nothing() {
        let limits = StoreLimits {
            shares_max: 100,
            bytes_max: 400,
            ..LIMITS
        };
        let mut scene = scene_with(limits, &[&["mallory"], &["carol"]]);
        for (n, length, outcome) in [(1, 300, Stored), (2, 1, Full), (3, 0, Stored)] {
            let key = key(n, vec![0; length]);
            assert_eq!(scene.deposit_for("mallory", 0, key, &["b"]), outcome);
        }
        assert_eq!(scene.0.held(&[sae("mallory")]).shares, 2);
        assert_eq!(
            scene.deposit_for("carol", 0, key(1, vec![0; 101]), &["b"]),
            Full
        );
        assert_eq!(
            scene.deposit_for("carol", 0, key(1, vec![0; 100]), &["b"]),
            Stored
        );
        assert_eq!(scene.0.bytes(), 400);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Deposit { master: usize, n: u8, length: usize },
        Withdraw { master: usize, n: u8 },
        Fetch { master: usize, n: u8 },
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (master, n) = (0..MASTERS.len(), 0..30_u8);
        let length = 0..30_usize;
        prop_oneof![
            6 => (master.clone(), n.clone(), length)
                .prop_map(|(master, n, length)| Step::Deposit { master, n, length }),
            1 => (master.clone(), n.clone()).prop_map(|(master, n)| Step::Withdraw { master, n }),
            2 => (master, n).prop_map(|(master, n)| Step::Fetch { master, n }),
            1 => (0..30_u64).prop_map(Step::Wait),
        ]
    }

    const MASTERS: [&str; 3] = ["mallory", "marvin", "carol"];

    proptest! {
        /// Whatever happens, the store stays within its limits, its accounts add up to what it holds, nobody is refused
        /// what is guaranteed, and all is given back in the end.
        #[test]
        fn room_is_shared_fairly(steps in prop::collection::vec(step(), 0..200)) {
            let limits = StoreLimits { shares_max: 24, bytes_max: 300, ..LIMITS };
            let mut scene = scene_with(limits, &[&["mallory", "marvin"], &["carol"]]);
            let mut now = 0;
            for step in steps {
                match step {
                    Step::Deposit { master, n, length } => {
                        let master = MASTERS[master];
                        let outcome = scene.deposit_for(master, now, key(n, vec![n; length]), &["b"]);
                        let held = scene.0.held(&[sae(master)]);
                        prop_assert!(
                            outcome != Full
                                || held.shares + 1 > held.shares_guaranteed
                                || held.bytes + length > held.bytes_guaranteed
                        );
                    }
                    Step::Withdraw { master, n } => {
                        scene.0.withdraw(secs(now), &sae(MASTERS[master]), &[id(n)]);
                    }
                    Step::Fetch { master, n } => {
                        let asker = Asker { sae: &sae("b"), start: FIRST };
                        scene.0.hand_out(secs(now), &sae(MASTERS[master]), &[id(n)], asker);
                    }
                    Step::Wait(seconds) => now += seconds,
                }
                let held = scene.0.held(&MASTERS.map(sae));
                prop_assert_eq!((held.shares, held.bytes), (scene.0.len(), scene.0.bytes()));
                prop_assert!(held.shares <= limits.shares_max && held.bytes <= limits.bytes_max);
            }
            scene.0.expire(secs(now + 60));
            prop_assert_eq!((scene.0.len(), scene.0.held(&MASTERS.map(sae)).bytes), (0, 0));
        }
    }

    #[test]
    fn each_named_sae_fetches_once_within_the_linger_time() {
        let mut scene = scene();
        scene.deposit(0, 1, 7, &["b", "c"]);
        assert_eq!(scene.fetch(1, 1, "b"), Found(7));
        assert_eq!(scene.fetch(5, 1, "b"), Found(7));
        assert_eq!(scene.fetch(7, 1, "b"), NotFound);
        // The other SAE is not affected, and after it the share goes.
        assert_eq!(scene.fetch(20, 1, "c"), Found(7));
        assert_eq!((scene.0.len(), scene.0.is_empty()), (1, false));
        scene.0.expire(secs(25));
        assert!(scene.0.is_empty());
    }

    #[test]
    fn a_share_is_handed_out_again_only_during_the_same_start() {
        let mut scene = scene();
        scene.deposit(0, 1, 7, &["b", "c"]);
        assert_eq!(scene.fetch(1, 1, "b"), Found(7));
        let look_up = |slave, start| scene.look_up_of("carol", 2, 1, slave, start);
        assert_eq!(look_up("b", SECOND), NotFound);
        assert_eq!(look_up("b", FIRST), Found(7));
        assert_eq!(look_up("c", SECOND), Found(7), "for the first time");
    }

    #[test]
    fn strangers_get_nothing_and_use_nothing_up() {
        let mut scene = scene();
        scene.deposit(0, 1, 7, &["b"]);
        for stranger in ["x", "carol"] {
            assert_eq!(scene.fetch(1, 1, stranger), Forbidden);
        }
        assert_eq!(scene.fetch(1, 2, "b"), NotFound);
        assert_eq!(scene.fetch(50, 1, "b"), Found(7));
    }

    #[test]
    fn masters_do_not_get_in_each_others_way_under_the_same_key_id() {
        let mut scene = scene_with(LIMITS, &[&["carol"], &["mallory"]]);
        scene.deposit_for("mallory", 0, key(1, vec![8]), &["b"]);
        assert_eq!(scene.fetch(1, 1, "b"), NotFound);
        assert_eq!(scene.deposit(1, 1, 7, &["b"]), Stored);
        assert_eq!(scene.look_up_of("mallory", 2, 1, "b", FIRST), Found(8));
        assert_eq!(scene.fetch(2, 1, "b"), Found(7));
    }

    #[test]
    fn looking_uses_nothing_up() {
        let mut scene = scene();
        scene.deposit(0, 1, 7, &["b"]);
        for at_s in [1, 30, 59] {
            assert_eq!(scene.look_up(at_s, 1, "b"), Found(7));
        }
        assert_eq!(scene.look_up(60, 1, "b"), NotFound);
    }

    #[test]
    fn shares_are_erased_in_the_order_of_their_times_however_they_came_by_them() {
        let limits = StoreLimits {
            shares_max: 10,
            ..LIMITS
        };
        let mut scene = scene_with(limits, &[&["carol"]]);
        for n in 0..6 {
            scene.deposit(n.into(), n, n, &["b"]);
        }
        // They expire at 60 to 65. Two are fetched and go earlier. The third is fetched so late that it goes when it
        // would have gone anyway.
        let fetches = [(10, 3), (20, 0), (59, 2)];
        let mut erased = Vec::new();
        for now in 6..=65 {
            let held = scene.0.len();
            scene.0.expire(secs(now));
            erased.extend((scene.0.len()..held).map(|_| now));
            for (_, n) in fetches.iter().filter(|(at, _)| *at == now) {
                scene.fetch(now, *n, "b");
            }
        }
        assert_eq!(erased, [15, 25, 61, 62, 64, 65]);
    }

    #[test]
    fn a_withdrawn_key_is_erased_and_stays_refused_for_the_background_time() {
        let mut scene = scene_with(LIMITS, &[&["carol"], &["mallory"]]);
        let withdraw = |scene: &mut Scene, at_s, master, n| {
            scene.0.withdraw(secs(at_s), &sae(master), &[id(n)]);
        };
        scene.deposit(0, 1, 7, &["b"]);
        withdraw(&mut scene, 1, "mallory", 1);
        assert_eq!(scene.look_up(1, 1, "b"), Found(7), "another master's key");
        scene.0.expire(secs(21));
        withdraw(&mut scene, 30, "carol", 1);
        assert_eq!(scene.look_up(30, 1, "b"), NotFound);
        assert_eq!(scene.0.bytes(), 0);
        // Also what comes only afterwards.
        withdraw(&mut scene, 30, "carol", 2);
        for n in [1, 2] {
            assert_eq!(scene.deposit(49, n, 7, &["b"]), Conflict);
        }
        assert_eq!(scene.deposit(50, 1, 7, &["b"]), Stored);
        assert_eq!(scene.0.len(), 1);
    }

    #[test]
    fn a_full_store_erases_what_is_withdrawn_all_the_same() {
        let mut scene = scene();
        scene.deposit(0, 1, 7, &["b"]);
        scene.deposit(0, 2, 7, &["b"]);
        let all: Vec<KeyId> = (0..10).map(id).collect();
        scene.0.withdraw(secs(1), &sae("carol"), &all);
        assert_eq!((scene.0.len(), scene.0.bytes()), (2, 0));
        scene.0.expire(secs(21));
        assert!(scene.0.is_empty());
    }

    #[test]
    fn a_share_that_nobody_fetches_expires() {
        let mut scene = scene();
        scene.deposit(0, 1, 7, &["b"]);
        scene.0.expire(secs(59));
        assert_eq!(scene.0.len(), 1);
        scene.0.expire(secs(60));
        assert!(scene.0.is_empty());
    }
}

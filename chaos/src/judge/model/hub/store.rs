//! The shares that a hub holds: `docs/protocol.md` §6.

use std::collections::{BTreeMap, BTreeSet};

use dske::crypto::key_tag::KeyTag;
use dske::protocol::message::DepositOutcome;
use dske::protocol::{KeyId, KeyName, SaeId};
use uuid::Uuid;

use super::Rules;

/// What the model knows of a share. It need not be wiped: it is drawn from the seed, and protects nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The SAEs that may fetch, in the order in which they were named.
    pub slave_saes: Vec<SaeId>,
    /// Bytes of the user key.
    pub size: usize,
    /// The public tag.
    pub tag: KeyTag,
    /// The share.
    pub share: Vec<u8>,
}

/// What stands under a key's name. Times are in microseconds.
struct Entry {
    /// The share, or nothing if the key was withdrawn.
    held: Option<Held>,
    /// When it is erased.
    until_us: u64,
    /// Which SAEs have fetched: each with the start of its client, and until when it may ask again.
    fetched: BTreeMap<SaeId, (Uuid, u64)>,
}

impl Entry {
    fn bytes(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.share.len() as u64)
    }
}

/// What the shares of an SAE take, or may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Shares, and key IDs that were withdrawn.
    pub shares: u64,
    /// Bytes of shares.
    pub bytes: u64,
}

/// What there is of a key for an SAE.
pub enum Lookup<'a> {
    /// Its share.
    Found(&'a Held),
    /// Nothing.
    NotFound,
    /// A share for others.
    Forbidden,
}

/// All entries of a hub.
pub struct Store {
    ttl_us: u64,
    linger_us: u64,
    background_us: u64,
    entries: BTreeMap<KeyName, Entry>,
    /// The same in the order in which they are erased.
    ends: BTreeSet<(u64, KeyName)>,
    /// What each SAE's entries take now.
    used: BTreeMap<SaeId, Room>,
    guaranteed: BTreeMap<SaeId, Room>,
    /// What is guaranteed to nobody.
    common: Room,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        // Half is guaranteed: in equal parts to the clients, and each client's part in equal parts to its SAEs.
        let clients = rules.clients.values().filter(|saes| !saes.is_empty());
        let number = clients.clone().count() as u64;
        let part = |max: u64, saes: &BTreeSet<SaeId>| max / 2 / number.max(1) / saes.len() as u64;
        let guaranteed = clients.flat_map(|saes| {
            let room = Room {
                shares: part(rules.shares_max, saes),
                bytes: part(rules.share_bytes_max, saes),
            };
            saes.iter().map(move |sae| (sae.clone(), room))
        });
        let guaranteed: BTreeMap<SaeId, Room> = guaranteed.collect();
        let sum = |of: fn(&Room) -> u64| guaranteed.values().map(of).sum::<u64>();
        Self {
            ttl_us: rules.ttl_us,
            linger_us: rules.linger_us,
            background_us: rules.background_us,
            entries: BTreeMap::new(),
            ends: BTreeSet::new(),
            used: BTreeMap::new(),
            common: Room {
                shares: rules.shares_max - sum(|room| room.shares),
                bytes: rules.share_bytes_max - sum(|room| room.bytes),
            },
            guaranteed,
        }
    }

    /// Erases what is over.
    pub fn erase(&mut self, now_us: u64) {
        while let Some((until_us, name)) = self.ends.first()
            && *until_us <= now_us
        {
            let name = name.clone();
            self.remove(&name);
        }
    }

    fn remove(&mut self, name: &KeyName) {
        let Some(entry) = self.entries.remove(name) else {
            return;
        };
        self.ends.remove(&(entry.until_us, name.clone()));
        let used = self.used.entry(name.master_sae.clone()).or_default();
        used.shares -= 1;
        used.bytes -= entry.bytes();
    }

    /// Puts an entry into the store, if there is room for it.
    fn insert(&mut self, name: KeyName, entry: Entry) -> bool {
        let used = self.used.entry(name.master_sae.clone()).or_default();
        let before = *used;
        used.shares += 1;
        used.bytes += entry.bytes();
        if !self.fits() {
            self.used.insert(name.master_sae, before);
            return false;
        }
        self.ends.insert((entry.until_us, name.clone()));
        self.entries.insert(name, entry);
        true
    }

    /// Whether no more is lent than what is common.
    fn fits(&self) -> bool {
        let lent = |of: fn(&Room) -> u64| {
            let lent = self.used.iter().map(|(sae, used)| {
                let guaranteed = self.guaranteed.get(sae).copied().unwrap_or_default();
                of(used).saturating_sub(of(&guaranteed))
            });
            lent.sum::<u64>()
        };
        lent(|room| room.shares) <= self.common.shares
            && lent(|room| room.bytes) <= self.common.bytes
    }

    /// A share comes.
    pub fn deposit(&mut self, now_us: u64, name: KeyName, held: Held) -> DepositOutcome {
        self.erase(now_us);
        if let Some(entry) = self.entries.get(&name) {
            return match entry.held.as_ref() == Some(&held) {
                true => DepositOutcome::Stored,
                false => DepositOutcome::Conflict,
            };
        }
        let entry = Entry {
            held: Some(held),
            until_us: now_us + self.ttl_us,
            fetched: BTreeMap::new(),
        };
        match self.insert(name, entry) {
            true => DepositOutcome::Stored,
            false => DepositOutcome::Full,
        }
    }

    /// A key is withdrawn.
    pub fn withdraw(&mut self, now_us: u64, name: KeyName) {
        self.erase(now_us);
        self.remove(&name);
        let withdrawn = Entry {
            held: None,
            until_us: now_us + self.background_us.min(self.ttl_us),
            fetched: BTreeMap::new(),
        };
        self.insert(name, withdrawn);
    }

    /// An SAE asks, in a start of its client. Nothing is used up yet.
    #[must_use]
    pub fn look_up(&self, now_us: u64, name: &KeyName, sae: &SaeId, start: Uuid) -> Lookup<'_> {
        let entry = self
            .entries
            .get(name)
            .filter(|entry| entry.until_us > now_us);
        let Some((entry, held)) = entry.and_then(|entry| Some((entry, entry.held.as_ref()?)))
        else {
            return Lookup::NotFound;
        };
        if !held.slave_saes.contains(sae) {
            return Lookup::Forbidden;
        }
        match entry.fetched.get(sae) {
            Some((first, until_us)) if *first != start || *until_us < now_us => Lookup::NotFound,
            _ => Lookup::Found(held),
        }
    }

    /// An SAE is handed a share that was found for it.
    pub fn hand_out(&mut self, now_us: u64, name: &KeyName, sae: &SaeId, start: Uuid) {
        let until_us = now_us + self.linger_us;
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        if entry.fetched.contains_key(sae) {
            return;
        }
        entry.fetched.insert(sae.clone(), (start, until_us));
        let named = entry.held.as_ref().map_or(0, |held| held.slave_saes.len());
        if entry.fetched.len() == named && until_us < entry.until_us {
            self.ends.remove(&(entry.until_us, name.clone()));
            entry.until_us = until_us;
            self.ends.insert((until_us, name.clone()));
        }
    }

    /// What the entries of these SAEs take that end after a moment.
    #[must_use]
    pub fn used(&self, saes: &BTreeSet<SaeId>, after_us: u64) -> Room {
        let used = saes.iter().filter_map(|sae| self.used.get(sae));
        let used = used.fold(Room::default(), |sum, used| Room {
            shares: sum.shares + used.shares,
            bytes: sum.bytes + used.bytes,
        });
        let over = self.ends.iter();
        let over = over.take_while(|(until_us, _)| *until_us <= after_us);
        let mine = |(_, name): &&(u64, KeyName)| saes.contains(&name.master_sae);
        over.filter(mine).fold(used, |used, (_, name)| Room {
            shares: used.shares - 1,
            bytes: used.bytes - self.entries.get(name).map_or(0, Entry::bytes),
        })
    }
}

/// The name of a master's key.
#[must_use]
pub fn name(master_sae: &SaeId, key_id: KeyId) -> KeyName {
    KeyName {
        master_sae: master_sae.clone(),
        key_id,
    }
}

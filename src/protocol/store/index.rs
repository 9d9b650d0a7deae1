//! Which slot a key's share lies in.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use crate::protocol::names::{KeyId, SaeId};

use super::entry::Entry;
use super::slots::{SlotIndex, Slots};

/// The slots of all entries, found by master and key ID.
pub(super) struct Index {
    places: HashTable<Place>,
    /// Clients choose key IDs. The hasher holds a secret, so that they cannot choose IDs that collide.
    hasher: RandomState,
}

/// Where a share lies, with the hash of its key ID, so that the table can grow without looking at the shares. IDs that
/// several masters use collide, but there are few of those.
struct Place {
    hash: u64,
    slot: SlotIndex,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            places: HashTable::new(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn hash(&self, key_id: KeyId) -> u64 {
        self.hasher.hash_one(key_id)
    }

    pub(super) fn insert(&mut self, hash: u64, slot: SlotIndex) {
        let place = Place { hash, slot };
        self.places.insert_unique(hash, place, |place| place.hash);
    }

    /// Where keys of a master are, each with its hash.
    ///
    /// In a large store most of the time is spent waiting for memory. Both steps, hashing and finding, are short, so that
    /// the processor works on many keys at once and waits for all of them together.
    pub(super) fn find_all(
        &self,
        slots: &Slots<Entry>,
        master_sae: &SaeId,
        key_ids: impl Iterator<Item = KeyId>,
    ) -> Vec<(u64, Option<SlotIndex>)> {
        let hashed = key_ids.map(|key_id| (self.hash(key_id), key_id));
        let hashed: Vec<(u64, KeyId)> = hashed.collect();
        let found = |(hash, key_id)| (hash, self.find(slots, hash, master_sae, key_id));
        hashed.into_iter().map(found).collect()
    }

    pub(super) fn find(
        &self,
        slots: &Slots<Entry>,
        hash: u64,
        master_sae: &SaeId,
        key_id: KeyId,
    ) -> Option<SlotIndex> {
        let is_it = |place: &Place| {
            let entry = slots.get(place.slot);
            place.hash == hash && entry.is_some_and(|entry| entry.is_of(master_sae, key_id))
        };
        Some(self.places.find(hash, is_it)?.slot)
    }

    /// Forgets entries that have been taken out of their slots.
    pub(super) fn remove_all(&mut self, taken: &[(SlotIndex, Entry)]) {
        let hashes = taken.iter().map(|(_, entry)| self.hash(entry.key_id));
        // All hashes first, see `find_all`.
        for (hash, (slot, _)) in hashes.collect::<Vec<u64>>().into_iter().zip(taken) {
            if let Ok(place) = self.places.find_entry(hash, |place| place.slot == *slot) {
                place.remove();
            }
        }
    }

    /// Whether any master has a key with this ID.
    pub(super) fn holds_id(&self, slots: &Slots<Entry>, key_id: KeyId) -> bool {
        let has_id = |entry: &Entry| entry.key_id == key_id;
        let mut places = self.places.iter();
        places.any(|place| slots.get(place.slot).is_some_and(has_id))
    }
}

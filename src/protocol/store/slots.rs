//! Where entries lie, each in one of three queues.
//!
//! Entries never move: they lie in chunks, so that growing copies nothing. A queue is a ring through its entries and an
//! anchor. Appending an entry, taking the first one and taking one out of the middle cost the same, however many there
//! are.

/// Slots that are allocated together.
const CHUNK: usize = 256;

/// The number of a slot, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotIndex(u32);

/// A queue. The anchor of its ring is a slot of its own, so that an entry can be taken out whatever queue it is in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Queue {
    /// Entries that have not been handed to all their SAEs.
    Waiting,
    /// Entries that have.
    Lingering,
    /// What is left of keys that were withdrawn.
    Withdrawn,
}

impl Queue {
    fn anchor(self) -> SlotIndex {
        SlotIndex(match self {
            Self::Waiting => 0,
            Self::Lingering => 1,
            Self::Withdrawn => 2,
        })
    }
}

/// The anchor of the ring of free slots.
const FREE: SlotIndex = SlotIndex(3);

struct Slot<T> {
    before: SlotIndex,
    after: SlotIndex,
    entry: Option<T>,
}

/// Entries in their queues.
pub(super) struct Slots<T> {
    chunks: Vec<Vec<Slot<T>>>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        let mut slots = Self { chunks: Vec::new() };
        for _ in 0..=FREE.0 {
            slots.grow();
        }
        slots
    }

    /// Appends an entry.
    pub(super) fn push(&mut self, queue: Queue, entry: T) -> SlotIndex {
        let free = self.slot(FREE).after;
        let index = if free == FREE { self.grow() } else { free };
        self.slot_mut(index).entry = Some(entry);
        self.requeue(index, queue);
        index
    }

    /// The first entry of a queue.
    pub(super) fn first(&self, queue: Queue) -> Option<(SlotIndex, &T)> {
        let index = self.slot(queue.anchor()).after;
        self.get(index).map(|entry| (index, entry))
    }

    /// Moves an entry to the end of a queue.
    pub(super) fn requeue(&mut self, index: SlotIndex, queue: Queue) {
        self.move_before(index, queue.anchor());
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, index: SlotIndex) -> Option<T> {
        let entry = self.slot_mut(index).entry.take()?;
        self.move_before(index, FREE);
        Some(entry)
    }

    pub(super) fn get(&self, index: SlotIndex) -> Option<&T> {
        self.slot(index).entry.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: SlotIndex) -> Option<&mut T> {
        self.slot_mut(index).entry.as_mut()
    }

    /// A new slot, in a ring of its own.
    fn grow(&mut self) -> SlotIndex {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = CHUNK * (self.chunks.len() - 1);
        let chunk = self.chunks.last_mut().expect("one has just been added");
        let index = u32::try_from(full + chunk.len());
        let index = SlotIndex(index.expect("a store holds far fewer than 2^32 entries"));
        chunk.push(Slot {
            before: index,
            after: index,
            entry: None,
        });
        index
    }

    /// Takes a slot out of its ring and puts it before an anchor, which is the end of the anchor's queue.
    fn move_before(&mut self, index: SlotIndex, anchor: SlotIndex) {
        let Slot { before, after, .. } = *self.slot(index);
        self.slot_mut(before).after = after;
        self.slot_mut(after).before = before;
        let last = std::mem::replace(&mut self.slot_mut(anchor).before, index);
        self.slot_mut(last).after = index;
        let slot = self.slot_mut(index);
        (slot.before, slot.after) = (last, anchor);
    }

    fn slot(&self, index: SlotIndex) -> &Slot<T> {
        let chunk = self.chunks.get(index.0 as usize / CHUNK);
        let slot = chunk.and_then(|chunk| chunk.get(index.0 as usize % CHUNK));
        slot.expect("a slot that was allocated stays")
    }

    fn slot_mut(&mut self, index: SlotIndex) -> &mut Slot<T> {
        let chunk = self.chunks.get_mut(index.0 as usize / CHUNK);
        let slot = chunk.and_then(|chunk| chunk.get_mut(index.0 as usize % CHUNK));
        slot.expect("a slot that was allocated stays")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push,
        RemoveFirst(bool),
        Remove(prop::sample::Index),
        Requeue(prop::sample::Index, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let any_index = any::<prop::sample::Index>();
        prop_oneof![
            3 => Just(Step::Push),
            1 => any::<bool>().prop_map(Step::RemoveFirst),
            1 => any_index.clone().prop_map(Step::Remove),
            1 => (any_index, any::<bool>()).prop_map(|(index, lingering)| Step::Requeue(index, lingering)),
        ]
    }

    fn queue(lingering: bool) -> Queue {
        if lingering {
            Queue::Lingering
        } else {
            Queue::Waiting
        }
    }

    proptest! {
        #[test]
        fn queues_keep_their_order_and_lose_nothing(steps in prop::collection::vec(step(), 0..600)) {
            let mut slots = Slots::new();
            // Each entry with its slot, in the order of its queue.
            let mut model = [VecDeque::new(), VecDeque::new()];
            let pick = |model: &[VecDeque<(SlotIndex, u32)>; 2], index: prop::sample::Index| {
                let all: Vec<_> = model.iter().flatten().copied().collect();
                (!all.is_empty()).then(|| *index.get(&all))
            };
            for (number, step) in (0..).zip(steps) {
                match step {
                    Step::Push => model[0].push_back((slots.push(Queue::Waiting, number), number)),
                    Step::RemoveFirst(lingering) => {
                        let first = slots.first(queue(lingering)).map(|(index, entry)| (index, *entry));
                        prop_assert_eq!(first, model[usize::from(lingering)].pop_front());
                        if let Some((index, entry)) = first {
                            prop_assert_eq!(slots.remove(index), Some(entry));
                            prop_assert_eq!(slots.remove(index), None);
                        }
                    }
                    Step::Remove(index) => {
                        if let Some((index, entry)) = pick(&model, index) {
                            prop_assert_eq!(slots.remove(index), Some(entry));
                            model.iter_mut().for_each(|queue| queue.retain(|(_, e)| *e != entry));
                        }
                    }
                    Step::Requeue(index, lingering) => {
                        if let Some((index, entry)) = pick(&model, index) {
                            slots.requeue(index, queue(lingering));
                            model.iter_mut().for_each(|queue| queue.retain(|(_, e)| *e != entry));
                            model[usize::from(lingering)].push_back((index, entry));
                        }
                    }
                }
                for &(index, entry) in model.iter().flatten() {
                    prop_assert_eq!(slots.get(index), Some(&entry));
                }
            }
            for lingering in [false, true] {
                while let Some((index, _)) = slots.first(queue(lingering)) {
                    let removed = slots.remove(index);
                    prop_assert_eq!(Some((index, removed.unwrap())), model[usize::from(lingering)].pop_front());
                }
                prop_assert!(model[usize::from(lingering)].is_empty());
            }
        }
    }

    #[test]
    fn what_is_free_is_used_again() {
        let mut slots = Slots::new();
        for _ in 0..10 {
            let indices: Vec<_> = (0..CHUNK).map(|n| slots.push(Queue::Waiting, n)).collect();
            for index in indices {
                slots.remove(index);
            }
        }
        // Four slots are anchors.
        assert_eq!(slots.chunks.len(), 2);
    }
}

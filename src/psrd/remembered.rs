//! Which blocks a pool no longer holds, and why.

use std::collections::{BTreeMap, VecDeque};

use super::BlockId;
use crate::harness::{Mark, reached};

/// How many blocks that are gone a pool remembers. Each takes about 64 bytes, so that a pool takes 64 KiB; with blocks
/// of 1 MiB it looks back over 1 GiB of spent data. Safety does not rest on it: a forgotten block is unknown, and an
/// allocation that names it is refused all the same. Remembering makes the reason exact, and catches a block that is
/// delivered twice.
pub const REMEMBERED_MAX: usize = 1024;

/// The last blocks that left a pool, each with its reason.
#[derive(Debug)]
pub(super) struct Remembered<R> {
    reasons: BTreeMap<BlockId, R>,
    oldest_first: VecDeque<BlockId>,
    max: usize,
}

impl<R: Copy> Remembered<R> {
    /// Remembers so many blocks.
    pub(super) fn new(max: usize) -> Self {
        Self {
            reasons: BTreeMap::new(),
            oldest_first: VecDeque::new(),
            max,
        }
    }

    /// Remembers `block`. It is not remembered yet, since pools refuse duplicates.
    pub(super) fn insert(&mut self, block: BlockId, reason: R) {
        let before = self.reasons.insert(block, reason);
        debug_assert!(before.is_none(), "a block leaves a pool once");
        self.oldest_first.push_back(block);
        if self.oldest_first.len() > self.max
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            reached(Mark::BlockForgotten);
            self.reasons.remove(&oldest);
        }
    }

    pub(super) fn get(&self, block: BlockId) -> Option<R> {
        self.reasons.get(&block).copied()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn forgets_the_oldest_and_stays_bounded() {
        let mut remembered = Remembered::new(REMEMBERED_MAX);
        let id = |number: usize| BlockId::from(Uuid::from_u128(number as u128));
        for number in 0..REMEMBERED_MAX + 10 {
            remembered.insert(id(number), number);
        }
        assert_eq!(remembered.get(id(9)), None);
        assert_eq!(remembered.get(id(10)), Some(10));
        assert_eq!(
            remembered.get(id(REMEMBERED_MAX + 9)),
            Some(REMEMBERED_MAX + 9)
        );
        assert_eq!(remembered.reasons.len(), REMEMBERED_MAX);
        assert_eq!(remembered.oldest_first.len(), REMEMBERED_MAX);
    }
}

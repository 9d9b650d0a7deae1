//! The end of a pool that is told what the peer has allocated.

use std::collections::BTreeMap;

use crate::crypto::secret::Secret;
use crate::harness::{Canary, Mark, canary, reached};

use super::remembered::{REMEMBERED_MAX, Remembered};
use super::used::{SPANS_MAX, Used};
use super::{Allocation, Block, BlockId, Fragment, POOL_BYTES_MAX, PoolError};

/// How many wrong MACs on one block are tolerated by default: 2³².
///
/// The limit weighs two attacks. Each wrong MAC is another try of a forger, and succeeds with probability at most
/// (m + 1)/2¹²⁸ for a message of m 16-byte blocks. All tries together, one more than are tolerated, succeed with
/// probability below (m + 1)/2⁹⁵ on any key of the block. On the other hand, block IDs travel in clear, and whoever
/// reaches the limit denies the honest peer the rest of the block: that takes a day of 50,000 messages a second, while
/// the block is in use for seconds.
pub const MAC_FAILURES_MAX: u64 = 1 << 32;

// 2¹²⁸ over the number of tries is more than 2⁹⁵.
const _: () = assert!(MAC_FAILURES_MAX + 1 < 1 << (128 - 95));
// At 50,000 messages a second it takes more than 23 hours to retire a block.
const _: () = assert!(MAC_FAILURES_MAX / 50_000 > 23 * 60 * 60);

/// The receiver's end of a pool: it finds the bytes that the peer has allocated, and accepts each once.
///
/// A message is received in two steps. [`peek`](Self::peek) gives the bytes to verify its MAC with, and no more: anyone
/// on the network can name any allocation, so this changes nothing and costs little. Then follows [`consume`](Self::consume) or
/// [`mac_failed`](Self::mac_failed).
#[derive(Debug)]
pub struct ReceivingPool {
    blocks: BTreeMap<BlockId, Held>,
    gone: Remembered<Gone>,
    /// The furthest position that has been used.
    mark: Option<Furthest>,
    /// Bytes of the blocks behind the one that the mark is in: counted when blocks change, not for each message.
    behind: usize,
    /// Bytes of all blocks.
    blocks_bytes: usize,
    /// The number of the next block.
    next_number: u64,
    blocks_max: usize,
    limits: PoolLimits,
}

/// What a [`ReceivingPool`] tolerates and remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Wrong MACs on one block.
    pub mac_failures_max: u64,
    /// Separate spans of used bytes in one block, 1 at least.
    pub spans_max: usize,
    /// Blocks that are gone.
    pub remembered_max: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            mac_failures_max: MAC_FAILURES_MAX,
            spans_max: SPANS_MAX,
            remembered_max: REMEMBERED_MAX,
        }
    }
}

/// A position, by its place in the order in which blocks were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Furthest {
    number: u64,
    /// Position after the byte.
    end: u32,
    block: BlockId,
}

#[derive(Debug)]
struct Held {
    block: Block,
    /// Its place in the order in which blocks were added, from 0.
    number: u64,
    used: Used,
    mac_failures: u64,
}

/// Why a block is no longer held.
#[derive(Debug, Clone, Copy)]
enum Gone {
    Used,
    Retired,
    Evicted,
}

impl ReceivingPool {
    /// An empty pool that will hold at most `blocks_max` blocks of at most [`POOL_BYTES_MAX`] together, and retires a block at
    /// the first wrong MAC beyond `limits.mac_failures_max` of them.
    ///
    /// `blocks_max` must be at least that of the peer's [`SpendingPool`](super::SpendingPool).
    #[must_use]
    pub fn new(blocks_max: usize, limits: PoolLimits) -> Self {
        Self {
            blocks: BTreeMap::new(),
            gone: Remembered::new(limits.remembered_max),
            mark: None,
            behind: 0,
            blocks_bytes: 0,
            next_number: 0,
            blocks_max,
            limits,
        }
    }

    /// Whether there is room for a block of so many bytes, or can be made: see [`add`](Self::add).
    ///
    /// # Errors
    /// [`PoolError::Full`].
    pub fn check_room(&self, bytes: usize) -> Result<(), PoolError> {
        if self.is_full_for(bytes) && self.finished().is_none() {
            return Err(self.full());
        }
        Ok(())
    }

    /// Adds a block behind the others. If the pool is full, the oldest block makes room, provided that a later one
    /// has been used: the peer allocates in order, so it has finished with the oldest. What was not used of the oldest
    /// belonged to messages that were lost or are very late.
    ///
    /// # Errors
    /// [`PoolError::Duplicate`] if the pool has, or remembers having had, a block of this ID; [`PoolError::Full`]
    /// if no block can make room.
    pub fn add(&mut self, block: Block) -> Result<(), PoolError> {
        let id = block.id();
        if self.gone.get(id).is_some() || self.blocks.contains_key(&id) {
            return Err(PoolError::Duplicate { block: id });
        }
        while self.is_full_for(block.len()) {
            let finished = self.finished().ok_or(self.full())?;
            self.remove(finished, Gone::Evicted);
            reached(Mark::BlockEvicted);
        }
        self.blocks_bytes += block.len();
        let number = self.next_number;
        self.next_number += 1;
        self.blocks.insert(
            id,
            Held {
                block,
                number,
                used: Used::default(),
                mac_failures: 0,
            },
        );
        self.count_behind();
        Ok(())
    }

    /// The first `size` of the bytes that `allocation` stands for, in its order, or all if there are fewer; provided that
    /// all of them are there and unused. Nothing is used.
    ///
    /// # Errors
    /// For the first fragment in question: [`PoolError::UnknownBlock`], [`PoolError::OutOfBounds`],
    /// [`PoolError::AlreadyUsed`], [`PoolError::Retired`] or [`PoolError::Evicted`].
    pub fn peek(&self, allocation: &Allocation, size: usize) -> Result<Secret, PoolError> {
        let parts = allocation
            .fragments()
            .iter()
            .map(|fragment| self.find(fragment));
        let parts = parts.collect::<Result<Vec<&[u8]>, _>>()?;
        let total = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut missing = size.min(total);
        let mut bytes = Vec::with_capacity(missing); // exact: growing would leave copies behind
        for part in parts {
            let part = part.get(..missing).unwrap_or(part);
            bytes.extend_from_slice(part);
            missing -= part.len();
        }
        Ok(Secret::from(bytes))
    }

    /// Hands the bytes of `allocation` out, marks them as used, for good, and overwrites them. Call it once the MAC has
    /// been verified with bytes from [`peek`](Self::peek), and before the message has any effect.
    ///
    /// # Errors
    /// Those of [`peek`](Self::peek). Nothing is used then.
    pub fn consume(&mut self, allocation: &Allocation) -> Result<Secret, PoolError> {
        let bytes = self.peek(allocation, usize::MAX)?;
        for fragment in allocation.fragments() {
            let held = self
                .blocks
                .get_mut(&fragment.block())
                .expect("the check found this block");
            held.consume(fragment, self.limits.spans_max);
            let mark = Furthest {
                number: held.number,
                end: fragment.end(),
                block: fragment.block(),
            };
            let before = self.mark;
            self.mark = before.max(Some(mark));
            if before.is_none_or(|before| before.number < mark.number) {
                self.count_behind();
            }
        }
        for fragment in allocation.fragments() {
            let id = fragment.block();
            if self
                .blocks
                .get(&id)
                .is_some_and(|held| held.used.covers(held.block.len()))
            {
                self.remove(id, Gone::Used);
            }
        }
        Ok(bytes)
    }

    /// Counts a message whose MAC did not fit the bytes of `allocation` against each block that it names. A block for
    /// which it was one too many is erased and [`PoolError::Retired`] from then on. Returns those blocks.
    ///
    /// Nothing else is used. An allocation that [`peek`](Self::peek) refuses is not counted: it gave no bytes to try a
    /// forgery on.
    pub fn mac_failed(&mut self, allocation: &Allocation) -> Vec<BlockId> {
        if self.check(allocation).is_err() {
            return Vec::new();
        }
        let mut named: Vec<BlockId> = allocation.fragments().iter().map(Fragment::block).collect();
        named.sort();
        named.dedup(); // one message is one try
        named.retain(|id| {
            let held = self.blocks.get_mut(id).expect("the check found this block");
            let is_counted = !canary(Canary::FailuresUncounted);
            held.mac_failures = held.mac_failures.saturating_add(is_counted.into());
            held.mac_failures > self.limits.mac_failures_max
        });
        for id in &named {
            reached(Mark::BlockRetired);
            self.remove(*id, Gone::Retired);
        }
        named
    }

    /// How many bytes lie behind the furthest one that was used: as far as this end can tell, what the peer can still
    /// allocate. Skipped bytes do not count, since they belong to messages that were lost or are on their way.
    #[must_use]
    pub fn left(&self) -> usize {
        let rest = |mark: Furthest| {
            let held = self.blocks.get(&mark.block)?;
            Some(held.block.len() - mark.end as usize)
        };
        self.behind + self.mark.and_then(rest).unwrap_or(0)
    }

    fn count_behind(&mut self) {
        let is_behind = |held: &&Held| self.mark.is_none_or(|mark| held.number > mark.number);
        let behind = self.blocks.values().filter(is_behind);
        self.behind = behind.map(|held| held.block.len()).sum();
    }

    fn check(&self, allocation: &Allocation) -> Result<(), PoolError> {
        allocation
            .fragments()
            .iter()
            .try_for_each(|fragment| self.find(fragment).map(|_| ()))
    }

    /// The unused bytes that `fragment` stands for.
    fn find(&self, fragment: &Fragment) -> Result<&[u8], PoolError> {
        let (block, start, size) = (fragment.block(), fragment.start(), fragment.size());
        let Some(held) = self.blocks.get(&block) else {
            return Err(match self.gone.get(block) {
                Some(Gone::Used) => PoolError::AlreadyUsed { block, start, size },
                Some(Gone::Retired) => PoolError::Retired { block },
                Some(Gone::Evicted) => PoolError::Evicted { block },
                None => PoolError::UnknownBlock { block },
            });
        };
        let range = start as usize..fragment.end() as usize;
        let bytes = held.block.bytes().get(range);
        let bytes = bytes.ok_or(PoolError::OutOfBounds {
            block,
            start,
            size,
            len: held.block.len(),
        })?;
        let end = if canary(Canary::OverlapFirstByte) {
            start + 1
        } else {
            fragment.end()
        };
        if held.used.overlaps(start, end) {
            return Err(PoolError::AlreadyUsed { block, start, size });
        }
        Ok(bytes)
    }

    fn is_full_for(&self, bytes: usize) -> bool {
        self.blocks.len() >= self.blocks_max || self.blocks_bytes + bytes > POOL_BYTES_MAX
    }

    fn full(&self) -> PoolError {
        PoolError::Full {
            blocks: self.blocks.len(),
            bytes: self.blocks_bytes,
        }
    }

    /// The oldest block, if the peer has gone beyond it.
    fn finished(&self) -> Option<BlockId> {
        let (number, oldest) = self.oldest()?;
        let is_finished = self.mark.is_some_and(|mark| number < mark.number);
        is_finished.then_some(oldest)
    }

    fn oldest(&self) -> Option<(u64, BlockId)> {
        self.blocks
            .iter()
            .map(|(id, held)| (held.number, *id))
            .min()
    }

    fn remove(&mut self, block: BlockId, why: Gone) {
        // Dropping a block wipes it.
        if let Some(held) = self.blocks.remove(&block) {
            self.blocks_bytes -= held.block.len();
            self.gone.insert(block, why);
            self.count_behind();
        }
    }
}

impl Held {
    fn consume(&mut self, fragment: &Fragment, spans_max: usize) {
        if canary(Canary::ReceiptNotMarked) {
            return;
        }
        let given_up = self
            .used
            .insert(fragment.start(), fragment.end(), spans_max);
        self.block
            .erase(fragment.start() as usize..fragment.end() as usize);
        self.block.erase(0..given_up as usize);
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::psrd::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN};

    /// A pool tolerates so many wrong MACs on a block.
    fn failures(mac_failures_max: u64) -> PoolLimits {
        PoolLimits {
            mac_failures_max,
            ..PoolLimits::default()
        }
    }

    const ALL: usize = usize::MAX;

    fn id(number: u128) -> BlockId {
        BlockId::from(Uuid::from_u128(number))
    }

    /// A block whose bytes are 1, 2, 3 and so on, never 0.
    fn block(number: u128, size: usize) -> Block {
        let bytes = (0..size)
            .map(|position| (position % 250) as u8 + 1)
            .collect::<Vec<u8>>();
        Block::from_parts(id(number), Secret::from(bytes)).unwrap()
    }

    fn block_of_zeros(number: u128, size: usize) -> Block {
        Block::from_parts(id(number), Secret::zeros(size)).unwrap()
    }

    fn allocation(fragments: &[(u128, u32, u32)]) -> Allocation {
        let fragment =
            |(number, start, size): &_| Fragment::new(id(*number), *start, *size).unwrap();
        Allocation::new(fragments.iter().map(fragment).collect()).unwrap()
    }

    /// A pool of at most 3 blocks, which has these, each of 64 bytes.
    fn pool(numbers: impl IntoIterator<Item = u128>) -> ReceivingPool {
        let mut pool = ReceivingPool::new(3, failures(2));
        for number in numbers {
            pool.add(block(number, BLOCK_BYTES_MIN)).unwrap();
        }
        pool
    }

    #[test]
    fn peek_gives_the_bytes_in_the_order_of_the_allocation() {
        let pool = pool([1, 2]);
        let bytes = pool
            .peek(&allocation(&[(2, 3, 2), (1, 60, 4), (2, 0, 1)]), ALL)
            .unwrap();
        assert_eq!(*bytes, [4, 5, 61, 62, 63, 64, 1]);
    }

    #[test]
    fn a_peek_copies_no_more_than_is_wanted_and_checks_all() {
        let pool = pool([1, 2]);
        let all = [(1, 0, 3), (2, 0, 2), (1, 60, 4)];
        for (size, bytes) in [(0, vec![]), (2, vec![1, 2]), (4, vec![1, 2, 3, 1])] {
            assert_eq!(*pool.peek(&allocation(&all), size).unwrap(), bytes);
        }
        let outside = allocation(&[(1, 0, 32), (2, 0, 65)]);
        assert!(pool.peek(&outside, 32).is_err());
    }

    #[test]
    fn a_pool_is_bounded_by_its_bytes_too() {
        let mut pool = ReceivingPool::new(64, failures(1));
        let large = |number| block_of_zeros(number, BLOCK_BYTES_MAX);
        let most = (POOL_BYTES_MAX / BLOCK_BYTES_MAX) as u128;
        for number in 0..most {
            pool.check_room(BLOCK_BYTES_MAX).unwrap();
            pool.add(large(number)).unwrap();
        }
        let full = Err(PoolError::Full {
            blocks: most as usize,
            bytes: POOL_BYTES_MAX,
        });
        assert_eq!(pool.check_room(64), full);
        assert_eq!(pool.add(large(most)), full);
        // What the peer has passed makes room.
        pool.consume(&allocation(&[(1, 0, 1)])).unwrap();
        pool.check_room(BLOCK_BYTES_MAX).unwrap();
        pool.add(large(most)).unwrap();
        assert_eq!(pool.blocks_bytes, POOL_BYTES_MAX);
    }

    #[test]
    fn consume_overwrites_just_these_bytes() {
        let mut pool = pool([1]);
        pool.consume(&allocation(&[(1, 40, 4), (1, 10, 20)]))
            .unwrap();
        for (position, byte) in pool.blocks[&id(1)].block.bytes().iter().enumerate() {
            let used = (10..30).contains(&position) || (40..44).contains(&position);
            assert_eq!(*byte == 0, used, "at {position}");
        }
    }

    #[test]
    fn whatever_overlaps_is_refused() {
        let mut pool = pool([1]);
        pool.consume(&allocation(&[(1, 10, 10)])).unwrap();
        for (start, size) in [(10, 10), (9, 2), (19, 1), (12, 3), (0, 64)] {
            let used = PoolError::AlreadyUsed {
                block: id(1),
                start,
                size,
            };
            assert_eq!(
                pool.peek(&allocation(&[(1, start, size)]), ALL)
                    .unwrap_err(),
                used
            );
            assert_eq!(pool.consume(&allocation(&[(1, start, size)])), Err(used));
        }
        pool.peek(&allocation(&[(1, 0, 10), (1, 20, 44)]), ALL)
            .unwrap();
    }

    #[test]
    fn a_refusal_uses_nothing() {
        let mut pool = pool([1]);
        let outside = PoolError::OutOfBounds {
            block: id(1),
            start: 60,
            size: 5,
            len: 64,
        };
        assert_eq!(
            pool.consume(&allocation(&[(1, 0, 10), (1, 60, 5)])),
            Err(outside)
        );
        let unknown = PoolError::UnknownBlock { block: id(9) };
        assert_eq!(
            pool.consume(&allocation(&[(1, 0, 10), (9, 0, 1)])),
            Err(unknown)
        );
        let far = PoolError::OutOfBounds {
            block: id(1),
            start: u32::MAX - 1,
            size: 1,
            len: 64,
        };
        assert_eq!(pool.consume(&allocation(&[(1, u32::MAX - 1, 1)])), Err(far));
        assert_eq!(pool.left(), 64);
        assert_eq!(*pool.peek(&allocation(&[(1, 0, 2)]), ALL).unwrap(), [1, 2]);
    }

    #[test]
    fn a_used_up_block_is_dropped_and_remembered() {
        let mut pool = pool([1, 2]);
        pool.consume(&allocation(&[(1, 32, 32)])).unwrap();
        pool.consume(&allocation(&[(1, 0, 32), (2, 0, 1)])).unwrap();
        assert_eq!(pool.blocks.keys().collect::<Vec<_>>(), [&id(2)]);
        let used = PoolError::AlreadyUsed {
            block: id(1),
            start: 0,
            size: 32,
        };
        assert_eq!(
            pool.peek(&allocation(&[(1, 0, 32)]), ALL).unwrap_err(),
            used
        );
        assert_eq!(
            pool.add(block(1, 64)),
            Err(PoolError::Duplicate { block: id(1) })
        );
        assert_eq!(
            pool.add(block(2, 64)),
            Err(PoolError::Duplicate { block: id(2) })
        );
    }

    #[test]
    fn left_counts_from_the_furthest_byte_used() {
        let mut pool = pool([1, 2, 3]);
        assert_eq!(pool.left(), 192);
        pool.consume(&allocation(&[(2, 10, 10)])).unwrap();
        assert_eq!(pool.left(), 44 + 64);
        pool.consume(&allocation(&[(1, 0, 64)])).unwrap();
        pool.consume(&allocation(&[(2, 0, 10)])).unwrap();
        assert_eq!(pool.left(), 44 + 64);
        pool.consume(&allocation(&[(2, 20, 44)])).unwrap();
        assert_eq!(pool.left(), 64);
        pool.consume(&allocation(&[(3, 0, 64)])).unwrap();
        assert_eq!(pool.left(), 0);
        pool.add(block(4, 100)).unwrap();
        assert_eq!(pool.left(), 100);
    }

    #[test]
    fn only_a_block_that_the_peer_has_passed_makes_room() {
        let mut pool = pool([1, 2, 3]);
        let full = Err(PoolError::Full {
            blocks: 3,
            bytes: 3 * 64,
        });
        assert_eq!(pool.check_room(64), full);
        assert_eq!(pool.add(block(4, 64)), full);
        pool.consume(&allocation(&[(1, 0, 63)])).unwrap();
        assert_eq!(pool.add(block(4, 64)), full);
        pool.consume(&allocation(&[(2, 0, 1)])).unwrap();
        pool.add(block(4, 64)).unwrap();
        let evicted = PoolError::Evicted { block: id(1) };
        assert_eq!(
            pool.peek(&allocation(&[(1, 63, 1)]), ALL).unwrap_err(),
            evicted
        );
        assert_eq!(
            pool.add(block(1, 64)),
            Err(PoolError::Duplicate { block: id(1) })
        );
        assert_eq!(pool.add(block(5, 64)), full);
    }

    #[test]
    fn wrong_macs_use_nothing_until_there_are_too_many() {
        let mut pool = pool([1, 2, 3]);
        let forged = allocation(&[(1, 0, 32), (2, 0, 1), (1, 40, 2)]);
        for _ in 0..2 {
            assert_eq!(pool.mac_failed(&forged), []);
            assert_eq!(pool.peek(&forged, ALL).unwrap().len(), 35);
        }
        assert_eq!(pool.mac_failed(&allocation(&[(2, 50, 1)])), [id(2)]);
        let retired = PoolError::Retired { block: id(2) };
        assert_eq!(pool.peek(&forged, ALL).unwrap_err(), retired);
        assert_eq!(pool.consume(&allocation(&[(2, 9, 1)])), Err(retired));
        assert!(!pool.blocks.contains_key(&id(2)));
        assert_eq!(pool.left(), 2 * 64);
        assert_eq!(
            pool.add(block(2, 64)),
            Err(PoolError::Duplicate { block: id(2) })
        );
        pool.consume(&allocation(&[(1, 0, 32)])).unwrap();
    }

    #[test]
    fn an_allocation_that_gives_no_bytes_is_no_try() {
        let mut pool = pool([1]);
        pool.consume(&allocation(&[(1, 0, 1)])).unwrap();
        for _ in 0..10 {
            for refused in [(1, 0, 2), (1, 64, 1), (9, 0, 1)] {
                assert_eq!(pool.mac_failed(&allocation(&[(1, 10, 1), refused])), []);
            }
        }
        pool.consume(&allocation(&[(1, 1, 63)])).unwrap();
    }

    #[test]
    fn a_pool_tolerates_and_remembers_as_much_as_it_was_told() {
        let limits = PoolLimits {
            spans_max: 2,
            remembered_max: 1,
            ..PoolLimits::default()
        };
        let mut pool = ReceivingPool::new(3, limits);
        for number in 1..=3 {
            pool.add(block(number, 64)).unwrap();
        }
        for start in [10, 20, 30] {
            pool.consume(&allocation(&[(1, start, 1)])).unwrap();
        }
        let used = |start| PoolError::AlreadyUsed {
            block: id(1),
            start,
            size: 1,
        };
        assert_eq!(pool.consume(&allocation(&[(1, 15, 1)])), Err(used(15)));
        pool.consume(&allocation(&[(1, 25, 1)])).unwrap();
        pool.consume(&allocation(&[(2, 0, 64)])).unwrap();
        let of_second = allocation(&[(2, 0, 1)]);
        assert!(matches!(
            pool.consume(&of_second),
            Err(PoolError::AlreadyUsed { .. })
        ));
        pool.consume(&allocation(&[(3, 0, 64)])).unwrap();
        let forgotten = PoolError::UnknownBlock { block: id(2) };
        assert_eq!(pool.consume(&of_second), Err(forgotten));
    }

    #[test]
    fn a_peer_that_leaves_gaps_loses_them() {
        let mut pool = ReceivingPool::new(1, failures(1));
        pool.add(block(1, 3 * SPANS_MAX)).unwrap();
        for span in 0..=SPANS_MAX as u32 {
            pool.consume(&allocation(&[(1, 1 + 2 * span, 1)])).unwrap();
        }
        let refused = pool.peek(&allocation(&[(1, 2, 1)]), ALL).unwrap_err();
        assert_eq!(
            refused,
            PoolError::AlreadyUsed {
                block: id(1),
                start: 2,
                size: 1
            }
        );
        assert_eq!(pool.blocks[&id(1)].block.bytes()[..6], [0, 0, 0, 0, 5, 0]);
        pool.peek(&allocation(&[(1, 4, 1)]), ALL).unwrap();
    }

    #[test]
    fn memory_of_gone_blocks_is_bounded_and_forgotten_ones_are_refused() {
        let mut pool = ReceivingPool::new(1, failures(1));
        for number in 0..=REMEMBERED_MAX as u128 {
            pool.add(block(number, 64)).unwrap();
            pool.consume(&allocation(&[(number, 0, 64)])).unwrap();
        }
        let replay = |number| pool.peek(&allocation(&[(number, 0, 64)]), ALL).unwrap_err();
        assert_eq!(replay(0), PoolError::UnknownBlock { block: id(0) });
        assert_eq!(
            replay(1),
            PoolError::AlreadyUsed {
                block: id(1),
                start: 0,
                size: 64
            }
        );
    }

    #[test]
    fn debug_shows_no_bytes() {
        let mut pool = ReceivingPool::new(1, failures(1));
        pool.add(Block::from_parts(id(1), Secret::from(vec![173; 64])).unwrap())
            .unwrap();
        let shown = format!("{pool:?}");
        assert!(
            shown.contains("<redacted>") && !shown.contains("173"),
            "{shown}"
        );
    }
}

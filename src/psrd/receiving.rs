use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::remembered::Remembered;
use super::used::Used;
use super::{Allocation, Block, BlockId, Fragment, PoolError};

/// How many wrong MACs on one block to tolerate by default, 2¹⁶.
///
/// Each is another try of a forger, and succeeds with probability at most (m + 1)/2¹²⁸ for a message of m 16-byte
/// blocks. With one try more than is tolerated, all of them together stay below (m + 1)/2¹¹¹ on any key of the
/// block. The limit is as high as that, because whoever reaches it denies the honest peer the rest of the block.
pub const MAC_FAILURES_MAX: u32 = 1 << 16;

/// The receiver's end of a pool: finds the bytes that the peer has allocated, and accepts each once.
///
/// A message is taken in two steps. [`peek`](Self::peek) gives the bytes to verify its MAC with and changes nothing,
/// since anyone on the network can name any allocation. Then either [`consume`](Self::consume), or
/// [`mac_failed`](Self::mac_failed).
#[derive(Debug)]
pub struct ReceivingPool {
    blocks: BTreeMap<BlockId, Held>,
    gone: Remembered<Gone>,
    /// The furthest position used so far: number of the block, and position after the byte.
    mark: (u64, u32),
    /// Number of the next block that is added.
    next_number: u64,
    blocks_max: usize,
    mac_failures_max: u32,
}

#[derive(Debug)]
struct Held {
    block: Block,
    /// Which one it is in the order in which blocks were added, from 0.
    number: u64,
    used: Used,
    mac_failures: u32,
}

/// Why a block is no longer held.
#[derive(Debug, Clone, Copy)]
enum Gone {
    Used,
    Retired,
    Evicted,
}

impl ReceivingPool {
    /// An empty pool that will hold at most `blocks_max` blocks, and retires a block with the first wrong MAC beyond
    /// `mac_failures_max` of them (by default [`MAC_FAILURES_MAX`]).
    ///
    /// `blocks_max` must be at least that of the peer's [`SpendingPool`](super::SpendingPool).
    #[must_use]
    pub fn new(blocks_max: usize, mac_failures_max: u32) -> Self {
        Self {
            blocks: BTreeMap::new(),
            gone: Remembered::new(),
            mark: (0, 0),
            next_number: 0,
            blocks_max,
            mac_failures_max,
        }
    }

    /// Adds a block behind the others. If the pool is full, the oldest block makes room, provided that a later one
    /// has been used already: the peer allocates in order, so it has finished with the oldest. What was not used of
    /// it belonged to messages that were lost or are very late.
    ///
    /// # Errors
    /// [`PoolError::Duplicate`] if the pool has, or remembers that it had, a block of this id; [`PoolError::Full`]
    /// if no block can make room, see [`evict_oldest`](Self::evict_oldest).
    pub fn add(&mut self, block: Block) -> Result<(), PoolError> {
        let id = block.id();
        if self.gone.get(id).is_some() || self.blocks.contains_key(&id) {
            return Err(PoolError::Duplicate { block: id });
        }
        if self.blocks.len() >= self.blocks_max {
            let (mark_number, _) = self.mark;
            if self
                .oldest()
                .is_none_or(|(number, _)| number >= mark_number)
            {
                return Err(PoolError::Full {
                    blocks_max: self.blocks_max,
                });
            }
            self.evict_oldest();
        }
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
        Ok(())
    }

    /// Gives up the oldest block, and returns its id, if there is any.
    ///
    /// For when [`add`](Self::add) says [`PoolError::Full`] to a block that the peer has taken into its own, no
    /// larger pool: the peer has then spent the oldest block here, although none of its messages arrived (else a
    /// peer that ran dry while cut off could never be refilled). It is always safe, and costs at most messages.
    pub fn evict_oldest(&mut self) -> Option<BlockId> {
        let (_, oldest) = self.oldest()?;
        self.remove(oldest, Gone::Evicted);
        Some(oldest)
    }

    /// The bytes that `allocation` stands for, in its order, if all of them are there and unused. Uses nothing.
    ///
    /// # Errors
    /// For the first fragment in question: [`PoolError::UnknownBlock`], [`PoolError::OutOfBounds`],
    /// [`PoolError::AlreadyUsed`], [`PoolError::Retired`] or [`PoolError::Evicted`].
    pub fn peek(&self, allocation: &Allocation) -> Result<Zeroizing<Vec<u8>>, PoolError> {
        let parts = allocation
            .fragments()
            .iter()
            .map(|fragment| self.find(fragment));
        let parts = parts.collect::<Result<Vec<&[u8]>, _>>()?;
        let size = parts.iter().map(|part| part.len()).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(size)); // exact: growing would leave copies behind
        for part in parts {
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// Marks the bytes of `allocation` as used, for good, and overwrites them. To be called once the MAC has been
    /// verified with the bytes from [`peek`](Self::peek), and before the message has any effect.
    ///
    /// # Errors
    /// As [`peek`](Self::peek); then nothing is used.
    pub fn consume(&mut self, allocation: &Allocation) -> Result<(), PoolError> {
        self.check(allocation)?;
        for fragment in allocation.fragments() {
            let held = self
                .blocks
                .get_mut(&fragment.block())
                .expect("the check found this block");
            held.consume(fragment);
            self.mark = self.mark.max((held.number, fragment.end()));
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
        Ok(())
    }

    /// Counts a message whose MAC did not fit the bytes of `allocation`, against each block that it names, and
    /// erases the blocks for which it was one too many. Returns those; from then on they are [`PoolError::Retired`].
    ///
    /// Uses nothing otherwise. An allocation that [`peek`](Self::peek) refuses is not counted: it gave no bytes to
    /// try a forgery on.
    pub fn mac_failed(&mut self, allocation: &Allocation) -> Vec<BlockId> {
        if self.check(allocation).is_err() {
            return Vec::new();
        }
        let mut named: Vec<BlockId> = allocation.fragments().iter().map(Fragment::block).collect();
        named.sort();
        named.dedup(); // one message is one try
        named.retain(|id| {
            let held = self.blocks.get_mut(id).expect("the check found this block");
            held.mac_failures = held.mac_failures.saturating_add(1);
            held.mac_failures > self.mac_failures_max
        });
        for id in &named {
            self.remove(*id, Gone::Retired);
        }
        named
    }

    /// How many bytes lie behind the furthest one used, thus how many the peer can still allocate as far as this end
    /// can tell. What was skipped does not count: it belongs to messages that were lost or are on their way.
    #[must_use]
    pub fn left(&self) -> usize {
        let (mark_number, mark_end) = self.mark;
        let behind = |held: &Held| match held.number.cmp(&mark_number) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => held.block.len() - mark_end as usize,
            std::cmp::Ordering::Greater => held.block.len(),
        };
        self.blocks.values().map(behind).sum()
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
        let bytes = held.block.expose_bytes().get(range);
        let bytes = bytes.ok_or(PoolError::OutOfBounds {
            block,
            start,
            size,
            len: held.block.len(),
        })?;
        if held.used.overlaps(start, fragment.end()) {
            return Err(PoolError::AlreadyUsed { block, start, size });
        }
        Ok(bytes)
    }

    fn oldest(&self) -> Option<(u64, BlockId)> {
        self.blocks
            .iter()
            .map(|(id, held)| (held.number, *id))
            .min()
    }

    fn remove(&mut self, block: BlockId, why: Gone) {
        // Dropping a block wipes it.
        if self.blocks.remove(&block).is_some() {
            self.gone.insert(block, why);
        }
    }
}

impl Held {
    fn consume(&mut self, fragment: &Fragment) {
        let given_up = self.used.insert(fragment.start(), fragment.end());
        self.block
            .erase(fragment.start() as usize..fragment.end() as usize);
        self.block.erase(0..given_up as usize);
    }
}

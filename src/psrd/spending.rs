//! The end of a pool that allocates, and what it hands out.

use std::collections::VecDeque;
use std::fmt;

use crate::crypto::secret::Secret;
use crate::harness::{Canary, Mark, canary, reached};

use super::remembered::{REMEMBERED_MAX, Remembered};
use super::{Allocation, Block, BlockId, FRAGMENTS_MAX, Fragment, POOL_BYTES_MAX, PoolError};

/// The allocator's end of a pool: it hands out bytes in order, each once.
///
/// Bytes cannot be given back: a message that was never sent has still used them. Nothing else would be safe, since
/// the allocator cannot know what the network has seen.
#[derive(Debug)]
pub struct SpendingPool {
    /// The blocks in the order in which they were added. All but the first are untouched.
    blocks: VecDeque<Unspent>,
    /// The sum of their lengths, kept so that nothing is summed for each message.
    blocks_bytes: usize,
    spent: Remembered<()>,
    blocks_max: usize,
}

#[derive(Debug)]
struct Unspent {
    block: Block,
    /// Position of the first byte that has not been handed out. All bytes before it are zero.
    next: usize,
}

/// Bytes taken out of a [`SpendingPool`] for one message, and where the peer finds the same ones.
///
/// They are the only copy at this end and serve once: a `Spent` cannot be cloned, and to get at the bytes is to give
/// it away.
///
/// ```compile_fail,E0382
/// # fn twice(spent: dske::psrd::Spent) {
/// let (allocation, pad) = spent.into_parts();
/// let again = spent.into_parts(); // error: `spent` was moved
/// # }
/// ```
pub struct Spent {
    allocation: Allocation,
    bytes: Secret,
}

impl Spent {
    /// What to tell the peer. It is public.
    #[must_use]
    pub fn allocation(&self) -> &Allocation {
        &self.allocation
    }

    /// How many bytes there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What to tell the peer, and the secret bytes in the order of the allocation. Use them for one message only.
    #[must_use]
    pub fn into_parts(self) -> (Allocation, Secret) {
        (self.allocation, self.bytes)
    }

    /// The bytes, for whoever seals the message and gives the `Spent` away with it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that may have been used before: how a test makes a peer that breaks the rules.
    #[cfg(feature = "insecure-harness")]
    #[must_use]
    pub fn forge(allocation: Allocation, bytes: Secret) -> Self {
        Self { allocation, bytes }
    }
}

impl SpendingPool {
    /// An empty pool that will hold at most `blocks_max` blocks that are not used up, of at most [`POOL_BYTES_MAX`]
    /// together.
    #[must_use]
    pub fn new(blocks_max: usize) -> Self {
        Self {
            blocks: VecDeque::new(),
            blocks_bytes: 0,
            spent: Remembered::new(REMEMBERED_MAX),
            blocks_max,
        }
    }

    /// Whether there is room for a block of so many bytes.
    ///
    /// # Errors
    /// [`PoolError::Full`].
    pub fn check_room(&self, bytes: usize) -> Result<(), PoolError> {
        if self.blocks.len() < self.blocks_max && self.blocks_bytes + bytes <= POOL_BYTES_MAX {
            return Ok(());
        }
        Err(PoolError::Full {
            blocks: self.blocks.len(),
            bytes: self.blocks_bytes,
        })
    }

    /// Adds a block behind the others. The peer must add the same blocks in the same order: it considers a block
    /// finished once a later one is in use. Safety does not depend on that order, see [`super::ReceivingPool::left`].
    ///
    /// # Errors
    /// [`PoolError::Duplicate`] if the pool has, or remembers having had, a block of this id; [`PoolError::Full`].
    pub fn add(&mut self, block: Block) -> Result<(), PoolError> {
        let id = block.id();
        if self.spent.get(id).is_some() || self.block_ids().any(|held| held == id) {
            return Err(PoolError::Duplicate { block: id });
        }
        self.check_room(block.len())?;
        if canary(Canary::RefillRewinds) {
            self.blocks.iter_mut().for_each(|unspent| unspent.next = 0);
        }
        self.blocks_bytes += block.len();
        self.blocks.push_back(Unspent { block, next: 0 });
        Ok(())
    }

    /// Takes out the next `size` bytes, all or none. The pool's own copy of them is zero when this returns.
    ///
    /// # Errors
    /// [`PoolError::NothingWanted`], [`PoolError::Exhausted`] or [`PoolError::TooManyFragments`]: nothing is used.
    pub fn allocate(&mut self, size: usize) -> Result<Spent, PoolError> {
        let allocation = self.plan(size)?;
        if allocation.fragments().len() > 1 {
            reached(Mark::AllocationSplit);
        }
        let mut bytes = Vec::with_capacity(size); // exact: growing would leave copies behind
        for fragment in allocation.fragments() {
            let end = fragment.end() as usize;
            let unspent = self
                .blocks
                .front_mut()
                .expect("the plan counted this block");
            let fresh = unspent
                .block
                .bytes()
                .get(unspent.next..end)
                .expect("the plan ends inside the block");
            bytes.extend_from_slice(fresh);
            unspent.block.erase(unspent.next..end);
            unspent.next = end;
            if unspent.left() == 0 {
                self.spent.insert(fragment.block(), ());
                self.blocks_bytes -= unspent.block.len();
                self.blocks.pop_front();
            } else if canary(Canary::AllocationOffByOne) {
                unspent.next = end - 1;
            }
        }
        Ok(Spent {
            allocation,
            bytes: Secret::from(bytes),
        })
    }

    /// How many bytes can still be handed out.
    #[must_use]
    pub fn left(&self) -> usize {
        self.blocks_bytes - self.blocks.front().map_or(0, |first| first.next)
    }

    /// The blocks that are not used up, the oldest first.
    pub fn block_ids(&self) -> impl Iterator<Item = BlockId> {
        self.blocks.iter().map(|unspent| unspent.block.id())
    }

    fn plan(&self, size: usize) -> Result<Allocation, PoolError> {
        if size == 0 {
            return Err(PoolError::NothingWanted);
        }
        let left = self.left();
        if size > left {
            return Err(PoolError::Exhausted { wanted: size, left });
        }
        let mut fragments = Vec::new();
        let mut missing = size;
        for unspent in &self.blocks {
            if missing == 0 {
                break;
            }
            if fragments.len() == FRAGMENTS_MAX {
                return Err(PoolError::TooManyFragments { wanted: size });
            }
            let taken = missing.min(unspent.left());
            fragments.push(unspent.fragment(taken));
            missing -= taken;
        }
        Ok(
            Allocation::new(fragments)
                .expect("1 to FRAGMENTS_MAX fragments, each of another block"),
        )
    }
}

impl Unspent {
    fn left(&self) -> usize {
        self.block.len() - self.next
    }

    fn fragment(&self, size: usize) -> Fragment {
        let position = |position: usize| u32::try_from(position).expect("BLOCK_BYTES_MAX fits u32");
        Fragment::new(self.block.id(), position(self.next), position(size))
            .expect("no block that is held is used up")
    }
}

impl fmt::Debug for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spent")
            .field("allocation", &self.allocation)
            .field("bytes", &format_args!("<redacted>"))
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::psrd::BLOCK_BYTES_MAX;
    use crate::psrd::remembered::REMEMBERED_MAX;

    /// A block whose bytes are 1, 2, 3 and so on, never 0.
    fn block(number: u128, size: usize) -> Block {
        let bytes = (0..size)
            .map(|position| (position % 250) as u8 + 1)
            .collect::<Vec<u8>>();
        Block::from_parts(BlockId::from(Uuid::from_u128(number)), Secret::from(bytes)).unwrap()
    }

    fn text(spent: &Spent) -> Vec<(u128, u32, u32)> {
        let id = |block: BlockId| Uuid::parse_str(&block.to_string()).unwrap().as_u128();
        spent
            .allocation()
            .fragments()
            .iter()
            .map(|f| (id(f.block()), f.start(), f.size()))
            .collect()
    }

    #[test]
    fn allocates_in_order_and_across_blocks() {
        let mut pool = SpendingPool::new(2);
        pool.add(block(1, 64)).unwrap();
        pool.add(block(2, 100)).unwrap();
        let first = pool.allocate(60).unwrap();
        assert_eq!(text(&first), [(1, 0, 60)]);
        assert_eq!(first.size(), 60);
        assert_eq!(*first.into_parts().1, (1..=60).collect::<Vec<u8>>());
        let second = pool.allocate(10).unwrap();
        assert_eq!(text(&second), [(1, 60, 4), (2, 0, 6)]);
        assert_eq!(*second.into_parts().1, [61, 62, 63, 64, 1, 2, 3, 4, 5, 6]);
        assert_eq!(pool.left(), 94);
        assert_eq!(pool.block_ids().collect::<Vec<_>>(), [block(2, 64).id()]);
        assert_eq!(text(&pool.allocate(94).unwrap()), [(2, 6, 94)]);
        assert_eq!((pool.left(), pool.block_ids().count()), (0, 0));
    }

    #[test]
    fn overwrites_what_it_hands_out() {
        let mut pool = SpendingPool::new(1);
        pool.add(block(1, 64)).unwrap();
        pool.allocate(20).unwrap();
        let kept = pool.blocks[0].block.bytes();
        assert!(kept[..20].iter().all(|byte| *byte == 0));
        assert!(kept[20..].iter().all(|byte| *byte != 0));
    }

    #[test]
    fn a_refusal_uses_nothing() {
        let mut pool = SpendingPool::new(100);
        for number in 0..66 {
            pool.add(block(number, 64)).unwrap();
        }
        pool.allocate(1).unwrap();
        let left = 66 * 64 - 1;
        assert_eq!(pool.allocate(0).unwrap_err(), PoolError::NothingWanted);
        let wanted = left + 1;
        assert_eq!(
            pool.allocate(wanted).unwrap_err(),
            PoolError::Exhausted { wanted, left }
        );
        let wanted = 64 * 64;
        assert_eq!(
            pool.allocate(wanted).unwrap_err(),
            PoolError::TooManyFragments { wanted }
        );
        assert_eq!(pool.left(), left);
        let most = pool.allocate(64 * 64 - 1).unwrap();
        assert_eq!(most.allocation().fragments().len(), FRAGMENTS_MAX);
        assert_eq!(most.size(), wanted - 1);
        assert_eq!(text(&most)[0], (0, 1, 63));
        assert_eq!(most.bytes()[0], 2);
    }

    #[test]
    fn refuses_blocks_that_it_has_or_had_and_more_than_it_may_hold() {
        let mut pool = SpendingPool::new(1);
        pool.add(block(1, 64)).unwrap();
        let duplicate = Err(PoolError::Duplicate {
            block: block(1, 64).id(),
        });
        assert_eq!(pool.add(block(1, 64)), duplicate);
        let full = PoolError::Full {
            blocks: 1,
            bytes: 64,
        };
        assert_eq!(pool.add(block(2, 64)), Err(full));
        pool.allocate(64).unwrap();
        assert_eq!(pool.add(block(1, 64)), duplicate);
        assert_eq!(pool.add(block(2, 64)), Ok(()));
    }

    #[test]
    fn a_pool_is_bounded_by_its_bytes_too() {
        let mut pool = SpendingPool::new(64);
        let large = |number| {
            let id = BlockId::from(Uuid::from_u128(number));
            Block::from_parts(id, Secret::zeros(BLOCK_BYTES_MAX)).unwrap()
        };
        let most = (POOL_BYTES_MAX / BLOCK_BYTES_MAX) as u128;
        (0..most).for_each(|number| pool.add(large(number)).unwrap());
        let full = Err(PoolError::Full {
            blocks: most as usize,
            bytes: POOL_BYTES_MAX,
        });
        assert_eq!(pool.check_room(64), full);
        assert_eq!(pool.add(large(most)), full);
    }

    #[test]
    fn memory_of_spent_blocks_is_bounded() {
        let mut pool = SpendingPool::new(1);
        for number in 0..=REMEMBERED_MAX as u128 {
            pool.add(block(number, 64)).unwrap();
            pool.allocate(64).unwrap();
        }
        assert!(pool.add(block(1, 64)).is_err());
        assert_eq!(pool.add(block(0, 64)), Ok(()));
    }

    #[test]
    fn debug_shows_no_bytes() {
        let mut pool = SpendingPool::new(1);
        let bytes = Secret::from(vec![173; 64]);
        pool.add(Block::from_parts(block(1, 64).id(), bytes).unwrap())
            .unwrap();
        let spent = pool.allocate(10).unwrap();
        let shown = format!("{pool:?} {spent:?}");
        assert_eq!(shown.matches("<redacted>").count(), 2, "{shown}");
        assert!(!shown.contains("173"), "{shown}");
    }
}

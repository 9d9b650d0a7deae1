//! What a hub knows of the PSRD that it shares with one client: `docs/protocol.md` §3.

use std::collections::BTreeSet;

use dske::psrd::{Allocation, BlockId, Fragment};

use super::super::spans::Spans;
use super::refusals::{BAD_ALLOCATION, Refusal, UNKNOWN_PSRD};

/// Most blocks in a pool.
const BLOCKS_MAX: usize = 64;

/// Most bytes of the blocks in a pool.
const POOL_BYTES_MAX: u64 = 128 << 20;

fn has_room(blocks: usize, bytes: u64, more: u32) -> bool {
    blocks < BLOCKS_MAX && bytes + u64::from(more) <= POOL_BYTES_MAX
}

/// What a hub tolerates and remembers of the pool from which a client allocates.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Wrong MACs on one block.
    pub mac_failures_max: u64,
    /// Spans of used bytes in one block.
    pub spans_max: usize,
    /// Blocks that are gone.
    pub remembered_max: usize,
}

/// The pool from which the client allocates.
pub struct Up {
    tolerance: Tolerance,
    /// Every block that was ever delivered, in order.
    blocks: Vec<UpBlock>,
    /// How many of them, from the first, are gone.
    gone: usize,
    /// The last byte that was used: number of its block, and the position after it.
    furthest: Option<(usize, u32)>,
    /// The numbers of blocks that are gone, in the order in which they went.
    left: Vec<usize>,
}

struct UpBlock {
    id: BlockId,
    size: u32,
    used: Spans,
    mac_failures: u64,
    /// It made room for others, or too many wrong MACs were tried on it, before all of it was used.
    given_up: bool,
}

impl UpBlock {
    fn is_held(&self) -> bool {
        !self.given_up && !self.used.are_all_of(self.size)
    }
}

impl Up {
    /// An empty pool.
    #[must_use]
    pub fn new(tolerance: Tolerance) -> Self {
        Self {
            tolerance,
            blocks: Vec::new(),
            gone: 0,
            furthest: None,
            left: Vec::new(),
        }
    }

    /// Adds a block, if there is room. A block that the client has gone beyond makes room.
    pub fn add(&mut self, id: BlockId, size: u32) -> bool {
        while !self.has_room(size) {
            let oldest = self.held().next().map(|(number, _)| number);
            let beyond = self.furthest.map(|(number, _)| number);
            match oldest {
                Some(number) if oldest < beyond => self.give_up(number),
                _ => return false,
            }
        }
        self.blocks.push(UpBlock {
            id,
            size,
            used: Spans::default(),
            mac_failures: 0,
            given_up: false,
        });
        true
    }

    fn give_up(&mut self, number: usize) {
        if let Some(block) = self.blocks.get_mut(number) {
            block.given_up = true;
            self.left.push(number);
        }
    }

    /// A message names these bytes, and its MAC does not fit.
    pub fn fails(&mut self, allocation: &Allocation) {
        let ids: BTreeSet<BlockId> = allocation.fragments().iter().map(Fragment::block).collect();
        for id in ids {
            let Some(number) = self.block(id).map(|(number, _)| number) else {
                continue;
            };
            let Some(block) = self.blocks.get_mut(number) else {
                continue;
            };
            block.mac_failures += 1;
            if block.mac_failures > self.tolerance.mac_failures_max {
                self.give_up(number);
            }
        }
    }

    fn is_forgotten(&self, number: usize) -> bool {
        let remembered = self.left.iter().rev().take(self.tolerance.remembered_max);
        self.left.contains(&number) && !remembered.clone().any(|&left| left == number)
    }

    fn has_room(&self, size: u32) -> bool {
        let held = self.held().map(|(_, block)| u64::from(block.size));
        has_room(self.held().count(), held.sum(), size)
    }

    fn held(&self) -> impl Iterator<Item = (usize, &UpBlock)> {
        let blocks = self.blocks.iter().enumerate().skip(self.gone);
        blocks.filter(|(_, block)| block.is_held())
    }

    /// Whether a message may use these bytes. If not, the first fragment that does not serve says why.
    pub fn check(&self, allocation: &Allocation) -> Result<(), Refusal> {
        allocation.fragments().iter().try_for_each(|fragment| {
            let block = self.block(fragment.block());
            let block = block.filter(|(number, block)| {
                let is_gone = block.given_up || self.is_forgotten(*number);
                !is_gone
            });
            let (_, block) = block.ok_or(UNKNOWN_PSRD)?;
            let (start, end) = (fragment.start(), fragment.end());
            match block.used.overlaps(start, end) || end > block.size {
                true => Err(BAD_ALLOCATION),
                false => Ok(()),
            }
        })
    }

    /// A message uses these bytes.
    pub fn spend(&mut self, allocation: &Allocation) {
        for fragment in allocation.fragments() {
            let (start, end) = (fragment.start(), fragment.end());
            let Some((number, _)) = self.block(fragment.block()) else {
                continue;
            };
            if let Some(block) = self.blocks.get_mut(number) {
                block.used.add(start, end, self.tolerance.spans_max);
            }
            self.furthest = self.furthest.max(Some((number, end)));
        }
        for fragment in allocation.fragments() {
            let Some((number, block)) = self.block(fragment.block()) else {
                continue;
            };
            if !block.is_held() && !self.left.contains(&number) {
                self.left.push(number);
            }
        }
        while self
            .blocks
            .get(self.gone)
            .is_some_and(|block| !block.is_held())
        {
            self.gone += 1;
        }
    }

    fn block(&self, id: BlockId) -> Option<(usize, &UpBlock)> {
        // Mostly it is one of the last.
        let mut blocks = self.blocks.iter().enumerate().rev();
        blocks.find(|(_, block)| block.id == id)
    }

    /// Bytes that the client can still allocate, as far as the hub can tell: those behind the last one that was used.
    #[must_use]
    pub fn left(&self) -> u64 {
        let behind = self.held().map(|(number, block)| match self.furthest {
            Some((furthest, end)) if number == furthest => block.size - end,
            Some((furthest, _)) if number < furthest => 0,
            _ => block.size,
        });
        behind.map(u64::from).sum()
    }
}

/// The pool from which the hub allocates: ID, size and the position of the first byte that is left, in order of delivery.
#[derive(Default)]
pub struct Down(Vec<(BlockId, u32, u32)>);

impl Down {
    /// Adds a block, if there is room.
    pub fn add(&mut self, id: BlockId, size: u32) -> bool {
        let bytes = self.0.iter().map(|(_, size, _)| u64::from(*size)).sum();
        let has_room = has_room(self.0.len(), bytes, size);
        if has_room {
            self.0.push((id, size, 0));
        }
        has_room
    }

    /// Bytes that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        let left = self.0.iter().map(|(_, size, next)| u64::from(size - next));
        left.sum()
    }

    /// Takes the next bytes, all or none.
    pub fn spend(&mut self, bytes: u64) -> Option<Allocation> {
        if bytes > self.left() {
            return None;
        }
        let mut missing = bytes;
        let mut fragments = Vec::new();
        for (id, size, next) in &mut self.0 {
            let taken = u32::try_from(missing)
                .unwrap_or(u32::MAX)
                .min(*size - *next);
            fragments.extend(Fragment::new(*id, *next, taken));
            *next += taken;
            missing -= u64::from(taken);
        }
        self.0.retain(|(_, size, next)| next < size);
        Allocation::new(fragments).ok()
    }
}

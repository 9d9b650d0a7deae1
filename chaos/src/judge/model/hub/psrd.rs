//! What a hub knows of the PSRD that it shares with one client: `docs/protocol.md` §3.

use dske::psrd::{Allocation, BlockId, Fragment};

use super::refusals::{BAD_ALLOCATION, Refusal, UNKNOWN_PSRD};

/// Most blocks in a pool.
const BLOCKS_MAX: usize = 64;

/// Most bytes of the blocks in a pool.
const POOL_BYTES_MAX: u64 = 128 << 20;

fn has_room(blocks: usize, bytes: u64, more: u32) -> bool {
    blocks < BLOCKS_MAX && bytes + u64::from(more) <= POOL_BYTES_MAX
}

/// The pool from which the client allocates.
#[derive(Default)]
pub struct Up {
    /// Every block that was ever delivered, in order.
    blocks: Vec<UpBlock>,
    /// How many of them, from the first, are gone.
    gone: usize,
    /// The last byte that was used: number of its block, and the position after it.
    furthest: Option<(usize, u32)>,
}

struct UpBlock {
    id: BlockId,
    size: u32,
    /// Start and end of every fragment that was used.
    used: Vec<(u32, u32)>,
    /// It made room for others before all of it was used.
    evicted: bool,
}

impl UpBlock {
    fn is_used_up(&self) -> bool {
        let used = self.used.iter().map(|(start, end)| end - start);
        used.sum::<u32>() == self.size
    }

    fn is_held(&self) -> bool {
        !self.evicted && !self.is_used_up()
    }
}

impl Up {
    /// Adds a block, if there is room. A block that the client has gone beyond makes room.
    pub fn add(&mut self, id: BlockId, size: u32) -> bool {
        while !self.has_room(size) {
            let oldest = self.held().next().map(|(number, _)| number);
            let beyond = self.furthest.map(|(number, _)| number);
            match oldest.and_then(|number| self.blocks.get_mut(number)) {
                Some(block) if oldest < beyond => block.evicted = true,
                _ => return false,
            }
        }
        self.blocks.push(UpBlock {
            id,
            size,
            used: Vec::new(),
            evicted: false,
        });
        true
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
            let block = self.block(fragment.block()).map(|(_, block)| block);
            let block = block.filter(|block| !block.evicted).ok_or(UNKNOWN_PSRD)?;
            let (start, end) = (fragment.start(), fragment.end());
            let is_used = block
                .used
                .iter()
                .any(|(from, until)| *from < end && start < *until);
            match is_used || end > block.size {
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
                block.used.push((start, end));
            }
            self.furthest = self.furthest.max(Some((number, end)));
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

//! Time and memory against the size of a pool of pre-shared random data.

use std::time::Duration;

use dske::crypto::key_tag::TAG_SECRET_BYTES;
use dske::crypto::mac::MAC_KEY_BYTES;
use dske::psrd::{BLOCK_BYTES_MIN, Block, PoolLimits, ReceivingPool, SpendingPool};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use tokio::time::Instant;

use super::GrowthError;
use super::data::PoolPoint;
use super::shares::resident;

/// As many blocks as a pool may have.
const BLOCKS_MAX: usize = 64;

/// A MAC key, and the pad for a share of 256 bits.
const MESSAGE_BYTES: usize = MAC_KEY_BYTES + TAG_SECRET_BYTES + 32;

/// Messages that are measured. A small pool is refilled until it has served as many.
const MESSAGES: usize = 5_000;

/// Below this size, whole pages of memory make the figure unreliable.
const TELLING_BYTES: usize = 4 << 20;

pub(super) fn measure(
    most: usize,
    progress: &impl Fn(&str),
) -> Result<Vec<PoolPoint>, GrowthError> {
    let sizes = (10..).step_by(2).map(|power| 1_usize << power);
    // All are kept to the end, so that none reuses the memory of another.
    let (mut points, mut kept) = (Vec::new(), Vec::new());
    for pool_bytes in sizes.take_while(|bytes| *bytes <= most) {
        let point = measure_one(pool_bytes, &mut kept)?;
        progress(&format!(
            "pool of {pool_bytes} bytes in {} blocks: {:.0} ns to allocate, {:.0} ns to receive",
            point.blocks, point.ns_per_allocation, point.ns_per_receipt
        ));
        points.push(point);
    }
    Ok(points)
}

type Ends = (SpendingPool, ReceivingPool);

fn measure_one(pool_bytes: usize, kept: &mut Vec<Ends>) -> Result<PoolPoint, GrowthError> {
    let block_bytes = (pool_bytes / BLOCKS_MAX).max(BLOCK_BYTES_MIN);
    let blocks = pool_bytes / block_bytes;
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let (mut allocating, mut receiving) = (Duration::ZERO, Duration::ZERO);
    let (mut messages, mut memory) = (0, None);
    while messages < MESSAGES {
        let before = resident()?;
        let mut here = SpendingPool::new(BLOCKS_MAX);
        let mut there = ReceivingPool::new(BLOCKS_MAX, PoolLimits::default());
        for _ in 0..blocks {
            let (ours, peers) = Block::random_pair(block_bytes, &mut rng)?;
            here.add(ours)?;
            there.add(peers)?;
        }
        let both = resident()?.saturating_sub(before) as f64;
        memory.get_or_insert(both / 2.0 / pool_bytes as f64);
        let begun = Instant::now();
        let mut allocations = Vec::new();
        while here.left() >= MESSAGE_BYTES && messages + allocations.len() < MESSAGES {
            allocations.push(here.allocate(MESSAGE_BYTES)?.into_parts().0);
        }
        allocating += begun.elapsed();
        let begun = Instant::now();
        for allocation in &allocations {
            there.peek(allocation, MAC_KEY_BYTES)?;
            there.consume(allocation)?;
        }
        receiving += begun.elapsed();
        messages += allocations.len();
        if pool_bytes >= TELLING_BYTES {
            kept.push((here, there));
        }
    }
    let each = |time: Duration| time.as_nanos() as f64 / messages as f64;
    Ok(PoolPoint {
        pool_bytes,
        blocks,
        ns_per_allocation: each(allocating),
        ns_per_receipt: each(receiving),
        memory_per_byte: memory.filter(|_| pool_bytes >= TELLING_BYTES),
    })
}

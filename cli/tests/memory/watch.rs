//! An allocator that looks for secrets in every block that is given back.
//!
//! Every block begins as zeros, so that what is found was written by whoever had it. A block that grows is given back and
//! taken anew, since it may have to move.

#![allow(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one leaves the work to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::slice;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a secret that are looked for, one after the other. They begin at every [`STEP_BYTES`] of it. With 16, futures are
/// found that carry along some PSRD from the stack on which they were made.
const WINDOW_BYTES: usize = 24;

const STEP_BYTES: usize = 8;

/// Whatever is as long, and part of a secret, is seen: it holds a whole window wherever it begins.
pub(super) const SEEN_FROM_BYTES: usize = WINDOW_BYTES + STEP_BYTES - 1;

/// Most traces that are taken. Each costs milliseconds.
const TRACES_MAX: usize = 4_000;

const FILTER_BITS: u32 = 22;

/// Bits of the windows' hashes: most places need no further look.
static FILTER: [AtomicU64; 1 << (FILTER_BITS - 6)] =
    [const { AtomicU64::new(0) }; 1 << (FILTER_BITS - 6)];

/// The hashes of the windows, so that what is looked for does not itself lie about.
static SECRETS: Mutex<BTreeMap<u64, &str>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// Whether blocks that this thread gives back are looked at.
    static IS_WATCHING: Cell<bool> = const { Cell::new(false) };

    /// Those that held secrets.
    static FOUND: RefCell<Vec<Found>> = const { RefCell::new(Vec::new()) };

    /// Whether this thread is in here: what it allocates and frees is then none of the nodes'.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// A block that held a secret when it was given back.
pub(super) struct Found {
    /// What kind of secret.
    pub(super) secret: &'static str,
    /// Length of the block.
    pub(super) block_bytes: usize,
    /// Who gave it back: the functions on the stack, innermost first, and where they are.
    pub(super) trace: String,
}

/// The allocator.
pub(super) struct Watching;

// SAFETY: the system's allocator does all the work. A block is only read, between being given back and being freed, and
// all of it has been initialised, since all blocks are taken as zeros.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as demanded of our caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as demanded of our caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is allocated with this layout, and initialised.
        look(unsafe { slice::from_raw_parts(block, layout.size()) });
        // SAFETY: as demanded of our caller.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Looks at the blocks that this thread gives back while `work` is done, and gives those that held secrets.
pub(super) async fn watch(work: impl Future<Output = ()>) -> Vec<Found> {
    IS_WATCHING.set(true);
    work.await;
    IS_WATCHING.set(false);
    FOUND.take()
}

/// From now on these bytes are a secret.
pub(super) fn keep_secret(secret: &'static str, bytes: &[u8]) {
    inside(|| {
        let mut secrets = SECRETS.lock().unwrap();
        for window in bytes.windows(WINDOW_BYTES).step_by(STEP_BYTES) {
            let hash = hash(window);
            let (word, bit) = in_filter(hash);
            FILTER[word].fetch_or(bit, Ordering::Relaxed);
            secrets.insert(hash, secret);
        }
    });
}

fn look(block: &[u8]) {
    // A thread that ends has neither any more.
    let is_watched = IS_WATCHING.try_with(Cell::get) == Ok(true);
    if !is_watched || IS_INSIDE.try_with(Cell::get) != Ok(false) {
        return;
    }
    for window in block.windows(WINDOW_BYTES) {
        let hash = hash(window);
        let (word, bit) = in_filter(hash);
        if FILTER[word].load(Ordering::Relaxed) & bit != 0 && inside(|| note(hash, block.len())) {
            return;
        }
    }
}

/// Whether it is a secret. If so, notes it.
fn note(hash: u64, block_bytes: usize) -> bool {
    let Some(secret) = SECRETS.lock().unwrap().get(&hash).copied() else {
        return false;
    };
    let trace = Backtrace::force_capture().to_string();
    FOUND.with_borrow_mut(|found| {
        assert!(found.len() < TRACES_MAX, "nearly everything holds secrets");
        found.push(Found {
            secret,
            block_bytes,
            trace,
        });
    });
    true
}

/// Does what is the test's own work: no block that it gives back is looked at.
pub(super) fn inside<T>(work: impl FnOnce() -> T) -> T {
    let before = IS_INSIDE.replace(true);
    let result = work();
    IS_INSIDE.set(before);
    result
}

/// A hash of all bytes. With 10⁶ windows of secrets and 10⁹ places, the probability that one is taken for another is 10⁻⁴.
fn hash(window: &[u8]) -> u64 {
    let halves = window.as_chunks::<8>().0.iter();
    // Fibonacci hashing, twice: text has few different bits in each byte.
    halves.fold(0, |hash: u64, half| {
        let mixed =
            (hash.rotate_left(29) ^ u64::from_le_bytes(*half)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    })
}

fn in_filter(hash: u64) -> (usize, u64) {
    let place = hash >> (64 - FILTER_BITS);
    ((place / 64) as usize, 1 << (place % 64))
}

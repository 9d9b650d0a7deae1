//! Every limit of the protocol in one place, with its reason. The assertions at the end say how limits depend on each
//! other: whoever changes one is told by the compiler which others have to change with it.

use serde::{Deserialize, Serialize};

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::mac::MAC_KEY_BYTES;
use crate::psrd::{BLOCK_BYTES_MAX, FRAGMENTS_MAX, POOL_BYTES_MAX, PoolLimits};

use super::names::NAME_BYTES_MAX;

/// Largest user key, in bytes: 1 Mbit, the largest key that a bulk encryptor has reason to ask for in one piece.
pub const KEY_BYTES_MAX: usize = 128 * 1024;

/// Most keys in one message, chosen with `max_key_per_request` of ETSI GS QKD 014 in mind.
pub const KEYS_PER_MESSAGE_MAX: usize = 128;

/// Most operations in one batch: as many calls as an SAE has reason to make at the same time, several times over.
pub const OPERATIONS_PER_BATCH_MAX: usize = 256;

/// Most slave SAEs of one key: the master's partner and the additional ones of a multicast call.
pub const SLAVE_SAES_MAX: usize = 16;

/// Most shares that a hub holds, unless configured otherwise. Shares stay for ten seconds after they were fetched: this
/// is enough where SAEs ask for 100,000 keys a second.
pub const SHARES_MAX: usize = 1_000_000;

/// Most bytes of shares that a hub holds, unless configured otherwise. Each share takes some 150 bytes more.
pub const SHARE_BYTES_MAX: usize = 1 << 30;

/// Longest message body, in bytes. A longer one is refused before it is read to its end.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most bytes that a key takes in a body besides its share in base64: names as long and as many as they may be.
pub const JSON_BYTES_PER_KEY_MAX: usize = 1_536;

/// Most blocks in a pool: more would only be a sign that nobody spends them.
pub const BLOCKS_MAX: usize = 64;

/// Most blocks of so many bytes in a pool, which is bounded by its bytes, too.
#[must_use]
pub const fn blocks_max(block_bytes: usize) -> usize {
    match POOL_BYTES_MAX.checked_div(block_bytes) {
        Some(most) if most < BLOCKS_MAX => most,
        _ => BLOCKS_MAX,
    }
}

/// Most attempts of one exchange, the first one included. Each spends fresh PSRD, so the number is small.
pub const ATTEMPTS_MAX: u32 = 5;

/// Most subsets of answers that a responder tries in one call. This is enough for every pattern of liars among up to 10
/// hubs (C(10, 5) = 252), another one for each key, and for most patterns beyond. If one key needs more, the call fails.
pub const SUBSETS_MAX: usize = 32 * 1024;

/// Most bytes of shares that a responder puts together for these subsets, in one call: K times the length of a share for
/// each. It takes a few hundredths of a second.
pub const SEARCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Calls of a client in flight, at most.
pub const CALLS_MAX: usize = 1_024;

/// Most bytes of their shares, which are in memory once for each hub.
pub const CALL_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Exchanges with a hub in flight, at most. They belong to calls of SAEs, which are bounded as well; but to a hub that
/// does not answer, shares keep going out in the background. What comes beyond this is not sent to that hub.
pub const EXCHANGES_MAX: usize = 8_192;

/// Most bytes of their shares, until nothing holds them any more. A request that is under way has them once more, encrypted.
pub const EXCHANGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Limits that a node may be built with, so that tests can cross them. The default is what everybody uses: no topology file
/// sets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeLimits {
    /// Wrong MACs on one block of PSRD.
    pub mac_failures_max: u64,
    /// Separate spans of used bytes in one block, 1 at least.
    pub spans_max: usize,
    /// Blocks that are gone, and that a pool remembers.
    pub remembered_max: usize,
    /// Calls of a client in flight.
    pub calls_max: usize,
    /// Bytes of their shares.
    pub call_bytes_max: usize,
    /// Exchanges of a client with a hub in flight.
    pub exchanges_max: usize,
    /// Bytes of their shares.
    pub exchange_bytes_max: usize,
    /// Subsets of answers that a call may try.
    pub subsets_max: usize,
    /// Bytes of shares that are put together for them.
    pub search_bytes_max: usize,
}

impl Default for NodeLimits {
    fn default() -> Self {
        let PoolLimits {
            mac_failures_max,
            spans_max,
            remembered_max,
        } = PoolLimits::default();
        Self {
            mac_failures_max,
            spans_max,
            remembered_max,
            calls_max: CALLS_MAX,
            call_bytes_max: CALL_BYTES_MAX,
            exchanges_max: EXCHANGES_MAX,
            exchange_bytes_max: EXCHANGE_BYTES_MAX,
            subsets_max: SUBSETS_MAX,
            search_bytes_max: SEARCH_BYTES_MAX,
        }
    }
}

impl NodeLimits {
    /// Those of a pool from which the peer allocates.
    #[must_use]
    pub fn pool(self) -> PoolLimits {
        PoolLimits {
            mac_failures_max: self.mac_failures_max,
            spans_max: self.spans_max,
            remembered_max: self.remembered_max,
        }
    }
}

/// Most bytes of a share.
const ONE_SHARE_BYTES_MAX: usize = KEY_BYTES_MAX + TAG_SECRET_BYTES;

/// Most bytes that a key of a size takes in a body, in either encoding.
#[must_use]
pub const fn bytes_per_key(key_bytes: usize) -> usize {
    let share = key_bytes.saturating_add(TAG_SECRET_BYTES);
    let base64 = share.div_ceil(3).saturating_mul(4);
    base64.saturating_add(JSON_BYTES_PER_KEY_MAX)
}

/// How many keys of a size one answer carries. A hub refuses to answer a fetch of more.
#[must_use]
pub const fn keys_per_answer(key_bytes: usize) -> usize {
    (BODY_BYTES_MAX - JSON_BYTES_PER_KEY_MAX) / bytes_per_key(key_bytes)
}

/// Most bytes that keys of these sizes take in an answer, in either encoding.
pub(super) fn answer_bytes(key_bytes: impl Iterator<Item = usize>) -> usize {
    let keys = key_bytes.map(bytes_per_key);
    keys.fold(JSON_BYTES_PER_KEY_MAX, usize::saturating_add)
}

/// Most bytes that keys of one size take in a body.
const fn json_bytes(keys: usize, size: usize) -> usize {
    // The parts that all keys have in common are shorter than one key without its share.
    keys * bytes_per_key(size) + JSON_BYTES_PER_KEY_MAX
}

/// The number of ways to choose `k` of `n`.
const fn choose(n: usize, k: usize) -> usize {
    match k {
        0 => 1,
        _ => choose(n - 1, k - 1) * n / k,
    }
}

// A key with the most and the longest names: quotation marks and a comma around each name, then IDs, tag and numbers.
const _: () = assert!((SLAVE_SAES_MAX + 1) * (NAME_BYTES_MAX + 3) + 384 <= JSON_BYTES_PER_KEY_MAX);
// The largest key fits into a body; so do as many keys of 256 bits as a message may have.
const _: () = assert!(json_bytes(1, KEY_BYTES_MAX) <= BODY_BYTES_MAX);
const _: () = assert!(json_bytes(KEYS_PER_MESSAGE_MAX, 32) <= BODY_BYTES_MAX);
// So do as many operations on one such key as a batch may have. No part of one is longer in a batch than in JSON.
const _: () = assert!(json_bytes(OPERATIONS_PER_BATCH_MAX, 32) <= BODY_BYTES_MAX);
// An answer carries one key of any size, and as many keys of 256 bits as a message may have.
const _: () = assert!(1 <= keys_per_answer(KEY_BYTES_MAX));
const _: () = assert!(KEYS_PER_MESSAGE_MAX <= keys_per_answer(32));
// A fetch that is answered alone is answered in a batch, too, if it is asked first: shares take a quarter less there, and
// the replies to as many deposits as a batch may have (18 bytes a key, or a refusal) take no more than that.
const _: () =
    assert!(OPERATIONS_PER_BATCH_MAX * (512 + 18 * KEYS_PER_MESSAGE_MAX) <= BODY_BYTES_MAX / 4);
// A block can be large enough for the largest key, and a hub can hold its share.
const _: () = assert!(MAC_KEY_BYTES + ONE_SHARE_BYTES_MAX <= BLOCK_BYTES_MAX);
const _: () = assert!(KEYS_PER_MESSAGE_MAX * ONE_SHARE_BYTES_MAX <= SHARE_BYTES_MAX);
const _: () = assert!(KEYS_PER_MESSAGE_MAX <= SHARES_MAX);
// An allocation can name every block of a pool, so that everything that is left can be spent.
const _: () = assert!(BLOCKS_MAX <= FRAGMENTS_MAX);
// A client brings a hub that has run dry one block for each attempt that failed. The pool has room for them.
const _: () = assert!(ATTEMPTS_MAX as usize - 1 < blocks_max(BLOCK_BYTES_MAX));
// Every pattern of liars among 10 hubs: for each of the most keys, and for one of the largest.
const _: () = assert!(choose(10, 5) * KEYS_PER_MESSAGE_MAX <= SUBSETS_MAX);
const _: () = assert!(choose(10, 5) * 5 * ONE_SHARE_BYTES_MAX <= SEARCH_BYTES_MAX);
// Each call has one exchange with each hub, and the largest batch can come about.
const _: () = assert!(CALLS_MAX <= EXCHANGES_MAX && OPERATIONS_PER_BATCH_MAX <= EXCHANGES_MAX);

#[cfg(test)]
mod tests;

//! How many keys one call can carry. A call that asks for more is refused before anything is spent: otherwise its keys
//! could be deposited but never fetched.
//!
//! The bottleneck is the answer to the fetch. It needs two things: PSRD of the hub, and room in the body.
//!
//! **PSRD.** The hub spends a MAC key for the answer, and a pad as long as the share for each key. A client learns that
//! the hub has too little left from the hub's refusal. It then brings as many blocks as the number of the attempt: 1
//! after the first, 2 after the second, 4 after the fourth. So the fifth and last attempt can count on 4 blocks.
//!
//! **Room.** In JSON each key takes its share in base64, and at most [`JSON_BYTES_PER_KEY_MAX`](crate::protocol::limits::JSON_BYTES_PER_KEY_MAX) besides.
//!
//! For example, with blocks of 64 KiB and keys of 256 bits:
//!
//! | | bytes | |
//! |---|---|---|
//! | share | 80 | 32 of the key, 48 of its tag's secret |
//! | PSRD | 262,144 | 4 blocks of 65,536 |
//! | … for shares | 262,112 | less 32 of the MAC key |
//! | so there are pads for | | 262,112 / 80 = **3,276 keys** |
//! | share in base64 | 108 | 4 characters for each 3 bytes, rounded up |
//! | a key in JSON | 1,644 | 1,536 more |
//! | body | 4,194,304 | 4 MiB, of which 1,536 stand around all keys |
//! | so there is room for | | 4,192,768 / 1,644 = **2,550 keys** |
//!
//! The smaller number counts: 2,550 keys.
//!
//! Keys that were established by several calls can be asked for in one. If a hub signed an answer that no body holds, its
//! shares would be lost. Only the hubs know how large the keys are, and refuse in time. The client then asks for no more of them
//! at once than would have room if all were as large as the topology allows ([`keys_per_answer`]). PSRD is no reason to ask
//! for fewer: a hub that has too little says so before anything counts as fetched.

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::mac::MAC_KEY_BYTES;
use crate::protocol::limits::{ATTEMPTS_MAX, BLOCKS_MAX, KEY_BYTES_MAX, keys_per_answer};

use super::config::KeyLimits;

/// Blocks that the last attempt of a fetch can count on.
const BLOCKS: usize = ATTEMPTS_MAX as usize - 1;

const _: () = assert!(
    1 <= BLOCKS && BLOCKS <= BLOCKS_MAX,
    "an attempt before the last one brings blocks, and a pool holds them"
);
const _: () = assert!(
    1 <= keys_per_answer(KEY_BYTES_MAX),
    "a body has room for one key of the largest size"
);

/// What the answer to one fetch can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Bytes of pads for shares.
    pad_bytes: usize,
}

impl Capacity {
    /// The capacity with PSRD that comes in blocks of this size.
    pub(super) fn new(block_bytes: usize) -> Self {
        let psrd_bytes = block_bytes.saturating_mul(BLOCKS);
        Self {
            pad_bytes: psrd_bytes.saturating_sub(MAC_KEY_BYTES),
        }
    }

    /// How many keys of so many bytes one answer can carry.
    pub(super) fn keys_max(self, key_bytes: usize) -> usize {
        let by_pads = self.pad_bytes / share_bytes(key_bytes);
        by_pads.min(keys_per_answer(key_bytes))
    }

    /// Lowers limits to what can be kept, since a client has to deliver what its status promises (ETSI GS QKD 014 clause
    /// 6.1). Where blocks are too small even for keys of default size, this cannot help.
    pub(super) fn lower(self, keys: KeyLimits) -> KeyLimits {
        let bits_max = self
            .pad_bytes
            .saturating_sub(TAG_SECRET_BYTES)
            .saturating_mul(8);
        let number_max = self.keys_max(keys.default_bits / 8);
        KeyLimits {
            max_bits: keys.max_bits.min(bits_max).max(keys.default_bits),
            per_request_max: keys.per_request_max.min(number_max).max(1),
            ..keys
        }
    }
}

/// Bytes of a key's share.
const fn share_bytes(key_bytes: usize) -> usize {
    key_bytes.saturating_add(TAG_SECRET_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::{
        BODY_BYTES_MAX, JSON_BYTES_PER_KEY_MAX, KEYS_PER_MESSAGE_MAX, bytes_per_key,
    };
    use crate::psrd::BLOCK_BYTES_MAX;
    use crate::topology::KeysSection;

    fn limits(max_bits: usize, per_request_max: usize) -> KeyLimits {
        let keys = KeysSection::default();
        KeyLimits {
            default_bits: keys.default_bits,
            min_bits: keys.min_bits,
            max_bits,
            per_request_max,
            stored_max: keys.stored_max,
        }
    }

    #[test]
    fn the_example_is_right() {
        assert_eq!(share_bytes(32), 80);
        assert_eq!(bytes_per_key(32), 1_644);
        let capacity = Capacity::new(64 * 1024);
        assert_eq!(capacity.pad_bytes, 262_112);
        assert_eq!(capacity.pad_bytes / share_bytes(32), 3_276);
        assert_eq!(capacity.keys_max(32), 2_550);
    }

    #[test]
    fn blocks_of_the_default_size_carry_each_maximum_but_not_both_at_once() {
        let capacity = Capacity::new(64 * 1024);
        let most = limits(KEY_BYTES_MAX * 8, KEYS_PER_MESSAGE_MAX);
        assert_eq!(capacity.lower(most), most);
        assert!(capacity.keys_max(32) >= KEYS_PER_MESSAGE_MAX);
        assert_eq!(capacity.keys_max(KEY_BYTES_MAX), 1);
    }

    #[test]
    fn small_blocks_lower_what_is_promised() {
        let lowered = Capacity::new(1024).lower(limits(65_536, 128));
        // Four blocks: 4096 bytes, 32 of them for the MAC key, 48 for each key's tag.
        assert_eq!(lowered.per_request_max, (4096 - 32) / (48 + 32));
        assert_eq!(lowered.max_bits, (4096 - 32 - 48) * 8);
        assert!(lowered.max_bits.is_multiple_of(8));
        let hopeless = Capacity::new(64).lower(KeyLimits {
            default_bits: 4096,
            ..limits(4096, 128)
        });
        assert_eq!((hopeless.max_bits, hopeless.per_request_max), (4096, 1));
    }

    #[test]
    fn large_blocks_are_limited_by_the_body() {
        let capacity = Capacity::new(BLOCK_BYTES_MAX);
        let most = capacity.keys_max(KEY_BYTES_MAX);
        let body = |keys: usize| {
            keys * ((KEY_BYTES_MAX + TAG_SECRET_BYTES).div_ceil(3) * 4 + JSON_BYTES_PER_KEY_MAX)
        };
        assert!(most >= 1 && body(most) < BODY_BYTES_MAX && body(most + 1) > BODY_BYTES_MAX / 2);
        assert!(most < KEYS_PER_MESSAGE_MAX);
    }
}

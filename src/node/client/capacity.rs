//! What one call can carry: keys that could be deposited but not fetched are refused before anything is spent.

use crate::crypto::key_tag::TAG_SECRET_BYTES;
use crate::crypto::mac::MAC_KEY_BYTES;
use crate::protocol::limits::{ATTEMPTS_MAX, BODY_BYTES_MAX, JSON_BYTES_PER_KEY_MAX};

use super::KeyLimits;

/// How large the messages of one call may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capacity {
    /// PSRD that a message can count on, in bytes.
    psrd_bytes: usize,
}

impl Capacity {
    /// With PSRD that comes in blocks of this size.
    ///
    /// The bottleneck is the way back: that a hub has too little left to answer with, the client learns from its
    /// refusal, and brings blocks before each further attempt: so many before the last one.
    pub(super) fn new(block_bytes: usize) -> Self {
        Self {
            psrd_bytes: block_bytes.saturating_mul(ATTEMPTS_MAX as usize - 1),
        }
    }

    /// How many keys of `size` bytes fit into one message, for which there have to be pads, and room in the body.
    pub(super) fn keys_max(self, size: usize) -> usize {
        let share = size.saturating_add(TAG_SECRET_BYTES);
        let pads = self.psrd_bytes.saturating_sub(MAC_KEY_BYTES) / share;
        let base64 = share.div_ceil(3).saturating_mul(4);
        // What stands around all keys is less than what one key may take besides its share.
        let body = (BODY_BYTES_MAX - JSON_BYTES_PER_KEY_MAX) / (base64 + JSON_BYTES_PER_KEY_MAX);
        pads.min(body)
    }

    /// The limits that can be kept: what a client promises in its status it has to deliver (ETSI GS QKD 014 clause
    /// 6.1). Where blocks are too small even for keys of default size, nothing can be mended.
    pub(super) fn honest(self, keys: KeyLimits) -> KeyLimits {
        let share_max = self.psrd_bytes.saturating_sub(MAC_KEY_BYTES);
        let bits_max = share_max.saturating_sub(TAG_SECRET_BYTES).saturating_mul(8);
        let number_max = self.keys_max(keys.default_bits / 8);
        KeyLimits {
            max_bits: keys.max_bits.min(bits_max).max(keys.default_bits),
            per_request_max: keys.per_request_max.min(number_max).max(1),
            ..keys
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::{KEY_BYTES_MAX, KEYS_PER_MESSAGE_MAX};
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
    fn blocks_of_the_default_size_carry_each_maximum_but_not_both_at_once() {
        let capacity = Capacity::new(64 * 1024);
        let most = limits(KEY_BYTES_MAX * 8, KEYS_PER_MESSAGE_MAX);
        assert_eq!(capacity.honest(most), most);
        assert!(capacity.keys_max(32) >= KEYS_PER_MESSAGE_MAX);
        assert_eq!(capacity.keys_max(KEY_BYTES_MAX), 1);
    }

    #[test]
    fn small_blocks_lower_what_is_promised() {
        let honest = Capacity::new(1024).honest(limits(65_536, 128));
        // Four blocks: 4096 bytes, 32 of them for the MAC key, 48 for each key's tag.
        assert_eq!(honest.per_request_max, (4096 - 32) / (48 + 32));
        assert_eq!(honest.max_bits, (4096 - 32 - 48) * 8);
        assert!(honest.max_bits.is_multiple_of(8));
        let hopeless = Capacity::new(64).honest(KeyLimits {
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

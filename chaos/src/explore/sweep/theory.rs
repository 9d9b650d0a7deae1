//! What should come out, from `docs/protocol.md` alone.

/// Whether a key arrives: it does if and only if K honest hubs can be reached.
///
/// A hub that lies about its share is no worse than one that is down: the tag tells which K shares are right, however
/// many others are wrong (§8; at most 2,000 subsets are tried, and ten hubs have 252 at most). Nor is it better: K − 1
/// right shares determine nothing.
#[must_use]
pub fn arrives(hubs: u8, threshold: u8, crashed: u8, lying: u8) -> bool {
    u16::from(crashed) + u16::from(lying) + u16::from(threshold) <= u16::from(hubs)
}

/// Whether hubs that pool what they hold find a key out: K shares determine it, K − 1 say nothing (§1).
#[must_use]
pub fn is_found_out(threshold: u8, colluding: u8) -> bool {
    colluding >= threshold
}

/// Bytes of a MAC key (§4).
const MAC_KEY_BYTES: u64 = 32;

/// Bytes of u, which is shared with the key (§5).
const TAG_SECRET_BYTES: u64 = 48;

/// Bytes of PSRD that one key of `size` bytes spends, if nothing goes wrong: at each hub a MAC key for each of four
/// messages (deposit and answer, fetch and answer; §4), and a pad for the share in two of them (§5, §6).
#[must_use]
pub fn psrd_bytes(hubs: u8, size: u64) -> u64 {
    let share = TAG_SECRET_BYTES + size;
    u64::from(hubs) * (4 * MAC_KEY_BYTES + 2 * share)
}

/// Messages of one key, if nothing goes wrong: four at each hub.
#[must_use]
pub fn messages(hubs: u8) -> u64 {
    4 * u64::from(hubs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_arrives_up_to_n_minus_k_bad_hubs_and_not_beyond() {
        for (crashed, lying, expected) in [
            (0, 0, true),
            (2, 0, true),
            (0, 2, true),
            (1, 1, true),
            (3, 0, false),
            (0, 3, false),
            (2, 1, false),
            (5, 0, false),
        ] {
            assert_eq!(arrives(5, 3, crashed, lying), expected, "{crashed} {lying}");
        }
        assert!(arrives(10, 6, 0, 4) && !arrives(10, 6, 4, 1));
        assert!(arrives(3, 3, 0, 0) && !arrives(3, 3, 0, 1));
        assert!(!arrives(255, 255, 255, 255));
    }

    #[test]
    fn the_step_of_collusion_is_at_k() {
        assert!(!is_found_out(3, 0) && !is_found_out(3, 2));
        assert!(is_found_out(3, 3) && is_found_out(3, 5));
    }

    #[test]
    fn the_psrd_of_a_key_follows_from_its_messages() {
        // 128 bytes of MAC keys and two shares of 80 bytes at each hub.
        assert_eq!(psrd_bytes(1, 32), 288);
        assert_eq!(psrd_bytes(5, 32), 1_440);
        assert_eq!(psrd_bytes(3, 16), 3 * (128 + 2 * 64));
        assert_eq!(messages(5), 20);
    }
}

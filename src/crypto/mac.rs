//! The one-time message authentication code: Carter–Wegman over GF(2^128).
//!
//! The key is (c, d), 32 fresh random bytes for each message. The tag is d + POLYVAL_c(lengths, parts). POLYVAL
//! (RFC 8452 section 3) is a polynomial in c without constant term, up to a fixed factor for each power, which is a
//! bijection of c. A forger who has seen one message with its tag knows d only as a function of c, which remains
//! uniform. The tag fits another message only where c is a root of a non-zero polynomial, which has at most as many
//! roots as there are blocks, plus one. So a forgery succeeds with probability at most (blocks + 1) / 2^128, whatever
//! the forger computes.
//!
//! That holds for one message: two tags under one key give d away. So [`MacKey::tag`] consumes the key.
//!
//! A key is wiped when it is dropped, and is not copied when it is moved. `polyval` wipes its state. What is *not* wiped:
//! registers, and what the compiler moves about on the stack inside `polyval`. Messages are seen by the network and are no secrets.

use std::fmt;
use std::str::FromStr;

use polyval::Polyval;
use polyval::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;

use crate::harness::{Canary, canary};

use super::secret::Secret;
use super::{read_hex, write_hex};

/// Length of a MAC key, in bytes.
pub const MAC_KEY_BYTES: usize = 32;

const _: () = assert!(
    MAC_KEY_BYTES == 16 + 16,
    "c and d are elements of GF(2^128)"
);

/// A key for one message. It cannot be cloned, and to tag a message consumes it.
///
/// ```compile_fail,E0382
/// # fn twice(key: dske::crypto::mac::MacKey) {
/// let tag = key.tag(&[b"a message"]);
/// let another = key.tag(&[b"another message"]); // error: `key` was moved
/// # }
/// ```
pub struct MacKey(Secret);

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(<redacted>)")
    }
}

/// Bytes that are no MAC key: there must be 32. The caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a MAC key has {MAC_KEY_BYTES} bytes, not {0}")]
pub struct MacKeyLength(pub usize);

impl TryFrom<&[u8]> for MacKey {
    type Error = MacKeyLength;

    fn try_from(bytes: &[u8]) -> Result<Self, MacKeyLength> {
        if bytes.len() != MAC_KEY_BYTES {
            return Err(MacKeyLength(bytes.len()));
        }
        // The one copy, which stays where it is: an array would be copied each time that the key is moved, and tasks carry
        // along what lies about on the stack.
        Ok(Self(Secret::from(bytes)))
    }
}

/// A tag. It is public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacTag([u8; 16]);

impl fmt::Display for MacTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// Text that is no tag. The fault of whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tag is 32 lower-case hexadecimal digits")]
pub struct TagTextError;

impl FromStr for MacTag {
    type Err = TagTextError;

    fn from_str(text: &str) -> Result<Self, TagTextError> {
        read_hex(text).map(Self).ok_or(TagTextError)
    }
}

/// The tag does not fit the message. Somebody changed or forged the message, or it is the peer's fault; which of the two,
/// nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message authentication code does not fit")]
pub struct MacMismatch;

impl MacKey {
    /// The tag of a message in parts. Where one part ends and the next begins is authenticated too.
    #[must_use]
    pub fn tag(self, parts: &[&[u8]]) -> MacTag {
        self.compute(parts)
    }

    fn compute(&self, parts: &[&[u8]]) -> MacTag {
        let (c, d) = self.0.split_at(16);
        let mut hash = Polyval::new(c.try_into().expect("half of 32 bytes"));
        // The number of parts, then each length before its part: no two messages give the same blocks. The first block
        // is never zero and has the highest power of c, so that messages of different length differ too.
        hash.update(&[block(parts.len() as u64, u64::MAX)]);
        for part in parts {
            hash.update(&[block(part.len() as u64, 0)]);
            hash.update_padded(part);
        }
        let mut tag: [u8; 16] = hash.finalize().into();
        tag.iter_mut().zip(d).for_each(|(t, d)| *t ^= d);
        MacTag(tag)
    }

    /// Whether the tag fits, in constant time.
    ///
    /// # Errors
    /// If it does not.
    pub fn verify(&self, parts: &[&[u8]], tag: &MacTag) -> Result<(), MacMismatch> {
        let expected = self.compute(parts);
        if canary(Canary::MacPrefix) && expected.0.first() == tag.0.first() {
            return Ok(());
        }
        if expected.0.ct_eq(&tag.0).into() {
            Ok(())
        } else {
            Err(MacMismatch)
        }
    }
}

fn block(a: u64, b: u64) -> polyval::Block {
    let mut block = [0; 16];
    let (low, high) = block.split_at_mut(8);
    low.copy_from_slice(&a.to_le_bytes());
    high.copy_from_slice(&b.to_le_bytes());
    block.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MacKey {
        let bytes: Vec<u8> = (0..32).map(|i| i * 7 + 1).collect();
        MacKey::try_from(bytes.as_slice()).unwrap()
    }

    #[test]
    fn a_tag_fits_its_message_and_reads_what_it_writes() {
        let parts: [&[u8]; 2] = [b"hello", b"world"];
        let tag = key().tag(&parts);
        assert_eq!(key().verify(&parts, &tag), Ok(()));
        assert_eq!(tag.to_string().parse(), Ok(tag));
        assert!(tag.to_string().to_uppercase().parse::<MacTag>().is_err());
    }

    #[test]
    fn every_changed_bit_of_message_key_and_tag_is_noticed() {
        let message: Vec<u8> = (0..40).collect();
        let tag = key().tag(&[&message]);
        for bit in 0..message.len() * 8 {
            let mut changed = message.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                key().verify(&[&changed], &tag),
                Err(MacMismatch),
                "message bit {bit}"
            );
        }
        for bit in 0..256 {
            let mut changed = key();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                changed.verify(&[&message], &tag),
                Err(MacMismatch),
                "key bit {bit}"
            );
        }
        for bit in 0..128 {
            let mut changed = tag;
            changed.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                key().verify(&[&message], &changed),
                Err(MacMismatch),
                "tag bit {bit}"
            );
        }
    }

    #[test]
    fn parts_cannot_be_shifted_added_dropped_or_padded() {
        let all: [&[&[u8]]; 9] = [
            &[],
            &[b""],
            &[b"", b""],
            &[b"ab", b"c"],
            &[b"a", b"bc"],
            &[b"abc"],
            &[b"abc", b""],
            &[b"abc\0"],
            &[b"", b"abc"],
        ];
        for (i, a) in all.iter().enumerate() {
            for b in all.iter().skip(i + 1) {
                assert_ne!(key().tag(a), key().tag(b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn keys_and_tags_have_one_length() {
        for length in [0, MAC_KEY_BYTES - 1, MAC_KEY_BYTES + 1] {
            let error = MacKey::try_from(vec![1; length].as_slice()).unwrap_err();
            assert_eq!(error, MacKeyLength(length));
        }
        for length in [0, 31, 33] {
            assert!("0".repeat(length).parse::<MacTag>().is_err(), "{length}");
        }
    }

    #[test]
    fn a_key_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", key()), "MacKey(<redacted>)");
    }
}

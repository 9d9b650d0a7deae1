//! The key tag, which tells whether a reconstructed secret is the one that was shared.
//!
//! What is shared is Y = u ‖ S: the user key S and 48 random bytes u = (c, d, e). The tag is
//! o = d + c·e + Σ cʲ⁺¹·sⱼ + cⁿ⁺²·|S| over GF(2^128), where s1 … sn are S in 16-byte blocks. It is public.
//!
//! It detects every change of Y that wrong shares can cause, because Shamir's scheme is linear: whoever holds fewer
//! than K shares can only add *known* shifts (δc, δd, δe, δs) to an *unknown* Y. If δc ≠ 0, the term δc·e makes the
//! shifted equation hold for one value of the unknown e in 2^128. Otherwise the equation is a non-zero polynomial in
//! the unknown c, of degree at most n + 1. So the tag fits a wrong Y with probability at most (n + 2) / 2^128. The tag
//! tells nothing about S, since d is uniform and occurs nowhere else.
//!
//! Secrets are read where they are. What has to be copied is wiped, as is the state of `polyval` when it is dropped.
//! What is *not* wiped: registers, and what the compiler moves about on the stack here and inside `polyval`.

use std::fmt;
use std::str::FromStr;

use polyval::Polyval;
use polyval::universal_hash::UniversalHash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::harness::{Canary, canary};

use super::{read_hex, write_hex};

/// Length of u = c ‖ d ‖ e, in bytes.
pub const TAG_SECRET_BYTES: usize = 48;

const _: () = assert!(
    TAG_SECRET_BYTES == 3 * 16,
    "c, d and e are elements of GF(2^128)"
);

/// The public tag of a shared key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyTag([u8; 16]);

impl KeyTag {
    /// The tag of Y = u ‖ S.
    ///
    /// # Panics
    /// If `u` does not have [`TAG_SECRET_BYTES`] bytes.
    #[must_use]
    pub fn compute(u: &[u8], key: &[u8]) -> Self {
        let u: &[u8; TAG_SECRET_BYTES] = u.try_into().expect("u has 48 bytes");
        let (c, rest) = u.split_at(16);
        let (d, e) = rest.split_at(16);
        let mut hash = Polyval::new(c.try_into().expect("c has 16 bytes"));
        let mut length = [0; 16];
        length
            .iter_mut()
            .zip((key.len() as u64).to_le_bytes())
            .for_each(|(l, b)| *l = b);
        // The last block is multiplied by c, the one before it by c², and so on.
        hash.update(&[length.into()]);
        let (blocks, rest) = key.split_at(key.len() - key.len() % 16);
        hash.update_padded(blocks);
        if !rest.is_empty() {
            // Padded here, in a place that is wiped: `update_padded` leaves its copy behind.
            let mut last = Zeroizing::new([0; 16]);
            last.iter_mut().zip(rest).for_each(|(l, k)| *l = *k);
            hash.update_padded(last.as_slice());
        }
        hash.update_padded(e);
        let mut tag: [u8; 16] = hash.finalize().into();
        tag.iter_mut().zip(d).for_each(|(t, d)| *t ^= d);
        Self(tag)
    }

    /// Whether this is the tag of Y = u ‖ S, in constant time for its length. A Y that is too short never fits.
    #[must_use]
    pub fn fits(&self, secret: &[u8]) -> bool {
        match secret.split_at_checked(TAG_SECRET_BYTES) {
            Some(_) if canary(Canary::TagNotChecked) => true,
            Some((u, key)) => Self::compute(u, key).0.ct_eq(&self.0).into(),
            None => false,
        }
    }
}

impl fmt::Display for KeyTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl FromStr for KeyTag {
    type Err = super::mac::TagTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read_hex(text).map(Self).ok_or(super::mac::TagTextError)
    }
}

impl Serialize for KeyTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for KeyTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 16]>::deserialize(deserializer).map(Self);
        }
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_of_the_secret_is_noticed() {
        for key_bytes in [1, 15, 16, 17, 32] {
            let secret: Vec<u8> = (0..TAG_SECRET_BYTES + key_bytes)
                .map(|i| (i * 31 + 7) as u8)
                .collect();
            let (u, key) = secret.split_at(TAG_SECRET_BYTES);
            let tag = KeyTag::compute(u, key);
            assert!(tag.fits(&secret));
            for bit in 0..secret.len() * 8 {
                let mut changed = secret.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!tag.fits(&changed), "{key_bytes} bytes, bit {bit}");
            }
        }
    }

    #[test]
    fn the_length_of_the_key_is_bound_in() {
        let u = [3; TAG_SECRET_BYTES];
        assert_ne!(KeyTag::compute(&u, &[0; 16]), KeyTag::compute(&u, &[0; 17]));
        assert_ne!(KeyTag::compute(&u, &[0; 16]), KeyTag::compute(&u, &[0; 15]));
        assert!(!KeyTag::compute(&u, &[]).fits(&u[..47]));
    }
}

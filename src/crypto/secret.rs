//! Bytes that are secret.

use std::fmt;
use std::ops::{Deref, DerefMut};

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes that are wiped when they are dropped, are not shown by `Debug`, and are compared in constant time.
///
/// They never grow, since growing could move them and leave a copy behind. They are wiped as a whole, with the widest
/// stores of the processor: `Zeroizing<Vec<u8>>` wipes byte by byte, which takes longer than sharing a long secret.
///
/// Only secrets themselves are compared in constant time, not the slices that they dereference to.
#[derive(Clone, Default)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Zeros, to be overwritten.
    #[must_use]
    pub fn zeros(length: usize) -> Self {
        Self(vec![0; length].into_boxed_slice())
    }

    /// The bytes where they are, once they have been encrypted in place. Nothing is wiped.
    pub(crate) fn into_public(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).into_vec()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.as_mut().zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Secret {
    fn from(mut bytes: Vec<u8>) -> Self {
        if bytes.len() == bytes.capacity() {
            return Self(bytes.into_boxed_slice());
        }
        // Shrinking could move the bytes, and leave a copy behind.
        let secret = Self::from(bytes.as_slice());
        bytes.clear();
        bytes.spare_capacity_mut().zeroize();
        secret
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Secret {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// In constant time for the length, which is public. Short-circuiting would tell how far a guess is right.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(<redacted>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_wherever_they_come_from_and_are_not_shown() {
        let mut roomy = Vec::with_capacity(100);
        roomy.extend_from_slice(&[1, 2, 3]);
        let secret = Secret::from(roomy);
        assert_eq!(&*secret, [1, 2, 3]);
        assert_eq!(secret, Secret::from(vec![1, 2, 3]));
        assert_eq!(secret, Secret::from([1, 2, 3].as_slice()));
        assert_eq!(format!("{secret:?}"), "Secret(<redacted>)");
    }

    #[test]
    fn secrets_are_equal_if_all_bytes_are() {
        let secret = Secret::from(vec![7; 40]);
        assert_eq!(secret, secret.clone());
        for bit in 0..40 * 8 {
            let mut other = secret.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(secret, other, "bit {bit}");
        }
        assert_ne!(secret, Secret::from(vec![7; 39]));
        assert_ne!(secret, Secret::from(vec![7; 41]));
        assert_eq!(Secret::default(), Secret::zeros(0));
    }
}

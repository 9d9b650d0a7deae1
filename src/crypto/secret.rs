//! Bytes that are secret.

use std::fmt;
use std::ops::{Deref, DerefMut};

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes that are wiped when they are dropped, and not shown by `Debug`.
///
/// They never move to a longer place, so that none are left behind. And they are wiped as a whole, by what the processor
/// has for it: `Zeroizing<Vec<u8>>` wipes byte by byte, which takes longer than to share a long secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Zeros, to be written over.
    #[must_use]
    pub fn zeros(length: usize) -> Self {
        Self(vec![0; length].into_boxed_slice())
    }

    /// The bytes where they are, for what has been encrypted in place: nothing is wiped.
    #[must_use]
    pub fn into_public(mut self) -> Vec<u8> {
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
        // To shrink it could move the bytes, and leave them behind.
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
}

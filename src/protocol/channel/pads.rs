//! What an allocation is used for: a MAC key, then one-time pads.

use crate::crypto::mac::{MAC_KEY_BYTES, MacKey};
use crate::crypto::secret::Secret;
use crate::harness::{Canary, canary};
use crate::protocol::message::{Encrypted, Plain, ShareBytes};
use crate::psrd::{Allocation, Spent};

/// Why encrypting cannot fail where PSRD has been allocated for a message: the reason of an `expect`.
pub(super) const SPENT_FOR_THESE: &str = "the allocation was made for exactly these shares";

/// One-time pads, used up in order.
pub(in crate::protocol) struct Pads<'a>(&'a [u8]);

/// There is less pad left than the share needs.
#[derive(Debug)]
pub(in crate::protocol) struct PadError;

impl<'a> Pads<'a> {
    /// The pads of a message that is not yet sealed.
    pub(in crate::protocol) fn of(spent: &'a Spent) -> Self {
        Self::after_key(spent.bytes())
    }

    /// The pads that follow the MAC key in the bytes of an allocation.
    pub(super) fn after_key(bytes: &'a [u8]) -> Self {
        Self(bytes.get(MAC_KEY_BYTES..).unwrap_or_default())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::protocol) fn next(&mut self, size: usize) -> Result<&'a [u8], PadError> {
        let (pad, rest) = self.0.split_at_checked(size).ok_or(PadError)?;
        self.0 = rest;
        Ok(pad)
    }

    pub(super) fn encrypt(&mut self, mut share: Plain) -> Result<Encrypted, PadError> {
        let pad = self.next(share.byte_len())?;
        xor_in_place(&mut share.0, pad);
        // What is encrypted is no longer secret, so there is nothing to wipe.
        Ok(Encrypted(share.0.into_public()))
    }

    pub(super) fn decrypt(&mut self, share: Encrypted) -> Result<Plain, PadError> {
        let mut share = Plain(Secret::from(share.0));
        let pad = self.next(share.byte_len())?;
        xor_in_place(&mut share.0, pad);
        Ok(share)
    }
}

fn xor_in_place(share: &mut [u8], pad: &[u8]) {
    let in_clear = usize::from(canary(Canary::PadTooShort));
    let covered = share.len().saturating_sub(in_clear);
    let bytes = share.iter_mut().zip(pad).take(covered);
    bytes.for_each(|(byte, pad)| *byte ^= pad);
}

/// The MAC key at the start of an allocation's bytes. `None` if there are too few.
pub(super) fn mac_key(bytes: &[u8]) -> Option<MacKey> {
    MacKey::try_from(bytes.get(..MAC_KEY_BYTES)?).ok()
}

/// What the signature of a message needs, once its shares are encrypted.
///
/// # Panics
/// If `spent` is shorter than a MAC key.
pub(super) fn signing_parts(spent: Spent) -> (Allocation, MacKey) {
    let (allocation, bytes) = spent.into_parts();
    let key = mac_key(&bytes).expect("every allocation starts with a MAC key");
    (allocation, key)
}

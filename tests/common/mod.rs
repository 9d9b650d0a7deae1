//! What several tests need.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::convert::Infallible;

use rand::{TryCryptoRng, TryRng};

/// A generator that yields bytes chosen beforehand, and panics when they are used up.
pub(crate) struct Tape {
    bytes: Vec<u8>,
    at: usize,
}

impl Tape {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.at == self.bytes.len()
    }
}

impl TryRng for Tape {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        target.copy_from_slice(&self.bytes[self.at..self.at + target.len()]);
        self.at += target.len();
        Ok(())
    }
}

impl TryCryptoRng for Tape {}

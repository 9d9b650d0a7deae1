//! Distributed Symmetric Key Establishment (DSKE).

pub mod crypto;
pub mod psrd;

//! Finite fields, Shamir sharing, robust reconstruction, the one-time MAC and the key tag. Nothing here knows of DSKE.
//!
//! | module | what it holds |
//! |---|---|
//! | [`secret`] | bytes that are wiped when they are dropped |
//! | [`generator`] | the random number generators of a node in production |
//! | [`gf256`] | the field GF(2^8), in constant time |
//! | [`shamir`] | splitting a secret into shares, and recovering it |
//! | [`robust`] | recovering a secret from shares of which some are wrong, and naming those |
//! | [`mac`] | the one-time MAC over GF(2^128) |
//! | [`key_tag`] | the tag that a reconstructed key has to fit |

#![deny(clippy::indexing_slicing)]

pub mod generator;
pub mod gf256;
pub mod key_tag;
pub mod mac;
pub mod robust;
pub mod secret;
pub mod shamir;

use std::fmt;

/// Writes bytes as lower-case hexadecimal.
fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Reads exactly 16 bytes of lower-case hexadecimal, so that each value has one text.
fn read_hex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let digit = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | digit;
        }
    }
    Some(bytes)
}

//! The kernel for every processor: eight elements at a time in an ordinary word.

use super::{BLOCK_BYTES, mul};

/// Sums that are kept in registers at a time.
const SUMS: usize = 8;
const SUMS_BYTES: usize = SUMS * size_of::<u64>();

const _: () = assert!(BLOCK_BYTES.is_multiple_of(SUMS_BYTES));

pub(super) fn combine<'a>(out: &mut [u8], rows: impl Iterator<Item = (&'a [u8], u8)> + Clone) {
    let (blocks, rest) = out.as_chunks_mut::<SUMS_BYTES>();
    let done = blocks.len() * SUMS_BYTES;
    for (index, block) in blocks.iter_mut().enumerate() {
        let mut sum = [0; SUMS];
        for (row, weight) in rows.clone() {
            let words = row.get(index * SUMS_BYTES..).unwrap_or_default();
            for (sum, word) in sum.iter_mut().zip(words.as_chunks().0) {
                *sum ^= mul_word(u64::from_le_bytes(*word), weight);
            }
        }
        for (to, from) in block.as_chunks_mut().0.iter_mut().zip(sum) {
            *to = from.to_le_bytes();
        }
    }
    rest.fill(0);
    for (row, weight) in rows {
        let row = row.get(done..).unwrap_or_default();
        for (sum, element) in rest.iter_mut().zip(row) {
            *sum ^= mul(*element, weight);
        }
    }
}

/// Eight products at once.
fn mul_word(mut word: u64, weight: u8) -> u64 {
    const LOW_BITS: u64 = 0x0101_0101_0101_0101;
    let mut product = 0;
    for bit in 0..8 {
        product ^= word & 0u64.wrapping_sub(u64::from(weight >> bit & 1));
        let carries = word >> 7 & LOW_BITS;
        // Each carry is 0 or 1, so that no product reaches into the next byte.
        word = ((word & !(LOW_BITS << 7)) << 1) ^ (carries * 0x1d);
    }
    product
}

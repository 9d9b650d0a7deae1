//! The field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D), the one of the `sharks` family of crates.
//!
//! No table is looked up and no branch taken on an operand: both may be secret.

/// Product of two elements.
#[must_use]
pub const fn mul(a: u8, b: u8) -> u8 {
    let (mut a, mut product, mut bit) = (a, 0, 0);
    while bit < 8 {
        product ^= a & 0u8.wrapping_sub(b >> bit & 1);
        a = a << 1 ^ 0x1d & 0u8.wrapping_sub(a >> 7);
        bit += 1;
    }
    product
}

/// Inverse of an element; zero for zero.
#[must_use]
pub const fn inv(a: u8) -> u8 {
    // The multiplicative group has 255 elements, so that a^254 is the inverse: 254 = 2 + 4 + 8 + … + 128.
    let (mut power, mut result, mut i) = (a, 1, 0);
    while i < 7 {
        power = mul(power, power);
        result = mul(result, power);
        i += 1;
    }
    result
}

/// `acc += scalar · src`, element by element. What one has more than the other is left alone.
pub fn mul_add_slice(acc: &mut [u8], src: &[u8], scalar: u8) {
    let mut acc_words = acc.chunks_exact_mut(8);
    let mut src_words = src.chunks_exact(8);
    for (acc, src) in (&mut acc_words).zip(&mut src_words) {
        let word = u64::from_le_bytes(src.try_into().expect("chunks of eight bytes"));
        let product = mul_word(word, scalar).to_le_bytes();
        acc.iter_mut().zip(product).for_each(|(a, p)| *a ^= p);
    }
    let rest = acc_words.into_remainder().iter_mut();
    for (acc, src) in rest.zip(src_words.remainder()) {
        *acc ^= mul(*src, scalar);
    }
}

/// Eight products at once.
fn mul_word(mut word: u64, scalar: u8) -> u64 {
    const LOW_BITS: u64 = 0x0101_0101_0101_0101;
    let mut product = 0;
    for bit in 0..8 {
        product ^= word & 0u64.wrapping_sub(u64::from(scalar >> bit & 1));
        let carries = word >> 7 & LOW_BITS;
        // Each carry is 0 or 1, so that no product reaches into the next byte.
        word = ((word & !(LOW_BITS << 7)) << 1) ^ (carries * 0x1d);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Schoolbook multiplication and reduction, written to be obviously right.
    fn slow_mul(a: u8, b: u8) -> u8 {
        let mut product = 0u16;
        for bit in 0..8 {
            if b >> bit & 1 == 1 {
                product ^= u16::from(a) << bit;
            }
        }
        for bit in (8..16).rev() {
            if product >> bit & 1 == 1 {
                product ^= 0x11d << (bit - 8);
            }
        }
        product as u8
    }

    #[test]
    fn every_product_is_that_of_the_schoolbook() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(mul(a, b), slow_mul(a, b), "{a} {b}");
            }
        }
    }

    #[test]
    fn every_element_but_zero_has_its_inverse() {
        assert_eq!(inv(0), 0);
        for a in 1..=255 {
            assert_eq!(mul(a, inv(a)), 1, "{a}");
        }
    }

    #[test]
    fn slices_of_every_length_are_multiplied_element_by_element() {
        let src: Vec<u8> = (0..70u32).map(|i| (i * 37 + 11) as u8).collect();
        for length in 0..=70 {
            for scalar in 0..=255 {
                let mut acc: Vec<u8> = (0..length).map(|i| i as u8).collect();
                mul_add_slice(&mut acc, &src[..length], scalar);
                for (i, &got) in acc.iter().enumerate() {
                    assert_eq!(got, i as u8 ^ mul(src[i], scalar));
                }
            }
        }
    }
}

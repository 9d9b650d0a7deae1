//! The field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D), the one of the `sharks` family of crates.
//!
//! No table is looked up and no branch taken on an operand, since both may be secret; but for the scalar of
//! [`mul_add_slice`], which is public.

#[cfg(target_arch = "x86_64")]
mod x86;

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

/// `acc += scalar · src`, element by element, for the length that both have. The scalar has to be public, such as a
/// coordinate or what follows from coordinates.
///
/// # Panics
/// If they are of different lengths.
pub fn mul_add_slice(acc: &mut [u8], src: &[u8], scalar: u8) {
    assert_eq!(acc.len(), src.len(), "element by element");
    #[cfg(target_arch = "x86_64")]
    if x86::mul_add(acc, src, scalar) {
        return;
    }
    portable(acc, src, scalar);
}

fn portable(acc: &mut [u8], src: &[u8], scalar: u8) {
    let (acc_words, acc_rest) = acc.as_chunks_mut::<8>();
    let (src_words, src_rest) = src.as_chunks::<8>();
    for (acc, src) in acc_words.iter_mut().zip(src_words) {
        let product = mul_word(u64::from_le_bytes(*src), scalar);
        *acc = (u64::from_le_bytes(*acc) ^ product).to_le_bytes();
    }
    for (acc, src) in acc_rest.iter_mut().zip(src_rest) {
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

    type Kernel = fn(&mut [u8], &[u8], u8);

    /// All ways there are on this processor, portable first.
    fn kernels() -> Vec<Kernel> {
        let mut kernels: Vec<Kernel> = vec![portable];
        #[cfg(target_arch = "x86_64")]
        kernels.extend(
            x86::KERNELS
                .iter()
                .filter(|(is_there, _)| is_there())
                .map(|(_, kernel)| kernel),
        );
        kernels.push(mul_add_slice);
        kernels
    }

    #[test]
    fn slices_of_every_length_are_multiplied_element_by_element() {
        let src: Vec<u8> = (0..100u32).map(|i| (i * 37 + 11) as u8).collect();
        for (kernel, mul_add) in kernels().into_iter().enumerate() {
            for length in 0..=100 {
                for scalar in 0..=255 {
                    let mut acc: Vec<u8> = (0..length).map(|i| i as u8).collect();
                    mul_add(&mut acc, &src[..length], scalar);
                    for (i, &got) in acc.iter().enumerate() {
                        assert_eq!(got, i as u8 ^ mul(src[i], scalar), "kernel {kernel}");
                    }
                }
            }
        }
    }

    #[test]
    fn slices_at_every_alignment_are_multiplied_and_their_neighbours_left_alone() {
        let src: Vec<u8> = (0..160u32).map(|i| (i * 91 + 5) as u8).collect();
        for (kernel, mul_add) in kernels().into_iter().enumerate() {
            for (from, at) in (0..33).flat_map(|from| (0..33).map(move |at| (from, at))) {
                for length in [0, 1, 15, 16, 17, 31, 32, 47, 80, 100] {
                    let mut acc = [0x5a; 160];
                    mul_add(&mut acc[at..at + length], &src[from..from + length], 0xb7);
                    for (i, &got) in acc.iter().enumerate() {
                        let product = (at..at + length)
                            .contains(&i)
                            .then(|| mul(src[from + i - at], 0xb7));
                        assert_eq!(got, 0x5a ^ product.unwrap_or(0), "kernel {kernel}");
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "element by element")]
    fn slices_of_different_lengths_are_a_mistake() {
        mul_add_slice(&mut [0; 3], &[0; 4], 1);
    }
}

//! The field GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D), the one of the `sharks` family of crates.
//!
//! Operands may be secret, so none of them selects a table entry or decides a branch. The exceptions are the weights of
//! [`combine`] and all of `public`, which must be public.
//!
//! | file | what it holds |
//! |---|---|
//! | `kernel` | which kernel combines rows: the fastest that the processor can run |
//! | `x86` | the kernels for x86-64 |
//! | `portable` | the kernel for every processor |
//! | `public` | arithmetic on public values |

mod kernel;
mod portable;
pub(super) mod public;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use kernel::Kernel;

/// A length that every kernel handles without a rest.
pub(super) const BLOCK_BYTES: usize = 256;

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

/// The sum of rows, each multiplied by its weight, element by element. The weights must be public, such as coordinates or
/// what follows from coordinates: they select table entries.
///
/// `out` is written and not read, so that its content before does not matter.
///
/// # Panics
/// If the rows and `out` are of different lengths.
pub fn combine<'a>(out: &mut [u8], rows: impl Iterator<Item = (&'a [u8], u8)> + Clone) {
    Kernel::fastest().combine(out, rows);
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
}

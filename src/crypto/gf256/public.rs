//! Arithmetic on public values: coordinates of shares, and what follows from them. It looks its results up in tables, with
//! the operand as the index, and so must never meet a secret.

use super::mul;

/// The powers of 2, which generates all elements but zero.
#[expect(clippy::indexing_slicing, reason = "255 entries, indices below 255")]
const POWERS: [u8; 255] = {
    let (mut powers, mut power, mut exponent) = ([0; 255], 1, 0);
    while exponent < 255 {
        powers[exponent] = power;
        power = mul(power, 2);
        exponent += 1;
    }
    powers
};

/// The exponent of each power of 2. The entry of zero is never used.
#[expect(clippy::indexing_slicing, reason = "256 entries, and a byte")]
const EXPONENTS: [u8; 256] = {
    let (mut exponents, mut exponent) = ([0; 256], 0);
    while exponent < 255 {
        exponents[POWERS[exponent as usize] as usize] = exponent;
        exponent += 1;
    }
    exponents
};

#[expect(clippy::indexing_slicing, reason = "a remainder below 255")]
fn power(exponent: usize) -> u8 {
    POWERS[exponent % 255]
}

#[expect(clippy::indexing_slicing, reason = "256 entries, and a byte")]
fn exponent(a: u8) -> usize {
    EXPONENTS[usize::from(a)].into()
}

/// 1, x, x², and so on, for an x other than zero.
pub(in crate::crypto) fn powers(x: u8) -> impl Iterator<Item = u8> + Clone {
    let step = exponent(x);
    (0..).map(move |degree| power(degree * step))
}

/// The product of numerators, each divided by its denominator, which is not zero.
pub(in crate::crypto) fn product_of_quotients(quotients: impl Iterator<Item = (u8, u8)>) -> u8 {
    let mut sum = 0;
    for (numerator, denominator) in quotients {
        if numerator == 0 {
            return 0;
        }
        sum += exponent(numerator) + 255 - exponent(denominator);
    }
    power(sum)
}

#[cfg(test)]
mod tests {
    use super::super::inv;
    use super::*;

    #[test]
    fn every_quotient_is_the_product_with_the_inverse() {
        for a in 0..=255 {
            for b in 1..=255 {
                let quotient = product_of_quotients([(a, b)].into_iter());
                assert_eq!(quotient, mul(a, inv(b)), "{a} {b}");
            }
        }
    }

    #[test]
    fn quotients_are_multiplied() {
        assert_eq!(product_of_quotients(std::iter::empty()), 1);
        for a in 0..=255 {
            for b in 1..=255 {
                let product = product_of_quotients([(a, 7), (b, a | 1)].into_iter());
                let (first, second) = (mul(a, inv(7)), mul(b, inv(a | 1)));
                assert_eq!(product, mul(first, second), "{a} {b}");
            }
        }
    }

    #[test]
    fn every_power_is_the_one_before_times_x() {
        for x in 1..=255 {
            let mut expected = 1;
            for power in powers(x).take(300) {
                assert_eq!(power, expected, "{x}");
                expected = mul(expected, x);
            }
        }
    }
}

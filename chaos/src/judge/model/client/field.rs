//! The mathematics of a client, as slowly as it can be read: `docs/protocol.md` §1 and §5.

/// a · b in GF(2^8) with the polynomial 0x11D.
#[must_use]
pub fn mul(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b > 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        let carries = a & 0x80 != 0;
        a <<= 1;
        if carries {
            a ^= 0x1D;
        }
        b >>= 1;
    }
    product
}

/// 1 / a = a^254.
#[must_use]
pub fn inverse(a: u8) -> u8 {
    (0..254).fold(1, |power, _| mul(power, a))
}

/// The value at `x` of the polynomial of least degree through these points, byte by byte. Minus is plus in this field.
#[must_use]
pub fn value_at(x: u8, points: &[(u8, &[u8])]) -> Vec<u8> {
    let length = points.first().map_or(0, |(_, y)| y.len());
    let mut value = vec![0; length];
    for &(xi, y) in points {
        let others = points.iter().filter(|(xj, _)| *xj != xi);
        let weight = others.fold(1, |weight, (xj, _)| {
            mul(weight, mul(x ^ xj, inverse(xi ^ xj)))
        });
        let multiples: Vec<u8> = (0..=u8::MAX).map(|byte| mul(weight, byte)).collect();
        for (sum, &byte) in value.iter_mut().zip(y) {
            *sum ^= multiples[usize::from(byte)];
        }
    }
    value
}

/// a / x in the field of POLYVAL, RFC 8452 section 3: bit i is the coefficient of x^i.
fn divided_by_x(a: u128) -> u128 {
    // (x^128 + x^127 + x^126 + x^121 + 1) / x, but for the 1, which makes the lowest bit of an odd a vanish.
    const OVER_X: u128 = 1 << 127 | 1 << 126 | 1 << 125 | 1 << 120;
    (a >> 1) ^ if a & 1 == 1 { OVER_X } else { 0 }
}

/// POLYVAL_c of these blocks: each is added, and the sum multiplied by c · x^-128.
fn polyval(c: u128, blocks: impl Iterator<Item = u128>) -> u128 {
    // c · x^-1, c · x^-2, … are what the bits 127, 126, … of a factor contribute.
    let mut of_bits = [0; 128];
    let mut of_bit = c;
    for place in of_bits.iter_mut().rev() {
        of_bit = divided_by_x(of_bit);
        *place = of_bit;
    }
    blocks.fold(0, |sum, block| {
        let factor = sum ^ block;
        let bits = of_bits.iter().zip(0..);
        bits.fold(0, |product, (of_bit, bit)| {
            product ^ if factor >> bit & 1 == 1 { *of_bit } else { 0 }
        })
    })
}

/// Up to 16 bytes as an element of that field, padded with zeros.
fn element(bytes: &[u8]) -> u128 {
    let mut block = [0; 16];
    block[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(block)
}

/// Whether `tag`, as it is written, is the key tag of Y = c ‖ d ‖ e ‖ S: d + POLYVAL_c(|S|, S, e).
#[must_use]
pub fn fits(tag: &str, secret: &[u8]) -> bool {
    let Some((u, key)) = secret.split_at_checked(48) else {
        return false;
    };
    let (c, d, e) = (element(&u[..16]), element(&u[16..32]), element(&u[32..]));
    let length = [key.len() as u128];
    let blocks = length.into_iter().chain(key.chunks(16).map(element));
    let digits = (d ^ polyval(c, blocks.chain([e])))
        .to_le_bytes()
        .map(|byte| format!("{byte:02x}"))
        .concat();
    digits == tag
}

#[cfg(test)]
mod tests {
    use dske::crypto::gf256;
    use dske::crypto::key_tag::KeyTag;
    use dske::crypto::shamir::{Sharing, split};
    use rand::rngs::ChaCha12Rng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn products_and_inverses_are_those_of_0x11d() {
        for (a, b, product) in [(2, 128, 29), (3, 7, 9), (83, 202, 143), (255, 255, 226)] {
            assert_eq!(mul(a, b), product);
        }
        for a in 0..=u8::MAX {
            for b in 0..=u8::MAX {
                assert_eq!(mul(a, b), gf256::mul(a, b), "{a} · {b}");
            }
            assert_eq!(mul(a, inverse(a)), u8::from(a != 0));
        }
    }

    #[test]
    fn any_k_shares_give_the_secret_and_the_other_shares() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let secret: Vec<u8> = (0..67).collect();
        let shares = split(&secret, Sharing::new(3, 6).unwrap(), &mut rng);
        let points: Vec<(u8, &[u8])> = shares.iter().map(|s| (s.x.get(), &*s.y)).collect();
        for chosen in [[0, 1, 2], [5, 3, 1], [2, 4, 0]] {
            let chosen = chosen.map(|i| points[i]);
            assert_eq!(value_at(0, &chosen), secret);
            for (x, y) in &points {
                assert_eq!(value_at(*x, &chosen), *y);
            }
        }
        assert_ne!(value_at(0, &points[..2]), secret);
    }

    #[test]
    fn tags_are_those_of_the_vector_and_of_the_production_code() {
        let u: Vec<u8> = (0..48).collect();
        let vector = [u.as_slice(), b"0123456789abcdef0"].concat();
        assert!(fits("82066d027300a13e6c411b9388d686a3", &vector));
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        for bytes in [0, 1, 15, 16, 17, 32, 1_000] {
            let mut secret = vec![0; 48 + bytes];
            rng.fill_bytes(&mut secret);
            let tag = KeyTag::compute(&secret[..48], &secret[48..]).to_string();
            assert!(fits(&tag, &secret));
            for position in [0, 16, 32, 47 + bytes] {
                secret[position] ^= 1;
                assert!(!fits(&tag, &secret), "byte {position} of {bytes}");
                secret[position] ^= 1;
            }
        }
        assert!(!fits("00", &u[..47]));
    }
}

//! Whether the bytes of two degrees at the same place depend on each other.
//!
//! Two bytes are uniform and independent if, and only if, each sum of some bits of the one and some bits of the other is
//! as often 0 as 1: these are the 65,535 *characters* of sixteen bits, and the transform of Walsh and Hadamard gives all
//! of them at once. Over n places each one is a sum of n signs. If they are fair, it is 10·√n or more with a probability
//! of at most 2·e⁻⁵⁰, whatever n is (Hoeffding, 1963, theorem 2).
//!
//! If one byte is a function of the other one, then for each sum of its bits the squares of the correlations with the 256
//! sums of bits of the other add up to 1 (Parseval), so that one of them is 1/16 at least. The expected sum of signs is then
//! 10·√n at 25,600 places, and each function is seen from 40,000 on. Of all that are known, those that come closest to 1/16
//! (inversion, as in the S-box of AES) have 1/8, and are seen at 16,384 places already. A function that holds in a part p of the
//! places, with independent bytes in the others, needs 1/p² times as many.

use super::{Dependence, Judged, Polynomials, threshold};

/// From so many places on, functions of the other byte are seen.
const PLACES_MIN: u64 = 16_384;

/// The largest sum of n fair signs, in units of √n.
const DEVIATIONS_MAX: f64 = 10.0;

pub(super) fn judge(keys: &[Polynomials], judged: &mut Judged) {
    let total: usize = keys.iter().map(|key| key.degrees[0].len()).sum();
    let total = total as u64;
    if total < PLACES_MIN {
        return;
    }
    let degrees = threshold(keys);
    for low in 0..degrees {
        for high in low + 1..degrees {
            let found = correlation(keys, (low, high));
            judged.note(found.map(|(bits, agree)| Dependence::Correlated {
                degrees: (low, high),
                bits,
                agree,
                total,
            }));
        }
    }
}

/// The bits of two degrees whose sums agree most or least often, and how often they do, if that is no accident.
fn correlation(keys: &[Polynomials], (low, high): (usize, usize)) -> Option<((u8, u8), u64)> {
    let mut spectrum = vec![0_i32; 1 << 16];
    let mut total = 0_i32;
    for key in keys {
        for (low, high) in key.degrees[low].iter().zip(&key.degrees[high]) {
            spectrum[usize::from(u16::from_be_bytes([*low, *high]))] += 1;
            total += 1;
        }
    }
    transform(&mut spectrum);
    // The first one is that of no bits.
    let (bits, sum) = (0..=u16::MAX)
        .zip(spectrum)
        .skip(1)
        .max_by_key(|(_, sum)| sum.abs())?;
    let is_accident = f64::from(sum).abs() < DEVIATIONS_MAX * f64::from(total).sqrt();
    let [low, high] = bits.to_be_bytes();
    let agree = i64::midpoint(total.into(), sum.into());
    (!is_accident).then_some(((low, high), agree.unsigned_abs()))
}

/// Walsh and Hadamard: what was at `i` becomes the sum over all `j`, with a minus where `i & j` has an odd number of bits.
fn transform(values: &mut [i32]) {
    let mut half = 1;
    while half < values.len() {
        for both in values.chunks_exact_mut(2 * half) {
            let (first, second) = both.split_at_mut(half);
            for (a, b) in first.iter_mut().zip(second) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

//! How often each value occurs in each degree.
//!
//! Pearson's statistic of uniform bytes has 255 degrees of freedom, and by Laurent and Massart (2000, lemma 1)
//! P(χ² ≥ 255 + 2√(255·x) + 2·x) ≤ e⁻ˣ: for x = 100 that is p < 4·10⁻⁴⁴ at 774. That one of the 256 values is missing among
//! n bytes has p ≤ 256·e^(−n/256): below 10⁻²⁵ from 16,384 bytes on.

use super::{Dependence, Judged, Polynomials, threshold};

/// Fewer bytes say too little: 64 of each value are expected.
const BYTES_MIN: u64 = 64 * 256;

/// Above this, the counts are not those of uniform bytes.
const CHI_SQUARE_MAX: f64 = 774.0;

/// Why the bytes of one degree cannot be uniform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the line of each variant says what its fields are"
)]
pub enum Skew {
    #[error("the value {value} never occurs among {total} bytes")]
    NeverOccurs { value: usize, total: u64 },
    #[error("chi-square is {chi_square} over {total} bytes, at most {max} is allowed")]
    ChiSquare {
        chi_square: u64,
        total: u64,
        max: u64,
    },
}

pub(super) fn judge(keys: &[Polynomials], judged: &mut Judged) {
    for degree in 0..threshold(keys) {
        let mut counts = [0; 256];
        for value in keys.iter().flat_map(|key| &key.degrees[degree]) {
            counts[usize::from(*value)] += 1;
        }
        if counts.iter().sum::<u64>() >= BYTES_MIN {
            judged.note(skew(&counts).map(|why| Dependence::Skewed { degree, why }));
        }
    }
}

fn skew(counts: &[u64; 256]) -> Option<Skew> {
    let total: u64 = counts.iter().sum();
    if let Some(value) = counts.iter().position(|count| *count == 0) {
        return Some(Skew::NeverOccurs { value, total });
    }
    let expected = total as f64 / 256.0;
    let deviations = counts
        .iter()
        .map(|&count| (count as f64 - expected).powi(2) / expected);
    let chi_square: f64 = deviations.sum();
    (chi_square > CHI_SQUARE_MAX).then(|| Skew::ChiSquare {
        chi_square: chi_square.round_ties_even() as u64,
        total,
        max: CHI_SQUARE_MAX as u64,
    })
}

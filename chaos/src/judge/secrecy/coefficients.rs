//! The coefficients of the sharing polynomials are uniform over all 256 values.
//!
//! The construction of another world shows that *some* polynomial gives the coalition's shares for another key, not
//! that the initiator could have drawn it: were zero never drawn, as in RUSTSEC-2024-0398, each share would rule out
//! candidate keys. So what was drawn is counted, for each degree, over all keys of the run.
//!
//! False alarms are impossible in practice. Pearson's statistic of uniform bytes has 255 degrees of freedom, and by
//! Laurent and Massart (2000, lemma 1) P(χ² ≥ 255 + 2√(255·x) + 2·x) ≤ e⁻ˣ: for x = 100 that is p < 4·10⁻⁴⁴ at 774.
//! That one of the 256 values is missing among n bytes has p ≤ 256·e^(−n/256): below 10⁻²⁵ from 16,384 bytes on.

use std::collections::BTreeMap;

use dske::crypto::gf256::{combine, inv, mul};
use dske::crypto::shamir::{Share, ShareIndex};
use dske::protocol::initiator::KeySource;

use super::super::violation::Skew;
use super::super::{Facts, Verdict, Violation};

/// Fewer bytes say too little: 64 of each value are expected.
const BYTES_MIN: u64 = 64 * 256;

/// Above this, the counts are not those of uniform bytes.
const CHI_SQUARE_MAX: f64 = 774.0;

/// How often each value was drawn.
struct Counts([u64; 256]);

pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    // Where shares are PSRD, nothing is drawn.
    if facts.seen.plan.cluster.key_source != KeySource::Generator {
        return;
    }
    for (degree, counts) in (1..).zip(drawn(facts)) {
        let Some(judged) = counts.judge() else {
            continue;
        };
        verdict.expect_ok(judged, facts.seen.plan.end_ms * 1000, |why| {
            Violation::SkewedCoefficients { degree, why }
        });
    }
}

/// What was drawn for each degree, from 1.
fn drawn(facts: &Facts<'_>) -> Vec<Counts> {
    let threshold = usize::from(facts.seen.plan.cluster.threshold);
    let mut counts: Vec<Counts> = (1..threshold).map(|_| Counts([0; 256])).collect();
    // The same hubs hold shares of nearly all keys.
    let mut bases: BTreeMap<Vec<ShareIndex>, Vec<Vec<u8>>> = BTreeMap::new();
    for shares in facts.shares.values() {
        let points: Vec<&Share> = shares.values().take(threshold).collect();
        if points.len() < threshold {
            continue;
        }
        let xs: Vec<ShareIndex> = points.iter().map(|point| point.x).collect();
        let basis = bases.entry(xs).or_insert_with_key(|xs| basis(xs));
        for (degree, counts) in (1..).zip(&mut counts) {
            let length = points.first().map_or(0, |point| point.y.len());
            // Shares of different lengths are another check's business.
            let rows = points.iter().zip(&*basis);
            let rows = rows.filter(|(point, _)| point.y.len() == length);
            let mut coefficients = vec![0; length];
            combine(
                &mut coefficients,
                rows.map(|(point, basis)| (&*point.y, basis[degree])),
            );
            for value in coefficients {
                counts.0[usize::from(value)] += 1;
            }
        }
    }
    counts
}

/// The coefficients of Lagrange's polynomials: Lᵢ(x) = Π_{j≠i} (x − xⱼ)/(xᵢ − xⱼ); minus is plus in this field.
fn basis(xs: &[ShareIndex]) -> Vec<Vec<u8>> {
    let polynomial = |xi: &ShareIndex| {
        let mut polynomial = vec![0; xs.len()];
        polynomial[0] = 1;
        for xj in xs.iter().filter(|xj| *xj != xi) {
            let scale = inv(xi.get() ^ xj.get());
            for degree in (0..xs.len()).rev() {
                let lower = if degree > 0 {
                    polynomial[degree - 1]
                } else {
                    0
                };
                polynomial[degree] = mul(scale, mul(polynomial[degree], xj.get()) ^ lower);
            }
        }
        polynomial
    };
    xs.iter().map(polynomial).collect()
}

impl Counts {
    /// What is wrong with them, or nothing; `None` if there are too few.
    fn judge(&self) -> Option<Result<(), Skew>> {
        let total: u64 = self.0.iter().sum();
        if total < BYTES_MIN {
            return None;
        }
        if let Some(value) = self.0.iter().position(|count| *count == 0) {
            return Some(Err(Skew::NeverOccurs { value, total }));
        }
        let expected = total as f64 / 256.0;
        let chi_square: f64 = self
            .0
            .iter()
            .map(|&count| (count as f64 - expected).powi(2) / expected)
            .sum();
        if chi_square > CHI_SQUARE_MAX {
            return Some(Err(Skew::ChiSquare {
                chi_square: chi_square.round_ties_even() as u64,
                total,
                max: CHI_SQUARE_MAX as u64,
            }));
        }
        Some(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use dske::crypto::secret::Secret;
    use dske::crypto::shamir::{Sharing, split};
    use dske::protocol::KeyId;
    use rand::rngs::ChaCha12Rng;
    use rand::{Rng, RngExt, SeedableRng};

    use super::super::super::testing::Scene;
    use super::*;

    /// Keys of 80 bytes with u, K = 3 of 5: their coefficients are drawn by `draw`, one for each degree.
    fn judge(keys: usize, mut draw: impl FnMut(&mut ChaCha12Rng) -> [u8; 2]) -> Verdict {
        let scene = Scene::new(|_| {});
        let seen = scene.see();
        let mut facts = Facts::new(&seen);
        let mut rng = ChaCha12Rng::seed_from_u64(5);
        for _ in 0..keys {
            let mut shares: BTreeMap<ShareIndex, Share> = scene
                .sharing
                .indices()
                .map(|x| {
                    let y = Secret::zeros(80);
                    (x, Share { x, y })
                })
                .collect();
            for at in 0..80 {
                let secret: u8 = rng.random();
                let [a, b] = draw(&mut rng);
                for share in shares.values_mut() {
                    let x = share.x.get();
                    share.y[at] = secret ^ mul(a, x) ^ mul(b, mul(x, x));
                }
            }
            facts.shares.insert(KeyId::random(&mut rng), shares);
        }
        let mut verdict = Verdict::default();
        check(&facts, &mut verdict);
        verdict
    }

    fn nonzero(rng: &mut ChaCha12Rng) -> u8 {
        rng.random_range(1..=255)
    }

    #[test]
    fn uniform_coefficients_are_right_for_every_degree() {
        let verdict = judge(400, |rng| rng.random());
        verdict.must_hold();
        assert_eq!(verdict.evaluated, 2);
    }

    #[test]
    fn the_value_zero_has_to_occur_in_every_degree() {
        judge(400, |rng| [nonzero(rng), rng.random()])
            .must_break("of degree 1 are not uniform: the value 0 never occurs among 32000 bytes");
        judge(400, |rng| [rng.random(), nonzero(rng)])
            .must_break("of degree 2 are not uniform: the value 0 never occurs");
    }

    #[test]
    fn values_that_occur_too_often_are_seen() {
        let biased = |rng: &mut ChaCha12Rng| {
            // The remainder of a larger range: half of the values twice as often.
            let value = rng.random_range(0..384_u32) % 256;
            [value as u8, rng.random()]
        };
        judge(400, biased).must_break("of degree 1 are not uniform: chi-square is");
    }

    #[test]
    fn few_bytes_say_nothing() {
        let verdict = judge(200, |_| [1, 1]);
        assert_eq!(verdict, Verdict::default());
    }

    #[test]
    fn what_the_production_code_draws_is_uniform() {
        let scene = Scene::new(|_| {});
        let seen = scene.see();
        let mut facts = Facts::new(&seen);
        let mut rng = ChaCha12Rng::seed_from_u64(6);
        let sharing = Sharing::new(3, 5).unwrap();
        for _ in 0..300 {
            let mut secret = [0; 80];
            rng.fill_bytes(&mut secret);
            let shares = split(&secret, sharing, &mut rng);
            let shares = shares.into_iter().map(|share| (share.x, share)).collect();
            facts.shares.insert(KeyId::random(&mut rng), shares);
        }
        let mut verdict = Verdict::default();
        check(&facts, &mut verdict);
        verdict.must_hold();
    }
}

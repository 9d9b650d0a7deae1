//! The polynomials that were drawn are uniform, each byte by itself and all of them together.
//!
//! The construction of another world shows that *some* polynomial gives the coalition's shares for another key, not
//! that the initiator could have drawn it. Were zero never drawn, as in RUSTSEC-2024-0398, each share would rule out
//! candidate keys. Were two coefficients the same, or the last one made of the secret, fewer than K shares would tell
//! the key. Were they the same for two keys, one share of each would tell the sum of both keys.
//!
//! So the polynomials of all keys of the run are recovered from their shares, and looked at by the crate `dske_uniform`,
//! which says what it sees, what it does not, and how unlikely a false alarm is: below 10⁻⁹ a run.
//!
//! Where the first K shares are PSRD, the secret and the coefficients are a bijective function of them, and the same has
//! to hold.

use std::collections::{BTreeMap, BTreeSet};

use dske::crypto::gf256::{combine, inv, mul};
use dske::crypto::shamir::{Share, ShareIndex, WINDOW_BYTES};
use dske::protocol::KeyId;
use dske_uniform::{Polynomials, judge};

use super::super::facts::SentDeposit;
use super::super::{Facts, Verdict, Violation};

/// Lagrange's polynomials for the x of some hubs.
type Bases = BTreeMap<Vec<ShareIndex>, Vec<Vec<u8>>>;

/// Bytes of a key that are looked at: more than coefficients are drawn for at a time. All of a key of 1 Mbit would take
/// longer than everything else in its run.
const KEY_BYTES_MAX: usize = WINDOW_BYTES + 512;

pub(super) fn check(facts: &Facts<'_>, verdict: &mut Verdict) {
    let judged = judge(&drawn(facts));
    verdict.evaluated += judged.evaluated - judged.found.len() as u64;
    for found in judged.found {
        verdict.expect(false, facts.seen.plan.end_ms * 1000, || {
            Violation::DependentDraws(found)
        });
    }
}

/// What was drawn for all keys of which K shares were sent, in the order of their calls, client by client.
fn drawn(facts: &Facts<'_>) -> Vec<Polynomials> {
    let threshold = usize::from(facts.seen.plan.cluster.threshold);
    // The same hubs hold shares of nearly all keys.
    let mut bases = Bases::new();
    let mut drawn = Vec::new();
    for (call, key_id) in in_order(facts) {
        let shares = facts.shares.get(&key_id);
        let points: Vec<&Share> = shares.into_iter().flat_map(BTreeMap::values).collect();
        if let Some(points) = points.get(..threshold) {
            drawn.push(Polynomials {
                key: key_id.to_string(),
                call,
                degrees: coefficients(points, &mut bases),
            });
        }
    }
    drawn
}

/// All keys, each with the number of the call that drew it: what is first seen in one deposit belongs to one call.
fn in_order(facts: &Facts<'_>) -> impl Iterator<Item = (u64, KeyId)> {
    let mut known = BTreeSet::new();
    let mut calls: BTreeMap<(usize, u64), Vec<KeyId>> = BTreeMap::new();
    for (SentDeposit { client, body, .. }, number) in facts.deposits.iter().zip(0..) {
        if facts.seen.plan.is_honest(*client) {
            let mut keys: Vec<KeyId> = body.keys.iter().map(|key| key.key_id).collect();
            keys.retain(|key_id| known.insert(*key_id));
            calls.insert((*client, number), keys);
        }
    }
    let calls = calls.into_iter();
    calls.flat_map(|((_, number), keys)| keys.into_iter().map(move |key_id| (number, key_id)))
}

/// The coefficients by degree of the polynomials through these points.
fn coefficients(points: &[&Share], bases: &mut Bases) -> Vec<Vec<u8>> {
    let xs: Vec<ShareIndex> = points.iter().map(|point| point.x).collect();
    let basis = bases.entry(xs).or_insert_with_key(|xs| basis(xs));
    // Shares of different lengths are another check's business.
    let length = points.iter().map(|point| point.y.len()).min();
    let length = length.unwrap_or(0).min(KEY_BYTES_MAX);
    let of_degree = |degree: usize| {
        let mut coefficients = vec![0; length];
        let weights = basis.iter().map(|polynomial| polynomial[degree]);
        let rows = points.iter().map(|point| &point.y[..length]);
        combine(&mut coefficients, rows.zip(weights));
        coefficients
    };
    (0..points.len()).map(of_degree).collect()
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

#[cfg(test)]
mod tests {
    use dske::crypto::secret::Secret;
    use dske::protocol::initiator::KeySource;

    use super::super::super::testing::Scene;
    use super::*;

    /// The calls that the PSRD of a scene suffices for, each for two keys.
    const CALLS: u32 = 90;

    /// Judges calls of which `change` has changed what was drawn for each key: it is given the coefficients by degree, and
    /// those of the key before.
    fn judge_calls(
        calls: u32,
        source: KeySource,
        change: impl Fn(&mut [Vec<u8>], &[Vec<u8>]),
    ) -> Verdict {
        let mut scene = Scene::new(|plan| plan.cluster.key_source = source);
        for id in 0..calls {
            scene.establish(id, 1_000 + 10 * u64::from(id));
        }
        let seen = scene.see();
        let mut facts = Facts::new(&seen);
        let keys: Vec<KeyId> = in_order(&facts).map(|(_, key_id)| key_id).collect();
        assert_eq!(keys.len(), 2 * calls as usize);
        let mut before = vec![Vec::new(); 3];
        for key_id in keys {
            let shares = facts.shares.get_mut(&key_id).unwrap();
            let points: Vec<&Share> = shares.values().take(3).collect();
            let mut degrees = coefficients(&points, &mut Bases::new());
            let unchanged = degrees.clone();
            change(&mut degrees, &before);
            before.clone_from(&degrees);
            for share in shares.values_mut() {
                let y = share_at(&degrees, share.x.get());
                assert_eq!(y == share.y, degrees == unchanged);
                share.y = y;
            }
        }
        let mut verdict = Verdict::default();
        check(&facts, &mut verdict);
        verdict
    }

    fn share_at(degrees: &[Vec<u8>], x: u8) -> Secret {
        let mut y = Secret::zeros(degrees[0].len());
        let powers = std::iter::successors(Some(1), |power| Some(mul(*power, x)));
        combine(&mut y, degrees.iter().map(Vec::as_slice).zip(powers));
        y
    }

    #[track_caller]
    fn must_see(calls: u32, why: &str, change: impl Fn(&mut [Vec<u8>], &[Vec<u8>])) {
        for source in [KeySource::Generator, KeySource::Psrd] {
            let broken = judge_calls(calls, source, &change).broken;
            let said = broken.iter().map(|broken| broken.violation.to_string());
            let said: Vec<String> = said.collect();
            assert!(said.iter().any(|said| said.contains(why)), "{said:?}");
        }
    }

    #[test]
    fn what_the_production_code_draws_is_uniform_together() {
        for source in [KeySource::Generator, KeySource::Psrd] {
            judge_calls(1, source, |_, _| {}).must_hold();
            let verdict = judge_calls(CALLS, source, |_, _| {});
            verdict.must_hold();
            assert!(verdict.evaluated > u64::from(CALLS));
        }
    }

    #[test]
    fn two_equal_degrees_are_seen_in_one_call() {
        must_see(
            1,
            "16 bytes were drawn twice: for degree 1",
            |degrees, _| {
                degrees[2] = degrees[1].clone();
            },
        );
    }

    #[test]
    fn a_coefficient_made_of_the_secret_is_seen_in_one_call() {
        let why = "bits of the polynomial of a byte depend on each other";
        must_see(1, why, |degrees, _| {
            degrees[2] = degrees[0].iter().map(|byte| mul(*byte, 9)).collect();
        });
        must_see(1, why, |degrees, _| {
            let sums = degrees[0].iter().zip(&degrees[1]).map(|(s, c)| s ^ c);
            degrees[2] = sums.collect();
        });
    }

    #[test]
    fn coefficients_made_of_those_of_the_key_before_are_seen() {
        must_see(1, "16 bytes were drawn twice", |degrees, before| {
            if !before[0].is_empty() {
                degrees[1..].clone_from_slice(&before[1..]);
            }
        });
        let why = "bits of two keys of a call depend on each other";
        must_see(3, why, |degrees, before| {
            if !before[0].is_empty() {
                degrees[1] = before[1].iter().map(|byte| mul(*byte, 3) ^ 7).collect();
            }
        });
    }
}

//! Locating wrong shares: error correction for generalised Reed–Solomon codes.
//!
//! M shares of a polynomial of degree below K are a codeword of such a code. The same random combination collapses all
//! bytes of each share into one byte, so that there is one word to decode instead of one for each byte. Decoding starts
//! from the *syndromes* of that word. They depend on the errors alone, never on the secret, so that branching on them
//! tells nothing.

use rand::CryptoRng;

use crate::crypto::gf256::{inv, mul};
use crate::crypto::secret::Secret;
use crate::crypto::shamir::Share;

/// Indices of wrong shares, if there are at most ⌊(M − K) / 2⌋; `None` if there are more than can be located.
pub(super) fn locate_wrong(
    shares: &[Share],
    threshold: usize,
    rng: &mut dyn CryptoRng,
) -> Option<Vec<usize>> {
    let syndromes = syndromes(&combine(shares, rng), shares, threshold);
    let locator = berlekamp_massey(&syndromes);
    let errors = locator.len() - 1;
    if errors == 0 || errors > syndromes.len() / 2 {
        return None;
    }
    // The roots of the locator are the inverses of the x of wrong shares.
    let is_root = |x: u8| evaluate(&locator, inv(x)) == 0;
    let xs = shares.iter().enumerate();
    let wrong: Vec<usize> = xs
        .filter(|(_, share)| is_root(share.x.get()))
        .map(|(index, _)| index)
        .collect();
    (wrong.len() == errors).then_some(wrong)
}

/// One byte of each share: the same random combination of all its bytes.
fn combine(shares: &[Share], rng: &mut dyn CryptoRng) -> Secret {
    let length = shares.first().map_or(0, |share| share.y.len());
    let mut weights = Secret::zeros(length);
    rng.fill_bytes(&mut weights);
    let combined = shares.iter().map(|share| {
        let products = share.y.iter().zip(weights.iter());
        products.fold(0, |sum, (&y, &weight)| sum ^ mul(y, weight))
    });
    Secret::from(combined.collect::<Vec<u8>>())
}

/// The M − K syndromes Σ vᵢ·zᵢ·xᵢˡ with vᵢ = Π 1/(xᵢ − xⱼ): zero for every codeword.
fn syndromes(word: &[u8], shares: &[Share], threshold: usize) -> Vec<u8> {
    let mut terms: Vec<(u8, u8)> = shares
        .iter()
        .zip(word)
        .map(|(share, &z)| {
            let x = share.x.get();
            let others = shares.iter().filter(|other| other.x != share.x);
            let v = others.fold(1, |v, other| mul(v, inv(x ^ other.x.get())));
            (x, mul(v, z))
        })
        .collect();
    let count = shares.len().saturating_sub(threshold);
    let syndromes = (0..count).map(|_| {
        let sum = terms.iter().fold(0, |sum, (_, term)| sum ^ term);
        for (x, term) in &mut terms {
            *term = mul(*term, *x);
        }
        sum
    });
    syndromes.collect()
}

/// The shortest linear recurrence that the syndromes obey: the error locator, lowest degree first, without
/// trailing zeros beyond its length.
fn berlekamp_massey(syndromes: &[u8]) -> Vec<u8> {
    let (mut locator, mut previous) = (vec![1], vec![1]);
    let (mut length, mut shift, mut last) = (0, 1, 1);
    for (n, _) in syndromes.iter().enumerate() {
        let history = syndromes.iter().take(n + 1).rev();
        let discrepancy = history
            .zip(locator.iter().take(length + 1))
            .fold(0, |sum, (s, c)| sum ^ mul(*s, *c));
        if discrepancy == 0 {
            shift += 1;
            continue;
        }
        let factor = mul(discrepancy, inv(last));
        let before = locator.clone();
        add_shifted(&mut locator, &previous, factor, shift);
        if 2 * length <= n {
            length = n + 1 - length;
            (previous, last, shift) = (before, discrepancy, 1);
        } else {
            shift += 1;
        }
    }
    locator.resize(length + 1, 0);
    locator
}

fn add_shifted(acc: &mut Vec<u8>, src: &[u8], factor: u8, shift: usize) {
    acc.resize(acc.len().max(src.len() + shift), 0);
    for (acc, src) in acc.iter_mut().skip(shift).zip(src) {
        *acc ^= mul(factor, *src);
    }
}

fn evaluate(polynomial: &[u8], at: u8) -> u8 {
    polynomial.iter().rev().fold(0, |sum, c| mul(sum, at) ^ c)
}

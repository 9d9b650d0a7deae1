//! Locating wrong shares: error correction for generalised Reed–Solomon codes.
//!
//! M points of a polynomial of degree below K are a codeword of such a code. The same random combination collapses all
//! bytes of each point into one byte, so that there is one word to decode instead of one for each byte. Decoding starts
//! from the *syndromes* of that word. They depend on the errors alone, never on the secret, so that branching on them
//! tells nothing.

use rand::CryptoRng;

use crate::crypto::gf256::{BLOCK_BYTES, combine, inv, mul};
use crate::crypto::secret::Secret;
use crate::crypto::shamir::Share;

/// A share, or the secret itself at x = 0.
#[derive(Clone, Copy)]
pub(super) struct Point<'a> {
    pub(super) x: u8,
    pub(super) y: &'a [u8],
}

impl<'a> From<&'a Share> for Point<'a> {
    fn from(share: &'a Share) -> Self {
        Self {
            x: share.x.get(),
            y: &share.y,
        }
    }
}

/// A wrong point escapes one combination of its bytes with a probability of at most 1/128, and four with 2^-28.
const COMBINATIONS: usize = 4;

/// Which points are wrong, in rounds: each combination of their bytes adds the points that it finds wrong. Where more than
/// ⌊(M − K) / 2⌋ are wrong there may be no round at all, or one that is mistaken. A point at x = 0 is never found wrong.
pub(super) fn locate_wrong<'a>(
    points: &'a [Point<'a>],
    threshold: usize,
    rng: &'a mut dyn CryptoRng,
) -> impl Iterator<Item = Vec<bool>> + use<'a> {
    let mut wrong = vec![false; points.len()];
    (0..COMBINATIONS).filter_map(move |_| {
        let located = locate_in(&collapse(points, rng), points, threshold)?;
        let mut is_new = false;
        for index in located {
            if let Some(wrong) = wrong.get_mut(index) {
                is_new |= !*wrong;
                *wrong = true;
            }
        }
        is_new.then(|| wrong.clone())
    })
}

/// Indices of wrong points, if there are at most ⌊(M − K) / 2⌋; `None` if there are more than can be located, or none.
fn locate_in(word: &[u8], points: &[Point<'_>], threshold: usize) -> Option<Vec<usize>> {
    let syndromes = syndromes(word, points, threshold);
    let locator = berlekamp_massey(&syndromes);
    let errors = locator.len() - 1;
    if errors == 0 || errors > syndromes.len() / 2 {
        return None;
    }
    // The roots of the locator are the inverses of the x of wrong points.
    let is_root = |x: u8| evaluate(&locator, inv(x)) == 0;
    let xs = points.iter().enumerate();
    let wrong: Vec<usize> = xs
        .filter(|(_, point)| is_root(point.x))
        .map(|(index, _)| index)
        .collect();
    (wrong.len() == errors).then_some(wrong)
}

/// One byte of each point: the same random combination of all its bytes. Whole blocks are first combined into one, since
/// there is a fast kernel for that. The weights are of no use to anyone once the shares have been chosen.
fn collapse(points: &[Point<'_>], rng: &mut dyn CryptoRng) -> Secret {
    let length = points.first().map_or(0, |point| point.y.len());
    let mut weights = |count: usize| {
        let mut weights = vec![0; count];
        rng.fill_bytes(&mut weights);
        weights
    };
    let of_blocks = weights(length / BLOCK_BYTES);
    let in_a_block = weights(BLOCK_BYTES);
    let in_the_rest = weights(length % BLOCK_BYTES);
    let mut sum = Secret::zeros(BLOCK_BYTES);
    let collapsed = points.iter().map(|point| {
        let blocks = point.y.chunks_exact(BLOCK_BYTES);
        let rest = product(blocks.remainder(), &in_the_rest);
        if of_blocks.is_empty() {
            return rest;
        }
        combine(&mut sum, blocks.zip(of_blocks.iter().copied()));
        rest ^ product(&sum, &in_a_block)
    });
    Secret::from(collapsed.collect::<Vec<u8>>())
}

fn product(bytes: &[u8], weights: &[u8]) -> u8 {
    let products = bytes.iter().zip(weights);
    products.fold(0, |sum, (&byte, &weight)| sum ^ mul(byte, weight))
}

/// The M − K syndromes Σ vᵢ·zᵢ·xᵢˡ with vᵢ = Π 1/(xᵢ − xⱼ): zero for every codeword.
fn syndromes(word: &[u8], points: &[Point<'_>], threshold: usize) -> Vec<u8> {
    let mut terms: Vec<(u8, u8)> = points
        .iter()
        .zip(word)
        .map(|(point, &z)| {
            let others = points.iter().filter(|other| other.x != point.x);
            let v = others.fold(1, |v, other| mul(v, inv(point.x ^ other.x)));
            (point.x, mul(v, z))
        })
        .collect();
    let count = points.len().saturating_sub(threshold);
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

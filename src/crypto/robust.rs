//! Recovering a secret from shares of which some are wrong, and naming those.
//!
//! The caller says whether a candidate is the secret, for example because a tag fits. With M shares and threshold K, in
//! this order:
//!
//! 1. the first K shares, in the hope that none is wrong;
//! 2. error correction, which locates up to ⌊(M − K) / 2⌋ wrong shares at once;
//! 3. search through subsets of K shares, within a budget.
//!
//! Knowing the secret is not yet knowing the polynomial: wrong shares may cancel each other at zero, where the secret is,
//! and nowhere else. Another polynomial through the secret meets the right one at K − 2 shares at most, besides zero. So
//! with fewer than K wrong shares, a polynomial on which 2K − 2 shares agree is the right one, and the shares off it are
//! wrong beyond doubt. Where fewer agree, the shares alone do not tell who is right, and nobody is named.

mod locate;
mod subsets;

use std::borrow::Borrow;
use std::iter;

use rand::CryptoRng;
use subtle::ConstantTimeEq;

use super::gf256::combine;
use super::secret::Secret;
use super::shamir::{LagrangeWeights, Share, ShareIndex, SharingError, check, interpolate};
use locate::locate_wrong;
use subsets::Subsets;

/// How many subsets of the shares may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchBudget {
    subsets_max: usize,
}

impl SearchBudget {
    /// At most this many subsets.
    #[must_use]
    pub fn new(subsets_max: usize) -> Self {
        Self { subsets_max }
    }
}

/// How the secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The first K shares were right.
    FirstShares,
    /// Wrong shares were located by error correction.
    ErrorCorrection,
    /// A subset of right shares was found by search.
    SubsetSearch,
}

/// Why no secret was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReconstructError {
    /// The shares do not go together, or are too few. The caller's fault.
    #[error(transparent)]
    Shares(#[from] SharingError),
    /// Nothing that was tried fits: too many shares are wrong, which is the fault of their holders, or the budget is too
    /// small.
    #[error("no {threshold} of {shares} shares fit, after {tried} attempts")]
    NoFit {
        /// Shares given.
        shares: usize,
        /// The threshold.
        threshold: u8,
        /// Candidates tried.
        tried: usize,
    },
}

/// A secret that fits, with the polynomial that it lies on.
pub struct Reconstruction {
    /// The secret.
    pub secret: Secret,
    /// The given shares that are not on the polynomial.
    pub off: Vec<ShareIndex>,
    /// The shares that are wrong beyond doubt, provided that fewer than K are wrong: all of those that are off, or none.
    pub culprits: Vec<ShareIndex>,
    /// How it was found.
    pub method: Method,
    /// The given shares that are on the polynomial. The first K of them determine it.
    on: Vec<ShareIndex>,
    threshold: usize,
}

impl Reconstruction {
    /// Compares the shares that have not been compared yet with the polynomial.
    fn judge(&mut self, shares: &[Share]) {
        let determine = self.on.iter().take(self.threshold);
        let points: Vec<&Share> = determine
            .filter_map(|x| shares.iter().find(|share| share.x == *x))
            .collect();
        for share in shares {
            if self.on.contains(&share.x) || self.off.contains(&share.x) {
                continue;
            }
            if are_on_one_polynomial(&points, share) {
                self.on.push(share.x);
            } else {
                self.off.push(share.x);
            }
        }
        self.culprits.clear();
        if self.on.len() >= agreement_needed(self.threshold) {
            self.culprits.clone_from(&self.off);
        }
    }
}

/// Whether a share is on the polynomial through the points, in constant time for its length: the value of the polynomial
/// at the share's x, and the share's own value, have to add up to zero.
fn are_on_one_polynomial(points: &[&Share], share: &Share) -> bool {
    if check(points) != Ok(share.y.len()) {
        return false;
    }
    let mut difference = Secret::zeros(share.y.len());
    let weights = LagrangeWeights::new(points, share.x.get());
    let expected = weights.rows(points);
    combine(&mut difference, expected.chain(iter::once((&*share.y, 1))));
    let bits = difference.iter().fold(0, |bits, byte| bits | byte);
    bits.ct_eq(&0).into()
}

/// How many shares have to agree on a polynomial through the secret so that those off it are wrong beyond doubt.
fn agreement_needed(threshold: usize) -> usize {
    threshold.max((2 * threshold).saturating_sub(2))
}

/// Names the shares that are wrong beyond doubt, once the secret is known. `found` may hold a wrong polynomial through the
/// secret. If the right one can be told, `found` is replaced by it.
///
/// `shares` are those in which the secret was found, and those that came since. Each is compared once, however often this
/// is called.
pub fn name_culprits(shares: &[Share], found: &mut Reconstruction, budget: SearchBudget) {
    let k = found.threshold;
    found.judge(shares);
    let settled = found.off.len() == found.culprits.len();
    if settled || shares.len() < agreement_needed(k) {
        return;
    }
    let secret = found.secret.clone();
    let fits = |candidate: &[u8]| candidate.ct_eq(&secret).into();
    let mut attempt = Attempt {
        shares,
        fits: &fits,
        tried: 0,
    };
    for subset in Subsets::new(shares.len(), k).take(budget.subsets_max) {
        let points: Vec<&Share> = subset.iter().filter_map(|&i| shares.get(i)).collect();
        if let Some(candidate) = attempt.candidate(&points, found.method)
            && !candidate.culprits.is_empty()
        {
            *found = candidate;
            return;
        }
    }
}

/// Finds the secret that `fits`.
///
/// # Errors
/// If the shares do not go together, or nothing fits within the budget.
pub fn reconstruct(
    shares: &[Share],
    threshold: u8,
    fits: &dyn Fn(&[u8]) -> bool,
    rng: &mut dyn CryptoRng,
    budget: SearchBudget,
) -> Result<Reconstruction, ReconstructError> {
    check(shares)?;
    let k = usize::from(threshold);
    let first = shares.get(..k).filter(|first| !first.is_empty());
    let first = first.ok_or(SharingError::TooFewShares {
        needed: threshold,
        got: shares.len(),
    })?;
    let mut attempt = Attempt {
        shares,
        fits,
        tried: 0,
    };
    if let Some(found) = attempt.candidate(first, Method::FirstShares) {
        return Ok(found);
    }
    if let Some(found) = attempt.correct_errors(k, rng) {
        return Ok(found);
    }
    for subset in Subsets::new(shares.len(), k)
        .skip(1)
        .take(budget.subsets_max)
    {
        let points: Vec<&Share> = subset.iter().filter_map(|&i| shares.get(i)).collect();
        if let Some(found) = attempt.candidate(&points, Method::SubsetSearch) {
            return Ok(found);
        }
    }
    Err(ReconstructError::NoFit {
        shares: shares.len(),
        threshold,
        tried: attempt.tried,
    })
}

struct Attempt<'a> {
    shares: &'a [Share],
    fits: &'a dyn Fn(&[u8]) -> bool,
    tried: usize,
}

impl Attempt<'_> {
    /// A wrong share escapes one combination of its bytes with probability 1/256, and four with 2^-32. After that there is
    /// still the search.
    const COMBINATIONS: usize = 4;

    fn correct_errors(&mut self, k: usize, rng: &mut dyn CryptoRng) -> Option<Reconstruction> {
        let mut wrong = vec![false; self.shares.len()];
        for _ in 0..Self::COMBINATIONS {
            for index in locate_wrong(self.shares, k, rng)? {
                if let Some(wrong) = wrong.get_mut(index) {
                    *wrong = true;
                }
            }
            let right = self.shares.iter().zip(&wrong).filter(|(_, wrong)| !**wrong);
            let right: Vec<&Share> = right.map(|(share, _)| share).take(k).collect();
            if right.len() < k {
                return None;
            }
            if let Some(found) = self.candidate(&right, Method::ErrorCorrection) {
                return Some(found);
            }
        }
        None
    }

    fn candidate(
        &mut self,
        points: &[impl Borrow<Share>],
        method: Method,
    ) -> Option<Reconstruction> {
        self.tried += 1;
        let secret = interpolate(points, 0).ok()?;
        if !(self.fits)(&secret) {
            return None;
        }
        let mut found = Reconstruction {
            secret,
            off: Vec::new(),
            culprits: Vec::new(),
            method,
            on: points.iter().map(|share| share.borrow().x).collect(),
            threshold: points.len(),
        };
        found.judge(self.shares);
        Some(found)
    }
}

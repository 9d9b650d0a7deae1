//! Recovering a secret from shares of which some are wrong, and naming those.
//!
//! The caller says whether a candidate is the secret, for example because a tag fits. With M shares and threshold K, in
//! this order:
//!
//! 1. K shares in the hope that none is wrong: the first ones, and those of suspects last;
//! 2. error correction, which locates up to ⌊(M − K) / 2⌋ wrong shares at once;
//! 3. search through subsets of K shares, within a budget.
//!
//! Shares may come in one by one: a [`Search`] tries nothing twice, so that after each further share only subsets with that
//! share are tried.
//!
//! Knowing the secret is not yet knowing the polynomial: wrong shares may cancel each other at zero, where the secret is,
//! and nowhere else. Another polynomial through the secret meets the right one at K − 2 shares at most, besides zero. So
//! with fewer than K wrong shares, a polynomial on which 2K − 2 shares agree is the right one, and the shares off it are
//! wrong beyond doubt. Where fewer agree, the shares alone do not tell who is right, and nobody is named. The right
//! polynomial is not searched for. The secret is one more point of it, and a right one: with this point, error correction
//! locates all wrong shares wherever 2K − 2 right ones agree and fewer than K are wrong.
//!
//! | file | what it holds |
//! |---|---|
//! | `search` | the three steps, for shares that come in one by one |
//! | `locate` | error correction |
//! | `subsets` | the subsets of a set |
//! | `budget` | what searching may cost |

mod budget;
mod locate;
mod search;
mod subsets;

use std::borrow::Borrow;
use std::iter;

use rand::CryptoRng;
use subtle::ConstantTimeEq;

use super::gf256::combine;
use super::secret::Secret;
use super::shamir::{LagrangeWeights, Share, ShareIndex, SharingError, check, interpolate};
pub use budget::{SearchBudget, Work};
use locate::{Point, locate_wrong};
pub use search::{Search, Step};

/// How the secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The first K shares were right.
    FirstShares,
    /// Wrong shares were located by error correction.
    ErrorCorrection,
    /// The shares of suspects were left out.
    WithoutSuspects,
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
    /// The secret that the points lead to, if it fits.
    fn try_points(
        points: &[impl Borrow<Share>],
        fits: &dyn Fn(&[u8]) -> bool,
        method: Method,
    ) -> Option<Self> {
        let secret = interpolate(points, 0).ok().filter(|secret| fits(secret))?;
        Some(Self {
            secret,
            off: Vec::new(),
            culprits: Vec::new(),
            method,
            on: points.iter().map(|share| share.borrow().x).collect(),
            threshold: points.len(),
        })
    }

    /// The number of shares that are on the polynomial.
    #[must_use]
    pub fn agreeing(&self) -> usize {
        self.on.len()
    }

    /// Whether nothing more can be said: no share is off the polynomial, or those that are off are wrong beyond doubt.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.off.len() == self.culprits.len()
    }

    /// Compares the shares that have not been compared yet with the polynomial: each once, however often this is called.
    pub fn compare(&mut self, shares: &[impl Borrow<Share>]) {
        let determine = self.on.iter().take(self.threshold);
        let points: Vec<&Share> = determine
            .filter_map(|x| {
                shares
                    .iter()
                    .map(Borrow::borrow)
                    .find(|share| share.x == *x)
            })
            .collect();
        for share in shares.iter().map(Borrow::borrow) {
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
/// `shares` are those in which the secret was found, and those that came since.
pub fn name_culprits(shares: &[Share], found: &mut Reconstruction, rng: &mut dyn CryptoRng) {
    found.compare(shares);
    let k = found.threshold;
    if found.is_settled() || shares.len() < agreement_needed(k) || check(shares).is_err() {
        return;
    }
    let secret = found.secret.clone();
    let known = Point { x: 0, y: &secret };
    let points: Vec<Point<'_>> = iter::once(known)
        .chain(shares.iter().map(Point::from))
        .collect();
    let fits = |candidate: &[u8]| candidate.ct_eq(&secret).into();
    for wrong in locate_wrong(&points, k, rng) {
        let right = shares.iter().zip(wrong.iter().skip(1));
        let right = right.filter(|(_, wrong)| !**wrong).map(|(share, _)| share);
        let right: Vec<&Share> = right.take(k).collect();
        let candidate = Reconstruction::try_points(&right, &fits, found.method);
        if let Some(mut candidate) = candidate.filter(|_| right.len() == k) {
            candidate.compare(shares);
            if !candidate.culprits.is_empty() {
                *found = candidate;
                return;
            }
        }
    }
}

/// Finds the secret that `fits`, in shares that are all there. Only the subset search is limited by the budget.
///
/// # Errors
/// If the shares do not go together, or nothing fits within the budget.
pub fn reconstruct(
    shares: &[Share],
    threshold: u8,
    fits: &dyn Fn(&[u8]) -> bool,
    rng: &mut dyn CryptoRng,
    budget: &mut SearchBudget,
) -> Result<Reconstruction, ReconstructError> {
    check(shares)?;
    if threshold == 0 || shares.len() < usize::from(threshold) {
        return Err(ReconstructError::Shares(SharingError::TooFewShares {
            needed: threshold,
            got: shares.len(),
        }));
    }
    let mut search = Search::new(threshold);
    let mut tried = 0;
    loop {
        match search.step(shares, &|_| false, fits, rng, Some(budget)) {
            Step::Found(found) => return Ok(found),
            Step::Missed => tried += 1,
            Step::Idle => {
                return Err(ReconstructError::NoFit {
                    shares: shares.len(),
                    threshold,
                    tried,
                });
            }
        }
    }
}

//! Shamir's secret sharing (Shamir, "How to share a secret", 1979), byte by byte over GF(2^8).

use std::borrow::Borrow;
use std::fmt;
use std::iter;
use std::num::NonZeroU8;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::harness::{Canary, canary};

use super::gf256::public::{powers, product_of_quotients};
use super::gf256::{BLOCK_BYTES, combine};
use super::secret::Secret;

/// The x coordinate of a share: 1 to 255, fixed for each holder. The secret is at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShareIndex(NonZeroU8);

impl ShareIndex {
    /// An index, unless it is zero.
    #[must_use]
    pub const fn new(x: u8) -> Option<Self> {
        match NonZeroU8::new(x) {
            Some(x) => Some(Self(x)),
            None => None,
        }
    }

    const MAX: u8 = u8::MAX;

    /// The index as a number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for ShareIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Parameters or shares that cannot be. The fault lies with whoever chose the parameters or collected the shares: which
/// share of several is wrong, this cannot tell (see [`robust`](super::robust)).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharingError {
    /// The threshold is outside 1 to N, or is 1 without having been asked for.
    #[error(
        "the threshold must be {min} to the number of shares, which is {shares}; it is {threshold}"
    )]
    Threshold {
        /// The threshold asked for.
        threshold: u8,
        /// Smallest threshold allowed.
        min: u8,
        /// The number of shares.
        shares: u8,
    },
    /// There are fewer shares than the threshold.
    #[error("{needed} shares are needed, there are {got}")]
    TooFewShares {
        /// Shares needed.
        needed: u8,
        /// Shares there are.
        got: usize,
    },
    /// Two shares have the same x.
    #[error("two shares have x = {0}")]
    SameIndex(ShareIndex),
    /// A share is not as long as the others.
    #[error("the share at x = {0} is not as long as the others")]
    Length(ShareIndex),
}

/// How many shares there are (N), and how many of them are needed (K).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    threshold: u8,
    shares: u8,
}

impl Sharing {
    /// 2 ≤ K ≤ N.
    ///
    /// # Errors
    /// [`SharingError::Threshold`].
    pub fn new(threshold: u8, shares: u8) -> Result<Self, SharingError> {
        Self::checked(threshold, 2, shares)
    }

    /// 1 ≤ K ≤ N. With K = 1 each share *is* the secret.
    ///
    /// # Errors
    /// [`SharingError::Threshold`].
    pub fn allowing_single(threshold: u8, shares: u8) -> Result<Self, SharingError> {
        Self::checked(threshold, 1, shares)
    }

    fn checked(threshold: u8, min: u8, shares: u8) -> Result<Self, SharingError> {
        if (min..=shares).contains(&threshold) {
            Ok(Self { threshold, shares })
        } else {
            Err(SharingError::Threshold {
                threshold,
                min,
                shares,
            })
        }
    }

    /// Shares needed (K).
    #[must_use]
    pub fn threshold(self) -> u8 {
        self.threshold
    }

    /// Shares there are (N).
    #[must_use]
    pub fn shares(self) -> u8 {
        self.shares
    }

    /// The x coordinates: 1 to N.
    pub fn indices(self) -> impl Iterator<Item = ShareIndex> {
        (1..=self.shares).filter_map(ShareIndex::new)
    }
}

/// One share: a point of the polynomial for each byte of the secret.
#[derive(Clone)]
pub struct Share {
    /// The x coordinate, public.
    pub x: ShareIndex,
    /// The y coordinates, one for each byte of the secret.
    pub y: Secret,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share(x = {}, <redacted>)", self.x)
    }
}

/// How many bytes of a secret are split at a time. What belongs to them stays in the processor's first cache, and the
/// memory for coefficients is bounded.
pub const WINDOW_BYTES: usize = 4_096;

// Whole blocks of every kernel: only the last window has a rest.
const _: () = assert!(WINDOW_BYTES.is_multiple_of(BLOCK_BYTES));

/// Splits a secret into N shares of its own length.
///
/// The coefficients are uniform over all 256 values. If zero were left out, as in `sharks` 0.5.0, each share would rule
/// out candidate secrets (RUSTSEC-2024-0398). They are drawn for one window of [`WINDOW_BYTES`] after the other, each by
/// one `fill_bytes` of (K − 1) · length bytes: first the coefficients of degree 1 for all bytes of the window, then those
/// of degree 2, and so on.
#[must_use]
pub fn split(secret: &[u8], sharing: Sharing, rng: &mut dyn CryptoRng) -> Vec<Share> {
    let degrees = usize::from(sharing.threshold) - 1;
    let window_bytes = secret.len().min(WINDOW_BYTES);
    let mut drawn = Secret::zeros(degrees * window_bytes);
    let mut sum = Secret::zeros(window_bytes);
    let begin = |x| (x, Vec::with_capacity(secret.len())); // exact: growing would leave copies behind
    let mut shares: Vec<(ShareIndex, Vec<u8>)> = sharing.indices().map(begin).collect();
    for secret in secret.chunks(WINDOW_BYTES) {
        let coefficients = drawn.get_mut(..degrees * secret.len()).unwrap_or_default();
        rng.fill_bytes(coefficients);
        if canary(Canary::CoefficientsWithoutZero) {
            let zeros = coefficients.iter_mut().filter(|c| **c == 0);
            zeros.for_each(|c| *c = 1);
        }
        draw_badly(coefficients, secret);
        let rows = iter::once(secret).chain(coefficients.chunks_exact(secret.len()));
        for (x, y) in &mut shares {
            // Summed here, where it is cached, and copied to its place, so that the memory there is written just once.
            let sum = sum.get_mut(..secret.len()).unwrap_or_default();
            combine(sum, rows.clone().zip(powers(x.get())));
            y.extend_from_slice(sum);
        }
    }
    let shares = shares.into_iter().map(|(x, y)| Share { x, y: y.into() });
    shares.collect()
}

/// Canaries: makes the last coefficients depend on the others, or on the secret.
fn draw_badly(coefficients: &mut [u8], secret: &[u8]) {
    let Some(before_last) = coefficients.len().checked_sub(secret.len()) else {
        return;
    };
    let (others, last) = coefficients.split_at_mut(before_last);
    if canary(Canary::EqualCoefficients)
        && let Some(first) = others.get(..secret.len())
    {
        last.copy_from_slice(first);
    }
    if canary(Canary::SecretInCoefficient) {
        combine(last, iter::once((secret, 29)));
    }
    if canary(Canary::CoefficientsAddUp) {
        let rows = others.chunks_exact(secret.len()).chain(iter::once(secret));
        combine(last, rows.map(|row| (row, 1)));
    }
}

/// The secret and all N shares of the sharing whose first K shares are given.
///
/// No randomness is drawn. If one of the K given shares is uniform and independent of the others, so is the secret.
///
/// # Errors
/// If fewer than K are given, or they do not go together.
pub fn complete(given: &[Share], sharing: Sharing) -> Result<(Secret, Vec<Share>), SharingError> {
    let points = first(given, sharing.threshold)?;
    let secret = interpolate(points, 0)?;
    let shares = sharing.indices().map(|x| {
        let y = interpolate(points, x.get())?;
        Ok(Share { x, y })
    });
    Ok((secret, shares.collect::<Result<_, SharingError>>()?))
}

/// The secret, from at least `threshold` shares. The first ones are used and have to be right: a wrong share gives a
/// wrong secret, and no error (see [`robust`](super::robust)).
///
/// # Errors
/// If there are too few, or they do not go together.
pub fn recover(shares: &[Share], threshold: u8) -> Result<Secret, SharingError> {
    interpolate(first(shares, threshold)?, 0)
}

fn first(shares: &[Share], threshold: u8) -> Result<&[Share], SharingError> {
    let first = shares.get(..usize::from(threshold));
    first.ok_or(SharingError::TooFewShares {
        needed: threshold,
        got: shares.len(),
    })
}

/// The value at `at` of the polynomial of least degree through the points. With K right shares or more, the value at zero
/// is the secret; with fewer it is unrelated to the secret, and there is no error: [`recover`] knows K.
///
/// # Errors
/// If there is no point, or the points do not go together.
pub fn interpolate(points: &[impl Borrow<Share>], at: u8) -> Result<Secret, SharingError> {
    let mut value = Secret::zeros(check(points)?);
    let weights = LagrangeWeights::new(points, at);
    combine(&mut value, weights.rows(points));
    Ok(value)
}

/// The common length of points that go together.
pub(super) fn check(points: &[impl Borrow<Share>]) -> Result<usize, SharingError> {
    let first: &Share = points
        .first()
        .ok_or(SharingError::TooFewShares { needed: 1, got: 0 })?
        .borrow();
    let mut seen = [0_u64; 4];
    for Share { x, y } in points.iter().map(Borrow::borrow) {
        if y.len() != first.y.len() {
            return Err(SharingError::Length(*x));
        }
        let (word, bit) = (usize::from(x.get() / 64), 1 << (x.get() % 64));
        if let Some(seen) = seen.get_mut(word) {
            if *seen & bit != 0 {
                return Err(SharingError::SameIndex(*x));
            }
            *seen |= bit;
        }
    }
    Ok(first.y.len())
}

/// The Lagrange basis polynomials of the points' x, evaluated at one place. They depend on public coordinates only.
pub(super) struct LagrangeWeights([u8; ShareIndex::MAX as usize]);

impl LagrangeWeights {
    /// The weights of points that go together.
    pub(super) fn new(points: &[impl Borrow<Share>], at: u8) -> Self {
        let xs = || points.iter().map(|point| point.borrow().x);
        let mut weights = [0; _];
        for (weight, x) in weights.iter_mut().zip(xs()) {
            let others = xs().filter(|other| *other != x);
            *weight =
                product_of_quotients(others.map(|other| (at ^ other.get(), x.get() ^ other.get())));
        }
        Self(weights)
    }

    /// Each point's bytes with its weight.
    pub(super) fn rows<'a>(
        &self,
        points: &'a [impl Borrow<Share>],
    ) -> impl Iterator<Item = (&'a [u8], u8)> + Clone {
        let rows = points.iter().map(|point| &*point.borrow().y);
        rows.zip(self.0.iter().copied())
    }
}

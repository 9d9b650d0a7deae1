//! Shamir's secret sharing (Shamir, "How to share a secret", 1979), byte by byte over GF(2^8).

use std::fmt;
use std::num::NonZeroU8;
use std::ops::Range;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::harness::{Canary, canary};

use super::gf256::{inv, mul, mul_add_slice};

/// The x coordinate of a share: 1 to 255, fixed for each holder. At zero stands the secret.
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

/// Parameters or shares that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// The shares are not all of one length.
    #[error("the shares are of different lengths")]
    Lengths,
}

/// How many shares there are (N), and how many are needed (K).
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

    /// 1 ≤ K ≤ N. With K = 1 every share *is* the secret.
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
    pub y: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share(x = {}, <redacted>)", self.x)
    }
}

/// Splits a secret into N shares of its own length.
///
/// The coefficients are uniform over all 256 values: were zero left out, as in `sharks` 0.5.0, each share would rule
/// out candidate secrets (RUSTSEC-2024-0398). They are drawn by one `fill_bytes` of (K − 1) · length bytes: first
/// those of degree 1 for all bytes of the secret, then those of degree 2, and so on.
#[must_use]
pub fn split(secret: &[u8], sharing: Sharing, rng: &mut dyn CryptoRng) -> Vec<Share> {
    let degrees = usize::from(sharing.threshold) - 1;
    let mut coefficients = Zeroizing::new(vec![0; degrees * secret.len()]);
    rng.fill_bytes(&mut coefficients);
    if canary(Canary::CoefficientsWithoutZero) {
        let zeros = coefficients.iter_mut().filter(|c| **c == 0);
        zeros.for_each(|c| *c = 1);
    }
    let mut shares: Vec<Share> = sharing
        .indices()
        .map(|x| Share {
            x,
            y: Zeroizing::new(secret.to_vec()),
        })
        .collect();
    for window in windows(secret.len()) {
        for Share { x, y } in &mut shares {
            let mut power = 1;
            for coefficients in coefficients.chunks_exact(secret.len().max(1)) {
                power = mul(power, x.get());
                add_in(window.clone(), y, coefficients, power);
            }
        }
    }
    shares
}

/// Long secrets are worked through in pieces of which all rows stay in the processor's first cache.
fn windows(length: usize) -> impl Iterator<Item = Range<usize>> {
    const WINDOW_BYTES: usize = 2_048;
    let starts = (0..length).step_by(WINDOW_BYTES);
    starts.map(move |start| start..length.min(start + WINDOW_BYTES))
}

/// `acc += scalar · row`, in one window.
fn add_in(window: Range<usize>, acc: &mut [u8], row: &[u8], scalar: u8) {
    if let (Some(acc), Some(row)) = (acc.get_mut(window.clone()), row.get(window)) {
        mul_add_slice(acc, row, scalar);
    }
}

/// The sharing of which the first K shares are given: its secret, and all N shares.
///
/// Nothing is drawn. Where one of the K given shares is uniform and independent of the others, so is the secret.
///
/// # Errors
/// If fewer than K are given, or they do not go together.
pub fn complete(
    given: &[Share],
    sharing: Sharing,
) -> Result<(Zeroizing<Vec<u8>>, Vec<Share>), SharingError> {
    let secret = recover(given, sharing.threshold)?;
    let points: Vec<&Share> = given.iter().take(sharing.threshold.into()).collect();
    let shares = sharing.indices().map(|x| {
        let y = interpolate(&points, x.get())?;
        Ok(Share { x, y })
    });
    Ok((secret, shares.collect::<Result<_, SharingError>>()?))
}

/// The secret of which at least `threshold` correct shares are given: the first ones are used.
///
/// # Errors
/// If there are too few, or they do not go together.
pub fn recover(shares: &[Share], threshold: u8) -> Result<Zeroizing<Vec<u8>>, SharingError> {
    let first = shares.get(..usize::from(threshold));
    let first = first.ok_or(SharingError::TooFewShares {
        needed: threshold,
        got: shares.len(),
    })?;
    interpolate(&first.iter().collect::<Vec<_>>(), 0)
}

/// The value at `at` of the polynomial of least degree through the points. At zero it is the secret.
///
/// # Errors
/// If there is no point, or they do not go together.
pub fn interpolate(points: &[&Share], at: u8) -> Result<Zeroizing<Vec<u8>>, SharingError> {
    let length = check(points)?;
    let mut value = Zeroizing::new(vec![0; length]);
    let weights: Vec<u8> = lagrange_weights(points, at).collect();
    for window in windows(length) {
        for (point, weight) in points.iter().zip(&weights) {
            add_in(window.clone(), &mut value, &point.y, *weight);
        }
    }
    Ok(value)
}

/// The common length of points that go together.
pub(super) fn check(points: &[&Share]) -> Result<usize, SharingError> {
    let first = points
        .first()
        .ok_or(SharingError::TooFewShares { needed: 1, got: 0 })?;
    if points.iter().any(|point| point.y.len() != first.y.len()) {
        return Err(SharingError::Lengths);
    }
    let mut seen = [false; 256];
    for point in points {
        if let Some(seen) = seen.get_mut(usize::from(point.x.get()))
            && std::mem::replace(seen, true)
        {
            return Err(SharingError::SameIndex(point.x));
        }
    }
    Ok(first.y.len())
}

/// The Lagrange basis polynomials of the points' x, at `at`. Depends on public coordinates only.
fn lagrange_weights(points: &[&Share], at: u8) -> impl Iterator<Item = u8> {
    points.iter().map(move |point| {
        let others = points.iter().filter(|other| other.x != point.x);
        others.fold(1, |weight, other| {
            let (x, other) = (point.x.get(), other.x.get());
            mul(weight, mul(at ^ other, inv(x ^ other)))
        })
    })
}

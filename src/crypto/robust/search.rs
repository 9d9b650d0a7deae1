//! Looking for the secret in shares that come in one by one.

use std::borrow::Borrow;

use rand::CryptoRng;

use crate::crypto::shamir::{Share, ShareIndex, check};

use super::budget::SearchBudget;
use super::locate::{Point, locate_wrong};
use super::subsets::Subsets;
use super::{Method, Reconstruction};

/// What has been tried of the shares that have come in so far.
pub struct Search {
    k: usize,
    /// The K shares that were taken in the hope that none is wrong.
    hoped: Vec<usize>,
    /// Wrong shares that error correction could have located when it was last tried.
    located: usize,
    /// Of so many shares all subsets have been tried, but for those in `subsets`.
    searched: usize,
    /// What is left of the subsets that have the last of these shares. It is left out of each.
    subsets: Option<Subsets>,
}

/// What came of a step.
pub enum Step {
    /// A secret fits.
    Found(Reconstruction),
    /// What was tried does not fit.
    Missed,
    /// There is nothing to try until more is known.
    Idle,
}

impl Search {
    /// Nothing has been tried yet.
    #[must_use]
    pub fn new(threshold: u8) -> Self {
        Self {
            k: threshold.into(),
            hoped: Vec::new(),
            located: 0,
            searched: 0,
            subsets: None,
        }
    }

    /// Tries what is most promising: one candidate, but for the few of error correction.
    ///
    /// `shares` are those of the steps before, in the same order, and others behind them. Shares of suspects are believed
    /// last. Without a budget no subsets are searched; nothing else is limited by it.
    pub fn step(
        &mut self,
        shares: &[impl Borrow<Share>],
        is_suspect: &dyn Fn(ShareIndex) -> bool,
        fits: &dyn Fn(&[u8]) -> bool,
        rng: &mut dyn CryptoRng,
        budget: Option<&mut SearchBudget>,
    ) -> Step {
        if self.k == 0 || shares.len() < self.k || check(shares).is_err() {
            return Step::Idle;
        }
        let looked = Looked { shares, fits };
        self.hope(&looked, is_suspect)
            .or_else(|| self.correct_errors(&looked, rng))
            .or_else(|| self.try_subset(&looked, budget?))
            .unwrap_or(Step::Idle)
    }

    /// K shares of which none may be wrong.
    fn hope<S: Borrow<Share>>(
        &mut self,
        looked: &Looked<'_, S>,
        is_suspect: &dyn Fn(ShareIndex) -> bool,
    ) -> Option<Step> {
        let (suspects, others): (Vec<usize>, Vec<usize>) =
            (0..looked.shares.len()).partition(|&index| looked.x(index).is_some_and(is_suspect));
        let mut hoped: Vec<usize> = others.into_iter().chain(suspects).take(self.k).collect();
        hoped.sort_unstable();
        if hoped == self.hoped {
            return None;
        }
        let are_first = hoped.last().is_some_and(|last| last + 1 == self.k);
        let method = if are_first {
            Method::FirstShares
        } else {
            Method::WithoutSuspects
        };
        self.hoped = hoped;
        Some(looked.at(&self.hoped, method))
    }

    /// Error correction, each time it could locate one share more.
    fn correct_errors<S: Borrow<Share>>(
        &mut self,
        looked: &Looked<'_, S>,
        rng: &mut dyn CryptoRng,
    ) -> Option<Step> {
        let can_locate = (looked.shares.len() - self.k) / 2;
        if can_locate <= self.located {
            return None;
        }
        self.located = can_locate;
        let shares = looked.shares.iter().map(Borrow::borrow);
        let points: Vec<Point<'_>> = shares.map(Point::from).collect();
        for wrong in locate_wrong(&points, self.k, rng) {
            let right = wrong.iter().enumerate().filter(|(_, wrong)| !**wrong);
            let right: Vec<usize> = right.map(|(index, _)| index).take(self.k).collect();
            if right.len() == self.k
                && let found @ Step::Found(_) = looked.at(&right, Method::ErrorCorrection)
            {
                return Some(found);
            }
        }
        Some(Step::Missed)
    }

    /// The next subset, if the budget allows it.
    fn try_subset<S: Borrow<Share>>(
        &mut self,
        looked: &Looked<'_, S>,
        budget: &mut SearchBudget,
    ) -> Option<Step> {
        let subset = loop {
            if let Some(mut subset) = self.subsets.as_mut().and_then(Iterator::next) {
                subset.push(self.searched - 1);
                // Shares that were hoped for are one of the subsets.
                if subset != self.hoped {
                    break subset;
                }
            } else if self.searched < looked.shares.len() {
                self.subsets = Some(Subsets::new(self.searched, self.k - 1));
                self.searched += 1;
            } else {
                return None;
            }
        };
        let length = looked
            .shares
            .first()
            .map_or(0, |share| share.borrow().y.len());
        if !budget.take(self.k * length) {
            // No budget ever grows: what is passed over here would be passed over for good.
            return None;
        }
        Some(looked.at(&subset, Method::SubsetSearch))
    }
}

/// The shares at hand, and how to tell the secret.
struct Looked<'a, S> {
    shares: &'a [S],
    fits: &'a dyn Fn(&[u8]) -> bool,
}

impl<S: Borrow<Share>> Looked<'_, S> {
    fn x(&self, index: usize) -> Option<ShareIndex> {
        self.shares.get(index).map(|share| share.borrow().x)
    }

    /// Tries the secret that these shares lead to.
    fn at(&self, indices: &[usize], method: Method) -> Step {
        let points = indices.iter().filter_map(|&index| self.shares.get(index));
        let points: Vec<&Share> = points.map(Borrow::borrow).collect();
        match Reconstruction::try_points(&points, self.fits, method) {
            Some(mut found) => {
                found.compare(self.shares);
                Step::Found(found)
            }
            None => Step::Missed,
        }
    }
}

//! Counts the hubs that have done their part: K suffice, and the others are waited for a little longer.
//!
//! A hub is *late* if it kept an earlier call waiting in vain. Each hub moves from silent to done or failed.
//!
//! | hubs | time | [`Quorum::progress`] |
//! |---|---|---|
//! | K are done, and all others have answered or are late | any | done |
//! | K are done, and others are silent | before the end of the grace period and the deadline | wait until then |
//! | K are done, and others are silent | later | done |
//! | fewer than K are done, and enough are silent | before the deadline | wait until then |
//! | fewer than K are done, and enough are silent | later | failed |
//! | fewer than K are done, and too few are silent | any | failed |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::crypto::shamir::{ShareIndex, Sharing};
use crate::harness::{Canary, Mark, canary, reached};
use crate::protocol::reasons::Reasons;

use super::progress::{EstablishError, Patience, Progress};

/// The answers of the hubs in one call.
pub(super) struct Quorum {
    sharing: Sharing,
    patience: Patience,
    outcomes: BTreeMap<ShareIndex, Result<(), String>>,
    /// When K hubs had done their part.
    threshold_reached: Option<Duration>,
    /// Late hubs. They are not waited for once K have done their part.
    pub(super) late: BTreeSet<ShareIndex>,
}

impl Quorum {
    pub(super) fn new(sharing: Sharing, patience: Patience) -> Self {
        Self {
            sharing,
            patience,
            outcomes: BTreeMap::new(),
            threshold_reached: None,
            late: BTreeSet::new(),
        }
    }

    /// A hub has answered: it has done its part, or says why not.
    pub(super) fn on_outcome(&mut self, now: Duration, x: ShareIndex, outcome: Result<(), String>) {
        self.outcomes.insert(x, outcome);
        if self.threshold_reached.is_none() && self.done() >= usize::from(self.sharing.threshold())
        {
            self.threshold_reached = Some(now);
        }
    }

    /// A hub could not be made to answer.
    pub(super) fn on_failure(&mut self, x: ShareIndex, reason: String) {
        if canary(Canary::TimeoutIsStored) {
            return self.on_outcome(Duration::ZERO, x, Ok(()));
        }
        self.outcomes.insert(x, Err(reason));
    }

    pub(super) fn progress(&self, now: Duration) -> Progress<(), EstablishError> {
        match self.threshold_reached {
            Some(since) => self.progress_with_k(since, now),
            None => self.progress_without_k(now),
        }
    }

    fn progress_with_k(&self, since: Duration, now: Duration) -> Progress<(), EstablishError> {
        let until = (since + self.patience.grace).min(self.patience.deadline);
        let is_missing = self.missing().next().is_some() && !canary(Canary::GraceForgotten);
        if is_missing && now < until {
            return Progress::WaitUntil(until);
        }
        if is_missing {
            reached(Mark::GraceOver);
        } else if !self.all_have_answered() {
            reached(Mark::LateHubLeftOut);
        }
        Progress::Done(())
    }

    fn progress_without_k(&self, now: Duration) -> Progress<(), EstablishError> {
        let failed = self.outcomes.len() - self.done();
        let left = usize::from(self.sharing.shares()) - failed;
        let hopeless = left < usize::from(self.sharing.threshold());
        if self.all_have_answered() || hopeless || now >= self.patience.deadline {
            Progress::Failed(self.error())
        } else {
            Progress::WaitUntil(self.patience.deadline)
        }
    }

    fn all_have_answered(&self) -> bool {
        self.outcomes.len() == usize::from(self.sharing.shares())
    }

    /// Whether just K of more hubs have done their part, so that none of them can be spared.
    pub(super) fn is_bare(&self) -> bool {
        let threshold = self.sharing.threshold();
        self.done() == usize::from(threshold) && threshold < self.sharing.shares()
    }

    /// All hubs.
    pub(super) fn hubs(&self) -> impl Iterator<Item = ShareIndex> + use<> {
        self.sharing.indices()
    }

    /// The silent hubs, except for late ones.
    pub(super) fn missing(&self) -> impl Iterator<Item = ShareIndex> {
        let silent = |x: &ShareIndex| !self.outcomes.contains_key(x) && !self.late.contains(x);
        self.sharing.indices().filter(silent)
    }

    fn done(&self) -> usize {
        self.outcomes.values().filter(|o| o.is_ok()).count()
    }

    fn error(&self) -> EstablishError {
        EstablishError {
            stored: self.done(),
            hubs: self.sharing.shares(),
            threshold: self.sharing.threshold(),
            reasons: Reasons::of(self.sharing, &self.outcomes),
        }
    }
}

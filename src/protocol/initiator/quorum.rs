//! Counting hubs that have done their part: K suffice, and the others are waited for a little longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::crypto::shamir::{ShareIndex, Sharing};
use crate::harness::{Canary, Mark, canary, reached};

use super::super::reasons::Reasons;
use super::{EstablishError, Patience, Progress};

/// It is over as soon as every hub has answered, or K have done their part and all others have answered that are not
/// known to be late or the grace period is over, or K cannot be reached any more, or the deadline has come.
pub(super) struct Quorum {
    sharing: Sharing,
    patience: Patience,
    outcomes: BTreeMap<ShareIndex, Result<(), String>>,
    threshold_reached: Option<Duration>,
    /// Hubs that are not waited for once K have done their part.
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
        let hubs = usize::from(self.sharing.shares());
        let all_answered = self.outcomes.len() == hubs;
        match self.threshold_reached {
            Some(since) => {
                let until = (since + self.patience.grace).min(self.patience.deadline);
                let none_missing = self.missing().next().is_none();
                if none_missing || now >= until {
                    if !none_missing {
                        reached(Mark::GraceOver);
                    } else if !all_answered {
                        reached(Mark::LateHubLeftOut);
                    }
                    Progress::Done(())
                } else {
                    Progress::WaitUntil(until)
                }
            }
            None => {
                let failed = self.outcomes.len() - self.done();
                let hopeless = hubs - failed < usize::from(self.sharing.threshold());
                if all_answered || hopeless || now >= self.patience.deadline {
                    Progress::Failed(self.error())
                } else {
                    Progress::WaitUntil(self.patience.deadline)
                }
            }
        }
    }

    /// Whether no hub could be spared of those that have done their part, and there are others.
    pub(super) fn is_bare(&self) -> bool {
        let threshold = self.sharing.threshold();
        self.done() == usize::from(threshold) && threshold < self.sharing.shares()
    }

    /// The hubs that have not answered, but for those that are not waited for.
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

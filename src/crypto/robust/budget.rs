//! What a search may cost, and what it has cost.

use crate::harness::{Canary, Mark, canary, reached};

/// What trying subsets of shares takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Subsets tried.
    pub subsets: usize,
    /// Bytes of shares that were put together for them: for each subset, K times the length of a share.
    pub bytes: usize,
}

impl Work {
    /// What has been added since there was so much.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            subsets: self.subsets.saturating_sub(before.subsets),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }
}

/// How much work searching may be. Any number of searches can share one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchBudget {
    max: Work,
    spent: Work,
}

impl SearchBudget {
    /// At most so much work.
    #[must_use]
    pub fn new(max: Work) -> Self {
        Self {
            max,
            spent: Work::default(),
        }
    }

    /// What has been spent.
    #[must_use]
    pub fn spent(&self) -> Work {
        self.spent
    }

    /// Takes what one subset costs, or nothing. Returns whether it may be tried.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let spent = Work {
            subsets: self.spent.subsets
                + if canary(Canary::SearchUnbounded) {
                    65_536
                } else {
                    1
                },
            bytes: self.spent.bytes.saturating_add(bytes),
        };
        let may = canary(Canary::SearchUnbounded)
            || spent.subsets <= self.max.subsets && spent.bytes <= self.max.bytes;
        if may {
            self.spent = spent;
        } else {
            reached(Mark::SearchExhausted);
        }
        may
    }
}

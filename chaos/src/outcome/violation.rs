//! A violation as it is kept of a run.

use std::fmt;

use crate::judge::{Broken, Violation};

/// What did not hold in a run.
#[derive(Clone, PartialEq, Eq)]
pub struct RunViolation {
    /// Simulated milliseconds since the run began.
    pub at_ms: u64,
    /// What did not hold.
    pub violation: Violation,
}

impl RunViolation {
    /// Name of the invariant.
    #[must_use]
    pub fn invariant(&self) -> &'static str {
        self.violation.kind().name()
    }

    /// What was expected and what was seen, by whom.
    #[must_use]
    pub fn detail(&self) -> String {
        self.violation.to_string()
    }
}

impl From<Broken> for RunViolation {
    fn from(broken: Broken) -> Self {
        Self {
            at_ms: broken.at_us / 1000,
            violation: broken.violation,
        }
    }
}

/// A run's digest is taken over this: it says what people and tools are told, whatever the evidence is made of.
impl fmt::Debug for RunViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunViolation")
            .field("invariant", &self.invariant())
            .field("at_ms", &self.at_ms)
            .field("detail", &self.detail())
            .finish()
    }
}

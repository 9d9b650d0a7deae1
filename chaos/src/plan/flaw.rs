//! What is wrong with a plan, and where.

use dske::topology::range;

use super::limits::Limit;

/// Something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where.
    pub part: Part,
    /// Name of the field.
    pub field: &'static str,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// A part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The plan's own fields.
    Plan,
    /// The cluster.
    Cluster,
    /// A call, by its place in the list.
    Call(usize),
    /// A fault, by its place in the list.
    Fault(usize),
    /// A liar, by its place in the list.
    Liar(usize),
}

impl Part {
    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "schedule",
            Self::Cluster => "cluster",
            Self::Call(_) => "calls",
            Self::Fault(_) => "faults",
            Self::Liar(_) => "liars",
        }
    }

    pub(super) fn within(self, field: &'static str, value: u64, limit: Limit) -> Result<(), Flaw> {
        let what = format!("{}.{field}", self.name());
        range::within(&what, value, limit).map_err(|error| Flaw {
            part: self,
            field,
            message: error.to_string(),
        })
    }

    pub(super) fn below(self, field: &'static str, value: usize, number: u8) -> Result<(), Flaw> {
        self.within(field, value as u64, 0..=u64::from(number) - 1)
    }

    pub(super) fn must(
        self,
        holds: bool,
        field: &'static str,
        message: impl FnOnce() -> String,
    ) -> Result<(), Flaw> {
        if holds {
            return Ok(());
        }
        Err(Flaw {
            part: self,
            field,
            message: message(),
        })
    }
}

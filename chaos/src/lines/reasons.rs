//! Why campaigns do not reach a function: `chaos/unreached.toml`.

use std::fmt;

use serde::Deserialize;

use super::Unreached;

/// The file, from the root of the repository.
pub const FILE: &str = "chaos/unreached.toml";

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{FILE}: {0}")]
pub struct ReasonsError(#[from] toml::de::Error);

/// All reasons. The first one that fits holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reasons {
    #[serde(default, rename = "unreached")]
    pub(super) all: Vec<Reason>,
}

/// Why something is not reached.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// A file below `src/`, or a folder.
    place: String,
    /// Names of functions in that file; empty for all of them.
    #[serde(default)]
    functions: Vec<String>,
    /// Why.
    pub(super) why: String,
}

impl Reasons {
    pub(super) fn parse(text: &str) -> Result<Self, ReasonsError> {
        Ok(toml::from_str(text)?)
    }

    /// Which reason holds for a function.
    pub(super) fn position(&self, unreached: &Unreached) -> Option<usize> {
        self.all.iter().position(|reason| reason.fits(unreached))
    }
}

impl Reason {
    fn fits(&self, unreached: &Unreached) -> bool {
        let is_there = unreached
            .file
            .strip_prefix(&self.place)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let function = &unreached.function;
        is_there && (self.functions.is_empty() || self.functions.contains(function))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        match self.functions.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.functions.join(", ")),
        }
    }
}

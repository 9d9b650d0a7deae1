//! Canaries, bugs that are planted on purpose, by name.

use dske::harness::Canary;
use serde::Serializer;

/// A name that no canary has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no canary {name:?}; there are {}", .known.join(", "))]
pub struct UnknownCanary {
    /// What was asked for.
    pub name: String,
    /// The names that there are.
    pub known: Vec<&'static str>,
}

/// The canary of this name.
///
/// # Errors
/// If there is none.
pub fn named(name: &str) -> Result<Canary, UnknownCanary> {
    let known = Canary::ALL.iter().find(|canary| canary.name() == name);
    known.copied().ok_or_else(|| UnknownCanary {
        name: name.to_owned(),
        known: Canary::ALL.iter().map(|canary| canary.name()).collect(),
    })
}

/// Writes a canary as its name.
pub(super) fn serialize<S: Serializer>(
    canary: &Option<Canary>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match canary {
        Some(canary) => serializer.serialize_some(canary.name()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_canary_is_found_by_its_name_and_no_other() {
        for canary in Canary::ALL {
            assert_eq!(named(canary.name()), Ok(*canary));
        }
        let said = named("kanari").unwrap_err().to_string();
        assert!(said.starts_with("there is no canary \"kanari\"; there are coefficients-"));
    }
}

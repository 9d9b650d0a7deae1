//! Numbers that have to lie between two bounds: one check, and one text for all that fail it.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// A number that is not within what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {allowed}, not {value}")]
pub struct OutOfRange {
    /// What the number is, for example `keys.max_bits`.
    pub what: String,
    /// What is allowed, for example `8 to 1048576`.
    pub allowed: String,
    /// The number that was given.
    pub value: String,
}

/// Checks that a number lies within its bounds, both of which are allowed. NaN lies within none.
///
/// # Errors
/// If it does not: what is allowed, and what was given.
pub fn within<T: PartialOrd + Display>(
    what: &str,
    value: T,
    allowed: RangeInclusive<T>,
) -> Result<(), OutOfRange> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(OutOfRange {
        what: what.to_owned(),
        allowed: format!("{} to {}", allowed.start(), allowed.end()),
        value: value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_are_allowed_and_nothing_beyond_them() {
        for value in [2, 3, 9] {
            assert_eq!(within("x", value, 2..=9), Ok(()));
        }
        for value in [1, 10] {
            let error = within("x", value, 2..=9).unwrap_err();
            assert_eq!(error.to_string(), format!("x must be 2 to 9, not {value}"));
        }
        assert!(within("x", f64::NAN, 0.0..=f64::INFINITY).is_err());
    }
}

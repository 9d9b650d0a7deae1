//! Numbers as people write them.

use dske_report::statistics::Spread;
use dske_report::text::{count, trim};

/// A number with about three digits.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        "–".to_owned()
    } else if value.abs() >= 100.0 {
        count(value.round().max(0.0) as u64)
    } else if value.abs() >= 10.0 {
        trim(value, 1)
    } else if value.abs() >= 1.0 {
        trim(value, 2)
    } else {
        trim(value, 4)
    }
}

/// The median with its unit, or a dash.
pub(crate) fn median(figure: Option<Spread>, unit: &str) -> String {
    figure.map_or_else(
        || "–".to_owned(),
        |figure| format!("{} {unit}", number(figure.median)),
    )
}

/// The least and the most of the runs.
pub(crate) fn range(figure: Option<Spread>) -> String {
    match figure {
        None => "–".to_owned(),
        Some(one) if one.runs == 1 => "one run".to_owned(),
        Some(Spread {
            low, high, runs, ..
        }) => format!("{} to {}, {runs} runs", number(low), number(high)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_about_three_digits() {
        assert_eq!(
            [0.0, 0.0015, 1.234, 45.67, 12_345.6, f64::NAN].map(number),
            ["0", "0.0015", "1.23", "45.7", "12,346", "–"]
        );
    }

    #[test]
    fn what_was_measured_once_has_no_range() {
        assert_eq!(range(Spread::of([1.0])), "one run");
        assert_eq!(range(Spread::of([1.0, 3.0])), "1 to 3, 2 runs");
        assert_eq!(range(None), "–");
    }
}

//! Numbers and conditions as people write them.

use crate::throughput::data::{Condition, Subject, Trouble};
use crate::throughput::stats::Spread;
use dske_report::text::{count, trim};

/// Three digits or so.
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
pub(super) fn median(figure: Option<Spread>, unit: &str) -> String {
    figure.map_or_else(
        || "–".to_owned(),
        |figure| format!("{} {unit}", number(figure.median)),
    )
}

/// The least and the most of so many runs.
pub(super) fn range(figure: Option<Spread>) -> String {
    match figure {
        None => "–".to_owned(),
        Some(one) if one.runs == 1 => "one run".to_owned(),
        Some(Spread {
            low, high, runs, ..
        }) => format!("{} to {}, {runs} runs", number(low), number(high)),
    }
}

/// What answers.
pub(super) fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Processes => "processes, HTTP",
        Subject::Actors => "actors",
        Subject::BareRoute => "bare route",
    }
}

/// What is wrong with one hub.
pub(super) fn trouble(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::None => "undisturbed",
        Trouble::Stopped => "one hub stopped",
        Trouble::Slow => "one hub slow",
    }
}

/// A number of bits.
pub(super) fn bits(bits: usize) -> String {
    match bits {
        0..1024 => format!("{bits}"),
        1024..0x10_0000 => format!("{}k", bits >> 10),
        _ => format!("{}M", bits >> 20),
    }
}

/// What each call asks for.
pub(super) fn keys_asked_for(condition: &Condition) -> String {
    let keys = match condition.keys_per_call {
        1 => "one key".to_owned(),
        n => format!("{n} keys"),
    };
    format!("{keys} of {} bits per call", bits(condition.size_bits))
}

/// The operations of a closed loop.
pub(super) fn concurrency(condition: &Condition) -> String {
    let concurrency = condition.concurrency;
    concurrency.map_or_else(|| "open loop".to_owned(), |n| count(n as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_so() {
        assert_eq!(
            [0.0, 0.0015, 1.234, 45.67, 12_345.6, f64::NAN].map(number),
            ["0", "0.0015", "1.23", "45.7", "12,346", "–"]
        );
        assert_eq!(
            [256, 4096, 1 << 16, 1 << 20].map(bits),
            ["256", "4k", "64k", "1M"]
        );
    }

    #[test]
    fn what_was_measured_once_has_no_range() {
        assert_eq!(range(Spread::of([1.0])), "one run");
        assert_eq!(range(Spread::of([1.0, 3.0])), "1 to 3, 2 runs");
        assert_eq!(range(None), "–");
    }
}

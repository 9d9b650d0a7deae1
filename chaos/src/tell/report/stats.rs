//! Intervals for measured rates.

/// Standard normal quantile for a two-sided 95 % interval.
const Z: f64 = 1.959_964;

/// Wilson score interval at 95 % for `succeeded` of `tried`, as rates between 0 and 1; `None` without a trial.
///
/// Unlike the textbook interval it is honest at 0 % and 100 %, where nearly all of our points lie.
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
#[allow(clippy::cast_precision_loss)] // counts of calls are far below 2^52
pub(crate) fn wilson(succeeded: u64, tried: u64) -> Option<(f64, f64)> {
    if tried == 0 {
        return None;
    }
    let n = tried as f64;
    let rate = succeeded.min(tried) as f64 / n;
    let denominator = 1.0 + Z * Z / n;
    let centre = (rate + Z * Z / (2.0 * n)) / denominator;
    let half = Z / denominator * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some((
        (centre - half).clamp(0.0, rate),
        (centre + half).clamp(rate, 1.0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<(f64, f64)>, low: f64, high: f64) -> bool {
        found.is_some_and(|(l, h)| (l - low).abs() < 5e-4 && (h - high).abs() < 5e-4)
    }

    #[test]
    fn agrees_with_published_values() {
        // Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
        assert!(near(wilson(81, 263), 0.2553, 0.3662));
        assert!(near(wilson(15, 148), 0.0624, 0.1605));
        assert!(near(wilson(0, 20), 0.0, 0.1611));
        assert!(near(wilson(1, 29), 0.0061, 0.1718));
    }

    #[test]
    fn certainty_needs_trials() {
        assert_eq!(wilson(0, 0), None);
        assert!(near(wilson(20, 20), 0.8389, 1.0));
    }
}

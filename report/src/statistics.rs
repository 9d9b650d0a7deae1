//! The statistics that reports show: spreads, quantiles, intervals and slopes.

/// The median of repeated measurements, and the range around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median; of an even number of values, the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
    /// How many values there were.
    pub runs: usize,
}

impl Spread {
    /// The spread of the values that are finite; `None` if there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: median(&values)?,
            low: *values.first()?,
            high: *values.last()?,
            runs: values.len(),
        })
    }

    /// In another unit.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            low: self.low * factor,
            high: self.high * factor,
            runs: self.runs,
        }
    }
}

/// The median of sorted values; of an even number of values, the mean of the two in the middle.
fn median(sorted: &[f64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let (below, above) = (sorted[last / 2], sorted[sorted.len() / 2]);
    Some(f64::midpoint(below, above))
}

/// A quantile between 0 and 1 by nearest rank: always one of the sorted values. `None` without values.
#[must_use]
pub fn quantile<T: Copy>(sorted: &[T], quantile: f64) -> Option<T> {
    let rank = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// An estimate with an interval that holds the true value with a confidence of at least 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// The confidence of every interval.
const CONFIDENCE: f64 = 0.95;

/// With fewer values no interval holds the median with that confidence: all five of five lie on the same side of it with
/// probability 2/2⁵ = 6 %.
pub const MEDIAN_VALUES_MIN: u32 = 6;

/// The median, with the interval of the sign test. Its ends are two of the values. The distribution does not matter:
/// each value is above the true median or below it, like a coin, so a few wild values move nothing. `None` for fewer
/// than [`MEDIAN_VALUES_MIN`] values.
#[must_use]
pub fn median_estimate(mut values: Vec<f64>) -> Option<Estimate> {
    values.sort_by(f64::total_cmp);
    let outside = outside_interval(values.len())?;
    Some(Estimate {
        value: median(&values)?,
        low: *values.get(outside)?,
        high: *values.get(values.len() - 1 - outside)?,
    })
}

/// How many of `count` values to leave out at each end, so that the rest holds the median with [`CONFIDENCE`]. The
/// probability that at most k of n coins show heads is the sum of the first k + 1 terms of a binomial distribution.
fn outside_interval(count: usize) -> Option<usize> {
    let mut term = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut tail = 0.0;
    for heads in 0..count {
        tail += term;
        if tail > (1.0 - CONFIDENCE) / 2.0 {
            return heads.checked_sub(1);
        }
        term *= (count - heads) as f64 / (heads + 1) as f64;
    }
    None
}

/// Standard normal quantile for a two-sided interval with [`CONFIDENCE`].
const Z: f64 = 1.959_964;

/// The rate of `succeeded` of `tried`, between 0 and 1, with the Wilson score interval; `None` without a trial.
///
/// Unlike the textbook interval it is honest at 0 % and 100 %, where most measured rates lie.
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
#[must_use]
pub fn wilson(succeeded: u64, tried: u64) -> Option<Estimate> {
    if tried == 0 {
        return None;
    }
    let n = tried as f64;
    let rate = succeeded.min(tried) as f64 / n;
    let denominator = 1.0 + Z * Z / n;
    let centre = (rate + Z * Z / (2.0 * n)) / denominator;
    let half = Z / denominator * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(Estimate {
        value: rate,
        low: (centre - half).clamp(0.0, rate),
        high: (centre + half).clamp(rate, 1.0),
    })
}

/// The slope of the least-squares line through points on two logarithmic axes: the power with which y grows with x, 1
/// for linear growth and 0 for a constant. `None` for fewer than two different x.
#[must_use]
pub fn log_slope(points: impl IntoIterator<Item = (f64, f64)>) -> Option<f64> {
    let logs = points.into_iter().map(|(x, y)| (x.ln(), y.ln()));
    let logs: Vec<(f64, f64)> = logs
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    let n = logs.len() as f64;
    let (x_sum, y_sum) = logs.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    let (x_mean, y_mean) = (x_sum / n, y_sum / n);
    let product = |(x, y): &(f64, f64)| (x - x_mean) * (y - y_mean);
    let square = |(x, _): &(f64, f64)| (x - x_mean).powi(2);
    let squares: f64 = logs.iter().map(square).sum();
    (squares > 0.0).then(|| logs.iter().map(product).sum::<f64>() / squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.low, spread.high), (2.5, 1.0, 4.0));
        assert_eq!(Spread::of([7.0]).unwrap().median, 7.0);
        assert_eq!(Spread::of([7.0]).unwrap().times(2.0).high, 14.0);
        assert_eq!(Spread::of([f64::NAN]), None);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&values, 0.5), Some(50));
        assert_eq!(quantile(&values, 0.99), Some(99));
        assert_eq!(quantile(&values, 1.0), Some(100));
        assert_eq!(quantile(&[7], 0.01), Some(7));
        assert_eq!(quantile::<u64>(&[], 0.5), None);
    }

    #[test]
    fn as_many_values_are_left_out_as_the_confidence_allows() {
        // Tables of the sign test, two-sided, 5 %.
        let table = [
            (5, None),
            (6, Some(0)),
            (8, Some(0)),
            (9, Some(1)),
            (10, Some(1)),
            (12, Some(2)),
            (20, Some(5)),
            (100, Some(39)),
        ];
        for (count, outside) in table {
            assert_eq!(outside_interval(count), outside, "{count}");
        }
        assert_eq!(outside_interval(MEDIAN_VALUES_MIN as usize), Some(0));
        // The largest number of rounds that may be asked for.
        assert!(outside_interval(1000).is_some());
        assert_eq!(outside_interval(0), None);
    }

    #[test]
    fn the_median_is_between_the_ends_and_one_odd_value_moves_nothing() {
        let mut values: Vec<f64> = (1..=10).map(f64::from).collect();
        let estimate = median_estimate(values.clone()).unwrap();
        assert_eq!(
            (estimate.low, estimate.value, estimate.high),
            (2.0, 5.5, 9.0)
        );
        values[9] = 1e9;
        assert_eq!(median_estimate(values), Some(estimate));
        assert_eq!(median_estimate(vec![1.0; 5]), None);
    }

    #[test]
    fn intervals_of_rates_agree_with_published_values() {
        let near = |succeeded, tried, low: f64, high: f64| {
            let found = wilson(succeeded, tried).unwrap();
            (found.low - low).abs() < 5e-4 && (found.high - high).abs() < 5e-4
        };
        // Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
        assert!(near(81, 263, 0.2553, 0.3662));
        assert!(near(15, 148, 0.0624, 0.1605));
        assert!(near(0, 20, 0.0, 0.1611));
        assert!(near(1, 29, 0.0061, 0.1718));
        assert!(near(20, 20, 0.8389, 1.0));
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn powers_are_found_and_a_single_point_has_none() {
        for power in [0.0, 0.5, 1.0, 2.0] {
            let points = [1.0, 3.0, 10.0, 200.0].map(|x: f64| (x, 7.0 * x.powf(power)));
            let found = log_slope(points).unwrap();
            assert!((found - power).abs() < 1e-9, "{found} {power}");
        }
        assert_eq!(log_slope([(3.0, 1.0), (3.0, 2.0)]), None);
        assert_eq!(log_slope([]), None);
    }
}

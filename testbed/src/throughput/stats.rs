//! Medians with their spread.

use super::data::{Measured, Run};

/// What repeated measurements say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
    /// How many there were.
    pub runs: usize,
}

impl Spread {
    /// Of values; `None` if there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let (a, b) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self {
            median: f64::midpoint(a, b),
            low,
            high,
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

    /// Of the ratios of measurements that were made side by side.
    #[must_use]
    pub fn of_ratios(values: &Measured, to: &Measured, figure: fn(&Run) -> f64) -> Option<Self> {
        let both = values.runs.iter().zip(&to.runs);
        // What nothing came of has no ratio.
        let both = both.filter(|(a, b)| a.keys > 0 && b.keys > 0);
        Self::of(both.map(|(a, b)| figure(a) / figure(b)))
    }
}

impl Measured {
    /// A figure of all runs in which anything came of it.
    #[must_use]
    pub fn spread(&self, figure: fn(&Run) -> f64) -> Option<Spread> {
        let runs = self.runs.iter().filter(|run| run.keys > 0);
        Spread::of(runs.map(figure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.low, spread.high), (2.5, 1.0, 4.0));
        assert_eq!(Spread::of([7.0]).unwrap().median, 7.0);
        assert_eq!(Spread::of([f64::NAN]), None);
        assert_eq!(Spread::of([]), None);
    }
}

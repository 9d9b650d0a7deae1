//! Ratios with confidence intervals, and the verdict on each.

use std::fmt;

use dske_report::statistics::{Estimate, MEDIAN_VALUES_MIN, median_estimate};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

/// With fewer rounds no interval can be given.
pub const ROUNDS_MIN: u32 = MEDIAN_VALUES_MIN;

/// The figures of one window.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Keys a second.
    pub keys_per_s: f64,
    /// Median latency of both calls together.
    pub p50_ms: f64,
    /// CPU time of all nodes for each key; `None` where the system does not report it.
    pub cpu_us_per_key: Option<f64>,
}

/// Two windows of each build.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Of the current build.
    pub current: [Sample; 2],
    /// Of the revision.
    pub revision: [Sample; 2],
}

/// A figure that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Keys a second.
    KeysPerS,
    /// The median of both calls together.
    P50Ms,
    /// CPU time of all nodes for each key.
    CpuUsPerKey,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::KeysPerS, Self::P50Ms, Self::CpuUsPerKey];

    fn as_str(self) -> &'static str {
        match self {
            Self::KeysPerS => "keys/s",
            Self::P50Ms => "p50, ms",
            Self::CpuUsPerKey => "CPU µs/key",
        }
    }

    fn of(self, sample: &Sample) -> Option<f64> {
        match self {
            Self::KeysPerS => Some(sample.keys_per_s),
            Self::P50Ms => Some(sample.p50_ms),
            Self::CpuUsPerKey => sample.cpu_us_per_key,
        }
    }

    fn more_is_better(self) -> bool {
        match self {
            Self::KeysPerS => true,
            Self::P50Ms | Self::CpuUsPerKey => false,
        }
    }
}

/// One line of a comparison.
#[derive(Debug, Clone)]
pub struct Row {
    scenario: &'static str,
    measure: Measure,
    /// Geometric means of the current build and of the revision, and the median of the rounds' ratios; `None` if the
    /// measure could not be taken.
    figures: Option<(f64, f64, Estimate)>,
}

/// How the current build compares with the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Better: the whole interval is on the better side.
    Better,
    /// Worse: the whole interval is on the worse side.
    Worse,
    /// The interval contains 1.
    NoDifference,
    /// The system does not report the figure.
    Unknown,
}

impl Row {
    pub(super) fn new(scenario: &'static str, measure: Measure, rounds: &[Round]) -> Self {
        let log = |samples: &[Sample; 2]| -> Option<f64> {
            let logs = samples.iter().map(|sample| Some(measure.of(sample)?.ln()));
            Some(logs.sum::<Option<f64>>()? / samples.len() as f64)
        };
        let sides = |round: &Round| Some((log(&round.current)?, log(&round.revision)?));
        let logs: Option<Vec<(f64, f64)>> = rounds.iter().map(sides).collect();
        let figures = logs.and_then(|logs| {
            let count = logs.len() as f64;
            let current = logs.iter().map(|(current, _)| current).sum::<f64>() / count;
            let revision = logs.iter().map(|(_, revision)| revision).sum::<f64>() / count;
            let ratios = logs.iter().map(|(current, revision)| current - revision);
            let Estimate { value, low, high } = median_estimate(ratios.collect())?;
            let ratio = Estimate {
                value: value.exp(),
                low: low.exp(),
                high: high.exp(),
            };
            Some((current.exp(), revision.exp(), ratio))
        });
        Self {
            scenario,
            measure,
            figures,
        }
    }

    /// The verdict, where differences below `tolerance` (0.05 is 5 %) do not count.
    #[must_use]
    pub fn verdict(&self, tolerance: f64) -> Verdict {
        let Some((_, _, ratio)) = self.figures else {
            return Verdict::Unknown;
        };
        let (more, less) = match self.measure.more_is_better() {
            true => (Verdict::Better, Verdict::Worse),
            false => (Verdict::Worse, Verdict::Better),
        };
        if ratio.low > 1.0 + tolerance {
            more
        } else if ratio.high < 1.0 / (1.0 + tolerance) {
            less
        } else {
            Verdict::NoDifference
        }
    }
}

/// The result of a comparison. `Display` prints it as a table.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Commit and subject of the current build.
    pub current: String,
    /// Commit and subject of the revision.
    pub revision: String,
    /// One row for each measure of each scenario.
    pub rows: Vec<Row>,
}

impl Comparison {
    /// Whether any row is worse by more than `tolerance`.
    #[must_use]
    pub fn is_worse(&self, tolerance: f64) -> bool {
        let mut rows = self.rows.iter();
        rows.any(|row| row.verdict(tolerance) == Verdict::Worse)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "current:  {}\nrevision: {}\n",
            self.current, self.revision
        )?;
        let mut table = Builder::new();
        table.push_record(["", "", "revision", "current", "ratio", "95 % interval", ""]);
        let mut last = "";
        for row in &self.rows {
            let scenario = if row.scenario == last {
                ""
            } else {
                row.scenario
            };
            last = row.scenario;
            let mut record = vec![scenario.to_owned(), row.measure.as_str().to_owned()];
            match row.figures {
                Some((current, revision, Estimate { value, low, high })) => record.extend([
                    format!("{revision:.2}"),
                    format!("{current:.2}"),
                    format!("{value:.3}"),
                    format!("{low:.3} to {high:.3}"),
                ]),
                None => record.extend(["-"; 4].map(str::to_owned)),
            }
            let verdict = match row.verdict(0.0) {
                Verdict::Better => "better",
                Verdict::Worse => "worse",
                Verdict::NoDifference => "no difference seen",
                Verdict::Unknown => "",
            };
            record.push(verdict.to_owned());
            table.push_record(record);
        }
        let mut table = table.build();
        table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
        table.modify(Columns::new(2..6), Alignment::right());
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(keys_per_s: f64) -> Sample {
        Sample {
            keys_per_s,
            p50_ms: 1000.0 / keys_per_s,
            cpu_us_per_key: None,
        }
    }

    /// Rounds in which the current build is faster by `factors`, while the machine slows down steadily.
    fn rounds(factors: &[f64]) -> Vec<Round> {
        let round = |(number, factor): (usize, &f64)| {
            let speed = 1000.0 / (1.0 + number as f64);
            Round {
                current: [sample(speed * factor); 2],
                revision: [sample(speed); 2],
            }
        };
        factors.iter().enumerate().map(round).collect()
    }

    fn row(measure: Measure, factors: &[f64]) -> Row {
        Row::new("s", measure, &rounds(factors))
    }

    #[test]
    fn a_machine_that_slows_down_does_not_matter() {
        let row = row(Measure::KeysPerS, &[2.0; 6]);
        let (_, _, ratio) = row.figures.unwrap();
        assert!((ratio.value - 2.0).abs() < 1e-9 && (ratio.high - ratio.low).abs() < 1e-9);
        assert_eq!(row.verdict(0.05), Verdict::Better);
    }

    #[test]
    fn one_spoilt_round_moves_nothing() {
        let mut factors: Vec<f64> = (1..=10).map(f64::from).collect();
        let (_, _, ratio) = row(Measure::KeysPerS, &factors).figures.unwrap();
        assert!((ratio.low - 2.0).abs() < 1e-9 && (ratio.high - 9.0).abs() < 1e-9);
        assert!((ratio.value - 30_f64.sqrt()).abs() < 1e-9);
        factors[9] = 1e9;
        let (_, _, spoilt) = row(Measure::KeysPerS, &factors).figures.unwrap();
        assert_eq!(ratio, spoilt);
    }

    #[test]
    fn only_what_is_beyond_doubt_and_beyond_the_tolerance_is_called_worse() {
        let slower = [0.9, 0.91, 0.92, 0.9, 0.9, 0.91];
        assert_eq!(
            row(Measure::KeysPerS, &slower).verdict(0.05),
            Verdict::Worse
        );
        assert_eq!(row(Measure::P50Ms, &slower).verdict(0.05), Verdict::Worse);
        assert_eq!(
            row(Measure::KeysPerS, &slower).verdict(0.15),
            Verdict::NoDifference
        );
        let noisy = [0.5, 1.9, 0.7, 1.3, 1.1, 0.8];
        assert_eq!(
            row(Measure::KeysPerS, &noisy).verdict(0.0),
            Verdict::NoDifference
        );
        assert_eq!(
            row(Measure::CpuUsPerKey, &slower).verdict(0.0),
            Verdict::Unknown
        );
    }

    #[test]
    fn a_comparison_is_shown_as_a_table() {
        let factors = [0.9, 0.91, 0.92, 0.9, 0.9, 0.91];
        let comparison = Comparison {
            current: "here".to_owned(),
            revision: "there".to_owned(),
            rows: Measure::ALL.map(|measure| row(measure, &factors)).into(),
        };
        assert!(comparison.is_worse(0.05) && !comparison.is_worse(0.15));
        let shown = comparison.to_string();
        for part in ["0.905", "worse", "95 % interval", "CPU µs/key"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}

//! Ratios with confidence intervals, and what they mean.

use std::fmt;

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

/// How likely an interval is at least to hold the ratio.
const CONFIDENCE: f64 = 0.95;

/// With fewer rounds nothing can be said with that confidence: all of them are above the median once in 2⁵.
pub const ROUNDS_MIN: u32 = 6;

/// What one window has shown.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Keys a second.
    pub keys_per_s: f64,
    /// Half of the operations took no longer.
    pub p50_ms: f64,
    /// CPU time of all nodes for each key, if the system tells.
    pub cpu_us_per_key: Option<f64>,
}

/// Two windows of each.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Of the current build.
    pub current: [Sample; 2],
    /// Of the revision.
    pub revision: [Sample; 2],
}

/// What is compared.
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

/// The median ratio, and between which values it is with a confidence of at least 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Current by revision.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Ratio {
    /// The median of the rounds, between two of them. How they are distributed does not matter, so that a round that
    /// something else on the machine has spoilt does not either: each is above the true median or below it, like a coin.
    fn of_rounds(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        let count = ratios.len();
        let outside = rounds_outside(count)?;
        let (low, high) = (ratios.get(outside)?, ratios.get(count - 1 - outside)?);
        let middle = [(count - 1) / 2, count / 2].map(|at| ratios[at]);
        Some(Self {
            value: (middle[0] * middle[1]).sqrt(),
            low: *low,
            high: *high,
        })
    }
}

/// How many of so many rounds to leave out at each end, so that the others hold the median with [`CONFIDENCE`]. That
/// no more than k coins of n show heads is as likely as the first k + 1 terms of a binomial distribution.
fn rounds_outside(count: usize) -> Option<usize> {
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

/// One line of a comparison.
#[derive(Debug, Clone)]
pub struct Row {
    scenario: &'static str,
    measure: Measure,
    /// Geometric means of the current build and the revision, and their ratio; nothing if it could not be measured.
    figures: Option<(f64, f64, Ratio)>,
}

/// How the current build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Better, beyond doubt.
    Better,
    /// Worse, beyond doubt.
    Worse,
    /// The interval holds 1.
    NoDifference,
    /// The system does not tell.
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
            let ratios = logs
                .iter()
                .map(|(current, revision)| (current - revision).exp());
            let ratio = Ratio::of_rounds(ratios.collect())?;
            Some((current.exp(), revision.exp(), ratio))
        });
        Self {
            scenario,
            measure,
            figures,
        }
    }

    /// How the current build is, if differences below `tolerance` (0.05 is 5 %) are none.
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

/// What came of a comparison. Shown as a table.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What the current build is.
    pub current: String,
    /// What the revision is.
    pub revision: String,
    /// Three for each scenario.
    pub rows: Vec<Row>,
}

impl Comparison {
    /// Whether something is worse by more than `tolerance`.
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
                Some((current, revision, Ratio { value, low, high })) => record.extend([
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

    /// Rounds in which the current build is faster by `factors`, while the machine becomes slower and slower.
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
    fn a_machine_that_becomes_slower_does_not_matter() {
        let row = row(Measure::KeysPerS, &[2.0; 6]);
        let (_, _, ratio) = row.figures.unwrap();
        assert!((ratio.value - 2.0).abs() < 1e-9 && (ratio.high - ratio.low).abs() < 1e-9);
        assert_eq!(row.verdict(0.05), Verdict::Better);
    }

    #[test]
    fn as_many_rounds_are_left_out_as_the_confidence_allows() {
        // Tables of the sign test, two-sided, 5 %.
        let table = [
            (5, None),
            (6, Some(0)),
            (8, Some(0)),
            (9, Some(1)),
            (10, Some(1)),
        ];
        for (count, outside) in
            table
                .into_iter()
                .chain([(12, Some(2)), (20, Some(5)), (100, Some(39))])
        {
            assert_eq!(rounds_outside(count), outside, "{count}");
        }
        assert_eq!(rounds_outside(ROUNDS_MIN as usize), Some(0));
        // The largest number that may be asked for.
        assert!(rounds_outside(1000).is_some());
        assert_eq!(rounds_outside(0), None);
    }

    #[test]
    fn the_median_is_between_the_ends_and_one_odd_round_moves_nothing() {
        let mut ratios: Vec<f64> = (1..=10).map(f64::from).collect();
        let ratio = Ratio::of_rounds(ratios.clone()).unwrap();
        assert_eq!((ratio.low, ratio.high), (2.0, 9.0));
        assert!((ratio.value - 30_f64.sqrt()).abs() < 1e-12);
        ratios[9] = 1e9;
        assert_eq!(Ratio::of_rounds(ratios), Some(ratio));
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

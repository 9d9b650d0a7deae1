//! What a finished soak says: the contents of `reports/soak.json`, and what the command prints.

use std::fmt;

use dske_report::text::counted;
use serde::Serialize;

use super::Soaked;
use super::tally::Yield;
use crate::plan::reached;
use crate::summary::CoveragePoint;
use crate::summary::Violation;

/// Rarest situations that are printed and saved as schedules.
pub const RAREST: usize = 8;

/// Points of the curve that are printed.
const PRINTED_POINTS: usize = 10;

/// Everything that a soak measured.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Statistics {
    /// Version of `dske` that was tested.
    pub version: String,
    /// The command that draws the same runs again.
    pub command: String,
    /// The soak's own seed.
    pub seed: u64,
    /// Whether it was interrupted.
    pub is_interrupted: bool,
    /// Runs.
    pub runs: u64,
    /// Keys that masters asked for.
    pub keys_requested: u64,
    /// Keys that reached all their slaves.
    pub keys_fetched: u64,
    /// Simulated hours.
    pub simulated_hours: f64,
    /// Real seconds.
    pub wall_seconds: f64,
    /// Runs in a real second.
    pub runs_per_second: f64,
    /// How many violations there were.
    pub violations_total: u64,
    /// The first of them, and the first of each invariant.
    pub violations: Vec<Violation>,
    /// What had been seen after so many runs.
    pub coverage: Vec<CoveragePoint>,
    /// What fresh seeds have brought since there were mutations.
    pub fresh: Yield,
    /// What mutations have brought.
    pub mutated: Yield,
    /// Runs in the corpus at the end.
    pub corpus: usize,
    /// Every situation that was met, the rarest first.
    pub situations: Vec<Situation>,
    /// Situations that no run met.
    pub never: Vec<String>,
}

/// A situation that was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Situation {
    /// Its name.
    pub name: String,
    /// Runs that met it.
    pub runs: u64,
    /// How many of them were mutations.
    pub mutated: u64,
    /// The number of the first, from 0.
    pub first: u64,
    /// Whether the first was a mutation.
    pub first_is_mutated: bool,
    /// A schedule that meets it, if it is one of the rarest.
    pub file: Option<String>,
}

impl Statistics {
    /// What there is to say about what was seen.
    #[must_use]
    pub fn of(soaked: &Soaked) -> Self {
        let tally = &soaked.tally;
        let (fresh, mutated) = tally.yields();
        let mut situations: Vec<Situation> = tally
            .situations()
            .iter()
            .map(|(name, met)| Situation {
                name: name.clone(),
                runs: met.runs,
                mutated: met.mutated,
                first: met.first,
                first_is_mutated: met.first_is_mutated,
                file: None,
            })
            .collect();
        situations.sort_by_key(|situation| situation.runs);
        let mut never = reached::names();
        never
            .retain(|name| reached::is_consequence(name) && !tally.situations().contains_key(name));
        Self {
            runs: tally.runs(),
            keys_requested: tally.keys_requested,
            keys_fetched: tally.keys_fetched,
            simulated_hours: tally.simulated_ms as f64 / 3_600_000.0,
            violations_total: tally.violations,
            coverage: tally.coverage(),
            fresh,
            mutated,
            corpus: soaked.corpus,
            situations,
            never,
            ..Self::default()
        }
    }

    /// With the time that it took.
    #[must_use]
    pub fn after(mut self, wall_seconds: f64) -> Self {
        self.wall_seconds = wall_seconds;
        self.runs_per_second = self.runs as f64 / wall_seconds.max(1e-9);
        self
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} asked for, {} arrived, {:.1} simulated hours in {:.0} s: {:.1} runs/s; {}",
            counted(self.runs, "run"),
            counted(self.keys_requested, "key"),
            self.keys_fetched,
            self.simulated_hours,
            self.wall_seconds,
            self.runs_per_second,
            counted(self.violations_total, "violation")
        )?;
        self.write_coverage(f)?;
        self.write_yields(f)?;
        self.write_rarest(f)
    }
}

impl Statistics {
    fn write_coverage(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nDoes a longer run pay?")?;
        writeln!(
            f,
            "{:>8} {:>11} {:>14}",
            "runs", "situations", "sets of marks"
        )?;
        let every = self.coverage.len().div_ceil(PRINTED_POINTS).max(1);
        let last = self.coverage.len().saturating_sub(1);
        for (index, point) in self.coverage.iter().enumerate() {
            if (last - index).is_multiple_of(every) {
                let CoveragePoint { runs, names, sets } = point;
                writeln!(f, "{runs:>8} {names:>11} {sets:>14}")?;
            }
        }
        Ok(())
    }

    fn write_yields(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nDoes the search pay? Of 100 runs, since there were mutations:"
        )?;
        writeln!(
            f,
            "{:<13} {:>8} {:>16} {:>16} {:>15}",
            "", "runs", "met what is rare", "new set of marks", "new situations"
        )?;
        for (name, of) in [("fresh seeds", self.fresh), ("mutations", self.mutated)] {
            let percent = |count: u64| 100.0 * count as f64 / of.runs.max(1) as f64;
            writeln!(
                f,
                "{name:<13} {:>8} {:>15.1}% {:>15.1}% {:>15}",
                of.runs,
                percent(of.rare),
                percent(of.new_sets),
                of.new_situations
            )?;
        }
        writeln!(
            f,
            "The corpus holds {}.",
            counted(self.corpus as u64, "run")
        )
    }

    fn write_rarest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nRarest situations:")?;
        writeln!(
            f,
            "{:<28} {:>6} {:>10} {:>14}  schedule",
            "", "runs", "mutations", "first in run"
        )?;
        for situation in self.situations.iter().take(RAREST) {
            let by = if situation.first_is_mutated {
                "mutation"
            } else {
                "fresh"
            };
            writeln!(
                f,
                "{:<28} {:>6} {:>10} {:>14}  {}",
                situation.name,
                situation.runs,
                situation.mutated,
                format!("{} {by}", situation.first),
                situation.file.as_deref().unwrap_or("-")
            )?;
        }
        if !self.never.is_empty() {
            writeln!(f, "Never met: {}.", self.never.join(", "))?;
        }
        Ok(())
    }
}
